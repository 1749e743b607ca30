"""The parts of `verify_resume`: its command line, its aims, its kills, and that it sees every difference."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest

from nmt.checkpoint.file import save
from nmt.errors import TrainingError
from nmt.tools import killing, verify_resume
from nmt.tools.killing import Aim, aims, kill_at, last_step, left_overs, run_train
from nmt.tools.sameness import differing, digests, without_times
from nmt.tools.verify_resume import Request, compare, main, read_request, settings
from nmt.training.state import TrainingState


def test_the_command_line():
    assert read_request([]) == Request(kills=20, kill_seed=1, folder=None, words=())
    words = ["kills=3", "train.device=gpu", "kill_seed=0", "folder=x", "model.units=64"]
    assert read_request(words) == Request(3, 0, "x", ("train.device=gpu", "model.units=64"))


@pytest.mark.parametrize(
    ("word", "sentence"),
    [
        ("kills=0", "kills: found 0, expected a number from 1 on; write kills=20."),
        ("kills=", "kills: found nothing, expected a number from 1 on; write kills=20."),
        ("kills=many", "kills: found many, expected a number from 1 on; write kills=20."),
        ("kill_seed=-1", "kill_seed: found -1, expected a number from 0 on; write kill_seed=20."),
        ("resume=x", "resume: found x, expected nothing; choose the place with folder=DIR."),
        ("hydra.run.dir=x", "hydra.run.dir: found x, expected nothing; choose the place with folder=DIR."),
        ("folder={here}", "folder: found file in it, expected an empty folder; name another."),
        ("folder={here}/file", "folder: found file exists, expected an empty folder; name another."),
    ],
)
def test_a_mistake_is_one_sentence(tmp_path, capsys, word, sentence):
    (tmp_path / "file").write_text("")
    assert main([word.format(here=tmp_path)]) == 2
    assert capsys.readouterr().err == f"{sentence}\n"


def test_a_mistake_in_an_option_of_train_py_is_its_sentence(tmp_path, capsys):
    assert main([f"folder={tmp_path}", "kills=1", "model.unist=64"]) == 2
    told = capsys.readouterr().err
    assert "found exit status 2: model.unist: found no option of this name" in told
    assert told.endswith("did you mean model.units, expected a run to its end; mend it.\n")


def test_help(capsys):
    assert main(["--help"]) == 0
    assert "python -m nmt.tools.verify_resume kills=5" in capsys.readouterr().out


def test_aims_are_spread_and_always_the_same():
    found = aims(20, 160, seed=3, averages=False)
    assert found == aims(20, 160, seed=3, averages=False)
    assert found != aims(20, 160, seed=4, averages=False)
    assert [aim.step // 8 for aim in found] == list(range(20))
    assert [aim.kind for aim in found[:6]] == ["start", "save", "step", "step", "save", "step"]
    assert all(0 <= aim.delay_s <= (4 if aim.kind == "start" else 0.3) for aim in found)
    assert aims(20, 160, seed=3, averages=True) == [*found[:-1], Aim("average", 0, 0.0)]
    assert [aim.kind for aim in aims(1, 48, seed=1, averages=True)] == ["step"]
    assert [str(Aim(kind, 5, 0.25)) for kind in ("start", "step", "save", "average")] == [
        *("0.250 s after the start", "0.250 s after step 5", "a save after step 5", "an average of checkpoints"),
    ]


# A stand-in for train.py: logs a step every 10 ms, and saves at every tenth; after step 20, for ever.
FAKE = """
import json, os, pathlib, sys, time
folder = pathlib.Path(sys.argv[1])
(folder / "checkpoints").mkdir(parents=True, exist_ok=True)
for path in (folder / "checkpoints").glob("*.tmp"):
    path.unlink()
start, end = int(sys.argv[2]), int(sys.argv[3])
log = folder / "new"
log.write_text("".join(json.dumps({"step": step}) + "\\n" for step in range(start)))
log.replace(folder / "metrics.jsonl")
for step in range(start, end):
    with open(folder / "metrics.jsonl", "a") as file:
        file.write(json.dumps({"step": step}) + "\\n")
    time.sleep(0.01)
    if step == 300:
        (folder / "checkpoints" / "average.h5.1-1.tmp").write_text("whole")
    if step % 10 == 9:
        (folder / "checkpoints" / "last.h5.1-1.tmp").write_text("half")
        time.sleep(0.05 if step < 20 else 600)  # there is time to kill it in, on a busy machine too
        (folder / "checkpoints" / "last.h5.1-1.tmp").unlink()
print("a last word")
sys.exit(3 if end == 7 else 0)
"""


@pytest.fixture
def fake(tmp_path, monkeypatch):
    """Calls with the first and last step of the stand-in."""
    monkeypatch.setattr(killing, "TRAIN", tmp_path / "fake.py")
    (tmp_path / "fake.py").write_text(FAKE)
    folder, output = tmp_path / "run", tmp_path / "output.txt"

    def call(aim: Aim | None, start: int, end: int):
        words = [str(folder), str(start), str(end)]
        if aim is None:
            return run_train(words, output, dict(os.environ))
        return kill_at(aim, folder, words, output, dict(os.environ))

    return call


def test_kills_where_it_was_aimed(fake, tmp_path):
    assert 12 <= fake(Aim("step", 12, 0.0), 0, 1000).step < 1000
    killed = fake(Aim("save", 21, 0.0), 13, 1000)
    assert (killed.step % 10, killed.left_over) == (9, ("last.h5.1-1.tmp",))
    assert killed.step == 29
    killed = fake(Aim("step", 5, 0.0), 200, 1000)  # the log before is beyond step 5, but not of this process
    assert 199 <= killed.step < 1000
    killed = fake(Aim("average", 0, 0.0), 300, 1000)
    assert 300 <= killed.step < 1000
    assert "average.h5.1-1.tmp" in killed.left_over
    assert fake(Aim("start", 0, 0.0), 0, 1000).step in (0, killed.step)
    assert fake(None, 0, 3) == 0


@pytest.mark.parametrize(("end", "status"), [(5, 0), (7, 3)])
def test_a_run_that_ends_before_its_kill(fake, tmp_path, end, status):
    with pytest.raises(TrainingError) as caught:
        fake(Aim("step", 50, 0.0), 0, end)
    assert str(caught.value) == (
        f"verify_resume: found exit status {status} before the kill, after saying: a last word, expected a run that is "
        f"still going on; read {tmp_path / 'output.txt'}, or ask for fewer kills."
    )


def test_a_run_that_says_nothing_is_given_up(fake, monkeypatch):
    """The stand-in, after step 29; before that it is heard of more often."""
    monkeypatch.setattr(killing, "LONGEST_S", 1.0)
    with pytest.raises(TrainingError, match="found no word for 1 s, after saying: nothing, expected a run that is "):
        fake(Aim("step", 50, 0.0), 13, 1000)


def test_what_is_to_be_read_stays(tmp_path, monkeypatch):
    """A temporary folder goes, but for the one that a sentence names."""
    monkeypatch.setattr(tempfile, "mkdtemp", lambda: tmp_path.mkdir(exist_ok=True) or str(tmp_path))
    monkeypatch.setattr(verify_resume, "verify", lambda request, folder: 0)
    assert main([]) == 0
    assert not tmp_path.exists()

    def fails(request, folder):
        (folder / "output.txt").write_text("a last word")
        raise TrainingError("verify_resume", found="a", expected="b", next_step=f"read {folder}/output.txt")

    monkeypatch.setattr(verify_resume, "verify", fails)
    assert main([]) == 2
    assert (tmp_path / "output.txt").read_text() == "a last word"


def test_what_is_left(tmp_path):
    assert left_overs(tmp_path / "none") == []
    assert last_step(tmp_path / "none") == 0
    (tmp_path / "log").write_text('{"step": 3}\n{"st')
    assert last_step(tmp_path / "log") == 3


def finished(folder: Path, **changes) -> Path:
    """What a run leaves, with one thing changed."""
    has = {"weight": 1.0, "slot": 2.0, "seconds": 3.0, "loss": 4.0, "cursor": 5, "resume": "null", **changes}
    (folder / "checkpoints").mkdir(parents=True)
    state = TrainingState(step=9, cursor=has["cursor"], seconds=has["seconds"])
    extras = {"adam_m x": np.array([has["slot"]]), "config": f"seed: 1\nresume: {has['resume']}\n"}
    for name in ("last.h5", "best.h5"):
        save(folder / "checkpoints" / name, {"x": np.array([has["weight"]])}, {**extras, "state": state.to_json()})
    events = [{"event": "train", "step": 1, "seconds": has["seconds"], "loss": has["loss"]}] * has.get("lines", 2)
    (folder / "metrics.jsonl").write_text("".join(json.dumps(event) + "\n" for event in events))
    return folder


@pytest.mark.parametrize("change", [{}, {"seconds": 99.0}, {"resume": "there"}])
def test_equal_apart_from_times(tmp_path, capsys, change):
    assert compare(finished(tmp_path / "a"), finished(tmp_path / "b", **change)) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[-1] == "equal"
    assert out[-2] == "temporary files left: none"
    assert len(out) == 5


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"weight": 1.0000001}, ": 1 differ: x\n"),
        ({"slot": 2.5}, ": 1 differ: <adam_m x>\n"),
        ({"cursor": 6}, ": 1 differ: <state>\n"),
        ({"loss": 4.5}, "differ at line 1"),
        ({"lines": 3}, "2 and 3 events, apart from times: differ at line 3"),
    ],
)
def test_every_difference_is_seen(tmp_path, capsys, change, told):
    assert compare(finished(tmp_path / "a"), finished(tmp_path / "b", **change)) == 1
    out = capsys.readouterr().out
    assert out.endswith("DIFFERENT\n")
    assert told in out


def test_a_temporary_file_that_stayed_is_a_difference(tmp_path, capsys):
    other = finished(tmp_path / "b")
    (other / "checkpoints" / "last.h5.1-1.tmp").write_text("")
    assert compare(finished(tmp_path / "a"), other) == 1
    assert "temporary files left: last.h5.1-1.tmp\nDIFFERENT" in capsys.readouterr().out


def test_digests_tell_types_and_shapes_apart(tmp_path):
    for name, value in (("a", np.zeros((2, 1))), ("b", np.zeros((1, 2))), ("c", np.zeros((2, 1), np.int64))):
        save(tmp_path / f"{name}.h5", {"x": value}, {})
    found = [digests(tmp_path / f"{name}.h5") for name in "abc"]
    assert len({one["x"] for one in found}) == 3
    assert "x" in differing(found[0], found[1])


def test_times_are_left_out_at_every_depth():
    assert without_times({"a": [{"seconds": 1, "b": 2}], "usd": 3}) == {"a": [{"b": 2}]}


def test_the_run_has_all_that_it_promises(tmp_path):
    words = " ".join(settings(tmp_path, 160))
    parts = ("dropout_state", "source_words", "train.average", "final_average", "subword.sampling", "data=mixture")
    for part in parts:
        assert part in words
    assert (tmp_path / "many.de").read_text(encoding="utf-8").count("\n") == 110


def test_it_starts_without_tensorflow():
    command = "import sys, nmt.tools.verify_resume; sys.exit('tensorflow' in sys.modules)"
    assert os.system(f'cd "{Path(__file__).resolve().parents[2]}" && "{sys.executable}" -c "{command}"') == 0


def test_its_earlier_name_leads_to_it():
    words = [sys.executable, "-m", "nmt.training.verify_resume", "kills=none"]
    done = subprocess.run(words, cwd=Path(__file__).resolve().parents[2], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (2, "kills: found none, expected a number from 1 on; write kills=20.\n")
