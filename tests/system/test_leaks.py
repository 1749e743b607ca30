"""Sentences of the test set in the training text, from the start of a run to the scores without them."""

from __future__ import annotations

import pytest

from nmt.checkpoint.bundle import opened
from nmt.config.data import CaptionsConfig
from nmt.data.captions import write_captions
from tests.system.app_tools import TINY, evaluate_py, read_results, train_py, write_pair

SHORT = ["train.max_steps=4", "train.validate_every=2", "train.save_every=4", "metrics.bootstrap=0", "search.beam=1"]


@pytest.mark.long
def test_scores_without_them_are_in_the_results_of_the_run_and_of_its_checkpoint(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    train, dev, _ = write_captions(CaptionsConfig(train_pairs=120, dev_pairs=30, test_pairs=1))
    test = write_pair(tmp_path / "test", [*train.src[:3], *dev.src[15:]], [*train.tgt[:3], *dev.tgt[15:]])
    words = [f"data.train={write_pair(tmp_path / 'train', list(train.src), list(train.tgt))}", f"data.test={test}"]
    words.append(f"data.dev={write_pair(tmp_path / 'dev', list(dev.src[:15]), list(dev.tgt[:15]))}")
    folder, best = tmp_path / "run", tmp_path / "run" / "checkpoints" / "best.h5"
    answer = train_py(folder, *TINY[3:], *SHORT, "data=files", *words)
    assert answer.status == 0, answer.err
    with opened(best) as checkpoint:
        leaks = checkpoint.bundle.leaks
    assert leaks is not None
    assert set(leaks) == {"dev", "test"}
    assert leaks["test"][:3] == [0, 1, 2]
    found = read_results(folder)
    assert found["leaked"]["sentences"] == len(leaks["test"]) < 18
    assert set(found["leaked"]["without"]) == {"bleu", "chrf", "wmd"}
    assert f"leaked sentences: {len(leaks['dev'])} of dev, {len(leaks['test'])} of test; " in (
        folder / "train.log"
    ).read_text(encoding="utf-8")
    answer = evaluate_py(f"checkpoint={best}", f"out={tmp_path / 'out'}")
    assert answer.status == 0, answer.err
    assert read_results(tmp_path / "out")["leaked"] == found["leaked"]
    assert "sentences stand in the training text; without them BLEU" in answer.out
