"""Lets a program that is measured go on for a while when it is told to, and says how far it came.

Standard library only, since every peer has packages and a Python of its own. In training, `Turnstile.step` is called
between the steps of the program's own loop; the loop then waits until a line comes in on standard input. So several
programs are measured in turn on one machine, while the others sleep. Messages are JSON, a line each:

    in    {"settle": 2, "seconds": 6, "steps": 3}    take `settle` steps that do not count, then measure for at least
                                                     so many seconds and steps
          {"stop": true}                             end the process, as it is
    out   {"ready": SECONDS, "rss_mb": ...}          after the first step; seconds since the process was made
          {"tokens": ..., "steps": ..., "seconds": ..., "waited_s": ..., "rss_mb": ...}    after a turn

tokens are target tokens, end marks included, padding left out; waited_s is how long a program that knows it waited for
its data. In translation a turn is one pass over all lines and answers {"seconds": ..., "lines": [...]}; that of the
machine's limit (benchmarks/peak.py) tells {"gflop_per_s": {TYPE: ...}}. What the program itself prints goes to standard
error.
"""

import argparse
import json
import os
import resource
import sys
import time

STARTED = "BENCHMARK_STARTED"  # environment: time.time() just before the process was made


def arguments():
    """What every program that is measured is told."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--pieces", required=True, help="folder of benchmarks.pieces")
    parser.add_argument("--sizes", type=json.loads, required=True, help="benchmarks.flops.Sizes as JSON")
    parser.add_argument("--sentences", type=int, help="a step; or --tokens")
    parser.add_argument("--tokens", type=int)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--bfloat16", action="store_true", help="compute in it, where the program can")
    parser.add_argument("--work", required=True, help="folder for what it writes")
    parser.add_argument("--train-steps", type=int, help="train so far without pause, save, and end")
    parser.add_argument("--beam", type=int, help="translate the test set with the model that was saved; 1 is greedy")
    return parser.parse_args()


def read(folder, name):
    """The lines of a file of pieces."""
    with open(os.path.join(folder, name), encoding="utf-8") as file:
        return file.read().split("\n")[:-1]


class Turnstile:
    def __init__(self):
        self._out = os.fdopen(os.dup(1), "w", buffering=1, encoding="utf-8")
        os.dup2(2, 1)
        self._tokens = 0
        self._steps = 0
        self._turn = None
        self._waited_s = 0.0
        self._began = None  # (time, tokens, steps, waited) once the steps that do not count are over

    def step(self, tokens, waited_s=0.0):
        """After a step on `tokens` target tokens. Returns at once, or after the next turn was given."""
        self._waited_s += waited_s
        self._tokens += int(tokens)
        self._steps += 1
        now = time.perf_counter()
        if self._turn is None:
            self._ready()
        elif self._began is None:
            self._turn["settle"] -= 1
            if self._turn["settle"] <= 0:
                self._began = now, self._tokens, self._steps, self._waited_s
        elif now - self._began[0] >= self._turn["seconds"] and self._steps - self._began[2] >= self._turn["steps"]:
            since, tokens, steps, waited_s = self._began
            done = {"tokens": self._tokens - tokens, "steps": self._steps - steps, "seconds": now - since}
            self._say({**done, "waited_s": self._waited_s - waited_s, "rss_mb": peak_rss_mb()})
            self._wait()

    def translations(self, work):
        """Call `work` once to warm up, and then once a turn; it returns lines of pieces. Does not return."""
        self.repeat(lambda: {"lines": work()})

    def repeat(self, work):
        """Call `work` once to warm up, and then once a turn; what it returns is told. Does not return."""
        work()
        self._ready()
        while True:
            began = time.perf_counter()
            found = work()
            self._say({"seconds": time.perf_counter() - began, **found, "rss_mb": peak_rss_mb()})
            self._wait()

    def _ready(self):
        self._say({"ready": time.time() - float(os.environ[STARTED]), "rss_mb": peak_rss_mb()})
        self._wait()

    def _wait(self):
        line = sys.stdin.readline()
        turn = json.loads(line) if line else {"stop": True}
        if "stop" in turn:
            self._out.flush()
            os._exit(0)  # nothing that it trained is wanted
        self._turn = turn
        self._began = None if turn["settle"] else (time.perf_counter(), self._tokens, self._steps, self._waited_s)

    def _say(self, message):
        self._out.write(json.dumps(message) + "\n")


class Gate:
    """A peer's own iterable of batches, with the turnstile between one batch and the next."""

    def __init__(self, batches, turnstile, count):
        self._batches, self._turnstile, self._count = batches, turnstile, count

    def __getattr__(self, name):
        return getattr(self._batches, name)

    def __iter__(self):
        for batch in self._batches:
            yield batch
            self._turnstile.step(self._count(batch))  # when the next one is asked for, the step is done


def peak_rss_mb():
    """Largest resident set so far, in MB of 10^6 bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
