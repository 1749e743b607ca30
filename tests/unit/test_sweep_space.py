"""The search space of an Optuna sweep, and a study that a kill does not change."""

from __future__ import annotations

import os

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf

from tests.unit.sweep_tools import a_config, write_run

optuna = pytest.importorskip("optuna")
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution  # noqa: E402

from nmt.config.metrics import FIGURES, LOSS  # noqa: E402
from nmt.config.root import CommandLine  # noqa: E402
from nmt.config.sweep import Sampler, SweepConfig  # noqa: E402
from nmt.errors import ConfigError, SweepError  # noqa: E402
from nmt.sweep.ledger import Status  # noqa: E402
from nmt.sweep.optimize import Ended, optimize  # noqa: E402
from nmt.sweep.space import described, read_space, start_params, words_of  # noqa: E402
from nmt.sweep.study import Study  # noqa: E402

RATE = {"rate": FloatDistribution(1e-4, 1e-1, log=True)}
CELLS = {"cell": CategoricalDistribution(["gru", "lstm"])}


def parse(*lines):
    return OverridesParser.create().parse_overrides(list(lines))


def space(*lines):
    return read_space(parse(*lines), OmegaConf.structured(CommandLine()))


@pytest.mark.parametrize(
    ("line", "distribution", "words"),
    [
        ("model.units=64,96", CategoricalDistribution(["64", "96"]), "one of 64, 96"),
        ("model.attention=choice(dot,bahdanau)", CategoricalDistribution(["dot", "bahdanau"]), "one of dot, bahdanau"),
        ("model.units=range(64,257,64)", IntDistribution(64, 256, step=64), "64 to 256 in steps of 64"),
        ("model.units=range(1,4)", IntDistribution(1, 3), "1 to 3"),
        ("search.alpha=range(0.0,1.0,0.25)", FloatDistribution(0.0, 0.75, step=0.25), "0 to 0.75 in steps of 0.25"),
        ("model.units=interval(32,128)", IntDistribution(32, 128), "32 to 128"),
        ("model.units=tag(log,interval(32,128))", IntDistribution(32, 128, log=True), "32 to 128, logarithmic"),
        ("train.batch_sentences=interval(8,16)", IntDistribution(8, 16), "8 to 16"),
        ("train.clip_norm=interval(1,5)", FloatDistribution(1.0, 5.0), "1 to 5"),
        (
            "train.learning_rate=tag(log,interval(1e-4,1e-2))",
            FloatDistribution(1e-4, 1e-2, log=True),
            "0.0001 to 0.01, logarithmic",
        ),
    ],
)
def test_the_grammar_of_overrides_as_distributions(line, distribution, words):
    found = space(line, "seed=1")
    assert found == {line.partition("=")[0]: distribution}
    assert described(distribution) == words


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("seed=1", "hydra/sweeper=optuna: found one value for every option, expected something to search; "),
        (
            "model.units=tag(lgo,interval(1,2))",
            "model.units: found the tag lgo, expected none, or log of an interval; ",
        ),
        ("model.units=tag(log,choice(1,2))", "model.units: found the tag log, expected none, or log of an interval; "),
        (
            "train.clip_norm=tag(log,interval(0,1))",
            "train.clip_norm: found 0.0, expected a lower end above 0 on a logarithmic scale; raise it.",
        ),
        (
            "train.clip_norm=interval(2,1)",
            "train.clip_norm: found interval(2,1), expected a lower end below the upper ",
        ),
    ],
)
def test_what_is_no_space(line, told):
    with pytest.raises(ConfigError) as mistake:
        space(line)
    assert str(mistake.value).startswith(told)


def test_the_command_line_of_a_trial_keeps_the_order_of_the_sweeps():
    overrides = parse(
        "experiment=tiny_sweep", "model.units=range(8,17,8)", "+data.tests.a='x y'", "model.cell=gru,lstm"
    )
    assert words_of(overrides, {"model.units": 8, "model.cell": "lstm"}) == [
        "experiment=tiny_sweep",
        "model.units=8",
        "+data.tests.a='x y'",
        "model.cell=lstm",
    ]


def test_the_first_trial_may_be_given():
    found = space("train.learning_rate=tag(log,interval(1e-6,1))", "model.cell=gru,lstm", "model.units=interval(8,64)")
    start = start_params("train.learning_rate=1e-5 model.cell=gru  model.units=8", found)
    assert start == {"train.learning_rate": 1e-5, "model.cell": "gru", "model.units": 8}


SPACE = (
    "model.units=interval(8,64)",
    "model.cell=gru,lstm",
    "search.alpha=range(0.0,1.0,0.25)",
    "search.beam=range(1,7,2)",
)


def test_a_first_trial_on_the_grid():
    start = start_params("search.alpha=0.75 search.beam=5", space(*SPACE))
    assert start == {"search.alpha": 0.75, "search.beam": 5}


@pytest.mark.parametrize(
    ("start", "told"),
    [
        (
            "seed=1",
            "sweep.start: found seed, no key of the space, expected one of model.units, model.cell, search.alpha, ",
        ),
        ("model.units=7", "sweep.start: found model.units=7, expected a value of the space, 8 to 64; correct it."),
        ("model.units=8.5", "sweep.start: found model.units=8.5, expected a value of the space, 8 to 64; "),
        ("model.units=many", "sweep.start: found model.units=many, expected a value of the space, 8 to 64; "),
        (
            "search.alpha=0.3",
            "sweep.start: found search.alpha=0.3, expected a value of the space, 0 to 0.75 in steps of ",
        ),
        ("search.beam=4", "sweep.start: found search.beam=4, expected a value of the space, 1 to 5 in steps of 2; "),
        ("model.cell=rnn", "sweep.start: found model.cell=rnn, expected a value of the space, one of gru, lstm; "),
    ],
)
def test_a_first_trial_outside_the_space(start, told):
    with pytest.raises(ConfigError) as mistake:
        start_params(start, space(*SPACE))
    assert str(mistake.value).startswith(told)


def open_study(folder, **options):
    return Study(folder, SweepConfig(**options), FIGURES["bleu"], RATE)


def run_trials(study, count):
    """Asks for trials and tells each the score 100 x rate; -> their rates."""
    rates = []
    for _ in range(count):
        asked = study.ask()
        rates.append(asked.params["rate"])
        study.tell(asked, Status.finished, 100 * asked.params["rate"], None)
    return rates


@pytest.mark.parametrize("sampler", list(Sampler))
def test_a_study_opened_anew_proposes_what_it_would_have_proposed(tmp_path, sampler):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    whole = run_trials(open_study(tmp_path / "a", sampler=sampler), 12)
    parts = [rate for _ in range(4) for rate in run_trials(open_study(tmp_path / "b", sampler=sampler), 3)]
    assert parts == whole
    assert len(set(whole)) == 12
    assert open_study(tmp_path / "b").best()[1]["rate"] == max(whole)


def test_a_trial_that_was_never_told_of_is_open_still(tmp_path):
    study = open_study(tmp_path)
    run_trials(study, 2)
    lost = study.ask()
    again = open_study(tmp_path).unfinished()
    assert [(one.number, one.params) for one in again] == [(lost.number, lost.params)]
    study = open_study(tmp_path)
    study.tell(study.unfinished()[0], Status.finished, 1.0, None)
    assert (study.num_told(), study.unfinished()) == (3, [])


def test_a_torn_line_and_a_lock_that_nobody_holds_are_taken_off(tmp_path):
    run_trials(open_study(tmp_path), 2)
    journal = tmp_path / "study.journal"
    whole = journal.read_bytes()
    journal.write_bytes(whole + b'{"op_code": 4, "tri')
    os.symlink(journal, tmp_path / "study.journal.lock")
    study = open_study(tmp_path)
    assert study.num_told() == 2
    assert journal.read_bytes() == whole
    run_trials(study, 1)
    assert open_study(tmp_path).num_told() == 3


def test_a_study_of_another_direction_is_refused(tmp_path):
    open_study(tmp_path)
    with pytest.raises(SweepError, match=r"found a study that is to maximize bleu, expected one to minimize loss;"):
        Study(tmp_path, SweepConfig(), LOSS, RATE)
    with pytest.raises(SweepError, match=r"found a study that is to maximize bleu, expected one to maximize chrf;"):
        Study(tmp_path, SweepConfig(), FIGURES["chrf"], RATE)


OTHERS = {
    "rate: 0.0001 to 0.1, logarithmic, cell: one of gru, lstm": {
        **RATE,
        "cell": CategoricalDistribution(["gru", "lstm"]),
    },
    "rate: 0.0001 to 0.2, logarithmic": {"rate": FloatDistribution(1e-4, 2e-1, log=True)},
    "cell: one of gru, lstm": CELLS,
}


@pytest.mark.parametrize("told", OTHERS)
def test_another_space_in_the_same_folder_is_refused_before_anything_is_written(tmp_path, told):
    rates = run_trials(open_study(tmp_path), 2)
    before = (tmp_path / "study.journal").read_bytes()
    for keep in (True, False):
        with pytest.raises(SweepError) as mistake:
            Study(tmp_path, SweepConfig(), FIGURES["bleu"], OTHERS[told], keep=keep)
        found = "found a study of another space (rate: 0.0001 to 0.1, logarithmic)"
        step = "choose another folder with hydra.sweep.dir=FOLDER."
        assert str(mistake.value) == f"{tmp_path / 'study.journal'}: {found}, expected {told}; {step}"
    assert (tmp_path / "study.journal").read_bytes() == before
    assert open_study(tmp_path).best()[1]["rate"] == max(rates)


def test_a_look_writes_nothing(tmp_path):
    assert open_study(tmp_path, trials=3).left() == 3
    rates = run_trials(open_study(tmp_path), 2)
    journal = tmp_path / "study.journal"
    journal.write_bytes(journal.read_bytes() + b'{"op_code": 4, "tri')
    before = journal.read_bytes()
    look = Study(tmp_path, SweepConfig(trials=3), FIGURES["bleu"], RATE, keep=False)
    assert (look.num_told(), look.left(), look.best()[1]["rate"]) == (2, 1, max(rates))
    assert journal.read_bytes() == before
    Study(tmp_path / "new", SweepConfig(), FIGURES["bleu"], RATE, keep=False)
    assert not (tmp_path / "new").exists()


def test_a_journal_with_a_broken_line_is_told_of(tmp_path):
    run_trials(open_study(tmp_path), 1)
    journal = tmp_path / "study.journal"
    journal.write_bytes(b"\0\0\0\n" + journal.read_bytes())
    with pytest.raises(SweepError, match=r"study.journal, line 1: found '.*', expected an entry of an Optuna study;"):
        open_study(tmp_path)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("sampler", list(Sampler))
def test_no_combination_is_tried_twice_and_none_is_left_out(tmp_path, seed, sampler):
    space = {**CELLS, "layers": IntDistribution(1, 3, step=2)}
    study = Study(tmp_path, SweepConfig(seed=seed, sampler=sampler, startup=1), FIGURES["bleu"], space)
    assert study.left() == 4, "there are no more than four"
    for number in range(4):
        study.tell(study.ask(), Status.finished, float(number), None)
    tried = [(trial.params["cell"], trial.params["layers"]) for trial in study._trials()]
    assert sorted(tried) == [("gru", 1), ("gru", 3), ("lstm", 1), ("lstm", 3)]
    assert study.left() == 0


def test_a_sweep_ends_when_nothing_new_is_left(tmp_path, caplog):
    caplog.set_level("INFO", "nmt.sweep.optimize")
    study = Study(tmp_path, SweepConfig(trials=9), FIGURES["bleu"], CELLS)
    overrides = parse("cell=gru,lstm")
    ended = [Ended(Status.failed, None, None), Ended(Status.finished, 1.0, None)]
    assert optimize(study, overrides, lambda proposals: [ended[one.asked.number] for one in proposals], at_once=2) == 1
    assert "each of the 2 combinations of the space has been tried" in caplog.text
    study.retry_failed()
    assert study.left() == 1
    again = study.ask()
    assert again.params == study._trials()[0].params


def test_a_journal_cut_anywhere_by_a_kill_goes_on_as_if_it_had_not_been(tmp_path):
    overrides = parse("rate=tag(log,interval(1e-4,1e-1))", "cell=gru,lstm")
    both = {**RATE, **CELLS}

    def rates(folder):
        folder.mkdir(exist_ok=True)
        study = Study(folder, SweepConfig(trials=4, startup=2), FIGURES["bleu"], both)
        told = lambda proposals: [Ended(Status.finished, one.asked.params["rate"], None) for one in proposals]  # noqa: E731
        optimize(study, overrides, told, at_once=1)
        return [trial.params for trial in study._trials()]

    whole = rates(tmp_path / "whole")
    content = (tmp_path / "whole" / "study.journal").read_bytes()
    ends = [place + 1 for place, byte in enumerate(content) if byte == ord("\n")]
    for place in [0, *ends, *(end - 9 for end in ends)]:
        (tmp_path / f"{place}").mkdir()
        (tmp_path / f"{place}" / "study.journal").write_bytes(content[:place])
        assert rates(tmp_path / f"{place}") == whole, place


@pytest.mark.parametrize("known", [0, 1])
def test_a_half_made_trial_of_an_earlier_version_is_taken_up(tmp_path, known):
    """It wrote a line for the trial, and one for each value."""
    both = {**RATE, **CELLS}
    study = Study(tmp_path, SweepConfig(), FIGURES["bleu"], both)
    asked = study._study.ask(dict(list(both.items())[:known]))
    again = Study(tmp_path, SweepConfig(trials=1), FIGURES["bleu"], both)
    (open_one,) = again.unfinished()
    assert open_one.number == asked.number
    assert list(open_one.params) == ["rate", "cell"]
    assert open_one.params.items() >= asked.params.items()
    again.tell(open_one, Status.finished, 1.0, None)
    assert (again.left(), again.num_told()) == (0, 1)


def test_the_given_first_trial_comes_first_and_once(tmp_path):
    study = Study(tmp_path, SweepConfig(), FIGURES["bleu"], RATE, {"rate": 0.05})
    rates = run_trials(study, 2)
    assert rates[0] == 0.05 != rates[1]
    again = Study(tmp_path, SweepConfig(), FIGURES["bleu"], RATE, {"rate": 0.05})
    assert run_trials(again, 1) != [0.05]


def test_a_first_trial_may_leave_keys_open(tmp_path):
    both = {**RATE, "cell": CELLS["cell"]}
    asked = Study(tmp_path, SweepConfig(), FIGURES["bleu"], both, {"cell": "lstm"}).ask()
    assert asked.params["cell"] == "lstm"
    assert 1e-4 <= asked.params["rate"] <= 1e-1


def test_a_trial_behind_the_median_is_hopeless_and_one_before_it_is_not(tmp_path):
    study = open_study(tmp_path, prune_after=3)
    for number in range(3):
        asked = study.ask()
        write_run(tmp_path / f"{number}", a_config(), [10.0 + number, 20.0])
        study.tell(asked, Status.finished, 20.0, tmp_path / f"{number}")
    good, bad = study.ask(), study.ask()
    write_run(tmp_path / "good", a_config(), [12.0])
    write_run(tmp_path / "bad", a_config(), [10.5])
    assert not study.hopeless(good, tmp_path / "good")
    assert study.hopeless(bad, tmp_path / "bad")
    assert not study.hopeless(bad, tmp_path / "bad"), "without news there is nothing to decide"
    study.tell(bad, Status.pruned, 10.5, tmp_path / "bad")
    assert study.num_told() == 4
    again = open_study(tmp_path, prune_after=3)
    assert [trial.state.name for trial in again._study.trials] == [*["COMPLETE"] * 3, "RUNNING", "PRUNED"]
    assert again._study.trials[4].intermediate_values == {100: 10.5}


def test_without_a_log_nothing_is_hopeless(tmp_path):
    study = open_study(tmp_path, prune_after=1)
    run_trials(study, 2)
    assert not study.hopeless(study.ask(), tmp_path / "nothing")


def test_the_loop_ends_with_as_many_trials_as_were_asked_for(tmp_path):
    overrides = parse("rate=tag(log,interval(1e-4,1e-1))", "seed=1")
    batches = []

    def evaluate(proposals):
        batches.append(len(proposals))
        return [Ended(Status.finished, one.asked.params["rate"], None) for one in proposals]

    assert optimize(open_study(tmp_path, trials=5), overrides, evaluate, at_once=2) == 0
    assert batches == [2, 2, 1]
    assert optimize(open_study(tmp_path, trials=5), overrides, evaluate, at_once=2) == 0
    assert optimize(open_study(tmp_path, trials=6), overrides, evaluate, at_once=2) == 0
    assert batches == [2, 2, 1, 1]


def test_failed_trials_count_and_are_tried_again_on_request(tmp_path):
    overrides = parse("rate=tag(log,interval(1e-4,1e-1))")
    seen = []

    def evaluate(proposals):
        seen.extend(one.asked.params["rate"] for one in proposals)
        broken = len(seen) == 2
        return [Ended(Status.failed, None, None) if broken else Ended(Status.finished, 1.0, None) for _ in proposals]

    assert optimize(open_study(tmp_path, trials=3), overrides, evaluate, at_once=1) == 1
    assert len(seen) == 3
    study = open_study(tmp_path, trials=3)
    study.retry_failed()
    assert optimize(study, overrides, evaluate, at_once=1) == 0
    assert seen[3:] == [seen[1]]


def test_a_trial_that_somebody_stopped_stays_open(tmp_path):
    overrides = parse("rate=tag(log,interval(1e-4,1e-1))")
    study = open_study(tmp_path)
    with pytest.raises(
        SweepError, match=r"trial 1: found that it was stopped by a signal, expected the end of its run;"
    ):
        optimize(study, overrides, lambda proposals: [Ended(Status.interrupted, None, None)], at_once=1)
    assert [one.number for one in open_study(tmp_path).unfinished()] == [0]
