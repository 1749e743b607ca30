"""Everything that a checkpoint of a run holds beside its weights: each key with its type and meaning, in one place.

A run writes a `Bundle`, and whoever reads a checkpoint reads one. FORMAT.md's table of keys is held equal to this
module by a test. What belongs to single parameters (the optimiser's slots, the moving average) may be as large as the
weights and is in no Bundle: it goes from the file into its variable.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import numpy as np
from numpy.typing import NDArray

from nmt.checkpoint.names import (
    DIGESTS,
    FORMAT_VERSION,
    TF_VERSION,
    extra_key,
    extra_name,
    is_parameter,
    key_of,
    name_of,
)
from nmt.checkpoint.reader import OpenCheckpoint, open_checkpoint_file, read_value
from nmt.checkpoint.values import Array, Value
from nmt.config.subword import SubwordKind
from nmt.errors import CheckpointError
from nmt.plumbing.records import checked, parsed

EVALUATE, GO_ON = "to evaluate", "to go on"


STATE = "epoch, cursor, counters (time, GPU-seconds, dollars), best score, history, sums of the log's open window: JSON"
VERSIONS = "versions of nmt, Python, TensorFlow, NumPy, SentencePiece, and the device: JSON"
SIZES = "pairs of the training text (train), the dev set and each test set, by name: JSON"
LEAKS = "sentences of the dev and each test set that stand in the training text, by name, from 0: JSON"
MICRO_BATCH = "the micro-batches that `train.micro_batch_gb` had room for as the run began, in decimal digits"


@dataclass(frozen=True)
class Kind:
    """How a value lies in the file, and back."""

    stored: str  # of FORMAT.md: text, bytes, int or numbers
    holder: type
    read: Callable[[Any], Any] = lambda value: value  # raises ValueError or KeyError for what it cannot be
    write: Callable[[Any], Value] = lambda value: value


def _object(of: Any) -> Kind:
    """JSON, by name a value of that type."""

    def read(text: str) -> Any:
        """Raises ValueError."""
        found = {"words": parsed(text)}
        checked(found, {"words": dict[str, of]}, set())
        return found["words"]

    return Kind("text", str, read, json.dumps)


TEXT, BYTES, WHOLE, NUMBERS = Kind("text", str), Kind("bytes", bytes), Kind("int", int), Kind("numbers", np.ndarray)
COUNT = Kind("text", str, int, str)
OBJECT, COUNTS, ROWS = _object(str), _object(int), _object(list[int])
YES = Kind("text", str, {"yes": True, "no": False}.__getitem__, lambda yes: "yes" if yes else "no")
KIND = Kind("text", str, SubwordKind, lambda kind: kind.value)
TRUE = Kind("text", str, {"true": True, "false": False}.__getitem__, lambda true: "true" if true else "false")


@dataclass(frozen=True)
class Key:
    """What FORMAT.md says of a key."""

    kind: Kind
    meaning: str
    needed: str = ""  # for what; a file without a key that is not needed is as good
    since: str = "1"  # version of the format


@dataclass(frozen=True, eq=False)
class Bundle:
    """The values of one checkpoint; None where it has none."""

    config: Annotated[str, Key(TEXT, "the resolved configuration, YAML", EVALUATE)]
    subword_kind: Annotated[SubwordKind, Key(KIND, "what the pieces are: bpe, unigram, words or characters", EVALUATE)]
    subword_joint: Annotated[bool, Key(YES, "whether both languages share their pieces: yes or no", EVALUATE)]
    subword_src: Annotated[bytes, Key(BYTES, "the pieces of the source, as their kind stores them", EVALUATE)]
    subword_tgt: Annotated[bytes, Key(BYTES, "the pieces of the target", EVALUATE)]
    state: Annotated[str | None, Key(TEXT, STATE, GO_ON)] = None
    step: Annotated[int | None, Key(WHOLE, "how many steps the run had taken")] = None
    wmd_words: Annotated[
        str | None, Key(TEXT, "words that the run learnt vectors of, for WMD similarity, a line each")
    ] = None
    wmd_vectors: Annotated[NDArray[np.floating] | None, Key(NUMBERS, "their vectors, a row each")] = None
    wmd_source: Annotated[str | None, Key(TEXT, "how they were learnt, for the signature")] = None
    wmd_file: Annotated[str | None, Key(TEXT, "SHA-256 of the file of word vectors that it took instead")] = None
    versions: Annotated[dict[str, str] | None, Key(OBJECT, VERSIONS)] = None
    corpus: Annotated[str | None, Key(TEXT, "XXH3-128 of the training and dev text, in hexadecimal")] = None
    tests: Annotated[dict[str, str] | None, Key(OBJECT, "such a digest of each test set, by name: JSON")] = None
    sizes: Annotated[dict[str, int] | None, Key(COUNTS, SIZES)] = None
    leaks: Annotated[dict[str, list[int]] | None, Key(ROWS, LEAKS)] = None
    xla: Annotated[bool | None, Key(TRUE, "whether XLA compiles the run's graphs: true or false")] = None
    micro_batch_tokens: Annotated[int | None, Key(COUNT, MICRO_BATCH)] = None
    made_by: Annotated[str | None, Key(TEXT, "of which files `average` or `graft` made it")] = None

    def extras(self) -> dict[str, Value]:
        """Name -> value as it is saved, without those that are None."""
        values = {name: getattr(self, name) for name in KEYS}
        return {name: KEYS[name].kind.write(value) for name, value in values.items() if value is not None}


KEYS: Mapping[str, Key] = {
    name: hint.__metadata__[0] for name, hint in get_type_hints(Bundle, include_extras=True).items()
}
VOCABULARY = ("subword_kind", "subword_joint", "subword_src", "subword_tgt")  # which row stands for which piece
LEARNT_VECTORS = ("wmd_words", "wmd_vectors", "wmd_source")  # large, and of use for scores alone
AVERAGE = "average"
GROUPS: Mapping[str, Key] = {  # one key a parameter, NAME as the parameter's own key
    "adam_m": Key(NUMBERS, "Adam's mean of the gradients", GO_ON),
    "adam_v": Key(NUMBERS, "Adam's mean of their squares", GO_ON),
    AVERAGE: Key(NUMBERS, "the moving average of the weights, where it is on; evaluation uses it", GO_ON),
    "loss_scale": Key(NUMBERS, "the loss scale of float16, where that is trained in", GO_ON),
}
FORMAT_KEYS: Mapping[str, Key] = {  # of the format itself
    TF_VERSION: Key(TEXT, "TensorFlow's version, the only dataset that is text in HDF5, of fixed length", since="2018"),
    FORMAT_VERSION: Key(WHOLE, "1"),
    DIGESTS: Key(TEXT, "JSON: key of every other dataset -> XXH3-128 of its numbers, for readers that know HDF5 alone"),
}


@dataclass(frozen=True)
class Opened:
    """A checkpoint of a run, open: its bundle has been read, its numbers wait to be assigned."""

    path: Path
    file: OpenCheckpoint
    bundle: Bundle


@contextmanager
def opened(path: Path, without: tuple[str, ...] = ()) -> Iterator[Opened]:
    """Open a checkpoint, and read its bundle but for the keys of `without`. Raises CheckpointError."""
    with open_checkpoint_file(path) as file:
        yield Opened(path, file, read_bundle(path, file, without))


def read_bundle(path: Path, file: OpenCheckpoint, without: tuple[str, ...] = ()) -> Bundle:
    """What an open checkpoint holds; the keys of `without` are passed over.

    Raises CheckpointError where a key is missing that evaluation needs, or where a value cannot be what it should.
    """
    values: dict[str, Any] = {}
    for name, key in KEYS.items():
        if extra_key(name) in file.datasets and name not in without:
            values[name] = _value(path, file, name, key.kind)
        elif key.needed == EVALUATE:
            raise CheckpointError(
                str(path),
                found=f"no <{name}>",
                expected="a checkpoint written by a training run, with its configuration and vocabularies",
                next_step="use last.h5 or best.h5 of a run folder",
            )
    return Bundle(**values)


def _value(path: Path, file: OpenCheckpoint, name: str, kind: Kind) -> Any:
    value = read_value(path, file, extra_key(name))
    try:
        if isinstance(value, kind.holder):
            return kind.read(value)
    except (ValueError, KeyError):
        pass
    raise CheckpointError(
        str(path),
        found=f"something else at <{name}>",
        expected=f"{kind.stored} as FORMAT.md has it",
        next_step="use the file that the run wrote",
    )


def key_in_file(name: str) -> str:
    """The key of any variable of a run: `encoder/gru/kernel` -> `encoder gru kernel`, `adam_m/x` -> `<adam_m x>`."""
    return extra_key(key_of(name)) if name.partition("/")[0] in GROUPS else key_of(name)


def apart(values: Mapping[str, Array]) -> tuple[dict[str, Array], dict[str, Array]]:
    """Values of a run's variables by name -> those of parameters, and the others by the name of their extra."""
    keys = {name: key_in_file(name) for name in values}
    parameters = {name: value for name, value in values.items() if is_parameter(keys[name])}
    return parameters, {extra_name(key): values[name] for name, key in keys.items() if name not in parameters}


def evaluated(file: OpenCheckpoint) -> dict[str, str]:
    """Name of each parameter -> key of the numbers that evaluation uses: the moving average where there is one."""
    names = {name_of(key): key for key in file.datasets if is_parameter(key)}
    averages = {name: key_in_file(f"{AVERAGE}/{name}") for name in names}
    return {name: averages[name] if averages[name] in file.datasets else key for name, key in names.items()}


def common_extras(path: Path, file: OpenCheckpoint) -> dict[str, Value]:
    """Name -> value of what does not belong to one parameter, keys that nobody knows here included.

    A file of 2018 has none.
    """
    parameters = {key for key in file.datasets if is_parameter(key)}
    names = [extra_name(key) for key in file.datasets if key not in parameters and key not in FORMAT_KEYS]
    common = [name for name in names if name.partition(" ")[2] not in parameters]
    return {name: read_value(path, file, extra_key(name)) for name in common}
