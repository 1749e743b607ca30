"""A whole life without an account: rented, trained on, cut off, taken away, gone on with elsewhere, ended.

AWS is moto behind a server on a loopback address, in its unkind nature, the machines are OpenSSH servers there; uv,
rsync, tmux and training are real, and the machines install from uv's cache alone.
"""

from __future__ import annotations

import getpass
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from nmt.launch.agent.job import alive
from nmt.launch.notices import MetadataServer
from nmt.launch.training import LANES
from nmt.tools.rehearsal import SMALL, compare
from tests.system.aws_client import account, words
from tests.system.aws_requests import SECRET
from tests.system.aws_server import running_aws
from tests.system.aws_unkind import UNKIND_IN_HASTE, Nature, RealClock
from tests.system.machine_tools import (
    FAKE_POWER_OFF,
    HANGS_S,
    Server,
    end_processes,
    ended,
    in_terminal,
    needs_a_server,
    read_until,
    until,
)

ROOT = Path(__file__).resolve().parents[2]
pytestmark = [
    needs_a_server(),
    pytest.mark.long,
    pytest.mark.skipif(shutil.which("uv") is None, reason="not installed: uv"),
]
COMMAND = [sys.executable, "-m", "nmt.launch"]
# What trains on the machine is compared bit by bit with what trains here.
LANE = "tf214" if version("tensorflow").startswith("2.14.") else "tf221"
# The tester's home, and so uv's cache, which a machine has too; read before conftest.py gives the tests one of theirs.
UV_FINDS = {name: os.environ[name] for name in ("HOME", "UV_CACHE_DIR", "XDG_CACHE_HOME") if name in os.environ}


def needs_a_full_cache(folder: Path) -> None:
    """Skip, with the reason, where uv could not install the project from its cache alone."""
    folder.mkdir()
    shutil.copy(ROOT / "pyproject.toml", folder)
    done = subprocess.run(
        ["uv", "sync", *LANES[LANE], "--offline", "--dry-run", "--no-install-project"],  # itself it is in no cache
        cwd=folder, env={"PATH": os.environ["PATH"], **UV_FINDS}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode != 0 or "Would download" in done.stderr:
        pytest.skip(f"uv's cache lacks what a machine installs (uv sync fills it):\n{done.stderr[:400]}")


class Place:
    """A machine of the test: an SSH server, and a folder that is all of its disk that the launcher uses."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.home = folder, folder / "home"
        folder.mkdir(parents=True)
        self.timer = folder / "timer.py"
        self.timer.write_text(FAKE_POWER_OFF.format(python=sys.executable))
        self.timer.chmod(0o755)
        # Byte code would cost more than all of the rest.
        self.server = Server(folder / "sshd", environment={**UV_FINDS, "UV_COMPILE_BYTECODE": "0"})

    def options(self, metadata: str) -> list[str]:
        return [
            *("launch.host=127.0.0.1", f"launch.port={self.server.port}", f"launch.user={getpass.getuser()}"),
            *(f"remote.folder={self.home}", "remote.cuda=false", "remote.offline=true", "remote.poll_s=0.2"),
            f"machine.python='{sys.version_info.major}.{sys.version_info.minor}'",  # which uv finds without a network
            f"machine.lane={LANE}",
            *(f"remote.metadata={metadata}", f"remote.power_off=['{self.timer}','{{seconds}}']"),
        ]

    def job(self) -> dict[str, Any]:
        content: dict[str, Any] = json.loads((self.home / "job" / "status.json").read_text())
        return content

    def vanish(self) -> None:
        """As when AWS takes the machine away."""
        end_processes(self.home, self.folder)
        self.server.stop()
        shutil.rmtree(self.home)


def launch(*argv: str, expected: int = 0) -> str:
    """A command of the launcher as the user types it; -> what it said."""
    done = subprocess.run([*COMMAND, *argv], cwd=ROOT, capture_output=True, text=True, check=False, timeout=HANGS_S)
    said = done.stdout + done.stderr
    assert done.returncode == expected, said
    assert "Traceback" not in said
    return said


def interrupt(program: subprocess.Popen[bytes]) -> None:
    """Ctrl-c, and once more after a while, as a user would: Python loses one that comes while it runs a destructor."""
    program.send_signal(signal.SIGINT)
    try:
        program.communicate(timeout=60)
    except subprocess.TimeoutExpired:
        program.send_signal(signal.SIGINT)
        program.communicate(timeout=HANGS_S)


def look_on(options: list[str], place: Place) -> None:
    """The output and the session are seen, over connections that are cut."""
    follower = subprocess.Popen(
        [*COMMAND, "logs", "-f", *options], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert follower.stdout is not None
    assert follower.stderr is not None
    read_until(follower.stdout.fileno(), "vocabulary: ")
    place.server.drop()
    read_until(follower.stderr.fileno(), "training goes on, looking again")
    interrupt(follower)
    assert follower.returncode == 130
    for leaves, status in (
        (lambda terminal: place.server.drop(), 2),
        (lambda terminal: os.write(terminal, b"\x02d"), 0),  # both keys at once, as on a slow connection
    ):
        client, terminal = in_terminal([*COMMAND, "attach", *options], ROOT)
        read_until(terminal, "vocabulary: ")
        leaves(terminal)
        assert ended(client, terminal) == status


@pytest.fixture
def places(tmp_path):
    needs_a_full_cache(tmp_path / "dry")
    pair = [Place(tmp_path / name) for name in ("first", "second")]
    for place in pair:
        place.server.start()
        shutil.copy(pair[0].server.folder / "user_key.pub", place.server.folder / "authorized_keys")
    yield pair
    for place in pair:
        place.server.stop()
    end_processes(tmp_path, tmp_path)  # after a failure, what was started here as well


def console(place: Place) -> str:
    host = (place.server.folder / "host_key.pub").read_text()
    return f"-----BEGIN SSH HOST KEY KEYS-----\n{host}-----END SSH HOST KEY KEYS-----\n"


def test_from_an_offer_to_nothing_left(places, tmp_path, monkeypatch):
    account(monkeypatch, tmp_path)
    first, second = places
    peace, home = tmp_path / "peace", tmp_path / "a run"
    undisturbed = subprocess.Popen(
        [sys.executable, "train.py", *SMALL, f"hydra.run.dir={peace}"], cwd=ROOT, stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )  # fmt: skip
    key = first.server.folder / "user_key"
    with running_aws(Nature(RealClock(), UNKIND_IN_HASTE)) as aws, MetadataServer() as service:
        aws.console = console(first)
        common = words(aws, "launch.name=box", f"launch.folder={tmp_path / 'launch'}", "launch.spot=true")
        common += [f"launch.public_key={key}.pub", f"launch.key_file={key}", "launch.max_hours=0.5"]
        options = [*common, *first.options(service.address)]

        assert "g4dn.xlarge" in launch("preflight", *options)
        assert "is up" in launch("up", "--yes", *options)
        instance = aws.alive()[0].id
        assert "runs already" in launch("up", "--yes", *options)
        assert [one.id for one in aws.alive()] == [instance]

        training = ["--", *SMALL, f"hydra.run.dir='{home}'"]
        assert "running" in launch("run", *options, *training)
        trainer = first.job()["trainer"]
        last = first.home / "runs" / "a_run" / "checkpoints" / "last.h5"
        until(last.exists)
        os.kill(trainer[0], signal.SIGSTOP)  # so that the test may look on as slowly as it is
        assert "a training runs already" in launch("run", *options, *training)
        assert first.job()["trainer"] == trainer
        assert 0 < int((first.folder / "armed").read_text()) <= 1800
        look_on(options, first)
        assert re.search(rf"box +{instance} .*running, step \d+", launch("ps", *options))
        launch("fetch", *options)
        assert (home / "checkpoints" / "last.h5").read_bytes() == last.read_bytes()

        fetching = subprocess.Popen(
            [*COMMAND, "fetch", "--every", *options, "remote.every_s=1"], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        noticed = time.time()
        service.notice()
        until(lambda: "interrupted: SIGTERM to the trainer" in [event["what"] for event in first.job()["events"]])
        os.kill(trainer[0], signal.SIGCONT)
        said = fetching.communicate(timeout=HANGS_S)[0]
        assert fetching.returncode == 1, said
        assert "ended: interrupted, exit status 143" in said
        assert "python -m nmt.launch relaunch" in said
        assert first.job()["ended"] - noticed < 120
        assert not (home / "results.json").exists()

        aws.end(aws.alive()[0], "Server.SpotInstanceTermination")
        first.vanish()
        aws.console = console(second)
        options = [*common, *second.options("null")]
        said = launch("relaunch", "--yes", *options)
        assert f"{instance} does not answer" in said
        assert [one.id for one in aws.alive()] != [instance]
        assert second.job()["resumed"]
        assert "done" in launch("fetch", "--every", *options, "remote.every_s=1")
        assert (home / "results.json").exists()

        assert undisturbed.wait(timeout=HANGS_S) == 0
        same, difference = compare(peace, home)
        assert same, difference
        assert scores(home) == scores(peace)

        launch("terminate", "--yes", *options)
        assert aws.left() == []
        assert "no machine" in launch("ps", *options)
    assert not alive(second.job()["trainer"])
    assert secrets_in(tmp_path, key.read_text()) == []


def secrets_in(folder: Path, private_key: str) -> list[Path]:
    """Files that hold key material, but for the key itself, and for programs (this one holds such words)."""
    needles = [SECRET.encode(), private_key.splitlines()[1].encode(), b"PRIVATE KEY-----"]
    paths = [path for path in folder.rglob("*") if path.is_file() and not {"sshd", "project"} & set(path.parts)]
    assert len(paths) > 20
    return [path for path in paths if any(needle in path.read_bytes() for needle in needles)]


def scores(folder: Path) -> list[dict[str, Any]]:
    """What each validation and the test found. Losses of training are means since the last line or start: not those."""
    lines = (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    kept = ("event", "step", "epoch", "loss", "perplexity", "bleu", "chrf", "wmd_similarity")
    events = [event for event in map(json.loads, lines) if event["event"] in ("validate", "test")]
    assert {event["event"] for event in events} == {"validate", "test"}
    return [{key: value for key, value in event.items() if key in kept} for event in events]
