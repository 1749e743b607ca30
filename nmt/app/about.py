"""How a checkpoint was made, as reviewers ask for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from nmt.checkpoint.bundle import Bundle
from nmt.config.data import DataConfig, MixtureConfig, Multi30kConfig, Variant
from nmt.config.saved import load_config
from nmt.training.state import TrainingState


def about_run(file: str, bundle: Bundle) -> dict[str, str]:
    """Data, hardware, hours and dollars of the run that wrote a checkpoint; what it does not know is left out."""
    about = {"data": _data(load_config(bundle.config, origin=f"{file}, its configuration").data)}
    sizes, labels = bundle.sizes or {}, {"train": "training pairs", "dev": "dev pairs"}
    about |= {label: f"{sizes[name]:,}" for name, label in labels.items() if name in sizes}
    if bundle.versions is not None and "device" in bundle.versions:
        about["hardware"] = bundle.versions["device"]
    if bundle.state is not None:
        state = TrainingState.from_json(bundle.state, file)
        about["hours"] = f"{state.seconds / 3600:.2f}"
        if state.usd is not None:
            about["US$"] = f"{state.usd:.2f}"
    return about


def _data(data: DataConfig) -> str:
    """`multi30k en-de`, or the names of one's own training files."""
    names = [data.source]
    if isinstance(data, MixtureConfig):
        parts = [f"{data.ratio[name]} {Path(prefix).name}" for name, prefix in data.corpora.items()]
        names = [" : ".join(parts)]
    elif data.train is not None:
        names = [Path(data.train).name]
    elif isinstance(data, Multi30kConfig) and data.variant is not Variant.raw:
        names.append(data.variant.value)
    return " ".join([*names, f"{data.src}-{data.tgt}"])


def history_of(file: str, bundle: Bundle) -> Sequence[Mapping[str, float]]:
    """The figures of each validation, with its step; none of a checkpoint that does not know them."""
    return () if bundle.state is None else TrainingState.from_json(bundle.state, file).history
