"""`relaunch` gives up nothing that may still be on a machine without being told to."""

from __future__ import annotations

import shutil

import pytest

from nmt.launch.assignment import Assignment
from nmt.launch.commands import run
from tests.ports import free_port
from tests.system.aws_client import account, quick, words
from tests.system.aws_server import near_aws
from tests.system.aws_unkind import KIND, UNKIND, Clock, Nature

pytestmark = pytest.mark.skipif(not (shutil.which("ssh") and shutil.which("rsync")), reason="not installed: ssh, rsync")


@pytest.mark.parametrize("pace", [KIND, UNKIND], ids=["kind", "unkind"])
def test_a_machine_that_runs_and_does_not_answer_is_kept(tmp_path, monkeypatch, capsys, pace):
    account(monkeypatch, tmp_path)
    clock = Clock()
    quick(monkeypatch, clock)
    with near_aws(Nature(clock, pace)) as aws:
        options = words(aws, "launch.name=box", f"launch.folder={tmp_path / 'launch'}")
        options += ["launch.host=127.0.0.1", f"launch.port={free_port()}"]
        assert run(["up", "--yes", *options]) == 0
        instance = aws.alive()[0].id
        folder = tmp_path / "runs" / "box-1"
        Assignment(["seed=2"], "box-1", str(folder), "/home/ubuntu/nmt-launch").save(tmp_path / "launch", "box")
        clock.sleep(30.0)  # until every request shows it
        capsys.readouterr()
        assert run(["relaunch", "--yes", *options]) == 2
        told = capsys.readouterr()
        assert f"{instance} does not answer: connection refused" in told.out
        assert "going on with what is at home" in told.out
        assert "expected an SSH server that answers, to fetch before the end; mend it" in told.err
        assert "or lose what is there with --no-fetch" in told.err
        assert [one.id for one in aws.alive()] == [instance]
        assert run(["ps", *options]) == 0
        assert f"box   {instance}  127.0.0.1" in capsys.readouterr().out
        assert run(["relaunch", "--yes", "--no-fetch", *options, "remote.wait_s=0"]) == 2
        told = capsys.readouterr()
        assert instance not in [one.id for one in aws.alive()], "it was given up"
        assert len(aws.alive()) == 1
        assert "making folders: found connection refused" in told.err, "the new one does not answer either"
        assert f"terminate launch.name=box launch.region=eu-west-1 launch.folder={tmp_path / 'launch'}" in told.err


def test_without_a_training_there_is_nothing_to_go_on_with(tmp_path, capsys):
    assert run(["relaunch", f"launch.folder={tmp_path}"]) == 2
    assert capsys.readouterr().err == (
        "launch.name=nmt: found no training yet, expected a training that was started from here; start one with "
        f"python -m nmt.launch run launch.name=nmt launch.folder={tmp_path} -- OVERRIDES.\n"
    )
