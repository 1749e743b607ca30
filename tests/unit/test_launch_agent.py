"""The agent on the machine, with a trainer of a few lines and a metadata service on a loopback address."""

from __future__ import annotations

import ast
import http.client
import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from nmt.launch.agent import supervisor
from nmt.launch.agent.job import AgentError, Job, alive, birth, call, is_running
from nmt.launch.agent.metadata import Metadata
from nmt.launch.agent.supervisor import upload
from nmt.launch.agent.timer import arm
from nmt.launch.agent.verbs import report, start
from nmt.launch.notices import MetadataServer
from nmt.launch.s3 import FILES

ROOT = Path(__file__).resolve().parents[2]
HANGS_S = 120.0  # what ends later than this does not end
TRAINER = """
import pathlib, signal, sys, time
run = pathlib.Path(sys.argv[1])
(run / "checkpoints").mkdir(parents=True, exist_ok=True)
def save(*_):
    time.sleep(0.3)
    (run / "checkpoints" / "last.h5").write_text("saved")
    sys.exit(143)
signal.signal(signal.SIGTERM, save)
print("step 1", flush=True)
time.sleep({seconds})
sys.exit({status})
"""


@pytest.fixture
def home(tmp_path):
    (tmp_path / "job").mkdir()
    (tmp_path / "project").symlink_to(ROOT)
    return tmp_path


def specify(home, seconds=30.0, status=0, **changes):
    trainer = [sys.executable, "-c", TRAINER.format(seconds=seconds, status=status), str(home / "runs" / "r")]
    spec = {
        "job": "r",
        "run": "runs/r",
        "command": trainer,
        "resume_command": [*trainer, "again"],
        "limit_s": 3600.0,
        "power_off": ["true"],
        "save_before_s": 0.0,
        "linger_s": 0.0,
        "metadata": None,
        "poll_s": 0.05,
        "stop_on_rebalance": False,
        "uploads": {},
        **changes,
    }
    Job(home).write("spec.json", spec)
    return spec


def supervise(home, deadline_s=60.0):
    """The agent's loop as a process of its own; -> it, once the trainer has said something."""
    status = {"job": "r", "state": "starting", "deadline": time.time() + deadline_s, "events": []}
    Job(home).write("status.json", status)
    words = [sys.executable, "-m", "nmt.launch.agent", "supervise", str(home)]
    agent = subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    while agent.poll() is None and "step 1" not in (Job(home).output.read_text() if Job(home).output.exists() else ""):
        time.sleep(0.02)
    return agent


def told(home, agent, what):
    """Waits until that is among the events."""
    while not any(event["what"].startswith(what) for event in Job(home).read("status.json")["events"]):
        assert agent.poll() is None, what
        time.sleep(0.02)


def outcome(home, agent):
    said = agent.communicate(timeout=HANGS_S)[0]
    status = Job(home).read("status.json")
    return status["reason"], status["exit_status"], [event["what"] for event in status["events"]], said


def test_a_notice_makes_the_trainer_save_within_a_second_or_two(home):
    with MetadataServer() as service:
        specify(home, metadata=service.address)
        agent = supervise(home)
        service.renew()  # a token that has run out is asked for anew
        service.rebalance()
        told(home, agent, "rebalance recommendation")
        time.sleep(0.3)
        assert agent.poll() is None, "a recommendation alone ends nothing"
        noticed = time.time()
        service.notice()
        reason, status, events, said = outcome(home, agent)
    assert (reason, status) == ("interrupted", 143)
    assert (home / "runs/r/checkpoints/last.h5").read_text() == "saved"
    assert Job(home).read("status.json")["ended"] - noticed < 60, "there are two minutes, for a disk as well"
    assert [event.partition(" of ")[0].partition(": ")[0] for event in events] == [
        *("training begins", "rebalance recommendation", "interruption notice", "interrupted"),
        "training ended with exit status 143 (interrupted)",
    ]
    assert "step 1" in said, "the session shows the trainer's output"


def test_a_recommendation_is_enough_where_that_was_asked(home):
    with MetadataServer() as service:
        specify(home, metadata=service.address, stop_on_rebalance=True)
        agent = supervise(home)
        service.rebalance()
        assert outcome(home, agent)[:2] == ("interrupted", 143)


@pytest.mark.parametrize(("status", "reason"), [(0, "finished"), (2, "failed")])
def test_an_end_of_its_own_is_recorded(home, status, reason):
    specify(home, seconds=0.0, status=status)
    assert outcome(home, supervise(home))[:2] == (reason, status)


def test_a_killed_trainer_is_recorded_as_the_shell_would(home):
    specify(home)
    agent = supervise(home)
    os.kill(Job(home).read("status.json")["trainer"][0], signal.SIGKILL)
    assert outcome(home, agent)[:2] == ("failed", 137)


def test_a_trainer_that_cannot_be_started_is_told(home):
    specify(home, command=["no/such/python"])
    assert outcome(home, supervise(home))[:2] == ("failed", 127)
    assert Job(home).output.read_text() == "no/such/python: No such file or directory\n"


def test_a_run_with_a_checkpoint_goes_on(home):
    specify(home, seconds=0.0)
    (home / "runs/r/checkpoints").mkdir(parents=True)
    (home / "runs/r/checkpoints/last.h5").write_text("")
    assert outcome(home, supervise(home))[2][0] == "training goes on"


def test_the_deadline_saves_before_it(home):
    specify(home, save_before_s=59.0)
    assert outcome(home, supervise(home, deadline_s=60.0))[:2] == ("deadline", 143)


def test_who_looks_on_ends_nothing_and_who_asks_does(home):
    specify(home)
    agent = supervise(home)
    agent.send_signal(signal.SIGINT)
    agent.send_signal(signal.SIGHUP)
    time.sleep(0.5)
    assert agent.poll() is None
    agent.terminate()
    time.sleep(0.1)
    agent.terminate()  # a second one must not reach the trainer, which would leave without saving
    reason, status, _, said = outcome(home, agent)
    assert (reason, status) == ("stopped on request", 143)
    assert "Ctrl-b d leaves; training goes on" in said


def test_a_metadata_service_that_is_not_there_is_told_once(home):
    specify(home, metadata="http://127.0.0.1:9")
    agent = supervise(home)
    told(home, agent, "metadata service")
    time.sleep(1.0)  # in which it asks again
    agent.terminate()
    events = outcome(home, agent)[2]
    assert len([event for event in events if event.startswith("metadata service: ")]) == 1


def test_the_service_wants_a_token():
    with MetadataServer() as service:
        with pytest.raises(OSError, match="401"):
            urllib.request.urlopen(service.address + "/latest/meta-data/spot/instance-action", timeout=5)
        metadata = Metadata(service.address)
        assert (metadata.interruption(), metadata.rebalance()) == (None, None)
        service.notice(120.0)
        assert metadata.interruption()["action"] == "terminate"


def test_the_timer_is_given_whole_numbers_and_its_refusal_is_told(home):
    spec = {"power_off": [sys.executable, "-c", "import sys; open('armed', 'w').write(' '.join(sys.argv[1:]))"]}
    spec["power_off"] += ["+{minutes}", "{seconds}"]
    arm(Job(home), spec, 150.9)
    assert (home / "armed").read_text() == "+2 150"
    with pytest.raises(AgentError) as caught:
        arm(Job(home), {"power_off": ["sh", "-c", "echo no; echo must be root >&2; exit 1"]}, 60)
    assert caught.value.args[0] == "the dead-man timer refused: must be root"
    with pytest.raises(AgentError, match="no-such-program: No such file"):
        arm(Job(home), {"power_off": ["no-such-program"]}, 60)


def test_nothing_starts_without_its_timer_or_without_time(home):
    spec = specify(home)
    with pytest.raises(AgentError, match="timer refused"):
        start(Job(home), {**spec, "power_off": ["false"]})
    assert report(Job(home))["state"] == "idle"
    with pytest.raises(AgentError, match="left of this machine's limit"):
        start(Job(home), {**spec, "limit_s": 10.0, "save_before_s": 60.0})


def test_a_process_is_known_by_number_and_birth():
    here = [os.getpid(), birth(os.getpid())]
    assert alive(here)
    assert not alive([os.getpid(), "1"]), "another process of that number"
    assert not alive([2**22 + 1, ""])
    assert not alive([])
    assert is_running({"supervisor": [1, "x"], "trainer": here})
    child = subprocess.Popen(["true"])
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert birth(child.pid) == "", "a zombie is no process that runs"
    child.wait()


def test_a_machine_that_lost_its_processes_says_so(home):
    specify(home)
    Job(home).write("status.json", {"job": "r", "state": "running", "deadline": 0, "events": [], "trainer": [1, "x"]})
    assert report(Job(home))["state"] == "lost"


def test_the_record_is_for_its_owner_alone(home):
    specify(home)
    assert (home / "job" / "spec.json").stat().st_mode & 0o777 == 0o600


def test_call_gives_the_last_words():
    assert call(["sh", "-c", "echo a; echo b >&2; exit 3"]) == (3, "b")
    assert call(["true"]) == (0, "no message")


def test_an_upload_is_put_where_it_was_signed_for(tmp_path):
    received = {}

    class Handler(BaseHTTPRequestHandler):
        def do_PUT(self):
            received[self.path] = self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200 if "good" in self.path else 403)
            self.end_headers()

        def log_message(self, format, *arguments):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        (tmp_path / "last.h5").write_bytes(b"weights")
        address = f"http://127.0.0.1:{server.server_address[1]}"
        assert upload(tmp_path / "last.h5", f"{address}/good?signature=s3cret") == "uploaded"
        assert received == {"/good?signature=s3cret": b"weights"}
        assert upload(tmp_path / "last.h5", f"{address}/bad?signature=s3cret") == "not uploaded (Forbidden)"
        assert "s3cret" not in upload(tmp_path / "none.h5", f"{address}/good?signature=s3cret")
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_all_tries_of_an_upload_fit_into_the_two_minutes(tmp_path, monkeypatch):
    """Each had a hundred seconds of its own; and what is no HTTP ended the agent."""
    clock, timeouts = Clock(), []

    def no_http(request, timeout):
        timeouts.append(timeout)
        clock.sleep(min(timeout, 40.0))
        raise http.client.BadStatusLine("no HTTP")

    monkeypatch.setattr(supervisor, "time", clock)
    monkeypatch.setattr("urllib.request.urlopen", no_http)
    (tmp_path / "last.h5").write_bytes(b"weights")
    assert upload(tmp_path / "last.h5", "http://127.0.0.1/") == "not uploaded (BadStatusLine)"
    assert timeouts == [100.0, 59.5, 17.5]
    assert clock.monotonic() == 100.0
    assert FILES[0] == "checkpoints/last.h5", "which a training goes on from"


class Clock:
    def __init__(self):
        self.passed = 0.0

    def monotonic(self):
        return self.passed

    def sleep(self, seconds):
        self.passed += seconds


def test_the_agent_runs_on_the_python_of_older_images_and_imports_nothing_else():
    paths = [*(ROOT / "nmt/launch/agent").glob("*.py"), ROOT / "nmt/__init__.py", ROOT / "nmt/launch/__init__.py"]
    assert len(paths) > 5
    for path in paths:
        tree = ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 8))
        for node in ast.walk(tree):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) else []
            for name in names:
                top = name.partition(".")[0]
                assert top in sys.stdlib_module_names or name.startswith("nmt.launch.agent"), f"{path}: {name}"


def test_answers_are_json_and_refusals_have_their_status(home):
    words = [sys.executable, "-m", "nmt.launch.agent"]
    spec = {**specify(home), "power_off": ["false"]}
    refused = subprocess.run(
        [*words, "start", str(home)], input=json.dumps(spec), cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert refused.returncode == 3
    assert json.loads(refused.stdout)["error"][1] == "a timer that ends the machine"
    idle = subprocess.run([*words, "status", str(home)], cwd=ROOT, capture_output=True, text=True, check=True)
    assert json.loads(idle.stdout)["state"] == "idle"


def test_a_session_that_is_gone_takes_nothing_with_it(home):
    specify(home)
    agent = supervise(home)
    agent.stdout.close()  # as when tmux is killed: nobody reads any more
    agent.send_signal(signal.SIGHUP)
    time.sleep(0.5)
    assert agent.poll() is None
    agent.terminate()
    agent.wait(timeout=HANGS_S)
    status = Job(home).read("status.json")
    assert (status["reason"], status["exit_status"]) == ("stopped on request", 143)
