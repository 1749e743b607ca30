"""Runs the trainer, and has it save and leave before the machine goes."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from nmt.launch.agent.job import AgentError, Job, birth
from nmt.launch.agent.metadata import Metadata
from nmt.launch.agent.timer import arm

TICK_S = 0.2
PAUSES_S = (0.5, 2.0, 8.0)  # between tries of an upload
UPLOAD_S = 100.0  # for all tries of a file: two minutes are all that a spot machine has


class Supervisor:
    """Runs the trainer once, and ends it early, by SIGTERM, for one of three reasons."""

    def __init__(self, job: Job) -> None:
        self.job, self.spec, self.status = job, job.read("spec.json"), job.read("status.json")
        self.metadata = Metadata(self.spec["metadata"]) if self.spec["metadata"] else None
        self.reason, self.next_look, self.shown = "", 0.0, 0
        self.asked = self.seen = False  # set by signals, whose handlers do nothing else
        self.trainer: subprocess.Popen[bytes] | None = None

    def note(self, what: str) -> None:
        self.status["events"].append({"time": time.time(), "what": what})
        self.job.write("status.json", self.status)
        show(f"[{time.strftime('%H:%M:%S')}] {what}\n".encode())

    def run(self) -> None:
        resumable = any((self.job.folder / self.spec["run"] / "checkpoints").glob("*.h5"))
        words = self.spec["resume_command" if resumable else "command"]
        for number in (signal.SIGINT, signal.SIGHUP):  # of someone who looks on by `attach`: training goes on
            signal.signal(number, lambda *_: setattr(self, "seen", True))
        signal.signal(signal.SIGTERM, lambda *_: setattr(self, "asked", True))
        self.shown = self.job.output.stat().st_size if self.job.output.exists() else 0
        with open(self.job.output, "ab") as output:
            try:
                self.trainer = subprocess.Popen(
                    words,
                    cwd=self.job.project,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            except OSError as error:
                output.write(f"{words[0]}: {error.strerror}\n".encode())
        pid = self.trainer.pid if self.trainer else 0
        self.status["supervisor"], self.status["trainer"] = [os.getpid(), birth(os.getpid())], [pid, birth(pid)]
        self.status.update(state="running", since=time.time(), resumed=resumable)
        self.note("training goes on" if resumable else "training begins")
        while self.trainer is not None and self.trainer.poll() is None:
            self.look()
            time.sleep(TICK_S)
        self.finish(self.trainer.returncode if self.trainer else 127)

    def look(self) -> None:
        """One round: show new output, then see whether the end is near."""
        with contextlib.suppress(OSError), open(self.job.output, "rb") as file:
            file.seek(self.shown)
            new = file.read()
            self.shown += len(new)
            show(new)
        if self.seen:
            self.seen = False
            show(b"Ctrl-b d leaves; training goes on\n")
        if self.asked:
            self.end("stopped on request")
        if time.time() > self.status["deadline"] - self.spec["save_before_s"]:
            self.end("deadline")
        if self.metadata is None or time.monotonic() < self.next_look:
            return
        self.next_look = time.monotonic() + self.spec["poll_s"]
        try:
            notice, advice = self.metadata.interruption(), self.metadata.rebalance()
        except (OSError, ValueError) as error:
            self.once(f"metadata service: {error}")
            return
        if advice is not None:
            self.once(f"rebalance recommendation of {advice.get('noticeTime')}")
        if notice is not None:
            self.once(f"interruption notice: {notice.get('action')} at {notice.get('time')}")
        if notice is not None or (advice is not None and self.spec["stop_on_rebalance"]):
            self.end("interrupted")

    def once(self, what: str) -> None:
        if what not in [event["what"] for event in self.status["events"]]:
            self.note(what)

    def end(self, reason: str) -> None:
        """Ask the trainer to save. Once: a second signal would make it leave without."""
        if not self.reason and self.trainer is not None:
            self.reason = reason
            self.note(f"{reason}: SIGTERM to the trainer")
            self.trainer.send_signal(signal.SIGTERM)

    def finish(self, code: int) -> None:
        self.look()
        exit_status = code if code >= 0 else 128 - code
        reason = "finished" if exit_status == 0 else self.reason or "failed"
        self.status.update(state="ended", exit_status=exit_status, reason=reason, ended=time.time())
        self.note(f"training ended with exit status {exit_status} ({reason})")
        for path, address in self.spec["uploads"].items():
            self.note(f"{path}: {upload(self.job.folder / self.spec['run'] / path, address)}")
        linger_s = self.spec["linger_s"]
        if linger_s and time.time() + linger_s < self.status["deadline"]:
            with contextlib.suppress(AgentError):  # the first timer still stands
                arm(self.job, self.spec, linger_s)


def show(text: bytes) -> None:
    """Into the session, which may be gone: training goes on without it."""
    with contextlib.suppress(OSError):
        sys.stdout.buffer.write(text)
        sys.stdout.buffer.flush()


def upload(path: Path, address: str) -> str:
    """Put a file where the launcher has signed a place for it; -> what became of it, without the signature.

    S3 refuses a request now and then, and says to send it again: API/ErrorResponses.html, SlowDown.
    """
    pauses, ends = list(PAUSES_S), time.monotonic() + UPLOAD_S
    while True:
        try:
            with open(path, "rb") as file:
                headers = {"Content-Length": str(path.stat().st_size)}
                request = urllib.request.Request(address, data=file, headers=headers, method="PUT")
                with urllib.request.urlopen(request, timeout=max(ends - time.monotonic(), 1.0)):
                    return "uploaded"
        except (OSError, ValueError, http.client.HTTPException) as error:
            passes = not isinstance(error, ValueError) and getattr(error, "code", 500) >= 500 and path.exists()
            if not passes or not pauses or time.monotonic() + pauses[0] >= ends:
                return f"not uploaded ({getattr(error, 'reason', None) or type(error).__name__})"
        time.sleep(pauses.pop(0))
