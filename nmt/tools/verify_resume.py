"""Is a run that was killed again and again the run that nobody disturbed?

    python -m nmt.tools.verify_resume kills=20

A small run, with dropout of features and words, averaged weights, averaged checkpoints, sampled subwords and a mixture
of corpora, is trained once from start to end and once with `kill -9` at random moments, some of them inside a save, the
last while checkpoints are averaged. It goes on each time with `train.py resume=FOLDER`. In the end everything in the
checkpoints and in metrics.jsonl must be equal, apart from times.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from nmt.config.data import CaptionsConfig
from nmt.data.captions import write_captions
from nmt.errors import ConfigError, TrainingError, reason_of
from nmt.plumbing import edge
from nmt.tools.killing import Aim, Killed, aims, kill_at, left_overs, run_train
from nmt.tools.sameness import differing, digests, joint_digest, log_without_times

PAGE = """Is a run that was killed again and again the run that nobody disturbed?

  python -m nmt.tools.verify_resume [kills=N] [kill_seed=N] [folder=DIR] [KEY=VALUE ...]

Keys:
  kills=20           how often the second run is killed with SIGKILL, every third time inside a save, the last time
                     while checkpoints are averaged
  kill_seed=1        decides the moments
  folder=null        an empty folder for both runs; null: a temporary one, removed at the end
  KEY=VALUE          any option of train.py: train.device=gpu, model.units=256

Exit status: 0 both runs are equal, 1 they differ, 2 a mistake or a run that did not train.

Examples:
  python -m nmt.tools.verify_resume
  python -m nmt.tools.verify_resume kills=5 train.device=gpu train.deterministic=true folder=check
  python -m nmt.tools.verify_resume kills=10 train.consistency=simcut train.token_cutoff=0.1
"""
STEPS_A_KILL, FEWEST_STEPS = 8, 48
FEW, MANY = 60, 110  # sentence pairs of the two corpora, mixed 3 : 5
PAIRS = 20  # of dev and test


@dataclass(frozen=True)
class Request:
    """The command line."""

    kills: int = 20
    kill_seed: int = 1
    folder: str | None = None
    words: tuple[str, ...] = ()  # for train.py


def main(argv: Sequence[str]) -> int:
    """-> exit status."""
    return edge.command(lambda: _run(argv))


def _run(argv: Sequence[str]) -> int:
    if "--help" in argv or "-h" in argv:
        print(PAGE, end="")
        return 0
    request = read_request(argv)
    if request.folder is not None:
        return verify(request, empty_folder(request.folder))
    folder, stays = Path(tempfile.mkdtemp()), False
    try:
        return verify(request, folder)
    except TrainingError:
        stays = True  # its sentence says what to read there
        raise
    finally:
        if not stays:
            shutil.rmtree(folder, ignore_errors=True)


def read_request(argv: Sequence[str]) -> Request:
    """Raises ConfigError for a number that is none. Words that are not ours are train.py's, which knows its own."""
    numbers = {"kills": Request.kills, "kill_seed": Request.kill_seed}
    folder, words = None, []
    for word in argv:
        key, equals, value = word.partition("=")
        if key in numbers and equals:
            least = 1 if key == "kills" else 0
            if not value.isdecimal() or int(value) < least:
                raise ConfigError(
                    key, found=value or "nothing", expected=f"a number from {least} on", next_step=f"write {key}=20"
                )
            numbers[key] = int(value)
        elif key == "folder" and equals:
            folder = None if value in ("", "null") else value
        elif key in ("resume", "hydra.run.dir"):
            raise ConfigError(key, found=value, expected="nothing", next_step="choose the place with folder=DIR")
        else:
            words.append(word)
    return Request(**numbers, folder=folder, words=tuple(words))


def empty_folder(name: str) -> Path:
    """Made where it is not there. Raises ConfigError where it cannot be, or has something in it."""
    folder = Path(name).absolute()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        content = sorted(path.name for path in folder.iterdir())
    except OSError as error:
        raise ConfigError(
            "folder", found=reason_of(error), expected="an empty folder", next_step="name another"
        ) from error
    if content:
        raise ConfigError("folder", found=f"{content[0]} in it", expected="an empty folder", next_step="name another")
    return folder


def verify(request: Request, folder: Path) -> int:
    """Both runs in `folder`, and what became of them on standard output; -> 0 equal, 1 different."""
    steps = max(FEWEST_STEPS, STEPS_A_KILL * request.kills)
    words = [*settings(folder, steps), *request.words]
    environment = {**os.environ, "XDG_CACHE_HOME": str(folder / "cache")}
    straight, killed, output = folder / "straight", folder / "killed", folder / "output.txt"
    began = time.monotonic()
    insist(run_train([f"hydra.run.dir={straight}", *words], output, environment), output)
    print(f"straight run: {steps} steps, {time.monotonic() - began:.1f} s", flush=True)
    print(f"{'kill':>4}  {'aimed at':<26}  {'log at step':>11}  left behind", flush=True)
    results = []
    averages = not any(word.replace(" ", "") == "train.final_average=0" for word in words)
    for number, aim in enumerate(aims(request.kills, steps, request.kill_seed, averages), start=1):
        results.append(kill_at(aim, killed, again(killed, words), output, environment))
        print(row(number, aim, results[-1]), flush=True)
    insist(run_train(again(killed, words), output, environment), output)
    inside = sum(any(not name.startswith("average") for name in result.left_over) for result in results)
    print(f"{len(results)} kills with seed {request.kill_seed}, {inside} of them inside a save", flush=True)
    return compare(straight, killed)


def settings(folder: Path, steps: int) -> list[str]:
    """Options of train.py: small, but with everything that has a state. What repeats does so at different steps."""
    config = CaptionsConfig(train_pairs=FEW + MANY, dev_pairs=PAIRS, test_pairs=PAIRS)
    train, dev, test = write_captions(config)
    parts = {"few": (train.src[:FEW], train.tgt[:FEW]), "many": (train.src[FEW:], train.tgt[FEW:])}
    parts |= {"dev": (dev.src, dev.tgt), "test": (test.src, test.tgt)}
    for name, sides in parts.items():
        for ending, lines in zip(("en", "de"), sides, strict=True):
            (folder / f"{name}.{ending}").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return [
        *("debug=quick", "data=mixture", f"data.dev={folder / 'dev'}", f"data.test={folder / 'test'}"),
        *(f"+data.corpora.{name}={folder / name}" for name in ("few", "many")),
        *("+data.ratio.few=3", "+data.ratio.many=5", "subword=bpe", "subword.size=200", "subword.sampling=0.1"),
        *("model.dropout_embedding=0.2", "model.dropout_state=0.2", "model.dropout_output=0.2"),
        *("model.dropout_source_words=0.1", "model.dropout_target_words=0.1", "train.final_average=2"),
        *(f"train.max_steps={steps}", "train.batch_sentences=8", "train.average=0.9"),
        *("train.schedule=plateau", "train.plateau_patience=1", "train.log_every=2", "train.save_every=5"),
        *("train.validate_every=16", "train.keep=2", "search.beam=1", "search.max_ratio=1", "metrics.bootstrap=0"),
    ]


def again(folder: Path, words: list[str]) -> list[str]:
    """How to go on: a run that was killed before it had a folder begins anew."""
    return [f"resume={folder}"] if (folder / "config.yaml").exists() else [f"hydra.run.dir={folder}", *words]


def insist(status: int, output: Path) -> None:
    """Raises ConfigError where train.py did not end well; a mistake of the user ends in its own sentence."""
    if status:
        lines = output.read_text(encoding="utf-8", errors="replace").splitlines() or ["nothing"]
        raise ConfigError(
            "train.py",
            found=f"exit status {status}: {lines[-1].rstrip('.')}",
            expected="a run to its end",
            next_step="mend it",
        )


def row(number: int, aim: Aim, killed: Killed) -> str:
    return f"{number:>4}  {aim!s:<26}  {killed.step:>11}  {', '.join(killed.left_over) or '-'}"


def compare(straight: Path, killed: Path) -> int:
    """Print what is equal and what is not; -> 0 or 1."""
    equal = True
    for name in ("last.h5", "best.h5"):
        first, second = (digests(folder / "checkpoints" / name) for folder in (straight, killed))
        apart = differing(first, second)
        told = "equal" if not apart else f"{len(apart)} differ: {', '.join(apart[:3])}"
        equal = equal and not apart
        print(f"{name}: {len(first)} entries, SHA-256 {joint_digest(first)}, {joint_digest(second)}: {told}")
    logs = [log_without_times(folder) for folder in (straight, killed)]
    apart_at = next((place for place, pair in enumerate(zip(*logs, strict=False)) if pair[0] != pair[1]), None)
    if apart_at is None and len(logs[0]) != len(logs[1]):
        apart_at = min(map(len, logs))
    told = "equal" if apart_at is None else f"differ at line {apart_at + 1}"
    print(f"metrics.jsonl: {len(logs[0])} and {len(logs[1])} events, apart from times: {told}")
    left = left_overs(killed / "checkpoints")
    print(f"temporary files left: {', '.join(left) or 'none'}")
    equal = equal and apart_at is None and not left
    print("equal" if equal else "DIFFERENT")
    return 0 if equal else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
