"""The launcher and a machine: a real SSH server, rsync and tmux; uv and the trainer are small programs."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from nmt.config.launch_line import read_launch
from nmt.errors import LaunchError
from nmt.launch.assignment import load_assignment
from nmt.launch.fetch import fetch, follow
from nmt.launch.machine import save_machine
from nmt.launch.ssh import Ssh
from nmt.launch.training import Agent, run
from nmt.launch.watch import logs, ps, session_words
from tests.ports import free_port
from tests.system.machine_tools import (
    FakeMachine,
    ended,
    fake_machine,
    in_terminal,
    needs_a_server,
    read_until,
    until,
)

ROOT = Path(__file__).resolve().parents[2]
pytestmark = [needs_a_server(), pytest.mark.long]


@pytest.fixture
def box(tmp_path, monkeypatch, request):
    """Its training takes 60 steps, or as many as the test asks for."""
    monkeypatch.chdir(tmp_path)
    with fake_machine(tmp_path, steps=getattr(request, "param", 60)) as machine:
        yield machine


def launch(box: FakeMachine, *words: str, hours: float = 1.0) -> dict:
    records = Path("records")
    return run(Ssh(box.server.machine(), box.config), hours * 3600, words, records, lambda said: None)


def test_a_run_is_started_once_outlives_the_connection_and_comes_home(box):
    first = launch(box, "seed=3")
    assert first["started"]
    assert first["state"] == "running"
    again = launch(box, "seed=3")
    assert (again["started"], again["trainer"]) == (False, first["trainer"])
    assert box.lines("uv.log") == ["sync -p 3.12 --extra gpu"], "what runs is left alone"
    box.server.drop()
    assignment = load_assignment(Path("records"), "box")
    ssh = Ssh(box.server.machine(), box.config)
    assert assignment.machine == ssh.machine.instance_id
    status = follow(ssh, assignment, 0.5, lambda said: None)
    assert (status["state"], status["reason"], status["exit_status"]) == ("ended", "finished", 0)
    home = Path(assignment.folder)
    assert json.loads((home / "results.json").read_text()) == {"steps": 60}
    assert (home / "machine" / "train.out").read_text().splitlines()[0] == (
        f"words train.usd_per_hour=0.526 seed=3 hydra.run.dir=../runs/{home.name}"
    )
    assert [int(seconds) for seconds in box.lines("armed")] == [pytest.approx(3600, abs=5)]
    assert not launch(box, "seed=3")["started"], "it has finished"


def agent_of(box: FakeMachine) -> tuple[Ssh, Agent]:
    ssh = Ssh(box.server.machine(), box.config)
    return ssh, Agent(ssh, str(box.folder))


def test_logs_go_on_over_a_lost_connection_and_miss_nothing(box):
    launch(box)
    ssh, agent = agent_of(box)
    parts, said = [], []
    cut = threading.Timer(1.0, box.server.drop)
    cut.start()
    logs(ssh, agent, True, parts.append, said.append)
    cut.join()
    lines = b"".join(parts).decode().splitlines()
    assert lines[1:] == [f"step {step}" for step in range(1, 61)]
    assert any("training goes on, looking again" in text for text in said), "the connection was cut"
    parts.clear()
    logs(ssh, agent, False, parts.append, said.append)
    assert b"".join(parts).decode().splitlines() == lines


def attached(box: FakeMachine) -> tuple[subprocess.Popen[bytes], int]:
    """What `attach` runs, in a terminal of its own."""
    ssh, agent = agent_of(box)
    return in_terminal(ssh.command(session_words(agent.status()), terminal=True))


@pytest.mark.parametrize("box", [100_000], indirect=True)  # longer than anybody looks on
def test_the_session_is_attached_cut_off_and_attached_again(box):
    trainer = launch(box)["trainer"]
    client, terminal = attached(box)
    read_until(terminal, "step")
    box.server.drop()
    assert ended(client, terminal) == 255
    client, terminal = attached(box)
    read_until(terminal, "step")
    os.write(terminal, b"\x03")  # Ctrl-C of someone who only looks
    read_until(terminal, "Ctrl-b d leaves")
    os.write(terminal, b"\x02d")
    assert ended(client, terminal) == 0
    client, terminal = attached(box)
    read_until(terminal, "step")
    os.write(terminal, b"\x02d")  # both keys the moment the session is there
    assert ended(client, terminal) == 0
    status = agent_of(box)[1].status()
    assert status["trainer"] == trainer
    assert status["state"] == "running"


def test_a_halted_training_goes_on_where_it_was(box):
    launch(box)
    ssh, agent = agent_of(box)
    status = agent.ask("stop", "stopping")
    assert (status["reason"], status["exit_status"]) == ("stopped on request", 143)
    again = launch(box)
    assert (again["started"], again["resumed"]) == (True, True)
    assignment = load_assignment(Path("records"), "box")
    assert follow(ssh, assignment, 0.5, lambda said: None)["exit_status"] == 0
    home = Path(assignment.folder)
    words = [line for line in (home / "machine/train.out").read_text().splitlines() if line.startswith("words")]
    assert words[1] == f"words resume=../runs/{home.name} train.usd_per_hour=0.526"
    steps = [json.loads(line)["step"] for line in (home / "metrics.jsonl").read_text().splitlines()]
    assert steps == list(range(1, 61))


@pytest.mark.parametrize("box", [3], indirect=True)
def test_a_run_is_not_taken_for_another_of_the_same_name(box):
    """The second command trained nothing, and brought the first one's run home as its own."""
    first, more = ("seed=1", "hydra.run.dir=a/x"), ("resume=a/x", "train.max_steps=200")
    ssh = Ssh(box.server.machine(), box.config)

    def started(*words: str) -> bool:
        answer = launch(box, *words)
        assert follow(ssh, load_assignment(Path("records"), "box"), 0.5, lambda said: None)["exit_status"] == 0
        return bool(answer["started"])

    assert started(*first)
    assert not started(*first)
    for others in (("seed=1", "hydra.run.dir=b/x"), ("seed=2", "hydra.run.dir=a/x")):
        with pytest.raises(LaunchError, match="found runs/x there, which other words or another folder began"):
            launch(box, *others)
    assert load_assignment(Path("records"), "box").folder == "a/x"
    assert started("seed=2", "hydra.run.dir=b/y")
    assert not started("resume=b/y"), "it has finished"
    assert started(*more)
    assert not started(*more)


def test_the_machine_powers_off_whatever_happens(box):
    launch(box, hours=300 / 3600)  # installation is part of them
    os.kill(agent_of(box)[1].status()["supervisor"][0], signal.SIGKILL)  # the agent is not what ends it
    assert agent_of(box)[1].status()["unsupervised"]
    (box.programs / "late").touch()
    until(lambda: box.lines("powered-off"))
    assert 0 < int(box.lines("powered-off")[0]) <= 300


def test_after_training_the_machine_stays_for_a_while_only(box):
    box.config = replace(box.config, linger_s=77.0)
    launch(box)
    agent_of(box)[1].ask("stop", "stopping")
    until(lambda: len(box.lines("armed")) > 1)
    assert box.lines("armed")[1:] == ["77"]


def test_a_fetch_that_is_cut_leaves_whole_files_only_and_goes_on(box):
    launch(box)
    ssh, agent = agent_of(box)
    agent.ask("stop", "stopping")
    assignment = load_assignment(Path("records"), "box")
    fetch(ssh, assignment)
    last = Path(assignment.folder) / "checkpoints" / "last.h5"
    before = last.read_bytes()
    big = os.urandom(3_000_000)
    (box.folder / "runs" / assignment.run / "checkpoints" / "last.h5").write_bytes(big)
    slow = Path("slow")
    slow.mkdir()
    real = shutil.which("rsync")
    (slow / "rsync").write_text(f'#!/bin/sh\nexec {real} --bwlimit=500 "$@"\n')
    (slow / "rsync").chmod(0o755)
    cut = threading.Thread(target=lambda: (until(lambda: begun(last)), box.server.drop()), daemon=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{slow.resolve()}{os.pathsep}{os.environ['PATH']}")
        cut.start()
        with pytest.raises(LaunchError, match="found the connection lost"):
            fetch(Ssh(ssh.machine, replace(box.config, wait_s=0.0)), assignment)
    cut.join()
    assert last.read_bytes() == before
    parts = list(last.parent.glob(".rsync-partial/*"))
    assert parts
    assert 0 < parts[0].stat().st_size < len(big)
    fetch(ssh, assignment)
    assert last.read_bytes() == big
    assert not list(last.parent.glob(".rsync-partial/*"))


def begun(file: Path) -> bool:
    """Whether rsync has written a part of it."""
    return any(part.stat().st_size for part in file.parent.glob(f".{file.name}.*"))


LAUNCHER = """
import json, pickle, sys
from pathlib import Path
from nmt.launch.ssh import Ssh
from nmt.launch.training import run
machine, config = pickle.loads(Path("arguments").read_bytes())
say = lambda said: print(said, file=sys.stderr, flush=True)
print(json.dumps(run(Ssh(machine, config), 3600.0, [], Path("records"), say)))
"""


def launcher(box: FakeMachine) -> subprocess.Popen[str]:
    """`run` as a process of its own."""
    Path("arguments").write_bytes(pickle.dumps((box.server.machine(), box.config)))
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    pipe = subprocess.PIPE
    return subprocess.Popen([sys.executable, "-c", LAUNCHER], text=True, env=environment, stdout=pipe, stderr=pipe)


def test_a_launcher_that_is_killed_in_the_middle_is_run_again(box):
    """kill -9 at several moments; the command again ends with one training, and never with two."""
    for words in ("connecting", "upload", "uv sync"):
        process = launcher(box)
        assert process.stderr is not None
        while words not in process.stderr.readline():
            assert process.poll() is None
        time.sleep(0.05)
        process.kill()
        process.communicate()
    trainer = launch(box)["trainer"]
    assert launch(box)["trainer"] == trainer
    assert len([line for line in (box.folder / "job/train.out").read_text().splitlines() if "words" in line]) == 1


def test_launchers_at_once_start_one_training(box):
    processes = [launcher(box) for _ in range(3)]
    outcomes = [process.communicate() for process in processes]
    answers = [json.loads(out) for out, _ in outcomes if out]
    assert len(answers) == 3, outcomes
    assert sorted(answer["started"] for answer in answers) == [False, False, True]
    assert len({tuple(answer["trainer"]) for answer in answers}) == 1


def failure(box: FakeMachine) -> str:
    box.config = replace(box.config, wait_s=0.0)
    with pytest.raises(LaunchError) as caught:
        launch(box)
    return str(caught.value)


def test_real_failures_of_the_server_are_told_as_what_they_are(box):
    ends_it = "python -m nmt.launch terminate launch.name=box ends it"
    keys = box.server.folder / "authorized_keys"
    known = keys.read_text()
    keys.write_text("")
    assert "found your key refused (" in failure(box)
    keys.write_text(known)
    hosts = box.server.folder / "known_hosts"
    host = hosts.read_text()
    other = (box.server.folder / "user_key.pub").read_text().split()
    hosts.write_text(f"[127.0.0.1]:{box.server.port} {other[0]} {other[1]}\n")
    changed = failure(box)
    hosts.write_text("")
    for sentence in (changed, failure(box)):
        assert "found another host key than the one on record, or none on record (" in sentence
        assert "do not trust what answers at this address" in sentence
    assert not box.lines("uv.log"), "nothing was done"
    hosts.write_text(host)
    key = box.server.folder / "user_key"
    key.chmod(0o644)
    assert "found a private key that cannot be used" in failure(box)
    key.chmod(0o600)
    box.server.stop()
    refused = failure(box)
    assert "found connection refused (ssh: connect to host 127.0.0.1 port" in refused
    assert ends_it in refused
    with socket.create_server(("127.0.0.1", box.server.port)):  # takes the connection and says nothing
        box.config = replace(box.config, connect_timeout_s=1)
        assert "found no answer (" in failure(box)
    box.server.start()
    assert launch(box)["started"]


def test_a_failed_installation_is_told_with_its_last_words(box, capsys):
    (box.programs / "uv").write_text("#!/bin/sh\necho resolving >&2\necho 'error: no space' >&2\nexit 2\n")
    sentence = failure(box)
    assert "installation: found exit status 2 (error: no space), expected exit status 0" in sentence
    assert "resolving\nerror: no space" in capsys.readouterr().err


def test_ps_tells_what_each_machine_does(box):
    launch(box)
    machine = box.server.machine()
    idle, gone = replace(machine, name="idle"), replace(machine, name="gone", port=free_port())
    shutil.copytree("records/box", "records/gone")
    for one in (machine, idle, gone):
        save_machine(Path("records"), one)
    config, _ = read_launch(["launch.folder=records", "launch.profile=nobody"])  # AWS cannot be asked
    rows = ps(replace(config, remote=box.config))
    assert [row[:4] for row in rows] == [
        (name, "i-0123456789abcdef0", "127.0.0.1", "0.526") for name in ("box", "gone", "idle")
    ]
    assert all(row[4].startswith("not asked (") for row in rows)
    assert rows[0][5].startswith("running, step ")
    assert "h to the limit" in rows[0][5]
    assert rows[1][5].startswith("connection refused")
    assert rows[2][5] == "no training yet"


def test_training_goes_on_when_its_session_is_killed(box):
    trainer = launch(box)["trainer"]
    ssh, agent = agent_of(box)
    subprocess.run(["tmux", "-L", agent.status()["socket"], "kill-server"], check=True)
    assert agent.status()["trainer"] == trainer
    status = follow(ssh, load_assignment(Path("records"), "box"), 0.5, lambda said: None)
    assert (status["reason"], status["exit_status"]) == ("finished", 0)


def test_the_data_that_a_command_names_lies_where_the_trainer_looks(box, tmp_path):
    corpus = tmp_path / "my corpus"
    corpus.mkdir()
    for name in ("train.en", "train.de.gz", "dev.en", "dev.de", "other.en"):
        (corpus / name).write_text(name)
    words = [f"data.{part}='{corpus}/{name}'" for part, name in (("train", "train"), ("dev", "dev"), ("test", "dev"))]
    launch(box, "data=files", *words)
    told = dict(word.split("=", 1) for word in (box.folder / "job/train.out").read_text().split("\n")[0].split()[1:])
    project = box.folder / "project"
    for key, name in (("data.train", "train.en"), ("data.train", "train.de.gz"), ("data.dev", "dev.de")):
        assert (project / told[key]).with_name(name).read_text() == name
    assert not list(box.folder.rglob("other.en"))
