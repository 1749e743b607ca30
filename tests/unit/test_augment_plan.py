"""Stages, their seeds and what they are known by; what a dry run tells of them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from nmt.augment.estimate import listing
from nmt.augment.material import Material
from nmt.augment.plan import Plan, Sum, Training, Translation, make_plan, seed_of
from nmt.augment.recipe import Direction, Recipe, read_recipe
from nmt.config.augment import AugmentConfig, Back
from nmt.data.text import ParallelText
from nmt.errors import ConfigError
from nmt.sweep.ledger import Standing, Status
from nmt.sweep.pool import LocalPool, Place

pytestmark = pytest.mark.slow  # they compose command lines
WORDS = ("experiment=tiny_sweep", "train.max_steps=100", "train.batch_tokens=600", "train.usd_per_hour=3")
DEV = ParallelText("dev", ["x y"], ["u v"])
MATERIAL = Material(
    ("en", "de"), ParallelText("train", ["a b", "c", "a b"], ["d", "e f", "g"]), DEV, {"test": DEV}, {}, True
)


@pytest.fixture(scope="module")
def recipe() -> Recipe:
    return read_recipe([*WORDS, "data.train_pairs=10", "seed=7"], ())


@pytest.fixture
def plan_of(recipe):
    def plan_of(**options: object) -> Plan:
        return make_plan(AugmentConfig("out", **options), recipe, replace(MATERIAL, mono={"mono_tgt": ["u"]}))

    return plan_of


def names(plan: Plan) -> list[list[str]]:
    return [[stage.name for stage in level] for level in plan.levels]


def test_a_model_has_the_seed_that_round_direction_and_number_give():
    seeds = {
        seed_of(seed, round, way, number)
        for seed in (1, 2)
        for round in (1, 2)
        for way in Direction
        for number in (1, 2)
    }
    assert len(seeds) == 16
    assert seed_of(1, 1, Direction.forward, 1) == 0x38FE70C4
    assert all(0 <= seed < 2**32 for seed in seeds)


def test_diversification_in_two_rounds(plan_of):
    plan = plan_of(models=2, rounds=2)
    ways = ["forward-1", "forward-2", "backward-1", "backward-2"]
    assert names(plan) == [
        ["text"],
        [f"train-1-{way}" for way in ways],
        [f"translate-1-{way}" for way in ways],
        ["sum-1"],
        [f"train-2-{way}" for way in ways],
        [f"translate-2-{way}" for way in ways],
        ["sum"],
        ["final-1"],
    ]
    first, second = (stage for stage in plan if isinstance(stage, Sum))
    assert [part.made.name for part in second.parts] == [*plan_names(plan, Translation)]
    assert [part.made.model.round for part in first.parts] == [1, 1, 1, 1]
    trainings = [stage for stage in plan if isinstance(stage, Training)]
    assert {stage.corpus.name for stage in trainings if stage.round == 2} == {"sum-1"}
    assert len({stage.seed for stage in trainings}) == len(trainings)
    assert {stage.lines for stage in plan if isinstance(stage, Translation)} == {"source", "target"}


def plan_names(plan: Plan, kind: type) -> list[str]:
    return [stage.name for stage in plan if isinstance(stage, kind)]


def test_one_model_a_method_and_final_models_with_seeds_that_follow(plan_of):
    plan = plan_of(methods=["back", "forward"], mono_tgt=["f.de"], final=2)
    assert names(plan) == [
        ["text"],
        ["train-1-forward-1", "train-1-backward-1"],
        ["forward", "back"],
        ["sum"],
        ["final-1", "final-2"],
    ]
    assert [(stage.lines, stage.model.name) for stage in plan if isinstance(stage, Translation)] == [
        ("source", "train-1-forward-1"),
        ("mono_tgt", "train-1-backward-1"),
    ]
    assert [stage.seed for stage in plan.finals] == [7, 8]
    groups = {stage.name: stage.group for stage in plan if isinstance(stage, Training)}
    assert groups["final-1"] == groups["final-2"] != groups["train-1-forward-1"]
    assert names(plan_of(methods=["back"], final=0))[1:] == [["train-1-backward-1"], ["back"], ["sum"]]


def test_what_two_methods_need_is_done_once(plan_of):
    both = plan_of(methods=["forward", "diversify"], models=1)
    assert names(both)[2] == ["translate-1-forward-1", "translate-1-backward-1"]
    drawn = plan_of(methods=["back", "diversify"], models=1, back=Back.sampling)
    assert names(drawn)[2] == ["translate-1-forward-1", "translate-1-backward-1", "back"]
    last = drawn.sum.parts[-1].made
    assert last.search == ("search.samples=1", "search.nbest=1", f"search.seed={last.model.seed}")
    assert {part.made.search for part in both.sum.parts} == {("search.nbest=1",)}, "a beam draws nothing"


def test_several_teachers_translate_together(plan_of):
    plan = plan_of(methods=["forward"], teachers=2)
    assert names(plan) == [["text"], ["train-1-forward-1", "train-1-forward-2"], ["forward"], ["sum"], ["final-1"]]
    assert [model.number for model in plan.sum.parts[0].made.models] == [1, 2]
    alone = plan_of(methods=["forward"])
    assert plan.sum.parts[0].made.ident != alone.sum.parts[0].made.ident
    assert {stage.ident for stage in alone if isinstance(stage, Training) and stage.round} < {s.ident for s in plan}


@pytest.mark.parametrize("models, teachers", [(1, 3), (3, 2)])
def test_teachers_are_models_of_the_first_round_and_each_is_trained_once(plan_of, models, teachers):
    plan = plan_of(methods=["forward", "diversify", "back"], models=models, teachers=teachers, rounds=2)
    trained = [stage for stage in plan if isinstance(stage, Training)]
    counts = [
        (round, way.value, sum(1 for stage in trained if (stage.round, stage.direction) == (round, way)))
        for round in (1, 2)
        for way in Direction
    ]
    assert counts == [(1, "forward", 3), (1, "backward", models), (2, "forward", models), (2, "backward", models)]
    parts = [(part.method, len(part.made.models)) for part in plan.sum.parts]
    assert parts == [*[("diversify", 1)] * 4 * models, ("forward", teachers), ("back", 1)]


def test_other_filters_take_the_same_models_and_another_corpus_none(plan_of, recipe):
    def idents(plan: Plan) -> dict[str, str]:
        return {stage.name: stage.ident for stage in plan}

    plain = idents(plan_of(models=1))
    filtered = idents(plan_of(models=1, upsample=2))
    assert {name for name in plain if plain[name] != filtered[name]} == {"sum", "final-1"}
    assert {name for name, ident in idents(plan_of(models=1, min_score=-1.0)).items() if ident == plain[name]} == {
        "text",
        "train-1-forward-1",
        "train-1-backward-1",
    }
    more = idents(plan_of(models=1, methods=["back", "diversify"], mono_tgt=["f.de"]))
    assert {name for name in more if more[name] != plain.get(name)} == {"text", "back", "sum", "final-1"}
    other = make_plan(AugmentConfig("out", models=1), recipe, replace(MATERIAL, real=DEV))
    assert not set(idents(other).values()) & set(plain.values())
    assert idents(plan_of(models=1, jobs=1, dry_run=True)) == plain


def test_words_of_a_stage(recipe):
    words = recipe.training_words(Direction.backward, 5, "/o/it's", "/o/dev", {"test": "/o/t", "more": "/o/m"})
    assert words == (
        *WORDS,
        *("data=files", 'data.src="de"', 'data.tgt="en"', 'data.train="/o/it\'s"', 'data.dev="/o/dev"'),
        *('data.test="/o/t"', '+data.tests.more="/o/m"', "data.max_length=100", "data.max_ratio=9.0"),
        *("data.check=true", "seed=5"),
    )


def test_metrics_follow_the_language_that_is_written():
    recipe = read_recipe(["data=enja", "metrics.wmd.vectors=ja.txt"], ())
    forward, backward = (recipe.configs[way] for way in Direction)
    assert (forward.data.language, forward.metrics.bleu.tokenize, forward.metrics.wmd.vectors) == (
        *("ja", "ja-mecab", "ja.txt"),
    )
    assert (backward.data.language, backward.metrics.bleu.tokenize, backward.metrics.wmd.vectors) == ("en", "13a", None)


def test_final_models_have_words_of_their_own():
    """Instead of those of the recipe with the same key, and nothing else differs."""
    words = ["experiment=tiny_sweep", "train.max_steps=100", "model.units=32"]
    material = replace(MATERIAL, mono={})
    recipe = read_recipe(words, (), ["train.max_steps=300", "model.dropout_output=0.25"])
    assert recipe.final.words == (words[0], words[2], "train.max_steps=300", "model.dropout_output=0.25")
    plan = make_plan(AugmentConfig("out", models=1, final=2), recipe, material)
    trained = [stage.config for stage in plan if isinstance(stage, Training)]
    assert [(one.train.max_steps, one.model.dropout_output) for one in trained] == [(100, 0)] * 2 + [(300, 0.25)] * 2
    alike = make_plan(AugmentConfig("out", models=1, final=2), read_recipe(words, ()), material)
    assert {a.name for a, b in zip(plan, alike, strict=True) if a.ident != b.ident} == {"final-1", "final-2"}
    assert read_recipe(words, ()).final == read_recipe(words, ())
    command = AugmentConfig("out", models=1, train_tokens_per_s=100)
    told = {
        line.split()[0]: line.split()[-2:] for line in listing(plan, command, material, {}, pool()).split("\n") if line
    }
    assert told["train-1-forward-1"] != told["final-1"]


def test_words_that_a_translation_must_have_are_of_one_language():
    recipe = read_recipe(["data=enja", "search.must=[x]", "search.never=[y]", "search.max_extra=7"], ())
    forward, backward = (recipe.configs[way].search for way in Direction)
    assert (forward.must, forward.never, forward.max_extra) == (["x"], ["y"], 7)
    assert (backward.must, backward.never, backward.max_extra) == ([], [], 7)


def test_a_recipe_of_several_machines_is_refused():
    with pytest.raises(ConfigError) as mistake:
        read_recipe(["train.distribution=multi_worker"], ())
    assert str(mistake.value) == (
        "train.distribution: found multi_worker, expected one or mirrored: stages are processes of this machine; "
        "leave it out."
    )


@pytest.mark.parametrize(
    "translate, sentence",
    [
        (
            "beam=2",
            "translate: found beam=2, expected words of the search, with a blank between them; "
            'write translate="search.beam=4 search.max_extra=20".',
        ),
        ("search.beam=0", "search.beam: found 0, expected 1 <= value <= 1000; 1 is greedy, 5 is usual."),
    ],
)
def test_a_mistaken_search_shows_before_anything_is_trained(plan_of, translate, sentence):
    with pytest.raises(ConfigError) as mistake:
        plan_of(translate=translate)
    assert str(mistake.value) == sentence


def pool(usd: float | None = None) -> LocalPool:
    return LocalPool([Place("cpu 0", {}), Place("cpu 1", {})], usd)


def test_a_dry_run_says_what_is_unknown(plan_of):
    told = listing(plan_of(models=1), AugmentConfig("out", models=1), MATERIAL, {}, pool())
    assert told.splitlines() == [
        "stage                   state  sentences  expected",
        "----------------------  -----  ---------  --------",
        "text                    new            3   seconds",
        "train-1-forward-1       new            3   unknown",
        "train-1-backward-1      new            3   unknown",
        "translate-1-forward-1   new            2   unknown",
        "translate-1-backward-1  new            3   unknown",
        "sum                     new    at most 8   seconds",
        "final-1                 new    at most 8   unknown",
        "",
        "7 stages to run, 2 at once; time and cost unknown: state train_tokens_per_s and translate_words_per_s, "
        "or see again once one of each kind has ended",
    ]


def test_a_dry_run_with_stated_speeds_and_a_price(plan_of):
    """Two trainings side by side of 100 steps of 600 tokens at 50 a second: 1200 s. 3 and 4 words at 0.01 a second: 300
    and 400 s side by side, on average 350. The final model: 1200 s. 2750 s at 3 dollars an hour."""
    command = AugmentConfig("out", models=1, train_tokens_per_s=50, translate_words_per_s=0.01)
    told = listing(plan_of(models=1), command, MATERIAL, {}, pool(3.0))
    assert told.splitlines()[-1] == "7 stages to run, 2 at once; about 46 min, about $2.29"
    assert told.splitlines()[5].split() == ["translate-1-forward-1", "new", "2", "5", "min"]


def test_a_dry_run_knows_that_teachers_together_take_longer(plan_of):
    """3 words for each of 3 models at 0.01 a second: 900 s. If they took 450 s, one model takes 200 s for 4 words."""
    plan = plan_of(methods=["forward", "back"], teachers=3)

    def told(command: AugmentConfig, standings: dict[str, Standing]) -> dict[str, list[str]]:
        lines = listing(plan, command, MATERIAL, standings, pool()).splitlines()
        return {line.split()[0]: line.split()[-2:] for line in lines if line}

    assert told(AugmentConfig("out", translate_words_per_s=0.01), {})["forward"] == ["15", "min"]
    ended = plan.sum.parts[0].made.ident
    done = {ended: Standing(ended, "", 0, (), "forward", "", Status.finished, seconds=450.0)}
    assert told(AugmentConfig("out"), done)["back"] == ["3", "min"]


def test_a_dry_run_measures_what_has_ended(plan_of):
    plan = plan_of(models=1)
    seconds = {"text": 1.0, "train-1-forward-1": 100.0, "train-1-backward-1": 300.0, "translate-1-forward-1": 30.0}
    standings = {
        stage.ident: Standing(stage.ident, "", 0, (), stage.name, "", Status.finished, seconds=seconds[stage.name])
        for stage in plan
        if stage.name in seconds
    }
    interrupted = next(stage for stage in plan if stage.name == "translate-1-backward-1")
    standings[interrupted.ident] = Standing(interrupted.ident, "", 0, (), interrupted.name, "")
    told = listing(plan, AugmentConfig("out", models=1), MATERIAL, standings, pool()).splitlines()
    assert [line.split()[1] for line in told[2:9]] == [*["finished"] * 4, "interrupted", "new", "new"]
    assert told[6].split()[-2:] == ["40", "s"], "3 words took 30 s, so 4 take 40"
    assert told[8].split()[-2:] == ["3", "min"], "the mean of the trainings"
    assert told[-1].startswith("3 stages to run, 2 at once; about 4 min, cost unknown")
    done = {stage.ident: replace(standings[interrupted.ident], status=Status.finished) for stage in plan}
    all_done = listing(plan, AugmentConfig("out", models=1), MATERIAL, done, pool())
    assert all_done.splitlines()[-1] == "nothing is left to run"
