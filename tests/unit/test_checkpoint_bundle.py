"""What a checkpoint holds beside its weights: one table of keys, which FORMAT.md repeats."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

import nmt.checkpoint
from nmt.checkpoint.bundle import FORMAT_KEYS, GROUPS, KEYS, LEARNT_VECTORS, VOCABULARY, Bundle, Key, apart, opened
from nmt.checkpoint.file import save
from nmt.config.subword import SubwordKind
from nmt.errors import CheckpointError

LEAST = Bundle("seed: 1\n", SubwordKind.bpe, True, b"source", b"target")
WHOLE = replace(
    LEAST,
    state='{"step": 7}',
    step=7,
    wmd_words="dog\ncat",
    wmd_vectors=np.eye(2, dtype=np.float32),
    wmd_source="learnt",
    versions={"nmt": "0.1.0", "device": "CPU"},
    corpus="ab" * 16,
    sizes={"train": 29_000, "dev": 1_014},
    leaks={"dev": [], "test": [3, 17]},
    xla=False,
    micro_batch_tokens=1_234,
    made_by="average of a.h5, b.h5",
)


def test_the_table_of_the_format_says_what_the_module_says():
    text = Path(nmt.checkpoint.__file__).with_name("FORMAT.md").read_text(encoding="utf-8")
    table = [line for line in text.splitlines() if line.startswith("| `<")]

    def row(key: str, about: Key) -> str:
        return f"| `{key}` | {about.kind.stored} | {about.since} | {about.needed} | {about.meaning} |"

    assert table == [
        *(row(key, about) for key, about in FORMAT_KEYS.items()),
        *(row(f"<{name}>", about) for name, about in KEYS.items()),
        *(row(f"<{group} NAME>", about) for group, about in GROUPS.items()),
    ]


@pytest.mark.parametrize("bundle", [LEAST, WHOLE], ids=["least", "whole"])
def test_what_is_written_is_read(tmp_path, bundle):
    save(tmp_path / "a.h5", {}, bundle.extras())
    with opened(tmp_path / "a.h5") as found:
        for field in fields(Bundle):
            ours, theirs = getattr(bundle, field.name), getattr(found.bundle, field.name)
            assert type(ours) is type(theirs), field.name
            np.testing.assert_array_equal(theirs, ours, err_msg=field.name)


def test_the_words_in_the_file_are_those_that_older_versions_wrote():
    extras = WHOLE.extras()
    assert {name: extras[name] for name in ("subword_kind", "subword_joint", "xla", "micro_batch_tokens")} == {
        "subword_kind": "bpe",
        "subword_joint": "yes",
        "xla": "false",
        "micro_batch_tokens": "1234",
    }
    assert extras["versions"] == '{"nmt": "0.1.0", "device": "CPU"}'
    assert LEAST.extras().keys() == {"config", *VOCABULARY}


def test_what_is_left_out_is_not_read(tmp_path):
    save(tmp_path / "a.h5", {}, WHOLE.extras())
    with opened(tmp_path / "a.h5", without=LEARNT_VECTORS) as found:
        assert (found.bundle.wmd_words, found.bundle.wmd_vectors, found.bundle.step) == (None, None, 7)


@pytest.mark.parametrize("name", ["config", *VOCABULARY])
def test_what_evaluation_needs_must_be_there(tmp_path, name):
    extras = WHOLE.extras()
    del extras[name]
    save(tmp_path / "a.h5", {}, extras)
    with pytest.raises(CheckpointError, match=f"found no <{name}>, expected a checkpoint written by a training run"):
        opened(tmp_path / "a.h5").__enter__()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("config", 1),
        ("subword_kind", "syllables"),
        ("subword_joint", "maybe"),
        ("subword_src", "text"),
        ("step", "7"),
        ("versions", "{"),
        ("xla", "on"),
        ("micro_batch_tokens", "many"),
        ("wmd_vectors", "none"),
    ],
)
def test_what_cannot_be_read_is_told_by_its_key(tmp_path, name, value):
    save(tmp_path / "a.h5", {}, {**WHOLE.extras(), name: value})
    with pytest.raises(CheckpointError) as caught:
        opened(tmp_path / "a.h5").__enter__()
    assert f"a.h5: found something else at <{name}>, expected {KEYS[name].kind.stored} " in str(caught.value)


def test_slots_and_averages_stand_apart_from_parameters():
    names = ["encoder/gru/kernel", "adam_m/encoder/gru/kernel", "average/v", "loss_scale/scale", "averages/x"]
    values = {name: np.zeros(1) for name in names}
    parameters, slots = apart(values)
    assert list(parameters) == ["encoder/gru/kernel", "averages/x"]
    assert list(slots) == ["adam_m encoder gru kernel", "average v", "loss_scale scale"]
