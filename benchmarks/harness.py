"""What every case needs: statistics, the machine in words, whether it is quiet, and a dated section in RESULTS.md."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
RESULTS = HERE / "RESULTS.md"
WORK = HERE / ".work"  # made by the cases, git-ignored
FLAGS = ("avx2", "fma", "avx512f", "avx512_bf16", "avx512_fp16", "amx_bf16", "amx_tile", "asimd", "sve", "bf16")
BFLOAT16 = frozenset({"avx512_bf16", "amx_bf16", "bf16"})
PACKAGES = ("tensorflow", "numpy", "sentencepiece", "h5py")
BUSY_SHARE = 0.05  # of all cores' time, used by others: above it the machine is not quiet
BUSY_WINDOW_S = 2.0


@dataclass(frozen=True)
class Summary:
    """Several measurements of one thing."""

    median: float
    low: float
    high: float
    count: int

    @property
    def spread_pct(self) -> float:
        """From the lowest to the highest, in percent of the median."""
        return 100.0 * (self.high - self.low) / self.median if self.median else 0.0

    def as_json(self) -> dict[str, float]:
        return {
            "median": self.median,
            "low": self.low,
            "high": self.high,
            "count": self.count,
            "spread_pct": round(self.spread_pct, 2),
        }


def summarise(values: Sequence[float]) -> Summary:
    """At least one value."""
    assert values, "nothing was measured"
    return Summary(statistics.median(values), min(values), max(values), len(values))


def seconds_of(work: Callable[[], object], warm_up: int, repeats: int) -> Summary:
    """How long `work` takes, after `warm_up` calls that do not count."""
    for _ in range(warm_up):
        work()
    taken = []
    for _ in range(repeats):
        began = time.perf_counter()
        work()
        taken.append(time.perf_counter() - began)
    return summarise(taken)


def cores() -> int:
    """That this process may run on."""
    return len(os.sched_getaffinity(0))


def machine() -> dict[str, object]:
    """The machine as it is now."""
    cpu = _cpu_info(Path("/proc/cpuinfo"))
    found = set(cpu["flags"].split())
    memory_kb = int(Path("/proc/meminfo").read_text().split("MemTotal:")[1].split()[0])
    gpus = gpu_names()
    return {
        "cpu": cpu["model"] or platform.processor(),
        "cores": cores(),
        "flags": [flag for flag in FLAGS if flag in found],
        "memory_gb": round(memory_kb / 2**20, 1),
        "gpus": gpus,
        "load": [round(load, 2) for load in os.getloadavg()],
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
    }


def precisions(flags: Sequence[str] | None = None) -> list[str]:
    """float32, and bfloat16 where the processor has instructions for it."""
    found = _cpu_info(Path("/proc/cpuinfo"))["flags"].split() if flags is None else flags
    return ["float32", "bfloat16"] if BFLOAT16.intersection(found) else ["float32"]


def _cpu_info(path: Path) -> dict[str, str]:
    found = {"model": "", "flags": ""}
    for line in path.read_text().splitlines():
        key, _, value = line.partition(":")
        if key.strip() == "model name":
            found["model"] = value.strip()
        elif key.strip() in ("flags", "Features"):
            found["flags"] = value.strip()
    return found


def gpu_names() -> list[str]:
    """What nvidia-smi sees; empty without it."""
    try:
        listed = subprocess.run(
            ["nvidia-smi", "--query-gpu=name,compute_cap,memory.total,driver_version", "--format=csv,noheader"],
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return []
    return listed.stdout.strip().splitlines()


def versions() -> dict[str, str]:
    """Of this environment's packages, and the commit that is measured."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return {**found, "nmt": commit()}


def commit() -> str:
    """Short hash of the checkout, with a plus where files differ from it; "unknown" without git."""
    try:
        named = subprocess.run(
            ["git", "describe", "--always", "--dirty=+"], cwd=ROOT, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return named.stdout.strip()


def busy_share(window_s: float = BUSY_WINDOW_S) -> float:
    """Share of all cores' time that is used, over a window in which the caller itself sleeps."""
    before = _cpu_times(Path("/proc/stat").read_text())
    time.sleep(window_s)
    return _share(before, _cpu_times(Path("/proc/stat").read_text()))


def _cpu_times(text: str) -> tuple[int, int]:
    """-> idle and all ticks since the start: the machine's sum, the first line of /proc/stat."""
    ticks = [int(number) for number in text.splitlines()[0].split()[1:9]]
    return ticks[3] + ticks[4], sum(ticks)


def _share(before: tuple[int, int], after: tuple[int, int]) -> float:
    idle, total = after[0] - before[0], after[1] - before[1]
    return 1.0 - idle / total if total else 0.0


def require_quiet(noisy: bool, window_s: float = BUSY_WINDOW_S) -> float:
    """-> the share of the cores in use. Ends the program where that is too much, unless `noisy` allows it."""
    share = busy_share(window_s)
    if share <= BUSY_SHARE:
        return share
    message = f"the machine is not quiet: others use {share:.0%} of its cores; figures taken now are worth little"
    if not noisy:
        sys.exit(f"{message}. Wait, or add --noisy to measure all the same.")
    print(f"warning: {message}", file=sys.stderr)
    return share


@dataclass(frozen=True)
class Table:
    """A title, the heads of its columns, and its rows; the first column is text."""

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]

    def markdown(self) -> str:
        marks = ["---", *["---:"] * (len(self.head) - 1)]
        lines = [f"| {' | '.join(row)} |" for row in (self.head, marks, *self.rows)]
        return "\n".join([f"**{self.title}**", "", *lines])


def section(
    case: str, tables: Sequence[Table], about: Mapping[str, object], command: str, when: datetime, notes: Sequence[str]
) -> str:
    """A dated section of RESULTS.md."""
    described = about["machine"]
    assert isinstance(described, Mapping)
    packages = about["versions"]
    assert isinstance(packages, Mapping)
    flags = ", ".join(described["flags"]) or "no flags of note"
    where = f"{described['cpu']}, {described['cores']} cores ({flags}), {described['memory_gb']} GB"
    if described["gpus"]:
        where += "; " + "; ".join(described["gpus"])
    parts = [
        f"## {when.strftime('%Y-%m-%d %H:%M')} UTC: {case}",
        f"`{command}`",
        f"{where}; {described['system']}, Python {described['python']}; load before {described['load']}; "
        f"used by others before {about['busy_share']:.0%}. "
        + ", ".join(f"{name} {version}" for name, version in packages.items())
        + ".",
        *[table.markdown() for table in tables],
        *notes,
    ]
    return "\n\n".join(parts) + "\n"


def append_section(text: str, path: Path = RESULTS) -> None:
    """Put a section at the end of the file of results, with a head if it is new."""
    if not path.exists():
        path.write_text("# Results of the benchmarks\n\nEach section is one run; the newest is the last.\n")
    with path.open("a", encoding="utf-8") as file:
        file.write("\n" + text)


def about(noisy: bool) -> dict[str, object]:
    """The machine before a case is run. Ends the program where it is busy, unless `noisy`."""
    share = require_quiet(noisy)
    return {"machine": machine(), "versions": versions(), "busy_share": share, "threads": cores()}


def record(case: str, result: Mapping[str, object], folder: Path = WORK) -> Path:
    """Keep a run's raw figures as JSON; -> the file."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{case}-{datetime.now(UTC).strftime('%Y%m%d-%H%M%S')}.json"
    path.write_text(json.dumps(result, indent=2) + "\n")
    return path


def finish(
    case: str,
    tables: Sequence[Table],
    described: Mapping[str, object],
    result: Mapping[str, object],
    notes: Sequence[str],
    write: bool,
) -> None:
    """Show the tables, keep the raw figures, and add a section to RESULTS.md where asked to."""
    command = " ".join(["python -m", f"benchmarks.{case}", *_shown_arguments(sys.argv[1:])])
    text = section(case, tables, described, command, datetime.now(UTC), notes)
    print(text)
    path = record(case, {"about": described, **result})
    print(f"raw figures: {path.relative_to(ROOT)}", file=sys.stderr)
    if write:
        append_section(text)
        print(f"added to {RESULTS.relative_to(ROOT)}", file=sys.stderr)


def _shown_arguments(arguments: Sequence[str]) -> list[str]:
    """The command line as others would write it: where their files lie is theirs to choose."""
    places = {"--data": "DIR", "--checkpoint": "FILE"}
    shown, previous = [], ""
    for word in arguments:
        name, equals, _ = word.partition("=")
        if previous in places:
            shown.append(places[previous])
        elif equals and name in places:
            shown.append(f"{name}={places[name]}")
        else:
            shown.append(word)
        previous = word
    return shown
