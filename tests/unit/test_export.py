"""The exported folder: the same ids, the same cutting of text, what its card says, and what is refused."""

from __future__ import annotations

import json
import runpy
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

import nmt.export.folder
from nmt.app.models import open_checkpoint
from nmt.config.commands import read_command
from nmt.config.export import ExportConfig, with_folder
from nmt.config.model import Cell
from nmt.config.model import Decoder as DecoderKind
from nmt.config.search import SearchConfig, Utility
from nmt.config.subword import SubwordKind
from nmt.data.sentencepieces import learn_sentencepieces
from nmt.data.subwords import Subwords, Vocabularies
from nmt.data.words import ListedSubwords
from nmt.errors import ConfigError, DataError
from nmt.export.card import card
from nmt.export.folder import export, render, subword_files, texts, write_folder
from nmt.export.graph import check_search, searching
from nmt.model.seq2seq import Seq2Seq
from nmt.programs import main
from nmt.search.translate import Translator, one_line, pad
from nmt.training.state import TrainingState
from tests.unit.model_tools import assign
from tests.unit.model_twins import random_filled, tiny_config
from tests.unit.search_models import Copier, without_graphs

TRAINED = Path(__file__).resolve().parents[1] / "golden" / "run_v1" / "checkpoints" / "last.h5"
LINES = ["A dog runs.", "", "The cat, which sees a red ball, sleeps.", "Two men ride a bicycle in the park."]
BOS, EOS = 1, 2


@pytest.fixture(scope="module")
def loaded():
    return open_checkpoint(TRAINED, ("search.nbest=2",))


@pytest.fixture(scope="module")
def folder(loaded, tmp_path_factory):
    folder = tmp_path_factory.mktemp("exported")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nmt.export.folder, "choose_device", lambda *asked: None)
        words = [f"checkpoint={TRAINED}", "search.nbest=2", "licence=CC-BY-4.0", str(folder)]
        export(read_command(with_folder(words), ExportConfig))
    return folder


@pytest.fixture(scope="module")
def saved(folder):
    return tf.saved_model.load(str(folder / "model")).signatures


@pytest.fixture(scope="module")
def expected(loaded):
    """What translate.py finds, by the name of the signature."""
    searches = {"translate": loaded.config.search, "greedy": loaded.config.search.greedy()}
    with without_graphs():
        return {
            name: Translator(loaded.model, loaded.vocabularies, search).translate(LINES)
            for name, search in searches.items()
        }


def test_the_folder_is_whole_and_its_program_writes_the_same_ids(loaded, folder, saved, expected):
    names = {path.name for path in folder.iterdir()}
    assert names == {"model", "translate.py", "README.md", *subword_files(loaded.vocabularies)}
    program = runpy.run_path(str(folder / "translate.py"), run_name="alone")
    for signature, answers in expected.items():
        assert program["translate"](saved[signature], LINES) == [best.tokens for best, *_ in answers], signature


def test_the_best_several_and_the_attention_are_those_of_the_search(loaded, saved, expected):
    sources = [[*loaded.vocabularies.src.encode(line), EOS] for line in LINES if line]
    found = {name: x.numpy()[1] for name, x in saved["translate"](source=tf.constant(pad(sources))).items()}
    assert found["ids"].shape[0] == len(expected["translate"][2]) == 2
    for rank, answer in enumerate(expected["translate"][2]):
        length = found["length"][rank]
        assert found["ids"][rank, :length].tolist() == answer.tokens
        assert_allclose(found["score"][rank], answer.score, rtol=1e-5)
        assert_allclose(found["log_prob"][rank], answer.log_prob, rtol=1e-5)
        weight_TS = answer.weight_TS
        assert_allclose(found["attention"][rank, :length, : weight_TS.shape[1]], weight_TS, atol=1e-5)


def test_step_by_step_the_best_words_are_what_greedy_search_writes(loaded, saved, expected):
    source_BS = tf.constant(pad([[*loaded.vocabularies.src.encode(LINES[0]), EOS]]))
    memory = saved["encode"](source=source_BS)
    token, written = BOS, []
    while token != EOS:
        answer = saved["step"](token=tf.constant([token]), **memory)
        logits_V = answer.pop("logits").numpy()[0]
        assert_allclose(answer.pop("attention").numpy().sum(axis=1), 1.0, atol=1e-5)
        token = EOS + int(logits_V[EOS:].argmax())
        written.append(token)
        memory = {**memory, **answer}
    assert written == expected["greedy"][0][0].tokens


def test_what_is_always_demanded_is_part_of_the_graph():
    letters = ListedSubwords(SubwordKind.characters, [*"abcdefgh "])
    cfg = SearchConfig(beam=1, never=["b"], min_length=5, no_repeat=2)
    ruled = Translator(Copier(letters.size), Vocabularies(letters, letters, joint=True), cfg)
    lines = ["abc", "ac", "d"]
    found = ruled.search(tf.constant(pad([[*letters.encode(line), EOS] for line in lines])))
    ids = [
        row[0, : length[0]].tolist()
        for row, length in zip(found.tokens_BMT.numpy(), found.length_BM.numpy(), strict=True)
    ]
    assert ids == [answer[0].tokens for answer in ruled.translate(lines)]
    assert all(len(one) > 5 and letters.encode("b")[0] not in one for one in ids)


def test_a_normalised_and_deep_model_is_exported_with_its_translations(tmp_path):
    """Also where a sentence alone is searched in NumPy."""
    letters = ListedSubwords(SubwordKind.characters, [*"abcdefgh "])
    config = tiny_config(cell=Cell.lstm, decoder=DecoderKind.conditional, layer_norm=True, transition_depth=2)
    model, vocabularies = Seq2Seq(config, letters.size, letters.size, 3), Vocabularies(letters, letters, joint=True)
    weights = random_filled({name: tuple(w.shape) for name, w in model.named_weights().items()}, seed=5)
    weights["output/bias"][EOS] = -100  # each goes on as long as its source lets it
    assign(model, weights)
    cfg, lines = SearchConfig(beam=1), ["abc", "had a bag", "e"]
    module = tf.Module()
    module.model = model
    options = tf.saved_model.SaveOptions(experimental_custom_gradients=False)
    tf.saved_model.save(module, str(tmp_path), searching(Translator(model, vocabularies, cfg)), options)
    (translate,) = tf.saved_model.load(str(tmp_path)).signatures.values()
    found = translate(source=tf.constant(pad([[*letters.encode(line), EOS] for line in lines])))
    ids = [row[0, : length[0]].tolist() for row, length in zip(found["ids"].numpy(), found["length"], strict=True)]
    batch, alone = Translator(model, vocabularies, cfg), Translator(model, vocabularies, cfg, fixed=True)
    with without_graphs():
        assert ids == [answer[0].tokens for answer in batch.translate(lines)]
    assert ids == [alone.translate([line])[0][0].tokens for line in lines]
    assert len({*map(tuple, ids)}) == 3


TEXT = ["Ein Hund, der rennt.", "a▁b ￭ c ￭, (d) &quot; ...", "Zwei Männer — schlafen!", "ef\t▅ g"]
WORDS = ["Ein", "Hund", "￭,", "der", "rennt", "￭.", "(￭", "d", "￭)", "&quot;", "￭!"]


@pytest.fixture(scope="module")
def programs(tmp_path_factory):
    """For each kind of subwords the program's functions, beside the subwords themselves."""
    made = {}
    sides: dict[SubwordKind, Subwords] = {
        SubwordKind.bpe: learn_sentencepieces(SubwordKind.bpe, TEXT * 3, 60, 1, "text"),
        SubwordKind.unigram: learn_sentencepieces(SubwordKind.unigram, TEXT * 3, 44, 1, "text"),
        SubwordKind.words: ListedSubwords(SubwordKind.words, WORDS),
        SubwordKind.characters: ListedSubwords(SubwordKind.characters, sorted({*"".join(TEXT)})),
    }
    for kind, side in sides.items():
        folder = tmp_path_factory.mktemp(kind.value)
        files = subword_files(Vocabularies(side, side, joint=kind is SubwordKind.words))
        for name, content in files.items():
            (folder / name).write_bytes(content)
        text = render("translate.py.jinja", texts(kind, SearchConfig(), list(files)))
        (folder / "translate.py").write_text(text, encoding="utf-8")
        if side.kind in (SubwordKind.bpe, SubwordKind.unigram):
            assert len([line for line in text.splitlines() if line.strip()]) <= 60
        made[kind] = runpy.run_path(str(folder / "translate.py"), run_name="alone"), side
    return made


@pytest.mark.parametrize("kind", SubwordKind)
@settings(max_examples=60, deadline=None)
@given(line=st.text(st.sampled_from([*'aEinHudr .,()!&;"▁▅￭\t\ufdd0\ufdd1\ufdef']), max_size=14))
@example(line="Ein Hund, der rennt.")
@example(line='(d) &quot; ... a▁b ￭ "Hund!"')
def test_the_program_cuts_and_joins_text_as_the_model_was_trained(programs, kind, line):
    program, side = programs[kind]
    ids = program["encode"](line)
    assert ids == side.encode(line)
    assert program["read"](line) == ([*ids, EOS] if ids and line.strip() else [])
    assert program["decode"]([*ids, EOS, 0]) == side.decode(ids)
    assert " ".join(part for part in program["decode"](ids).splitlines() if part) == one_line(side.decode(ids))


def test_the_program_says_what_it_cuts_and_where_there_is_no_translation(programs, capsys):
    program, _ = programs[SubwordKind.characters]
    assert len(program["read"]("a" * 300)) == 201
    assert capsys.readouterr().err == f"cut from 300 to 200 pieces: {'a' * 60} ...\n"

    def nothing(source: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"ids": tf.zeros([1, 1, 1], tf.int32), "length": tf.zeros([1, 1], tf.int32)}

    with pytest.raises(SystemExit, match="no translation, or none that keeps to what is demanded: ab"):
        program["translate"](nothing, ["", "ab"])


def test_the_card_says_what_is_known_and_what_is_not(folder, loaded):
    text = (folder / "README.md").read_text(encoding="utf-8")
    assert text.startswith(
        '---\nlanguage: [en, de]\nlicense: "CC-BY-4.0"\ntags: [translation]\n---\n\n# last: en to de\n'
    )
    for line in (
        "- corpus: captions",
        "- train_pairs: 100",
        "- steps: 150, best at 150",
        "- GPU hours: 0.00",
        "- cost: unknown",
        "unknown: no results of a run lie beside this checkpoint. "
        "`nmt evaluate checkpoint=last.h5 data.test=PREFIX` computes them.",
        "`translate` is\na beam of 2, scores normalised: average; ",
        "Lists of words: `source.json`, `target.json`.",
    ):
        assert line in text
    assert f"- XXH3-128 of training and dev text: {loaded.bundle.corpus}\n" in text
    weights = sum(int(np.prod(x.shape)) for x in loaded.model.trainable_variables)
    assert f"{weights:,} weights" in text
    early = replace(TrainingState.from_json(loaded.bundle.state), best_step=0)  # it was not yet validated
    early_card = card(replace(loaded, bundle=replace(loaded.bundle, state=early.to_json())), None)
    assert dict(early_card["training"])["steps"] == "150"
    nobody = card(loaded, None)
    assert nobody["licence"] == "unknown: nobody named one (`licence=NAME` of `nmt export`)"
    assert nobody["licence_tag"] == '"unknown"'
    lost = card(replace(loaded, bundle=replace(loaded.bundle, state=None, versions=None, corpus=None)), None)
    facts = dict(lost["training"])
    assert {facts[name] for name in facts if name != "seed"} == {"unknown"}
    assert dict(lost["data"])["XXH3-128 of training and dev text"] == "unknown"


@pytest.mark.parametrize(
    "step, checkpoint, told", [(150, "old/last.h5", True), (75, "old/last.h5", False), (150, "best.h5", False)]
)
def test_scores_are_those_of_this_very_checkpoint(tmp_path, step, checkpoint, told):
    shutil.copytree(TRAINED.parent, tmp_path / "checkpoints")
    event = {"event": "test", "data": "test", "step": step, "epoch": 1.0, "seconds": 1.0}
    (tmp_path / "metrics.jsonl").write_text(json.dumps(event) + "\n", encoding="utf-8")
    bleu = {"score": 12.345, "signature": "nrefs:1|case:mixed", "ref_len": 9, "ci95": [11.0, 13.0]}
    result = {"checkpoint": checkpoint, "data": "captions", "sentences": 1000, "seconds": 1.0, "bleu": bleu}
    (tmp_path / "results.json").write_text(json.dumps(result), encoding="utf-8")
    scores = card(open_checkpoint(tmp_path / "checkpoints" / "last.h5"), None)["scores"]
    assert told == (
        scores == "test: captions, 1,000 sentences.\n\n- BLEU 12.35 [11.00, 13.00], `nrefs:1|case:mixed`"
    ), scores
    assert told != scores.startswith("unknown: ")


BLEU = '{"checkpoint": "last.h5", "data": "captions", "sentences": 9, "bleu": %s}'


@pytest.mark.parametrize(
    "content",
    ['{"checkpoint": "la', "[]", "{}", BLEU % "[]", BLEU % "{}", BLEU % '{"score": 1, "signature": "s", "ci95": [1]}'],
)
def test_scores_that_nobody_can_read_are_refused_before_the_model_is_written(tmp_path, loaded, content):
    event = {"event": "test", "data": "test", "step": 150, "epoch": 1.0, "seconds": 1.0}
    (tmp_path / "metrics.jsonl").write_text(json.dumps(event) + "\n", encoding="utf-8")
    (tmp_path / "results.json").write_text(content, encoding="utf-8")
    out = tmp_path / "out"
    out.mkdir()
    with pytest.raises(DataError) as refused:
        write_folder(out, replace(loaded, path=tmp_path / "checkpoints" / "last.h5"), None)
    told = str(refused.value)
    assert told.startswith(f"{tmp_path / 'results.json'}: found something else than scores ("), told
    assert told.endswith("), expected what the run wrote; score again with resume=FOLDER, or move the file away.")
    assert list(out.iterdir()) == []


@pytest.mark.parametrize(
    "changes, sentence",
    [
        ({"samples": 4}, "search.samples: found 4, expected 0: a search for the best; add search.samples=0."),
        (
            {"mbr": Utility.chrf},
            "search.mbr: found chrf, expected none: the graph answers with what its search finds best; "
            "add search.mbr=none.",
        ),
        (
            {"replace_unknown": True},
            "search.replace_unknown: found true, expected false: the graph reads ids, not the words behind them; "
            "add search.replace_unknown=false.",
        ),
    ],
)
def test_a_search_that_is_no_graph_of_ids_is_refused(changes, sentence):
    check_search(SearchConfig())
    with pytest.raises(ConfigError) as refused:
        check_search(SearchConfig(**changes))
    assert str(refused.value) == sentence


def test_a_folder_with_something_in_it_is_left_as_it_is(loaded, tmp_path):
    (tmp_path / "notes").write_text("mine", encoding="utf-8")
    with pytest.raises(ConfigError) as refused:
        write_folder(tmp_path, loaded, None)
    assert str(refused.value) == (
        f"out: found {tmp_path}, with notes in it, expected a new or an empty folder; name another one."
    )
    assert [path.name for path in tmp_path.iterdir()] == ["notes"]


def test_what_is_left_of_a_killed_export_goes_and_a_failed_one_leaves_nothing(loaded, tmp_path, monkeypatch):
    (tmp_path / ".making").mkdir()
    (tmp_path / ".making" / "half").write_text("", encoding="utf-8")

    def failing(*asked: object) -> None:
        assert list((tmp_path / ".making").iterdir()) == []
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(nmt.export.folder, "save", failing)
    with pytest.raises(OSError, match="No space left"):
        write_folder(tmp_path, loaded, None)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "words, sentence",
    [
        (["checkpoint=A.h5"], "out: found nothing, expected a folder; write nmt export checkpoint=FILE FOLDER."),
        (
            ["checkpoint=[A.h5,B.h5]", "F"],
            "checkpoint: found 2 files, expected one; average them with `nmt checkpoint average`, or export each.",
        ),
        (["F"], "checkpoint: found nothing, expected a file; write checkpoint=RUN/checkpoints/best.h5."),
        (["checkpoint=A.h5", "F", "G"], "F: found no '=', expected KEY=VALUE; --help shows examples."),
        (
            ["checkpoint=A.h5", "F", "licence=' '"],
            "licence: found no text, expected a name; leave it out where it is unknown.",
        ),
        (
            ["checkpoint=A.h5", "F", "train.max_steps=1"],
            "train.max_steps: found what the checkpoint has fixed, expected an option of this program, or one of "
            "search.*; leave it out.",
        ),
    ],
)
def test_a_mistaken_command_line_is_answered_in_a_sentence(words, sentence, capsys):
    assert main(["export", *words]) == 2
    assert capsys.readouterr().err == f"{sentence}\n"


def test_a_folder_may_have_any_name():
    for words in (["my, [folder]"], ["out='my, [folder]'"]):
        assert read_command(with_folder(["checkpoint=A.h5", *words]), ExportConfig).out == "my, [folder]"
