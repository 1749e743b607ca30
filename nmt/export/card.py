"""What the model card says: from the checkpoint's own records and those of its run; what neither knows is said to be
unknown."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from nmt.app.models import Loaded
from nmt.app.settings import flat
from nmt.config.languages import language_of
from nmt.errors import DataError
from nmt.plumbing.records import checked, parsed
from nmt.report.console import facts_in, with_interval
from nmt.report.events import read_events
from nmt.training.state import TrainingState

UNKNOWN = "unknown"
PLACES = ("dir", "train", "dev", "test", "corpora")  # of data
COUNTS = ("train_pairs", "grammar_seed", "variant", "ratio")


def card(loaded: Loaded, licence: str | None) -> dict[str, Any]:
    """What the template of the card shows."""
    config = loaded.config
    shape, search = config.model, config.search
    alike = f"{shape.decoder_layers} decoder layer{'s' * (shape.decoder_layers > 1)}, {shape.attention.value} attention"
    return {
        "name": loaded.path.stem,
        "file": loaded.path.name,
        "source": language_of(config.data.src),
        "target": config.data.language,
        "model": f"{shape.cell.value} of {shape.units} units, {alike}",
        "weights": sum(int(np.prod(x.shape)) for x in loaded.model.trainable_variables),
        "step": loaded.bundle.step,
        "licence": licence or f"{UNKNOWN}: nobody named one (`licence=NAME` of `nmt export`)",
        "licence_tag": json.dumps(licence or UNKNOWN),
        "data": data_facts(loaded),
        "scores": scores_text(loaded),
        "training": training_facts(loaded),
        "search": "greedy"
        if search.beam == 1
        else f"a beam of {search.beam}, scores normalised: {search.normalisation.value}",
    }


def data_facts(loaded: Loaded) -> list[tuple[str, str]]:
    """Which text it was trained on; files are named without the folders that they lie in."""
    data = loaded.config.data
    facts = [("corpus", data.source), ("languages", f"{data.src} to {data.tgt}")]
    for key, value in flat(loaded.config).items():
        group, _, name = key.partition(".")
        if group == "data" and name.partition(".")[0] in PLACES + COUNTS and value not in (None, {}):
            text = Path(value).name if name.partition(".")[0] in PLACES else str(value)
            facts.append((name, text))
    return [*facts, ("XXH3-128 of training and dev text", loaded.bundle.corpus or UNKNOWN)]


def scores_text(loaded: Loaded) -> str:
    """Of each test set that the run scored this very checkpoint on, with signatures."""
    found = results_of(loaded)
    if not found:
        return (
            f"{UNKNOWN}: no results of a run lie beside this checkpoint. "
            f"`nmt evaluate checkpoint={loaded.path.name} data.test=PREFIX` computes them."
        )
    lines = []
    for name, result in found.items():
        lines += [f"{name}: {result['data']}, {result['sentences']:,} sentences.", ""]
        for facts in facts_in([result]):
            content = result[facts.name]
            figure = with_interval(content, facts.value, facts.figure.digits)
            lines.append(f"- {facts.figure.label} {figure}, `{content['signature']}`")
        lines.append("")
    return "\n".join(lines).rstrip()


def results_of(loaded: Loaded) -> dict[str, dict[str, Any]]:
    """By test set what its run wrote of this checkpoint and no other: the log names the step that was scored."""
    folder = loaded.path.resolve().parent.parent
    try:
        events = read_events(folder / "metrics.jsonl")
    except DataError:
        return {}
    scored = {event["data"]: event["step"] for event in events if event["event"] == "test"}
    found = {}
    for name, step in scored.items():
        path = folder / ("results.json" if name == "test" else f"results-{name}.json")
        if path.exists():
            result = _read(path)
            if step == loaded.bundle.step and Path(result["checkpoint"]).name == loaded.path.name:
                found[name] = result
    return found


def _read(path: Path) -> dict[str, Any]:
    """Raises DataError unless it is what a run writes, as far as the card tells it."""
    try:
        result = parsed(path.read_bytes())
        hints = {"checkpoint": str, "data": str, "sentences": int}
        checked(result, hints, {*hints})
        for facts in facts_in([result]):
            content = result[facts.name]
            needed = {facts.value: float, "signature": str}
            checked(content, needed, {*needed})
            checked(content, {name: list[float] | None for name in content if name.startswith("ci")}, set())
            with_interval(content, facts.value, facts.figure.digits)
    except (ValueError, IndexError) as error:
        raise DataError(
            str(path),
            found=f"something else than scores ({error})",
            expected="what the run wrote",
            next_step="score again with resume=FOLDER, or move the file away",
        ) from error
    assert isinstance(result, dict), "it has just been looked at"
    return result


def training_facts(loaded: Loaded) -> list[tuple[str, str]]:
    """How long it took, on what, and what it cost."""
    bundle = loaded.bundle
    state = None if bundle.state is None else TrainingState.from_json(bundle.state)
    versions = bundle.versions or {}
    best = f", best at {state.best_step:,}" if state is not None and state.best_step else ""  # 0: not yet validated
    facts = [
        ("steps", UNKNOWN if state is None else f"{state.step:,}{best}"),
        ("target pieces seen", UNKNOWN if state is None else f"{state.target_tokens:,}"),
        ("hours", UNKNOWN if state is None else f"{state.seconds / 3600:.2f}"),
        ("GPU hours", UNKNOWN if state is None else f"{state.gpu_seconds / 3600:.2f}"),
        ("cost", UNKNOWN if state is None or state.usd is None else f"{state.usd:.2f} US dollars"),
        ("hardware", versions.get("device", UNKNOWN)),
        ("software", ", ".join(f"{name} {text}" for name, text in versions.items() if name != "device") or UNKNOWN),
        ("seed", str(loaded.config.seed)),
    ]
    if bundle.made_by is not None:
        facts.append(("made by", bundle.made_by))
    return [*facts, ("dev set", dev_scores(state))]


def dev_scores(state: TrainingState | None) -> str:
    """As training saw it at the best step: quick scores, without signatures."""
    best = next((one for one in state.history if one["step"] == state.best_step), None) if state else None
    if best is None:
        return UNKNOWN
    return ", ".join(f"{name} {value:.4g}" for name, value in best.items() if name != "step") + " (as training saw it)"
