"""One translation stage of `nmt augment`, as a process of its own on one GPU or a share of the cores.

    python -m nmt.app.augment_stage FOLDER [train.threads=N] ...

The folder says what is asked for (`nmt.augment.parts`); of the words, which are those of a run, the threads count.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from nmt.app.score import log_probs
from nmt.app.translate import open_translator
from nmt.augment.parts import Made, is_done, read_request, translate_parts
from nmt.config.train import Device
from nmt.plumbing import edge
from nmt.plumbing.claims import claimed
from nmt.search.likelihood import Scorer
from nmt.search.translate import Translator
from nmt.training.device import choose_device

THREADS = "train.threads="


def translate_stage(folder: Path, threads: int) -> None:
    """Raises NmtError where it cannot be done."""
    with claimed(folder, "out=FOLDER"):
        if is_done(folder):
            return
        request = read_request(folder)
        choose_device(Device(request.device), threads)
        translator = open_translator(request.checkpoints, tuple(request.search))
        scorer = Scorer(translator.model, translator.cfg) if request.score else None
        translate_parts(folder, request, lambda lines: made_of(translator, scorer, lines))


def made_of(translator: Translator, scorer: Scorer | None, lines: Sequence[str]) -> Iterator[Made]:
    """Translations, with the log-probability of each a subword, end mark included, where there is a scorer.

    A line that is longer than `search.max_source` has none: half of it would be translated.
    """
    encode, longest = translator.vocabularies.src.encode, translator.cfg.max_source
    fitting = [place for place, line in enumerate(lines) if len(encode(line)) <= longest]
    sources = [lines[place] for place in fitting]
    texts = [answer[0].text for answer in translator.translate(sources)]
    scores: list[float | None] = [None] * len(texts)
    if scorer is not None:
        scores = list(log_probs(scorer, translator.vocabularies, sources, texts, translator.cfg.batch_tokens))
    made = {place: Made(text, score) for place, text, score in zip(fitting, texts, scores, strict=True)}
    for place in range(len(lines)):
        yield made.get(place, Made("", None))


def main(argv: Sequence[str]) -> int:
    """-> exit status."""
    folder, *words = argv
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    threads = next((int(word.removeprefix(THREADS)) for word in words if word.startswith(THREADS)), 0)
    return edge.command(lambda: translate_stage(Path(folder), threads))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
