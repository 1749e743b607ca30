"""What each command says and leaves: an unkind local AWS, and a machine whose uv and trainer are small programs."""

from __future__ import annotations

import getpass
import json
from pathlib import Path

import pytest

from nmt.launch.commands import run
from tests.system.aws_client import account, quick, words
from tests.system.aws_server import near_aws
from tests.system.aws_unkind import KIND, UNKIND, Clock, Nature
from tests.system.machine_tools import fake_machine, needs_a_server

pytestmark = [needs_a_server(), pytest.mark.long]


@pytest.mark.parametrize("pace", [KIND, UNKIND], ids=["kind", "unkind"])
def test_a_training_is_halted_moved_and_finished(tmp_path, monkeypatch, capsys, pace):
    monkeypatch.chdir(tmp_path)
    account(monkeypatch, tmp_path)
    clock = Clock()
    quick(monkeypatch, clock)
    with near_aws(Nature(clock, pace)) as aws, fake_machine(tmp_path, steps=150) as box:
        key = box.server.folder / "user_key"
        aws.console = "-----BEGIN SSH HOST KEY KEYS-----\n{}-----END SSH HOST KEY KEYS-----\n".format(
            (box.server.folder / "host_key.pub").read_text()
        )
        options = words(aws, "launch.name=box", f"launch.public_key={key}.pub", f"launch.key_file={key}")
        options += ["launch.host=127.0.0.1", f"launch.port={box.server.port}", f"launch.user={getpass.getuser()}"]
        options += [f"remote.folder={box.folder}", "remote.metadata=null", "remote.save_before_s=1"]
        options += [f"remote.power_off=['{box.programs / 'timer.py'}','{{seconds}}']", "remote.every_s=0.5"]
        command = f"launch.name=box launch.region=eu-west-1 launch.endpoint_url={aws.url}"

        def say(*argv: str, status: int = 0, terminal: bool = False) -> str:
            monkeypatch.setattr("sys.stdin.isatty", lambda: terminal, raising=False)
            capsys.readouterr()
            assert run([argv[0], *options, *argv[1:]]) == status
            told = capsys.readouterr()
            return told.out + told.err

        assert "box is up" in say("up", "--yes")
        instance = aws.alive()[0].id
        ends_it = f"the machine may still run and cost: python -m nmt.launch terminate {command} ends it"
        costs = f"{instance} in eu-west-1 may still run and cost: python -m nmt.launch terminate {command} ends it.\n"
        assert costs in say("run", "--", "seed=x", status=2)
        told = say("run", "--", "seed=5", "hydra.run.dir=mine")
        assert told.startswith(
            f"box ({instance}): connecting\nupload to {box.folder}\nuv sync -p 3.12 --extra gpu\nbox: running"
        )
        assert f"  python -m nmt.launch fetch --every {command}  # the run comes home every 0.5 s" in told
        assert "expected a terminal for the session; use python -m nmt.launch logs -f" in say("attach", status=2)
        assert "step 1\n" in say("logs")
        assert instance in say("ps")
        told = say("halt")
        assert "ended: stopped on request, exit status 143, step " in told
        assert told.endswith(f"fetched to mine\n{ends_it}\n")
        assert Path("mine/checkpoints/last.h5").exists()

        told = say("relaunch", "--yes")
        assert f"{instance}: training has ended" in told
        assert f"ending {instance}" in told
        assert "box: running" in told
        assert [one.id for one in aws.alive()] != [instance]
        assert "done; python -m nmt.launch terminate" in say("fetch", "--every")
        assert json.loads(Path("mine/results.json").read_text()) == {"steps": 150}
        lines = Path("mine/metrics.jsonl").read_text().splitlines()
        assert [json.loads(line)["step"] for line in lines] == list(range(1, 151))
        assert "step 150" in say("logs", "-f")
        assert "expected one; see its output with" in say("attach", status=2, terminal=True)

        assert "nothing of box is left" in say("terminate", "--yes")
        assert aws.left() == []
        assert say("ps") == "no machine in runs/launch\n"
