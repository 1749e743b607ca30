"""The exported folder in a process that has none of our code: a thousand sentences, the same ids."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from nmt.app.models import open_checkpoint
from nmt.config.data import CaptionsConfig
from nmt.data.captions import write_captions
from nmt.search.translate import Translator
from tests.system.app_tools import export_py, read_results, tiny, translate_py

pytestmark = pytest.mark.long
ALONE = """\
import sys

sys.modules["nmt"] = None  # -I leaves the current folder out; this an installed nmt too
import json, runpy
import tensorflow as tf

folder, lines = sys.argv[1], sys.stdin.read().removesuffix("\\n").split("\\n")
program = runpy.run_path(f"{folder}/translate.py", run_name="alone")
signatures = tf.saved_model.load(f"{folder}/model").signatures
ids = {name: program["translate"](signatures[name], lines) for name in ("translate", "greedy")}
print(json.dumps({"ids": ids, "ours": [name for name in sys.modules if name.startswith("nmt.")]}))
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "run"
    tiny(folder, "train.max_steps=40", "train.validate_every=20", "train.save_every=20", "search.beam=4")
    return folder


@pytest.fixture(scope="module")
def exported(run, tmp_path_factory):
    folder = tmp_path_factory.mktemp("exported") / "en-de"
    answer = export_py(f"checkpoint={run / 'checkpoints' / 'best.h5'}", str(folder))
    assert (answer.status, answer.err) == (0, "")
    assert answer.out.startswith(f"exported to {folder}: model, ")
    return folder


def test_a_thousand_sentences_have_the_same_ids_in_a_process_without_our_code(run, exported, tmp_path):
    lines = write_captions(CaptionsConfig(train_pairs=998, dev_pairs=1, test_pairs=1, grammar_seed=7))[0].src
    lines = [*lines, "", "Ünknown ▁ wörds\u2028here!"]
    assert len(lines) == 1_000
    text = "".join(f"{line}\n" for line in lines)
    loaded = open_checkpoint(run / "checkpoints" / "best.h5")
    command = [sys.executable, "-I", "-X", "utf8", "-c", ALONE, str(exported)]
    done = subprocess.run(
        command, cwd=tmp_path, input=text, capture_output=True, text=True, encoding="utf-8", check=True
    )
    found = json.loads(done.stdout)
    assert found["ours"] == []
    for name, search in (("translate", loaded.config.search), ("greedy", loaded.config.search.greedy())):
        expected = [one[0].tokens for one in Translator(loaded.model, loaded.vocabularies, search).translate(lines)]
        assert found["ids"][name] == expected, name
    program = [sys.executable, "-I", str(exported / "translate.py")]
    written = subprocess.run(
        program, cwd=tmp_path, input=text.encode(), capture_output=True, check=True
    ).stdout.decode()
    assert written == translate_py(f"checkpoint={run / 'checkpoints' / 'best.h5'}", "search.alone=0", stdin=text).out


def test_the_card_has_the_scores_of_the_run_with_their_signatures(run, exported):
    card = (exported / "README.md").read_text(encoding="utf-8")
    results = read_results(run)
    for name in ("bleu", "chrf", "wmd"):
        assert f"`{results[name]['signature']}`" in card
    assert f"test: {results['data']}, {results['sentences']} sentences." in card
    assert f"- BLEU {results['bleu']['score']:.2f} [" in card
    assert 'license: "unknown"' in card


def test_a_folder_that_is_taken_is_refused_and_left(run, exported):
    before = sorted(path.name for path in exported.iterdir())
    answer = export_py(f"checkpoint={run / 'checkpoints' / 'best.h5'}", f"out={exported}")
    assert answer.status == 2
    assert answer.err == (
        f"out: found {exported}, with README.md in it, expected a new or an empty folder; name another one.\n"
    )
    assert sorted(path.name for path in exported.iterdir()) == before
