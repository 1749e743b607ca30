"""Lines in, lines out: order, empty and over-long lines, warnings, JSON, streams."""

from __future__ import annotations

import io
import json
import logging

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from nmt.app import translate as app
from nmt.config.commands import Format, TranslateConfig
from nmt.config.search import SearchConfig
from nmt.config.subword import SubwordKind
from nmt.data.subwords import Vocabularies
from nmt.data.words import ListedSubwords
from nmt.errors import CheckpointError, ConfigError, DataError
from nmt.search.demands import Demand
from nmt.search.formats import word_numbers
from nmt.search.paragraphs import split_sentences
from nmt.search.stream import translate_stream
from nmt.search.translate import EMPTY, Translation, Translator, one_line, plan_by_length
from tests.unit.search_models import EOS, Copier, Table, without_graphs

LETTERS = ListedSubwords(SubwordKind.characters, [*"abcdefghij ", "\u2028", "\x85"])
VOCABULARIES = Vocabularies(LETTERS, LETTERS, joint=True)


@pytest.fixture(scope="module")
def copier() -> Translator:
    return Translator(Copier(LETTERS.size), VOCABULARIES, SearchConfig(beam=3, nbest=2, batch_tokens=24, max_source=9))


@settings(max_examples=15, deadline=None, derandomize=True)
@given(lines=st.lists(st.text("abcdefghij ", max_size=9), max_size=12))
def test_every_line_comes_back_in_its_place(copier, lines):
    answers = copier.translate(lines)
    assert [answer[0].text for answer in answers] == [line if line.strip() else "" for line in lines]


def test_no_line_at_all_is_no_translation(copier):
    assert copier.translate([]) == []


def test_empty_and_blank_lines_do_not_reach_the_model(copier):
    copier._search.model.rows.assign(0)
    assert copier.translate(["", "  ", "\u3000\t"]) == [[EMPTY]] * 3
    assert copier._search.model.rows.numpy() == 0


def test_a_translation_carries_pieces_and_attention(copier):
    best, second = copier.translate(["ab c", "abcdefghi"])[0]
    assert best.pieces_src == best.pieces_tgt == ["a", "b", "␣", "c", "</s>"]
    assert best.tokens == [*LETTERS.encode("ab c"), EOS]
    assert_array_equal(best.weight_TS, np.eye(5))
    assert_allclose(best.score, 9 - np.log(np.exp(9) + LETTERS.size - 1), rtol=1e-3)
    assert second.score < best.score
    assert second.tokens != best.tokens


@without_graphs()
def test_greedy_search_serves_a_beam_of_one():
    translator = Translator(Copier(LETTERS.size), VOCABULARIES, SearchConfig(beam=1))
    assert [answer[0].text for answer in translator.translate(["abc", "d"])] == ["abc", "d"]


@without_graphs()
def test_the_plain_search_translates_alike_and_takes_longer(copier):
    lines = ["ab", "abcdefghi", "c"]
    plain = Translator(Copier(LETTERS.size), VOCABULARIES, copier.cfg, plain=True)
    rows = []
    for translator in (copier, plain):
        translator._search.model.rows.assign(0)
        rows.append([[answer.tokens for answer in answers] for answers in translator.translate(lines)])
        rows.append(translator._search.model.rows.numpy())
    assert rows[0] == rows[2]
    assert rows[1] < rows[3]
    with pytest.raises(AssertionError, match="only a search with a beam has a plain form"):
        Translator(Copier(LETTERS.size), VOCABULARIES, SearchConfig(beam=1), plain=True)


def test_an_over_long_line_is_cut_and_said_to_be(copier, caplog):
    with caplog.at_level(logging.WARNING):
        answers = copier.translate(["a", "abcdefghij", "abcdefghi"], first_line=11)
    assert [answer[0].text for answer in answers] == ["a", "abcdefghi", "abcdefghi"]
    assert caplog.messages == ["line 12: cut from 10 to 9 pieces; raise search.max_source to translate it whole"]


def test_progress_counts_every_line_once(copier):
    steps: list[int] = []
    copier.translate(["a", "", "abcdefghi", "abcdefgh", "ab", " "], progress=steps.append)
    assert sum(steps) == 6
    assert len(steps) > 2


def test_no_translation_contains_a_line_break(copier):
    assert copier.translate(["a\u2028b\x85c"])[0][0].text == "a b c"
    assert one_line("a\r\nb\x0bc\x0cd\x1ce\u2029f\n") == "a b c d e f"


@without_graphs()
def test_weights_that_are_no_numbers_are_refused():
    broken = Translator(Table([[float("nan")] * LETTERS.size] * LETTERS.size), VOCABULARIES, SearchConfig(beam=2))
    with pytest.raises(CheckpointError) as refused:
        broken.translate(["", "abc"], first_line=5)
    assert str(refused.value) == (
        "line 6: found no translation whose probability is a number, expected a model with finite weights; "
        "look at its weights with `python -m nmt.checkpoint verify FILE`."
    )


@settings(max_examples=100, deadline=None)
@given(lengths=st.lists(st.integers(1, 60)), budget=st.integers(1, 200))
def test_batches_hold_each_sentence_once_and_keep_to_the_budget(lengths, budget):
    plan = plan_by_length(lengths, budget)
    assert sorted(place for batch in plan for place in batch) == list(range(len(lengths)))
    assert all(len(batch) == 1 or len(batch) * max(lengths[i] for i in batch) <= budget for batch in plan)


RAISE = "expected 1 to search.nbest (3); raise search.nbest, and search.beam with it."


class Shout:
    """A translator that only writes large letters, and notes what it was asked."""

    def __init__(self, nbest: int = 1) -> None:
        self.cfg, self.vocabularies = SearchConfig(nbest=nbest), VOCABULARIES
        self.asked: list[tuple[int, list[str]]] = []

    def translate(self, lines: list[str], first_line: int = 1) -> list[list[Translation]]:
        self.asked.append((first_line, lines))
        weight_TS = np.array([[0.1, 0.9], [0.8, 0.2], [0.0, 1.0]], np.float32)
        one = [
            Translation(f"{line.upper()}{n}", -n - 0.5, [5, 6, 2], weight_TS, ["s", "</s>"], ["T", "U", "</s>"])
            for line in lines
            for n in range(self.cfg.nbest)
        ]
        return [one[i : i + self.cfg.nbest] or [EMPTY] for i in range(0, len(one), self.cfg.nbest)]


def test_text_is_one_line_for_each_line():
    shout, out = Shout(), io.StringIO()
    assert translate_stream(shout, ["a", "", "ü"], out.write) == 3
    assert out.getvalue() == "A0\n0\nÜ0\n"


def test_a_stream_is_read_no_further_than_needed():
    shout, written, read = Shout(), [], []

    def lines():
        for number in range(5):
            read.append((number, len(written)))
            yield str(number)

    translate_stream(shout, lines(), written.append, chunk_lines=2)
    assert shout.asked == [(1, ["0", "1"]), (3, ["2", "3"]), (5, ["4"])]
    assert read == [(0, 0), (1, 0), (2, 2), (3, 2), (4, 4)]


def test_json_lists_scores_pieces_and_alignment():
    out = io.StringIO()
    translate_stream(Shout(nbest=3), ["a\u2028ü\x85\x0b"], out.write, format=Format.json, nbest=2)
    assert len(out.getvalue().splitlines()) == 1
    assert "ü" in out.getvalue()
    record = json.loads(out.getvalue())
    assert record["source"] == "a\u2028ü\x85\x0b"
    assert record["source_pieces"] == ["s", "</s>"]
    assert [one["score"] for one in record["translations"]] == [-0.5, -1.5]
    assert record["translations"][0]["pieces"] == ["T", "U", "</s>"]
    assert record["translations"][0]["alignment"] == [[0, 1], [1, 0]]


def test_json_of_an_empty_line(copier):
    out = io.StringIO()
    translate_stream(copier, [""], out.write, format=Format.json, nbest=2)
    empty = {"text": "", "score": 0.0, "pieces": [], "alignment": []}
    assert json.loads(out.getvalue()) == {"source": "", "source_pieces": [], "translations": [empty]}


@pytest.mark.parametrize(
    "format, nbest, message",
    [
        (Format.pharaoh, 2, "nbest: found 2, expected 1 with format=pharaoh, one line for each line; set format=json."),
        (Format.text, 2, "nbest: found 2, expected 1 with format=text, one line for each line; set format=json."),
        (
            Format.json,
            4,
            "nbest: found 4, expected 1 to search.nbest (3); raise search.nbest, and search.beam with it.",
        ),
        (
            Format.json,
            0,
            "nbest: found 0, expected 1 to search.nbest (3); raise search.nbest, and search.beam with it.",
        ),
    ],
)
def test_what_a_stream_cannot_give_is_refused(format, nbest, message):
    with pytest.raises(ConfigError) as refused:
        translate_stream(Shout(nbest=3), ["a"], print, format=format, nbest=nbest)
    assert str(refused.value) == message


@pytest.mark.parametrize(
    "line, sentences",
    [
        ("", []),
        ("   ", ["   "]),
        ("One. Two! Three?", ["One. ", "Two! ", "Three?"]),
        ('  He said: "Go." Then he went ...  ', ['  He said: "Go." ', "Then he went ...  "]),
        (
            "Mr. Smith met J. Doe on 3. May, e.g. at noon. Ja.",
            ["Mr. Smith met J. Doe on 3. May, e.g. at noon. ", "Ja."],
        ),
        ("Am 3. Mai kam z.B. Dr. Bauer. Gut so.", ["Am 3. Mai kam z.B. Dr. Bauer. ", "Gut so."]),
        ("it ends . but goes on. Über uns.", ["it ends . but goes on. ", "Über uns."]),
        ("这是一。那是二！好", ["这是一。", "那是二！", "好"]),
        ("3.5 km. 4 km.", ["3.5 km. ", "4 km."]),
    ],
)
def test_sentences_of_a_line(line, sentences):
    assert ["".join(part) for part in split_sentences(line)] == sentences


@settings(max_examples=200, deadline=None)
@given(st.text('aB1 .!?。\t\u2028"', max_size=40))
def test_sentences_joined_are_the_line(line):
    parts = split_sentences(line)
    assert "".join(sentence + space for sentence, space in parts) == line
    assert all(not space.strip() for _, space in parts)


def test_a_paragraph_is_translated_by_sentences_and_joined_again():
    shout, out = Shout(), io.StringIO()
    translate_stream(shout, ["Ab.  Cd! ef", "", "Gh."], out.write, by_paragraph=True)
    assert out.getvalue() == "AB.0  CD! EF0\n\nGH.0\n"
    assert shout.asked == [(1, ["Ab.", "Cd! ef", "Gh."])]
    with pytest.raises(ConfigError, match="by_paragraph: found true with format=json, expected format=text"):
        translate_stream(Shout(), ["a"], print, format=Format.json, by_paragraph=True)


def test_demands_go_with_their_lines():
    seen = []

    class Asked(Shout):
        def translate(self, lines, first_line=1, demands=None):
            seen.extend(demands)
            return super().translate(lines, first_line)

    def demand_of(number: int, line: str) -> Demand:
        return Demand(prefix=f"{number} {line}")

    translate_stream(Asked(), ["a", "b", "c"], print, chunk_lines=2, demand_of=demand_of)
    translate_stream(Asked(), ["Aa. Bb.", "c"], print, demand_of=demand_of, by_paragraph=True)
    assert [one.prefix for one in seen] == ["1 a", "2 b", "3 c", "1 Aa.", "1 Bb.", "2 c"]


def test_pharaoh_aligns_words(copier):
    out = io.StringIO()
    translate_stream(copier, ["ab c", "", "d"], out.write, format=Format.pharaoh)
    assert out.getvalue() == "ab c ||| 0-0 1-1\n |||\nd ||| 0-0\n"


def test_words_of_pieces_are_counted_from_their_spaces():
    words = ListedSubwords(SubwordKind.words, ["a", "b", "￭,"])
    assert word_numbers(words.encode("a, b a"), words) == [0, 0, 1, 2]
    assert word_numbers(LETTERS.encode("ab  c d"), LETTERS) == [0, 0, 0, 0, 1, 1, 2]


def test_an_input_that_is_missing_is_told_before_a_model_is_opened(tmp_path, monkeypatch):
    monkeypatch.setattr(app, "choose_device", lambda device, threads: None)
    monkeypatch.setattr(app, "open_translator", lambda *_: pytest.fail("a model was opened"))
    with pytest.raises(DataError, match="found no file, expected a text file"):
        app.translate_lines(TranslateConfig(checkpoint=["a.h5"], input=str(tmp_path / "no.en")))
