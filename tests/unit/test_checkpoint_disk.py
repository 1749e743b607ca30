"""Full disks, missing permissions, vanished folders, and power that fails between any two calls of the system."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from nmt.checkpoint.file import read_extras, read_parameters, save
from nmt.checkpoint.store import CheckpointStore
from nmt.errors import CheckpointError
from tests.unit.checkpoint_tools import saved, weights

PLACES = ["open", "pwrite", "fsync", "replace", "ftruncate", "posix_fallocate"]
SENTENCES = {
    errno.ENOSPC: "found no space left on device, expected room and permission to write the checkpoint; "
    "free some space; what was there before is untouched.",
    errno.EDQUOT: "found disk quota exceeded, expected room and permission to write the checkpoint; "
    "free some of your quota; what was there before is untouched.",
    errno.EACCES: "found permission denied, expected room and permission to write the checkpoint; "
    "change the permissions or choose another folder.",
    errno.EROFS: "found read-only file system, expected room and permission to write the checkpoint; "
    "choose a folder that can be written.",
    errno.EIO: "found input/output error, expected room and permission to write the checkpoint; "
    "see what the disk says; what was there before is untouched.",
}


def failing(monkeypatch: pytest.MonkeyPatch, place: str, number: int, after: int = 0) -> None:
    """From its call `after` on, a function of `os` raises."""
    real, calls = getattr(os, place), [0]

    def call(*arguments: object, **named: object) -> object:
        writes = place != "open" or (isinstance(arguments[1], int) and arguments[1] & os.O_CREAT)
        calls[0] += 1 if writes else 0
        if writes and calls[0] > after:
            raise OSError(number, os.strerror(number))
        return real(*arguments, **named)

    monkeypatch.setattr(os, place, call)


@pytest.mark.skipif(sys.platform != "linux", reason="one of the calls is of Linux alone")
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("number", SENTENCES)
def test_the_checkpoint_before_it_stays(tmp_path, monkeypatch, place, number):
    path = saved(tmp_path / "a.h5")
    before = path.read_bytes()
    failing(monkeypatch, place, number)
    with pytest.raises(CheckpointError) as caught:
        save(path, {"x": np.zeros(3)}, {})
    monkeypatch.undo()
    assert str(caught.value) == f"{path}: {SENTENCES[number]}"
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("after", range(12))
def test_a_disk_that_fills_up_on_the_way(tmp_path, monkeypatch, after):
    """The HDF5 library writes through us too, and an error there is not lost."""
    path = saved(tmp_path / "a.h5")
    before = path.read_bytes()
    failing(monkeypatch, "pwrite", errno.ENOSPC, after)
    with pytest.raises(CheckpointError, match="no space left on device"):
        save(path, weights(), {"config": "x" * 100})
    monkeypatch.undo()
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_writes_that_do_less_than_they_were_asked(tmp_path, monkeypatch):
    real = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda fd, data, offset: real(fd, data[: max(1, len(data) // 2)], offset))
    save(tmp_path / "a.h5", weights(), {})
    monkeypatch.undo()
    assert_array_equal(read_parameters(tmp_path / "a.h5")["decoder/table"], weights()["decoder/table"])


@pytest.mark.parametrize("number", [errno.EOPNOTSUPP, errno.EINVAL])
def test_a_file_system_that_cannot_reserve_room(tmp_path, monkeypatch, number):
    failing(monkeypatch, "posix_fallocate", number)
    save(tmp_path / "a.h5", weights(), {})
    assert read_parameters(tmp_path / "a.h5").keys() == weights().keys()


def test_a_folder_that_vanished(tmp_path):
    with pytest.raises(CheckpointError) as caught:
        save(tmp_path / "gone" / "a.h5", weights(), {})
    assert str(caught.value).endswith(
        "found no such file or directory, expected room and permission to write the checkpoint; "
        "make the folder again or choose another one."
    )


def test_an_error_of_ours_leaves_nothing_behind(tmp_path):
    class Broken:
        shape, dtype = (2,), np.dtype("f4")

        def numpy(self) -> np.ndarray:
            raise RuntimeError("ours")

    with pytest.raises(RuntimeError, match="ours"):
        save(tmp_path / "a.h5", {"x": Broken()}, {})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("sync", [True, False])
def test_sync_is_two_calls_or_none(tmp_path, monkeypatch, sync):
    calls = []
    monkeypatch.setattr(os, "fsync", lambda fd: calls.append(os.readlink(f"/proc/self/fd/{fd}")))
    save(tmp_path / "a.h5", weights(), {}, sync=sync)
    assert [Path(call).name.split(".")[0] for call in calls] == (["a", tmp_path.name] if sync else [])


# Power.


@dataclass
class Disk:
    """A recording of what a program asked of one folder, and what a disk may hold if the power fails at any point.

    The model is a pessimist's: of a file, only what was written before its last fsync is sure, and the rest may be
    there or not; of the folder, names are sure only after its fsync, and before it each rename may have happened or
    not, in order.
    """

    folder: Path
    events: list[tuple] = field(default_factory=list)

    def states(self, durable: dict[str, bytes]) -> Iterator[dict[str, bytes]]:
        """What the folder may hold after each prefix of the recording. Starts from a durable state."""
        for stop in range(len(self.events) + 1):
            yield from self._after(self.events[:stop], durable)

    def _after(self, events: list[tuple], durable: dict[str, bytes]) -> Iterator[dict[str, bytes]]:
        files: dict[int, bytearray] = {}  # what the program sees, by file
        synced: dict[int, bytes] = {}
        names: dict[str, int] = {}
        for number, (name, content) in enumerate(durable.items()):
            files[-number - 1], synced[-number - 1], names[name] = bytearray(content), content, -number - 1
        sure = dict(names)
        pending: list[dict[str, int]] = []
        for kind, *what in events:
            if kind == "create":
                name, number = what
                files[number], synced[number], names[name] = bytearray(), b"", number
            elif kind == "write":
                number, offset, data = what
                if len(files[number]) < offset + len(data):
                    files[number].extend(bytes(offset + len(data) - len(files[number])))
                files[number][offset : offset + len(data)] = data
            elif kind == "truncate":
                number, size = what
                files[number][size:] = bytes(max(0, size - len(files[number])))
            elif kind == "sync":
                synced[what[0]] = bytes(files[what[0]])
            elif kind == "sync folder":
                sure, pending = dict(names), []
            else:
                names = _moved(names, kind, *what)
                pending.append(dict(names))
        for table in [sure, *pending]:
            for surviving in (synced, {number: bytes(content) for number, content in files.items()}):
                yield {name: surviving[number] for name, number in table.items() if name.endswith(".h5")}


def _moved(names: dict[str, int], kind: str, *what: str) -> dict[str, int]:
    new = dict(names)
    if kind == "replace":
        new[what[1]] = new.pop(what[0])
    elif kind == "link":
        new[what[1]] = new[what[0]]
    else:
        new.pop(what[0], None)
    return new


def record(monkeypatch: pytest.MonkeyPatch, disk: Disk) -> None:
    """Listen to every call with which the checkpoint package changes the disk."""
    numbers: dict[int, int] = {}  # descriptor -> file
    count = [0]

    def wrap(name: str, note: Callable[..., tuple | None]) -> None:
        real = getattr(os, name)

        def call(*arguments: object, **named: object) -> object:
            result = real(*arguments, **named)
            event = note(result, *arguments)
            if event is not None:
                disk.events.append(event)
            return result

        monkeypatch.setattr(os, name, call)

    def opened(fd: int, path: Path, flags: int, *_: object) -> tuple | None:
        numbers.pop(fd, None)
        if not flags & os.O_CREAT:
            return None
        count[0] += 1
        numbers[fd] = count[0]
        return "create", Path(path).name, count[0]

    wrap("open", opened)
    wrap("pwrite", lambda size, fd, data, offset: ("write", numbers[fd], offset, bytes(data[:size])))
    wrap("ftruncate", lambda _, fd, size: ("truncate", numbers[fd], size))
    wrap("fsync", lambda _, fd: ("sync", numbers[fd]) if fd in numbers else ("sync folder",))
    wrap("replace", lambda _, a, b: ("replace", Path(a).name, Path(b).name))
    wrap("link", lambda _, a, b: ("link", Path(a).name, Path(b).name))
    wrap("unlink", lambda _, a, **named: ("unlink", Path(a).name))


def test_power_may_fail_at_any_moment(tmp_path, monkeypatch):
    """A store saves last, best and steps over older ones: every state of the disk has a whole checkpoint.

    And what it has under a name is whole, and `last` is never newer than the `best` it speaks of.
    """
    folder = tmp_path / "checkpoints"
    with CheckpointStore(folder, keep=1) as store:
        store.save(1, {"x": np.full(3, 1.0)}, {}, best=True)
    durable = {path.name: path.read_bytes() for path in folder.iterdir()}
    disk = Disk(folder)
    record(monkeypatch, disk)
    with CheckpointStore(folder, keep=1) as store:
        store.save(2, {"x": np.full(3, 2.0)}, {}, best=True)
        store.save(3, {"x": np.full(3, 3.0)}, {}, best=False)
    monkeypatch.undo()
    assert {kind for kind, *_ in disk.events} >= {"create", "write", "sync", "replace", "sync folder", "link", "unlink"}
    seen: dict[bytes, int] = {}
    num_states = 0
    for state in disk.states(durable):
        num_states += 1
        steps = {name: _step(content, tmp_path, seen) for name, content in state.items()}
        assert {"last.h5", "best.h5"} <= set(steps)
        assert steps["last.h5"] in (1, 2, 3)
        assert steps["best.h5"] >= min(steps["last.h5"], 2)
    assert num_states > 60
    assert sorted(set(seen.values())) == [1, 2, 3]


def _step(content: bytes, folder: Path, seen: dict[bytes, int]) -> int:
    """The step of a whole file, whose parameters are that number too. Files repeat: each is read once."""
    if content not in seen:
        path = folder / "state.h5"
        path.write_bytes(content)
        seen[content] = int(read_extras(path)["step"])
        assert_array_equal(read_parameters(path)["x"], np.full(3, float(seen[content])))
    return seen[content]


def test_the_recording_would_notice_a_save_without_fsync(tmp_path, monkeypatch):
    """The test above is not blind: without fsync it finds a name for half a file."""
    folder = tmp_path / "checkpoints"
    with CheckpointStore(folder, keep=0, sync=False) as store:
        store.save(1, {"x": np.full(3, 1.0)}, {}, best=False)
    durable = {path.name: path.read_bytes() for path in folder.iterdir()}
    disk = Disk(folder)
    record(monkeypatch, disk)
    with CheckpointStore(folder, keep=0, sync=False) as store:
        store.save(2, {"x": np.full(3, 2.0)}, {}, best=False)
    monkeypatch.undo()
    contents = [content for state in disk.states(durable) for content in state.values()]
    with pytest.raises(CheckpointError, match="an empty file"):
        [_step(content, tmp_path, {}) for content in contents]
