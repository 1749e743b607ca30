"""Whose machine it is, and when it has ended: what AWS says of the id on record counts, and nothing else.

Each way in which a machine was once called gone while it ran: a session of a role that has another name in each
process, another user's keys, another account's, another folder, another region.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from nmt.errors import LaunchError
from nmt.launch import terminate, up
from nmt.launch.aws import connect, owner_of
from nmt.launch.bill import read_events
from nmt.launch.commands import run
from nmt.launch.machine import load_machine
from tests.system.aws_client import account, quick, words
from tests.system.aws_client import configuration as config
from tests.system.aws_requests import ACCOUNT, Caller
from tests.system.aws_server import near_aws
from tests.system.aws_unkind import KIND, UNKIND, Clock, Nature

KEY = "AKIAIOSFODNN7EXAMPLE"
YES = ("--yes", "--no-fetch")
ROLE = Caller(ACCOUNT, f"arn:aws:sts::{ACCOUNT}:assumed-role/trainer/botocore-session")
ANN, BEN = (Caller(ACCOUNT, f"arn:aws:iam::{ACCOUNT}:user/team/{name}") for name in ("ann", "ben"))
OTHER = Caller("210987654321", "arn:aws:iam::210987654321:user/moto")
ENDS = {"terminate": YES, "sweep-orphans": ("--yes", "--all")}


@pytest.fixture(params=[KIND, UNKIND], ids=["kind", "unkind"])
def aws(request, tmp_path, monkeypatch):
    """Unkind: `shutting-down` and `not found` last several looks."""
    account(monkeypatch, tmp_path)
    monkeypatch.chdir(tmp_path)
    clock = Clock()
    quick(monkeypatch, clock)
    with near_aws(Nature(clock, request.param)) as server:
        yield server


@pytest.mark.parametrize(
    ("arn", "owner"),
    [
        ("arn:aws:iam::1:user/ann", "ann"),
        ("arn:aws:iam::1:user/team/ann", "ann"),
        ("arn:aws:iam::1:root", "root"),
        ("arn:aws:sts::1:assumed-role/trainer/botocore-session-1732", "trainer"),
        ("arn:aws:sts::1:assumed-role/AWSReservedSSO_Power_0a1b/ann@example.org", "ann@example.org"),
        ("arn:aws-cn:sts::1:federated-user/ann", "ann"),
    ],
)
def test_an_owner_is_the_same_in_every_session(arn, owner):
    assert owner_of(arn) == owner


@pytest.mark.parametrize("command", ENDS)
def test_a_machine_that_is_shutting_down_has_not_ended_otherwise(aws, capsys, command):
    """DescribeInstances answers `shutting-down` several times before `terminated`."""
    assert run(["up", "--yes", *words(aws)]) == 0
    (held,) = aws.alive()
    aws.nature.pace = replace(aws.nature.pace, shutting_down_s=60.0)
    capsys.readouterr()
    assert run([command, *words(aws), *ENDS[command]]) == 0
    told = capsys.readouterr()
    assert f"ending {held.id}" in told.out
    assert "may still run" not in told.err
    assert aws.left() == []


@pytest.mark.parametrize("wait_s", [20, 300])
def test_a_machine_that_is_long_in_ending_stays_on_record(aws, capsys, wait_s):
    assert run(["up", "--yes", *words(aws)]) == 0
    (held,) = aws.alive()
    aws.nature.pace = replace(aws.nature.pace, shutting_down_s=400.0)
    assert run(["terminate", *words(aws, f"launch.wait_s={wait_s}"), *YES]) == 2
    assert f"{held.id}: found shutting-down after {wait_s} s, expected terminated" in capsys.readouterr().err
    assert load_machine(Path("runs/launch"), "nmt").instance_id == held.id
    aws.nature.clock.sleep(400.0)
    assert run(["terminate", *words(aws), *YES]) == 0
    assert aws.left() == []
    assert not Path("runs/launch/nmt/machine.json").exists()


def test_it_is_ended_where_somebody_else_has_begun_to_end_it(aws):
    assert run(["up", "--yes", *words(aws)]) == 0
    (held,) = aws.alive()
    aws.end(held)
    assert run(["terminate", *words(aws), *YES]) == 0
    assert aws.left() == []


@pytest.mark.parametrize("command", ENDS)
@pytest.mark.parametrize("arn", [ROLE, ANN])
def test_a_role_that_is_assumed_anew_in_each_process(aws, command, arn):
    aws.callers[KEY] = arn
    assert run(["up", "--yes", *words(aws)]) == 0
    assert len(aws.alive()) == 1
    assert run([command, *words(aws), *ENDS[command]]) == 0
    assert aws.left() == []


def test_another_user_of_the_account_ends_what_is_on_record(aws):
    aws.callers[KEY] = ANN
    assert run(["up", "--yes", *words(aws)]) == 0
    aws.callers[KEY] = BEN
    assert run(["terminate", *words(aws), *YES]) == 0
    assert aws.left() == []


def test_another_user_s_machines_are_listed_and_left(aws, capsys):
    aws.callers[KEY] = ANN
    assert run(["up", "--yes", *words(aws)]) == 0
    aws.nature.clock.sleep(60.0)
    aws.callers[KEY] = BEN
    options = words(aws, "launch.folder=elsewhere")
    assert run(["sweep-orphans", *options, "--yes"]) == 0
    told = capsys.readouterr().out
    assert "running, of ann, kept" in told
    assert "no orphans of ben in 3 regions; launch.owner=ann takes those of ann" in told
    assert len(aws.alive()) == 1
    assert run(["sweep-orphans", *options, "--yes", "launch.owner=ann"]) == 0
    assert aws.left() == []


@pytest.mark.parametrize("command", ["terminate", "up", "cost", "stop"])
def test_keys_of_another_account_conclude_nothing(aws, capsys, command):
    """They see no machine: it runs on, its record stays, and no second one is started."""
    assert run(["up", "--yes", *words(aws)]) == 0
    (held,) = aws.alive()
    before = read_events(Path("runs/launch/nmt"))
    aws.callers[KEY] = OTHER
    aws.nature.clock.sleep(3600.0)
    flags = {"terminate": YES, "up": ("--yes",)}.get(command, ())
    capsys.readouterr()
    assert run([command, *words(aws), *flags]) == 2
    assert (
        f"launch.name=nmt: found keys of account {OTHER.account}, expected those of account {ACCOUNT}, which started "
        f"{held.id}; choose them with launch.profile=NAME; until then it may run and cost." in capsys.readouterr().err
    )
    assert [one.id for one in aws.alive()] == [held.id]
    assert aws.backend(account=OTHER.account).all_instances() == []
    assert load_machine(Path("runs/launch"), "nmt").instance_id == held.id
    assert read_events(Path("runs/launch/nmt")) == before


def test_a_record_of_before_knows_no_account_and_concludes_nothing_either(aws, capsys):
    assert run(["up", "--yes", *words(aws)]) == 0
    (held,) = aws.alive()
    Path("runs/launch/nmt/terms.json").unlink()
    aws.callers[KEY] = OTHER
    aws.nature.clock.sleep(3600.0)
    assert run(["terminate", *words(aws), *YES]) == 2
    assert f"{held.id} in eu-west-1: found no such machine, for moto of account" in capsys.readouterr().err
    assert Path("runs/launch/nmt/machine.json").exists()


@pytest.mark.parametrize("option", ["launch.folder=elsewhere", "launch.region=us-east-1", "launch.name=other"])
def test_another_place_is_no_end(aws, capsys, option):
    """From a folder without its record, nothing is said to be gone in a region where it may never have been."""
    assert run(["up", "--yes", *words(aws)]) == 0
    aws.nature.clock.sleep(60.0)
    capsys.readouterr()
    elsewhere = [option] if option == "launch.folder=elsewhere" else [option, "launch.folder=elsewhere"]
    status = run(["terminate", *words(aws, *elsewhere), *YES])
    told = capsys.readouterr()
    if option == "launch.folder=elsewhere":  # its own region: found by its tags
        assert (status, aws.left()) == (0, [])
    else:
        assert status == 2
        assert (
            "expected the folder, keys and region of its start; `python -m nmt.launch sweep-orphans` looks" in told.err
        )
        assert "nothing of" not in told.out
        assert len(aws.alive()) == 1


def test_what_aws_has_forgotten_has_ended(aws, capsys):
    """An hour after its end AWS knows no such id: with the keys that started it that is an end, when its timer rang."""
    assert run(["up", "--yes", *words(aws, "launch.max_hours=2")]) == 0
    (held,) = aws.alive()
    aws.nature.clock.sleep(2 * 3600.0)
    aws.end(held)
    aws.nature.clock.sleep(9 * 3600.0)
    capsys.readouterr()
    assert run(["cost", *words(aws)]) == 0
    assert f"{held.id} (g4dn.xlarge) in eu-west-1 has ended: $1.19" in capsys.readouterr().out
    assert run(["terminate", *words(aws), *YES]) == 0
    assert aws.left() == []


def test_a_request_is_never_forgotten_for_a_refusal_at_the_door(aws, capsys):
    """Its answer was lost, then the credentials ran out: the refusal says nothing of the first try."""
    from tests.system.aws_faults import inject
    from tests.system.aws_requests import refusal

    inject(aws, "ec2:RunInstances", "dark")
    with pytest.raises(LaunchError):
        up.up(config(aws), frozenset({"--yes"}))
    (held,) = aws.backend().all_instances()

    def expired(call, act):
        return refusal(call, "RequestExpired", 400, "Request has expired") if call.service == "ec2" else None

    aws.fault = expired
    with pytest.raises(LaunchError):
        up.up(config(aws), frozenset({"--yes"}))
    assert Path("runs/launch/nmt/starting.json").exists()
    aws.fault = None
    terminate.terminate(config(aws), frozenset(YES), lambda *_: None)
    assert [one.id for one in aws.backend().all_instances()] == [held.id]
    assert aws.left() == []


def test_connect_knows_whose_keys_these_are(aws):
    aws.callers[KEY] = ROLE
    made = connect(config(aws).launch)
    assert (made.account, made.owner) == (ACCOUNT, "trainer")
    assert connect(config(aws, "launch.owner=ann").launch).owner == "ann"
