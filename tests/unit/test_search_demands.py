# V vocabulary
"""Demands as people write them: what becomes of them, what is refused, and that translations keep to them."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from nmt.config.metrics import ChrfConfig
from nmt.config.search import SearchConfig, Utility
from nmt.config.subword import SubwordKind
from nmt.data.sentencepieces import learn_sentencepieces
from nmt.data.specials import UNK
from nmt.data.subwords import Vocabularies
from nmt.data.words import ListedSubwords
from nmt.errors import ConfigError, DataError
from nmt.metrics.likeness import ChrfLikeness
from nmt.search.demands import Demand, as_pieces, begins_word
from nmt.search.translate import Translator
from nmt.search.unknowns import read_dictionary, replaced
from tests.unit.search_models import EOS, Copier, Table, without_graphs

WORDS = ListedSubwords(SubwordKind.words, ["dog", "cat", "big", "house", "￭."])
LETTERS = ListedSubwords(SubwordKind.characters, [*"abc ,狗"])
BOTH = Vocabularies(WORDS, WORDS, joint=True)


@pytest.fixture(scope="module")
def pieces():
    text = ["der Hund, die Hunde, ein Haus", "das Hundehaus war groß", "ein großer Hund war da"] * 5
    return learn_sentencepieces(SubwordKind.bpe, text, 45, 1, "text")


def even(vocab: int) -> Table:
    """Every word is as likely as any other."""
    return Table([[1 / vocab] * vocab] * vocab)


def test_a_piece_that_goes_on_with_a_word_leaves_it_incomplete(pieces):
    begins_V = begins_word(pieces)
    for piece in range(4, pieces.size):
        surface = pieces.surface(piece)
        assert begins_V[piece] == (surface.startswith(" ") or not surface[0].isalnum()), surface
    assert not begins_V[UNK]
    assert begins_word(WORDS).all()
    assert_array_equal(begins_word(LETTERS)[4:], [False, False, False, True, True, True])  # a b c space , 狗


def test_phrases_are_cut_as_the_vocabulary_cuts_them(pieces):
    demands = as_pieces([Demand("der", ("Hund", "Hund"), ("ein  Haus",)), Demand()], pieces, [1, 2])
    assert [piece for piece in demands.prefix_BP[0] if piece] == pieces.encode("der")
    assert demands.must_BCL.shape[:2] == (2, 1)
    assert [piece for piece in demands.must_BCL[0, 0] if piece] == pieces.encode("Hund")
    assert [piece for piece in demands.never_BDL[0, 0] if piece] == pieces.encode("ein Haus")
    assert not any(part[1].any() for part in demands)


@pytest.mark.parametrize(
    "asked, sentence",
    [
        (Demand(must=(" ",)), "line 7: found a phrase without text, expected a word or more; leave the phrase out."),
        (
            Demand(never=("bird",)),
            "line 7: found 'bird', which the model cannot write, expected text of characters and words that its "
            "vocabulary knows; choose another word, or train with subwords that know it.",
        ),
        (
            Demand(must=("big dog",), never=("dog",)),
            "line 7: found 'big dog', which must occur and has what must not, expected phrases that do not exclude "
            "each other; take one of them back.",
        ),
    ],
)
def test_what_nobody_can_keep_to_is_refused(asked, sentence):
    with pytest.raises(DataError) as refused:
        as_pieces([Demand(), asked], WORDS, [3, 7])
    assert str(refused.value) == sentence
    with pytest.raises(DataError) as refused:  # of every line: it is no line's
        Translator(even(WORDS.size), BOTH, SearchConfig(must=list(asked.must), never=list(asked.never)))
    assert str(refused.value) == sentence.replace("line 7", "search.must, search.never")


@pytest.mark.parametrize("options", [{"beam": 4}, {"beam": 1}, {"samples": 3}], ids=str)
@without_graphs()
def test_translations_keep_to_what_is_demanded(options):
    translator = Translator(even(WORDS.size), BOTH, SearchConfig(**options, must=["house"], never=["cat"]))
    demands = [Demand(prefix="big"), Demand(must=("dog house",)), Demand()]
    for answers, demand in zip(translator.translate(["dog", "cat big", "big"], demands=demands), demands, strict=True):
        text = answers[0].text
        assert text.startswith(demand.prefix)
        assert all(phrase in text for phrase in (*demand.must, "house"))
        assert "cat" not in text


@pytest.mark.parametrize("options", [{"beam": 4}, {"beam": 1}, {"samples": 2}], ids=str)
@without_graphs()
def test_lengths_and_repeats_are_kept_to(options):
    translator = Translator(even(WORDS.size), BOTH, SearchConfig(**options, min_length=4, no_repeat=1))
    words = translator.translate(["dog cat"])[0][0].text.replace(".", " .").replace("⁇", " ⁇").split()
    assert len(words) >= 4
    assert len(set(words)) == len(words)


@without_graphs()
def test_a_line_that_cannot_keep_to_all_is_named():
    translator = Translator(even(WORDS.size), BOTH, SearchConfig(no_repeat=1, min_length=30, max_extra=1))
    with pytest.raises(DataError) as refused:
        translator.translate(["dog"], first_line=5)
    assert str(refused.value) == (
        "line 5: found no translation that keeps to all that is demanded of it, expected demands that one sentence can "
        "meet; take a demand back, or widen search.beam."
    )


def test_without_demands_the_rules_are_not_asked():
    translator = Translator(Copier(WORDS.size), BOTH, SearchConfig(beam=2))
    plain = translator.translate(["dog cat", "big"])
    assert [answers[0].tokens for answers in plain] == [[*WORDS.encode(text), EOS] for text in ("dog cat", "big")]
    assert translator._search._ruled_graph.experimental_get_tracing_count() == 0
    ruled = translator.translate(["dog cat", "big"], demands=[Demand(), Demand(never=("dog",))])
    assert [answers[0].tokens for answers in ruled] == [answers[0].tokens for answers in plain]


@without_graphs()
def test_agreement_chooses_among_samples():
    cfg = SearchConfig(samples=12, mbr=Utility.chrf, nbest=2)
    likeness = lambda texts: ChrfLikeness(texts, ChrfConfig())  # noqa: E731
    answers = Translator(even(WORDS.size), BOTH, cfg, likeness_of=likeness).translate(["dog"])[0]
    drawn = Translator(even(WORDS.size), BOTH, SearchConfig(samples=12, nbest=12)).translate(["dog"])[0]
    texts = [one.text for one in drawn]

    def gain(text: str) -> float:
        return sum(float(ChrfLikeness([text, other], ChrfConfig())(1, np.array([0]))[0]) for other in texts)

    assert len(answers) == 2
    assert gain(answers[0].text) == pytest.approx(max(map(gain, texts)))


@pytest.mark.parametrize(
    "line, words",
    [
        ("der Hund, da", ["der", "Hund,", "da"]),
        ("☃☃ Hund", ["☃☃", "Hund"]),
        ("groß▁da", ["groß▁da"]),
    ],
)
def test_each_piece_knows_its_word(pieces, line, words):
    found = pieces.words(line)
    assert len(found) == len(pieces.encode(line))
    assert list(dict.fromkeys(found)) == words


def test_words_and_characters_know_their_words_too():
    assert WORDS.words("big dog.") == ["big", "dog", "."]
    assert LETTERS.words("ab c") == ["ab", "ab", " ", "c"]


@pytest.mark.parametrize(
    "dictionary, text",
    [({}, "big Rex dog Bello."), ({"Rex": "König"}, "big König dog Bello.")],
)
def test_an_unknown_piece_becomes_the_word_that_was_looked_at(dictionary, text):
    tokens = [*WORDS.encode("big"), UNK, *WORDS.encode("dog"), UNK, *WORDS.encode("￭.")[:0], 8, EOS]
    weight_TS = np.eye(6)[[0, 1, 2, 3, 4, 5]]
    assert replaced(tokens, weight_TS, ["big", "Rex", "dog", "Bello", "."], WORDS, dictionary) == text


@without_graphs()
def test_unknown_words_are_replaced_where_that_is_asked_for(tmp_path):
    (tmp_path / "words.tsv").write_text("Rex\tKönig\n\n", encoding="utf-8")
    settings = {"beam": 2, "replace_unknown": True, "dictionary": str(tmp_path / "words.tsv")}
    translator = Translator(Copier(WORDS.size), BOTH, SearchConfig(**settings))
    assert translator.translate(["big Rex", "Bello house"])[0][0].text == "big König"
    assert translator.translate(["Bello house"])[0][0].text == "Bello house"
    assert Translator(Copier(WORDS.size), BOTH, SearchConfig()).translate(["big Rex"])[0][0].text == "big ⁇"


def test_a_dictionary_that_is_none_is_refused(tmp_path):
    (tmp_path / "words.tsv").write_text("Rex\tKönig\nRex König\n", encoding="utf-8")
    with pytest.raises(DataError) as refused:
        read_dictionary(tmp_path / "words.tsv")
    assert str(refused.value) == (
        f"{tmp_path / 'words.tsv'}, line 2: found 'Rex König', expected a source word, a tab and a target word; "
        "mend or remove the line."
    )
    with pytest.raises(DataError, match=r"nothing\.tsv"):
        read_dictionary(tmp_path / "nothing.tsv")


@pytest.mark.parametrize(
    "options, place",
    [
        ({"samples": -1}, "search.samples"),
        ({"temperature": 0}, "search.temperature"),
        ({"top_k": -1}, "search.top_k"),
        ({"top_p": 0}, "search.top_p"),
        ({"top_p": 1.1}, "search.top_p"),
        ({"epsilon": 1}, "search.epsilon"),
        ({"seed": -1}, "search.seed"),
        ({"min_length": -1}, "search.min_length"),
        ({"no_repeat": -1}, "search.no_repeat"),
        ({"diversity": -0.1}, "search.diversity"),
        ({"samples": 2, "nbest": 3}, "search.nbest"),
        ({"beam": 1, "mbr": Utility.bleu}, "search.mbr"),
        ({"dictionary": "words.tsv"}, "search.dictionary"),
    ],
)
def test_values_beyond_their_bounds_are_refused(options, place):
    with pytest.raises(ConfigError) as refused:
        SearchConfig(**options)
    assert refused.value.place == place
