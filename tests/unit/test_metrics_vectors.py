"""Every format of word vectors, and every way in which a file can be wrong."""

from __future__ import annotations

import gzip
import lzma
import os
import pickle
import struct
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from gensim.models import KeyedVectors, Word2Vec

from nmt.errors import MetricError
from nmt.metrics import vector_files, vector_stream
from nmt.metrics.vectors import load_vectors, open_vectors, word_vectors

WORDS = ["dog", "cat", "naïve", "don't"]
MATRIX_WD = np.array([[1.0, 2.0, -0.5], [0.25, 0.0, 4.0], [-1.0, -2.0, 3.0], [0.5, 0.5, 0.5]])


def text(words=WORDS, matrix_WD=MATRIX_WD, header=False, end="\n") -> bytes:
    lines = [f"{len(words)} {matrix_WD.shape[1]}"] if header else []
    lines += [" ".join([word, *(f"{value:g}" for value in row)]) for word, row in zip(words, matrix_WD, strict=True)]
    return "".join(line + end for line in lines).encode()


def binary(newline: bytes) -> bytes:
    records = [
        word.encode() + b" " + row.astype("<f4").tobytes() + newline for word, row in zip(WORDS, MATRIX_WD, strict=True)
    ]
    return b"4 3\n" + b"".join(records)


def native(path: Path) -> None:
    table = KeyedVectors(3)
    table.add_vectors(WORDS, MATRIX_WD.astype(np.float32))
    table.save(str(path))


def native_with_arrays_beside(path: Path) -> None:
    table = KeyedVectors(3)
    table.add_vectors(WORDS, MATRIX_WD.astype(np.float32))
    table.save(str(path), sep_limit=0)
    assert Path(f"{path}.vectors.npy").exists()


def npz(path: Path, matrix_WD: np.ndarray) -> None:
    with path.open("wb") as file:  # by its name, NumPy would add an ending
        np.savez(file, words=np.array(WORDS), vectors=matrix_WD)


FORMATS: dict[str, Callable[[Path], object]] = {
    "glove": lambda path: path.write_bytes(text()),
    "glove_crlf": lambda path: path.write_bytes(text(end="\r\n")),
    "glove_without_last_line_feed": lambda path: path.write_bytes(text()[:-1]),
    "word2vec_text": lambda path: path.write_bytes(text(header=True)),
    "word2vec_text_with_trailing_spaces": lambda path: path.write_bytes(text(header=True, end=" \n")),
    "word2vec_binary": lambda path: path.write_bytes(binary(b"\n")),
    "word2vec_binary_as_gensim_writes_it": lambda path: path.write_bytes(binary(b"")),
    "gensim": native,
    "gensim_with_arrays_beside": native_with_arrays_beside,
    "npz": lambda path: npz(path, MATRIX_WD),
    "npz_float32": lambda path: npz(path, MATRIX_WD.astype(np.float32)),
}


@pytest.fixture(params=FORMATS)
def table_file(request, tmp_path) -> Path:
    path = tmp_path / "table"  # no ending: the content says what it is
    FORMATS[request.param](path)
    return path


@pytest.mark.parametrize("block", [1 << 23, 7])
def test_every_format_gives_the_same_table(table_file, block, monkeypatch):
    monkeypatch.setattr(vector_files, "_BLOCK", block)
    everything = load_vectors(table_file, None)
    assert everything.words == WORDS
    assert np.array_equal(everything.matrix_WD, MATRIX_WD)
    assert everything.dimension == 3
    assert everything.source == str(table_file)
    some = load_vectors(table_file, ["naïve", "absent", "dog"])
    assert some.words == ["dog", "naïve"]
    assert np.array_equal(some["naïve"], MATRIX_WD[2])
    assert "cat" not in some
    assert some.sha256 == everything.sha256  # of the file, not of what was asked for
    packed = table_file.with_name("packed")
    packed.write_bytes(gzip.compress(table_file.read_bytes()))
    for beside in table_file.parent.glob("table.*"):
        beside.rename(beside.with_name(beside.name.replace("table", "packed")))
    unpacked = load_vectors(packed, ["cat"])
    assert np.array_equal(unpacked["cat"], MATRIX_WD[1])
    assert unpacked.sha256 == everything.sha256


def test_formats_as_gensim_itself_writes_them(tmp_path):
    table = KeyedVectors(3)
    table.add_vectors(WORDS, MATRIX_WD.astype(np.float32))
    for name, is_binary in (("text", False), ("binary", True)):
        table.save_word2vec_format(str(tmp_path / name), binary=is_binary)
        assert np.array_equal(load_vectors(tmp_path / name, None).matrix_WD, MATRIX_WD)


def test_a_whole_word2vec_model_is_a_table_too(tmp_path):
    model = Word2Vec([["dog", "cat"] * 5], vector_size=4, min_count=1, workers=1, seed=1)
    for name, limit in (("inside", 1 << 30), ("beside", 0)):
        path = tmp_path / name
        model.save(str(path), sep_limit=limit)
        loaded = load_vectors(path, None)
        assert loaded.words == list(model.wv.index_to_key)
        assert np.array_equal(loaded.matrix_WD, model.wv.vectors)


def test_the_first_of_two_vectors_of_a_word_counts(tmp_path):
    (tmp_path / "t").write_text("dog 1 2\ncat 3 4\ndog 5 6\n")
    assert load_vectors(tmp_path / "t", None)["dog"].tolist() == [1.0, 2.0]


def test_words_with_spaces_are_words(tmp_path):
    (tmp_path / "t").write_text(". . 0 1\n. . . 5 6\ndog 1 2\n")
    assert load_vectors(tmp_path / "t", None).words == [". .", ". . .", "dog"]
    (tmp_path / "t").write_text("dog 1 2\nat name@domain 3 4\n. . . 5 6\n")
    table = load_vectors(tmp_path / "t", None)
    assert table.words == ["dog", "at name@domain", ". . ."]
    assert table[". . ."].tolist() == [5.0, 6.0]


def test_numbers_are_words_where_there_is_no_header(tmp_path):
    (tmp_path / "t").write_text("2018 1 2\n7 3 4\n")
    assert load_vectors(tmp_path / "t", ["7"])["7"].tolist() == [3.0, 4.0]


CUT = gzip.compress(text(), mtime=0)[:-10]
NEXT_LINE = "expected a word and 2 numbers with single spaces between; mend or remove the line."
WHOLE = "fetch the file again: it is not whole."


@pytest.mark.parametrize(
    "content, message",
    [
        (b"dog 1 2\ncat 3\n", f", line 2: found 1 numbers, {NEXT_LINE}"),
        (b"dog 1 2\ncat 3 4 5\n", f", line 2: found 3 numbers, {NEXT_LINE}"),
        (b"2 2\ndog 1 2\ncat 3\n", f", line 3: found 1 numbers, {NEXT_LINE}"),
        (b"dog 1 2\ncat 3 x\n", f", line 2: found 'x' among the numbers, {NEXT_LINE}"),
        (b"dog 1 2\n\ncat 3 4\n", f", line 2: found an empty line, {NEXT_LINE}"),
        (b"dog 1 2\n 3 4\n", f", line 2: found 2 numbers, {NEXT_LINE}"),
        (b"dog 1  2\ncat 3 4\n", ", line 1: found '' among the numbers, expected a word and"),
        (b"", ": found an empty file, expected word vectors"),
        (b" \n", ": found an empty file, expected word vectors"),
        (b"0 2\n", ": found a first line that promises 0 vectors of 2 numbers"),
        (b"\x00\x01\x02\x03" * 9, ": found binary data of another format"),
        (
            binary(b"\n")[:-9],
            f", vector 4: found the end of the file, expected 4 vectors, as its first line says; {WHOLE}",
        ),
        (binary(b"") + b"x", ", vector 5: found the end of the file, expected 4 vectors, as its first line says"),
        (b"1 2\n" + bytes(300), ", vector 1: found no word2vec binary data"),
        (b"2 99999999\ndog 1\n", ": found a first line that promises 2 vectors of 99999999 numbers"),
        (b"\xef\xbb\xbf", ": found an empty file, expected word vectors"),
        (
            text().decode().encode("utf-16"),
            ": found UTF-16, expected UTF-8 text, plain or gzip; make it that",
        ),
        (text().decode().encode("utf-16-le"), ": found UTF-16, expected UTF-8 text, plain or gzip"),
        (
            lzma.compress(text()),
            ": found xz-compressed data, expected UTF-8 text, plain or gzip; make it that",
        ),
        (b"PK\x03\x04 and no more", ": found no .npz that can be read without running code"),
        (pickle.dumps({"dog": [1.0]}), ": found a pickle of dict without a list of words"),
        (pickle.dumps(Path("x")), "found a pickle that is no table of gensim (it asks for pathlib."),
        (pickle.dumps([1])[:-1], "found a pickle that is no table of gensim"),
        (CUT, "found compressed file ended before the end-of-stream marker was reached"),
        (b"\x1f\x8bno", "expected a file that can be read"),
    ],
)
def test_a_file_that_is_wrong_is_refused_in_a_sentence(tmp_path, content, message):
    path = tmp_path / "table"
    path.write_bytes(content)
    with pytest.raises(MetricError) as caught:
        load_vectors(path, None)
    assert str(caught.value).startswith(str(path))
    assert message in str(caught.value)


def test_lines_are_counted_across_blocks(tmp_path, monkeypatch):
    monkeypatch.setattr(vector_files, "_BLOCK", 5)
    (tmp_path / "t").write_text("dog 1 2\ncat 3 4\nhen 5\n")
    with pytest.raises(MetricError, match="line 3: found 1 numbers"):
        load_vectors(tmp_path / "t", ["dog"])


ZERO, NAN = struct.pack("<2f", 0.0, 0.0), struct.pack("<2f", np.nan, 1.0)
SOUND = struct.pack("<2f", 1.0, 2.0)
LEFT_OUT = [
    (b"cat 0 0\ndog 1 2\n", 1, "line 1: a vector of zeros for 'cat'"),
    (b"3 2\ndog 1 2\ncat 0.0 -0e5\ncat 3 4\n", 1, "line 3: a vector of zeros for 'cat'"),
    (b"dog 1 2\ncat nan 0\nhen 1 inf\n", 2, "line 2: a vector with NaN or infinity for 'cat'"),
    (b"dog 1 2\ncat 1 -inf\n", 1, "line 2: a vector with NaN or infinity for 'cat'"),
    (b"dog 1 2\nca\xfft 3 4\n", 1, r"line 2: bytes that are no UTF-8 (b'ca\xfft')"),
    (b"2 2\ndog " + SOUND + b"\ncat " + ZERO + b"\n", 1, "vector 2: a vector of zeros for 'cat'"),
    (b"3 2\ndog " + SOUND + b"cat " + NAN + b"cat " + SOUND, 1, "vector 2: a vector with NaN or infinity for 'cat'"),
    (b"2 2\ndog " + SOUND + b"\xffcat " + SOUND, 1, r"vector 2: bytes that are no UTF-8 (b'\xffcat')"),
]


@pytest.mark.parametrize("content, number, first", LEFT_OUT)
def test_words_whose_rows_cannot_be_used_are_left_out_and_counted_by_both_readers(
    tmp_path, caplog, content, number, first
):
    path = tmp_path / "table"
    for data in (content, gzip.compress(content)):
        path.write_bytes(data)
        told = f"{path}: words left out as unknown: {number}; the first is on {first}."
        table = load_vectors(path, None)
        assert table.words == ["dog"]
        assert np.array_equal(table["dog"], [1.0, 2.0])
        opened = open_vectors(path)
        assert (len(opened), opened.select(["cat", "dog", "hen"]).words) == (1, ["dog"])
        assert caplog.messages == [told, told]
        caplog.clear()
        assert load_vectors(path, ["dog"]).words == ["dog"]  # of the others nobody asks
        assert caplog.messages == []


def test_rows_of_arrays_that_cannot_be_used_are_left_out(tmp_path, caplog):
    words = np.array([*WORDS, "half \ud800", "cat"])
    matrix_WD = np.concatenate([MATRIX_WD * [[1], [0], [1], [np.inf]], MATRIX_WD[:2]])
    for save in (np.savez, np.savez_compressed):
        save(tmp_path / "t.npz", words=words, vectors=matrix_WD)
        assert load_vectors(tmp_path / "t.npz", None).words == ["dog", "naïve"]
        assert open_vectors(tmp_path / "t.npz").select(WORDS).words == ["dog", "naïve"]
        told = f"{tmp_path}/t.npz: words left out as unknown: 3; the first is on row 2: a vector of zeros for 'cat'."
        assert caplog.messages == [told, told]
        caplog.clear()


def test_nothing_but_rows_that_cannot_be_used(tmp_path, caplog):
    (tmp_path / "t").write_text("dog 0 0\n")
    with pytest.raises(MetricError, match="found none of the words of the text"):
        load_vectors(tmp_path / "t", ["dog"])
    assert len(open_vectors(tmp_path / "t")) == 0


@pytest.mark.parametrize("promised", [3, 5])
@pytest.mark.parametrize("content", [text(header=True), binary(b"\n"), binary(b"")])
def test_a_first_line_that_promises_another_number_is_warned_of(tmp_path, caplog, content, promised):
    path = tmp_path / "table"
    changed = content.replace(b"4", str(promised).encode(), 1)
    for data in (changed, gzip.compress(changed)):
        path.write_bytes(data)
        assert np.array_equal(load_vectors(path, None).matrix_WD, MATRIX_WD)
        assert np.array_equal(open_vectors(path).select(["cat"])["cat"], MATRIX_WD[1])
        assert caplog.messages == [f"{path}: its first line promises {promised} vectors, and it has 4."] * 2
        caplog.clear()


@pytest.mark.parametrize("header", [False, True])
def test_a_byte_order_mark_is_no_part_of_the_first_word(tmp_path, header):
    path = tmp_path / "table"
    for content in (text(header=header), binary(b"\n")):
        path.write_bytes(b"\xef\xbb\xbf" + content)
        assert load_vectors(path, None).words == WORDS
        assert np.array_equal(load_vectors(path, ["dog"])["dog"], MATRIX_WD[0])
        assert np.array_equal(open_vectors(path).select(["dog"])["dog"], MATRIX_WD[0])


@pytest.mark.parametrize("odd", ["\x1b[0m", "\x01", "\0", "\x7f", "at \x1b name"])
@pytest.mark.parametrize("dimension", [1, 2, 8, 300, 3000])
@pytest.mark.parametrize("header", [False, True])
def test_text_is_text_whatever_its_words_are(tmp_path, odd, dimension, header):
    words = ["dog", odd, "cat"]
    for order in (words, [odd, "dog", "cat"]):
        matrix_WD = np.arange(1.0, 3 * dimension + 1).reshape(3, dimension)
        path = tmp_path / "table"
        path.write_bytes(text(order, matrix_WD, header))
        assert load_vectors(path, None).words == order
        assert np.array_equal(open_vectors(path).select([odd])[odd], matrix_WD[order.index(odd)])
        path.write_bytes(text(order, matrix_WD, header)[:-1])
        assert load_vectors(path, None).words == order


def test_binary_is_binary_whatever_its_numbers_are(tmp_path):
    """Sign vectors, whose bytes look like UTF-32, and small files without a byte that no text has."""
    for value, dimension in ((2.0, 300), (0.5, 9), (1.0, 1), (-3.5, 2)):
        path = tmp_path / "table"
        vector = np.full(dimension, value, "<f4")
        path.write_bytes(b"2 %d\n" % dimension + b"".join(word + b" " + vector.tobytes() for word in (b"dog", b"cat")))
        table = load_vectors(path, None)
        assert table.words == ["dog", "cat"]
        assert np.array_equal(table["cat"], vector)


def test_a_table_of_another_language_is_refused(tmp_path):
    (tmp_path / "t").write_text("dog 1 2\n")
    with pytest.raises(MetricError, match="found none of the words of the text, expected word vectors of the language"):
        load_vectors(tmp_path / "t", ["Hund"])
    assert len(load_vectors(tmp_path / "t", [])) == 0  # no words need no vectors


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(MetricError, match="nowhere: found no such file or directory, expected a file that can be read"):
        load_vectors(tmp_path / "nowhere", None)
    with pytest.raises(MetricError, match="found a folder"):
        load_vectors(tmp_path, None)


@pytest.mark.parametrize(
    "arrays, message",
    [
        ({"vectors": MATRIX_WD}, r"found the arrays \['vectors'\], expected arrays named words and vectors"),
        ({"words": np.arange(4), "vectors": MATRIX_WD}, r"found words of type int64 and shape \(4,\)"),
        ({"words": np.array(WORDS), "vectors": MATRIX_WD[:3]}, r"shape \(3, 3\) for 4 words"),
        ({"words": np.array(WORDS), "vectors": MATRIX_WD.astype(int)}, "vectors of type int64"),
        ({"words": np.array(WORDS, dtype=object), "vectors": MATRIX_WD}, "without running code"),
    ],
)
def test_an_npz_that_is_wrong(tmp_path, arrays, message):
    np.savez(tmp_path / "t.npz", **arrays)
    with pytest.raises(MetricError, match=message):
        load_vectors(tmp_path / "t.npz", None)


def test_gensim_without_its_second_file(tmp_path):
    native_with_arrays_beside(tmp_path / "t")
    (tmp_path / "t.vectors.npy").write_bytes(b"no array")
    with pytest.raises(MetricError, match=r"t\.vectors\.npy: found no array"):
        load_vectors(tmp_path / "t", None)
    (tmp_path / "t.vectors.npy").unlink()
    with pytest.raises(MetricError, match=r"t\.vectors\.npy: found no such file, expected the array that gensim saved"):
        load_vectors(tmp_path / "t", None)


class Nasty:
    def __reduce__(self):
        return print, ("this must not run",)


def test_a_pickle_runs_no_code(tmp_path, capsys):
    (tmp_path / "t").write_bytes(pickle.dumps(Nasty()))
    with pytest.raises(MetricError, match=r"it asks for builtins\.print"):
        load_vectors(tmp_path / "t", None)
    assert capsys.readouterr().out == ""


def test_a_table_in_memory():
    table = word_vectors(WORDS, MATRIX_WD, "test")
    assert len(table) == 4
    assert table.sha256 == word_vectors(WORDS, MATRIX_WD.copy(), "other").sha256
    others = [
        word_vectors(WORDS, MATRIX_WD.astype(np.float32), "test"),
        word_vectors([*WORDS[:3], "x"], MATRIX_WD, "test"),
        word_vectors(WORDS, -MATRIX_WD, "test"),
    ]
    assert len({table.sha256, *(other.sha256 for other in others)}) == 4
    with pytest.raises(KeyError):
        table["absent"]


@pytest.mark.parametrize(
    "words, matrix_WD, message",
    [
        (["a", "b"], [[1.0], [0.0]], "test, row 2: found a vector of zeros for 'b'"),
        (["a", "b"], [[np.nan], [1.0]], "test, row 1: found a vector with NaN or infinity for 'a'"),
        (["a", "a"], [[1.0], [2.0]], "test: found 'a' more than once, expected each word once"),
    ],
)
def test_a_table_in_memory_that_is_wrong(words, matrix_WD, message):
    with pytest.raises(MetricError, match=message):
        word_vectors(words, np.array(matrix_WD), "test")


@pytest.mark.parametrize("block", [1 << 23, 7])
def test_an_opened_file_reads_what_a_text_needs_and_keeps_it(table_file, block, monkeypatch):
    monkeypatch.setattr(vector_files, "_BLOCK", block)
    loaded = load_vectors(table_file, None)
    packed = table_file.with_name("packed")
    packed.write_bytes(gzip.compress(table_file.read_bytes()))
    for beside in table_file.parent.glob("table.*"):
        packed.with_name(beside.name.replace("table", "packed")).write_bytes(beside.read_bytes())
    for path in (table_file, packed):
        opened = open_vectors(path)
        assert (len(opened), opened.dimension, opened.source) == (4, 3, str(path))
        assert opened.sha256 == loaded.sha256
        assert "naïve" in opened
        assert "hen" not in opened
        first = opened.select(["naïve", "hen", "naïve"])
        assert first.words == ["naïve"]
        assert np.array_equal(first["naïve"], MATRIX_WD[2])
        both = opened.select(["dog", "don't"])
        assert both.words == ["naïve", "dog", "don't"]
        assert np.array_equal(both.matrix_WD, MATRIX_WD[[2, 0, 3]])
        assert both.matrix_WD.dtype == loaded.matrix_WD.dtype
        assert first.words == ["naïve"]  # an earlier table stays as it was
        assert opened.select(["hen"]).words == both.words
        assert both.sha256 == loaded.sha256


def test_threads_that_ask_an_opened_file_at_once_get_their_words(tmp_path):
    (tmp_path / "t").write_bytes(text())
    opened, both = open_vectors(tmp_path / "t"), threading.Barrier(2)
    read = opened._read

    def together(words: list[bytes]) -> np.ndarray:
        with suppress(threading.BrokenBarrierError):  # one at a time: nobody else comes
            both.wait(0.2)
        return read(words)

    opened._read = together
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(opened.select, (["dog"], ["cat"])))
    table = opened.select(["naïve"])
    assert [table[word].tolist() for word in WORDS[:3]] == MATRIX_WD[:3].tolist()


def test_an_opened_file_counts_the_first_of_two_vectors_and_words_with_spaces(tmp_path):
    (tmp_path / "t").write_text("dog 1 2\nat name 3 4\ndog 5 6\n")
    opened = open_vectors(tmp_path / "t")
    assert opened.select(["dog", "at name"]).matrix_WD.tolist() == [[3.0, 4.0], [1.0, 2.0]]  # sorted by word


@pytest.mark.parametrize(
    "content, message",
    [
        (b"dog 1 2\ncat 3\n", ", line 2: found 1 numbers"),
        (b"dog 1 2\ncat 3 x\n", ", line 2: found 'x' among the numbers"),
        (b"", ": found an empty file"),
        (binary(b"")[:-1], ", vector 4: found the end of the file, expected 4 vectors"),
    ],
)
def test_a_file_that_is_opened_is_looked_through(tmp_path, content, message):
    path = tmp_path / "table"
    for data in (content, gzip.compress(content)):
        path.write_bytes(data)
        with pytest.raises(MetricError) as caught:
            open_vectors(path)
        assert str(caught.value).startswith(str(path) + message)


def test_large_and_small_numbers_are_no_zeros_and_no_infinities(tmp_path):
    for value in (1e-30, 3e38):
        (tmp_path / "t").write_bytes(b"1 2\ndog " + struct.pack("<2f", value, value))
        assert open_vectors(tmp_path / "t").select(["dog"])["dog"] == pytest.approx([value, value])


@pytest.mark.usefixtures("ticking")
@pytest.mark.parametrize("content", [text(), binary(b"\n")])
def test_a_file_that_changes_under_its_index_is_refused(tmp_path, content):
    path = tmp_path / "table"
    path.write_bytes(content)
    opened = open_vectors(path)
    for changed in (content.replace(b"cat", b"hen"), content[:20]):
        path.write_bytes(changed)
        with pytest.raises(MetricError, match="table: found another content than when it was opened, expected a file"):
            opened.select(["cat"])


def rewritten(path: Path, content: bytes) -> None:
    """In place, as a careless program does."""
    with path.open("r+b") as file:
        file.truncate(len(content))
        file.write(content)


@pytest.mark.usefixtures("ticking")
@pytest.mark.parametrize("name", [name for name in FORMATS if name != "gensim"])
@pytest.mark.parametrize("way", ["cut off", "other numbers", "other numbers, old times"])
def test_a_file_written_to_while_it_is_open_is_refused_or_its_values_are_those_of_the_digest(tmp_path, name, way):
    path = tmp_path / "table"
    FORMATS[name](path)
    sound = load_vectors(path, None)
    loaded, opened = load_vectors(path, ["cat"]), open_vectors(path)
    assert loaded.sha256 == opened.sha256 == sound.sha256
    written = Path(f"{path}.vectors.npy") if "beside" in name else path
    about, content = written.stat(), written.read_bytes()
    if way == "cut off":
        rewritten(written, content[: len(content) // 2])
    else:
        numbers = {"text": (b" 2", b" 7")}.get("text" if b" 2" in content else "", (b"\x40", b"\x41"))
        rewritten(written, content.replace(*numbers))
        assert written.read_bytes() != content
    if way == "other numbers, old times":
        os.utime(written, ns=(about.st_atime_ns, about.st_mtime_ns))
    assert np.array_equal(loaded["cat"], MATRIX_WD[1])
    for words in (["cat"], ["dog", "naïve"]):
        with pytest.raises(MetricError, match="found another content than when it was opened"):
            opened.select(words)


@pytest.mark.usefixtures("ticking")
def test_another_name_and_mode_are_no_other_content(tmp_path):
    path = tmp_path / "table"
    for write in FORMATS.values():
        write(path)
        opened = open_vectors(path)
        path.rename(tmp_path / "moved")
        path.write_text("hen 1 2 3\n")
        (tmp_path / "moved").chmod(0o600)
        assert np.array_equal(opened.select(["cat"])["cat"], MATRIX_WD[1])


@pytest.mark.usefixtures("ticking")
def test_a_file_written_to_while_it_is_hashed_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "table"
    path.write_bytes(text())
    whole = vector_stream._hash_all

    def slow(file):
        digest = whole(file)
        rewritten(path, text()[:-3])
        return digest

    monkeypatch.setattr(vector_stream, "_hash_all", slow)
    table = load_vectors(path, None)
    with pytest.raises(MetricError, match="found another content than when it was opened"):
        _ = table.sha256


def test_a_named_pipe_is_read_as_a_stream(tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_bytes, args=(text(),))
    writer.start()
    assert load_vectors(path, ["cat"]).words == ["cat"]
    writer.join()


def test_garbage_after_a_sound_start_ends_at_once(tmp_path):
    """An expression that looked on for a record would try each of these bytes as its start."""
    path = tmp_path / "table"
    for filler in (b"\0", b" ", b"x"):
        path.write_bytes(b"9999999 300\n" + b"dog " + struct.pack("<300f", *range(300)) + filler * 20_000_000)
        started = time.process_time()
        with pytest.raises(MetricError, match="the end of the file"):
            load_vectors(path, ["cat"])
        assert time.process_time() - started < 5
