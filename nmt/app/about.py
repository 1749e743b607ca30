"""How a checkpoint was made, as reviewers ask for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from nmt.checkpoint.bundle import Bundle
from nmt.training.state import TrainingState


def about_run(file: str, bundle: Bundle) -> dict[str, str]:
    """Hardware, hours and dollars of the run that wrote a checkpoint; what it does not know is left out."""
    about: dict[str, str] = {}
    if bundle.versions is not None and "device" in bundle.versions:
        about["hardware"] = bundle.versions["device"]
    if bundle.state is not None:
        state = TrainingState.from_json(bundle.state, file)
        about["hours"] = f"{state.seconds / 3600:.2f}"
        if state.usd is not None:
            about["US$"] = f"{state.usd:.2f}"
    return about


def history_of(file: str, bundle: Bundle) -> Sequence[Mapping[str, float]]:
    """The figures of each validation, with its step; none of a checkpoint that does not know them."""
    return () if bundle.state is None else TrainingState.from_json(bundle.state, file).history
