"""Where attention looked while each word was written.

T target step, S source step
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from nmt.plumbing.files import write_bytes
from nmt.report.figures import literal, new_figure, png_bytes, word

_CELL = 0.34  # inches
_VALUES_UP_TO = 12  # words a side: more leave no room for numbers in the cells


def attention_heatmap(
    path: Path,
    source_words: Sequence[str],
    target_words: Sequence[str],
    weight_TS: NDArray[np.floating],
    title: str,
) -> None:
    """Write a PNG: a row for each target word, a column for each source word, weights 0 to 1 by colour.

    Raises OSError where `path` cannot be written.
    """
    write_bytes(path, attention_png(source_words, target_words, weight_TS, title))


def attention_png(
    source_words: Sequence[str], target_words: Sequence[str], weight_TS: NDArray[np.floating], title: str
) -> bytes:
    """The picture of `attention_heatmap` as the bytes of a PNG file."""
    assert np.shape(weight_TS) == (len(target_words), len(source_words)), "a weight for each pair of words"
    num_columns, num_rows = len(source_words), len(target_words)
    longest_source = max((len(text) for text in source_words), default=0)
    longest_target = max((len(text) for text in target_words), default=0)
    height = max(2.8, _CELL * num_rows + 0.095 * longest_source + 1.1)
    figure = new_figure(max(4.5, _CELL * num_columns + 0.095 * longest_target + 1.8), height)
    axes = figure.add_subplot()
    image = axes.imshow(weight_TS, cmap="Blues", vmin=0.0, vmax=1.0, aspect="equal", interpolation="nearest")
    axes.set_xticks(range(num_columns), [word(text) for text in source_words], rotation=90)
    axes.set_yticks(range(num_rows), [word(text) for text in target_words])
    axes.xaxis.tick_top()
    axes.tick_params(length=0, labelsize=10)
    for lines, across, along in ((axes.vlines, num_columns, num_rows), (axes.hlines, num_rows, num_columns)):
        lines(np.arange(across + 1) - 0.5, -0.5, along - 0.5, colors="#d0d7de", linewidth=0.5, zorder=1.5)
    if max(num_columns, num_rows) <= _VALUES_UP_TO:
        _write_values(axes, weight_TS)
    bar = figure.colorbar(image, ax=axes, fraction=0.05, pad=0.03, shrink=min(0.9, 3.5 / height), ticks=[0.0, 0.5, 1.0])
    bar.set_label("attention weight")
    bar.ax.spines["outline"].set_visible(False)
    figure.suptitle(literal(title), fontsize=11)
    return png_bytes(figure)


def _write_values(axes: Axes, weight_TS: NDArray[np.floating]) -> None:
    """Weights of at least 0.1 in their cells, as .34."""
    for row, column in np.argwhere(np.asarray(weight_TS) >= 0.1):
        weight = float(weight_TS[row, column])
        text = "1" if weight >= 0.995 else f"{weight:.2f}".lstrip("0")
        axes.text(column, row, text, ha="center", va="center", fontsize=8, color="white" if weight > 0.55 else "black")
