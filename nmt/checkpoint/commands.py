"""The commands of `python -m nmt.checkpoint`: what each prints, and as JSON. The work is done elsewhere."""

from __future__ import annotations

import argparse
import hashlib
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

from nmt.checkpoint.combination import average_files, graft_files
from nmt.checkpoint.conversion import convert_file
from nmt.checkpoint.file import check_whole
from nmt.checkpoint.inspection import compare_files, describe_file, finite_json, list_file
from nmt.checkpoint.reader import open_checkpoint_file
from nmt.checkpoint.refusals import cannot_read
from nmt.errors import CheckpointError
from nmt.plumbing import edge
from nmt.plumbing.tables import table

MOST_LINES = 20  # that `show` prints of a text other than the configuration; vocabularies have thousands

FILE = "checkpoint, such as checkpoints/best.h5 of a run folder"
OUTPUT = "a name that ends in .npz or .safetensors gets that format, any other HDF5"


class Told(NamedTuple):
    """What a command has to say."""

    for_json: object
    text: str
    status: int = 0


def run(arguments: Sequence[str]) -> int:
    """-> exit status: 0 done, 2 a mistake that the user can mend, told in one sentence."""
    return edge.command(lambda: _run(arguments))


def _run(arguments: Sequence[str]) -> int:
    parsed = _parser().parse_args(arguments)
    command: Callable[[argparse.Namespace], Told] = parsed.command
    told = command(parsed)
    print(json.dumps(finite_json(told.for_json), ensure_ascii=False) if parsed.json else told.text)
    return told.status


def _parser() -> argparse.ArgumentParser:
    parser = edge.Parser(
        prog="python -m nmt.checkpoint", description="Look into checkpoints, check them, combine them, convert them."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, command: Callable[[argparse.Namespace], Told], text: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=text, description=text)
        added.add_argument("--json", action="store_true", help="one JSON object instead of text")
        added.set_defaults(command=command)
        return added

    ls = add("ls", _ls, "List parameters: shape, type, size, norm, numbers that are not finite.")
    ls.add_argument("file", type=Path, help=FILE)
    ls.add_argument("--all", action="store_true", help="everything else too, with its key in angle brackets")
    show = add("show", _show, "Show configuration, scores, history and versions.")
    show.add_argument("file", type=Path, help=FILE)
    check = add("verify", _verify, "Check every byte of files against the digests in them.")
    check.add_argument("file", type=Path, nargs="+", help="checkpoints")
    check.add_argument("--sha256", action="store_true", help="print the SHA-256 of each file too")
    diff = add("diff", _diff, "Compare the parameters of two files, and their moving averages.")
    diff.add_argument("first", type=Path, help=FILE)
    diff.add_argument("second", type=Path, help="another one")
    diff.add_argument("--slots", action="store_true", help="the optimiser's slots too, and the loss scale of float16")
    average = add("average", _average, "Write the mean of the weights of several files, as evaluation uses them.")
    average.add_argument("file", type=Path, nargs="+", help="checkpoints of models with the same pieces")
    average.add_argument("-o", "--output", type=Path, required=True, help=OUTPUT)
    graft = add("graft", _graft, "Write a file with parameters of another one in it.")
    graft.add_argument("base", type=Path, help="what is kept but for those parameters")
    graft.add_argument("donor", type=Path, help="where they come from")
    graft.add_argument("-o", "--output", type=Path, required=True, help=OUTPUT)
    graft.add_argument("--only", action="append", metavar="PATTERN", help="names to take, such as 'encoder/*'")
    graft.add_argument("--rename", action="append", default=[], metavar="OLD=NEW", help="leading part of names")
    graft.add_argument("--add", action="store_true", help="take names too that the base does not have")
    convert = add("convert", _convert, "Convert between .h5, .npz and .safetensors, by the ending of the names.")
    convert.add_argument("source", type=Path, help="file to read")
    convert.add_argument("target", type=Path, help="file to write")
    return parser


def _ls(parsed: argparse.Namespace) -> Told:
    rows = list_file(parsed.file, parsed.all)
    lines: list[tuple[str, ...]] = [("name", "shape", "type", "bytes", "norm", "not finite")]
    for row in rows:
        norm = "" if row.norm is None else f"{row.norm:.6g}"
        lines.append(
            (row.name, "x".join(map(str, row.shape)), row.dtype, f"{row.num_bytes:,}", norm, str(row.num_nonfinite))
        )
    numbers = sum(math.prod(row.shape) for row in rows)
    total = f"{len(rows)} entries, {numbers:,} numbers, {sum(row.num_bytes for row in rows):,} bytes"
    return Told(
        {"path": str(parsed.file), "entries": [asdict(row) for row in rows]},
        f"{table(lines, right=range(1, 6))}\n{total}",
    )


def _show(parsed: argparse.Namespace) -> Told:
    told = describe_file(parsed.file)
    lines = []
    for name, value in told.items():
        if isinstance(value, dict):
            lines.append(f"{name}:")
            lines.extend(f"  {key}: {_lines(item)}" for key, item in value.items())
        else:
            text = _lines(value)
            long = name != "config" and text.count("\n") > MOST_LINES
            lines.append(f"{name}: {text.count(chr(10))} lines" if long else f"{name}: {text}")
    return Told(told, "\n".join(lines))


def _lines(value: object) -> str:
    """Lists one entry a line, indented; text of several lines likewise."""
    parts = [_line(part) for part in value] if isinstance(value, list) else str(value).rstrip().split("\n")
    return parts[0] if len(parts) == 1 else "".join(f"\n    {part}" for part in parts)


def _line(entry: object) -> str:
    """`step 16, loss 5.1669, bleu 0.124781`: a validation of the history."""
    if not isinstance(entry, dict):
        return str(entry)
    return ", ".join(f"{key} {part:.6g}" if isinstance(part, float) else f"{key} {part}" for key, part in entry.items())


def _verify(parsed: argparse.Namespace) -> Told:
    """Every file is looked at, whatever the others are."""
    entries: list[dict[str, object]] = []
    lines: list[str] = []
    for path in parsed.file:
        try:
            with open_checkpoint_file(path) as file:
                num_datasets, sealed = check_whole(path, file), file.sealed
        except CheckpointError as error:
            entries.append({"path": str(path), "whole": False, "error": str(error)})
            lines.append(str(error))
            continue
        entries.append({"path": str(path), "whole": True if sealed else None, "datasets": num_datasets})
        counted = f"{num_datasets} datasets"
        lines.append(
            f"{path}: " + (f"whole, {counted}" if sealed else f"readable, {counted}; nothing to check against")
        )
        if parsed.sha256:
            entries[-1]["sha256"] = _sha256(path)
            lines.append(f"SHA-256 {entries[-1]['sha256']}")
    status = 0 if all(entry["whole"] is not False for entry in entries) else CheckpointError.exit_status
    return Told({"files": entries}, "\n".join(lines), status)


def _sha256(path: Path) -> str:
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise cannot_read(path, error) from error


def _diff(parsed: argparse.Namespace) -> Told:
    difference = compare_files(parsed.first, parsed.second, parsed.slots)
    lines = [f"only in {parsed.first}: {name}" for name in difference.only_first]
    lines += [f"only in {parsed.second}: {name}" for name in difference.only_second]
    lines += [f"shape or type: {text}" for text in difference.mismatched]
    if difference.changed:
        rows = [(change.name, f"{change.largest:.6g}", f"{change.cosine:.9f}") for change in difference.changed]
        lines.append(table([("name", "largest change", "cosine"), *rows], right=(1, 2)))
    lines.append(f"{difference.num_equal} equal, {len(difference.changed)} changed")
    return Told(asdict(difference), "\n".join(lines))


def _average(parsed: argparse.Namespace) -> Told:
    count = average_files(parsed.file, parsed.output)
    told = {"path": str(parsed.output), "files": len(parsed.file), "parameters": count}
    return Told(told, f"{parsed.output}: {count} parameters, the mean of {len(parsed.file)} files")


def _graft(parsed: argparse.Namespace) -> Told:
    rename: dict[str, str] = {}
    for rule in parsed.rename:
        old, equals, new = rule.partition("=")
        if not (old and equals and new):
            raise CheckpointError(
                "--rename", found=repr(rule), expected="OLD=NEW", next_step="write encoder=encoder2, for example"
            )
        rename[old] = new
    taken = graft_files(parsed.base, parsed.donor, parsed.output, parsed.only or ["*"], rename, parsed.add)
    text = "\n".join([*taken, f"{len(taken)} taken into {parsed.output}"])
    return Told({"path": str(parsed.output), "taken": taken}, text)


def _convert(parsed: argparse.Namespace) -> Told:
    count = convert_file(parsed.source, parsed.target)
    return Told({"path": str(parsed.target), "entries": count}, f"{parsed.target}: {count} entries")
