"""Byte-pair encoding and unigram models, learnt and applied by SentencePiece (Kudo & Richardson 2018).

Text is taken as it is (SentencePiece's `identity` rule): no Unicode normalisation, no white space lost, and the
characters and names that SentencePiece keeps for itself are text like any other. What the model has not seen becomes
the unknown piece, one for each run of unknown characters.
"""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Iterable, Iterator

import numpy as np
import sentencepiece

from nmt.config.subword import SubwordKind
from nmt.data.sampling import Lattices, Merges
from nmt.data.specials import BOS, EOS, NUM_SPECIALS, PAD, SPECIAL_NAMES, UNK, UNKNOWN
from nmt.data.standins import MARK, StandIns
from nmt.data.words import check_min_count
from nmt.errors import DataError
from nmt.plumbing.signals import signals_end

SPACE = "▁"  # SentencePiece writes a space as this letter, so text that has it would come back with a space
# As it learns, it leaves out lines with the second of these, TAB and NUL wherever they stand, and the ends of lines.
STAND_INS = StandIns(SPACE + "▅\t\0\r\n")
NAMES = {f"{name}_piece": f"{MARK}<{name}>" for name in ("pad", "bos", "eos", "unk")}  # no text has them
LONGEST = 4_192  # bytes of a line that SentencePiece learns from: it leaves out longer ones
UNKNOWN_PENALTY = 10.0  # SentencePiece's: an unknown character scores this much below the least likely piece


class SentencePieces:
    """A SentencePiece model of kind bpe or unigram (the interface is `nmt.data.subwords.Subwords`)."""

    def __init__(self, kind: SubwordKind, model: bytes) -> None:
        self.kind = kind
        self._model = model
        try:
            self._processor = sentencepiece.SentencePieceProcessor()
            self._processor.LoadFromSerializedProto(model)  # the constructor takes no bytes at all for "load nothing"
            specials = [getattr(self._processor, f"{name}_id")() for name in ("pad", "bos", "eos", "unk")]
        except (RuntimeError, ValueError, OSError) as error:
            raise broken_model(str(error)) from error
        if specials != [PAD, BOS, EOS, UNK]:
            raise broken_model(f"a model whose padding, start, end and unknown pieces are {specials}")
        self.size = int(self._processor.get_piece_size())
        if self.size <= NUM_SPECIALS:
            raise broken_model(f"a model of {self.size} pieces, none of them of text")
        self._names: list[str] = [self._processor.id_to_piece(i) for i in range(self.size)]
        self._ids = {name: i for i, name in enumerate(self._names) if i >= NUM_SPECIALS}
        assert all(SPACE not in name[1:] for name in self._ids), "a piece spans words"
        self._labels = dict(SPECIAL_NAMES)  # of pieces that were asked for: a translation asks for each of its own
        scores = {name: float(self._processor.get_score(i)) for name, i in self._ids.items()}
        lowest = min(scores.values())
        self._sampler: Merges | Lattices = (
            Merges(scores) if kind is SubwordKind.bpe else Lattices(scores, lowest - UNKNOWN_PENALTY)
        )

    def encode(self, line: str) -> list[int]:
        """The one best segmentation."""
        ids: list[int] = self._processor.encode(STAND_INS.hide(line))
        return ids

    def unknown(self, line: str) -> list[str]:
        """The parts of `line` that become unknown pieces."""
        pieces = self._processor.encode(STAND_INS.hide(line), out_type="immutable_proto").pieces
        return [STAND_INS.show(piece.surface) for piece in pieces if piece.id == UNK]

    def encode_sampled(self, line: str, rate: float, rng: np.random.Generator) -> list[int]:
        """A segmentation drawn at `rate` (see nmt/data/sampling.py); 0 gives that of `encode`."""
        if rate == 0 or not line:
            return self.encode(line)
        ids: list[int] = []
        spaced = SPACE + STAND_INS.hide(line).replace(" ", SPACE)
        for word in re.findall(f"{SPACE}[^{SPACE}]*", spaced):  # no piece spans words
            for piece in self._sampler.sample(word, rate, rng):
                known = self._ids.get(piece, UNK)
                if known != UNK or ids[-1:] != [UNK]:
                    ids.append(known)
        return ids

    def decode(self, ids: Iterable[int]) -> str:
        """Text again; padding, start and end marks are left out."""
        kept = [int(i) for i in ids if i not in (PAD, BOS, EOS)]
        text: str = self._processor.decode(kept)
        return STAND_INS.show(text)

    def pieces(self, ids: Iterable[int]) -> list[str]:
        """Labels for a drawing: a piece that continues a word begins with a dot, a space alone is an open box."""
        return [self._labels.get(int(i)) or self._label(int(i)) for i in ids]

    def surface(self, piece: int) -> str:
        """The text that the piece adds to what stands before it; a space begins a word."""
        return STAND_INS.show(self._names[piece].replace(SPACE, " "))

    def words(self, line: str) -> list[str]:
        """For each id of `encode(line)` the word of the line that it belongs to."""
        parts: list[str] = self._processor.encode(STAND_INS.hide(line), out_type=str)
        begins = [place for place, part in enumerate(parts) if place == 0 or part.startswith(SPACE)]
        words: list[str] = []
        for begin, end in zip(begins, [*begins[1:], len(parts)], strict=True):
            word = STAND_INS.show("".join(parts[begin:end]).removeprefix(SPACE))
            words += [word] * (end - begin)
        return words

    def to_bytes(self) -> bytes:
        """All there is to know, for `subwords_from_bytes`."""
        return self._model

    def _label(self, piece_id: int) -> str:
        name = self._names[piece_id]
        label = "␣" if name == SPACE else STAND_INS.show(name[1:] if name.startswith(SPACE) else "·" + name)
        self._labels[piece_id] = label
        return label


def learn_sentencepieces(
    kind: SubwordKind, lines: Iterable[str], size: int, min_count: int, side: str
) -> SentencePieces:
    """Learn a model of exactly `size` pieces, the four special ones included, always the same from the same lines.

    Characters seen less than `min_count` times are unknown. Raises DataError where `lines` do not yield so many
    pieces, or have more characters than that.
    """
    rare: dict[int, str] = {}
    if min_count > 1:
        counts = Counter(character for line in lines for character in STAND_INS.hide(line))
        check_min_count(min_count, {c: count for c, count in counts.items() if c != " "}, "characters")
        rare = {ord(character): " " for character, count in counts.items() if count < min_count}
    model = io.BytesIO()
    try:
        with signals_end():  # it lets nobody in while it works
            sentencepiece.SentencePieceTrainer.train(
                sentence_iterator=(part for line in lines for part in parts_of(STAND_INS.hide(line).translate(rare))),
                model_writer=model,
                model_type=kind.value,
                vocab_size=size,
                pad_id=PAD,
                bos_id=BOS,
                eos_id=EOS,
                unk_id=UNK,
                **NAMES,
                unk_surface=UNKNOWN,  # without spaces around it: what is unknown may be a part of a word
                normalization_rule_name="identity",
                remove_extra_whitespaces=False,
                character_coverage=1.0,
                num_threads=1,
                minloglevel=4,
            )
    except (RuntimeError, ValueError, OSError) as error:
        raise _cannot_learn(str(error), size, side) from error
    return SentencePieces(kind, model.getvalue())


def parts_of(line: str) -> Iterator[str]:
    """The line, or the same words in lines that SentencePiece learns from; a word longer than those is cut."""
    if 4 * len(line) <= LONGEST or len(line.encode()) <= LONGEST:
        yield line
        return
    part, size = "", 0
    for word in line.split(" "):
        for start in range(0, max(1, len(word)), LONGEST // 8):
            piece = word[start : start + LONGEST // 8]
            num_bytes = len(piece.encode()) + 1
            if size and size + num_bytes > LONGEST:
                yield part
                part, size = "", 0
            part, size = f"{part} {piece}" if size else piece, size + num_bytes
    yield part


def broken_model(found: str) -> DataError:
    """The error for bytes that are no subword model."""
    return DataError(
        "subword model",
        found=found,
        expected="a model that this program has written",
        next_step="learn it again, or take the file from where it was made",
    )


def _cannot_learn(message: str, size: int, side: str) -> DataError:
    """SentencePiece's message in our words."""
    if too_high := re.search(r"set it to a value <= (\d+)", message):
        expected = f"at most {too_high[1]}, which is all that the {side} allows"
        return DataError("subword.size", found=size, expected=expected, next_step=f"set subword.size={too_high[1]}")
    if too_low := re.search(r"required_chars\. \d+ vs (\d+)", message):
        expected = f"at least {too_low[1]}, since the {side} has that many characters, special pieces included"
        step = "make it larger, or raise subword.min_count to leave out rare characters"
        return DataError("subword.size", found=size, expected=expected, next_step=step)
    reason = " ".join(message.split()) or "no reason given"
    return DataError(
        f"the {side}",
        found=f"text that SentencePiece cannot learn {size} pieces from ({reason})",
        expected="sentences of at most 4192 bytes",
        next_step="give it more text, or set subword=words",
    )
