"""last, best and step-N; the thread that writes them; what is done about broken and left-over files."""

from __future__ import annotations

import errno
import logging
import os
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nmt.checkpoint import store as store_module
from nmt.checkpoint.blocks import CHUNK
from nmt.checkpoint.file import read_extras, read_parameters, save
from nmt.checkpoint.pace import Pace
from nmt.checkpoint.store import CheckpointStore
from nmt.errors import CheckpointError


def weights(step: int) -> dict[str, np.ndarray]:
    return {"x": np.full(3, step, np.float32)}


def filled(folder: Path, keep: int, best: tuple[int, ...], steps: int) -> CheckpointStore:
    """A store after saves at steps 1, 2, ..., `steps`."""
    store = CheckpointStore(folder, keep, sync=False)
    for step in range(1, steps + 1):
        store.save(step, weights(step), {"state": f"of {step}"}, best=step in best)
    store.drain()
    return store


def damage(path: Path) -> None:
    """Not in place, which would change other names of the same file."""
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.unlink()
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("keep", "names"),
    [
        (0, ["best.h5", "last.h5"]),
        (1, ["best.h5", "last.h5", "step-12.h5"]),
        (3, ["best.h5", "last.h5", "step-10.h5", "step-11.h5", "step-12.h5"]),
    ],
)
def test_last_best_and_the_newest_steps_stay(tmp_path, keep, names):
    store = filled(tmp_path / "new" / "folder", keep, best=(2, 5), steps=12)
    assert sorted(path.name for path in store.folder.iterdir()) == names
    assert store.last == store.folder / "last.h5"
    assert store.best == store.folder / "best.h5"
    assert [path.name for path in store.steps()] == names[2:]
    assert read_parameters(store.last)["x"].tolist() == [12, 12, 12]
    assert read_parameters(store.best)["x"].tolist() == [5, 5, 5]
    assert (read_extras(store.best)["state"], read_extras(store.best)["step"]) == ("of 5", 5)
    for path in store.steps():
        assert f"step-{read_extras(path)['step']}.h5" == path.name


def test_the_steps_that_are_needed_stay_beside_the_newest(tmp_path):
    for keep, names in ((0, ["step-2.h5", "step-4.h5"]), (1, ["step-2.h5", "step-4.h5", "step-5.h5"])):
        store = CheckpointStore(tmp_path / str(keep), keep, sync=False)
        for step, needed in ((1, (1,)), (2, (1, 2)), (3, (1, 2)), (4, (2, 4)), (5, (2, 4))):
            store.save(step, weights(step), {}, best=False, needed=needed)
        store.drain()
        assert [path.name for path in store.steps()] == names


def test_what_is_chosen_is_best_and_no_run_goes_on_from_an_average(tmp_path, caplog):
    store = filled(tmp_path, 2, best=(1,), steps=2)
    save(store.average(1), weights(7), {"step": 2, "made_by": "average of a few"})
    store.choose(store.average(1))
    store.average(1).unlink()
    assert read_parameters(store.best)["x"].tolist() == [7, 7, 7]
    store.last.unlink()
    assert store.newest_valid() == store.step(2)
    assert "going on from step-2.h5, of step 2" in caplog.text


def test_bytes_that_have_several_names_are_written_once(tmp_path):
    store = filled(tmp_path, 2, best=(3,), steps=3)
    files = {path.name: path.stat().st_ino for path in tmp_path.iterdir()}
    assert files["best.h5"] == files["last.h5"] == files["step-3.h5"] != files["step-2.h5"]
    store.save(4, weights(4), {}, best=False)
    assert read_extras(store.best)["step"] == 3  # replaced, not changed in place
    assert read_extras(store.last)["step"] == 4


def test_a_file_system_without_links_gets_copies(tmp_path, monkeypatch):
    def no_link(*_: object) -> None:
        raise OSError(errno.EPERM, "no links here")

    monkeypatch.setattr(os, "link", no_link)
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", synced.append)
    store = CheckpointStore(tmp_path, 1)
    store.save(1, weights(1), {}, best=True)
    store.drain()
    assert len({path.stat().st_ino for path in tmp_path.iterdir()}) == 3
    assert len({path.read_bytes() for path in tmp_path.iterdir()}) == 1
    assert len(synced) == 6  # each file and each name


def test_left_overs_of_a_killed_run_are_tidied_and_nothing_else(tmp_path):
    halves = (
        "last.h5.12-0.tmp",
        "step-7.h5.99-3.tmp",
        "best.h5.1-1.tmp",
        "average.h5.1-1.tmp",
        "average.h5.1-1.tmp.1-2.tmp",
    )
    for name in halves:
        (tmp_path / name).write_bytes(b"half")
    for name in ("notes.tmp", "other.h5.1-1.tmp", "last.h5"):
        (tmp_path / name).write_bytes(b"mine")
    CheckpointStore(tmp_path, 0)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["last.h5", "notes.tmp", "other.h5.1-1.tmp"]


def test_saving_goes_on_beside_training_one_at_a_time(tmp_path, monkeypatch):
    may_write, entered = threading.Event(), []

    def slow(*arguments: object, **named: object) -> None:
        entered.append(threading.current_thread().name)
        assert may_write.wait(60)
        save(*arguments, **named)

    monkeypatch.setattr(store_module, "save", slow)
    store = CheckpointStore(tmp_path, 0, sync=False)
    store.save(1, weights(1), {}, best=False)  # returns though nothing is written
    assert list(tmp_path.iterdir()) == []
    second = threading.Thread(target=store.save, args=(2, weights(2), {}, False))
    second.start()
    second.join(0.2)
    assert second.is_alive()  # waits for the first
    may_write.set()
    second.join(60)
    store.drain()
    assert entered == ["save of step 1", "save of step 2"]
    assert read_extras(store.last)["step"] == 2


@pytest.mark.skipif(sys.platform != "linux", reason="Linux alone has priorities of threads")
def test_the_thread_gives_way_to_training(tmp_path, monkeypatch):
    ours, theirs = os.getpriority(os.PRIO_PROCESS, 0), []
    monkeypatch.setattr(
        store_module, "save", lambda *_, **__: theirs.append(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))
    )
    with CheckpointStore(tmp_path, 0) as store:
        store.save(1, weights(1), {}, best=False)
    assert theirs == [min(19, ours + store_module.NICENESS)]
    assert os.getpriority(os.PRIO_PROCESS, 0) == ours


@pytest.mark.parametrize("wait", ["drain", "save", "last", "exit"])
def test_a_save_rests_until_something_waits_for_it(tmp_path, monkeypatch, wait):
    resting, paces = threading.Event(), []

    def slow(*arguments: Any, **named: Any) -> None:
        pace: Pace = named["pace"]
        paces.append(pace)
        resting.set()
        if len(paces) == 1:
            assert pace._hurried.wait(60)  # a rest that would never end
        save(*arguments, **named)

    monkeypatch.setattr(store_module, "save", slow)
    with CheckpointStore(tmp_path, 0, sync=False) as store:
        store.save(1, weights(1), {}, best=False)
        assert resting.wait(60)
        assert not paces[0]._hurried.is_set()
        if wait == "save":
            store.save(2, weights(2), {}, best=False)
        elif wait != "exit":
            assert store.drain() is None if wait == "drain" else store.last.exists()
    assert paces[0]._hurried.is_set()
    assert read_extras(tmp_path / "last.h5")["step"] == len(paces)


def test_the_store_s_pace_reaches_the_bytes(tmp_path, monkeypatch):
    rests = []
    monkeypatch.setattr(Pace, "rest", lambda self: rests.append(threading.current_thread().name))
    with CheckpointStore(tmp_path, 0) as store:
        store.save(1, {"a": np.zeros(3 * CHUNK, np.uint8)}, {}, best=False)
    assert rests.count("save of step 1") >= 3


def test_an_error_of_the_thread_is_raised_by_the_next_call(tmp_path, monkeypatch):
    store = filled(tmp_path, 0, best=(), steps=1)
    real = os.replace

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "replace", full)
    store.save(2, weights(2), {}, best=False)
    store._wait()
    monkeypatch.setattr(os, "replace", real)
    with pytest.raises(CheckpointError, match=r"last.h5: found no space left on device"):
        store.save(3, weights(3), {}, best=False)
    store.drain()  # the third save was under way all the same
    assert read_extras(store.last)["step"] == 3


@pytest.mark.parametrize("ask", [CheckpointStore.drain, lambda store: store.last, lambda store: store.best])
def test_or_by_whoever_waits_for_it(tmp_path, monkeypatch, ask):
    monkeypatch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(OSError(errno.EIO, "input/output error")))
    store = CheckpointStore(tmp_path, 0)
    store.save(1, weights(1), {}, best=False)
    with pytest.raises(CheckpointError, match="input/output error"):
        ask(store)
    store.drain()  # told once
    assert list(tmp_path.iterdir()) == []


def test_an_error_is_told_as_soon_as_it_is_there_without_waiting(tmp_path, monkeypatch):
    may_fail = threading.Event()

    def slow(*_: object, **__: object) -> None:
        assert may_fail.wait(60)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "replace", slow)
    store = CheckpointStore(tmp_path, 0)
    store.check()  # nothing was saved yet
    store.save(1, weights(1), {}, best=False)
    store.check()  # under way
    may_fail.set()
    store._thread.join(60)
    with pytest.raises(CheckpointError, match="no space left on device"):
        store.check()
    store.check()  # told once


def test_as_a_context_it_drains_itself_and_does_not_hide_another_error(tmp_path, monkeypatch):
    with CheckpointStore(tmp_path, 0) as store:
        store.save(1, weights(1), {}, best=False)
    assert (tmp_path / "last.h5").exists()
    monkeypatch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(OSError(errno.EIO, "input/output error")))
    with pytest.raises(ZeroDivisionError), CheckpointStore(tmp_path, 0) as store:
        _save_and_divide(store)
    with pytest.raises(CheckpointError), CheckpointStore(tmp_path, 0) as store:
        store.save(2, weights(2), {}, best=False)


def _save_and_divide(store: CheckpointStore) -> None:
    store.save(2, weights(2), {}, best=False)
    raise ZeroDivisionError


def test_errors_of_the_folder_itself(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    with pytest.raises(CheckpointError, match="file exists, expected room and permission"):
        CheckpointStore(tmp_path / "file", 0)
    store = filled(tmp_path / "run", 1, best=(), steps=1)

    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EACCES, os.strerror(errno.EACCES))

    store.save(2, weights(2), {}, best=False)
    store._wait()
    monkeypatch.setattr(Path, "unlink", refuse)
    store.save(3, weights(3), {}, best=False)
    with pytest.raises(CheckpointError, match="run: found permission denied"):
        store.drain()


def test_the_newest_valid_one_is_last(tmp_path, caplog):
    store = filled(tmp_path, 2, best=(2,), steps=4)
    with caplog.at_level(logging.WARNING):
        assert store.newest_valid() == store.last
    assert caplog.messages == []


@pytest.mark.parametrize("broken", [True, False])
def test_a_broken_or_missing_last_falls_back_and_says_so(tmp_path, caplog, broken):
    store = filled(tmp_path, 3, best=(2,), steps=4)
    if broken:
        damage(store.last)
    else:
        store.last.unlink()
    damage(tmp_path / "step-4.h5")
    with caplog.at_level(logging.WARNING):
        assert store.newest_valid().name == "step-3.h5"
    assert caplog.messages[-1] == f"{store.last} is missing or broken: going on from step-3.h5, of step 3"
    assert len(caplog.messages) == 3  # and why, of each


def test_best_is_a_way_back_too(tmp_path):
    store = filled(tmp_path, 0, best=(2,), steps=4)
    damage(store.last)
    assert store.newest_valid() == store.best


def test_a_whole_file_of_somebody_else_comes_after_those_of_the_run(tmp_path):
    store = filled(tmp_path, 1, best=(), steps=1)
    store.last.unlink()
    save(tmp_path / "best.h5", weights(9), {})
    assert store.newest_valid().name == "step-1.h5"
    (tmp_path / "step-1.h5").unlink()
    assert store.newest_valid().name == "best.h5"


def test_no_whole_checkpoint_is_an_error(tmp_path):
    store = filled(tmp_path, 0, best=(1,), steps=1)
    damage(store.last)
    damage(store.best)
    with pytest.raises(CheckpointError) as caught:
        store.newest_valid()
    assert str(caught.value) == (
        f"{tmp_path}: found no whole checkpoint, expected last.h5, best.h5 or a step-N.h5; start the run anew."
    )


def test_a_run_that_ended_before_its_first_save_has_no_checkpoint(tmp_path):
    assert CheckpointStore(tmp_path, 0).newest_valid() is None
