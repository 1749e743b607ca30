"""evaluate.py without a checkpoint: files of any toolkit, as sacreBLEU's own command scores and tests them."""

from __future__ import annotations

import gzip
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from sacrebleu.metrics import CHRF

from nmt.config.commands import EvaluateConfig, read_command
from nmt.errors import ConfigError
from nmt.programs import evaluate

ROOT = Path(__file__).resolve().parents[2]
CAPTIONS = ROOT.parent / "shared" / "data" / "multi30k"
HEAVY = ["tensorflow", "keras", "torch", "scipy", "matplotlib", "gensim", "pandas", "ot", "h5py", "sentencepiece"]
TEXT = ["ein hund rennt über die wiese", "zwei männer spielen ball", "eine frau liest", "das rote haus steht dort"]


def run(*words: str) -> int:
    return evaluate(words)


def write(path: Path, lines: list[str]) -> Path:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


@pytest.fixture
def corpus(tmp_path):
    """A test set of 60 sentences, and two systems."""
    references = [f"{TEXT[i % 4]} {i}" for i in range(60)]
    write(tmp_path / "t.en", references)
    write(tmp_path / "t.de", references)
    write(tmp_path / "a.txt", [line if i % 3 else "nichts" for i, line in enumerate(references)])
    write(tmp_path / "b.txt", [line if i % 4 else line[5:] for i, line in enumerate(references)])
    return tmp_path


def words(folder: Path, *more: str) -> list[str]:
    return [
        *("data.src=en", "data.tgt=de", f"data.test={folder}/t", "metrics.bootstrap=100"),
        *(f"+outputs.a={folder}/a.txt", f"+outputs.b={folder}/b.txt", f"out={folder}/out", *more),
    ]


def comparison(folder: Path) -> dict:
    return json.loads((folder / "out" / "comparison.json").read_text())


@pytest.mark.skipif(not CAPTIONS.is_dir(), reason="no ../shared/data/multi30k")
def test_scores_and_p_values_are_those_of_sacrebleus_command(tmp_path, capfd):
    """Real captions: the second and third of each picture beside the first, which stand for translations of it."""
    for name, number in (("t.de", 1), ("t.en", 1), ("a.txt", 2), ("b.txt", 3)):
        lines = gzip.decompress((CAPTIONS / f"captions_test_2016.{number}.de.gz").read_bytes()).decode().split("\n")
        write(tmp_path / name, lines[:300])
    assert run(*words(tmp_path, "metrics.bootstrap=1000", "metrics.report=[bleu,chrf,ter]")) == 0
    ours = comparison(tmp_path)["metrics"]
    capfd.readouterr()
    for flag, key in (("--paired-bs", "p_bootstrap"), ("--paired-ar", "p_randomisation")):
        command = [sys.executable, "-m", "sacrebleu", "t.de", "-i", "a.txt", "b.txt", "-m", "bleu", "chrf", "ter", flag]
        command += ["-w", "10", "--format", "text"]  # its JSON cannot hold its own float32
        theirs = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path).stdout
        for place, name in enumerate(("bleu", "chrf", "ter")):
            for system in "ab":
                (row,) = re.findall(rf"│ +(?:Baseline: )?{system}\.txt │(.*)│", theirs)
                told = float(row.split("│")[place].split()[0])
                assert ours[name][system]["score"] == pytest.approx(told, abs=1e-9)
            p_value = float(re.findall(r"p = ([0-9.]+)", theirs)[place])
            # Edits are whole numbers: draws often tie with what is observed, which counts here and not there.
            ties = 0.03 if name == "ter" else 0.0
            assert p_value - 5.1e-5 <= ours[name]["b"][key] <= p_value + 5.1e-5 + ties


def test_nothing_is_loaded_that_takes_long(corpus):
    program = (
        "import sys\n"
        "from nmt.programs import evaluate\n"
        f"assert evaluate({words(corpus)!r}) == 0\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.endswith("[]\n")
    assert done.stderr == ""


def test_a_folder_has_all_of_it(corpus, capsys):
    assert run(*words(corpus)) == 0
    out = capsys.readouterr().out
    assert "WMD: left out without word vectors; add metrics.wmd.vectors=FILE" in out
    assert "test: compared with a\n" in out
    names = sorted(path.relative_to(corpus / "out").as_posix() for path in (corpus / "out").rglob("*.*"))
    assert names == [
        *("a/results.json", "a/translations/test.txt", "b/results.json", "b/translations/test.txt"),
        *("comparison.json", "paragraph.tex", "paragraph.txt", "report.html", "table.md", "table.tex"),
    ]
    assert list(comparison(corpus)["metrics"]) == ["bleu", "chrf"]
    results = json.loads((corpus / "out" / "b" / "results.json").read_text())
    assert (results["checkpoint"], results["sentences"]) == (f"{corpus}/b.txt", 60)
    assert results["bleu"]["score"] == comparison(corpus)["metrics"]["bleu"]["b"]["score"]


def test_word_vectors_of_a_file_bring_the_distance(corpus):
    vectors = write(corpus / "v.txt", ["hund 1 0", "ball 0 1", "haus 1 1", "frau 0.5 1"])
    assert run(*words(corpus, f"metrics.wmd.vectors={vectors}", "metrics.report=[wmd]")) == 0
    assert 0 < comparison(corpus)["metrics"]["wmd"]["b"]["score"] < 1


def test_segments_of_another_tool_give_its_mean(corpus):
    """sacreBLEU's sentence chrF, fed from a file."""
    metric = CHRF()
    references = (corpus / "t.de").read_text().splitlines()
    means = {}
    for name in "ab":
        lines = (corpus / f"{name}.txt").read_text().splitlines()
        values = [metric.sentence_score(x, [y]).score for x, y in zip(lines, references, strict=True)]
        write(corpus / f"{name}.chrf", [repr(value) for value in values])
        means[name] = sum(values) / len(values)
    given = [f"+segments.sentence-chrf.{name}={corpus}/{name}.chrf" for name in "ab"]
    assert run(*words(corpus, *given, "+signatures.sentence-chrf='sacreBLEU 2.6, nc:6'")) == 0
    found = comparison(corpus)
    for name in "ab":
        assert found["metrics"]["sentence-chrf"][name]["score"] == pytest.approx(means[name], rel=1e-12)
    assert found["signatures"]["sentence-chrf"] == "sacreBLEU 2.6, nc:6"
    assert found["metrics"]["sentence-chrf"]["b"]["agreement"] is None


def test_further_references_may_lack_lines(corpus):
    second = (corpus / "b.txt").read_text().splitlines()
    write(corpus / "second.de", [line if i % 3 else "" for i, line in enumerate(second)])
    assert run(*words(corpus, f"+references.second={corpus}/second.de")) == 0
    found = comparison(corpus)
    assert "nrefs:var" in found["signatures"]["bleu"]
    alone = corpus / "alone"
    alone.mkdir()
    for name in ("t.en", "t.de", "a.txt", "b.txt"):
        (alone / name).write_bytes((corpus / name).read_bytes())
    assert run(*words(alone)) == 0
    assert found["metrics"]["bleu"]["b"]["score"] > comparison(alone)["metrics"]["bleu"]["b"]["score"]


def test_several_files_are_one_system(corpus):
    (corpus / "runs").mkdir()
    for number, shift in enumerate((0, 1, 2)):
        lines = (corpus / "t.de").read_text().splitlines()
        write(corpus / "runs" / f"{number}.txt", [x if i % 5 != shift else x[4:] for i, x in enumerate(lines)])
    assert run(*words(corpus, f"+groups.base='{corpus}/runs/*.txt'")) == 0
    found = comparison(corpus)
    assert found["systems"] == ["a", "b", "base"]
    assert (found["metrics"]["bleu"]["base"]["seeds"], found["metrics"]["bleu"]["a"]["seeds"]) == (3, 1)
    assert (corpus / "out" / "base" / "2" / "results.json").exists()


# ---- what users bring


def test_marks_returns_and_separators_are_as_in_every_reader_of_text(corpus):
    """A byte order mark, CR LF, gzip, and U+2028 within a line."""
    lines = (corpus / "a.txt").read_text().splitlines()
    assert run(*words(corpus)) == 0
    plain = comparison(corpus)
    lines[1] += "\u2028"
    windows = "\ufeff" + "".join(f"{line}\r\n" for line in lines)
    (corpus / "a.txt").write_bytes(gzip.compress(windows.encode()))
    assert run(*words(corpus)) == 0
    assert comparison(corpus)["metrics"]["bleu"] == plain["metrics"]["bleu"]


@pytest.mark.parametrize("name", ["references", "segments"])
def test_so_are_those_of_references_and_segments(corpus, name):
    """The same file with a byte order mark and CR LF; and a test set with U+2028 within a line."""
    lines = (
        ["0.25"] * 60
        if name == "segments"
        else [f"{line}\u2028" for line in (corpus / "b.txt").read_text().splitlines()]
    )
    for side in ("en", "de"):
        path = corpus / f"t.{side}"
        path.write_text(path.read_text().replace("hund ", "hund\u2028"), encoding="utf-8")
    words_of = "+segments.comet.{0}={1}/m.txt" if name == "segments" else "+references.{0}={1}/m.txt"
    more = [words_of.format(system, corpus) for system in "ab"]
    (corpus / "m.txt").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    assert run(*words(corpus, *more)) == 0
    plain = comparison(corpus)
    (corpus / "m.txt").write_bytes(("\ufeff" + "".join(f"{line}\r\n" for line in lines)).encode())
    assert run(*words(corpus, *more)) == 0
    assert comparison(corpus) == plain
    assert plain["sentences"] == 60


def spoil_segments(folder, text):
    write(folder / "s.txt", ["0.5"] * 6 + [text] + ["0.5"] * 53)
    return [f"+segments.comet.a={folder}/s.txt"]


BAD = {
    "short": (
        lambda folder: write(folder / "b.txt", TEXT) and [],
        "{0}/b.txt, line 5: found the end of the file after 4 translations, expected 60 lines, as the test set has; "
        "give a line for each sentence, an empty one where there is nothing.",
    ),
    "long": (
        lambda folder: write(folder / "b.txt", ["x"] * 61) and [],
        "{0}/b.txt, line 61: found more than 60 translations, expected 60 lines, as the test set has; "
        "give a line for each sentence, an empty one where there is nothing.",
    ),
    "references that end early": (
        lambda folder: [f"+references.r={write(folder / 'r.txt', TEXT)}"],
        "{0}/r.txt, line 5: found the end of the file after 4 references, expected 60 lines, as the test set has; "
        "give a line for each sentence, an empty one where there is nothing.",
    ),
    "a NaN among segments": (
        lambda folder: spoil_segments(folder, "nan"),
        "{0}/s.txt, line 7: found 'nan', expected a number; score this sentence too: all systems are compared on the "
        "same ones.",
    ),
    "no number among segments": (
        lambda folder: spoil_segments(folder, ""),
        "{0}/s.txt, line 7: found nothing, expected a number; score this sentence too: all systems are compared on the "
        "same ones.",
    ),
    "segments of nobody": (
        lambda folder: [f"+segments.comet.x={write(folder / 's.txt', ['1'] * 60)}"],
        "segments.comet.x: found no system of this name, expected one of a, b; name the system as the table does, or "
        "add its output with +outputs.NAME=FILE.",
    ),
    "a group without files": (
        lambda folder: [f"+groups.g='{folder}/none/*.txt'"],
        "groups.g: found no file that matches {0}/none/*.txt, expected at least one; check the folder.",
    ),
    "no vectors": (
        lambda folder: ["metrics.report=[wmd]"],
        "metrics.wmd.vectors: found nothing, expected a file of word vectors, without a checkpoint that carries some; "
        "name a table of the target language, or take no score that needs it into metrics.report.",
    ),
    "a search": (
        lambda folder: ["search.beam=3"],
        "search.beam: found no checkpoint, expected one: translations that are there are not searched for; add "
        "checkpoint=FILE, or leave it out.",
    ),
    "a missing file": (
        lambda folder: [f"+outputs.c={folder}/zzz.qqq"],
        "{0}/zzz.qqq: found no file, expected a text file;",
    ),
    "a folder that cannot be written": (
        lambda folder: [f"out={folder}/a.txt"],
        "{0}/a.txt: found file exists, expected a place that can be written to; choose another with out=.",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_each_mistake_is_one_sentence(corpus, capsys, case):
    make, sentence = BAD[case]
    assert run(*words(corpus, *make(corpus))) == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert told.startswith(sentence.format(corpus))


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ([], "checkpoint: found nothing, expected a file; write checkpoint=RUN/checkpoints/best.h5."),
        (
            ["+outputs=a.txt"],
            "outputs: found no name, expected +outputs.NAME=VALUE, names of letters, digits, '.', '-' and '_'; "
            "name it: the name stands in the table.",
        ),
        (
            ["+segments.comet=a.txt"],
            "segments.comet: found no name, expected +segments.METRIC.NAME=VALUE, names of letters, digits, '.', '-' "
            "and '_'; name it: the name stands in the table.",
        ),
        (["+outputs.a=[x,y]"], "outputs.a: found [x,y], expected one value; write +outputs.NAME=VALUE."),
        (["+outputs.a=x", "+outputs.a=y"], "outputs.a: found the name twice, expected a name for each; rename one of "
         "them."),
        (["+outputs.a=x", "+groups.a=y"], "outputs, groups: found a name that two systems have, expected a name for "
         "each; rename one of them."),
        (["+groups.a='{0}/*'"], "groups.a: found checkpoints beside other files, expected runs of one configuration: "
         "all checkpoints, or all their outputs; narrow the pattern."),
    ],
)  # fmt: skip
def test_each_mistake_of_the_command_line_is_one_sentence(tmp_path, line, sentence):
    for name in ("a.h5", "b.txt"):
        (tmp_path / name).touch()
    with pytest.raises(ConfigError) as caught:
        read_command([word.format(tmp_path) for word in line], EvaluateConfig)
    assert str(caught.value) == sentence


def test_the_test_set_is_needed(capsys):
    assert run("+outputs.a=x") == 2
    assert capsys.readouterr().err == (
        "data.test: found nothing, expected a PREFIX, without a checkpoint that knows its data; "
        "add data.src=en data.tgt=de data.test=PREFIX.\n"
    )


def test_names_with_and_without_a_plus_are_read():
    command = read_command(["+outputs.a.b=x y", "outputs.c-1=3", "+segments.m.a.b=z"], EvaluateConfig)
    assert command.outputs == {"a.b": "x y", "c-1": "3"}
    assert command.segments == {"m": {"a.b": "z"}}
    assert not command.decodes
    assert read_command(["checkpoint=A.h5+B.h5"], EvaluateConfig).checkpoint == ["A.h5+B.h5"]
