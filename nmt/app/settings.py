"""The configuration as a flat list, for pages and dashboards."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from nmt.config.root import Config


def flat(config: Config) -> dict[str, Any]:
    """`train.learning_rate` -> its value; an empty dictionary stays a value."""
    found: dict[str, Any] = {}

    def walk(prefix: str, value: Any) -> None:
        if isinstance(value, dict) and value:
            for key, inner in value.items():
                walk(f"{prefix}.{key}" if prefix else key, inner)
        else:
            found[prefix] = getattr(value, "value", value)

    walk("", asdict(config))
    return found
