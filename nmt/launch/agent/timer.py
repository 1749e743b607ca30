"""The dead-man timer: the machine powers itself off, whatever becomes of training, connection or launcher."""

from __future__ import annotations

from typing import Any

from nmt.launch.agent.job import AgentError, Job, call


def arm(job: Job, spec: dict[str, Any], seconds: float) -> None:
    """Have the machine power itself off; a later call takes the place of an earlier one."""
    values = {"seconds": max(1, int(seconds)), "minutes": max(1, int(seconds / 60))}
    status, said = call([word.format_map(values) for word in spec["power_off"]], cwd=job.folder)
    if status != 0:
        raise AgentError(f"the dead-man timer refused: {said}", "a timer that ends the machine", "see remote.power_off")
