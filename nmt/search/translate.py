# M hypotheses, S source step, T target step
"""From lines to lines: pieces, batches of like length, search, pieces back to text, in the order asked."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from nmt.config.search import SearchConfig
from nmt.data.specials import EOS, PAD
from nmt.data.subwords import Vocabularies
from nmt.errors import CheckpointError
from nmt.search.beam import BeamSearch
from nmt.search.greedy import GreedySearch
from nmt.search.interface import SearchModel

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Translation:
    """One translation of one line. Row t of the attention belongs to piece t of the target, both ending in EOS."""

    text: str  # without line breaks
    score: float  # `nmt.search.scores`; comparable between translations of one line
    tokens: list[int]  # ids, EOS included
    weight_TS: np.ndarray | None  # float32; each row sums to 1
    pieces_src: list[str]  # labels of the source pieces, EOS included
    pieces_tgt: list[str]


EMPTY = Translation(text="", score=0.0, tokens=[], weight_TS=None, pieces_src=[], pieces_tgt=[])  # of an empty line


def one_line(text: str) -> str:
    """`text` with a space for whatever some program takes for the end of a line (U+2028, NEL, form feed, ...)."""
    return " ".join(part for part in text.splitlines() if part)


def plan_by_length(lengths: Sequence[int], budget: int) -> list[list[int]]:
    """Batches of like length, shortest first: size * longest <= budget, or one sentence alone.

    Each batch lists positions in `lengths`; equal lengths keep their order.
    """
    batches: list[list[int]] = []
    for place in sorted(range(len(lengths)), key=lengths.__getitem__):
        if batches and (len(batches[-1]) + 1) * lengths[place] <= budget:
            batches[-1].append(place)
        else:
            batches.append([place])
    return batches


def pad(sentences: Sequence[Sequence[int]]) -> np.ndarray:
    """Ids, padded on the right: int32 [B, S]."""
    source_BS = np.full((len(sentences), max(map(len, sentences))), PAD, np.int32)
    for row, ids in enumerate(sentences):
        source_BS[row, : len(ids)] = ids
    return source_BS


class Translator:
    """A model (or an ensemble), its vocabularies and the way to search. Traced once, whatever the batches look like.

    plain: search with a beam without what saves time (`BeamSearch`), to compare with.
    """

    def __init__(self, model: SearchModel, vocabularies: Vocabularies, cfg: SearchConfig, plain: bool = False) -> None:
        assert not (plain and cfg.beam == 1), "a greedy search has no plain form"
        self.vocabularies, self.cfg = vocabularies, cfg
        self._search = GreedySearch(model, cfg) if cfg.beam == 1 else BeamSearch(model, cfg, plain)

    def translate(
        self, lines: Sequence[str], first_line: int = 1, progress: Callable[[int], object] | None = None
    ) -> list[list[Translation]]:
        """For each line its best translations, best first: at least one, at most `cfg.nbest`.

        A blank line is translated by an empty one. Of a line that has more than `cfg.max_source` pieces the rest is
        cut off, with a warning; `first_line` is the number of `lines[0]` in such messages. After each batch
        `progress` is called with the number of lines that it did.

        Raises CheckpointError where a line has no translation, because the model's scores are not numbers.
        """
        sources = [self._encode(line, first_line + place) for place, line in enumerate(lines)]
        found: list[list[Translation]] = [[EMPTY] for _ in lines]
        places = [place for place, ids in enumerate(sources) if ids]
        if progress and len(places) < len(lines):
            progress(len(lines) - len(places))
        for batch in plan_by_length([len(sources[place]) for place in places], self.cfg.batch_tokens):
            chosen = [places[number] for number in batch]
            answers = self._translate_batch([sources[place] for place in chosen])
            for place, answer in zip(chosen, answers, strict=True):
                found[place] = answer or _refuse(first_line + place)
            if progress:
                progress(len(chosen))
        return found

    def _encode(self, line: str, number: int) -> list[int]:
        """Ids with EOS; none for a line without text."""
        ids = self.vocabularies.src.encode(line) if line.strip() else []
        if len(ids) > self.cfg.max_source:
            log.warning(
                "line %d: cut from %d to %d pieces; raise search.max_source to translate it whole",
                number,
                len(ids),
                self.cfg.max_source,
            )
        return [*ids[: self.cfg.max_source], EOS] if ids else []

    def _translate_batch(self, sources: list[list[int]]) -> list[list[Translation]]:
        hypotheses = self._search(tf.constant(pad(sources)))
        tokens_BMT, length_BM, score_BM, _, weight_BMTS = (x.numpy() for x in hypotheses)
        answers = []
        for row, source in enumerate(sources):
            pieces_src = self.vocabularies.src.pieces(source)
            answer = []
            for rank in range(score_BM.shape[1]):
                length = int(length_BM[row, rank])
                if length:
                    tokens = tokens_BMT[row, rank, :length].tolist()
                    weight_TS = weight_BMTS[row, rank, :length, : len(source)].copy()
                    score = float(score_BM[row, rank])
                    answer.append(self._decode(tokens, score, weight_TS, pieces_src))
            answers.append(answer)
        return answers

    def _decode(self, tokens: list[int], score: float, weight_TS: np.ndarray, pieces_src: list[str]) -> Translation:
        target = self.vocabularies.tgt
        return Translation(one_line(target.decode(tokens)), score, tokens, weight_TS, pieces_src, target.pieces(tokens))


def _refuse(number: int) -> list[Translation]:
    raise CheckpointError(
        f"line {number}",
        found="no translation whose probability is a number",
        expected="a model with finite weights",
        next_step="look at its weights with `python -m nmt.checkpoint verify FILE`",
    )
