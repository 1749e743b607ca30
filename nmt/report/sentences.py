"""The sentences of a report as its page reads them: compact JSON, attention a letter a weight.

N sentence, T target piece, S source piece
"""

from __future__ import annotations

import json
import math
import re
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nmt.config.metrics import Figure

LEVELS = string.ascii_uppercase + string.ascii_lowercase + string.digits + "+/"  # of a weight: 0, 1/63, ... 1
RUN = "~"  # and the level of n - 1: n times the level 0
_ZEROS = re.compile(f"{LEVELS[0]}{{3,{len(LEVELS)}}}")
_CONTROLS = {code: 0x2400 + code for code in range(32) if chr(code) not in "\t\n\r"} | {127: 0x2421}
_MARKUP = {ord("<"): "\\u003c", 0x2028: "\\u2028", 0x2029: "\\u2029"}
_DIGITS = 4  # of scores, masses and costs


@dataclass(frozen=True)
class Detail:
    """How a model came to a translation."""

    pieces_src: Sequence[str]
    pieces_tgt: Sequence[str]
    weights: str  # `quantised`, a row for each piece of the target; empty where there are none
    nbest: Sequence[tuple[str, float]] = ()  # texts and scores, best first, where there are several


@dataclass(frozen=True)
class Moves:
    """A transport plan: (word, word, mass, cost) of each part that moves or stays."""

    distance: float
    moves: Sequence[tuple[str, str, float, float]]


@dataclass(frozen=True)
class Candidate:
    """What one system wrote. The sequences are by sentence; those that are empty have nothing to show."""

    name: str
    lines: Sequence[str]
    scores: Mapping[str, NDArray[np.floating]] = field(default_factory=dict)  # by label of the metric: [N]
    details: Sequence[Detail] = ()
    plans: Sequence[Moves | None] = ()


@dataclass(frozen=True)
class Grouping:
    """Sentences by a property: the rows, from 0, of each of its bins."""

    label: str
    bins: Mapping[str, Sequence[int]]


@dataclass(frozen=True)
class Sentences:
    """All that a page shows of single sentences."""

    source: Sequence[str]
    references: Sequence[Sequence[str]]
    candidates: Sequence[Candidate]
    figures: Sequence[Figure] = ()
    groupings: Sequence[Grouping] = ()
    rarity: Sequence[float | None] = ()  # by sentence: the less, the rarer is its rarest word
    rarest: str = "rarest word"  # what the order by rarity is called


def shown(text: str) -> str:
    """Text with a sign for each control character, which a page would swallow."""
    return text.translate(_CONTROLS)


def script_json(content: object) -> str:
    """JSON for a script element: nothing in it ends that."""
    return json.dumps(content, ensure_ascii=False, separators=(",", ":"), allow_nan=False).translate(_MARKUP)


def quantised(weight_TS: NDArray[np.floating] | None) -> str:
    """Row by row, a letter a weight; runs of zeros are shortened. Nothing of None."""
    if weight_TS is None:
        return ""
    levels = np.rint(np.clip(np.nan_to_num(weight_TS), 0.0, 1.0) * (len(LEVELS) - 1)).astype(int)
    text = "".join(LEVELS[level] for level in levels.ravel())
    return _ZEROS.sub(lambda run: RUN + LEVELS[len(run.group()) - 1], text)


def content_of(sentences: Sentences) -> dict[str, Any]:
    """What explorer.js reads."""
    return {
        "metrics": [[figure.label, figure.digits, figure.sign] for figure in sentences.figures],
        "systems": [shown(one.name) for one in sentences.candidates],
        "groups": [
            [shown(one.label), [[shown(name), list(rows)] for name, rows in one.bins.items()]]
            for one in sentences.groupings
        ],
        "rare": list(sentences.rarity),
        "rarest": sentences.rarest,
        "rows": [_row(sentences, place) for place in range(len(sentences.references))],
    }


def _row(sentences: Sentences, place: int) -> list[Any]:
    labels = [figure.label for figure in sentences.figures]
    source = shown(sentences.source[place]) if sentences.source else ""
    references = [shown(line) for line in sentences.references[place]]
    return [source, references, [_written(one, place, labels) for one in sentences.candidates]]


def _written(candidate: Candidate, place: int, labels: Sequence[str]) -> list[Any]:
    scores = [_number(candidate.scores[label][place]) if label in candidate.scores else None for label in labels]
    extra: dict[str, Any] = {}
    if candidate.details:
        extra |= _detail(candidate.details[place])
    plan = candidate.plans[place] if candidate.plans else None
    if plan is not None:
        moves = [[shown(a), shown(b), round(mass, _DIGITS), round(cost, _DIGITS)] for a, b, mass, cost in plan.moves]
        extra |= {"moves": moves, "distance": round(plan.distance, _DIGITS)}
    return [shown(candidate.lines[place]), scores, *([extra] if extra else [])]


def _detail(detail: Detail) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if detail.weights:
        found |= {
            "src": [shown(piece) for piece in detail.pieces_src],
            "tgt": [shown(piece) for piece in detail.pieces_tgt],
            "weights": detail.weights,
        }
    if len(detail.nbest) > 1:
        found["nbest"] = [[shown(text), _number(score)] for text, score in detail.nbest]
    return found


def _number(value: float) -> float | None:
    return round(float(value), _DIGITS) if math.isfinite(value) else None
