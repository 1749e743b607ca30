"""The service under load, beside the same sentences through the translator in one go.

    python -m benchmarks.serve --data DIR [--checkpoint FILE] [--train-steps 600] [--clients 64] [--write]

`nmt serve` is started as a user starts it, but for its memory of recent sentences, which is off. So many clients on
loopback, a connection each, ask for one sentence after another until all are translated. In turn with it the
translator of `translate.py` is given the same sentences in one go. What starting takes counts for neither. Each answer
is compared with the translation of its sentence: one that is another sentence's is swapped. The clients are one
process, on the same cores as the service; how much of them it takes is told.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from benchmarks import harness
from benchmarks.contestants import LOGS, Contestant, Start, quiet_environment
from benchmarks.search import MODELS, our_checkpoint
from nmt.config.data import Multi30kConfig, Variant
from nmt.data.multi30k import read_split
from nmt.search.paragraphs import split_sentences

PATIENCE_S = 300.0
LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)


@dataclass(frozen=True)
class Load:
    """What the clients saw: by sentence the status and body of its answer and how long it took; and their own work."""

    answers: Sequence[tuple[int, bytes, float]]
    seconds: float
    client_core_s: float


class Service:
    """`nmt serve` on a port of its own, and where it listens."""

    def __init__(self, words: Sequence[str], environment: dict[str, str]) -> None:
        LOGS.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "nmt", "serve", "port=0", "cache=0", *words]
        with (LOGS / "serve.log").open("wb") as log:
            self._process = subprocess.Popen(
                command,
                cwd=harness.ROOT,
                env={**os.environ, **environment},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        assert self._process.stdout is not None
        told = re.search(r" at http://([^:]+):(\d+)/", self._process.stdout.readline())
        if told is None:
            self._process.communicate()
            sys.exit(f"the service did not begin; see {LOGS.relative_to(harness.ROOT) / 'serve.log'}")
        self.host, self.port, self.pid = told[1], int(told[2]), self._process.pid

    def __enter__(self) -> Service:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        self._process.communicate()


def request_of(line: str) -> bytes:
    """A client's question, as it goes over the wire."""
    body = json.dumps({"q": line, "source": "en", "target": "de"}).encode()
    head = (
        f"POST /translate HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {len(body)}"
    )
    return f"{head}\r\n\r\n".encode() + body


def ask_all(host: str, port: int, lines: Sequence[str], clients: int) -> Load:
    """All lines, each by the next client that is free."""
    requests = list(map(request_of, lines))
    answers: list[tuple[int, bytes, float]] = [(0, b"", 0.0)] * len(lines)

    async def client(places: Iterator[int]) -> None:
        reader, writer = await asyncio.open_connection(host, port)
        for place in places:
            began = time.perf_counter()
            writer.write(requests[place])
            head = await reader.readuntil(b"\r\n\r\n")
            length = LENGTH.search(head)
            body = await reader.readexactly(int(length[1]) if length else 0)
            answers[place] = int(head.split(b" ", 2)[1]), body, time.perf_counter() - began
        writer.close()
        await writer.wait_closed()

    async def everyone() -> None:
        places = iter(range(len(lines)))
        await asyncio.gather(*(client(places) for _ in range(clients)))

    began, used_s = time.perf_counter(), time.process_time()
    asyncio.run(asyncio.wait_for(everyone(), PATIENCE_S))
    return Load(answers, time.perf_counter() - began, time.process_time() - used_s)


def judged(load: Load, expected: Sequence[str]) -> dict[str, int]:
    """How many answers are no translation, are another sentence's, or differ in another way."""
    found = {"errors": 0, "swapped": 0, "different": 0}
    others = set(expected)
    for (status, body, _), wanted in zip(load.answers, expected, strict=True):
        if status != 200:
            found["errors"] += 1
            continue
        text = json.loads(body)["translatedText"]
        if text != wanted:
            found["swapped" if text in others else "different"] += 1
    return found


def core_s(pid: int) -> float:
    """Of the processor, that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def compare(
    service: Service, translator: Contestant, lines: Sequence[str], clients: int, rounds: int
) -> dict[str, Any]:
    """Both in turn, another one first each time, after a turn of the service that warms it up."""
    ask_all(service.host, service.port, lines, clients)
    turns: dict[str, list[dict[str, float]]] = {"translator": [], "service": []}
    waited: list[float] = []
    faults = {"errors": 0, "swapped": 0, "different": 0}

    def translate() -> list[str]:
        used_s = core_s(translator.pid)
        answer = translator.turn(0, 0, 0)
        texts = [line.partition("\t")[2] for line in answer["lines"]]
        turns["translator"].append({"seconds": answer["seconds"], "core_s": core_s(translator.pid) - used_s})
        return texts

    def serve() -> Load:
        used_s = core_s(service.pid)
        load = ask_all(service.host, service.port, lines, clients)
        used_s = core_s(service.pid) - used_s
        turns["service"].append({"seconds": load.seconds, "core_s": used_s, "client_core_s": load.client_core_s})
        return load

    for number in range(rounds):
        if number % 2:
            load, texts = serve(), translate()
        else:
            texts, load = translate(), serve()
        waited += [seconds for _, _, seconds in load.answers]
        for name, count in judged(load, texts).items():
            faults[name] += count
    return {"turns": turns, "waited_s": waited, "faults": faults}


def rows(found: dict[str, Any], sentences: int) -> list[list[str]]:
    rates = {name: [sentences / turn["seconds"] for turn in turns] for name, turns in found["turns"].items()}
    shares = [one / other for one, other in zip(rates["service"], rates["translator"], strict=True)]
    percentiles = statistics.quantiles(found["waited_s"], n=100)
    waiting = {"service": [f"{1000 * percentiles[49]:.0f}", f"{1000 * percentiles[98]:.0f}"]}
    share = {"service": harness.summarise(shares)}
    shown = []
    for name, title in (("translator", "translator, in one go"), ("service", "service")):
        rate = harness.summarise(rates[name])
        used = harness.summarise([1000 * turn["core_s"] / sentences for turn in found["turns"][name]])
        part = (
            [f"{share[name].median:.2f}", f"{share[name].low:.2f} to {share[name].high:.2f}"]
            if name in share
            else ["1", "-"]
        )
        ends = waiting.get(name, ["-", "-"])
        shown.append([title, f"{rate.median:.1f}", f"{rate.spread_pct:.0f} %", *part, f"{used.median:.1f}", *ends])
    return shown


HEAD = ["", "sentences/s", "spread", "share", "lowest to highest", "core ms a sentence", "p50 ms", "p99 ms"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, help="folder of Multi30k")
    parser.add_argument("--checkpoint", type=Path, help="instead of training one here")
    parser.add_argument("--train-steps", type=int, default=600)
    parser.add_argument("--sentences", type=int, default=1_000, help="of test2016, at most")
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=harness.cores())
    parser.add_argument("--serve", nargs="*", default=[], metavar="KEY=VALUE", help="more settings of the service")
    parser.add_argument("--noisy", action="store_true", help="measure on a busy machine too")
    parser.add_argument("--write", action="store_true", help="add a section to RESULTS.md")
    parsed = parser.parse_args()
    checkpoint = parsed.checkpoint or our_checkpoint(parsed.data, parsed.train_steps, parsed.threads)
    lines = sentences_of(parsed.data, parsed.sentences)
    described = harness.about(parsed.noisy)
    quiet = quiet_environment(parsed.threads, "cpu")
    harness.WORK.mkdir(parents=True, exist_ok=True)
    text = harness.WORK / "serve.en"
    text.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    command = [sys.executable, "-m", "benchmarks.ours", f"--checkpoint={checkpoint}", f"--lines={text}"]
    command += [f"--folder={MODELS}", "train.device=cpu", f"train.threads={parsed.threads}"]
    words = [f"checkpoint={checkpoint}", "device=cpu", f"threads={parsed.threads}", *parsed.serve]
    with (
        Contestant(Start("translator", "the translator", command, quiet)) as translator,
        Service(words, quiet) as service,
    ):
        found = compare(service, translator, lines, parsed.clients, parsed.rounds)
    table = harness.Table(
        f"{len(lines):,} sentences of test2016, {parsed.clients} clients", HEAD, rows(found, len(lines))
    )
    notes = [told(found, parsed.rounds, len(lines))]
    result = {"turns": found["turns"], "faults": found["faults"]}
    harness.finish("serve", [table], described, result, notes, parsed.write)


def sentences_of(data: str, most: int) -> list[str]:
    """Of test2016, as the recipe of the small model reads it: different lines that are one sentence to the service."""
    lines = dict.fromkeys(read_split(Multi30kConfig(dir=data, variant=Variant.tok), "test").src)
    return [line for line in lines if split_sentences(line) == [(line, "")]][:most]


def told(found: dict[str, Any], rounds: int, sentences: int) -> str:
    """The faults, and what the clients took of the machine."""
    faults = ", ".join(f"{count} {name}" for name, count in found["faults"].items())
    turns = found["turns"]["service"]
    client_ms = harness.summarise([1000 * turn["client_core_s"] / sentences for turn in turns])
    return (
        f"{rounds} rounds after one that warms up; of {rounds * sentences:,} answers {faults}. The clients took "
        f"{client_ms.median:.2f} ms of a core a sentence, of the same cores."
    )


if __name__ == "__main__":
    main()
