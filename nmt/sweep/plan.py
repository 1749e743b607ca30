"""`dry_run=true`: what a sweep would do, and what that would cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from nmt.plumbing.tables import table
from nmt.plumbing.text import counted
from nmt.sweep.ledger import Standing, Status
from nmt.sweep.pool import Pool
from nmt.sweep.runner import duration
from nmt.sweep.trials import Trial

HEADER = ("trial", "state", "expected", "overrides")


def expected_s(group: str | None, standings: Mapping[str, Standing]) -> float | None:
    """Seconds that a trial takes: the mean over those that finished, of the same configuration where there are any."""
    finished = [one for one in standings.values() if one.status is Status.finished]
    alike = [one.seconds for one in finished if one.group == group]
    seconds = alike or [one.seconds for one in finished]
    return sum(seconds) / len(seconds) if seconds else None


def listing(trials: Sequence[Trial], standings: Mapping[str, Standing], pool: Pool, retry_failed: bool) -> str:
    """A line a trial, and the sum of what is left."""
    rows: list[tuple[str, ...]] = []
    times: list[float | None] = []
    for trial in trials:
        standing = standings.get(trial.ident)
        state = "new" if standing is None else standing.status.value
        left = standing is None or not standing.status.done or (standing.status is Status.failed and retry_failed)
        seconds = expected_s(trial.group, standings)
        if left:
            times.append(seconds)
        shown = "-" if not left else "unknown" if seconds is None else duration(seconds)
        rows.append((str(trial.number + 1), state, shown, trial.name))
    return f"{table(rows, HEADER)}\n\n{cost(times, pool)}"


def cost(times: Sequence[float | None], pool: Pool) -> str:
    """`times` of the trials that are left, None where it is not known."""
    if not times:
        return "nothing is left to run"
    what = f"{counted(len(times), 'trial')} to run, {pool.size} at once"
    known = [seconds for seconds in times if seconds is not None]
    if len(known) < len(times):
        return f"{what}; time and cost unknown until one has finished"
    total = sum(known)
    usd = pool.usd(total)
    price = "cost unknown without a price (train.usd_per_hour)" if usd is None else f"about ${usd:.2f}"
    return f"{what}; about {duration(total / pool.size)}, {price}"
