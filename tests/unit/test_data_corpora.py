"""Which sets a configuration names: of each source, overridden, added, missing."""

from pathlib import Path

import pytest

from nmt.config.data import CaptionsConfig, DataConfig, EnjaConfig, FilesConfig, MixtureConfig, Multi30kConfig
from nmt.data import enja, multi30k
from nmt.data.corpora import load_corpora, load_tests
from nmt.data.text import ParallelText
from nmt.errors import ConfigError, DataError

SMALL = {"train_pairs": 30, "dev_pairs": 4, "test_pairs": 3}


@pytest.fixture
def prefix(tmp_path: Path) -> str:
    """Sets called a, b and c with 2, 3 and 4 pairs: "a1" translates to "A1"."""
    for name, count in (("a", 2), ("b", 3), ("c", 4)):
        for language, letter in (("en", name), ("de", name.upper())):
            (tmp_path / f"{name}.{language}").write_text("".join(f"{letter}{i}\n" for i in range(count)))
    return f"{tmp_path}/"


def message(call, config: DataConfig) -> str:
    with pytest.raises((ConfigError, DataError)) as caught:
        call(config)
    return str(caught.value)


def test_captions_have_all_sets_of_their_own():
    loaded = load_corpora(CaptionsConfig(**SMALL))
    assert [len(text) for text in loaded.train] == [30]
    assert loaded.ratio == [1]
    assert len(loaded.dev) == 4
    assert {name: len(text) for name, text in loaded.tests.items()} == {"test": 3}


def test_dev_and_test_can_be_replaced_and_tests_added(prefix):
    config = CaptionsConfig(**SMALL, dev=f"{prefix}a", test=f"{prefix}b", tests={"other": f"{prefix}c"})
    loaded = load_corpora(config)
    assert loaded.dev == ParallelText("dev", ["a0", "a1"], ["A0", "A1"])
    assert {name: text.src for name, text in loaded.tests.items()} == {
        "test": ["b0", "b1", "b2"],
        "other": ["c0", "c1", "c2", "c3"],
    }
    assert list(loaded.tests) == ["test", "other"], "the main one goes first"


def test_files_need_training_and_dev_sets_but_no_test_set(prefix):
    loaded = load_corpora(FilesConfig(train=f"{prefix}b", dev=f"{prefix}a"))
    (train,) = loaded.train
    assert (train.name, list(train.src), list(train.tgt)) == ("train", ["b0", "b1", "b2"], ["B0", "B1", "B2"])
    assert loaded.tests == {}
    for key, config in (("dev", FilesConfig(train=f"{prefix}b")), ("train", FilesConfig(dev=f"{prefix}a"))):
        assert message(load_corpora, config) == (
            f"data.{key}: found nothing, expected a PREFIX, the path of a pair of files without their endings; "
            f"add data.{key}=... to the command line."
        )


def test_files_in_other_languages(prefix):
    config = FilesConfig(src="de", tgt="en", train=f"{prefix}a", dev=f"{prefix}a", test=f"{prefix}a")
    assert list(load_corpora(config).train[0].src) == ["A0", "A1"]


def test_a_mixture_has_its_corpora_in_order_and_leaves_out_those_of_no_part(prefix):
    config = MixtureConfig(
        corpora={"one": f"{prefix}a", "two": f"{prefix}b", "none": "nowhere"},
        ratio={"one": 217, "none": 0, "two": 124},
        dev=f"{prefix}c",
    )
    loaded = load_corpora(config)
    assert [(text.name, len(text)) for text in loaded.train] == [("one", 2), ("two", 3)]
    assert loaded.ratio == [217, 124]
    assert loaded.tests == {}


def test_a_mixture_of_nothing_is_refused(prefix):
    assert message(load_corpora, MixtureConfig(dev=f"{prefix}a")) == (
        "data.corpora: found nothing, expected a PREFIX for each name, and its parts in data.ratio; "
        "add data.corpora=... to the command line."
    )


@pytest.mark.parametrize("kind", [FilesConfig, MixtureConfig])
def test_a_folder_that_nothing_looks_for_is_refused(kind, prefix):
    config = kind(dir="corpus", dev=f"{prefix}a", test=f"{prefix}a")
    for call in (load_tests, load_corpora):
        assert message(call, config) == (
            f"data.dir: found corpus, expected nothing with data={config.source}; "
            "write the folder in front of each PREFIX."
        )


@pytest.mark.parametrize(("config", "source"), [(Multi30kConfig(), multi30k), (EnjaConfig(), enja)])
def test_a_published_corpus_reads_its_splits_and_evaluation_reads_no_training_set(config, source, monkeypatch):
    read = []

    def read_split(asked: DataConfig, split: str) -> ParallelText:
        assert asked is config
        read.append(split)
        return ParallelText(split, ["a"], ["b"])

    monkeypatch.setattr(source, "read_split", read_split)
    assert list(load_tests(config)) == ["test"]
    assert read == ["test"]
    loaded = load_corpora(config)
    assert ([text.name for text in loaded.train], loaded.dev.name) == (["train"], "dev")


def test_a_side_without_a_sentence_is_refused_and_empty_lines_are_told(prefix, tmp_path, caplog):
    for name, lines in (("none", "\n \n\n"), ("some", "a\n\nb\n")):
        (tmp_path / f"{name}.en").write_text("a\nb\nc\n", encoding="utf-8")
        (tmp_path / f"{name}.de").write_text(lines, encoding="utf-8")
    for config, name in (
        (FilesConfig(train=prefix, dev=f"{tmp_path}/none"), "dev"),
        (FilesConfig(train=prefix, dev=f"{prefix}a", test=f"{tmp_path}/none"), "test"),
    ):
        with pytest.raises(DataError) as caught:
            load_corpora(config)
        assert str(caught.value) == (
            f"{name}, target side: found 3 empty lines, expected sentences; check the file; translate.py translates "
            "text that has no reference."
        )
    assert len(load_tests(FilesConfig(test=f"{tmp_path}/some"))["test"]) == 3
    assert caplog.messages == ["test: 1 of 3 lines are empty on the target side"]


def test_multi30k_with_a_folder_takes_further_sets_by_prefix(prefix):
    config = Multi30kConfig(dir="nowhere", dev=f"{prefix}a", test=f"{prefix}b")
    assert len(load_tests(config)["test"]) == 3
