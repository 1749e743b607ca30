"""Text in aligned columns."""

from __future__ import annotations

from nmt.plumbing.tables import pad, table, width


def test_a_table_is_aligned_numbers_to_the_right():
    assert table([["a", "1.5", "x"], ["long name", "22.5 [1, 2]", "größer"]], ["name", "score", "note"]) == (
        "name             score  note\n"
        "---------  -----------  ------\n"
        "a                  1.5  x\n"
        "long name  22.5 [1, 2]  größer"
    )


def test_a_table_of_no_rows_is_its_header():
    assert table([], ["a", "bb"]) == "a  bb\n-  --"


def test_wide_and_combining_letters_keep_the_columns():
    assert table([["家", "x"], ["u\u0308", "y"]], ["a", "b"]) == "a   b\n--  -\n家  x\nu\u0308   y"


def test_columns_that_are_named_are_flush_right():
    assert table([("a", "b", "c"), ("aa", "1", "cc")], right=(2,), indent="  ") == "  a   b   c\n  aa  1  cc"


def test_nothing_trails():
    assert table([("a", ""), ("bb", "x")], right=()) == "a\nbb  x"


def test_columns_of_a_terminal():
    assert (width("狗 runs"), width("e\u0301"), width("")) == (7, 1, 0)
    assert (pad("狗", 4), pad("狗", 4, flush_right=True)) == ("狗  ", "  狗")
