"""How fast the test set is translated: output tokens a second, with a beam of 5 and greedily, ours and the peers'.

    python -m benchmarks.search --data DIR [--checkpoint FILE] [--train-steps 600] [--write]

Everyone translates Multi30k's test2016 with a model of its own: same sizes, corpus and pieces, trained here for so
many steps the first time and kept. Ours may be any checkpoint instead. Then each has its turn while the others are
stopped, round after round; a turn is one pass over the test set. An output token is a piece, end marks included, so
that a model that writes more is not slower for it. BLEU (over Moses tokens, as the text comes) is told so that nobody
is fast by writing nonsense; models trained so briefly write poorly, and not all of them alike. With a beam ours also
translates once by the plain search, without what saves time, to tell whether that changes a translation.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from sacrebleu.metrics.bleu import BLEU

from benchmarks import environments, harness, pieces
from benchmarks.contestants import (
    ALIKE,
    LOGS,
    OURS,
    Contestant,
    ProgramError,
    Start,
    peer_command,
    quiet_environment,
    take_turns,
)
from benchmarks.step import SETTINGS
from nmt.config.data import Multi30kConfig, Variant
from nmt.data.multi30k import read_split

MODELS = harness.WORK / "models"
SETTING = SETTINGS["sentences"]
BEAMS = (5, 1)
PLAIN = "-plain"  # ends the name of ours without what saves time; it has one turn


def run(command: Sequence[str], log: Path, threads: int) -> None:
    """Raises ProgramError."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as file:
        environment = {**os.environ, **quiet_environment(threads, "cpu")}
        ended = subprocess.run(
            [*command], cwd=harness.ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=file, stderr=file
        )
    if ended.returncode:
        raise ProgramError(f"training ended with status {ended.returncode}; see {log.relative_to(harness.ROOT)}")


def our_checkpoint(data: str, steps: int, threads: int) -> Path:
    """Our model after so many steps: trained the first time."""
    folder = MODELS / f"{OURS}-{steps}"
    checkpoint = folder / "checkpoints" / "last.h5"
    if not checkpoint.exists():
        print(f"training ours for {steps} steps ...", file=sys.stderr)
        shutil.rmtree(folder, ignore_errors=True)
        length = [f"train.max_steps={steps}", "train.schedule=constant", "train.warmup_steps=0"]
        seldom = [f"train.validate_every={steps}", f"train.save_every={steps}", f"hydra.run.dir={folder}"]
        recipe = [f"experiment={SETTING.recipe}", f"data.dir={data}", f"train.threads={threads}"]
        run([sys.executable, "train.py", *recipe, *length, *seldom, *ALIKE], LOGS / "train-ours.log", threads)
    return checkpoint


def trained_peer(peer: environments.Peer, text: pieces.Pieces, steps: int, threads: int) -> list[str]:
    """The command of a peer whose model is there: trained the first time."""
    work = MODELS / f"{peer.name}-{steps}"
    command = peer_command(peer, SETTING, text.folder, threads, work)
    if not (work / "done").exists():
        print(f"training {peer.title} for {steps} steps ...", file=sys.stderr)
        run([*command, f"--train-steps={steps}"], LOGS / f"train-{peer.name}.log", threads)
        (work / "done").touch()
    return command


def starts(parsed: argparse.Namespace, text: pieces.Pieces) -> tuple[dict[int, list[Start]], list[str]]:
    """Who takes part, by width of beam, and who does not and why."""
    checkpoint = parsed.checkpoint or our_checkpoint(parsed.data, parsed.train_steps, parsed.threads)
    quiet = quiet_environment(parsed.threads, parsed.device)
    found: dict[int, list[Start]] = {}
    for beam in BEAMS:
        found[beam] = []
        for precision in parsed.precision:
            kind = [f"search.precision={precision}"] if precision != "float32" else []
            command = [sys.executable, "-m", "benchmarks.ours", f"--checkpoint={checkpoint}", f"--folder={MODELS}"]
            command += [f"data.dir={parsed.data}", f"search.beam={beam}", f"train.device={parsed.device}", *kind]
            command += [f"train.threads={parsed.threads}", *parsed.ours]
            found[beam].append(Start(f"{OURS}-{precision}", f"ours, {precision}", command, quiet))
            if beam > 1:
                name, title = f"{OURS}-{precision}{PLAIN}", f"ours, {precision}, plain search"
                found[beam].append(Start(name, title, [*command, "--plain"], quiet))
    absent = []
    for name in parsed.peers:
        peer = environments.PEERS[name]
        try:
            command = trained_peer(peer, text, parsed.train_steps, parsed.threads)
        except (environments.NotInstalledError, ProgramError) as reason:
            absent.append(f"{peer.title} is left out: {reason}")
            continue
        for beam in BEAMS:
            if beam == 1 or peer.beam:
                environment = quiet_environment(parsed.threads, "cpu")
                found[beam].append(Start(name, peer.title, [*command, f"--beam={beam}"], environment))
            else:
                absent.append(f"{peer.title} has no beam search.")
    return found, absent


def count_and_text(name: str, line: str) -> tuple[int, str]:
    """Pieces of a translation, and its text: ours comes as count and text, the peers' as pieces."""
    if name.startswith(OURS):
        count, _, text = line.partition("\t")
        return int(count), text
    words = line.split(" ") if line else []
    return len(words), "".join(words).replace("▁", " ").strip()


Figures = dict[str, dict[str, Any]]  # by contestant


def compare(everyone: Sequence[Start], rounds: int, references: list[str]) -> tuple[Figures, list[str]]:
    """Turns of everyone, round after round."""
    found: Figures = {}
    failed: list[str] = []
    with ExitStack() as stack:
        running: list[Contestant] = []
        for start in everyone:
            try:
                running.append(stack.enter_context(Contestant(start)))
            except ProgramError as reason:
                failed.append(str(reason))

        def take(contestant: Contestant) -> None:
            answer, name = contestant.turn(0, 0, 0), contestant.start.name
            counted = [count_and_text(name, line) for line in answer.pop("lines")]
            answer["tokens"] = sum(count + 1 for count, _ in counted)
            figures = found.setdefault(name, {"title": contestant.start.title, "turns": []})
            figures["turns"].append(answer)
            figures["texts"] = [text for _, text in counted]

        for name, why in take_turns(running, rounds, take).items():
            failed.append(str(why))
            found.pop(name, None)
    for figures in found.values():
        turns = figures["turns"]
        figures["tokens_per_s"] = harness.summarise([turn["tokens"] / turn["seconds"] for turn in turns]).as_json()
        figures["bleu"] = BLEU(tokenize="none", force=True).corpus_score(figures["texts"], [references]).score
    return found, failed


def agreement(found: Figures) -> list[str]:
    """How many translations are those of the plain search in the same precision, in words."""
    told = []
    for name, figures in found.items():
        if name + PLAIN in found:
            texts = list(zip(figures["texts"], found[name + PLAIN]["texts"], strict=True))
            same = sum(one == other for one, other in texts)
            told.append(f"{figures['title']}: {same:,} of {len(texts):,} translations are those of the plain search.")
    return told


def rows(found: Figures) -> list[list[str]]:
    peers = [figures["tokens_per_s"]["median"] for name, figures in found.items() if not name.startswith(OURS)]
    return [
        [
            figures["title"],
            f"{figures['tokens_per_s']['median']:,.0f}",
            f"{figures['tokens_per_s']['spread_pct']:.0f} %",
            f"{figures['tokens_per_s']['median'] / max(peers):.2f}" if peers else "-",
            f"{figures['turns'][-1]['tokens']:,}",
            f"{figures['bleu']:.2f}",
        ]
        for figures in found.values()
    ]


HEAD = ["", "tokens/s", "spread", "to the fastest peer", "tokens", "BLEU"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, help="folder of Multi30k")
    parser.add_argument("--checkpoint", type=Path, help="ours, instead of training one here")
    parser.add_argument("--train-steps", type=int, default=600)
    parser.add_argument(
        "--precision", nargs="+", default=harness.precisions(), help="of ours: float32, bfloat16, float16"
    )
    parser.add_argument("--peers", nargs="*", choices=environments.PEERS, default=list(environments.PEERS))
    parser.add_argument("--ours", nargs="*", default=[], metavar="KEY=VALUE", help="more settings of ours")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=harness.cores())
    parser.add_argument("--device", choices=["cpu", "gpu"], default="cpu", help="of ours; peers run on the CPU")
    parser.add_argument("--noisy", action="store_true", help="measure on a busy machine too")
    parser.add_argument("--write", action="store_true", help="add a section to RESULTS.md")
    parsed = parser.parse_args()
    text = pieces.write_pieces(parsed.data)
    everyone, absent = starts(parsed, text)
    references = list(read_split(Multi30kConfig(dir=parsed.data, variant=Variant.tok), "test").tgt)
    described = harness.about(parsed.noisy)
    tables, notes, result = [], set(absent), {}
    for beam, programs in everyone.items():
        name = f"beam of {beam}" if beam > 1 else "greedy"
        print(f"{name} ...", file=sys.stderr)
        slow = [program for program in programs if program.name.endswith(PLAIN)]
        found, failed = compare([program for program in programs if program not in slow], parsed.rounds, references)
        once, failed_once = compare(slow, 1, references)
        found |= once
        notes |= {*failed, *failed_once, *agreement(found)}
        tables.append(harness.Table(f"test2016, {name}: output tokens/s", HEAD, rows(found)))
        result[name] = {
            program: {key: figure for key, figure in figures.items() if key != "texts"}
            for program, figures in found.items()
        }
    trained = f"Models trained for {parsed.train_steps} steps of 80 sentences; {parsed.rounds} rounds."
    harness.finish("search", tables, described, result, [trained, *sorted(notes)], parsed.write)


if __name__ == "__main__":
    main()
