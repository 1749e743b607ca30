"""Random walks through the launcher, and a small test of each fault that they have found.

Never two machines of one name, none that is forgotten, no limit raised silently, each bill right to the minute. A walk
that fails prints its number and all that happened.
"""

from __future__ import annotations

import re

import pytest

from tests.system.aws_unkind import KIND, UNKIND
from tests.system.launch_walk import walk, walking
from tests.system.tiny_ec2 import refused
from tests.system.walk_tools import PLACES

DESK, LAPTOP, BEN = PLACES
YES = ("--yes", "--no-fetch")


@pytest.fixture(params=[KIND, UNKIND], ids=["kind", "unkind"])
def pace(request):
    return request.param


def test_thirty_walks(tmp_path, pace):
    walks(range(30), tmp_path, pace)


@pytest.mark.long
def test_two_thousand_walks(tmp_path):
    walks(range(2000), tmp_path, UNKIND)


@pytest.mark.long
def test_as_many_at_a_kind_aws(tmp_path):
    walks(range(2000), tmp_path, KIND)


def walks(numbers, home, pace):
    for number in numbers:
        with pytest.MonkeyPatch.context() as patch:
            (home / str(number)).mkdir()
            patch.chdir(home / str(number))
            walk(number, patch, pace)


@pytest.fixture
def it(tmp_path, monkeypatch, pace):
    """A walk whose steps the test takes; what must hold is held after each."""
    monkeypatch.chdir(tmp_path)
    with walking(0, monkeypatch, pace) as it:
        it.typed = dict.fromkeys(PLACES, 48.0)
        yield it
        it.finish()


def test_for_another_machine_holds_what_is_typed_for_it(it):
    """Of one that had ended by itself, `up` took its limit, 24 hours instead of 1."""
    it.give(DESK, "up", "--yes", "launch.max_hours=24")
    it.taken_away(DESK)
    status, said = it.give(DESK, "up", "--yes", "launch.max_hours=1")
    assert (status, [box.hours for box in it.ec2.alive()]) == (0, [1.0])
    assert "no machine of an earlier `up` is left; for another one only what is typed now holds\n" in said
    assert "ends     by itself after 1 h (terminate), $0.506 at most\n" in said


def test_a_lower_limit_holds_though_the_start_on_record_is_refused_only_now(it, monkeypatch):
    """To ask forgot the request, and another machine was started with the limit of the first one."""
    start, refusals = it.ec2.run_instances, []

    def full_once(asked):
        if not refusals:
            refusals.append(refused("RunInstances", "InsufficientInstanceCapacity"))
            raise refusals[0]
        return start(asked)

    sent = 12  # requests before RunInstances, files included
    while not (DESK.records / "starting.json").exists():
        it.give(DESK, "up", "--yes", "launch.max_hours=24", fault=("killed before", sent := sent + 1))
    monkeypatch.setattr(it.ec2, "run_instances", full_once)
    status, said = it.give(DESK, "up", "--yes", "launch.max_hours=1")
    assert (status, len(refusals), [box.hours for box in it.ec2.alive()]) == (0, 1, [1.0])
    assert "ends     by itself after 1 h (terminate), $0.506 at most\n" in said


def test_a_machine_of_another_folder_is_neither_started_nor_noted(it):
    """It was started again, and only then refused; its bill stayed, and once AWS had forgotten it nothing went on."""
    it.give(DESK, "up", "--yes")
    it.give(DESK, "stop")
    status, said = it.give(LAPTOP, "up", "--yes")
    assert (status, [box.state for box in it.ec2.alive()]) == (2, ["stopped"])
    assert "found another one than in this folder" in said
    assert not (LAPTOP.records / "bill.jsonl").exists()
    it.give(DESK, "terminate", *YES)
    it.sleep(7200.0)
    assert it.give(LAPTOP, "up", "--yes")[0] == 0


def test_a_client_killed_before_the_bill_is_written_leaves_a_machine_that_is_known(it, monkeypatch):
    """Its id was in the request, and only its tags were looked for, which AWS shows late."""
    with monkeypatch.context() as patch:
        patch.setattr("nmt.launch.up.note", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            it.give(DESK, "up", "--yes")
    (box,) = it.ec2.alive()
    assert it.give(DESK, "up", "--yes")[0] == 0
    assert it.ec2.alive() == [box]


def test_one_machine_is_not_taken_for_two(it, monkeypatch):
    """The bill was not written; the id in the request was not looked for among the machines that AWS showed."""
    with monkeypatch.context() as patch:
        patch.setattr("nmt.launch.up.note", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            it.give(DESK, "up", "--yes")
    (box,) = it.ec2.alive()
    it.sleep(20.0)  # by now AWS shows its tags
    monkeypatch.setattr("nmt.launch.recorded.look_for", lambda *_: None)  # AWS does not find its token
    assert it.give(DESK, "up", "--yes")[0] == 0
    assert it.ec2.alive() == [box]


def test_a_start_that_was_never_sent_is_not_sent_beside_another_machine(it):
    """`up` in another folder had started one meanwhile; the request left here started a second."""
    sent = 12  # requests before RunInstances, files included
    while not (DESK.records / "starting.json").exists():
        assert it.give(DESK, "up", "--yes", fault=("killed before", sent := sent + 1))[0] == -9
    assert it.ec2.alive() == []
    it.give(LAPTOP, "up", "--yes")
    (box,) = it.ec2.alive()
    it.sleep(20.0)
    status, said = it.give(DESK, "up", "--yes")
    assert (status, it.ec2.alive()) == (2, [box])
    assert f"found {box.id}, and an unfinished start of another one, expected one machine; end both: " in said
    assert it.give(DESK, "terminate", *YES)[0] == 0
    assert (it.ec2.alive(), it.ec2.most) == ([], 1)


def test_a_limit_that_never_held_is_not_on_the_bill(it):
    """`run` with another limit noted the end of a machine that was gone by that limit."""
    it.give(DESK, "up", "--yes", "launch.max_hours=2")
    it.sleep(36_000.0)
    assert it.give(DESK, "run", "launch.max_hours=1", "--yes", "--", "seed=1")[0] == 2
    assert "it ran 2.00 h" in it.give(DESK, "cost")[1]


def test_a_start_that_nobody_noted_is_on_the_bill(it):
    """`up` had started a stopped machine and was cut off: its second life was not on the bill once it had ended."""
    it.give(DESK, "up", "--yes")
    it.give(DESK, "stop")
    it.sleep(600.0)
    (box,) = it.ec2.alive()
    it.ec2.start_instances({"InstanceIds": [box.id]})
    it.sleep(1800.0)
    it.taken_away(DESK)
    it.sleep(60.0)
    assert "ran 0.5" in it.give(DESK, "cost")[1]


def test_a_start_that_was_cut_off_is_on_the_bill_of_a_machine_that_aws_has_forgotten(it):
    it.give(DESK, "up", "--yes", "launch.max_hours=1")
    it.give(DESK, "stop")
    (box,), sent = it.ec2.alive(), 0
    while box.state == "stopped":
        it.give(DESK, "up", "--yes", fault=("killed", sent := sent + 1))
    it.sleep(4 * 3600.0)
    status, said = it.give(DESK, "cost")
    charged = it.ec2.nature.seconds_charged(box.id)
    assert (status, round(charged / 3600, 1), it.ec2.nature.listed(box.id)) == (0, 1.0, False)
    hours = float(re.search(r"it ran ([\d.]+) h", said)[1])
    assert charged - 20 <= 3600 * hours <= charged + 80
