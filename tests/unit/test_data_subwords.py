"""Vocabularies: by hand for words, characters and sampling; every message; the cache."""

from __future__ import annotations

import io
import logging
import signal

import numpy as np
import pytest
import sentencepiece

from nmt.config.subword import SubwordConfig, SubwordKind
from nmt.data import subword_cache
from nmt.data.sampling import Lattices, Merges
from nmt.data.sentencepieces import SentencePieces, learn_sentencepieces
from nmt.data.subwords import BOS, EOS, PAD, UNK, Subwords, learn_vocabularies, subwords_from_bytes
from nmt.data.words import count_listed, join_words, split_words
from nmt.errors import DataError
from nmt.plumbing.signals import signals_raise

BPE, UNIGRAM, WORDS, CHARACTERS = SubwordKind.bpe, SubwordKind.unigram, SubwordKind.words, SubwordKind.characters
LINES = ["the lower newer widest house", "a newer, lower house.", "the widest newest lowest house"] * 5
SIZES = {BPE: 40, UNIGRAM: 24, WORDS: 100, CHARACTERS: 100}


@pytest.fixture
def learn(tmp_path):
    def of(kind: SubwordKind, lines=LINES, tgt_lines=(), **fields) -> Subwords:
        fields = {"size": SIZES[kind], "joint": True, "cache": str(tmp_path), **fields}
        return learn_vocabularies(SubwordConfig(kind=kind, **fields), list(lines), list(tgt_lines)).src

    return of


class Draws:
    """Stands for a random generator whose numbers are known."""

    def __init__(self, *numbers: float) -> None:
        self.numbers = list(numbers)

    def random(self) -> float:
        return self.numbers.pop(0)


# ---- words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Ein Hund, der rennt.", ["Ein", "Hund", "￭,", "der", "rennt", "￭."]),
        ("Ein Hund , der rennt .", ["Ein", "Hund", ",", "der", "rennt", "."]),
        ('Er sagt: "(Nein!)"', ["Er", "sagt", "￭:", '"￭', "(￭", "Nein", "￭!", "￭)", '￭"']),
        ("um 3.5 Uhr ...", ["um", "3.5", "Uhr", ".", "￭.", "￭."]),
        ("the man 's well-known dog", ["the", "man", "'s", "well-known", "dog"]),
        ("&quot; ja &quot; &apos;s", ["&quot;", "ja", "&quot;", "&apos;s"]),
        ("", []),
    ],
)
def test_words_part_with_their_marks_and_come_together_again(text, words):
    assert split_words(text) == words
    assert join_words(words) == text


def test_runs_of_white_space_become_one_space():
    assert join_words(split_words("  Ein \t Hund ")) == "Ein Hund"


def test_the_most_frequent_words_are_kept_ties_by_code_point():
    vocabulary = count_listed(WORDS, ["b b a c c", "d"], size=7, min_count=1)  # room for three
    assert vocabulary.size == 7
    assert vocabulary.encode("b c a d") == [4, 5, 6, UNK]


def test_rare_words_are_unknown():
    vocabulary = count_listed(WORDS, ["a a b"], size=100, min_count=2)
    assert vocabulary.encode("a b") == [4, UNK]


def test_specials_are_left_out_and_the_unknown_is_shown(learn):
    for kind in SubwordKind:
        vocabulary = learn(kind)
        ids = [BOS, *vocabulary.encode("the house"), EOS, PAD, PAD]
        assert vocabulary.decode(ids) == "the house", kind
        assert vocabulary.decode([*ids, UNK]) == {WORDS: "the house ⁇"}.get(kind, "the house⁇"), kind


def test_words_and_characters_have_one_segmentation(learn):
    for kind in (WORDS, CHARACTERS):
        assert learn(kind).encode_sampled("the house", 0.0, np.random.default_rng(0)) == learn(kind).encode("the house")
        with pytest.raises(ValueError, match=f"{kind.value} have one segmentation"):
            learn(kind).encode_sampled("the house", 0.1, np.random.default_rng(0))


def test_labels_for_drawings(learn):
    specials = ["<pad>", "<s>", "</s>", "⁇"]
    words, characters, bpe = learn(WORDS), learn(CHARACTERS), learn(BPE)
    assert words.pieces([PAD, BOS, EOS, UNK, *words.encode("house.")]) == [*specials, "house", "."]
    assert characters.pieces([UNK, *characters.encode("a h")]) == ["⁇", "a", "␣", "h"]
    labels = bpe.pieces([EOS, *bpe.encode("the  lowest")])
    assert labels[:3] == ["</s>", "the", "␣"]
    assert "▁" not in "".join(labels)
    assert labels[3] + "".join(labels[4:]).replace("·", "") == "lowest"


# ---- SentencePiece


@pytest.mark.parametrize("kind", [BPE, UNIGRAM])
def test_the_four_special_ids_are_fixed_and_the_size_is_exact(learn, kind):
    assert learn(kind).size == SIZES[kind]
    assert learn(kind).pieces(range(4)) == ["<pad>", "<s>", "</s>", "⁇"]


@pytest.mark.parametrize("kind", [BPE, UNIGRAM])
def test_no_white_space_is_lost_and_what_is_unknown_is_seen(learn, kind):
    vocabulary = learn(kind)
    for text in ("  the  house ", "", " "):
        assert vocabulary.decode(vocabulary.encode(text)) == text
    assert vocabulary.decode(vocabulary.encode("the 中文 ▁house")) == "the ⁇ ⁇house"


@pytest.mark.parametrize("kind", [BPE, UNIGRAM])
def test_the_letter_that_means_a_space_can_be_learnt_as_itself(learn, kind):
    vocabulary = learn(kind, [*LINES, "the ▁ ▁ ▁ house"] * 2)
    text = "a ▁ the▁"
    assert vocabulary.decode(vocabulary.encode(text)) == text
    assert any("▁" in label for label in vocabulary.pieces(vocabulary.encode("▁")))


@pytest.mark.parametrize("kind", [BPE, UNIGRAM])
def test_rare_characters_are_unknown(learn, kind):
    lines = [*LINES, "quiz"]
    assert UNK not in learn(kind, lines, min_count=1).encode("q")
    assert UNK in learn(kind, lines, min_count=2).encode("q")


@pytest.mark.parametrize(
    ("kind", "most", "what"),
    [(BPE, 3, "characters"), (UNIGRAM, 3, "characters"), (WORDS, 2, "words"), (CHARACTERS, 3, "characters")],
)
def test_a_min_count_that_leaves_nothing(learn, kind, most, what):
    with pytest.raises(DataError) as caught:
        learn(kind, ["a b a", "cab"], min_count=1000)
    assert str(caught.value) == (
        f"subword.min_count: found 1000, expected at most {most}, which is how often the most frequent of the {what} "
        "is seen; lower it."
    )


@pytest.mark.parametrize("kind", [BPE, UNIGRAM])
def test_a_vocabulary_larger_than_the_corpus_allows(learn, kind):
    with pytest.raises(DataError) as error:
        learn(kind, size=5000)
    allowed = int(str(error.value).rsplit("=", 1)[1].rstrip("."))
    assert str(error.value) == (
        f"subword.size: found 5000, expected at most {allowed}, which is all that the text of both sides allows; "
        f"set subword.size={allowed}."
    )
    assert learn(kind, size=allowed).size == allowed


@pytest.mark.parametrize("kind", [BPE, UNIGRAM])
def test_a_vocabulary_smaller_than_the_alphabet(learn, kind):
    with pytest.raises(DataError) as error:
        learn(kind, ["abcdefgh ijkl"] * 9, size=6)
    assert str(error.value) == (
        "subword.size: found 6, expected at least 17, since the text of both sides has that many characters, "
        "special pieces included; make it larger, or raise subword.min_count to leave out rare characters."
    )


@pytest.mark.parametrize("kind", [BPE, UNIGRAM])
def test_text_that_nothing_can_be_learnt_from(learn, kind):
    with pytest.raises(DataError, match=r"^the text of both sides: found text that SentencePiece cannot learn 30") as e:
        learn(kind, ["", ""], size=30)
    assert str(e.value).endswith("give it more text, or set subword=words.")


def test_sides_are_learnt_apart_or_together(tmp_path):
    cfg = SubwordConfig(kind=WORDS, cache=str(tmp_path))
    apart = learn_vocabularies(cfg, ["a dog"], ["ein Hund"])
    assert (apart.joint, apart.src.decode([4, 5]), apart.tgt.decode([4, 5])) == (False, "a dog", "Hund ein")
    joint = learn_vocabularies(SubwordConfig(kind=WORDS, joint=True, cache=str(tmp_path)), ["a dog"], ["ein Hund"])
    assert joint.src is joint.tgt
    assert (joint.joint, joint.src.decode([4, 5, 6, 7])) == (True, "Hund a dog ein")


def test_errors_name_the_side(tmp_path):
    cfg = SubwordConfig(kind=BPE, size=5000, cache=str(tmp_path))
    with pytest.raises(DataError, match="all that the source text allows"):
        learn_vocabularies(cfg, LINES, LINES)


# ---- bytes


@pytest.mark.parametrize("kind", list(SubwordKind))
def test_bytes_bring_the_same_vocabulary_back(learn, kind):
    vocabulary = learn(kind)
    again = subwords_from_bytes(kind, vocabulary.to_bytes())
    assert (again.kind, again.size, again.to_bytes()) == (kind, vocabulary.size, vocabulary.to_bytes())
    assert again.encode(LINES[1]) == vocabulary.encode(LINES[1])
    assert again.pieces(range(again.size)) == vocabulary.pieces(range(again.size))


@pytest.mark.parametrize("kind", list(SubwordKind))
@pytest.mark.parametrize("data", [b"", b"nonsense", b"\xff\x00\x81" * 40, b'{"a": 1}', b'["a", "a"]', b"[1]"])
def test_other_bytes_are_no_model(kind, data):
    with pytest.raises(DataError, match=r"^subword model: found .+, expected a model that this program has written; "):
        subwords_from_bytes(kind, data)


def test_a_model_with_other_special_ids_is_refused():
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(LINES), model_writer=model, vocab_size=22, minloglevel=4
    )
    with pytest.raises(DataError, match=r"start, end and unknown pieces are \[-1, 1, 2, 0\]"):
        SentencePieces(UNIGRAM, model.getvalue())


# ---- sampling

# Best first: ab, then abab from two of them, then ba.
SCORES = {"a": -9.0, "b": -9.0, "ab": -1.0, "ba": -3.0, "abab": -2.0}


def test_merges_without_dropout_take_the_best_and_the_leftmost():
    draws = Draws(0.0, 0.0, 0.0)
    assert Merges(SCORES).sample("abab", 0.0, draws) == ("abab",)  # ab|a|b, ab|ab, abab: one draw each
    assert draws.numbers == []


def test_a_merge_that_is_left_out_lets_the_next_best_through():
    # a|b|a|b has ab at 0, ab at 2, ba at 1. Drop the first: a|b|ab. Then ab survives: ab|ab; then abab is left out.
    assert Merges(SCORES).sample("abab", 0.5, Draws(0.4, 0.5, 0.9, 0.1)) == ("ab", "ab")
    # drop both ab: ba survives, a|ba|b, where nothing merges
    assert Merges(SCORES).sample("abab", 0.5, Draws(0.4, 0.4, 0.5)) == ("a", "ba", "b")
    # drop all three: it ends
    assert Merges(SCORES).sample("abab", 0.5, Draws(0.0, 0.0, 0.0)) == ("a", "b", "a", "b")


def test_unigram_sampling_weighs_each_segmentation_by_its_probability():
    # aa is aa (1/2) or a|a (1/2 * 1/2 = 1/4): with alpha 1 it is aa in 2 of 3 draws. From the end backward, the arcs
    # are tried by where they start: aa first.
    lattices = Lattices({"a": np.log(0.5), "aa": np.log(0.5)}, unknown_score=-20.0)
    assert lattices.sample("aa", 0.0, Draws(0.66)) == ("aa",)
    assert lattices.sample("aa", 0.0, Draws(0.67)) == ("a", "a")
    # alpha 1/2: sqrt(1/2) against sqrt(1/4) is 0.5858 of all
    assert lattices.sample("aa", 0.5, Draws(0.585)) == ("aa",)
    assert lattices.sample("aa", 0.5, Draws(0.587)) == ("a", "a")


def test_unigram_sampling_of_three_places():
    # aaa: a|a|a 1/8, aa|a 1/4, a|aa 1/4. The last piece is aa in 2 of 5, else a; then aa|a in 2 of 3.
    lattices = Lattices({"a": np.log(0.5), "aa": np.log(0.5)}, unknown_score=-20.0)
    assert lattices.sample("aaa", 0.0, Draws(0.39)) == ("a", "aa")
    assert lattices.sample("aaa", 0.0, Draws(0.41, 0.66)) == ("aa", "a")
    assert lattices.sample("aaa", 0.0, Draws(0.41, 0.67)) == ("a", "a", "a")


def test_an_unknown_character_is_a_piece_of_its_own():
    lattices = Lattices({"a": -1.0}, unknown_score=-20.0)
    assert lattices.sample("aza", 0.3, Draws()) == ("a", "z", "a")  # one way, so no draw


@pytest.mark.parametrize("kind", [BPE, UNIGRAM])
def test_sampling_varies_with_the_generator_alone(learn, kind):
    vocabulary = learn(kind)

    def drawn(seed: int, rate: float) -> list[int]:
        return vocabulary.encode_sampled(LINES[0], rate, np.random.default_rng(seed))

    assert all(drawn(seed, 0.5) == drawn(seed, 0.5) for seed in range(5))
    assert len({tuple(drawn(seed, 0.5)) for seed in range(20)}) > 1
    assert all(drawn(seed, 0.0) == vocabulary.encode(LINES[0]) for seed in range(5))


# ---- cache


def test_what_was_learnt_once_is_recalled(tmp_path):
    assert subword_cache.recall(tmp_path, "key", lambda: b"model\nof lines") == b"model\nof lines"
    assert subword_cache.recall(tmp_path, "key", lambda: pytest.fail("learnt again")) == b"model\nof lines"
    assert [path.name for path in tmp_path.iterdir()] == ["key"]


@pytest.mark.parametrize("damage", [lambda b: b[:-1], lambda b: b[:70] + b"X" + b[71:], lambda b: b"", lambda b: b[3:]])
def test_a_broken_entry_is_learnt_anew_and_said_so(tmp_path, caplog, damage):
    subword_cache.recall(tmp_path, "key", lambda: b"a model of some length")
    whole = (tmp_path / "key").read_bytes()
    (tmp_path / "key").write_bytes(damage(whole))
    assert subword_cache.recall(tmp_path, "key", lambda: b"a model of some length") == b"a model of some length"
    assert caplog.messages == [f"The subword model kept in {tmp_path / 'key'} is broken; it is learnt anew."]
    assert (tmp_path / "key").read_bytes() == whole


def test_an_entry_that_cannot_be_read_or_written_costs_a_warning(tmp_path, caplog):
    (tmp_path / "key").mkdir()
    assert subword_cache.recall(tmp_path, "key", lambda: b"model") == b"model"
    assert "cannot be read" in caplog.messages[0]
    assert "learnt but cannot be kept" in caplog.messages[1]
    assert [path.name for path in tmp_path.iterdir()] == ["key"]  # nothing half-written stays


def test_the_key_depends_on_every_line_and_setting():
    keys = [
        subword_cache.content_key(settings, lines)
        for settings in (["bpe", "100"], ["bpe", "101"], ["unigram", "100"])
        for lines in (["a", "b"], ["b", "a"], ["a"], ["a", "b", ""])
    ]
    assert len(set(keys)) == len(keys)


def test_the_key_depends_on_the_library(monkeypatch):
    before = subword_cache.content_key([], ["a"])
    monkeypatch.setattr("nmt.data.subword_cache.sentencepiece.__version__", "0.0")
    assert subword_cache.content_key([], ["a"]) != before


def test_the_default_place_is_the_users_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    learn_vocabularies(SubwordConfig(kind=WORDS), ["a"], ["b"])
    assert len(list((tmp_path / "nmt" / "subwords").iterdir())) == 2


@pytest.mark.parametrize("kind", list(SubwordKind))
def test_a_recalled_vocabulary_is_the_one_that_was_learnt(tmp_path, kind, caplog):
    caplog.set_level(logging.WARNING)
    cfg = SubwordConfig(kind=kind, size=SIZES[kind], cache=str(tmp_path / "not" / "there"))
    first, again = (learn_vocabularies(cfg, LINES, LINES) for _ in range(2))
    assert first.src.to_bytes() == again.src.to_bytes()
    elsewhere = learn_vocabularies(SubwordConfig(kind=kind, size=SIZES[kind], cache=str(tmp_path)), LINES, LINES)
    assert elsewhere.src.to_bytes() == first.src.to_bytes()  # learnt twice, and the same
    assert caplog.messages == []


def test_a_signal_ends_the_process_while_sentencepiece_lets_nobody_in(monkeypatch):
    found = []

    def train(**_: object) -> None:
        found.append([signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)])
        raise RuntimeError("that is enough")

    monkeypatch.setattr(sentencepiece.SentencePieceTrainer, "train", train)
    with signals_raise():
        before = signal.getsignal(signal.SIGTERM)
        with pytest.raises(DataError):
            learn_sentencepieces(SubwordKind.bpe, ["a b"], 9, 1, "source")
        assert signal.getsignal(signal.SIGTERM) == before
    assert found == [[signal.SIG_DFL] * 2]
