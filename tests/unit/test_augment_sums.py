"""What is kept of what models made, how it is written, and what is said of it."""

from __future__ import annotations

import gzip
import hashlib
import json
import shutil
import sys
from pathlib import Path

import pytest

from nmt.augment.filters import likely
from nmt.augment.material import Leaks, Material, lines_file, load_material, one_epoch, write_lines
from nmt.augment.noise import Noise, tagged
from nmt.augment.parts import Made, Request, read_made, read_request, translate_parts, write_request
from nmt.augment.plan import Part, Stage, Sum, Text, Training, Translation
from nmt.augment.recipe import Direction, Recipe
from nmt.augment.sums import Summing, best_of
from nmt.augment.told import told as table_of
from nmt.config.augment import AugmentConfig, Back
from nmt.config.data import CaptionsConfig, FilesConfig
from nmt.config.root import Config
from nmt.data.corpora import Corpora
from nmt.data.text import ParallelText
from nmt.errors import ConfigError, DataError, MetricError
from nmt.tools.sameness import digests, joint_digest

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "checkpoint_v1.h5"
REAL = ParallelText("train", ["a dog runs", "a cat sits", "two men"], ["ein hund rennt", "eine katze sitzt", "zwei"])
DEV = ParallelText("dev", ["the last one"], ["der letzte"])
TEXT = Text("text", "t", {"source": "", "target": ""}, "")


def material(mono=None) -> Material:
    return Material(("en", "de"), REAL, DEV, {"test": DEV}, mono or {}, True)


class Folder:
    """An output folder whose models have been trained and have translated."""

    def __init__(self, root: Path) -> None:
        self.root, self.parts = root, []
        material().write(root / "text", TEXT.lines)

    def at(self, stage: Stage) -> Path:
        return self.root / stage.name

    def made(self, method: str, way: Direction, lines: str, answers: list[str], scores=None, names=("train",)) -> None:
        """`names`: of the models that vote, in front of their direction."""
        config = Config(data=FilesConfig(tgt="de"))
        models = tuple(
            Training(f"{name}-{way.value}", "", way, 1, number, 8 + number, TEXT, config)
            for number, name in enumerate(names, start=1)
        )
        stage = Translation(f"made-{len(self.parts)}", "", models, lines, ("search.nbest=1",))
        for model in models:
            (self.at(model) / "checkpoints").mkdir(parents=True, exist_ok=True)
            shutil.copy(GOLDEN, best_of(self.at(model)))
        answered = iter(zip(answers, scores or [None] * len(answers), strict=True))
        request = Request([], str(self.root / "text" / lines_file(lines)), [], 2, False, "cpu")
        self.at(stage).mkdir()
        translate_parts(self.at(stage), request, lambda some: [Made(*next(answered)) for _ in some])
        self.parts.append(Part(method, stage))

    def sum(self, mono=None, whole=True, **options: object) -> tuple[list[tuple[str, str]], dict]:
        """-> pairs, provenance."""
        command = AugmentConfig("out", **options)
        stage = Sum("sum", "", tuple(self.parts), whole)
        summing = Summing(material(mono), command, Recipe(("seed=3",), (), Config(seed=3)), self.root / "text", self.at)
        summing.write(stage, self.at(stage))
        sides = []
        for name in ("corpus.en", "corpus.de"):
            packed = self.at(stage) / f"{name}.gz"
            data = gzip.decompress(packed.read_bytes()) if packed.exists() else (self.at(stage) / name).read_bytes()
            sides.append(data.decode().splitlines())
        return list(zip(*sides, strict=True)), json.loads((self.at(stage) / "corpus.json").read_text())


@pytest.fixture
def folder(tmp_path):
    return Folder(tmp_path)


REAL_PAIRS = list(zip(REAL.src, REAL.tgt, strict=True))


def test_back_translations_are_tagged_and_what_is_there_already_is_left_out(folder):
    folder.made("forward", Direction.forward, "source", ["ein hund rennt", "die katze sitzt", ""])
    folder.made("back", Direction.backward, "target", ["the dog runs", "a cat sits", "zwei"])
    pairs, told = folder.sum(methods=["back", "forward"], upsample=2)
    assert pairs == [
        *REAL_PAIRS,
        *REAL_PAIRS,
        ("a cat sits", "die katze sitzt"),
        ("<BT> the dog runs", "ein hund rennt"),
    ]
    assert [(part["read"], part["kept"], part["dropped"]) for part in told["parts"]] == [
        (3, 1, {"no translation": 1, "a pair that is there already": 1}),
        (3, 1, {"equal to its other side": 1, "a pair that is there already": 1}),
    ]
    assert (told["pairs"], told["real"]) == (8, {"pairs": 3, "times": 2})


def test_provenance_names_files_models_and_options(folder):
    folder.made("back", Direction.backward, "target", ["the dog runs", "the cat", "2 men"], [-0.5, -1.5, -3.0])
    _, told = folder.sum(methods=["back"], tag="<B>", min_score=-2.0, gzip=True)
    src = "".join(f"{line}\n" for line in [*REAL.src, "<B> the dog runs", "<B> the cat"])
    assert told["files"]["corpus.en.gz"] == {"sha256": hashlib.sha256(src.encode()).hexdigest()}
    assert (told["recipe"], told["seed"], told["pairs_sha256"]) == (["seed=3"], 3, material().digest)
    part = told["parts"][0]
    of_weights = {name: digest for name, digest in digests(GOLDEN).items() if name[0] != "<"}
    assert part.pop("weights_sha256") == joint_digest(of_weights)
    assert part == {
        "method": "back",
        "direction": "backward",
        "round": 1,
        "model": 1,
        "seed": 9,
        "checkpoint": "train-backward/checkpoints/best.h5",
        "search": ["search.nbest=1"],
        "translated": "target",
        "not_translated": {"a sentence of the dev set or a test set": 0},
        "translated_sha256": hashlib.sha256("".join(f"{line}\n" for line in REAL.tgt).encode()).hexdigest(),
        "back": "beam",
        "noise": None,
        "tag": "<B>",
        "min_score": -2.0,
        "min_similarity": None,
        "vectors_sha256": None,
        "read": 3,
        "dropped": {"below min_score": 1},
        "kept": 2,
    }


def test_provenance_names_each_of_the_models_that_vote(folder):
    folder.made("forward", Direction.forward, "source", ["x y", "y z", "z"], names=("one", "two", "three"))
    _, told = folder.sum(methods=["forward"], teachers=3)
    part = told["parts"][0]
    weights = part["weights_sha256"]
    assert (part["model"], part["seed"], part["checkpoint"]) == (1, 9, "one-forward/checkpoints/best.h5")
    assert part["together_with"] == [
        {"model": number, "seed": seed, "checkpoint": f"{name}-forward/checkpoints/best.h5", "weights_sha256": weights}
        for number, seed, name in ((2, 10, "two"), (3, 11, "three"))
    ]
    assert "forward  forward 1, 2, 3 of round 1     3     3  none" in table_of(folder.root / "sum" / "corpus.json", [])


def test_an_intermediate_sum_has_neither_tag_nor_copies(folder):
    folder.made("diversify", Direction.backward, "target", ["the dog runs", "the cat", "2 men"])
    pairs, _ = folder.sum(whole=False, upsample=3, gzip=True)
    assert pairs == [*REAL_PAIRS, ("the dog runs", REAL.tgt[0]), ("the cat", REAL.tgt[1]), ("2 men", REAL.tgt[2])]


def test_noise_is_put_on_before_pairs_are_compared(folder):
    folder.made("back", Direction.backward, "target", ["a dog runs", "a cat sits", "two men"])
    pairs, told = folder.sum(methods=["back"], back=Back.noised, drop=0.0, blank=1.0, shuffle=0, tag=None)
    assert pairs[3:] == [("_ _ _".replace("_", "<BLANK>"), REAL.tgt[0]), ("<BLANK> <BLANK> <BLANK>", REAL.tgt[1]),
                         ("<BLANK> <BLANK>", REAL.tgt[2])]  # fmt: skip
    assert told["parts"][0]["noise"] == {"drop": 0.0, "blank": 1.0, "shuffle": 0, "filler": "<BLANK>"}


def test_sentences_of_dev_and_test_sets_are_left_out_wherever_they_come_from(folder):
    folder.made("diversify", Direction.forward, "source", ["Der letzte !", "x y", "y z"])
    pairs, told = folder.sum()
    assert pairs[3:] == [("a cat sits", "x y"), ("two men", "y z")]
    assert told["parts"][0]["dropped"] == {"a sentence of the dev set or a test set": 1}


def test_noise_hides_no_sentence_of_a_dev_set(folder):
    folder.made("back", Direction.backward, "target", ["the last one", "a cat sits", "two men"])
    pairs, told = folder.sum(methods=["back"], back=Back.noised, drop=0.0, blank=1.0, shuffle=0, tag=None)
    assert pairs[3:] == [("<BLANK> <BLANK> <BLANK>", REAL.tgt[1]), ("<BLANK> <BLANK>", REAL.tgt[2])]
    assert told["parts"][0]["dropped"] == {"a sentence of the dev set or a test set": 1}


def test_what_is_unlike_the_text_s_own_translation_is_left_out(folder, tmp_path):
    """Forward translations are compared in the target language; back-translations without vectors are not."""
    words = {"hund": (1, 0), "rennt": (1, 0.1), "katze": (0, 1), "sitzt": (0.1, 1), "zwei": (-1, 0)}
    table = tmp_path / "de.txt"
    table.write_text("".join(f"{word} {x} {y}\n" for word, (x, y) in words.items()))
    folder.made("diversify", Direction.forward, "source", ["hund rennt", "hund hund", "zwei zwei"])
    folder.made("diversify", Direction.backward, "target", ["the x", "the y", "the z"])
    pairs, told = folder.sum(min_similarity=0.6, vectors_tgt=str(table))
    assert pairs[3:5] == [("a dog runs", "hund rennt"), ("two men", "zwei zwei")]
    assert [part["dropped"] for part in told["parts"]] == [{"below min_similarity": 1}, {}]
    assert told["parts"][0]["vectors_sha256"] == hashlib.sha256(table.read_bytes()).hexdigest()
    table.write_text("nothing 1 0\n")
    with pytest.raises(MetricError, match="found none of the words of what was made"):
        folder.sum(min_similarity=0.6, vectors_tgt=str(table))


def test_a_line_that_ends_in_a_carriage_return_has_its_own_translation(tmp_path, monkeypatch):
    monkeypatch.setattr(sys.modules[__name__], "REAL", ParallelText("train", ["two men\r"], ["zwei\r"]))
    (tmp_path / "de.txt").write_text("zwei 1 0\nein 0 1\n")
    folder = Folder(tmp_path)
    folder.made("diversify", Direction.forward, "source", ["zwei zwei"])
    assert ("two men", "zwei zwei") in folder.sum(min_similarity=0.6, vectors_tgt=str(tmp_path / "de.txt"))[0]


def test_translations_below_the_score_and_lines_without_one_are_counted():
    made = [Made("x", -1.0), Made(" ", -0.1), Made("y", -2.5), Made("z", -2.0)]
    kept = likely("abcd", made, -2.0)
    assert (kept.lines, kept.made, kept.read) == (["a", "d"], ["x", "z"], 4)
    assert kept.dropped == {"no translation": 1, "below min_score": 1}


def test_noise_of_each_kind():
    line = "one two three four five six seven eight"
    assert Noise(0, 0, 0, "_", 1)(line) == line
    assert Noise(0, 1, 0, "_", 1)("a b") == "_ _"
    assert Noise(0.999, 0, 0, "_", 1)(line) in line.split()
    for seed in range(50):
        moved = Noise(0, 0, 3, "_", seed)(line).split()
        assert sorted(moved) == sorted(line.split())
        assert all(abs(moved.index(word) - place) <= 3 for place, word in enumerate(line.split()))
    assert len({Noise(0.1, 0.1, 3, "_", seed)(line) for seed in range(20)}) > 15
    assert Noise(0.1, 0.1, 3, "_", 1)(line) == Noise(0.1, 0.1, 3, "_", 1)(line)


def test_noise_has_the_rates_that_it_was_told():
    line = " ".join(f"w{number}" for number in range(20_000))
    left = Noise(0.1, 0.2, 0, "_", 5)(line).split()
    assert len(left) / 20_000 == pytest.approx(0.9, abs=0.01)
    assert left.count("_") / len(left) == pytest.approx(0.2, abs=0.01)


def test_a_tag_is_a_word_before_the_sentence():
    assert tagged("<BT>", "a b") == "<BT> a b"
    assert tagged(None, "a b") == "a b"


def test_near_leaks_count_where_the_text_is_not_written_by_a_grammar():
    test = ParallelText("test", ["a man rides a bike ."], ["ein mann"])
    lines = ["A man rides a bike", "a woman rides a bike .", "two dogs"]
    assert Leaks([test], near=True).places(lines, 0) == {0, 1}
    assert Leaks([test], near=False).places(lines, 0) == {0}
    assert Leaks([test], near=True).places(["ein mann ."], 1) == {0}
    assert Leaks([], near=True).places(lines, 0) == set()


def test_each_sentence_is_translated_once_and_none_of_dev_or_test():
    text = ParallelText("train", ["b", "a", "the last one", " ", "b"], ["1", "2", "3", "4", "5"])
    found = Material(("en", "de"), text, DEV, {}, {"mono_tgt": ["q", "der  letzte", "q", "p"]}, True)
    assert found.to_translate("source") == ["b", "a"]
    assert found.to_translate("mono_tgt") == ["q", "p"]
    with pytest.raises(DataError) as mistake:
        Material(("en", "de"), text, DEV, {}, {"mono_tgt": ["der letzte"]}, True).to_translate("mono_tgt")
    assert str(mistake.value) == (
        "mono_tgt: found 1 sentence, all of them of the dev set or a test set, expected sentences to translate; "
        "look at the text with nmt check."
    )


def test_the_digest_is_of_every_text():
    one = material({"mono_tgt": ["x"], "mono_src": ["x"]})
    assert one.digest == one.digest_of("source") == material().digest
    found = {
        material().digest,
        one.digest_of("mono_tgt"),
        one.digest_of("mono_src"),
        Material(("en", "fr"), REAL, DEV, {"test": DEV}, {}, True).digest,
        Material(("en", "de"), REAL, DEV, {"more": DEV}, {}, True).digest,
        Material(("en", "de"), REAL, REAL, {"test": DEV}, {}, True).digest,
    }
    assert len(found) == 6


def test_a_mixture_is_written_as_an_epoch_has_it():
    """2 : 1, so 3 cycles of 2 and 1 are an epoch: the longest corpus once, the other one and a half times."""
    many, few = ParallelText("many", list("abcde"), list("ABCDE")), ParallelText("few", list("xy"), list("XY"))
    text = one_epoch(Corpora([many, few], [4, 2], DEV, {}))
    assert ("".join(text.src), "".join(text.tgt)) == ("abcdeaxyx", "ABCDEAXYX")
    assert one_epoch(Corpora([many], [1], DEV, {})) is many


def test_a_tag_that_the_text_has_is_refused():
    command = AugmentConfig("out", methods=["back"], tag="man")
    with pytest.raises(ConfigError, match=r"tag: found man in the source text \(.* man .*\), expected a word of its"):
        load_material(command, CaptionsConfig(train_pairs=50, dev_pairs=1, test_pairs=1))
    assert not load_material(AugmentConfig("out"), CaptionsConfig(train_pairs=5, dev_pairs=1, test_pairs=1)).near


def test_parts_that_are_done_are_not_done_again(tmp_path):
    write_lines(tmp_path / "in", ["a", "b", "c", "d", "e"])
    request = Request(["a.h5", "b.h5"], str(tmp_path / "in"), ["search.beam=2"], 2, True, "cpu")
    write_request(tmp_path, request)
    asked = []

    def translate(lines):
        asked.append(list(lines))
        if lines == ["e"]:
            raise KeyboardInterrupt
        return [Made(f"{line}\t!", -0.5) for line in lines]

    with pytest.raises(KeyboardInterrupt):
        translate_parts(tmp_path, request, translate)
    assert asked == [["a", "b"], ["c", "d"], ["e"]]
    assert not (tmp_path / "made.tsv").exists()
    again = read_request(tmp_path)
    assert again == request
    translate_parts(tmp_path, again, lambda lines: [Made("", None) for _ in lines])
    assert list(read_made(tmp_path, 5)) == [*(Made(f"{line}\t!", -0.5) for line in "abcd"), Made("", None)]
    assert list((tmp_path / "parts").iterdir()) == []


@pytest.mark.parametrize(
    "content, sentence",
    [
        (
            "-1\ta\n",
            r"made.tsv: found 1 line, expected 2, one for each that was to be translated; restore the file, or ",
        ),
        ("-1\ta\nx y\n", r"made.tsv, line 2: found 'x y', expected a score, or none, and a tab; restore the file, or "),
    ],
)
def test_a_broken_translation_is_told_in_a_sentence(tmp_path, content, sentence):
    (tmp_path / "made.tsv").write_text(content)
    with pytest.raises(DataError, match=f"{sentence}choose another folder with out=FOLDER"):
        list(read_made(tmp_path, 2))


def test_a_broken_request_is_told_in_a_sentence(tmp_path):
    (tmp_path / "stage.json").write_text('{"checkpoints": 1}')
    with pytest.raises(
        DataError, match=r"stage.json: found checkpoints: 1, expected what the stage is to do; start nmt"
    ):
        read_request(tmp_path)
