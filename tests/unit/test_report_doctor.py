"""What is said of an attention, by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from nmt.report.doctor import WHY, examine, told


def test_figures_of_an_attention_by_hand():
    """Two steps over two pieces and the end mark: one looks at the first piece, the other at all alike."""
    found = examine([np.array([[1.0, 0.0, 0.0], [1 / 3, 1 / 3, 1 / 3]], np.float32)])
    assert found is not None
    assert found.entropy == pytest.approx(0.5, abs=1e-6)  # none, and all that there can be
    assert found.apart == pytest.approx(1 / 3, abs=1e-6)  # the mean row is 2/3, 1/6, 1/6
    assert found.end_mark == 0  # the second step writes the end mark itself
    assert found.coverage == 1  # 4/3 and 1/3
    assert not found.degenerate
    assert told(found.as_json()) == (
        "attention: entropy 0.50 of the most, 33.3 % moves from step to step, 0.0 % on the end mark, "
        "100.0 % of the source looked at"
    )


def test_sentences_count_alike_and_those_of_one_step_do_not():
    sharp, flat = np.eye(3)[[0, 1, 2]], np.full((5, 2), 0.5)
    found = examine([sharp, flat, np.ones((1, 4)), np.ones((3, 1))])
    assert found is not None
    assert (found.entropy, found.coverage) == (pytest.approx(0.5), 1.0)
    assert (found.apart, found.end_mark) == (pytest.approx(1 / 3), pytest.approx(0.25))  # 2/3 and 0; 0 and 1/2
    assert examine([np.ones((1, 4))]) is None
    assert examine([]) is None


def test_equal_rows_are_degenerate_up_to_rounding():
    row = np.array([0.7, 0.2, 0.1])
    noise = 3e-8 * np.array([[1, -1, 0], [-1, 1, 0], [0, 1, -1]])
    found = examine([row + noise])
    assert found is not None
    assert found.degenerate
    assert told(found.as_json()).endswith(f"on the end mark, 100.0 % of the source looked at. {WHY}")
    moved = examine([row + 1e4 * noise])
    assert moved is not None
    assert not moved.degenerate


def test_a_piece_that_got_less_than_a_tenth_was_not_looked_at():
    found = examine([np.array([[0.95, 0.04, 0.01], [0.94, 0.05, 0.01]])])
    assert found is not None
    assert (found.coverage, found.end_mark) == (0.5, 0.01)
    assert not math.isnan(found.entropy)
