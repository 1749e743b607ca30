"""The sum: the real text and what is kept of what was made, as plain parallel text with its provenance.

corpus.en, corpus.de    or .gz: each pair of the real text `upsample` times, then the parts
corpus.json             what they are made of
"""

from __future__ import annotations

import gzip
import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nmt import __version__
from nmt.augment.filters import LEAKED, alike, changed, likely
from nmt.augment.material import SIDES, SRC, TGT, Material, lines_file, side
from nmt.augment.noise import Noise, tagged
from nmt.augment.parts import read_made
from nmt.augment.plan import Part, Stage, Sum, Training
from nmt.augment.recipe import Recipe
from nmt.config.augment import BACK, AugmentConfig, Back
from nmt.data.check import DUPLICATE, EQUAL, RATIO, check
from nmt.data.lines import open_lines
from nmt.data.text import ParallelText
from nmt.metrics.vectors import open_vectors
from nmt.metrics.wmd import WordMover
from nmt.plumbing.files import replacing, write_text
from nmt.tools.sameness import digests, joint_digest

CORPUS, PROVENANCE = "corpus", "corpus.json"
FORMAT = 1
# Of a pair beside all others, in the order in which they are looked for.
FAULTS = {
    EQUAL: "equal to its other side",
    RATIO: "much longer than its other side",
    DUPLICATE: "a pair that is there already",
}
At = Callable[[Stage], Path]  # the folder of a stage


@dataclass(frozen=True)
class Added:
    """A part, and what became of it."""

    part: Part
    text: ParallelText
    read: int
    dropped: Counter[str]


class Summing:
    """`text`: the folder that the material is written to."""

    def __init__(self, material: Material, command: AugmentConfig, recipe: Recipe, text: Path, at: At) -> None:
        self.material, self.command, self.recipe, self.text, self.at = material, command, recipe, text, at

    def write(self, stage: Sum, folder: Path) -> None:
        """All files of the stage; the provenance comes last. Raises MetricError for vectors that cannot be used."""
        folder.mkdir(parents=True, exist_ok=True)
        times, tag = (self.command.upsample, self.command.tag) if stage.whole else (1, None)
        packed = self.command.gzip and stage.whole
        added = self._without_faults([self._added(part) for part in stage.parts])
        files = {}
        for of, language in enumerate(self.material.languages):
            path = folder / f"{CORPUS}.{language}{'.gz' if packed else ''}"
            files[path.name] = {"sha256": write_hashed(path, self._lines(of, times, added, tag), packed)}
        told = {
            "format": FORMAT,
            "made_by": f"nmt {__version__}",
            "recipe": [*self.recipe.flags, *self.recipe.words],
            "seed": self.recipe.config.seed,
            "pairs_sha256": self.material.digest,
            "files": files,
            "pairs": times * len(self.material.real) + sum(len(one.text) for one in added),
            "real": {"pairs": len(self.material.real), "times": times},
            "parts": [self._provenance(one, tag) for one in added],
        }
        write_text(folder / PROVENANCE, json.dumps(told, indent=2, ensure_ascii=False) + "\n", sync=True)

    def _added(self, part: Part) -> Added:
        """What is left of a translation once each sentence of it has been looked at by itself."""
        made, command = part.made, self.command
        of = SIDES[made.lines]
        lines = open_lines(self.text / lines_file(made.lines))
        kept = likely(lines, read_made(self.at(made), len(lines)), command.min_score)
        vectors = self._vectors(part)
        if vectors is not None and command.min_similarity is not None:
            config = made.model.config
            mover = WordMover(open_vectors(vectors), config.metrics.wmd, config.data.language)
            kept = alike(kept, self._own(of), mover, command.min_similarity)
        kept = kept.without(self.material.leaks.places(kept.made, 1 - of), LEAKED)  # noise would hide it
        if self._is_noised(part):
            noise = Noise(command.drop, command.blank, command.shuffle, command.filler, self.recipe.config.seed)
            kept = changed(kept, noise)
        pair = (kept.lines, kept.made) if of == SRC else (kept.made, kept.lines)
        return Added(part, ParallelText(made.name, *pair), kept.read, kept.dropped)

    def _vectors(self, part: Part) -> str | None:
        """For the language that was made, where the training text has translations of its own to compare with."""
        if part.made.lines in self.material.mono:
            return None
        return self.command.vectors_tgt if SIDES[part.made.lines] == SRC else self.command.vectors_src

    def _own(self, of: int) -> dict[str, str]:
        """Sentence of that side -> its translation in the training text; of several the first."""
        own: dict[str, str] = {}
        for line, other in zip(side(self.material.real, of), side(self.material.real, 1 - of), strict=True):
            own.setdefault(line.removesuffix("\r"), other)  # as it is read again from the text of the stage
        return own

    def _is_noised(self, part: Part) -> bool:
        return part.method == BACK and self.command.back is Back.noised

    def _without_faults(self, added: Sequence[Added]) -> list[Added]:
        """... once each pair has been looked at beside all others, as `nmt check` does it."""
        ratio = self.recipe.config.data.max_ratio
        checked = check([self.material.real, *(one.text for one in added)], {}, ratio)
        found = []
        for one, faults_N in zip(added, checked.faults[1:], strict=True):
            dropped, left_N = Counter(one.dropped), np.ones(len(faults_N), np.bool_)
            for fault, why in FAULTS.items():
                here_N = left_N & ((faults_N & fault) > 0)
                dropped[why] += int(np.count_nonzero(here_N))
                left_N &= ~here_N
            kept = np.flatnonzero(left_N).tolist()
            text = ParallelText(one.text.name, *([side(one.text, of)[at] for at in kept] for of in (SRC, TGT)))
            found.append(Added(one.part, text, one.read, +dropped))
        return found

    def _lines(self, of: int, times: int, added: Sequence[Added], tag: str | None) -> Iterator[str]:
        for _ in range(times):
            yield from side(self.material.real, of)
        for one in added:
            own_tag = tag if of == SRC and one.part.method == BACK else None
            yield from (tagged(own_tag, line) for line in side(one.text, of))

    def _provenance(self, one: Added, tag: str | None) -> dict[str, Any]:
        made, command = one.part.made, self.command
        model, vectors = made.model, self._vectors(one.part)
        noise = {"drop": command.drop, "blank": command.blank, "shuffle": command.shuffle, "filler": command.filler}
        return {
            "method": one.part.method,
            "direction": model.direction.value,
            "round": model.round,
            **self._voter(model),
            **({"together_with": [self._voter(other) for other in made.models[1:]]} if made.models[1:] else {}),
            "search": list(made.search),
            "translated": made.lines,
            "translated_sha256": sha256_of(self.text / lines_file(made.lines)),
            "not_translated": {LEAKED: len(self.material.sentences(made.lines)) - one.read},
            "back": command.back.value if one.part.method == BACK else None,
            "noise": noise if self._is_noised(one.part) else None,
            "tag": tag if one.part.method == BACK else None,
            "min_score": command.min_score,
            "min_similarity": None if vectors is None else command.min_similarity,
            "vectors_sha256": None if vectors is None else open_vectors(vectors).sha256,
            "read": one.read,
            "dropped": dict(one.dropped),
            "kept": len(one.text),
        }

    def _voter(self, model: Training) -> dict[str, Any]:
        best = best_of(self.at(model))
        weights = {name: digest for name, digest in digests(best).items() if not name.startswith("<")}
        return {
            "model": model.number,
            "seed": model.seed,
            "checkpoint": str(best.relative_to(self.text.parent)),
            "weights_sha256": joint_digest(weights),
        }


def best_of(run: Path) -> Path:
    """The checkpoint that translates, in the folder of a run."""
    return run / "checkpoints" / "best.h5"


def write_hashed(path: Path, lines: Iterable[str], packed: bool) -> str:
    """A file of lines, whole and on the disk; -> SHA-256 of its text, packed or not."""
    digest = hashlib.sha256()
    with ExitStack() as stack:
        fd = stack.enter_context(replacing(path, sync=True))
        file: Any = stack.enter_context(open(fd, "wb", closefd=False))
        if packed:
            file = stack.enter_context(gzip.GzipFile(fileobj=file, mode="wb", mtime=0))
        for line in lines:
            data = f"{line}\n".encode()
            digest.update(data)
            file.write(data)
    return digest.hexdigest()


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
