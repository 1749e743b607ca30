"""Multi30k from a folder and from a server."""

import gzip
import hashlib
from pathlib import Path

import pytest

from nmt.config.data import Multi30kConfig, Variant
from nmt.data import multi30k
from nmt.data.download import digest
from nmt.data.multi30k import SHA256, SPLITS, read_split
from nmt.errors import DataError

CORPUS = Path(__file__).resolve().parents[2] / ".." / "shared" / "data" / "multi30k"
needs_corpus = pytest.mark.skipif(not CORPUS.is_dir(), reason="Multi30k is not beside this checkout")


def message(config: Multi30kConfig, split: str) -> str:
    with pytest.raises(DataError) as caught:
        read_split(config, split)
    return str(caught.value)


@needs_corpus
@pytest.mark.parametrize("variant", Variant)
def test_each_split_has_its_number_of_pairs(variant):
    config = Multi30kConfig(dir=str(CORPUS), variant=variant)
    for split, (_, pairs) in SPLITS.items():
        text = read_split(config, split)
        assert (text.name, len(text)) == (split, pairs)


@needs_corpus
def test_tokenised_german_test_set_has_the_length_of_the_literature():
    text = read_split(Multi30kConfig(dir=str(CORPUS), variant=Variant.tok), "test")
    assert sum(len(line.split()) for line in text.tgt) == 12_103


@needs_corpus
def test_languages_may_be_swapped():
    config = Multi30kConfig(dir=str(CORPUS), src="de", tgt="en")
    assert read_split(config, "test").src[0].startswith("Ein Mann")


@needs_corpus
@pytest.mark.parametrize("name", SHA256)
def test_digests_are_those_of_the_text(name):
    assert digest(CORPUS / f"{name}.gz") == SHA256[name]


def test_a_missing_file_names_what_is_missing_and_what_to_do(tmp_path):
    assert message(Multi30kConfig(dir=str(tmp_path)), "dev") == (
        f"data.dir={tmp_path}: found neither val.en nor val.en.gz, expected val.en and val.de, each plain or with .gz; "
        "check the path, or leave data.dir out to download the data set."
    )
    config = Multi30kConfig(dir=str(tmp_path / "no"), variant=Variant.tok)
    assert message(config, "test") == (
        f"data.dir={tmp_path}/no: found no such folder, expected test_2016_flickr.lc.norm.tok.en and "
        "test_2016_flickr.lc.norm.tok.de, each plain or with .gz; "
        "check the path, or leave data.dir out to download the data set."
    )


def test_a_wrong_number_of_lines_is_refused(tmp_path):
    for language in ("en", "de"):
        (tmp_path / f"val.{language}").write_text("a\nb\n")
    assert message(Multi30kConfig(dir=str(tmp_path)), "dev") == (
        f"{tmp_path}/val: found 2 lines, expected 1014, as Multi30k has; take the file from the data set's "
        "repository, or use data=files for a corpus of your own."
    )


def test_other_languages_are_refused():
    assert message(Multi30kConfig(tgt="fr"), "train") == (
        "data.src, data.tgt: found en, fr, expected en and de, in either order, with data=multi30k; "
        "use data=files for another pair of languages."
    )


@pytest.mark.parametrize("variant", Variant)
def test_without_a_folder_both_sides_are_fetched_from_where_the_data_set_has_them(variant, tmp_path, monkeypatch):
    """`fetch` itself is tested in test_data_download.py."""
    text = b"a\n" * 1_014
    asked = []

    def fetch(url: str, path: Path, sha256: str) -> None:
        asked.append((url, sha256))
        path.write_bytes(gzip.compress(text) if url.endswith(".gz") else text)

    monkeypatch.setattr(multi30k, "fetch", fetch)
    assert len(read_split(Multi30kConfig(variant=variant), "dev", "http://host", tmp_path)) == 1_014
    names = ("val.en", "val.de") if variant is Variant.raw else ("val.lc.norm.tok.en", "val.lc.norm.tok.de")
    place, ending = ("raw", ".gz") if variant is Variant.raw else ("tok", "")
    assert asked == [(f"http://host/{place}/{name}{ending}", SHA256[name]) for name in names]
    assert all(len(value) == len(hashlib.sha256().hexdigest()) for value in SHA256.values())
