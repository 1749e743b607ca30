"""What the launcher asks of the machine."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import sys
import time
from typing import Any

from nmt.launch.agent.job import AgentError, Job, alive, call, is_running
from nmt.launch.agent.timer import arm

TICK_S = 0.2
SESSION = "train"  # of tmux
AS_TYPED = [";", "set-option", "-g", "assume-paste-time", "0"]  # Ctrl-b d leaves, even if both keys arrive at once
START_S = 60.0  # for tmux and the supervisor to come up


def start(job: Job, spec: dict[str, Any]) -> dict[str, Any]:
    """Asked twice, it starts one training, which has `limit_s` from now."""
    with job.locked():
        status, digest = job.read("status.json"), spec.get("digest", "")
        digests = status.get("digests", {})
        kept = digests.get(spec["job"]) or digest  # empty: of before, or whatever is there
        finished = (status.get("job"), status.get("exit_status")) == (spec["job"], 0) and digest in ("", kept)
        if finished or is_running(status):
            return {"started": False, **report(job)}
        job.write("spec.json", spec)
        left_s = float(spec["limit_s"])
        if left_s < float(spec["save_before_s"]):
            found = f"{max(0, int(left_s))} s left of this machine's limit"
            raise AgentError(found, "time to train and to save", "raise launch.max_hours or launch.max_usd")
        arm(job, spec, left_s)
        record = {"job": spec["job"], "state": "starting", "deadline": time.time() + left_s, "events": []}
        digests = {**digests, spec["job"]: digest or kept}
        job.write("status.json", {**record, "limits": spec.get("limits"), "digests": digests})
        words = [sys.executable, "-m", "nmt.launch.agent", "supervise", str(job.folder)]
        session = ["new-session", "-d", "-s", SESSION, "-x", "180", "-y", "50", "-c", str(job.project)]
        code, said = call(["tmux", "-f", "/dev/null", "-L", job.socket, *session, *words, *AS_TYPED])
        if code != 0:
            raise AgentError(f"tmux says: {said}", "a session that outlives the connection", "install tmux there")
        return {"started": True, **_wait_for_trainer(job)}


def _wait_for_trainer(job: Job) -> dict[str, Any]:
    end = time.monotonic() + START_S
    while time.monotonic() < end:
        found = report(job)
        if found["state"] in ("running", "ended"):
            return found
        time.sleep(TICK_S)
    raise AgentError("no trainer after a minute", "a training that runs", "run once more")


def report(job: Job) -> dict[str, Any]:
    """What `status` prints: the record, and what can be seen now."""
    status = job.read("status.json") or {"state": "idle"}
    if status["state"] == "running" and not is_running(status):
        status["state"] = "lost"  # killed together with its supervisor, or the machine was restarted
    if status["state"] == "running" and not alive(status.get("supervisor", [])):
        status["unsupervised"] = True
    runs = {run: digest for run, digest in status.get("digests", {}).items() if _saved(job, run)}
    status["digests"] = runs  # of each run that could be gone on with: what it was asked for
    status["socket"] = job.socket
    status["now"], status["log_bytes"] = time.time(), job.output.stat().st_size if job.output.exists() else 0
    with contextlib.suppress(OSError, ValueError, IndexError, KeyError):
        lines = (job.folder / job.read("spec.json")["run"] / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
        status["last"] = json.loads(lines[-1])
    if shutil.which("nvidia-smi"):
        query = "--query-gpu=name,utilization.gpu,memory.used,memory.total"
        status["gpu"] = call(["nvidia-smi", query, "--format=csv,noheader"])[1]
    return status


def _saved(job: Job, run: str) -> bool:
    return any((job.folder / "runs" / run / "checkpoints").glob("*.h5"))


def logs(job: Job, offset: int, follow: bool) -> None:
    """Copy the trainer's output from `offset` on; with `follow` until training has ended."""
    while True:
        going = follow and is_running(job.read("status.json"))
        if job.output.exists():
            with open(job.output, "rb") as file:
                file.seek(offset)
                shutil.copyfileobj(file, sys.stdout.buffer)
                offset = file.tell()
            sys.stdout.buffer.flush()
        if not going:
            return
        time.sleep(TICK_S)


def stop(job: Job) -> dict[str, Any]:
    """The supervisor passes SIGTERM on; the trainer saves and leaves."""
    status = job.read("status.json")
    for who in ("supervisor", "trainer"):
        if alive(status.get(who, [])):
            os.kill(int(status[who][0]), signal.SIGTERM)
            break
    while is_running(job.read("status.json")):
        time.sleep(TICK_S)
    return report(job)
