"""Demands and terms in files: what is read, and what is refused with its line."""

from __future__ import annotations

import pytest

from nmt.app.demands import glossary_terms, read_demands
from nmt.errors import DataError
from nmt.search.demands import Demand


def test_an_object_a_line_and_nothing_where_it_is_empty(tmp_path):
    path = tmp_path / "demands.jsonl"
    path.write_text('{"prefix": "Ein", "must": ["Hund", "rot"]}\n\n{"never": ["Katze"]}\n', encoding="utf-8")
    assert read_demands(path) == [Demand("Ein", ("Hund", "rot")), Demand(), Demand(never=("Katze",))]


@pytest.mark.parametrize("line", ["[1]", '{"must": "Hund"}', '{"must": [1]}', '{"prefix": 3}', '{"should": []}', "{"])
def test_other_lines_are_refused_by_number(tmp_path, line):
    path = tmp_path / "demands.jsonl"
    path.write_text(f"\n{line}\n", encoding="utf-8")
    with pytest.raises(DataError) as refused:
        read_demands(path)
    assert refused.value.place == f"{path}, line 2"
    assert str(refused.value).endswith("mend the line, or leave it empty where nothing is asked.")


def test_a_term_is_whole_words_and_the_longest_one_counts():
    terms = {"dog": "Hund", "hot dog": "Würstchen", "C++": "C plus plus", "do": "tun"}
    assert glossary_terms("a hot dog in C++ code", terms) == ["Würstchen", "C plus plus"]
    assert glossary_terms("dogs dog", terms) == ["Hund"]
    assert glossary_terms("doghouse", terms) == []
