"""The drawing of the article's page is what our own steps give."""

from __future__ import annotations

import doctest
import xml.etree.ElementTree as ElementTree

import pytest

from docs.draw_euclid import FILE, MARGIN, SCALE, draw
from nmt import arithmetic

SVG = "{http://www.w3.org/2000/svg}"


def squares(text: str) -> list[tuple[int, int, int]]:
    """(left, top, side) in units of length."""
    rectangles = ElementTree.fromstring(text).findall(f"{SVG}rect")[1:]  # the first is the background
    assert all(r.get("width") == r.get("height") for r in rectangles)
    return [
        ((int(r.get("x")) - MARGIN) // SCALE, (int(r.get("y")) - MARGIN) // SCALE, int(r.get("width")) // SCALE)
        for r in rectangles
    ]


def test_the_committed_drawing_is_what_the_script_writes():
    assert FILE.read_text(encoding="utf-8") == draw(217, 124)


def test_the_articles_squares_by_hand():
    assert squares(draw(217, 124)) == [(0, 0, 124), (124, 0, 93), (124, 93, 31), (155, 93, 31), (186, 93, 31)]


@pytest.mark.parametrize("length, side", [(217, 124), (13, 8), (12, 4), (5, 5), (9, 1)])
def test_the_squares_cover_every_place_of_the_rectangle_once(length, side):
    covered = [
        (x, y)
        for left, top, size in squares(draw(length, side))
        for x in range(left, left + size)
        for y in range(top, top + size)
    ]
    assert sorted(covered) == [(x, y) for x in range(length) for y in range(side)]


def test_the_examples_of_the_page_hold():
    page = FILE.with_name("article.md")
    found = doctest.testfile(str(page), module_relative=False, globs=vars(arithmetic).copy())
    assert (found.failed, found.attempted) == (0, 2)
