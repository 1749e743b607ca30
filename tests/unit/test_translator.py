"""A trained model from a program: the README's lines, what a notebook shows, and what a caller may get wrong."""

from __future__ import annotations

import contextlib
import io
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

import nmt.translator
from nmt.config.train import Device
from nmt.errors import CheckpointError, ConfigError, DataError
from nmt.translator import Demand, Result, Translator
from tests.system.app_tools import translate_py

ROOT = Path(__file__).resolve().parents[2]
TRAINED = ROOT / "tests" / "golden" / "run_v1" / "checkpoints" / "last.h5"
LINES = ["A dog runs.", "", "The cat, which sees a red ball, sleeps."]


@pytest.fixture(scope="module", autouse=True)
def _devices_stay():
    """TensorFlow takes its threads once a process, and this one has other tests to run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nmt.translator, "choose_device", lambda *asked: None)
        yield


@pytest.fixture(scope="module")
def translator():
    return Translator.open(TRAINED, "search.nbest=2")


def test_the_lines_of_the_readme_run(translator, tmp_path, monkeypatch):
    shutil.copy(TRAINED, tmp_path / "best.h5")
    monkeypatch.chdir(tmp_path)
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    assert len(code.splitlines()) <= 10
    told = io.StringIO()
    with contextlib.redirect_stdout(told):
        exec(compile(code, "README.md", "exec"), {})
    expected = translator.translate(["a man rides a bike .", "two dogs run ."])
    assert told.getvalue() == "".join(f"{one.text} {one.score} {[one.alternatives[0].text]}\n" for one in expected)


def test_it_translates_as_the_command_does(translator):
    found = translator.translate(LINES)
    assert [result.text for result in found] == translate_py(
        f"checkpoint={TRAINED}", stdin="".join(f"{line}\n" for line in LINES)
    ).out.splitlines()
    best, empty, last = found
    assert [best.source, empty.source, last.source] == LINES
    assert best.attention.shape == (len(best.pieces), len(best.source_pieces))
    assert_allclose(best.attention.sum(axis=1), 1.0, atol=1e-5)
    assert best.pieces[-1] == best.source_pieces[-1] == "</s>"
    assert len(best.alternatives) == 1
    assert best.alternatives[0].score <= best.score
    assert best.log_prob < 0.0
    assert (empty.text, empty.pieces, empty.alternatives, empty.attention.shape) == ("", [], [], (0, 0))


def test_an_ensemble_of_a_model_and_itself_writes_what_the_model_does(translator):
    twice = Translator.open([TRAINED, str(TRAINED)])
    assert [one.text for one in twice.translate(LINES)] == [one.text for one in translator.translate(LINES)]


def test_what_a_translation_must_have_is_asked_for_text_by_text(translator):
    asked = [Demand(prefix="Ein"), Demand(), Demand(must=("Hund",), never=("Katze",))]
    first, _, last = translator.translate(LINES, asked)
    assert first.text.startswith("Ein")
    assert "Hund" in last.text
    assert "Katze" not in last.text
    with pytest.raises(DataError, match=r"^demands: found 1 for 3 texts, expected one for each"):
        translator.translate(LINES, asked[:1])


def test_a_result_shows_itself():
    weight_TS = np.eye(2, dtype=np.float32)
    other = Result("a <b>", "c", -2.0, -4.0, ["c", "</s>"], ["a", "</s>"], weight_TS)
    result = Result("a <b>", "x & y", -0.5, -1.0, ["x", "</s>"], ["a", "</s>"], weight_TS, [other])
    assert str(result) == "x & y"
    assert repr(result) == "Result('a <b>' -> 'x & y', score -0.5000)"
    page = result._repr_html_()
    assert "a &lt;b&gt;<br><strong>x &amp; y</strong> (-0.5000)" in page
    assert "<ul><li>c (-2.0000)</li></ul>" in page
    assert page.count('src="data:image/png;base64,') == 1
    empty = Result("", "", 0.0, 0.0, [], [], np.zeros((0, 0), np.float32))
    assert "<img" not in empty._repr_html_()


def test_what_is_asked_wrongly_is_said_in_a_sentence(translator, tmp_path):
    with pytest.raises(DataError) as one:
        translator.translate("a dog")
    assert str(one.value) == "texts: found one text, expected a list of texts; write translate([text])."
    with pytest.raises(ConfigError, match=r"^train\.max_steps: found what the checkpoint has fixed"):
        Translator.open(TRAINED, "train.max_steps=3")
    with pytest.raises(ConfigError, match=r"^format: found no option of this name"):
        Translator.open(TRAINED, "format=json")
    with pytest.raises(CheckpointError, match=r"gone, \"x\"\.h5: found"):
        Translator.open(tmp_path / 'gone, "x".h5')


@pytest.mark.parametrize("words, refused", [((), False), (("device=auto",), False), (("threads=3",), True)])
def test_where_tensorflow_is_at_work_already_its_devices_stay(monkeypatch, words, refused):
    asked = []

    def choose(device: Device, threads: int) -> None:
        asked.append((device, threads))
        raise RuntimeError("Intra op parallelism cannot be modified after initialization.")

    monkeypatch.setattr(nmt.translator, "choose_device", choose)
    if refused:
        with pytest.raises(ConfigError, match=r"^device, threads: found another choice after TensorFlow has begun"):
            Translator.open(TRAINED, *words)
    else:
        Translator.open(TRAINED, *words)
    assert asked == [(Device.auto, 3 if refused else 0)]
