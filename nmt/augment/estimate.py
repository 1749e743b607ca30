"""`dry_run=true`: the stages, their sentences, the time and the price that are expected."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from nmt.augment.material import Material
from nmt.augment.plan import Plan, Stage, Sum, Training, Translation
from nmt.config.augment import AugmentConfig
from nmt.plumbing.tables import table
from nmt.sweep.ledger import Standing, Status
from nmt.sweep.pool import Pool
from nmt.sweep.runner import duration

HEADER = ("stage", "state", "sentences", "expected")
Standings = Mapping[str, Standing]


def listing(plan: Plan, command: AugmentConfig, material: Material, standings: Standings, pool: Pool) -> str:
    """A line a stage, and the sum of what is left."""
    estimate = Estimate(plan, command, material, standings)
    rows, left = [], []
    for level in plan.levels:
        times = []
        for stage in level:
            standing = standings.get(stage.ident)
            done = standing is not None and standing.status is Status.finished
            if not done:
                times.append(estimate.seconds(stage))
            expected = "-" if done else _shown(times[-1])
            state = "new" if standing is None else standing.status.value
            rows.append((stage.name, state, estimate.sentences(stage), expected))
        left.append(times)
    return f"{table(rows, HEADER, right=(2, 3))}\n\n{cost(left, pool)}"


class Estimate:
    """From the speeds that were stated, else from the stages of this plan that have ended."""

    def __init__(self, plan: Plan, command: AugmentConfig, material: Material, standings: Standings) -> None:
        self.command, self.real = command, len(material.real)
        lines = {name: material.to_translate(name) for name in plan.text.lines}
        self.num_lines = {name: len(some) for name, some in lines.items()}
        self.num_words = {name: sum(len(line.split()) for line in some) for name, some in lines.items()}
        self.tgt_words = sum(len(line.split()) + 1 for line in material.real.tgt) / max(1, self.real)
        ended = [(stage, standings[stage.ident]) for stage in plan if stage.ident in standings]
        finished = [(stage, one.seconds) for stage, one in ended if one.status is Status.finished]
        trained = [
            (stage.config.train.max_steps, seconds) for stage, seconds in finished if isinstance(stage, Training)
        ]
        steps = sum(count for count, _ in trained)
        self.step_s = sum(seconds for _, seconds in trained) / steps if trained else None
        made = [(self.words(stage), seconds) for stage, seconds in finished if isinstance(stage, Translation)]
        spent = sum(seconds for _, seconds in made)
        measured = sum(words for words, _ in made) / spent if spent else None
        self.words_per_s = command.translate_words_per_s or measured

    def sentences(self, stage: Stage) -> str:
        """That it reads, at most."""
        if isinstance(stage, Translation):
            return f"{self.num_lines[stage.lines]:,}"
        if isinstance(stage, Training):
            return self.sentences(stage.corpus)
        if isinstance(stage, Sum):
            times = self.command.upsample if stage.whole else 1
            made = sum(self.num_lines[part.made.lines] for part in stage.parts)
            return f"at most {times * self.real + made:,}"
        return f"{self.real:,}"

    def words(self, stage: Translation) -> int:
        """That are read, by each of the models."""
        return self.num_words[stage.lines] * len(stage.models)

    def seconds(self, stage: Stage) -> float | None:
        """None where it is not known; what this process does itself takes seconds, and is not counted."""
        if isinstance(stage, Translation):
            return None if self.words_per_s is None else self.words(stage) / self.words_per_s
        if not isinstance(stage, Training):
            return 0.0
        speed, train = self.command.train_tokens_per_s, stage.config.train
        if speed is not None:
            sentences = train.batch_sentences
            step = train.batch_tokens if sentences is None else sentences * self.tgt_words
            return train.max_steps * step / speed
        return None if self.step_s is None else train.max_steps * self.step_s


def cost(left: Sequence[Sequence[float | None]], pool: Pool) -> str:
    """`left`: expected seconds of the stages that are left, level by level: those of a level run side by side."""
    count = sum(map(len, left))
    if not count:
        return "nothing is left to run"
    what = f"{count} stages to run, {pool.size} at once"
    seconds = 0.0
    for times in left:
        known = [one for one in times if one is not None]
        if len(known) < len(times):
            hint = "state train_tokens_per_s and translate_words_per_s, or see again once one of each kind has ended"
            return f"{what}; time and cost unknown: {hint}"
        running = [one for one in known if one]
        rounds = -(-len(running) // pool.size)
        seconds += rounds * sum(running) / len(running) if running else 0.0
    usd = pool.usd(seconds * pool.size)
    price = "cost unknown without a price (train.usd_per_hour)" if usd is None else f"about ${usd:.2f}"
    return f"{what}; about {duration(seconds)}, {price}"


def _shown(seconds: float | None) -> str:
    if seconds is None:
        return "unknown"
    return duration(seconds) if seconds else "seconds"
