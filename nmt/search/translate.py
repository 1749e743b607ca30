# M hypotheses, S source step, T target step
"""From lines to lines: pieces, batches of like length, search, pieces back to text, in the order asked."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import tensorflow as tf

from nmt.config.search import SearchConfig, Utility
from nmt.data.specials import EOS, PAD, UNK
from nmt.data.subwords import Vocabularies
from nmt.errors import CheckpointError, DataError
from nmt.plumbing.together import in_order
from nmt.search.alone import alone_search
from nmt.search.beam import BeamSearch
from nmt.search.demands import Demand, as_pieces, begins_word, pieces_of
from nmt.search.greedy import GreedySearch
from nmt.search.interface import Found, Hypotheses, SearchModel
from nmt.search.mbr import LikenessOf, by_agreement
from nmt.search.rules import Demands, Rules
from nmt.search.sampling import SampleSearch
from nmt.search.shortlist import Ids, read_shortlist
from nmt.search.translation import Translation
from nmt.search.unknowns import read_dictionary, replaced

__all__ = ["EMPTY", "Translation", "Translator", "one_line", "pad", "plan_by_length"]
log = logging.getLogger(__name__)
USUAL_ROWS = 8  # of a sentence, for which search.batch_tokens is meant


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

    likeness_of: how alike texts are, for `cfg.mbr`. fixed: the weights stay as they are now: they are made ready once
    and not for each batch, and few sentences may be searched by `nmt.search.alone`. turned: see `Seq2Seq.for_loop`; for
    fixed ones. plain: a beam without what saves time (`BeamSearch`), to compare with.
    """

    def __init__(
        self,
        model: SearchModel,
        vocabularies: Vocabularies,
        cfg: SearchConfig,
        plain: bool = False,
        likeness_of: LikenessOf | None = None,
        fixed: bool = False,
        turned: bool = False,
    ) -> None:
        assert not (plain and (cfg.beam == 1 or cfg.samples)), "only a search with a beam has a plain form"
        assert (likeness_of is None) == (cfg.mbr is Utility.none), "search.mbr says by what to choose"
        self.model, self.vocabularies, self.cfg, self.likeness_of = model, vocabularies, cfg, likeness_of
        if likeness_of is not None:  # all there are, to choose from
            cfg = replace(cfg, nbest=cfg.width, mbr=Utility.none)
        rules = Rules(begins_word(vocabularies.tgt), cfg.min_length, cfg.no_repeat)
        self._always = Demand(must=tuple(cfg.must), never=tuple(cfg.never))
        pieces_of(self._always, vocabularies.tgt, "search.must, search.never")  # before the first line is searched
        self._ruled = bool(cfg.min_length or cfg.no_repeat or cfg.must or cfg.never)
        self._dictionary = read_dictionary(Path(cfg.dictionary)) if cfg.dictionary is not None else {}
        self._shortlist = None if cfg.shortlist is None else read_shortlist(Path(cfg.shortlist), vocabularies)
        ready = model.for_loop(turned) if fixed else model
        self._search: SampleSearch | GreedySearch | BeamSearch
        if cfg.samples:
            self._search = SampleSearch(ready, cfg, rules)
        else:
            self._search = GreedySearch(ready, cfg, rules) if cfg.beam == 1 else BeamSearch(ready, cfg, plain, rules)
        self._alone = alone_search(model, cfg) if fixed and cfg.alone else None

    def translate(
        self,
        lines: Sequence[str],
        first_line: int = 1,
        progress: Callable[[int], object] | None = None,
        demands: Sequence[Demand] | None = None,
    ) -> list[list[Translation]]:
        """For each line its best translations, best first: at least one, at most `cfg.nbest`.

        A blank line is translated by an empty one. Of a line that has more than `cfg.max_source` pieces the rest is
        cut off, with a warning; `first_line` is the number of `lines[0]` in such messages. After each batch
        `progress` is called with the number of lines that it did. `demands` has one for each line, beside those of
        the configuration.

        Raises CheckpointError where a line has no translation, because the model's scores are not numbers, and
        DataError where nothing that the search reaches keeps to what is demanded, or no text can.
        """
        sources = [self._encode(line, first_line + place) for place, line in enumerate(lines)]
        found: list[list[Translation]] = [[EMPTY] for _ in lines]
        places = [place for place, ids in enumerate(sources) if ids]
        if progress and len(places) < len(lines):
            progress(len(lines) - len(places))
        asking = {p for p in places if self._ruled or (demands is not None and demands[p] != Demand())}
        groups = [place for place in places if place not in asking], sorted(asking)  # no line changes another's search

        def asked_of(chosen: list[int]) -> Demands | None:
            if chosen[0] not in asking:
                return None
            own = [Demand() if demands is None else demands[place] for place in chosen]
            numbers = [first_line + place for place in chosen]
            return as_pieces([self._always.joined(one) for one in own], self.vocabularies.tgt, numbers)

        batches = [batch for group in groups for batch in self._batches(group, sources)]
        jobs = [([sources[place] for place in chosen], asked_of(chosen)) for chosen in batches]
        with in_order(lambda job: self._find(*job), jobs, at_a_time()) as searched:
            for chosen, (of_batch, asked), its in zip(batches, jobs, searched, strict=True):
                answers = self._answers([lines[place] for place in chosen], of_batch, its)
                for place, answer in zip(chosen, answers, strict=True):
                    found[place] = answer or _refuse(first_line + place, asked is not None)
                if progress:
                    progress(len(chosen))
        return found

    def search(self, source_BS: tf.Tensor) -> Hypotheses:
        """What `translate` finds for a batch of ids, before it is text; may be part of a graph."""
        if not self._ruled:
            return self._search(source_BS)
        asked = as_pieces([self._always], self.vocabularies.tgt, [1])
        return self._search(source_BS, Demands(*(tf.repeat(part, tf.shape(source_BS)[0], axis=0) for part in asked)))

    @property
    def signature(self) -> str | None:
        """What scores of its translations depend on beside model and search; None without a shortlist."""
        return None if self._shortlist is None else self._shortlist.signature

    @property
    def _budget(self) -> int:
        """Source pieces a batch: fewer where each sentence has more rows than a usual beam gives it."""
        return max(1, self.cfg.batch_tokens * USUAL_ROWS // max(USUAL_ROWS, self.cfg.width))

    def _batches(self, places: list[int], sources: list[list[int]]) -> list[list[int]]:
        plan = plan_by_length([len(sources[place]) for place in places], self._budget)
        return [[places[number] for number in batch] for batch in plan]

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

    def _answers(
        self, lines: list[str], sources: list[list[int]], searched: list[list[Found]]
    ) -> list[list[Translation]]:
        answers = []
        for line, source, found in zip(lines, sources, searched, strict=True):
            pieces_src = self.vocabularies.src.pieces(source)
            answer = [self._decode(line, one, pieces_src) for one in found]
            if self.likeness_of is not None and answer:
                answer = by_agreement(answer, self.likeness_of, drawn=self.cfg.samples > 0)
            answers.append(answer[: self.cfg.nbest])
        return answers

    def _find(self, sources: list[list[int]], demands: Demands | None) -> list[list[Found]]:
        """For each source what its search finds, best first."""
        if self._alone is not None and demands is None and len(sources) <= self.cfg.alone:
            return [self._alone(source, self._pieces([source])) for source in sources]
        piece_W = self._pieces(sources) if demands is None else None
        return listed(self._search(tf.constant(pad(sources)), demands, piece_W), sources)

    def _pieces(self, sources: list[list[int]]) -> Ids | None:
        """Those that a batch may write; None: all."""
        return None if self._shortlist is None else self._shortlist.of(sources)

    def _decode(self, line: str, found: Found, pieces_src: list[str]) -> Translation:
        tokens, score, log_prob, weight_TS = found
        target = self.vocabularies.tgt
        if self.cfg.replace_unknown and UNK in tokens:
            words = self.vocabularies.src.words(line)[: len(pieces_src) - 1]
            text = replaced(tokens, weight_TS, words, target, self._dictionary)
        else:
            text = target.decode(tokens)
        return Translation(one_line(text), score, tokens, weight_TS, pieces_src, target.pieces(tokens), log_prob)


def at_a_time() -> int:
    """Batches that are searched together: two on a processor, where a search by itself leaves a core idle at times."""
    one = tf.config.threading.get_intra_op_parallelism_threads() == 1
    return 1 if one or tf.config.list_logical_devices("GPU") else 2


def listed(hypotheses: Hypotheses, sources: Sequence[Sequence[int]]) -> list[list[Found]]:
    """What there is for each sentence of a batch, without padding."""
    tokens_BMT, length_BM, score_BM, log_prob_BM, weight_BMTS = (x.numpy() for x in hypotheses)
    return [
        [
            Found(
                tokens_BMT[row, rank, :length].tolist(),
                float(score_BM[row, rank]),
                float(log_prob_BM[row, rank]),
                weight_BMTS[row, rank, :length, : len(source)].copy(),
            )
            for rank, length in enumerate(length_BM[row].tolist())
            if length
        ]
        for row, source in enumerate(sources)
    ]


def _refuse(number: int, ruled: bool) -> list[Translation]:
    if ruled:
        raise DataError(
            f"line {number}",
            found="no translation that keeps to all that is demanded of it",
            expected="demands that one sentence can meet",
            next_step="take a demand back, or widen search.beam",
        )
    raise CheckpointError(
        f"line {number}",
        found="no translation whose probability is a number",
        expected="a model with finite weights",
        next_step="look at its weights with `python -m nmt.checkpoint verify FILE`",
    )
