"""The command as a user meets it: what it prints, and what it answers to mistakes."""

from __future__ import annotations

import gzip
import json
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest

from nmt.metrics.wmd import WordMover, command
from nmt.metrics.wmd.command import main

GOLDEN = Path(__file__).with_name("metrics_wmd_command.json")
VECTORS = "east 1 0\nnorth 0 2\nwest -3 0\nsouth 0 -1\noriental 4 0\n"
HYP = "The east north west\nEast\n\nzenith\n"
REFS = ["east north\nwest\n\neast\n", "south\nnorth\neast\nnorth\n"]


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("vectors").write_text(VECTORS)
    Path("hyp").write_text(HYP)
    for number, text in enumerate(REFS):
        Path(f"ref{number}").write_text(text)
    return ["--hyp", "hyp", "--ref", "ref0", "--ref", "ref1", "--vectors", "vectors"]


def printed(capsys, *arguments: str) -> str:
    assert main(arguments) == 0
    streams = capsys.readouterr()
    assert streams.err == ""
    return streams.out


def close(found, expected):
    """Equal but for the last digits of numbers."""
    if isinstance(expected, dict):
        return found.keys() == expected.keys() and all(close(found[key], expected[key]) for key in expected)
    if isinstance(expected, list):
        return len(found) == len(expected) and all(map(close, found, expected))
    if isinstance(expected, float):
        return found == pytest.approx(expected, abs=1e-12)
    return found == expected


def test_json_is_the_golden_one(files, capsys):
    out = printed(capsys, *files, "--json", "--explain", "3")
    assert close(json.loads(out), json.loads(GOLDEN.read_text()))


def test_text(files, capsys):
    lines = printed(capsys, *files, "--explain", "3").split("\n")
    # (exp(-(2 + sqrt 2) / 6) + exp(-sqrt 2) + 1 + 0) / 4, ((2 + sqrt 2) / 6 + sqrt 2 + 0) / 3, 12 / 13
    assert lines[0] == "similarity 0.4523  distance 0.6611  coverage 0.9231  (4 sentences, 1 empty, 1 unknown)"
    assert lines[1].startswith("nrefs:2|case:lc|tok:13a|stop:en|norm:unit|agg:max|sigma:1|dim:2|vec:")
    assert lines[3:5] == [
        "line 1: similarity 0.5661",
        "from   to       mass      cost  mass x cost",
    ]
    assert lines[-3:-1] == [
        "line 3: similarity 1.0000",
        "no mass to move: a side is empty or has no known word",
    ]


def test_references_by_tab_and_gzip_count_as_files_do(files, capsys):
    joined = "\r\n".join("\t".join(pair) for pair in zip(*(text.split("\n")[:-1] for text in REFS), strict=True))
    Path("both.gz").write_bytes(gzip.compress((joined + "\r\n").encode()))
    Path("hyp.gz").write_bytes(gzip.compress(HYP.encode()))
    Path("vectors.gz").write_bytes(gzip.compress(VECTORS.encode()))
    arguments = ["--hyp", "hyp.gz", "--ref", "both.gz", "--vectors", "vectors.gz"]
    assert printed(capsys, *arguments, "--json") == printed(capsys, *files, "--json")


def test_a_byte_order_mark_is_no_part_of_the_text(files, capsys):
    sentences = json.loads(printed(capsys, *files, "--json"))["sentences"]
    for name in ("hyp", "ref0", "ref1"):
        Path(name).write_bytes(b"\xef\xbb\xbf" + Path(name).read_bytes())
    assert json.loads(printed(capsys, *files, "--json"))["sentences"] == sentences


def test_a_tab_at_the_end_of_a_line_is_no_reference(files, capsys):
    """It would be an empty one: right for an empty translation, and half of a mean."""
    Path("hyp").write_text("\neast\n")
    Path("ref").write_text("east\t\neast\t\t \r\n")
    Path("empty").write_text("east\t\n\teast\n")
    arguments = ["--hyp", "hyp", "--vectors", "vectors", "--aggregate", "mean", "--json", "--ref"]
    score = json.loads(printed(capsys, *arguments, "ref"))
    assert [sentence["similarity"] for sentence in score["sentences"]] == [0.0, 1.0]
    assert score["signature"].startswith("nrefs:1|")
    score = json.loads(printed(capsys, *arguments, "empty"))  # a tab at the start has a reference before it, as ever
    assert [sentence["similarity"] for sentence in score["sentences"]] == [0.0, 0.5]


@pytest.mark.parametrize(
    "flags, part",
    [
        (["--norm", "raw"], "norm:raw"),
        (["--aggregate", "mean"], "agg:mean"),
        (["--sigma", "0.5"], "sigma:0.5"),
        (["--stop-words", "none"], "stop:none"),
        (["--stop-words", "de"], "stop:de"),
        (["--tokenize", "none"], "tok:none"),
        (["--no-lowercase"], "case:mixed"),
        (["--lowercase"], "case:lc"),
        (["--processes", "2"], "nrefs:2"),
        (["--backend", "exact"], "solver:exact"),
        (["--preset", "2017"], "stop:nltk-2017|norm:raw|agg:max|sigma:1|"),
        (["--preset", "2017", "--norm", "raw", "--no-lowercase"], "case:mixed|tok:13a|stop:nltk-2017|norm:raw"),
    ],
)
def test_every_flag_is_in_the_signature(files, capsys, flags, part):
    assert part in json.loads(printed(capsys, *files, *flags, "--json"))["signature"]


def test_pyemd_can_be_chosen(files, capsys):
    pytest.importorskip("pyemd", reason="this pyemd does not load", exc_type=ImportError)
    ours, theirs = (json.loads(printed(capsys, *files, "--json", "--backend", end)) for end in ("exact", "pyemd"))
    assert theirs["distance"] == pytest.approx(ours["distance"], abs=1e-9)
    assert theirs["signature"] == ours["signature"].replace("solver:exact", "solver:pyemd")


def test_the_preset_takes_vectors_as_they_are(files, capsys):
    sentences = json.loads(printed(capsys, *files, "--preset", "2017", "--json"))["sentences"]
    assert sentences[1]["distance"] == pytest.approx(5**0.5)  # east (1, 0) to north (0, 2)


@pytest.mark.parametrize("scale", [1e-300, 1e-160, 1e-13, 1.0, 1e13, 1e160, 1e280])
def test_raw_vectors_of_any_size(files, capsys, scale):
    table = [line.split() for line in VECTORS.splitlines()]
    lines = [f"{word} {float(x) * scale} {float(y) * scale}\n" for word, x, y in table]
    Path("vectors").write_text("".join(lines))
    score = json.loads(printed(capsys, *files, "--norm", "raw", "--sigma", str(scale), "--json", "--explain", "1"))
    west, north = (4 + 13**0.5) / 6, 5**0.5  # a third of west to the nearer two, east to north
    assert score["similarity"] == pytest.approx((math.exp(-west) + math.exp(-north) + 1 + 0) / 4, rel=1e-13)
    assert score["distance"] / scale == pytest.approx((west + north + 0) / 3, rel=1e-13)
    assert printed(capsys, *files, "--norm", "raw", "--explain", "1").startswith("similarity ")


@pytest.mark.parametrize(
    "flags, message",
    [
        (
            ["--ref", "short"],
            "short: found 1 line, expected 4, as in hyp; give each line of the one a line",
        ),
        (["--ref", "empty"], "empty: found an empty file, expected one sentence a line; check how"),
        (["--ref", "latin"], "latin, line 2: found the byte 0xe9, which is not UTF-8, expected UTF-8 text;"),
        (["--ref", "nowhere"], "nowhere: found no file, expected a text file;"),
        (["--vectors", "other"], "other: found none of the words of the text, expected word vectors of the language"),
        (
            ["--vectors", "hyp"],
            "hyp, line 2: found 0 numbers, expected a word and 3 numbers with single spaces",
        ),
        (["--stop-words", "klingon"], "stop words: found 'klingon', expected auto, none, nltk-2017 or one of ar, bg,"),
        (["--sigma", "0"], "metrics.wmd.sigma: found 0.0, expected more than 0;"),
        (["--sigma", "nan"], "--sigma: found nan, expected a finite number; 1 is the definition's."),
        (["--sigma", "inf"], "--sigma: found inf, expected a finite number; 1 is the definition's."),
        (
            ["--sigma", "wide"],
            "python -m nmt.metrics.wmd: found argument --sigma: invalid float value: 'wide'",
        ),
        (
            ["--norm", "raw", "--vectors", "vast"],
            "norm=raw: found a vector with a number of size 1e+300, expected",
        ),
        (["--norm", "big"], "found argument --norm: invalid choice: 'big' (choose from"),
        (["--tokenize", "ja"], "found argument --tokenize: invalid choice: 'ja'"),
        (["--explain", "-1"], "--explain: found -1, expected at least 0; give a number of that size."),
        (["--processes", "0"], "--processes: found 0, expected at least 1; give a number of that size."),
        (
            ["--preset", "2017", "--norm", "unit"],
            "--norm with --preset 2017: found unit, expected raw, which",
        ),
        (["--preset", "2017", "--stop-words", "en"], "--stop-words with --preset 2017: found en, expected nltk-2017,"),
        (["--nonsense"], "found unrecognized arguments: --nonsense, expected --hyp FILE"),
    ],
)
def test_a_mistake_is_one_sentence_and_status_2(files, capsys, flags, message):
    Path("short").write_text("east\n")
    Path("empty").write_text("")
    Path("latin").write_bytes("east\ncafé\n".encode("latin-1"))
    Path("other").write_text("Osten 1 0\n")
    Path("vast").write_text("east 1e300 0\nwest 1 0\n")
    assert main([*files, *flags]) == 2
    streams = capsys.readouterr()
    assert streams.out == ""
    assert message in streams.err
    assert streams.err.count("\n") == 1
    assert streams.err.endswith(".\n")


def test_missing_flags_are_named(capsys):
    assert main([]) == 2
    assert "found the following arguments are required: --hyp, --ref, --vectors, expected" in capsys.readouterr().err


def test_large_sets_go_to_all_cores(files, capsys, monkeypatch):
    monkeypatch.setattr(command, "WORTH_PROCESSES", 1)
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    asked = []
    monkeypatch.setattr(command, "WordMover", lambda *given: asked.append(given[3:]) or WordMover(*given))
    printed(capsys, *files)
    assert asked == [(2, False)]  # no bar where standard error is no terminal


def test_as_a_program_and_into_a_closed_pipe(files):
    program = [sys.executable, "-m", "nmt.metrics.wmd", *files]
    root = Path(__file__).resolve().parents[2]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    done = subprocess.run(program, capture_output=True, text=True, env=environment, check=True)
    assert done.stdout.startswith("similarity 0.4523  distance 0.6611")
    assert done.stderr == ""
    read, write = os.pipe()
    os.close(read)
    closed = subprocess.run(program, stdout=write, stderr=subprocess.PIPE, text=True, env=environment, check=False)
    os.close(write)
    assert (closed.returncode, closed.stderr) == (0, "")
