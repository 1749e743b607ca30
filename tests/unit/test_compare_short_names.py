"""Names of checkpoints: short, and no two alike."""

from __future__ import annotations

import pytest

from nmt.compare.short_names import MOST, short_names


@pytest.mark.parametrize(
    ("files", "names"),
    [
        (["runs/a/checkpoints/best.h5"], ["a-best"]),
        (["/data/model.h5", "model-2.h5"], ["model", "model-2"]),
        (["a/1/checkpoints/best.h5", "a/2/checkpoints/best.h5"], ["1-best", "2-best"]),
        (["a/1/checkpoints/best.h5", "b/1/checkpoints/best.h5"], ["a-1-best", "b-1-best"]),
        (["r/a/s/checkpoints/best.h5", "r/b/s/checkpoints/best.h5", "r/c.h5"], ["a-s-best", "b-s-best", "c"]),
        (["x.h5", "y/x.h5", "../x.h5"], ["x", "y-x", "x-2"]),
        (["a/x.h5+b/x.h5", "a/x.h5"], ["a-x+b-x", "a-x"]),
        (["a+b/checkpoints/best.h5"], ["a+b-best"]),
        ([".h5", "...h5"], [".h5", "...h5"]),
        (["a\nb/\u202ec.h5"], ["_c"]),
        (["<script>.h5"], ["<script>"]),
    ],
)
def test_a_name_has_what_tells_its_file_from_the_others(files, names):
    assert short_names(files) == dict(zip(files, names, strict=True))


def test_names_that_others_have_are_not_taken():
    assert short_names(["r/tool.h5", "base.h5"], ["tool", "base"]) == {"r/tool.h5": "r-tool", "base.h5": "base-2"}


def test_a_long_name_keeps_its_ends_and_differs_from_others():
    long = "x" * 250
    first, second = short_names([f"{long}/checkpoints/best.h5", f"{long}/checkpoints/last.h5"]).values()
    assert (first, len(first)) == (f"{long[:20]}..{long[:21]}-best", MOST)
    assert second == f"{long[:20]}..{long[:21]}-last"
    alike = short_names([f"a{long}.h5", f"a{long}x.h5"])
    assert list(alike.values()) == [f"a{long[:19]}..{long[:26]}", f"a{long[:19]}..{long[:26]}-2"]
