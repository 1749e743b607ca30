"""Heat map and transport plan: PNG files whose colours say what they should; curves of what was logged."""

from __future__ import annotations

import json
import re
from io import BytesIO, StringIO

import numpy as np
import pytest
from matplotlib.image import imread
from matplotlib.patches import PathPatch

from nmt.config.metrics import FIGURES
from nmt.report import transport
from nmt.report.curves import series, training_curves
from nmt.report.figures import SERIES, THEME, new_figure, svg_text
from nmt.report.heatmap import attention_heatmap, attention_png
from nmt.report.pages import TEMPLATES
from nmt.report.transport import transport_picture, transport_png

ENGLISH, GERMAN = ["a", "green", "house", "."], ["ein", "grünes", "Häuschen"]


def pixels(png):
    return imread(BytesIO(png), format="png")[..., :3]


def dark_blue(png):
    """Number of pixels in the colour of weight 1, the end of Blues."""
    return int((np.abs(pixels(png) - np.array([8, 48, 107]) / 255).max(axis=-1) < 0.02).sum())


def test_a_heat_map_is_a_png_with_a_dark_cell_where_the_weight_is_one(tmp_path):
    path = tmp_path / "attention.png"
    attention_heatmap(path, ENGLISH, GERMAN, np.eye(3, 4), "ein grünes Häuschen")
    three = dark_blue(path.read_bytes())
    none = dark_blue(attention_png(ENGLISH, GERMAN, np.zeros((3, 4)), "nothing"))
    one = dark_blue(attention_png(ENGLISH, GERMAN, np.eye(1, 12).reshape(3, 4), "one"))
    assert one - none > 500  # a cell, over the end of the colour bar
    assert three - none == pytest.approx(3 * (one - none), rel=0.1)


@pytest.mark.parametrize("size", [5, 40])
def test_a_heat_map_grows_with_its_words(size):
    words = [f"Größe{i}" for i in range(size)]
    height, width, _ = pixels(attention_png(words, words, np.full((size, size), 1 / size), "")).shape
    assert min(height, width) > size * 30  # room for a word in each row and column


@pytest.mark.parametrize("text", ["$x$", "", " ", "家", "🙂", "a\\b", "_^{"])
def test_any_word_can_be_drawn(text):
    assert attention_png([text], [text], np.ones((1, 1)), text).startswith(b"\x89PNG")
    assert transport_png([text], [text], np.ones((1, 1)), np.zeros((1, 1)), text).startswith(b"\x89PNG")


def test_the_same_weights_give_the_same_bytes():
    pictures = [attention_png(ENGLISH, GERMAN, np.eye(3, 4), "t") for _ in range(2)]
    assert pictures[0] == pictures[1]


def test_shapes_that_do_not_fit_are_our_bug():
    with pytest.raises(AssertionError, match="a weight for each pair of words"):
        attention_png(ENGLISH, GERMAN, np.eye(4, 3), "")
    with pytest.raises(AssertionError, match="a mass and a cost"):
        transport_png(["a"], ["b"], np.ones((1, 1)), np.ones((1, 2)), "")


def test_a_plan_has_one_band_a_flow_as_wide_as_its_mass(tmp_path, monkeypatch):
    figures = []
    monkeypatch.setattr(transport, "png_bytes", lambda figure: figures.append(figure) or b"png")
    flow_AB = np.array([[0.3, 0.2, 1e-15], [0.0, 0.1, 0.4]])
    transport_picture(tmp_path / "plan.png", ["a", "b"], ["x", "y", "z"], flow_AB, np.ones((2, 3)), "plan")
    assert (tmp_path / "plan.png").read_bytes() == b"png"
    bands = [patch for patch in figures[0].axes[0].patches if isinstance(patch, PathPatch)]
    widths = [float(np.ptp(np.asarray(band.get_path().vertices)[[0, 7], 1])) for band in bands]
    assert widths == pytest.approx([0.3, 0.2, 0.1, 0.4])
    arrivals = [tuple(np.asarray(band.get_path().vertices)[[3, 4], 1]) for band in bands]
    assert arrivals[1][1] == pytest.approx(arrivals[2][0])  # both go to y, one below the other
    assert {text.get_text() for text in figures[0].axes[0].texts} == {"a", "b", "x", "y", "z"}


PLAN = {
    "distance": 0.5,
    "moves": [
        {"from": "a", "to": "x", "mass": 0.3, "cost": 1.0},
        {"from": "b", "to": "y", "mass": 0.5, "cost": 0.4},
        {"from": "a", "to": "y", "mass": 0.2, "cost": 0.0},
    ],
}


def main(monkeypatch, words, standard_input):
    monkeypatch.setattr("sys.stdin", StringIO(standard_input))
    return transport.main(words)


def test_plans_as_the_metric_prints_them_are_drawn(tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(transport, "transport_picture", lambda *given: drawn.append(given))
    assert main(monkeypatch, [str(tmp_path / "out")], json.dumps({"plans": [PLAN, None, PLAN]})) == 0
    path, words_a, words_b, flow_AB, cost_AB, title = drawn[0]
    assert (path, title) == (tmp_path / "out" / "line-1.png", "line 1: distance 0.5000")
    assert (words_a, words_b) == (["a", "b"], ["x", "y"])
    assert flow_AB.tolist() == [[0.3, 0.2], [0.0, 0.5]]
    assert cost_AB.tolist() == [[1.0, 0.0], [0.0, 0.4]]
    assert drawn[1][0] == tmp_path / "out" / "line-3.png"  # the second has nothing to move


@pytest.mark.parametrize("content", ["", "[]", '{"similarity": 1}', "line 1"])
def test_what_is_no_plan_is_said_in_a_sentence(tmp_path, capsys, monkeypatch, content):
    assert main(monkeypatch, [str(tmp_path)], content) == 2
    err = capsys.readouterr().err
    assert err.startswith("python -m nmt.report.transport: found no plans on standard input (")
    assert err.endswith(
        "expected what python -m nmt.metrics.wmd prints with --json --explain N; pipe the one into the other.\n"
    )


def test_a_folder_that_cannot_be_written_is_said(tmp_path, capsys, monkeypatch):
    (tmp_path / "file").write_text("")
    assert main(monkeypatch, [str(tmp_path / "file")], json.dumps({"plans": [PLAN]})) == 2
    assert capsys.readouterr().err.endswith(
        "file: found file exists, expected a folder that can be written to; name another.\n"
    )


def test_a_plan_between_empty_sentences_is_an_empty_picture():
    assert transport_png([], ["a"], np.zeros((0, 1)), np.zeros((0, 1)), "nothing moves").startswith(b"\x89PNG")


EVENTS = [
    {"event": "train", "step": 1, "loss": 3.0, "learning_rate": 0.1},
    {"event": "validate", "step": 1, "loss": None, "perplexity": None, "bleu": 1.0},
    {"event": "save", "step": 1},
    {"event": "train", "step": 2, "loss": 2.0, "learning_rate": 0.1},
]


def test_a_series_takes_its_events_and_leaves_a_gap_for_null():
    assert series(EVENTS, "train", "loss") == [(1, 3.0), (2, 2.0)]
    ((step, value),) = series(EVENTS, "validate", "perplexity")
    assert step == 1
    assert np.isnan(value)
    assert series(EVENTS, "test", "loss") == []


def test_an_svg_has_the_colours_of_the_page_and_no_ground():
    """So it follows the theme; a text that looks like a colour stays as it is."""
    figure = new_figure(3, 2)
    axes = figure.add_subplot(title="a #123456; b")
    axes.plot([0, 1], color=SERIES[1])
    svg = svg_text(figure)
    assert "stroke: var(--c1)" in svg
    assert "stroke: var(--ink)" in svg, "the axes"
    assert re.findall("#[0-9a-f]{6}", svg) == ["#123456"]


def test_the_style_has_the_colours_that_an_svg_asks_for():
    """Those of the light theme; and each has another value in the dark one."""
    light, dark = (TEMPLATES / "style.css").read_text().split("@media (prefers-color-scheme: dark)")
    values = [dict(re.findall("--([a-z0-9]+): (#[0-9a-f]{6})", css)) for css in (light, dark)]
    for colour, name in THEME.items():
        assert name == "ink" or values[0][name] == colour
        assert values[1][name] != values[0][name]


def test_curves_are_panels_of_what_was_logged():
    panels = training_curves(EVENTS, FIGURES["bleu"])
    assert [panel.caption for panel in panels] == ["BLEU (dev)", "learning rate"]
    assert training_curves([], FIGURES["bleu"]) == []
