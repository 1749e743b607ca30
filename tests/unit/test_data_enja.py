"""small_parallel_enja from a folder and from where it is published."""

import hashlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from nmt.config.data import EnjaConfig
from nmt.data import enja
from nmt.data.download import digest
from nmt.data.enja import PARTS, SHA256, SPLITS, WORDS, read_split
from nmt.errors import DataError

CORPUS = Path(__file__).resolve().parents[2] / ".." / "shared" / "data" / "small_parallel_enja"
needs_corpus = pytest.mark.skipif(not CORPUS.is_dir(), reason="small_parallel_enja is not beside this checkout")


@needs_corpus
@pytest.mark.parametrize(("src", "tgt"), [("en", "ja"), ("ja", "en")])
@pytest.mark.parametrize("split", ["train", "dev"])
def test_each_set_has_its_pairs_and_words(split, src, tgt):
    text = read_split(EnjaConfig(dir=str(CORPUS), src=src, tgt=tgt), split)
    assert (text.name, len(text)) == (split, SPLITS[split])
    assert sum(len(line.split()) for line in text.src) == WORDS[f"{split}.{src}"]


@needs_corpus
@pytest.mark.parametrize("name", ["train.en", "train.ja", "dev.en", "dev.ja"])
def test_digests_are_those_of_the_text_and_of_its_parts(name):
    assert digest(CORPUS / f"{name}.gz") == SHA256[name]


@pytest.fixture
def published(monkeypatch) -> dict[str, bytes]:
    """A small corpus in the place of the published one: name -> content."""
    files = {f"{split}.{language}": b"" for split in SPLITS for language in ("en", "ja")}
    for name in files:
        split, _, language = name.partition(".")
        files[name] = b"".join(f"{language} {n} .\n".encode() for n in range(10 if split == "train" else 2))
    for name in ("train.en", "train.ja"):
        lines = files[name].splitlines(keepends=True)
        files |= {name + part: b"".join(lines[2 * n : 2 * n + 2]) for n, part in enumerate(PARTS)}
    known = {name: hashlib.sha256(content).hexdigest() for name, content in files.items() if name in SHA256}
    monkeypatch.setattr(enja, "SHA256", known)
    monkeypatch.setattr(enja, "SPLITS", {"train": 10, "dev": 2, "test": 2})
    monkeypatch.setattr(enja, "WORDS", {name: len(content.split()) for name, content in files.items()})
    return {name: content for name, content in files.items() if name not in ("train.en", "train.ja")}


@pytest.fixture
def asked(published, monkeypatch) -> list[str]:
    """The addresses that were fetched; `fetch` itself is tested in test_data_download.py."""
    addresses: list[str] = []

    def fetch(url: str, path: Path, sha256: str | None) -> None:
        name = url.rpartition("/")[2]
        assert path.name == name
        assert sha256 == enja.SHA256.get(name)
        assert (sha256 is None) == name.startswith("test."), "only the test set's digests are not known"
        if not path.exists():
            addresses.append(url)
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(published[name])

    monkeypatch.setattr(enja, "fetch", fetch)
    return addresses


def test_the_training_set_is_put_together_from_its_parts_once(asked, tmp_path):
    text = read_split(EnjaConfig(), "train", "http://host", tmp_path)
    assert list(text.src) == [f"en {n} ." for n in range(10)]
    assert list(text.tgt) == [f"ja {n} ." for n in range(10)]
    assert asked == [f"http://host/train.{language}{part}" for language in ("en", "ja") for part in PARTS]
    assert sorted(path.name for path in tmp_path.iterdir()) == [".lock", "train.en", "train.ja"]
    assert len(read_split(EnjaConfig(), "train", "http://host", tmp_path)) == 10
    assert len(asked) == 10, "what is there and right is not fetched again"


def test_what_has_come_before_a_cut_is_kept(asked, published, tmp_path):
    there = published.pop("train.en.003")
    with pytest.raises(KeyError):  # the server has gone
        read_split(EnjaConfig(), "train", "http://host", tmp_path)
    published["train.en.003"] = there
    assert len(read_split(EnjaConfig(), "train", "http://host", tmp_path)) == 10
    assert asked.count("http://host/train.en.002") == 1


@pytest.mark.parametrize("split", ["dev", "test"])
def test_the_small_sets_are_files(split, asked, tmp_path):
    assert list(read_split(EnjaConfig(src="ja", tgt="en"), split, "http://host", tmp_path).src) == ["ja 0 .", "ja 1 ."]
    assert asked == [f"http://host/{split}.en", f"http://host/{split}.ja"]


def test_another_test_set_of_as_many_lines_is_refused(asked, published, tmp_path):
    published["test.ja"] = b"ja 0 .\nja 1 ?  !\n"
    with pytest.raises(DataError) as caught:
        read_split(EnjaConfig(), "test", "http://host", tmp_path)
    assert str(caught.value) == (
        f"{tmp_path}/test.ja: found 7 words, expected 6, as small_parallel_enja has; take the file from the data set's "
        "repository, or use data=files for a corpus of your own."
    )
    published["test.ja"] = b"ja 0 .\nja 1 .\n"
    assert len(read_split(EnjaConfig(), "test", "http://host", tmp_path)) == 2, "what was wrong does not stay"
    assert len(read_split(EnjaConfig(), "test", "http://host", tmp_path)) == 2
    assert len(asked) == 3


def test_runs_that_begin_at_once_wait_for_one_another(asked, tmp_path):
    config = EnjaConfig()
    with ThreadPoolExecutor() as pool:
        texts = list(pool.map(lambda _: read_split(config, "train", "http://host", tmp_path), range(4)))
    assert [len(text) for text in texts] == [10] * 4
    assert len(asked) == 10


def test_other_languages_are_refused():
    with pytest.raises(DataError) as caught:
        read_split(EnjaConfig(tgt="de"), "dev")
    assert str(caught.value) == (
        "data.src, data.tgt: found en, de, expected en and ja, in either order, with data=enja; "
        "use data=files for another pair of languages."
    )
