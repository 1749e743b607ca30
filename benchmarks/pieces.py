"""The text that everyone is measured on: Multi30k in one joint vocabulary of 8,000 pieces, written out as pieces.

The vocabulary is learnt once, by our own code; peers read lines of pieces with spaces between them, and a list of
pieces, and add special marks of their own. So all of them train on the same tokens.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import sentencepiece

from benchmarks import flops, harness
from nmt.config.data import Multi30kConfig, Variant
from nmt.config.subword import SubwordConfig, SubwordKind
from nmt.data.batches import plan_epoch
from nmt.data.corpora import load_corpora
from nmt.data.specials import EOS, NUM_SPECIALS
from nmt.data.subwords import Vocabularies, learn_vocabularies
from nmt.data.text import ParallelText

SUBWORDS = SubwordConfig(kind=SubwordKind.bpe, joint=True, size=8_000)
MAX_LENGTH = 100  # pieces a side, as the recipe drops them


@dataclass(frozen=True)
class Pieces:
    """Files `train|dev|test.en|de` and `vocabulary.txt` in `folder`, and the mean lengths of the training set."""

    folder: Path
    lengths: flops.Lengths
    pairs: int


def write_pieces(data: str, folder: Path = harness.WORK / "pieces") -> Pieces:
    """Write the files where they are not there yet, or not whole."""
    config = Multi30kConfig(dir=data, variant=Variant.tok)
    corpora = load_corpora(config)
    train = corpora.train[0]
    vocabularies = learn_vocabularies(SUBWORDS, train.src, train.tgt)
    processor = sentencepiece.SentencePieceProcessor()
    processor.LoadFromSerializedProto(vocabularies.src.to_bytes())
    names = [processor.id_to_piece(i) for i in range(vocabularies.src.size)]
    folder.mkdir(parents=True, exist_ok=True)
    _write(folder / "vocabulary.txt", names[NUM_SPECIALS:])
    lengths, pairs = np.zeros((0, 2)), 0
    for name, text in {"train": train, "dev": corpora.dev, "test": corpora.tests["test"]}.items():
        sides = _ids(text, vocabularies)
        if name == "train":
            counts = np.array([[len(ids) for ids in side] for side in sides]).T
            kept = np.flatnonzero((counts.max(axis=1) <= MAX_LENGTH) & (counts.min(axis=1) > 0))
            sides = [[side[i] for i in kept] for side in sides]
            lengths, pairs = counts[kept] + 1, len(kept)
        for language, side in zip((config.src, config.tgt), sides, strict=True):
            _write(folder / f"{name}.{language}", [" ".join(names[i] for i in ids) for ids in side])
    source, target = lengths.mean(axis=0).tolist()
    return Pieces(folder, flops.Lengths(source, target), pairs)


def distinct_shares(folder: Path, sentences: int | None, tokens: int | None) -> tuple[float, float]:
    """Of the pieces of our batches of so many sentences or tokens a side, how many differ: source, target."""
    source, target = (_numbered(folder / f"train.{language}") for language in ("en", "de"))
    lengths = [np.array([len(ids) for ids in side]) for side in (source, target)]
    plan = plan_epoch(*lengths, batch_tokens=tokens or 0, batch_sentences=sentences, seed=1, epoch=0)
    different, pieces = np.zeros(2), np.zeros(2)
    for rows in plan:
        for side, ids in enumerate((source, target)):
            batch = np.concatenate([ids[row] for row in rows])
            different[side] += len(np.unique(batch))
            pieces[side] += len(batch)
    first, second = (different / pieces).tolist()
    return first, second


def _numbered(path: Path) -> list[np.ndarray]:
    """A number for each piece of each line, and 0 for the end mark."""
    numbers: dict[str, int] = {}
    lines = [line.split() for line in path.read_text(encoding="utf-8").splitlines()]
    return [np.array([*(numbers.setdefault(piece, len(numbers) + 1) for piece in line), 0]) for line in lines]


def _ids(text: ParallelText, vocabularies: Vocabularies) -> list[list[list[int]]]:
    sides = [[vocabularies.src.encode(line) for line in lines] for lines in (text.src, text.tgt)]
    assert not any(EOS in ids for side in sides for ids in side), "end marks are added by whoever reads the files"
    return sides


def _write(path: Path, lines: Sequence[str]) -> None:
    """Only where it is not there already: peers keep caches beside the files, by their dates."""
    content = "".join(f"{line}\n" for line in lines)
    if not path.exists() or path.read_text(encoding="utf-8") != content:
        path.write_text(content, encoding="utf-8")
