"""metrics.jsonl and TensorBoard's event files, read back."""

from __future__ import annotations

import json
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest

from nmt.errors import DataError
from nmt.report.events import EventLog, read_events
from nmt.report.tensorboard import EventFile


def event(name, step, **more):
    return {"event": name, "step": step, "epoch": step / 10, "seconds": step * 2.0, **more}


def png(width, height):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    rows = zlib.compress(b"\0" * (height * (width + 1)))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def records(folder):
    """Events of all files of a folder; record = length, crc, data, crc."""
    from tensorboard.compat.proto.event_pb2 import Event

    for path in sorted(folder.iterdir()):
        data, place = path.read_bytes(), 0
        while place < len(data):
            (length,) = struct.unpack_from("<Q", data, place)
            yield Event.FromString(data[place + 12 : place + 12 + length])
            place += 16 + length


def values(folder):
    return {(v.tag, e.step): v for e in records(folder) for v in e.summary.value}


def test_each_event_is_a_flushed_line_and_its_numbers_are_scalars(tmp_path):
    log = EventLog(tmp_path / "run")
    log.write(event("train", 1, loss=np.float32(0.5), target_tokens=np.int64(7), note="ä", flag=True))
    log.write(event("save", 1))
    lines = (tmp_path / "run/metrics.jsonl").read_text(encoding="utf-8").splitlines()  # before it is closed
    assert [json.loads(line) for line in lines] == [
        event("train", 1, loss=0.5, target_tokens=7, note="ä", flag=True),
        event("save", 1),
    ]
    assert "ä" in lines[0]
    found = values(tmp_path / "run/tensorboard")
    assert {tag: v.tensor.float_val[0] for (tag, _), v in found.items()} == {
        "train/epoch": pytest.approx(0.1),
        "train/loss": 0.5,
        "train/target_tokens": 7.0,
    }
    assert {v.metadata.plugin_data.plugin_name for v in found.values()} == {"scalars"}
    log.close()


@pytest.mark.parametrize("value", [float("nan"), float("inf"), np.float32("-inf")])
def test_what_is_not_finite_is_null(tmp_path, value):
    with EventLog(tmp_path) as log:
        log.write(event("validate", 2, loss=value, nested={"a": [value, 1.0]}))
    (found,) = read_events(tmp_path / "metrics.jsonl")
    assert found["loss"] is None
    assert found["nested"] == {"a": [None, 1.0]}
    assert not np.isfinite(values(tmp_path / "tensorboard")["validate/loss", 2].tensor.float_val[0])


def test_text_images_and_settings_reach_tensorboard(tmp_path):
    picture = png(3, 2)
    with EventLog(tmp_path / "my run") as log:
        log.text("samples", "größer | **größer**", 5)
        log.image("attention", picture, 5)
        log.hparams({"model.units": 64, "train.learning_rate": 0.5, "cell": "gru", "average": True})
    found = values(tmp_path / "my run/tensorboard")
    assert found["samples", 5].tensor.string_val[0].decode() == "größer | **größer**"
    assert found["samples", 5].metadata.plugin_data.plugin_name == "text"
    assert list(found["attention", 5].tensor.string_val) == [b"3", b"2", picture]
    assert found["attention", 5].metadata.plugin_data.plugin_name == "images"
    settings = found["_hparams_/session_start_info", 0].metadata.plugin_data.content
    assert all(word in settings for word in (b"model.units", b"train.learning_rate", b"gru", b"my run"))


READ_BACK = """
import sys, types
sys.modules["tensorboard.compat.notf"] = types.ModuleType("notf")  # its reader, without TensorFlow
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
reader = EventAccumulator(sys.argv[1])
reader.Reload()
print([(e.step, e.tensor_proto.float_val[0]) for e in reader.Tensors("train/loss")], reader.Tags()["tensors"])
"""


def test_tensorboards_own_reader_sees_it_and_nothing_that_was_cut(tmp_path):
    with EventLog(tmp_path) as log:
        log.text("samples", "one", 1)
        for step in (1, 2, 3):
            log.write(event("train", step, loss=float(step)))
        log.image("attention", png(1, 1), 3)
    (old,) = (tmp_path / "tensorboard").iterdir()
    old.write_bytes(old.read_bytes()[:-3])  # killed while writing
    with EventLog(tmp_path) as log:
        log.cut_back(1, None)
        log.write(event("train", 2, loss=20.0))
    command = [sys.executable, "-c", READ_BACK, str(tmp_path / "tensorboard")]
    found = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert found.strip() == "[(1, 1.0), (2, 20.0)] ['samples', 'train/epoch', 'train/loss']"
    assert len(list((tmp_path / "tensorboard").iterdir())) == 2


def test_cut_back_keeps_up_to_the_save_and_appends_after_it(tmp_path):
    with EventLog(tmp_path) as log:
        for name, step in (("train", 1), ("validate", 2), ("save", 2), ("end", 2)):
            log.write(event(name, step))
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"event": "tr')  # killed while writing
    with EventLog(tmp_path) as log:
        log.cut_back(2, None)
        log.write(event("train", 3))
    found = [(e["event"], e["step"]) for e in read_events(tmp_path / "metrics.jsonl")]
    assert found == [("train", 1), ("validate", 2), ("save", 2), ("train", 3)]
    assert not list(tmp_path.glob("*.tmp"))


def test_cut_back_without_that_save_goes_by_the_step(tmp_path):
    with EventLog(tmp_path) as log:
        for step in (1, 2, 3):
            log.write(event("train", step))
        log.cut_back(2, None)
        assert [e["step"] for e in read_events(tmp_path / "metrics.jsonl")] == [1, 2]
        log.cut_back(0, None)
        assert read_events(tmp_path / "metrics.jsonl") == []


@pytest.mark.parametrize(("lines", "kept"), [(0, 0), (2, 2), (3, 3), (9, 4)])
def test_cut_back_by_the_number_of_lines_goes_no_further_than_the_step(tmp_path, lines, kept):
    """A save that a request to stop caused is not among the lines, nor is a validation that was not finished."""
    told = [("train", 1), ("train", 2), ("validate", 2), ("save", 2), ("train", 3)]
    with EventLog(tmp_path) as log:
        for name, step in told:
            log.write(event(name, step))
        log.cut_back(2, lines)
    assert [(e["event"], e["step"]) for e in read_events(tmp_path / "metrics.jsonl")] == told[:kept]


def test_a_line_that_the_disk_refused_is_written_when_there_is_room(tmp_path, monkeypatch):
    class Full:
        """Takes five bytes, then nothing."""

        def __init__(self, file):
            self.file, self.room = file, 5

        def write(self, data):
            if not self.room:
                raise OSError(28, "No space left on device")
            done, self.room = self.file.write(data[: self.room]), 0
            return done

    with EventLog(tmp_path) as log:
        real = log._file
        monkeypatch.setattr(log, "_file", Full(real))
        for step in (1, 2):
            with pytest.raises(DataError) as caught:
                log.write(event("train", step))
        assert str(caught.value) == (
            f"{tmp_path / 'metrics.jsonl'}: found no space left on device, expected a place that can be written; "
            "choose another folder with hydra.run.dir, or free some space."
        )
        assert (tmp_path / "metrics.jsonl").read_bytes() == b'{"eve'
        log._file = real
        log.write(event("train", 3))
    assert [e["step"] for e in read_events(tmp_path / "metrics.jsonl")] == [1, 2, 3]


@pytest.mark.parametrize("line", ["no json", "[1]", '{"event": "train"}'])
def test_a_broken_line_is_named(tmp_path, line):
    path = tmp_path / "metrics.jsonl"
    path.write_text(json.dumps(event("train", 1)) + f"\n{line}\n")
    with pytest.raises(DataError) as caught:
        read_events(path)
    assert str(caught.value) == (
        f"{path}, line 2: found {line!r}, expected a JSON object with event, step, epoch, seconds; "
        "delete the line, or the file: it is a log, and nothing is resumed from it."
    )


def test_a_missing_or_unreadable_log_is_named(tmp_path):
    path = tmp_path / "metrics.jsonl"
    with pytest.raises(DataError) as caught:
        read_events(path)
    assert str(caught.value) == (
        f"{path}: found no file that can be read, expected the metrics.jsonl of a run; name a run folder."
    )
    path.write_bytes(b"\xff\n")
    with pytest.raises(DataError, match=r"metrics.jsonl, line 1: found '\ufffd', expected a JSON object"):
        read_events(path)


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path, monkeypatch):
    def refuse(*_args, **_options):
        raise PermissionError(13, "Permission denied")

    with EventLog(tmp_path / "before") as log:
        monkeypatch.setattr(log, "_board", type("Board", (), {"text": refuse, "image": refuse, "hparams": refuse}))
        for call in (lambda: log.text("a", "b", 1), lambda: log.image("a", b"", 1), lambda: log.hparams({})):
            with pytest.raises(DataError, match="tensorboard: found permission denied"):
                call()
        monkeypatch.undo()
    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(DataError) as caught:
        EventLog(tmp_path / "run")
    assert str(caught.value) == (
        f"{tmp_path / 'run'}: found permission denied, expected a place that can be written; "
        "choose another folder with hydra.run.dir, or free some space."
    )


def test_our_own_bugs_keep_their_traceback(tmp_path):
    with EventLog(tmp_path) as log:
        with pytest.raises(AssertionError, match=r"an event without \['seconds'\]"):
            log.write({"event": "train", "step": 1, "epoch": 0.0})
        with pytest.raises(AssertionError, match="an event called 'lunch'"):
            log.write(event("lunch", 1))
        with pytest.raises(AssertionError, match="PNG"):
            log.image("a", b"GIF89a", 1)


def test_two_logs_in_one_second_have_files_of_their_own(tmp_path):
    for _ in range(3):
        EventFile(tmp_path).close()
    assert len(list(tmp_path.iterdir())) == 3


def test_the_log_does_not_import_tensorflow():
    command = (
        "import sys, tempfile, pathlib; from nmt.report.events import EventLog\n"
        "with EventLog(pathlib.Path(tempfile.mkdtemp())) as log:\n"
        "    log.text('a', 'b', 1)\n"
        "    log.hparams({'a': 1})\n"
        "assert 'tensorflow' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", command], check=True)
