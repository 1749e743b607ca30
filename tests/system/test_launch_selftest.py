"""`selftest` against the stand-in: every promise is asked of AWS, a broken one is told, no secret is written down."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from nmt.launch.commands import run
from nmt.launch.ssh import Answer, Ssh
from tests.system.aws_client import account, quick, words
from tests.system.aws_requests import OWN_ADDRESS, SECRET
from tests.system.aws_server import near_aws
from tests.system.aws_unkind import KIND, UNKIND, Clock, Nature


@pytest.fixture(params=[KIND, UNKIND], ids=["kind", "unkind"])
def aws(request, tmp_path, monkeypatch):
    account(monkeypatch, tmp_path)
    monkeypatch.chdir(tmp_path)
    clock = Clock()
    quick(monkeypatch, clock)
    there = tmp_path / "there"

    def reached(self, command, doing, *_, **__):
        return Answer(0, "#!/bin/sh\nexec shutdown -P +60\n" if "cat" in command else "", "")

    def copied(self, command, doing):
        shutil.copy(*[Path(one) for one in command if one.startswith("/")])

    monkeypatch.setattr(Ssh, "run", reached)
    monkeypatch.setattr(Ssh, "rsync", copied)
    monkeypatch.setattr(Ssh, "path", lambda self, path: str(there))
    with near_aws(Nature(clock, request.param)) as server:
        yield server


def transcript():
    (path,) = Path("runs/launch").glob("selftest-*.txt")
    return path.read_text()


def test_a_whole_life_keeps_every_promise(aws, capsys):
    assert run(["selftest", "--yes", *words(aws)]) == 0
    told = capsys.readouterr().out
    assert "selftest: t3.micro" in told
    assert "$0.0114 an hour" in told
    assert "every promise was kept" in told
    assert told.count("\n  ok  ") >= 15, told
    assert "\n  NO  " not in told
    (held,) = aws.backend().all_instances()
    assert (held.instance_type, held.state) == ("t3.micro", "terminated")
    assert aws.left() == []


def test_the_transcript_tells_no_secret(aws, tmp_path):
    run(["selftest", "--yes", *words(aws)])
    told = transcript()
    assert "every promise was kept" in told
    (held,) = aws.backend().all_instances()
    for secret in (SECRET, "AKIA", OWN_ADDRESS, "123456789012", "PRIVATE KEY", str(tmp_path), str(held.public_ip)):
        assert secret not in told
    assert "moto" not in told.replace("nmt.launch", "")
    assert held.id in told, "what AWS Support would ask for stays"


def test_a_no_rents_nothing(aws, monkeypatch):
    monkeypatch.setattr("builtins.input", lambda question: "n")
    assert run(["selftest", *words(aws)]) == 2
    assert list(aws.backend().all_instances()) == []


def test_a_promise_that_is_not_kept_is_told_and_the_machine_ended(aws, capsys):
    def open_to_all(call, act):
        if call.action == "DescribeSecurityGroups" and "GroupId.1" in call.fields:
            status, kind, text = act()
            return status, kind, text.replace(OWN_ADDRESS.encode(), b"0.0.0.0")
        return None

    aws.fault = open_to_all
    assert run(["selftest", "--yes", *words(aws)]) == 1
    assert "  NO  only one's own address is let in, only for ssh (found" in capsys.readouterr().out
    assert "not kept: only one's own address" in transcript()
    assert aws.left() == []


def test_a_machine_that_does_not_come_up_is_ended_too(aws, capsys):
    """It was rented, and is on record only once its keys are known."""
    aws.console = "booting"
    assert run(["selftest", "--yes", *words(aws)]) == 1
    told = capsys.readouterr().out
    assert "found no host keys after" in told
    assert "nothing of selftest is left in eu-west-1\n" in told
    assert aws.left() == []


def test_whatever_breaks_the_machine_is_ended(aws, monkeypatch, capsys):
    from nmt.launch.ssh_faults import Fault, UnreachableError

    def unreachable(self, command, doing, *_, **__):
        raise UnreachableError(self.place(doing), Fault.timed_out)

    monkeypatch.setattr(Ssh, "run", unreachable)
    assert run(["selftest", "--yes", *words(aws)]) == 1
    assert "found no answer" in capsys.readouterr().out
    assert aws.left() == []
