"""What a check of a corpus found: for a terminal, for programs, and as the text without it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from nmt.data.check import BOTH, DEGREES, FAULTS, SIDES, SRC, TGT, Checked, Leak
from nmt.data.leaks import EXACT, NEAR, WRITTEN
from nmt.data.lines import LINES
from nmt.data.text import ParallelText
from nmt.errors import ConfigError
from nmt.plumbing.files import replacing
from nmt.plumbing.tables import table

_DEGREE_KEYS = {EXACT: "exact", WRITTEN: "normalised", NEAR: "near"}
_LONGEST = 100  # letters of a sentence shown on a terminal


def one_line(checked: Checked) -> str:
    """For a log."""
    leaked = ", ".join(f"{count:,} of {name}" for name, count in checked.leaked().items()) or "nothing to look for"
    faults = ", ".join(
        f"{checked.count(fault):,} {words}" for fault, (_, words) in FAULTS.items() if checked.count(fault)
    )
    return (
        f"leaked sentences: {leaked}; of {checked.num_pairs:,} training pairs: {faults or 'nothing found'}; "
        "`nmt check` with the same words shows them"
    )


def as_text(checked: Checked) -> str:
    """Counts and shares, then the first few of each."""
    pairs = [
        (words, f"{checked.count(fault):,}", _percent(checked.count(fault), checked.num_pairs))
        for fault, (_, words) in FAULTS.items()
    ]
    parts = [table(pairs, (f"of {checked.num_pairs:,} training pairs", "pairs", "share")), _scripts(checked)]
    rows = [row for name in checked.sets for row in _set_rows(checked, name)]
    if rows:
        parts.append(table(rows, ("sentences of", "in training", *SIDES, "leaked", "share")))
        parts.append("leaked: on either side, however; both: in one and the same training pair")
    return "\n\n".join([*parts, *_examples(checked)])


def _percent(count: int, of: int) -> str:
    return f"{100 * count / of:.2f} %" if of else "-"


def _scripts(checked: Checked) -> str:
    src, tgt = checked.scripts
    same = ", so that a pair of swapped sides does not show" if src == tgt else ""
    return f"usual script: source {src}, target {tgt}{same}"


def _set_rows(checked: Checked, name: str) -> Iterator[tuple[str, ...]]:
    one = checked.sets[name]
    for degree, words in DEGREES.items():
        yield (name, words, *(f"{one.count(degree, side):,}" for side in (SRC, TGT, BOTH)), "", "")
    size, leaked = one.degree_3R.shape[1], len(one.rows)
    sides = (f"{sum(one.count(degree, side) for degree in DEGREES):,}" for side in (SRC, TGT, BOTH))
    yield (name, f"in all, of {size:,}", *sides, f"{leaked:,}", _percent(leaked, size))


def _examples(checked: Checked) -> Iterator[str]:
    for fault, (_, words) in FAULTS.items():
        lines = [
            f"  {corpus}, line {line + 1}: {_short(src)} | {_short(tgt)}"
            for corpus, line, src, tgt in checked.examples(fault)
        ]
        if lines:
            yield "\n".join([f"{words}:", *lines])
    for name, one in checked.sets.items():
        for degree, words in DEGREES.items():
            if one.examples[degree]:
                yield "\n".join([f"{name}, {words}:", *(_leak(name, leak) for leak in one.examples[degree])])


def _leak(name: str, leak: Leak) -> str:
    return (
        f"  {name}, line {leak.row + 1}, {SIDES[leak.side]}: {_short(leak.sentence)}\n"
        f"    {leak.corpus}, line {leak.line + 1}: {_short(leak.found)}"
    )


def _short(sentence: str) -> str:
    return sentence if len(sentence) <= _LONGEST else f"{sentence[: _LONGEST - 1]}…"


def as_json(checked: Checked) -> dict[str, Any]:
    """Lines from 1, as editors have them."""
    return {
        "pairs": checked.num_pairs,
        "scripts": dict(zip(SIDES, checked.scripts, strict=False)),
        "training": {
            key: {
                "count": checked.count(fault),
                "share": checked.count(fault) / checked.num_pairs if checked.num_pairs else 0.0,
                "examples": [
                    {"corpus": corpus, "line": line + 1, "source": src, "target": tgt}
                    for corpus, line, src, tgt in checked.examples(fault)
                ],
            }
            for fault, (key, _) in FAULTS.items()
        },
        "sets": {name: _set_json(checked, name) for name in checked.sets},
        "leaked": checked.leaked(),
    }


def _set_json(checked: Checked, name: str) -> dict[str, Any]:
    one = checked.sets[name]
    found = {
        key: {
            **{SIDES[side]: one.count(degree, side) for side in (SRC, TGT, BOTH)},
            "examples": [
                {
                    "line": leak.row + 1,
                    "side": SIDES[leak.side],
                    "sentence": leak.sentence,
                    "corpus": leak.corpus,
                    "corpus_line": leak.line + 1,
                    "found": leak.found,
                }
                for leak in one.examples[degree]
            ],
        }
        for degree, key in _DEGREE_KEYS.items()
    }
    size = one.degree_3R.shape[1]
    share = len(one.rows) / size if size else 0.0
    return {"sentences": size, "leaked": len(one.rows), "share": share, "lines": [row + 1 for row in one.rows], **found}


def own_prefixes(prefix: str, corpora: Sequence[ParallelText]) -> list[str]:
    """Where the clean text of each corpus goes."""
    return [prefix] if len(corpora) == 1 else [f"{prefix}-{text.name}" for text in corpora]


def refuse_existing(prefix: str, corpora: Sequence[ParallelText], languages: tuple[str, str]) -> None:
    """Raises ConfigError where `write_clean` would replace a file, or has no folder to write to."""
    for own in own_prefixes(prefix, corpora):
        if not (folder := Path(f"{own}.{languages[0]}").parent).is_dir():
            raise ConfigError(
                "--write-clean",
                found=f"{prefix}, but no folder {folder}",
                expected="a new PREFIX in a folder that is there",
                next_step="make it, or name another one",
            )
        for path in (f"{own}.{language}{packed}" for language in languages for packed in ("", ".gz")):
            if Path(path).exists():
                raise ConfigError(
                    "--write-clean",
                    found=f"{path}, which is there already",
                    expected="a new PREFIX",
                    next_step="name another one",
                )


def write_clean(checked: Checked, prefix: str, languages: tuple[str, str]) -> dict[str, int]:
    """The training pairs without any fault as PREFIX.src and PREFIX.tgt, of several corpora as PREFIX-NAME; each file
    appears whole. -> how many pairs by PREFIX. Raises NotWrittenError."""
    written = {}
    owns = own_prefixes(prefix, checked.corpora)
    for own, text, faults_N in zip(owns, checked.corpora, checked.faults, strict=True):
        keep = (faults_N == 0).tolist()
        with replacing(Path(f"{own}.{languages[0]}")) as src, replacing(Path(f"{own}.{languages[1]}")) as tgt:
            for side, fd in enumerate((src, tgt)):
                _write_kept(text, side, keep, fd)
        written[own] = sum(keep)
    return written


def _write_kept(text: ParallelText, side: int, keep: list[bool], fd: int) -> None:
    lines = text.tgt if side == TGT else text.src
    with open(fd, "w", encoding="utf-8", newline="\n", closefd=False) as file:
        for first in range(0, len(lines), LINES):
            for line, kept in zip(lines[first : first + LINES], keep[first : first + LINES], strict=True):
                if kept:
                    file.write(f"{line}\n")
