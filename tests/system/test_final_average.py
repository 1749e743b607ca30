"""`train.final_average`: what becomes best.h5 at the end of a run, and that a run killed there comes to the same."""

from __future__ import annotations

import shutil
import signal

import numpy as np
import pytest

import nmt.app.average
from nmt.app.hooks import score_dev
from nmt.checkpoint.bundle import evaluated
from nmt.checkpoint.file import read_extras, read_parameters
from nmt.checkpoint.reader import open_checkpoint_file, read_value
from nmt.sweep.outcome import read_scores
from nmt.tools.sameness import differing, digests
from tests.system.app_tools import evaluate_py, made_once, read_events, read_results, tiny, train_py, without_times
from tests.system.test_stop_and_go_on import raise_before

RUN = ["train.final_average=3", "train.average=0.5", "train.validate_every=2", "train.save_every=12"]
RUN += ["train.early_stopping.metric=loss", "train.learning_rate=0.02", "metrics.report=[bleu]", "search.beam=1"]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return made_once(tmp_path_factory, "averaged", lambda folder: tiny(folder, *RUN))


@pytest.fixture
def again(whole, tmp_path):
    """A copy of the run, to be ended anew."""
    shutil.copytree(whole[0], tmp_path / "run")
    return tmp_path / "run"


def told(folder):
    return next(event for event in read_events(folder) if event["event"] == "average")


def evaluated_weights(path):
    with open_checkpoint_file(path) as file:
        return {name: read_value(path, file, key) for name, key in evaluated(file).items()}


def assert_best_is_the_mean_of(folder, steps):
    best = evaluated_weights(folder / "checkpoints" / "best.h5")
    parts = [evaluated_weights(folder / "checkpoints" / f"step-{step}.h5") for step in steps]
    for name, value in best.items():
        mean = np.mean([part[name].astype(np.float64) for part in parts], axis=0)
        np.testing.assert_array_equal(value, mean.astype(value.dtype), err_msg=name)


def test_what_the_run_chose_and_where_it_says_so(whole):
    folder, answer = whole
    event, entries = told(folder), [event for event in read_events(folder) if event["event"] == "validate"]
    assert list(event["dev"])[:2] == ["the best checkpoint", "the average of the last 3"]
    assert event["dev"]["the best checkpoint"] == min(entry["loss"] for entry in entries)
    assert event["loss"] == event["dev"][event["chosen"]] == min(event["dev"].values())
    assert_best_is_the_mean_of(folder, event["steps"])
    best = 2 * (1 + int(np.argmin([entry["loss"] for entry in entries])))
    lowest = [2 * (1 + int(place)) for place in np.argsort([entry["loss"] for entry in entries])[:3]]
    kept = sorted(int(path.stem.removeprefix("step-")) for path in (folder / "checkpoints").glob("step-*.h5"))
    assert kept == sorted({best, *lowest, 8, 10, 12}), "what is averaged, without train.keep"
    assert list((folder / "checkpoints").glob("*.tmp")) == []
    sentence = f"best.h5 is {event['chosen']} (step"
    assert sentence in answer.err
    assert sentence in (folder / "report.html").read_text(encoding="utf-8")
    final = read_results(folder)["final_average"]
    assert final == {"chosen": event["chosen"], "steps": event["steps"], "by": "loss", "dev": event["dev"]}
    assert read_scores(folder).score == event["loss"], "what a sweep sees"


def choose(monkeypatch, loss):
    """Every average has this dev loss."""

    def score(*arguments):
        figures, translated = score_dev(*arguments)
        return {**figures, "loss": loss}, translated

    monkeypatch.setattr(nmt.app.average, "score_dev", score)


def test_an_average_that_is_better_becomes_best_and_can_be_evaluated(again, monkeypatch):
    choose(monkeypatch, 0.0)
    assert train_py(None, f"resume={again}").status == 0
    event = told(again)
    assert (event["chosen"], event["steps"]) == ("the average of the last 3", [8, 10, 12])
    assert_best_is_the_mean_of(again, [8, 10, 12])
    best = again / "checkpoints" / "best.h5"
    assert read_extras(best)["made_by"] == "average of step-8.h5, step-10.h5, step-12.h5"
    assert not any(name.startswith(("adam", "average")) for name in read_extras(best))
    answer = evaluate_py(f"checkpoint={best}", f"out={again / 'out'}")
    assert answer.status == 0, answer.err
    ours, theirs = (read_results(folder)["bleu"]["score"] for folder in (again, again / "out"))
    assert ours == theirs


def test_an_average_that_is_worse_does_not_and_best_is_the_best_checkpoint_again(again, monkeypatch):
    choose(monkeypatch, 99.0)
    assert train_py(None, f"resume={again}").status == 0
    event = told(again)
    assert event["chosen"] == "the best checkpoint"
    assert len(event["steps"]) == 1
    checkpoints = again / "checkpoints"
    assert (checkpoints / "best.h5").read_bytes() == (checkpoints / f"step-{event['steps'][0]}.h5").read_bytes()
    assert "made_by" not in read_extras(checkpoints / "best.h5")


def test_a_run_that_is_stopped_while_it_averages_comes_to_the_same(whole, again, monkeypatch):
    (again / "checkpoints" / "best.h5").unlink()
    with monkeypatch.context() as patch:
        raise_before(patch, nmt.app.average, "score_dev", signal.SIGTERM)
        assert train_py(None, f"resume={again}").status == 143
    assert not (again / "checkpoints" / "best.h5").exists()
    assert train_py(None, f"resume={again}").status == 0
    for name in ("last.h5", "best.h5"):
        assert differing(*(digests(folder / "checkpoints" / name) for folder in (again, whole[0]))) == []
    assert without_times(read_events(again)) == without_times(read_events(whole[0]))
    assert list((again / "checkpoints").glob("*.tmp")) == []


@pytest.mark.long
def test_a_checkpoint_that_is_gone_leaves_out_its_averages_and_is_named(again):
    (again / "checkpoints" / "step-10.h5").unlink()
    answer = train_py(None, f"resume={again}")
    assert answer.status == 0, answer.err
    assert "no average of steps 8, 10, 12: step-10.h5 is gone" in answer.err
    assert "the average of the last 3" not in told(again)["dev"]
    assert read_parameters(again / "checkpoints" / "best.h5")
