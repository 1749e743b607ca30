"""Requests taken apart and put together: white space, lines, tags, long sentences."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nmt.serve.text import joined, parts_of_html, parts_of_text


def always(text: str) -> bool:
    return True


def shouted(parts) -> str:
    return joined(parts, [part.text.upper() for part in parts if part.sentence])


@pytest.mark.parametrize(
    "text, sentences",
    [
        ("", []),
        (" \n\n ", []),
        ("One. Two!\r\n\r\n  three  ", ["One.", "Two!", "three"]),
        ("a\u2028b\x0cc", ["a", "b", "c"]),
    ],
)
def test_sentences_are_found_and_the_rest_is_kept(text, sentences):
    parts = parts_of_text(text, always)
    assert [part.text for part in parts if part.sentence] == sentences
    assert "".join(part.text for part in parts) == text


@settings(max_examples=200, deadline=None)
@given(text=st.text("aB1 .!?。\t\n\r\u2028<>&", max_size=60), longest=st.integers(1, 9))
def test_parts_joined_are_the_text_and_none_is_too_long(text, longest):
    parts = parts_of_text(text, lambda part: len(part) <= longest)
    assert "".join(part.text for part in parts) == text
    assert all(len(part.text) <= longest for part in parts if part.sentence)


def test_a_long_sentence_is_cut_between_words():
    parts = parts_of_text("one two three fourteen", lambda part: len(part) <= 8)
    assert [part.text for part in parts] == ["one two", " ", "three", " ", "fourteen"]


@pytest.mark.parametrize(
    "page, answer",
    [
        ("<p>a <b>dog</b> runs.</p>", "<p>A <b>DOG</b> RUNS.</p>"),
        ('<a href="x?a=1&amp;b">go</a><br/>', '<a href="x?a=1&amp;b">GO</a><br/>'),
        ("a &lt; b &amp; c&nbsp;d", "A &lt; B &amp; C\xa0D"),
        (
            "<script>if (a < b) go();</script>x<style>p{}</style>",
            "<script>if (a < b) go();</script>X<style>p{}</style>",
        ),
        ("<!-- no --><!doctype html><?php x ?>yes", "<!-- no --><!doctype html><?php x ?>YES"),
        ("1 < 2 and <", "1 &lt; 2 AND &lt;"),
        ("plain", "PLAIN"),
    ],
)
def test_tags_stay_where_they_are(page, answer):
    assert shouted(parts_of_html(page, always)) == answer


@settings(max_examples=300, deadline=None)
@given(st.text("<>/!-?&;#ab\"' =\n[]", max_size=60))
def test_no_page_is_too_broken_to_be_read(page):
    parts = parts_of_html(page, always)
    assert all(part.text for part in parts if part.sentence)
    joined(parts, ["x"] * sum(part.sentence for part in parts))
