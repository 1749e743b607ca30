"""Files of ours with a value of another type: each is refused in one sentence that names it (found by the fuzz)."""

from __future__ import annotations

import json
import struct
from dataclasses import asdict

import numpy as np
import pytest

from nmt.config.launch import Launch, LaunchConfig
from nmt.errors import ConfigError, DataError, LaunchError, MetricError, SweepError
from nmt.launch import bill, start, terms
from nmt.launch.access import read_keys
from nmt.launch.assignment import load_assignment
from nmt.launch.upload import remembered
from nmt.metrics.vectors import load_vectors, open_vectors
from nmt.report.events import read_events
from nmt.report.tensorboard import forget_after
from nmt.sweep.ledger import Ledger, read_standings

DEEP = "[" * 100_000
EVENT = {"event": "validate", "step": 6, "epoch": 1.0, "seconds": 2.0, "bleu": 1.5}
BEGUN = {
    "event": "start",
    "trial": "a",
    "group": "g",
    "number": 0,
    "overrides": ["seed=1"],
    "folder": "0",
    "where": "cpu",
}
ENDED = {
    "event": "end",
    "trial": "a",
    "status": "finished",
    "exit_status": 0,
    "score": 1.0,
    "seconds": 2.0,
    "usd": None,
}
PAID = bill.Event("2026-11-28T10:00:00+00:00", "started", "i-01", "t3", "eu-west-1", False, 0.5, 60, 0.01)


@pytest.mark.parametrize(
    "change",
    [
        {"step": "6"},
        {"step": [6]},
        {"seconds": None},
        {"bleu": "high"},
        {"event": "test"},
        {"seconds": 1e300},
        {"epoch": "\ud800"},
    ],
)
def test_an_event_of_a_log(tmp_path, change):
    (tmp_path / "metrics.jsonl").write_text(f"{json.dumps(EVENT)}\n{json.dumps({**EVENT, **change})}\n")
    with pytest.raises(DataError, match=r"metrics.jsonl, line 2: found '.*', expected a JSON object with event, step"):
        read_events(tmp_path / "metrics.jsonl")


def test_a_log_is_cut_into_lines_at_line_feeds_alone(tmp_path):
    event = {**EVENT, "event": "test", "data": "one\u2028two"}
    torn = '{"event": "ö'.encode()[:-1]  # a kill came within a character
    (tmp_path / "metrics.jsonl").write_bytes(json.dumps(event, ensure_ascii=False).encode() + b"\n" + torn)
    assert read_events(tmp_path / "metrics.jsonl") == [event]


@pytest.mark.parametrize(
    "event",
    [
        *({**BEGUN, **change} for change in ({"trial": []}, {"number": "0"}, {"overrides": [1]}, {"overrides": "x"})),
        *({**BEGUN, "folder": folder} for folder in ("", "..", "/etc", "a/b", "x" * 256, "\0")),
        *({**ENDED, **change} for change in ({"status": "won"}, {"seconds": "2"}, {"seconds": 10**400}, {"usd": []})),
        *({"event": []}, [], None),
    ],
)
def test_an_event_of_a_ledger(tmp_path, event):
    (tmp_path / "ledger.jsonl").write_text(f"{json.dumps(BEGUN)}\n{json.dumps(event)}\n")
    with pytest.raises(
        SweepError, match=r"ledger.jsonl, line 2: found .* expected a JSON object that tells how a trial"
    ):
        read_standings(tmp_path)


def test_a_ledger_with_a_word_that_is_no_unicode(tmp_path):
    """As a command line may have it: a name of a folder in another encoding."""
    with Ledger(tmp_path) as ledger:
        ledger.write("start", "a", {**BEGUN, "overrides": ["data.train=\udcff"]})
        assert ledger.standings()["a"].overrides == ("data.train=\udcff",)


def test_a_record_of_tensorboard(tmp_path):
    record = b"\xff\xff\xff"
    content = struct.pack("<Q", len(record)) + b"1234" + record + b"1234"
    (tmp_path / "events.out.tfevents.1").write_bytes(content)
    with pytest.raises(DataError, match=r"tfevents.1: found a broken record, expected what TensorBoard shows of a run"):
        forget_after(tmp_path, 6)


def test_words_of_an_archive_that_unicode_does_not_have(tmp_path):
    words = np.array(["dog"])
    words.view(np.uint32)[0] = 0x110000
    np.savez(tmp_path / "table.npz", words=words, vectors=np.ones((1, 2)))
    with pytest.raises(MetricError, match="found words with characters that Unicode does not have"):
        load_vectors(tmp_path / "table.npz", None)


@pytest.mark.parametrize("line", [b"\xff", b"[]", DEEP.encode(), b'{"time": 1}'])
def test_a_line_of_a_bill(tmp_path, line):
    sound = json.dumps(asdict(PAID)).encode()
    (tmp_path / "bill.jsonl").write_bytes(b"\n".join((sound, line, sound)) + b"\n")
    with pytest.raises(LaunchError, match=r"bill.jsonl, line 2: found no event, expected one as it was written"):
        bill.read_events(tmp_path)


@pytest.mark.parametrize(
    "change", [{"time": "soon"}, {"id": []}, {"disk_gb": "60"}, {"spot": None}, {"usd_per_hour": ""}]
)
def test_an_event_of_a_bill(tmp_path, change):
    lines = [json.dumps({**asdict(PAID), **one}) for one in (change, {})]
    (tmp_path / "bill.jsonl").write_text("\n".join(lines) + "\n")
    with pytest.raises(LaunchError, match=r"bill.jsonl, line 1: found no event"):
        bill.read_events(tmp_path)


@pytest.mark.parametrize("text", ["[]", DEEP, '{"region": "r", "zone": "", "parameters": {"InstanceType": "t3"}}'])
def test_a_request_for_a_machine(tmp_path, text):
    (tmp_path / "starting.json").write_text(text)
    with pytest.raises(LaunchError, match=r"starting.json: found no request that can be read"):
        start.load_request(tmp_path)


def test_the_terms_of_a_machine(tmp_path):
    path = tmp_path / "nmt" / "terms.json"
    path.parent.mkdir()
    here = Launch(launch=LaunchConfig(folder=str(tmp_path)))
    for options, told in (
        ({"launch.region": ["x"]}, "launch.region: found [x], expected text"),
        ({"launch.regio": "x"}, "launch.regio: found no option of this name, expected one of this version"),
    ):
        path.write_text(json.dumps({"account": "1", "options": options}))
        with pytest.raises(ConfigError) as refused:
            terms.of_machine(here, "nmt")
        assert str(refused.value).startswith(told)
    path.write_text(json.dumps({"account": 1, "options": {}}))
    with pytest.raises(LaunchError, match=r"terms.json: found nothing that can be read"):
        terms.load_terms(path.parent)


@pytest.mark.parametrize("text", ["", "[7]", '[{"sources": [3], "target": "x"}]', '[{"sources": "x"}]', DEEP])
def test_the_data_of_a_run_that_was_sent(tmp_path, text):
    (tmp_path / "machine").mkdir()
    (tmp_path / "machine" / "data.json").write_text(text)
    with pytest.raises(ConfigError, match=r"data.json, which cannot be read, expected the data that the run was given"):
        remembered(tmp_path)


def test_the_assignment_and_the_keys_of_a_machine(tmp_path):
    (tmp_path / "nmt").mkdir()
    (tmp_path / "nmt" / "job.json").write_text('{"words": "seed=1", "run": "r", "folder": "f", "remote": "/r"}')
    with pytest.raises(LaunchError, match=r"launch.name=nmt: found a broken job.json"):
        load_assignment(tmp_path, "nmt")
    (tmp_path / "known_hosts").write_bytes(b"\xff\n")
    with pytest.raises(LaunchError, match=r"known_hosts: found nothing that can be read, expected the keys"):
        read_keys(tmp_path / "known_hosts")


def test_a_pickle_that_asks_for_room_for_four_billion_objects(tmp_path):
    (tmp_path / "table").write_bytes(b"\x80\x04]r\xfe\xff\xff\xff.")
    with pytest.raises(MetricError, match="found a pickle of list without a list of words"):
        load_vectors(tmp_path / "table", None)


@pytest.mark.parametrize("number", ["1e999", "9" * 400, "0." + "0" * 400 + "1"])
def test_a_number_beyond_the_range_leaves_its_word_out_however_a_table_is_read(tmp_path, number):
    """Read at a glance it is a number like any other."""
    (tmp_path / "table").write_text(f"dog {number} {number}\ncat 1 2\n")
    assert load_vectors(tmp_path / "table", None).words == ["cat"]
    assert "dog" not in open_vectors(tmp_path / "table")


def test_a_nan_that_signals_is_left_out_without_a_word_of_numpy(tmp_path):
    signalling = struct.pack("<2I", 0x7F800001, 0x3F800000)
    (tmp_path / "table").write_bytes(b"2 2\ndog " + signalling + b"cat " + np.ones(2, "<f4").tobytes())
    assert load_vectors(tmp_path / "table", None).words == ["cat"]
