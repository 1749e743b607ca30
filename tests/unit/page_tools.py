"""A report whose every text is hostile, with all that a page can show."""

from __future__ import annotations

import numpy as np

from nmt.config.metrics import METRICS
from nmt.report.page import Group, Report, Table, Words
from nmt.report.plots import Point, curves, whiskers
from nmt.report.sentences import Candidate, Detail, Grouping, Moves, Sentences, quantised

EVIL = "<script>document.title='ran'</script>\"&'"
HOSTILE = [
    EVIL,
    "\u202egnirts\u202c abc",
    "a\u0301\u0323" * 40,
    "wort " * 2000,
    "nul \0 inside",
    "</script><!-- \u2028",
]
BLEU, WMD = METRICS["bleu"].figure, METRICS["wmd"].figure
WORST = 41  # the row, from 0, where B loses most


def sentences(count: int = 60) -> Sentences:
    """B gains `row` BLEU above A but where it loses; the hostile texts come first."""
    source = [*HOSTILE, *(f"source number {row} end" for row in range(len(HOSTILE), count))]
    references = [[f"eins zwei {row}"] for row in range(count)]
    base = np.full(count, 10.0)
    gains = np.arange(count, dtype=float)
    gains[WORST] = -9
    detail = Detail(
        ["ein", EVIL, "</s>"],
        ["one", "</s>"],
        quantised(np.array([[0.9, 0.1, 0], [0, 0, 1]])),
        [("one", -1), ("two", -2)],
    )
    moves = Moves(0.25, [("eins", EVIL, 0.5, 0.5), ("zwei", "zwei", 0.5, 0.0)])
    return Sentences(
        source=source,
        references=references,
        candidates=[
            Candidate("A", source, {"BLEU": base, "WMD similarity": base / 100}),
            Candidate(f"B{EVIL}", ["eins drei"] * count, {"BLEU": base + gains}, [detail] * count, [moves] * count),
        ],
        figures=[BLEU, WMD],
        groupings=[Grouping("source length", {"1-9": range(20), "10-19": range(20, count)})],
        rarity=[None, *range(count - 1, 0, -1)],
    )


def report(**changes) -> Report:
    picture = whiskers("BLEU", {f"A {EVIL}": [Point(0, "A", 10.0, 9.0, 11.0, "10.00")]})
    lines = curves("loss", [(0, EVIL, [(1, 3.0), (2, 2.0)])])
    content = {
        "title": f"run {EVIL}",
        "lead": [f"B{EVIL} is better than A by BLEU."],
        "notes": [f"note {EVIL}"],
        "systems": ["A", f"B{EVIL}"],
        "scores": [picture],
        "score_table": Table(("metric", "system"), [("BLEU", EVIL)]),
        "signatures": {"BLEU": f"nrefs:1{EVIL}"},
        "sentences": sentences(),
        "groups": [Group("source length", f"words {EVIL}", [picture])],
        "words": [Words("B has right more often", Table(("words", "A"), [(EVIL, "3")]))],
        "remarks": [f"left out {EVIL}"],
        "curves": [lines],
        "took": f"5 s {EVIL}",
        "costs": Table(("system", "hours"), [("A", EVIL)]),
        "copies": {"Markdown": f"| a | {EVIL}", "LaTeX": r"\begin{tabular}"},
        "corpus": f"train 9,000 pairs {EVIL}",
        "settings": {"model.units": "256", "data.dir": EVIL},
    }
    return Report(**{**content, **changes})
