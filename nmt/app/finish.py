"""The end of a run: the best checkpoint is scored, and the run folder gets its results, pictures and page."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

from nmt.app.about import about_run
from nmt.app.average import choose_final
from nmt.app.hooks import NUM_SAMPLES
from nmt.app.likeness import likeness_of
from nmt.app.models import assign_best, search_model
from nmt.app.page import page_of
from nmt.app.run import Run
from nmt.app.translated import Translated, translate_and_score
from nmt.checkpoint.reader import open_checkpoint_file
from nmt.compare.folder import write_results, write_translations
from nmt.plumbing.files import write_bytes
from nmt.report.console import Sample, spent, summary
from nmt.report.heatmap import attention_png
from nmt.report.page import Report, write_report
from nmt.search.translate import Translator
from nmt.training.loop import perplexity
from nmt.training.state import TrainingState

log = logging.getLogger(__name__)


def finish(run: Run, state: TrainingState) -> float | None:
    """Score dev and test sets with the best checkpoint, write everything down, and tell where it lies.

    -> the score of the dev set that it was chosen by.
    """
    config, folder = run.config, run.folder
    final = choose_final(run, state)
    best = run.store.best if run.store.best.exists() else run.store.last
    with open_checkpoint_file(best) as file:
        assign_best(best, file, run.trainer.model)
    translator = translator_of(run)
    scored, results = {}, {}
    for name, text in {"dev": run.corpora.dev, **run.corpora.tests}.items():
        scored[name] = translate_and_score(text, translator, run.scorer, config.metrics.bootstrap)
        results[name] = scored[name].results(str(best), config.metrics, (run.bundle.leaks or {}).get(name, ()))
        results[name] |= {} if final is None else {"final_average": final.as_json()}
        write_translations(folder, name, scored[name].lines)
        if name == "dev":
            continue
        write_results(folder, name, results[name])
        loss = run.loss(name)
        figures = {"loss": loss, "perplexity": perplexity(loss), **scored[name].figures()}
        step = state.best_step if final is None or len(final.steps) == 1 else state.step
        where = {"event": "test", "data": name, "step": step, "epoch": float(state.epoch)}
        run.event({**where, **state.spent(), **figures})
    shown = "test" if "test" in scored else "dev"
    took = spent(state.seconds, state.gpu_seconds, state.usd)
    facts = about_run(str(best), replace(run.bundle, state=state.to_json()))
    page = page_of(run, results, shown, scored[shown], took, facts)
    page = page if final is None else replace(page, notes=[*page.notes, f"{final}."])
    places = report(folder, page, scored[shown])
    print(summary(results, samples_of(scored[shown]), places, took))
    return state.best_score if final is None else final.score


def translator_of(run: Run) -> Translator:
    """What the configuration asks for; that of the validations, where they search alike."""
    config = run.config
    if config.search == config.search.greedy():
        return run.greedy
    model, likeness = search_model(config, run.trainer.model), likeness_of(config, lambda: run.scorer.language.vectors)
    return Translator(model, run.vocabularies, config.search, likeness_of=likeness)


def samples_of(scored: Translated) -> list[Sample]:
    """The first few sentences with reference and translation."""
    rows = zip(scored.text.src, scored.text.tgt, scored.lines, strict=True)
    return [Sample(*row) for row in list(rows)[:NUM_SAMPLES]]


def report(folder: Path, page: Report, scored: Translated) -> dict[str, Path]:
    """A heat map and the page; -> what lies where."""
    places = {"checkpoints": folder / "checkpoints", "scores": folder / "results.json"}
    first = next((one for one in scored.best if one.weight_TS is not None), None)
    if first is not None and first.weight_TS is not None:
        places["attention"] = folder / "attention.png"
        picture = attention_png(first.pieces_src, first.pieces_tgt, first.weight_TS, "Where the decoder looked")
        write_bytes(places["attention"], picture)
    places["report"] = folder / "report.html"
    write_report(places["report"], page)
    return places
