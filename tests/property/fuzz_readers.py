"""Every reader of a user's file, with a sound file that the changes begin at."""

from __future__ import annotations

import importlib
import json
import os
import random
import shutil
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from gensim.models import KeyedVectors
from numpy.testing import assert_array_equal

from nmt.augment import parts
from nmt.checkpoint.bundle import Bundle, opened
from nmt.checkpoint.conversion import convert_file
from nmt.checkpoint.file import read_parameters, save, verify
from nmt.checkpoint.inspection import compare_files, describe_file, list_file
from nmt.checkpoint.values import Value
from nmt.compare.systems import read_output, read_segments, with_references
from nmt.config.data import CaptionsConfig
from nmt.config.launch import Launch, LaunchConfig
from nmt.config.metrics import FIGURES
from nmt.config.root import Config
from nmt.config.saved import dump, load_config, read_run_config
from nmt.config.subword import SubwordKind
from nmt.data.lines import open_lines
from nmt.data.specials import EOS, NUM_SPECIALS
from nmt.data.subwords import Vocabularies, subwords_from_bytes
from nmt.data.words import ListedSubwords
from nmt.errors import NmtError
from nmt.launch import bill, machine, start, terms
from nmt.launch.access import read_keys
from nmt.launch.assignment import Assignment, load_assignment
from nmt.launch.upload import remembered
from nmt.metrics.vectors import load_vectors, open_vectors
from nmt.metrics.wmd.command import read_references
from nmt.plumbing.text import decode_lines, read_lines, unpacked
from nmt.report.events import EventLog
from nmt.report.tensorboard import forget_after
from nmt.search.shortlist import ShortlistFile, digest_of, read_shortlist
from nmt.search.unknowns import read_dictionary
from nmt.sweep import ledger, report
from nmt.sweep.leaderboard import make_board
from nmt.sweep.outcome import read_scores, validations
from nmt.sweep.results import read_results
from nmt.sweep.study import JOURNAL, has_study
from nmt.training.state import TrainingState
from tests.property.checkpoint_mutants import forged, sound_values
from tests.property.fuzz_mutations import (
    Change,
    cut,
    flipped,
    json_changed,
    json_line_changed,
    mutated,
    number_changed,
    packed,
    safetensors_changed,
    with_integer,
    yaml_changed,
    zip_changed,
)

WORDS = ["dog", "cat", "runs", "sleeps", "größer", "狗"]
NUMBERS_WD = np.arange(1, 25, dtype=np.float32).reshape(6, 4) / 8
TWO = ListedSubwords(SubwordKind.words, ["dog", "runs"])
PIECES = Vocabularies(TWO, TWO, joint=True)
SENTENCES = ["A dog runs .", "Zwei Hunde rennen.", "一个狗在公园里睡觉。", "größer \u2028 als\tje"]
EVENTS = [
    {"event": "train", "step": 3, "epoch": 0.5, "seconds": 1.5, "loss": 4.25, "learning_rate": 0.01},
    *(
        {"event": "validate", "step": step, "epoch": 1.0, "seconds": 2.0, "loss": 4.0 - step / 6, "perplexity": 9.0,
         "bleu": 1.0 * step, "chrf": 9.5, "wmd_similarity": 0.25}
        for step in (6, 12)
    ),
    {"event": "save", "step": 6, "epoch": 1.0, "seconds": 2.5, "usd": 0.01},
    {"event": "test", "step": 12, "epoch": 2.0, "seconds": 3.0, "data": "test", "loss": 2.0, "bleu": 12.0},
    {"event": "end", "step": 12, "epoch": 2.0, "seconds": 4.0, "usd": None},
]  # fmt: skip


@dataclass(frozen=True)
class Format:
    """`sound` has the files of a folder, of which `file` is changed; `read` looks at the folder in every way there is.

    `share` is how many inputs of a thousand are of this format.
    """

    name: str
    share: float
    sound: Mapping[str, bytes]
    file: str
    changes: tuple[Change, ...]
    read: Callable[[Path], None]


def tried(call: Callable[..., Any], *arguments: Any) -> Any:
    """What a reader returns, or None where it refuses the file in one sentence."""
    try:
        return call(*arguments)
    except NmtError as error:
        sentence = str(error)
        assert "\n" not in sentence, sentence
        assert len(sentence) < 2_000, sentence[:4_000]
        return None


def read_corpus(folder: Path) -> None:
    path = folder / "train.en"
    lines = tried(read_lines, path)
    opened_lines = tried(open_lines, path)
    assert lines == (None if opened_lines is None else list(opened_lines))
    with path.open("rb") as file:
        tried(lambda: list(decode_lines(unpacked(file, "standard input"), "standard input")))


def read_beside(folder: Path) -> None:
    """As references and translations: a line a sentence."""
    path = folder / "lines"
    tried(read_references, [path], path, len(SENTENCES))
    tried(with_references, ["a"] * len(SENTENCES), {"more": str(path)})
    tried(read_output, str(path), len(SENTENCES))


def read_scored(folder: Path) -> None:
    tried(read_segments, str(folder / "lines"), len(SENTENCES), "signature")


def read_glossary(folder: Path) -> None:
    tried(read_dictionary, folder / "lines")


def read_listed(folder: Path) -> None:
    """As a shortlist, and what a search asks of it."""
    shortlist = tried(read_shortlist, folder / "list.json", PIECES)
    if shortlist is not None:
        assert set(shortlist.of([[4, EOS]]).tolist()) >= set(range(NUM_SPECIALS))
        shortlist.signature.encode()  # results.json has it
        assert "\n" not in shortlist.signature


def read_demanded(folder: Path) -> None:
    app = importlib.import_module("nmt.app.demands")  # it loads TensorFlow: seconds, for this format alone
    tried(app.read_demands, folder / "demands.jsonl")


def read_vectors(folder: Path) -> None:
    """Whole, some of it, and when it is needed: alike wherever all agree to read it."""
    path = folder / "table"
    whole, some = tried(load_vectors, path, None), tried(load_vectors, path, WORDS[:3])
    file = tried(open_vectors, path)
    chosen = file and tried(file.select, WORDS[:3])
    if whole is not None and chosen is not None:
        assert len(whole) == len(file)
    for word in WORDS[:3] if some is not None and chosen is not None else ():
        assert (word in some) == (word in chosen), word
        if word in some:
            assert_array_equal(some[word], chosen[word])


def read_convertible(folder: Path) -> None:
    source = next(path for path in folder.iterdir() if path.name.startswith("model"))
    tried(convert_file, source, folder / "out.h5")
    if source.suffix == ".h5":
        tried(convert_file, source, folder / "out.npz")


def read_checkpoint(folder: Path) -> None:
    """Damaged or forged, but no number of it: what loads is what was written."""
    read_bundle(folder)
    path = folder / "model.h5"
    tried(verify, path)
    tried(list_file, path, True)
    tried(compare_files, path, path, True)
    values = tried(read_parameters, path)
    if values is not None:
        for name, value in sound_values(0).items():
            assert_array_equal(values[name], value)


def read_bundle(folder: Path) -> None:
    """What a checkpoint says of its run, and what evaluation, translation and a run that goes on make of that."""

    def looked_into() -> None:
        with opened(folder / "model.h5") as start:
            bundle = start.bundle
            tried(load_config, bundle.config)
            for side in (bundle.subword_src, bundle.subword_tgt):
                pieces = tried(subwords_from_bytes, bundle.subword_kind, side)
                if pieces is not None:
                    pieces.decode(pieces.encode("a dog"))
            if bundle.state is not None:
                told = tried(TrainingState.from_json, bundle.state)
                if told is not None:
                    told.to_json()

    tried(looked_into)
    tried(describe_file, folder / "model.h5")


def read_config(folder: Path) -> None:
    config = tried(read_run_config, folder)
    if config is not None:
        assert load_config(dump(config)) == config


def read_log(folder: Path) -> None:
    tried(read_scores, folder)
    tried(validations, folder, FIGURES["bleu"])

    def cut_back() -> None:
        with EventLog(folder) as log:
            log.cut_back(6, None)

    tried(cut_back)


def read_board(folder: Path) -> None:
    """TensorBoard's own file."""
    tried(forget_after, folder, 6)


def read_sweep(folder: Path) -> None:
    results = tried(read_results, folder)
    if results is not None:
        board = make_board(results)
        report.text(board)
        report.csv_text(board)


def read_study(folder: Path) -> None:
    tried(has_study, folder / JOURNAL)


def read_machine(folder: Path) -> None:
    """All that is kept of a rented machine."""
    own = folder / "nmt"
    tried(machine.list_machines, folder)
    tried(terms.load_terms, own)
    request = tried(start.load_request, own)
    if request is not None:
        assert isinstance(request.type, str)
        assert isinstance(request.disk_gb, int)
    events = tried(bill.read_events, own)
    if events:
        for one in {event.id for event in events}:
            found = bill.bill([event for event in events if event.id == one], 2e9)
            assert found.usd is None or found.usd >= 0
    tried(load_assignment, folder, "nmt")
    tried(remembered, own)
    tried(read_keys, own / "known_hosts")


def read_terms(folder: Path) -> None:
    tried(terms.of_machine, Launch(launch=LaunchConfig(folder=str(folder))), "nmt")


def read_stage(folder: Path) -> None:
    """What is asked of a stage that translates, and what it made."""
    tried(parts.read_request, folder)
    tried(lambda: list(parts.read_made(folder, 3)))


def read_status(folder: Path) -> None:
    importlib.import_module("nmt.app.rent").of_the_training(folder)  # it loads TensorFlow


def formats(folder: Path) -> Iterator[Format]:
    """Each with files that are as they should be, made in `folder`."""
    text, lines = "\n".join(SENTENCES).encode() + b"\n", (mutated, packed)
    yield Format("corpus", 100, {"train.en": text}, "train.en", lines, read_corpus)
    yield Format("references", 60, {"lines": text}, "lines", lines, read_beside)
    yield Format("segments", 40, {"lines": b"0.5\n1\n-2e-3\n0\n"}, "lines", lines, read_scored)
    yield Format("glossary", 20, {"lines": b"dog\tHund\nhot dog\tWurst\n\nC++\tC\n"}, "lines", lines, read_glossary)
    listed = ShortlistFile(digest_of(PIECES), "2 pairs", 1, by_frequency=[5, 4], pieces=[[], [], [], [], [5, 4], []])
    sound = {"list.json": json.dumps(asdict(listed)).encode()}
    yield Format("shortlist", 30, sound, "list.json", (mutated, json_changed, json_changed), read_listed)
    asked = b'{"prefix": "Ein", "must": ["Hund", "rot"]}\n\n{"never": ["Katze"]}\n'
    yield Format("demands", 30, {"demands.jsonl": asked}, "demands.jsonl", (mutated, json_line_changed), read_demanded)
    yield from of_vectors(folder)
    yield from of_checkpoints(folder)
    yield from of_runs(folder)
    yield from of_machines()


def of_vectors(folder: Path) -> Iterator[Format]:
    """Text and binary of word2vec, GloVe, fastText, gensim with its array within or beside, .npz."""
    rows = [f"{word} {' '.join(map(repr, row))}" for word, row in zip(WORDS, NUMBERS_WD.tolist(), strict=True)]
    glove = "\n".join(rows).encode() + b"\n"
    word2vec = b"6 4\n" + glove
    fasttext = b"6 4\n" + " \n".join(rows).encode() + b" \n"
    records = [word.encode() + b" " + row.tobytes() for word, row in zip(WORDS, NUMBERS_WD, strict=True)]
    keyed = KeyedVectors(4)
    keyed.add_vectors(WORDS, NUMBERS_WD)
    keyed.save(str(folder / "within"))
    keyed.save(str(folder / "table"), separately=["vectors"])
    np.savez(folder / "stored.npz", words=np.array(WORDS), vectors=NUMBERS_WD)
    np.savez_compressed(folder / "packed.npz", words=np.array(WORDS), vectors=NUMBERS_WD.astype(np.float64))
    beside = {name: (folder / name).read_bytes() for name in ("table", "table.vectors.npy")}
    for name, share, content, changes in (
        ("word2vec text", 60, word2vec, (mutated, mutated, packed)),
        ("word2vec binary", 80, b"6 4\n" + b"\n".join(records) + b"\n", (mutated, mutated, packed)),
        ("GloVe", 60, glove, (mutated, mutated, packed)),
        ("fastText", 30, fasttext, (mutated, mutated, packed)),
        ("gensim", 60, (folder / "within").read_bytes(), (mutated,)),
        ("npz table", 60, (folder / "stored.npz").read_bytes(), (mutated, zip_changed)),
        ("npz table, packed", 20, (folder / "packed.npz").read_bytes(), (mutated,)),
    ):
        yield Format(name, share, {"table": content}, "table", changes, read_vectors)
    yield Format("gensim with an array beside", 10, beside, "table", (mutated,), read_vectors)
    yield Format("gensim's array", 30, beside, "table.vectors.npy", (mutated, number_changed), read_vectors)


def of_checkpoints(folder: Path) -> Iterator[Format]:
    extras = bundle().extras()
    slots = {f"adam_m {name.replace('/', ' ')}": value for name, value in sound_values(0).items()}
    save(folder / "model.h5", sound_values(0), {**extras, **slots}, sync=False)
    own = (folder / "model.h5").read_bytes()

    def forgery(content: bytes, other: bytes, dice: random.Random) -> bytes:
        return forged(own, dice)

    def other_value(content: bytes, other: bytes, dice: random.Random) -> bytes:
        """A whole file, with right digests, that says something else of its run."""
        name = dice.choice(list(extras))
        save(folder / "said.h5", {}, {**extras, name: _said(extras[name], other, dice)}, sync=False)
        return (folder / "said.h5").read_bytes()

    yield Format("HDF5", 60, {"model.h5": own}, "model.h5", (flipped, cut, with_integer, forgery), read_checkpoint)
    yield Format("what a checkpoint says", 40, {"model.h5": own}, "model.h5", (other_value,), read_bundle)
    for ending, share, change in ((".npz", 40, zip_changed), (".safetensors", 40, safetensors_changed)):
        convert_file(folder / "model.h5", folder / f"model{ending}")
        sound = {f"model{ending}": (folder / f"model{ending}").read_bytes()}
        yield Format(ending, share, sound, f"model{ending}", (mutated, change), read_convertible)
    with h5py.File(folder / "old.h5", "w") as file:
        file["encoder kernel:0"] = NUMBERS_WD
        file["<tf_version>"] = "1.8.0"
    foreign = {"model.h5": (folder / "old.h5").read_bytes()}
    yield Format("foreign HDF5", 3, foreign, "model.h5", (mutated,), read_convertible)


def bundle() -> Bundle:
    """Of a run with words for pieces, as it is written."""
    history = ({"step": 6, "loss": 4.0, "bleu": 6.0},)
    pieces = ListedSubwords(SubwordKind.words, ["dog", "runs"]).to_bytes()
    return Bundle(
        config=dump(Config(data=CaptionsConfig())),
        subword_kind=SubwordKind.words,
        subword_joint=False,
        subword_src=pieces,
        subword_tgt=pieces,
        state=TrainingState(step=6, best_score=6.0, best_step=6, history=history).to_json(),
        step=6,
        wmd_words="dog\ncat",
        wmd_vectors=NUMBERS_WD[:2],
        wmd_source="trained",
        versions={"nmt": "0.1", "device": "CPU"},
        corpus="0" * 32,
        tests={"test": "0" * 32},
        xla=False,
        micro_batch_tokens=512,
    )


def _said(value: Value, other: bytes, dice: random.Random) -> Value:
    if dice.random() < 0.2 or not isinstance(value, str | bytes):
        return dice.choice(("", "x", b"\xff", 7, -1, 0.5, np.zeros((2, 0)), np.ones(3, bool), "[" * 9_000))
    content = value.encode() if isinstance(value, str) else value
    if content.startswith((b"{", b"[")):
        changed = json_changed(content, other, dice)
    elif content.startswith(b"data:") and dice.random() < 0.7:
        changed = yaml_changed(content, other, dice)
    else:
        changed = mutated(content, other, dice)
    return changed.decode(errors="replace") if isinstance(value, str) else changed


def of_runs(folder: Path) -> Iterator[Format]:
    config = dump(Config(data=CaptionsConfig())).encode()
    log = "".join(json.dumps(event) + "\n" for event in EVENTS).encode()
    with EventLog(folder) as events:
        for event in EVENTS:
            events.write(event)
    (board,) = (path.read_bytes() for path in (folder / "tensorboard").iterdir())
    run = {"config.yaml": config, "metrics.jsonl": log}
    begun = {"trial": "a", "group": "g", "number": 0, "overrides": ["model.units=8", "seed=1"], "folder": "0"}
    ended = {"status": "finished", "exit_status": 0, "score": 12.0, "seconds": 4.0, "usd": None}
    trials = [{"event": "start", **begun, "trial": name, "number": n, "where": "cpu 0"} for n, name in enumerate("ab")]
    trials += [{"event": "end", "trial": name, **ended} for name in "ab"]
    told = "".join(json.dumps(event) + "\n" for event in trials).encode()
    study = b'{"op_code": 0, "worker_id": "x", "study_name": "sweep", "directions": [2]}\n{"op_code": 4, "trial": 0}\n'
    sweep = {ledger.FILE: told, "0/config.yaml": config, "0/metrics.jsonl": log}
    lines = (mutated, json_line_changed, json_line_changed)
    yield Format("config.yaml", 60, run, "config.yaml", (mutated, yaml_changed, yaml_changed), read_config)
    yield Format("metrics.jsonl", 40, run, "metrics.jsonl", lines, read_log)
    yield Format("TensorBoard", 20, {"events.out.tfevents.1": board}, "events.out.tfevents.1", (mutated,), read_board)
    request = parts.Request(["a.h5", "b.h5"], "lines", ["search.nbest=1"], 2, True, "auto")
    stage = {parts.REQUEST: json.dumps(asdict(request)).encode(), parts.MADE: b"-0.5\tein Hund\n\t\n-1.25\tzwei\n"}
    yield Format("request of a stage", 5, stage, parts.REQUEST, (mutated, json_changed), read_stage)
    yield Format("translations of a stage", 5, stage, parts.MADE, (mutated,), read_stage)
    yield Format("ledger", 30, sweep, ledger.FILE, lines, read_sweep)
    yield Format("log of a trial", 10, sweep, "0/metrics.jsonl", lines, read_sweep)
    yield Format("study", 10, {JOURNAL: study}, JOURNAL, lines, read_study)


def of_machines() -> Iterator[Format]:
    one = {"name": "nmt", "region": "eu-west-1", "instance_id": "i-01", "address": "192.0.2.1", "port": 22}
    one |= {"user": "ubuntu", "key_file": "/k/id", "known_hosts": "/k/known", "lane": "tf221", "usd_per_hour": 0.5}
    disk = {"DeviceName": "/dev/sda1", "Ebs": {"VolumeSize": 60}}
    asked = {"InstanceType": "g4dn.xlarge", "ClientToken": "t", "BlockDeviceMappings": [disk]}
    paid = ("i-01", "g4dn.xlarge", "eu-west-1", False, 0.5, 60, 0.01)
    events = [bill.Event(f"2026-11-28T1{n}:00:00+00:00", what, *paid) for n, what in enumerate(("started", "ended"))]
    options, limits = {"launch.max_usd": 1.0, "launch.region": "eu-west-1"}, {"launch.max_hours": 2.0}
    files = {
        "nmt/machine.json": {**one, "spot": False},
        "nmt/terms.json": {"account": "123456789012", "options": options, "limits": limits},
        "nmt/starting.json": {"region": "eu-west-1", "zone": "", "parameters": asked, "instance_id": "i-01"},
        "nmt/job.json": asdict(Assignment(["seed=1"], "run", "runs/run", "/home/ubuntu/nmt")),
        "nmt/machine/data.json": [{"sources": ["."], "target": "data/train"}],
    }
    sound = {name: json.dumps(value, indent=2).encode() for name, value in files.items()}
    sound["nmt/bill.jsonl"] = "".join(json.dumps(asdict(event)) + "\n" for event in events).encode()
    sound["nmt/known_hosts"] = b"192.0.2.1 ssh-ed25519 AAAA\n"
    for name in sound:
        changes = (mutated, json_line_changed) if name.endswith("l") else (mutated, json_changed)
        yield Format(name, 15, sound, name, (mutated,) if name.endswith("hosts") else changes, read_machine)
    yield Format("terms", 4, sound, "nmt/terms.json", (json_changed,), read_terms)
    done = {"machine/status.json": b'{"exit_status": 3, "supervisor": [17, "9"]}'}
    yield Format("status.json", 10, done, "machine/status.json", (mutated, json_changed), read_status)


class Inputs:
    """A number makes an input, the same one always. `without`: formats that are left out."""

    def __init__(self, folder: Path, without: Collection[str] = ()) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        self.formats = [one for one in formats(folder) if one.name not in without]
        self.shares = [one.share for one in self.formats]
        self.contents = [content for one in self.formats for content in one.sound.values()]

    def make(self, number: int) -> tuple[Format, dict[str, bytes]]:
        """The format, and the files of the folder."""
        dice = random.Random(number)
        one = dice.choices(self.formats, self.shares)[0]
        changed = dice.choice(one.changes)(one.sound[one.file], dice.choice(self.contents), dice)
        return one, {**one.sound, one.file: changed}


def put(folder: Path, files: Mapping[str, bytes]) -> None:
    """As the only files of a folder, written long ago: readers wait for the clock beside a fresh one."""
    shutil.rmtree(folder, ignore_errors=True)
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        os.utime(path, (1e9, 1e9 + 0.5))
