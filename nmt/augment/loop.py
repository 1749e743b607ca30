"""The loop, top to bottom: material, plan, and stage after stage, what is done already left as it is."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from nmt.augment.estimate import listing
from nmt.augment.material import Material, lines_file, load_material
from nmt.augment.parts import Request, is_done, write_request
from nmt.augment.plan import Plan, Stage, Sum, Text, Training, Translation, make_plan
from nmt.augment.recipe import Recipe, read_recipe
from nmt.augment.sums import CORPUS, PROVENANCE, Summing, best_of
from nmt.augment.told import told
from nmt.config.augment import AugmentConfig, read_final_words
from nmt.config.metrics import LOSS
from nmt.config.root import Config
from nmt.errors import SweepError
from nmt.metrics.vectors import open_vectors
from nmt.sweep.ledger import Ledger, Status, read_standings
from nmt.sweep.outcome import Scores, read_scores
from nmt.sweep.pool import CONSOLE, LocalPool, Pool, importable, places, train_program
from nmt.sweep.runner import Outcome, Runner, tail
from nmt.sweep.trials import Trial, place

log = logging.getLogger(__name__)

OPTION = "out=FOLDER"
TRANSLATE = "nmt.app.augment_stage"


def augment(command: AugmentConfig, make_pool: Callable[[AugmentConfig, Config], Pool] | None = None) -> None:
    """Raises ConfigError, DataError, MetricError, and SweepError where a stage failed."""
    recipe = read_recipe(command.words, command.flags, read_final_words(command.final_words))
    for vectors in filter(None, (command.vectors_src, command.vectors_tgt)):
        open_vectors(vectors)  # a mistake shows before anything is trained
    material = load_material(command, recipe.config.data)
    plan = make_plan(command, recipe, material)
    pool = (make_pool or local_pool)(command, recipe.config)
    folder = Path(command.out).absolute()
    if command.dry_run:
        print(listing(plan, command, material, read_standings(folder), pool))
        return
    with Ledger(folder, OPTION) as ledger:
        loop = Loop(plan, command, recipe, material, pool, ledger)
        loop.run()
        finals = [(loop.at(stage), read_scores(loop.at(stage))) for stage in plan.finals]
        print(told(loop.at(plan.sum) / PROVENANCE, finals))


def local_pool(command: AugmentConfig, config: Config) -> Pool:
    """A process at each GPU or share of the cores. Raises ConfigError for more at once than there are of them."""
    here = places(command.jobs, config.train.device, "jobs")
    here = [replace(one, environment={**one.environment, **importable()}) for one in here]
    return LocalPool(here, config.train.usd_per_hour, program)


def program(trial: Trial) -> list[str]:
    """A stage that trains has the words of train.py; what one that translates is to do lies in its folder."""
    return train_program() if trial.overrides else ["-P", "-m", TRANSLATE, str(trial.folder)]


def scores_of(folder: Path) -> Scores | None:
    """What the folder of a stage says of it: one that translates has no scores, but an end."""
    return Scores(LOSS, None, 0, {}, {}, 0.0, None, True, ()) if is_done(folder) else read_scores(folder)


class Loop:
    """One output folder. A stage that failed is tried again by the same command."""

    def __init__(
        self, plan: Plan, command: AugmentConfig, recipe: Recipe, material: Material, pool: Pool, ledger: Ledger
    ) -> None:
        self.plan, self.command, self.recipe, self.material = plan, command, recipe, material
        self.ledger, self.folder = ledger, ledger.path.parent
        self.runner = Runner(pool, ledger, fail_fast=False, retry_failed=True, scores=scores_of)
        self.runner.total = len(list(plan))
        self.numbers = {stage.ident: number for number, stage in enumerate(plan)}

    def run(self) -> None:
        for level in self.plan.levels:
            started = [stage for stage in level if isinstance(stage, Training | Translation)]
            for stage in level:
                if stage not in started:
                    self._here(stage)
            if started:
                insist(self.runner.run([self._trial(stage) for stage in started]))

    def at(self, stage: Stage) -> Path:
        """The folder of a stage that has begun."""
        return self.folder / self.ledger.standings()[stage.ident].folder

    def _here(self, stage: Stage) -> None:
        """A stage of this process, which takes seconds: all of it, or nothing."""
        standing = self.ledger.standings().get(stage.ident)
        if standing is not None and standing.status is Status.finished:
            return
        trial = self._placed(stage, (), stage.ident)
        begun = {"group": trial.group, "number": trial.number, "flags": [], "overrides": []}
        self.ledger.write("start", stage.ident, {**begun, "folder": trial.folder.name, "where": "here"})
        log.info("stage %d of %d: %s", trial.number + 1, self.runner.total, trial.folder.name)
        since = time.monotonic()
        if isinstance(stage, Text):
            self.material.write(trial.folder, stage.lines)
        else:
            assert isinstance(stage, Sum), "other stages are processes"
            text = self.at(self.plan.text)
            Summing(self.material, self.command, self.recipe, text, self.at).write(stage, trial.folder)
        ended = {"status": Status.finished.value, "exit_status": 0, "score": None, "usd": None}
        self.ledger.write("end", stage.ident, {**ended, "seconds": round(time.monotonic() - since, 3)})

    def _trial(self, stage: Training | Translation) -> Trial:
        """What the runner starts. The request of a translation is there before its process is."""
        if isinstance(stage, Training):
            return self._placed(stage, self._words(stage), stage.group)
        trial = self._placed(stage, (), stage.name)
        text, best = self.at(self.plan.text), [str(best_of(self.at(model))) for model in stage.models]
        lines, device = str(text / lines_file(stage.lines)), stage.model.config.train.device.value
        scored = self.command.min_score is not None
        if not is_done(trial.folder):
            write_request(trial.folder, Request(best, lines, list(stage.search), self.command.part, scored, device))
        return trial

    def _placed(self, stage: Stage, words: tuple[str, ...], group: str) -> Trial:
        figure = stage.config.train.early_stopping.figure if isinstance(stage, Training) else LOSS
        folder, flags = self.folder / stage.name, self.recipe.flags
        trial = Trial(self.numbers[stage.ident], words, stage.ident, group, figure, folder, stage.name, flags)
        return place(trial, self.ledger.standings())

    def _words(self, stage: Training) -> tuple[str, ...]:
        text = self.at(self.plan.text)
        train = self.at(stage.corpus) / ("real" if isinstance(stage.corpus, Text) else CORPUS)
        tests = {name: str(text / "tests" / name) for name in self.material.tests} if stage.round == 0 else {}
        recipe = self.recipe.final if stage.round == 0 else self.recipe
        return recipe.training_words(stage.direction, stage.seed, str(train), str(text / "dev"), tests)


def insist(outcomes: Sequence[Outcome]) -> None:
    """Raises SweepError where a stage did not come to its end."""
    for outcome in outcomes:
        if outcome.status is not Status.finished:
            raise SweepError(
                f"stage {outcome.trial.name}",
                found=f"that it {'failed' if outcome.status is Status.failed else 'was stopped'}:"
                f"{tail(outcome.trial, 1).rstrip()}",
                expected="its end",
                next_step=f"see {outcome.trial.folder / CONSOLE}; the same command goes on with it",
            )
