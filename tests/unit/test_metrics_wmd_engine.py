"""The solver: by hand, and against other solvers of the same problem."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import sys

import numpy as np
import ot
import pytest
from gensim.models import KeyedVectors
from numpy.testing import assert_allclose

from nmt.config.metrics import Backend, Norm, WmdConfig
from nmt.errors import MetricError
from nmt.metrics.vectors import word_vectors
from nmt.metrics.wmd import WordMover, WordMoverIndex, engine, make_bags, pair_distances, solver
from nmt.metrics.wmd.bags import stack
from nmt.metrics.wmd.costs import Costs
from tests.unit.wmd_tools import (
    PLANE,
    ROOT2,
    cost_matrix,
    exact_total,
    known_pairs,
    lp_distance,
    masses,
    plane,
    random_texts,
    random_vectors,
)


def distance(a: str, b: str, norm: Norm = Norm.unit) -> float:
    pairs, bags = known_pairs([a.split(), b.split()], plane(), norm)
    return float(pair_distances(pairs, bags.vectors_VD)[0])


@pytest.mark.parametrize(
    "a, b, expected",
    [
        ("east", "east", 0.0),
        ("east", "oriental", 0.0),  # two words of one direction
        ("east", "west", 2.0),
        ("east", "north", ROOT2),
        ("east north", "west", (2 + ROOT2) / 2),
        ("west", "east north", (2 + ROOT2) / 2),
        ("east north", "west south", ROOT2),  # both ways of pairing them cost sqrt 2 or 2: the nearer is taken
        ("east east north", "east north north", ROOT2 / 3),  # a third moves from east to north
        ("east north west", "east north", (2 + ROOT2) / 6),  # west's third: a half each to east and to north
        ("east east east north", "north west", 1 + ROOT2 / 4),  # east's 3/4: 1/4 to north, 1/2 to west
    ],
)
def test_distances_by_hand(a, b, expected):
    assert distance(a, b) == pytest.approx(expected, abs=1e-15)


def test_raw_vectors_keep_their_lengths():
    assert distance("east", "west", Norm.raw) == 4.0
    assert distance("east", "oriental", Norm.raw) == 3.0
    assert distance("north", "south", Norm.raw) == 3.0


def agreement(num_pairs: int, longest: int, norm: Norm) -> None:
    vectors = random_vectors(40, 7, seed=3)
    pairs, bags = known_pairs(random_texts(2 * num_pairs, 40, longest, seed=4), vectors, norm)
    found = pair_distances(pairs, bags.vectors_VD)
    by_pot = [ot.emd2(masses(a), masses(b), cost_matrix(a, b, bags)) for a, b in pairs]
    assert_allclose(found, by_pot, rtol=0, atol=1e-12)
    assert_allclose(found, [lp_distance(a, b, bags) for a, b in pairs], rtol=0, atol=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("norm", list(Norm))
def test_agrees_with_a_linear_program_and_with_pot(norm):
    agreement(150, 12, norm)


@pytest.mark.long
@pytest.mark.parametrize("norm", list(Norm))
def test_agrees_with_a_linear_program_and_with_pot_on_5000_pairs(norm):
    agreement(5000, 14, norm)


def problems(count: int, kind: str, seed: int):
    """Random masses of equal sums, and costs: distances of one size, of many sizes, or any numbers."""
    generator = np.random.default_rng(seed)
    for _ in range(count):
        num_a, num_b = generator.integers(2, 8, 2)
        mass_A, mass_B = (generator.integers(1, 6, size).astype(np.float64) for size in (num_a, num_b))
        vectors_JD = generator.normal(size=(num_a + num_b, 3))
        if kind == "sizes":
            vectors_JD *= 10.0 ** generator.choice([0, -6, -12, -40], size=(num_a + num_b, 1))
        cost_AB = np.sqrt(((vectors_JD[:num_a, np.newaxis] - vectors_JD[num_a:]) ** 2).sum(axis=2))
        if kind == "any":
            cost_AB *= 10.0 ** generator.integers(-30, 1, size=cost_AB.shape)
        yield mass_A * mass_B.sum(), mass_B * mass_A.sum(), cost_AB


@pytest.mark.parametrize("kind", ["distances", "sizes", "any"])
@pytest.mark.parametrize("scale", [1e-300, 1e-160, 1e-26, 1e-13, 1.0, 1e13, 1e160, 1e280])
def test_a_solution_is_exact_whatever_the_size_of_the_costs(kind, scale):
    for mass_A, mass_B, cost_AB in problems(12, kind, seed=11):
        exact = exact_total(mass_A, mass_B, scale * cost_AB)
        flow_AB, total = solver.transport(mass_A, mass_B, scale * cost_AB)
        tolerance = float(exact) * 1e-14 + 1e-320  # below are no digits left
        assert total == pytest.approx(float(exact), rel=0, abs=tolerance)
        assert (flow_AB * (scale * cost_AB)).sum() == pytest.approx(float(exact), rel=0, abs=tolerance)
        assert np.array_equal(flow_AB.sum(axis=1), mass_A)
        (together,) = solver.solve_all(mass_A[np.newaxis], mass_B[np.newaxis], scale * cost_AB[np.newaxis])
        assert together == pytest.approx(float(exact), rel=0, abs=tolerance)


@pytest.mark.parametrize("scale", [1e-290, 1e-160, 1e-26, 1e-13, 1.0, 1e13, 1e160, 1e280])
def test_distances_grow_with_the_vectors(scale):
    """From vectors to distances, kept costs or not: powers of 2 nearby change no digit but the last."""
    vectors = random_vectors(40, 7, seed=3)
    texts = random_texts(120, 40, 12, seed=4)
    pairs, bags = known_pairs(texts, vectors, Norm.raw)
    larger = word_vectors(vectors.words, scale * vectors.matrix_WD, "scaled")
    found = pair_distances(known_pairs(texts, larger, Norm.raw)[0], scale * bags.vectors_VD)
    assert_allclose(found / scale, pair_distances(pairs, bags.vectors_VD), rtol=1e-13)
    assert [mover_distance(larger, a, b) for a, b in zip(texts[:8:2], texts[1:8:2], strict=True)] == pytest.approx(
        found[:4].tolist(), rel=1e-13
    )


def mover_distance(vectors, a: list[str], b: list[str]) -> float:
    cfg = WmdConfig(norm=Norm.raw, stop_words="none")
    score = WordMover(vectors, cfg, "en").score([" ".join(a)], [[" ".join(b)]])
    plan = WordMover(vectors, cfg, "en").explain(" ".join(a), " ".join(b))
    assert plan.distance == pytest.approx(score.distance, rel=1e-13)
    (found,) = WordMoverIndex([" ".join(b)], vectors, cfg, "en").nearest(" ".join(a), 1)
    assert found.distance == pytest.approx(score.distance, rel=1e-13)
    return score.distance


def test_tiny_words_beside_large_ones_keep_their_distances():
    words, matrix_WD = ["big", "a", "b", "c"], np.array([[1.0, 0], [1e-200, 0], [0, 1e-200], [4e-200, 4e-200]])
    vectors = word_vectors(words, matrix_WD, "mixed")
    assert mover_distance(vectors, ["a", "big"], ["b", "big"]) == pytest.approx(1e-200 * ROOT2 / 2, rel=1e-14)
    assert mover_distance(vectors, ["a", "b", "big"], ["c", "big", "big"]) == pytest.approx(1 / 3, rel=1e-14)
    assert mover_distance(vectors, ["a", "a", "b"], ["c"]) == pytest.approx(5e-200, rel=1e-14)


def test_numbers_whose_distances_are_no_numbers_are_refused():
    vectors = word_vectors(["a", "b"], np.array([[1e300], [-1e300]]), "vast")
    with pytest.raises(MetricError, match=r"metrics.wmd.norm=raw: found a vector with a number of size 1e\+300, expec"):
        make_bags([["a"]], vectors, Norm.raw)
    assert make_bags([["a"]], vectors, Norm.unit).vectors_VD.tolist() == [[1.0]]


def gensim_agreement(num_pairs: int, norm: Norm) -> None:
    vectors = random_vectors(40, 7, seed=5)
    table = KeyedVectors(7)
    table.add_vectors(vectors.words, vectors.matrix_WD.astype(np.float32))
    texts = random_texts(2 * num_pairs, 40, 12, seed=6)
    pairs, bags = known_pairs(texts, vectors, norm)
    theirs = [table.wmdistance(a, b, norm=norm is Norm.unit) for a, b in zip(texts[::2], texts[1::2], strict=True)]
    assert_allclose(pair_distances(pairs, bags.vectors_VD), theirs, rtol=0, atol=1e-6)


@pytest.mark.parametrize("norm", list(Norm))
def test_agrees_with_gensim(norm):
    gensim_agreement(150, norm)


@pytest.mark.long
@pytest.mark.parametrize("norm", list(Norm))
def test_agrees_with_gensim_on_5000_pairs(norm):
    gensim_agreement(5000, norm)


def pyemd_loads() -> bool:
    """Older wheels need pkg_resources, which newer setuptools lack."""
    return importlib.util.find_spec("pkg_resources") is not None or _version("pyemd") >= (1, 1)


def _version(package: str) -> tuple[int, ...]:
    return tuple(int(part) for part in importlib.metadata.version(package).split(".")[:2])


def pyemd_agreement(num_pairs: int, norm: Norm) -> None:
    if not pyemd_loads():
        pytest.skip("this pyemd needs pkg_resources, which is not installed")
    vectors = random_vectors(40, 7, seed=7)
    pairs, bags = known_pairs(random_texts(2 * num_pairs, 40, 12, seed=8), vectors, norm)
    ours = pair_distances(pairs, bags.vectors_VD)
    assert_allclose(pair_distances(pairs, bags.vectors_VD, Backend.pyemd), ours, rtol=0, atol=1e-6)


@pytest.mark.parametrize("norm", list(Norm))
def test_agrees_with_pyemd(norm):
    pyemd_agreement(150, norm)


@pytest.mark.parametrize("scale", [1e-160, 1e-13, 1e13, 1e160])
def test_agrees_with_pyemd_whatever_the_size_of_the_vectors(scale):
    if not pyemd_loads():
        pytest.skip("this pyemd needs pkg_resources, which is not installed")
    pairs, bags = known_pairs(random_texts(60, 40, 12, seed=8), random_vectors(40, 7, seed=7), Norm.raw)
    theirs = pair_distances(pairs, scale * bags.vectors_VD, Backend.pyemd)
    assert_allclose(theirs / scale, pair_distances(pairs, bags.vectors_VD), rtol=1e-13)


@pytest.mark.long
@pytest.mark.parametrize("norm", list(Norm))
def test_agrees_with_pyemd_on_5000_pairs(norm):
    pyemd_agreement(5000, norm)


def test_random_pairs_meet_every_kind_of_problem(monkeypatch):
    """What is compared above has repeats, unknown words, unequal lengths, assignments, lone words and shared words."""
    texts = random_texts(300, 40, 12, seed=4)
    pairs, bags = known_pairs(texts, random_vectors(40, 7, seed=3))
    assert any(len(set(words)) < len(words) for words in texts)
    assert any(word not in bags.words for words in texts for word in words)
    assert any(a.num_known != b.num_known for a, b in pairs)
    assert any(a.counts.keys() & b.counts.keys() for a, b in pairs)
    assert any(1 in (len(a.counts), len(b.counts)) for a, b in pairs)
    counted = dict.fromkeys(("simplex", "linear_sum_assignment"), 0)

    def counting(name, function):
        def call(*arguments):
            counted[name] += 1
            return function(*arguments)

        return call

    for name in counted:
        monkeypatch.setattr(solver, name, counting(name, getattr(solver, name)))
    pair_distances(pairs, bags.vectors_VD)
    assert min(counted.values()) > 5


def test_a_pyemd_that_does_not_load_is_said_in_a_sentence(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyemd", None)
    pairs, bags = known_pairs([["east"], ["west"]], plane())
    with pytest.raises(
        MetricError, match=r"metrics\.wmd\.backend: found pyemd, which cannot be imported .*; install pyemd"
    ):
        pair_distances(pairs, bags.vectors_VD, Backend.pyemd)


def test_the_bare_solver_is_in_use_and_the_public_one_agrees(monkeypatch):
    assert solver.simplex is solver._bare
    pairs, bags = known_pairs(random_texts(100, 40, 10, seed=9), random_vectors(40, 7, seed=7))
    bare = pair_distances(pairs, bags.vectors_VD)
    monkeypatch.setattr(solver, "simplex", solver._public)
    assert_allclose(pair_distances(pairs, bags.vectors_VD), bare, rtol=0, atol=1e-14)


@pytest.mark.parametrize("moved", [lambda *_: (None, 7.0, None, None, 1), lambda a: None])
def test_a_pot_whose_bare_solver_has_changed_is_used_by_its_public_one(monkeypatch, moved):
    monkeypatch.setattr(ot.lp.emd_wrap, "emd_c", moved)
    assert solver._choose() is solver._public
    monkeypatch.delattr(ot.lp.emd_wrap, "emd_c")
    assert solver._choose() is solver._public


def test_a_problem_left_open_is_said(monkeypatch):
    monkeypatch.setattr(ot.lp.emd_wrap, "emd_c", lambda *_: (None, 0.0, None, None, 3))
    masses_A = np.array([1.0, 1.0])
    with pytest.raises(MetricError, match=r"found a transport problem that its solver left open \(code 3\)"):
        solver._bare(masses_A, masses_A, np.ones((2, 2)))
    monkeypatch.setattr(ot, "emd", lambda *_, **__: (None, {"warning": "too many steps", "cost": 0.0}))
    with pytest.raises(MetricError, match=r"left open \(too many steps\)"):
        solver._public(masses_A, masses_A, np.ones((2, 2)))


@pytest.mark.parametrize("num_cells", [0, 10**6])
@pytest.mark.parametrize("length", [1e-3, 1.0, 1e3])
def test_costs_are_exact_whether_kept_or_not(num_cells, length):
    vectors_VD = length * np.random.default_rng(1).normal(size=(2100, 5))
    vectors_VD[1] = vectors_VD[0] * (1 + 1e-9)  # close ones, where dot products alone would lose all digits
    vectors_VD[2] = vectors_VD[0] * 0.92  # just beyond what counts as close
    costs = Costs(vectors_VD, num_cells * 10)
    rows_A, rows_B = np.arange(0, 30), np.arange(0, 2100)
    exact = vectors_VD[rows_A].astype(np.longdouble)[:, np.newaxis] - vectors_VD[rows_B].astype(np.longdouble)
    expected_AB = np.sqrt((exact**2).sum(axis=2)).astype(np.float64)
    assert_allclose(costs.between(rows_A, rows_B), expected_AB, rtol=5e-14, atol=0)


def test_costs_of_many_pairs_are_those_of_each(monkeypatch):
    monkeypatch.setattr("nmt.metrics.wmd.costs._BLOCK", 12)  # two pairs at a time
    costs = Costs(np.random.default_rng(1).normal(size=(9, 5)), 0)
    rows_GA = np.array([[0, 1], [2, 3], [4, 5], [6, 7], [0, 8]])
    rows_GB = np.array([[1, 2, 3], [3, 4, 5], [0, 1, 2], [6, 7, 8], [2, 4, 6]])
    cost_GAB = costs.of_pairs(rows_GA, rows_GB)
    for rows_A, rows_B, cost_AB in zip(rows_GA, rows_GB, cost_GAB, strict=True):
        assert_allclose(cost_AB, costs.between(rows_A, rows_B), rtol=1e-15)


@pytest.mark.parametrize("few", [1, 5, 64])
def test_groups_hold_every_pair_once_and_room_for_its_words(few, monkeypatch):
    monkeypatch.setattr(engine, "_CELLS", 12)
    monkeypatch.setattr(engine, "_FEW", few)
    bags = make_bags([list(PLANE)[:size] for size in (1, 5, 2, 1, 1, 1, 1)], plane(), Norm.unit).bags
    texts = stack(bags)
    first_P, second_P = (places.ravel() for places in np.indices((7, 7)))
    order_P, groups = engine._groups(texts, first_P, second_P)
    assert sorted(order_P.tolist()) == list(range(49))
    assert np.concatenate([group.first_G for group in groups]).tolist() == first_P[order_P].tolist()
    assert np.concatenate([group.second_G for group in groups]).tolist() == second_P[order_P].tolist()
    for group in groups:
        assert len(group.first_G) == 1 or len(group.first_G) * group.size_a * group.size_b <= 12
        assert (texts.sizes_N[group.first_G] <= group.size_a).all()
        assert (texts.sizes_N[group.second_G] <= group.size_b).all()


def test_sizes_are_rounded_up_by_less_than_a_third_of_a_long_text():
    size_N = np.arange(1, 2000)
    rounded_N = engine._rounded(size_N)
    assert (rounded_N >= size_N).all()
    assert (np.diff(rounded_N) >= 0).all()
    assert (rounded_N[8:] / size_N[8:]).max() <= 4 / 3
    assert len(np.unique(rounded_N)) < 60


def test_no_pairs_are_no_distances():
    assert pair_distances([], np.zeros((0, 3))).shape == (0,)


@pytest.mark.slow
def test_processes_give_the_same_distances(monkeypatch, capsys):
    monkeypatch.setattr(engine, "_CELLS", 200)
    pairs, bags = known_pairs(random_texts(80, 40, 10, seed=9), random_vectors(40, 7, seed=7))
    alone = pair_distances(pairs, bags.vectors_VD)
    several = pair_distances(pairs, bags.vectors_VD, processes=2, progress=True)
    assert np.array_equal(alone, several)
    assert "40/40" in capsys.readouterr().err
