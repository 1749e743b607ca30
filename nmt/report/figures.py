"""Matplotlib figures as PNG bytes or SVG text, without pyplot: no window, no state that outlives a call."""

from __future__ import annotations

import re
import warnings
from io import BytesIO, StringIO

from matplotlib import rc_context
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

DPI = 110
# Those of the light theme of templates/style.css. An SVG has its variables in their place, and so its reader's theme.
SOFT, LINE, FAINT = "#59636e", "#d1d9e0", "#afb8c1"
SERIES = ("#0969da", "#bc4c00", "#1a7f37", "#8250df", "#bf3989", "#7d5a00", "#0e7490", SOFT)
THEME = {"#000000": "ink", LINE: "line", FAINT: "faint", **{one: f"c{place}" for place, one in enumerate(SERIES)}}


def new_figure(width: float, height: float) -> Figure:
    """An empty figure of `width` x `height` inches that arranges its own margins."""
    figure = Figure(figsize=(width, height), dpi=DPI, layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def png_bytes(figure: Figure) -> bytes:
    """The figure as a PNG file; the same figure gives the same bytes. A letter that the font lacks is an empty box."""
    buffer = BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")  # once a letter: it would flood the log
        figure.savefig(buffer, format="png", metadata={"Software": None}, bbox_inches="tight", pad_inches=0.12)
    return buffer.getvalue()


def svg_text(figure: Figure) -> str:
    """The figure as an SVG element for a page: real text, colours and ground of the page, one unit a pixel where there
    is room, and no names (id) that two figures of a page would share."""
    buffer = StringIO()
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "nmt"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None}, transparent=True)
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r'(width|height)="([\d.]+)pt"', r'\1="\2"', text, count=2)
    text = re.sub("<[^>]+>", _in_theme, text)
    return re.sub(r' id="[a-z]+[\dd]*_\d+"', "", text)  # clip paths and markers, which are referred to, have hashes


def _in_theme(tag: re.Match[str]) -> str:
    """A tag with the page's colours."""
    return re.sub("#[0-9a-f]{6}", lambda colour: f"var(--{THEME[colour[0]]})", tag[0])


def literal(text: str) -> str:
    """Text as it is, where Matplotlib would take dollars for mathematics."""
    return text.replace("$", r"\$")


def word(text: str) -> str:
    """The label of a word; one without ink is shown by a sign."""
    return literal(text) if text.strip() else "␣"
