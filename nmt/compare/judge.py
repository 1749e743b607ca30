"""What a difference between systems is worth: its interval, two tests, Holm's correction, and what people would say.

One run a system: paired bootstrap and paired approximate randomisation over sentences, as sacreBLEU has them. Several
runs of a configuration (seeds): hierarchical bootstrap over sentences and seeds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from nmt.compare.buckets import Draws, Figures, Why, scores_of, where_and_why
from nmt.compare.robustness import PLAIN
from nmt.compare.systems import Measure, Output, System
from nmt.config.mistakes import show
from nmt.errors import CheckpointError
from nmt.metrics.agreement import agreement
from nmt.metrics.bootstrap import Interval, bootstrap_interval
from nmt.metrics.hierarchy import compare_groups
from nmt.metrics.metric import Scorer
from nmt.metrics.significance import TRIALS, holm, paired_bootstrap, paired_randomisation

RESAMPLES = 1000  # where the configuration asks for none
FEW = 50  # sentences: with fewer a test proves little


@dataclass(frozen=True)
class Verdict:
    """A system by one metric. What compares with the baseline is None for the baseline itself."""

    measure: Measure
    system: str
    score: float
    interval: Interval
    num_seeds: int = 1
    deviation: float | None = None  # over seeds
    difference: float | None = None
    difference_interval: Interval | None = None
    p_bootstrap: float | None = None  # hierarchical where a configuration has several seeds
    p_randomisation: float | None = None  # None with several seeds
    p_holm: float | None = None
    agreement: float | None = None  # percent; None where there is no curve

    @property
    def p_value(self) -> float | None:
        """The one that is corrected: of the test that keeps its level best (docs/comparisons.md)."""
        return self.p_bootstrap if self.p_randomisation is None else self.p_randomisation


@dataclass(frozen=True)
class Comparison:
    """All systems of one test set."""

    test: str
    num_sentences: int
    systems: Sequence[System]
    verdicts: Sequence[Verdict]  # by metric, then by system
    signatures: dict[str, str]  # of each metric, as the baseline has it
    notes: Sequence[str]
    confidence: float
    why: Why | None = None
    source: Sequence[str] = ()
    worse: Mapping[str, Figures] = field(default_factory=dict)  # see nmt.compare.robustness

    @property
    def baseline(self) -> str:
        return self.systems[0].name


def compare(
    test: str,
    systems: Sequence[System],
    measures: Sequence[Measure],
    scorer: Scorer,
    source: Sequence[str] | None = None,
    training: Counter[str] | None = None,
) -> Comparison:
    """Each system against the first; with the lines of the source also where and why, see `nmt.compare.buckets`.

    A score counts as the first system's does, which `scorer` says: a system with another signature (word vectors that
    its run learnt), or without that score, is scored anew, and a note says so.

    Raises CheckpointError where the systems translated different sentences.
    """
    first = systems[0]
    if any(list(system.references) != list(first.references) for system in systems):
        raise CheckpointError(
            "checkpoint",
            found="test sets that differ between the checkpoints",
            expected="the same sentences for all",
            next_step="name one test set with data.test=PREFIX",
        )
    verdicts: list[Verdict] = []
    signatures, notes, cfg = {}, _few(len(first.references)), scorer.cfg
    draws = Draws(cfg.bootstrap or RESAMPLES, cfg.confidence, cfg.seed)
    notes += [
        f"{system.name} has one run: the seed's part of its differences is unknown"
        for system in systems
        if len(system.outputs) == 1 and (system.group or any(len(other.outputs) > 1 for other in systems))
    ]
    worse = _made_worse(systems, measures, scorer, draws)
    for measure in measures:
        systems_here, said = _on_one_scale(measure, systems, scorer)
        notes += said
        if measure.ours:
            systems = systems_here
        if systems_here:
            signatures[measure.name] = systems_here[0].outputs[0].scores[measure.name].signature
            verdicts += _verdicts(measure, systems_here, scorer)
    adjusted = holm([verdict.p_value for verdict in verdicts])
    corrected = [replace(verdict, p_holm=p_holm) for verdict, p_holm in zip(verdicts, adjusted, strict=True)]
    if worse:
        ours = [measure for measure in measures if measure.ours]
        able = [system for system in systems if system.outputs[0].worse]
        worse = {PLAIN: scores_of(range(len(first.references)), able, ours, draws), **worse}
    why = None if source is None else where_and_why(source, systems, measures, draws, training)
    return Comparison(
        test, len(first.references), systems, corrected, signatures, notes, cfg.confidence, why, source or (), worse
    )


def _made_worse(
    systems: Sequence[System], measures: Sequence[Measure], scorer: Scorer, draws: Draws
) -> dict[str, Figures]:
    """Scores of the systems that translated the test set made worse, on one scale, by the way in which it was."""
    ours = [measure for measure in measures if measure.ours]
    found: dict[str, Figures] = {}
    for way in systems[0].outputs[0].worse:
        here = [
            replace(
                system,
                references=system.outputs[0].worse[way].references,
                outputs=[
                    replace(one, lines=one.worse[way].lines, scores=one.worse[way].scores) for one in system.outputs
                ],
            )
            for system in systems
            if way in system.outputs[0].worse
        ]
        for measure in ours:
            here, _ = _on_one_scale(measure, here, scorer)
        found[way] = scores_of(range(len(here[0].references)), here, ours, draws)
    return found


def _few(num_sentences: int) -> list[str]:
    if num_sentences >= FEW:
        return []
    number = "one sentence proves" if num_sentences == 1 else f"{num_sentences} sentences prove"
    return [f"{number} little, whatever the tests say: take at least {FEW}"]


def _on_one_scale(measure: Measure, systems: Sequence[System], scorer: Scorer) -> tuple[list[System], list[str]]:
    """The systems that have the score, by the baseline's signature; and what has to be said of them."""
    baseline, label = systems[0], measure.figure.label
    if not measure.ours:
        known = [system for system in systems if all(measure.name in one.scores for one in system.outputs)]
        lacking = [system.name for system in systems if system not in known]
        if baseline.name in lacking:
            return [], [f"{label}: no scores of {baseline.name}, so nothing is compared by it"]
        return known, [f"{label}: no scores of {name}" for name in lacking]
    metric, notes, scaled = scorer.metrics[measure.name], [], []
    own = baseline.outputs[0].scores.get(measure.name)
    for system in systems:
        outputs: list[Output] = []
        for one in system.outputs:
            score = one.scores.get(measure.name)
            if score is None or own is None or score.signature != own.signature:
                score = metric.score(one.lines, system.references, scorer.cfg.bootstrap)
                notes.append(f"{label} of {show(one.source)} is by {measure.settings} of {baseline.name} here")
            outputs.append(replace(one, scores={**one.scores, measure.name: score}))
        scaled.append(replace(system, outputs=outputs))
    return scaled, notes


def _verdicts(measure: Measure, systems: Sequence[System], scorer: Scorer) -> list[Verdict]:
    """Pairs of single runs by the paired tests over sentences, all others by the hierarchical bootstrap."""
    baseline, *others = systems
    single = [system for system in others if len(baseline.outputs) == len(system.outputs) == 1]
    grouped = [system for system in others if system not in single]
    found = {
        verdict.system: verdict
        for verdicts in (
            _of_groups(measure, [baseline, *grouped], scorer) if grouped else [],
            _of_runs(measure, [baseline, *single], scorer) if single or not grouped else [],
        )
        for verdict in verdicts
    }
    return [found[system.name] for system in systems]


def _of_runs(measure: Measure, systems: Sequence[System], scorer: Scorer) -> list[Verdict]:
    scores = [system.outputs[0].scores[measure.name] for system in systems]
    base_NF, *rest = (one.statistics_NF for one in scores)
    cfg, from_statistics = scorer.cfg, measure.from_statistics
    draws, confidence = cfg.bootstrap or RESAMPLES, cfg.confidence
    interval = bootstrap_interval(base_NF, from_statistics, draws, confidence, cfg.seed)
    assert interval is not None, "there are resamples"
    boot = paired_bootstrap(base_NF, rest, from_statistics, resamples=draws, confidence=confidence, seed=cfg.seed)
    shuffled = paired_randomisation(base_NF, rest, from_statistics, trials=TRIALS, seed=cfg.seed)
    return [Verdict(measure, systems[0].name, scores[0].value, interval)] + [
        Verdict(
            measure,
            system.name,
            score.value,
            one.interval,
            difference=one.difference,
            difference_interval=one.difference_interval,
            p_bootstrap=one.p_value,
            p_randomisation=two.p_value,
            agreement=agreement(measure.curve, one.difference),
        )
        for system, score, one, two in zip(systems[1:], scores[1:], boot, shuffled, strict=True)
    ]


def _of_groups(measure: Measure, systems: Sequence[System], scorer: Scorer) -> list[Verdict]:
    cfg = scorer.cfg
    scores, compared = compare_groups(
        [[one.scores[measure.name].statistics_NF for one in system.outputs] for system in systems],
        measure.from_statistics,
        resamples=cfg.bootstrap or RESAMPLES,
        confidence=cfg.confidence,
        seed=cfg.seed,
    )
    verdicts = [
        Verdict(measure, system.name, own.score, own.interval, len(system.outputs), own.deviation)
        for system, own in zip(systems, scores, strict=True)
    ]
    return verdicts[:1] + [
        replace(
            verdict,
            difference=one.difference,
            difference_interval=one.interval,
            p_bootstrap=one.p_value,
            agreement=agreement(measure.curve, one.difference),
        )
        for verdict, one in zip(verdicts[1:], compared, strict=True)
    ]
