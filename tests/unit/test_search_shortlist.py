# B batch, S source step, T target step, V target pieces, W pieces of a shortlist
"""Shortlists: what is learnt from attention, which pieces a batch gets, what a search finds, and what is refused."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose, assert_array_equal

import nmt.app.shortlist
import nmt.search.shortlist
from nmt.app.shortlist import learn_shortlist
from nmt.app.translate import open_translator
from nmt.config.commands import read_command
from nmt.config.model import Tie
from nmt.config.search import SearchConfig
from nmt.config.shortlist import ShortlistConfig
from nmt.config.subword import SubwordKind
from nmt.data.subwords import Vocabularies
from nmt.data.words import ListedSubwords
from nmt.errors import ConfigError, DataError
from nmt.programs import main
from nmt.search.alone import alone_search
from nmt.search.beam import BeamSearch
from nmt.search.demands import Demand
from nmt.search.ensembles import Ensemble
from nmt.search.greedy import GreedySearch
from nmt.search.shortlist import Counts, Shortlist, ShortlistFile, digest_of, read_shortlist, write_shortlist
from nmt.search.translate import Translator, listed
from tests.unit.model_tools import model_of
from tests.unit.model_twins import tiny_config
from tests.unit.search_models import EOS, PAD

TRAINED = Path(__file__).resolve().parents[1] / "golden" / "run_v1" / "checkpoints" / "last.h5"
LETTERS = ListedSubwords(SubwordKind.characters, list("abcd"))
BOTH = Vocabularies(LETTERS, LETTERS, joint=True)
FILE = ShortlistFile(
    digest_of(BOTH), "2 pairs", 1, by_frequency=[6, 4, 5, 7], pieces=[[], [], [], [], [5], [], [4, 7], []]
)
SOURCES = [[4, 6, 5, EOS], [7, EOS]]
SHORT = np.array([0, 1, 2, 3, 5, 7], np.int32)


def test_a_batch_gets_the_union_of_its_sentences_and_the_most_frequent(monkeypatch):
    monkeypatch.setattr(nmt.search.shortlist, "ROUNDED", 1)
    shortlist = Shortlist(FILE, "f")
    assert shortlist.of([[7, EOS]]).tolist() == [0, 1, 2, 3, 6]
    assert shortlist.of([[4, EOS]]).tolist() == [0, 1, 2, 3, 5, 6]
    assert shortlist.of([[4, EOS], [6, EOS]]).tolist() == [0, 1, 2, 3, 4, 5, 6, 7]


def test_a_list_is_filled_with_frequent_pieces_to_a_full_number(monkeypatch):
    monkeypatch.setattr(nmt.search.shortlist, "ROUNDED", 7)
    shortlist = Shortlist(FILE, "f")
    assert shortlist.of([[4, EOS]]).tolist() == [0, 1, 2, 3, 4, 5, 6]
    assert len(shortlist.of([[4, EOS], [6, EOS]])) == 8  # there are no more


def test_pieces_are_counted_by_the_attention_that_wrote_them():
    counts = Counts(8, 8)
    source_BS = np.array([[4, 5, EOS], [4, EOS, PAD]], np.int32)
    target_BT = np.array([[6, 7, EOS], [5, EOS, PAD]], np.int32)
    weight_BTS = np.zeros((2, 3, 3), np.float32)
    weight_BTS[0, :2] = [[0.9, 0.1, 0.0], [0.04, 0.96, 0.0]]
    weight_BTS[0, 2], weight_BTS[1, 0], weight_BTS[1, 1] = [0, 0, 1], [0.6, 0.4, 0], [0, 1, 0]
    counts.add(source_BS, target_BT, weight_BTS)
    content = counts.file(BOTH, pieces=1, frequent=2, learnt_from="2 pairs")
    assert content.pieces == [[], [], [5], [], [6], [7], [], []]  # 6 got 0.9 of 4, and 5 got 0.6 of it
    assert content.by_frequency == [5, 6, 7, 4]
    assert counts.file(BOTH, 2, 2, "").pieces[4] == [5, 6]  # 0.04 is no pair


def masked(model, kept):
    """The same model, which never writes other pieces."""
    bias_V = np.full(model.target_vocab, -1e9, np.float32)
    bias_V[kept] = model.output.bias_V.numpy()[kept]
    return model._with({**model.named_weights(), "output/bias": tf.Variable(bias_V, name="output/bias")}, None)


@pytest.mark.skipif(bool(tf.config.list_physical_devices("GPU")), reason="searches one by one, which GPUs do not")
@pytest.mark.parametrize("tie", Tie)
def test_what_is_found_is_what_a_model_without_the_other_pieces_writes(tie):
    model, cfg = model_of(tiny_config(tie=tie), 5, tf.float32)[0], SearchConfig(beam=3, nbest=3, max_extra=3)
    few = masked(model, SHORT)
    for source in SOURCES:
        wanted = alone_search(few, cfg)(source)
        found = alone_search(model, cfg)(source, SHORT)
        assert [one.tokens for one in found] == [one.tokens for one in wanted]
        assert_allclose([one.score for one in found], [one.score for one in wanted], atol=1e-5)
        assert {token for one in found for token in one.tokens} <= set(SHORT.tolist())
        assert found[0].score != pytest.approx(alone_search(model, cfg)(source)[0].score, abs=1e-3)


@pytest.mark.parametrize(
    "beam, members",
    [pytest.param(1, 1, id="greedy"), pytest.param(3, 2, id="beam, ensemble", marks=pytest.mark.long)],
)
def test_batches_and_ensembles_find_the_same(beam, members):
    models = [model_of(tiny_config(tie=Tie.all), seed, tf.float32)[0] for seed in range(5, 5 + members)]
    cfg = SearchConfig(beam=beam, max_extra=3)
    model, few = (
        Ensemble(several) if members > 1 else several[0] for several in (models, [masked(m, SHORT) for m in models])
    )
    kind = GreedySearch if beam == 1 else BeamSearch
    source_BS = tf.constant([[4, 6, 5, EOS], [7, EOS, PAD, PAD]])
    wanted, found = kind(few, cfg)(source_BS), kind(model, cfg)(source_BS, None, tf.constant(SHORT))
    assert_array_equal(found.tokens_BMT, wanted.tokens_BMT)
    assert_allclose(found.score_BM, wanted.score_BM, atol=1e-5)
    every = listed(kind(model, cfg)(source_BS, None, tf.range(8)), SOURCES)
    assert [one[0].tokens for one in every] == [one[0].tokens for one in listed(kind(model, cfg)(source_BS), SOURCES)]


@pytest.fixture(scope="module")
def learnt(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("shortlist")
    (folder / "a.en").write_text("A dog runs.\nThe cat sees a red ball.\n")
    (folder / "a.de").write_text("Ein Hund rennt.\nDie Katze sieht einen roten Ball.\n")
    words = [f"checkpoint={TRAINED}", f"source={folder}/a.en", f"target={folder}/a.de", f"output={folder}/list.json"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nmt.app.shortlist, "choose_device", lambda *asked: None)
        learn_shortlist(read_command([*words, "pieces=3", "frequent=2"], ShortlistConfig))
    return folder / "list.json"


def test_a_shortlist_is_learnt_and_translated_with(learnt):
    content = json.loads(learnt.read_text())
    assert content["learnt_from"] == "2 pairs"
    assert 0 < max(map(len, content["pieces"])) <= 3
    translator = open_translator([str(TRAINED)], (f"search.shortlist={learnt}", "search.alone=1"))
    assert translator.signature == f"3 a piece|2 frequent|2 pairs|{translator.signature.rpartition('|')[2]}"
    one, several = translator.translate(["A dog runs."]), translator.translate(["A dog runs."] * 2)
    assert one[0][0].tokens == several[1][0].tokens
    assert one[0][0].score == pytest.approx(several[0][0].score, abs=1e-5)


def test_a_line_with_demands_may_have_all_pieces(tmp_path, monkeypatch):
    monkeypatch.setattr(nmt.search.shortlist, "ROUNDED", 1)
    write_shortlist(tmp_path / "s.json", FILE)
    model = model_of(tiny_config(tie=Tie.all), 5, tf.float32)[0]
    translator = Translator(model, BOTH, SearchConfig(beam=2, shortlist=str(tmp_path / "s.json")), fixed=True)
    assert "b" not in translator.translate(["d"])[0][0].text
    assert "b" in translator.translate(["d"], demands=[Demand(must=("b",))])[0][0].text
    both = translator.translate(["d", "d"], demands=[Demand(must=("b",)), Demand()])
    assert "b" in both[0][0].text
    (free,), (other,) = translator.translate(["d"])[0], both[1]  # searched as if the other had none
    assert (free.tokens, free.score, free.log_prob) == (other.tokens, other.score, other.log_prob)


def test_a_file_that_lists_a_piece_over_and_over_costs_no_more_than_its_size(tmp_path):
    write_shortlist(tmp_path / "s.json", replace(FILE, pieces=[*FILE.pieces[:7], [4] * 100_000]))
    shortlist = read_shortlist(tmp_path / "s.json", BOTH)
    assert sum(piece_K.size for piece_K in shortlist.pieces_P) == 3 + 100_000
    assert 4 in shortlist.of([[7, EOS]])


def test_files_that_do_not_serve_are_refused(tmp_path):
    path = tmp_path / "s.json"
    write_shortlist(path, FILE)
    assert read_shortlist(path, BOTH).frequent.tolist() == [0, 1, 2, 3, 6]
    other = ListedSubwords(SubwordKind.characters, list("abce"))
    with pytest.raises(DataError, match="a shortlist of other vocabularies"):
        read_shortlist(path, Vocabularies(other, LETTERS, joint=False))
    for broken in ({"pieces": FILE.pieces[1:]}, {"pieces": [[8]] * 8}, {"by_frequency": [4, 5]}, {"frequent": -1}):
        write_shortlist(path, replace(FILE, **broken))
        with pytest.raises(DataError, match="lists of pieces that are not whole"):
            read_shortlist(path, BOTH)
    write_shortlist(path, replace(FILE, learnt_from="2\npairs"))
    with pytest.raises(DataError, match="no shortlist"):
        read_shortlist(path, BOTH)
    for text in ("[]", "{", json.dumps({**asdict(FILE), "frequent": "many"})):
        path.write_text(text)
        with pytest.raises(DataError, match="no shortlist"):
            read_shortlist(path, BOTH)


@pytest.mark.parametrize(
    "options", [{"samples": 2}, {"min_length": 2}, {"no_repeat": 3}, {"must": ["a"]}, {"never": ["a"]}]
)
def test_draws_and_rules_are_of_all_pieces(options):
    with pytest.raises(ConfigError, match=r"search\.shortlist: found s\.json, expected neither draws nor rules"):
        SearchConfig(shortlist="s.json", **options)


@pytest.mark.parametrize(
    "words, told",
    [
        ([], "checkpoint: found nothing"),
        (["checkpoint=a.h5", "target=b", "output=c"], "source: found nothing"),
        (["checkpoint=[a.h5,b.h5]", "source=a", "target=b", "output=c"], "checkpoint: found 2 files, expected one"),
        (["checkpoint=a.h5", "source=a", "target=b", "output=c", "pieces=0"], "pieces: found 0"),
        (["checkpoint=a.h5", "source=a", "target=b", "output=c", "frequent=-1"], "frequent: found -1"),
    ],
)
def test_mistakes_of_the_command_are_told(words, told, capsys):
    assert main(["shortlist", *words]) == 2
    assert told in capsys.readouterr().err


def test_texts_of_different_lengths_are_refused(tmp_path, monkeypatch):
    (tmp_path / "a").write_text("x\ny\n")
    (tmp_path / "b").write_text("x\n")
    monkeypatch.setattr(nmt.app.shortlist, "choose_device", lambda *asked: None)
    words = [f"checkpoint={TRAINED}", f"source={tmp_path}/a", f"target={tmp_path}/b", f"output={tmp_path}/c"]
    with pytest.raises(DataError, match="found 1 line, expected 2"):
        learn_shortlist(read_command(words, ShortlistConfig))
