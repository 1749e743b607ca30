"""Which machines train together, as TensorFlow's `TF_CONFIG` says it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, NoReturn

from nmt.errors import DeviceError
from nmt.plumbing.records import parsed

EXAMPLE = (
    """TF_CONFIG='{"cluster": {"worker": ["HOST:PORT", "HOST:PORT"]}, "task": {"type": "worker", "index": 0}}', """
    "the index of each machine its own"
)
_ADDRESS = re.compile(r"[^\s:/]+:(\d{1,5})|\[[0-9a-fA-F:]+\]:(\d{1,5})")


@dataclass(frozen=True)
class Cluster:
    """The workers' addresses, HOST:PORT, the chief's first; and which of them this process is."""

    workers: tuple[str, ...]
    index: int

    @property
    def is_chief(self) -> bool:
        """The one that validates, logs and saves."""
        return self.index == 0


def read_cluster(text: str | None) -> Cluster:
    """From the value of the environment variable TF_CONFIG; None: it is not set.

    Its `cluster` has the jobs `worker` and, if one likes, `chief`, which then is the first worker.
    Raises DeviceError where it is missing, cannot be read, or contradicts itself.
    """
    if not text:
        _refuse("no TF_CONFIG", "it in the environment of every worker")
    try:
        content = parsed(text)
    except ValueError as error:
        _refuse(f"a TF_CONFIG that is not JSON ({error})", "an object with cluster and task")
    workers, index = _workers(content), _index(content)
    if not 0 <= index < len(workers):
        _refuse(f"task index {index} in TF_CONFIG", f"one of the {len(workers)} workers that its cluster names")
    for address in workers:
        match = _ADDRESS.fullmatch(address)
        if match is None or not 0 < int(match[1] or match[2]) < 65_536:
            _refuse(f"the worker {address!r} in TF_CONFIG", "HOST:PORT")
        if workers.count(address) > 1:
            _refuse(f"the worker {address!r} twice in TF_CONFIG", "an address of its own for each worker")
    return Cluster(tuple(workers), index)


def _workers(content: Any) -> list[str]:
    cluster = content.get("cluster") if isinstance(content, dict) else None
    if not isinstance(cluster, dict):
        _refuse("a TF_CONFIG without cluster", "an object with cluster and task")
    if strange := sorted(set(cluster) - {"chief", "worker"}):
        _refuse(f"the job {strange[0]!r} in TF_CONFIG", "the jobs worker and chief alone")
    named = [cluster.get(job, []) for job in ("chief", "worker")]
    if not all(isinstance(addresses, list) and all(isinstance(one, str) for one in addresses) for addresses in named):
        _refuse("a cluster in TF_CONFIG whose jobs are not lists of addresses", "HOST:PORT of each worker in a list")
    if len(named[0]) > 1:
        _refuse(f"{len(named[0])} chiefs in TF_CONFIG", "one at most")
    return [*named[0], *named[1]]


def _index(content: dict[str, Any]) -> int:
    """Counted through chief and workers."""
    task = content.get("task")
    if not isinstance(task, dict) or not isinstance(task.get("index"), int) or isinstance(task["index"], bool):
        _refuse("a TF_CONFIG without the index of its task", 'a task such as {"type": "worker", "index": 0}')
    if task.get("type") not in ("chief", "worker"):
        _refuse(f"a task of type {task.get('type')!r} in TF_CONFIG", "worker or chief")
    chiefs = len(content["cluster"].get("chief", []))
    index: int = task["index"]
    return index if task["type"] == "chief" else index + chiefs


def _refuse(found: str, expected: str) -> NoReturn:
    raise DeviceError(
        "train.distribution=multi_worker",
        found=found,
        expected=expected,
        next_step=f"start every worker with {EXAMPLE}, or use train.distribution=one",
    )
