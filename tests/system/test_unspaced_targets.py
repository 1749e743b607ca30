"""Into languages without spaces between words: every metric keeps the checkpoint that a person would choose.

A person takes the one with the most lines right, and of equals the one that is surer of itself.
"""

from __future__ import annotations

import gzip
import itertools
import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from unittest.mock import patch

import pytest

import nmt.app.hooks
from nmt.app.translated import translate_and_score
from nmt.checkpoint.file import read_extras
from nmt.config.train import EarlyStoppingConfig, TrainConfig
from nmt.training.state import TrainingState
from tests.system.app_tools import read_events, train_py

ENJA = Path(__file__).resolve().parents[3] / "shared" / "data" / "small_parallel_enja"
WHO = {"dog": "狗", "cat": "猫", "man": "男人", "woman": "女人", "child": "孩子"}
DOES = {"eats": "吃东西", "sleeps": "睡觉", "runs": "跑步", "reads": "看书", "sings": "唱歌"}
WHERE = {"city": "城市", "park": "公园", "garden": "花园", "house": "房子", "station": "车站"}
CHOOSERS = ("bleu", "chrf", "wmd_similarity")
TINY = ["experiment=tiny_sweep", "subword=bpe", "train.device=cpu", "train.threads=1"]
ZH = ["data.tgt=zh", "subword.size=60", "model.units=32", "train.max_steps=160", "train.validate_every=40"]
JA = ["data.tgt=ja", "subword.size=500", "train.max_steps=240", "train.validate_every=60", "train.batch_tokens=500"]
JA += ["train.learning_rate=0.005", "train.label_smoothing=0"]
WARM = ["train.warmup_steps=20"]

Pairs = list[tuple[str, str]]


def chinese() -> Pairs:
    """300 pairs of one template, five words a place."""
    sentences = [
        (f"A {who} {does} in the {where}.", f"一个{WHO[who]}在{WHERE[where]}里{DOES[does]}。")
        for who, does, where in itertools.product(WHO, DOES, WHERE)
    ]
    pairs = 3 * sentences
    random.Random(1).shuffle(pairs)
    return pairs[:300]


def japanese() -> Pairs:
    """150 short pairs of the Tanaka corpus, the spaces that its tokeniser set taken out."""
    if not ENJA.is_dir():
        pytest.skip("no ../shared/data/small_parallel_enja")
    with gzip.open(ENJA / "train.en.gz", "rt") as src, gzip.open(ENJA / "train.ja.gz", "rt", encoding="utf-8") as tgt:
        lines = zip(src, tgt, strict=True)
        short = ((en.strip(), "".join(ja.split())) for en, ja in lines if len(en.split()) <= 8)
        return list(itertools.islice(short, 150))


def write(folder: Path, language: str, pairs: Pairs) -> list[str]:
    """Training text, of which the first 40 pairs are the dev set: what is learnt shows there. -> the options."""
    for name, some in (("train", pairs), ("dev", pairs[:40])):
        for side, ending in enumerate(("en", language)):
            text = "".join(f"{pair[side]}\n" for pair in some)
            (folder / f"{name}.{ending}").write_text(text, encoding="utf-8")
    return ["data=files", f"data.train={folder}/train", f"data.dev={folder}/dev"]


@dataclass(frozen=True)
class Validation:
    """One of a run: what the log says of it, and how many lines of the dev set were right."""

    step: int
    scores: dict[str, float]
    right: int


def trained(folder: Path, words: list[str]) -> list[Validation]:
    """Train, and look at the translations of every validation."""
    right: list[int] = []
    score = translate_and_score

    def counted(*arguments):
        found = score(*arguments)
        right.append(sum(line == reference for line, reference in zip(found.lines, found.text.tgt, strict=True)))
        return found

    with patch.object(nmt.app.hooks, "translate_and_score", counted):
        answer = train_py(folder, *TINY, *WARM, *words)
    assert answer.status == 0, answer.err
    events = [event for event in read_events(folder) if event["event"] == "validate"]
    return [Validation(event["step"], event, count) for event, count in zip(events, right, strict=True)]


def by_a_person(validations: list[Validation]) -> int:
    best = max(validations, key=lambda one: (one.right, -one.scores["loss"]))
    assert best.right > 30  # of 40: it has learnt the text
    assert validations[0].right < 20  # and had not at first
    return best.step


def chosen(validations: list[Validation], metric: str) -> Iterator[int]:
    """What a run by this metric would have kept as best after each validation."""
    config, state = TrainConfig(early_stopping=EarlyStoppingConfig(metric=metric)), TrainingState()
    for one in validations:
        state = replace(state, step=one.step).after_validation(one.scores, config)
        yield state.best_step


@pytest.mark.long
@pytest.mark.parametrize("metric", CHOOSERS)
def test_chinese_by_each_metric(tmp_path, metric):
    words = [*ZH, *write(tmp_path, "zh", chinese()), f"train.early_stopping.metric={metric}"]
    validations = trained(tmp_path / "run", words)
    assert len(validations) == 4
    best = tmp_path / "run" / "checkpoints" / "best.h5"
    assert read_extras(best, only="step".__eq__) == {"step": by_a_person(validations)}


@pytest.mark.long
def test_japanese_by_each_metric(tmp_path):
    validations = trained(tmp_path / "run", [*JA, *write(tmp_path, "ja", japanese())])
    best = by_a_person(validations)
    for metric in CHOOSERS:
        assert [*chosen(validations, metric)][-1] == best, metric
    assert read_extras(tmp_path / "run" / "checkpoints" / "best.h5", only="step".__eq__) == {"step": best}
