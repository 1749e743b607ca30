"""`nmt augment`: its page, its command line, and the loop."""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence

from nmt.augment.loop import augment
from nmt.config.augment import AugmentConfig, read_augment
from nmt.config.pages import augment_page
from nmt.config.reference import entries, reference, topic_of
from nmt.config.root import Config
from nmt.plumbing import edge


def run(argv: Sequence[str]) -> int:
    """-> exit status: 0 done, 2 a mistake or a stage that failed, 130 or 143 stopped; the same command goes on."""
    return edge.command(lambda: _run(list(argv)))


def _run(argv: Sequence[str]) -> None:
    topic = topic_of(argv)
    if topic is not None:
        print(reference([*entries(AugmentConfig), *entries(Config)], topic) if topic else augment_page())
        return
    command = read_augment(argv)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    augment(command)
