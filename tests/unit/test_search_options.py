"""Every option of the search: its line in the docs, the sentence for its misuse, and programs that would ignore it."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from nmt.app.evaluate import evaluate_checkpoints
from nmt.config.commands import EvaluateConfig, TranslateConfig, entries_of, read_command
from nmt.config.data import CaptionsConfig
from nmt.config.export import ExportConfig
from nmt.config.root import Config
from nmt.config.saved import dump, load_config
from nmt.config.score import ScoreConfig
from nmt.config.search import SearchConfig
from nmt.config.serve import ServeConfig
from nmt.errors import ConfigError, NmtError

ROOT = Path(__file__).resolve().parents[2]
KEYS = [part.name for part in fields(SearchConfig)]
LIST = "found x, expected a list [text, ...]; the default is []."
MISUSES = {
    "beam": ("0", "found 0, expected 1 <= value <= 1000; 1 is greedy, 5 is usual."),
    "normalisation": ("length", "found length, expected one of none, average, gnmt; the default is average."),
    "alpha": ("-1", "found -1.0, expected at least 0; 0.6 is usual, 0 does not normalise."),
    "coverage": ("-1", "found -1.0, expected at least 0; 0.2 is usual, 0 is off."),
    "nbest": ("6", "found 6, expected at most search.beam (5); widen the beam."),
    "max_ratio": (
        "-1",
        "found -1.0, expected 0 <= value <= 100; 0 leaves search.max_extra subwords for every sentence.",
    ),
    "max_extra": ("0", "found 0, expected 1 <= value <= 10000; short sentences need it: 10 is usual."),
    "batch_tokens": ("0", "found 0, expected at least 1; take the largest that fits into memory."),
    "max_source": ("0", "found 0, expected at least 1; say how many subwords a line may have."),
    "precision": ("float64", "found float64, expected one of float32, bfloat16, float16; did you mean float16."),
    "alone": ("65", "found 65, expected 0 <= value <= 64; 2 is quick on a CPU, 0 leaves all to TensorFlow."),
    "min_length": ("-1", "found -1, expected 0 <= value <= 10000; 0 lets a model end at once."),
    "no_repeat": ("-1", "found -1, expected 0 <= value <= 100; 3 or 4 is usual, 0 is off."),
    "diversity": ("-1", "found -1.0, expected at least 0; 0.5 spreads the translations of one sentence, 0 is off."),
    "must": ("x", LIST),
    "never": ("x", LIST),
    "replace_unknown": ("maybe", "found maybe, expected true or false; the default is false."),
    "dictionary": (
        "w.tsv",
        "found w.tsv, expected search.replace_unknown=true beside it; add search.replace_unknown=true.",
    ),
    "shortlist": ("[a]", "found [a], expected text or null; the default is null."),
    "samples": ("-1", "found -1, expected 0 <= value <= 10000; 0 searches with a beam."),
    "temperature": ("0", "found 0.0, expected more than 0; 1 draws as the model says."),
    "top_k": ("-1", "found -1, expected at least 0; 0 leaves all words in."),
    "top_p": ("0", "found 0.0, expected 0 < value <= 1; 1 leaves all words in."),
    "epsilon": ("1", "found 1.0, expected 0 <= value < 1; 0.02 is usual, 0 leaves all words in."),
    "seed": ("-1", "found -1, expected 0 <= value <= 4294967295; any whole number between them."),
    "mbr": ("rouge", "found rouge, expected one of none, bleu, chrf, wmd; the default is none."),
}


@pytest.fixture(scope="module")
def saved() -> str:
    return dump(Config(data=CaptionsConfig()))


@pytest.mark.parametrize("key", KEYS)
def test_each_misuse_has_its_sentence(saved, key):
    value, sentence = MISUSES[key]
    with pytest.raises(ConfigError) as refused:
        load_config(saved, [f"search.{key}={value}"])
    assert str(refused.value) == f"search.{key}: {sentence}"


def test_each_option_has_its_line_in_the_docs():
    told = (ROOT / "docs" / "search.md").read_text(encoding="utf-8")
    assert [key for key in KEYS if f"search.{key}" not in told] == []


FEW = "search.normalisation, search.alpha, search.coverage, search.precision, search.batch_tokens"
UNUSED = "found what changes nothing here, expected an option of this program, or one of"
SCORED = ["normalisation", "alpha", "coverage", "precision", "batch_tokens"]


@pytest.mark.parametrize("key", [key for key in KEYS if key not in SCORED])
def test_what_searches_for_nothing_takes_no_key_of_a_search(key):
    with pytest.raises(ConfigError) as refused:
        read_command(["checkpoint=a.h5", "source=a", "target=b", f"search.{key}=1"], ScoreConfig)
    assert str(refused.value) == f"search.{key}: {UNUSED} {FEW}; leave it out."


def test_what_a_score_depends_on_is_taken_and_told_of():
    values = ["gnmt", "1", "0.2", "bfloat16", "99"]
    words = [f"search.{key}={value}" for key, value in zip(SCORED, values, strict=True)]
    assert read_command(["checkpoint=a.h5", "source=a", "target=b", *words], ScoreConfig).overrides == words
    told = [entry.key for entry in entries_of(ScoreConfig) if entry.key.startswith("search.")]
    assert sorted(told) == sorted(f"search.{key}" for key in SCORED)


@pytest.mark.parametrize(
    "kind, words, sentence",
    [
        (
            ServeConfig,
            ["search.nbest=3"],
            f"search.nbest: {UNUSED} search.*; write alternatives=N, the translations beside the best.",
        ),
        (
            ExportConfig,
            ["out=x", "search.alone=1"],
            f"search.alone: {UNUSED} search.*; leave it out: the graph is TensorFlow's.",
        ),
        (
            ScoreConfig,
            ["source=a", "target=b", "search.alfa=1"],
            "search.alfa: found no option of this name, expected an option of search; did you mean search.alpha.",
        ),
    ],
)
def test_other_programs_refuse_what_they_would_ignore(kind, words, sentence):
    with pytest.raises(ConfigError) as refused:
        read_command(["checkpoint=a.h5", *words], kind)
    assert str(refused.value) == sentence


def test_several_translations_need_a_page_that_shows_them(monkeypatch):
    monkeypatch.setattr("nmt.app.evaluate.choose_device", lambda *asked: None)
    with pytest.raises(ConfigError) as refused:
        evaluate_checkpoints(read_command(["checkpoint=none.h5", "search.nbest=3"], EvaluateConfig))
    assert str(refused.value) == (
        "search.nbest: found 3, expected 1 without out=FOLDER, whose page shows the others; add out=FOLDER."
    )
    for words in (["search.nbest=1"], ["search.nbest=3", "out=x"]):
        with pytest.raises(NmtError, match=r"none\.h5"):
            evaluate_checkpoints(read_command(["checkpoint=none.h5", *words], EvaluateConfig))


def test_translating_takes_them_all():
    told = [entry.key for entry in entries_of(TranslateConfig)]
    assert {f"search.{key}" for key in KEYS} <= set(told)


def test_what_older_versions_saved_and_ignored_is_left_out(saved):
    older = saved.replace("  temperature: 1.0\n", "  temperature: 0.8\n").replace("  top_k: 0\n", "  top_k: 5\n")
    assert "temperature: 0.8" in older
    assert load_config(older) == load_config(saved)
    drawn = saved.replace("  samples: 0\n", "  samples: 4\n").replace("  diversity: 0.0\n", "  diversity: 0.5\n")
    assert load_config(drawn).search == SearchConfig(samples=4)
    with pytest.raises(ConfigError, match=r"search\.temperature"):
        load_config(saved, ["search.temperature=0.8"])
