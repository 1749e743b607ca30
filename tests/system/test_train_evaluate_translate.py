"""The main job, small: text is trained on, kept in a file, scored from it, and the file translates."""

from __future__ import annotations

import gzip
import json
import os
import re
import shutil
import signal
from typing import Any

import pytest
import sacrebleu

from nmt.app.hooks import RunHooks
from nmt.checkpoint.file import read_extras, read_parameters
from nmt.config.data import CaptionsConfig
from nmt.data.captions import write_captions
from nmt.plumbing.claims import claimed
from tests.system.app_tools import (
    TINY,
    evaluate_py,
    made_once,
    read_events,
    read_results,
    score_py,
    tiny,
    train_py,
    translate_py,
    without_times,
    write_pair,
)

RUN = ["train.schedule=constant", "train.average=0.9", "train.keep=1"]
RUN += ["model.dropout_embedding=0.2", "model.dropout_state=0.2", "model.dropout_output=0.2"]
EVENT_KEYS = {"event", "step", "epoch", "seconds"}
SCORE_KEYS = {"loss", "perplexity", "bleu", "chrf", "wmd_similarity"}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run folder, and what the run said."""
    return made_once(tmp_path_factory, "first", lambda folder: tiny(folder, *RUN))


@pytest.fixture
def alone(trained, tmp_path):
    """The best checkpoint with nothing around it."""
    return str(shutil.copy(trained[0] / "checkpoints" / "best.h5", tmp_path / "model.h5"))


def test_a_run_folder_has_what_the_contract_says(trained):
    folder, _ = trained
    assert {path.name for path in folder.iterdir()} == {
        *("config.yaml", "train.log", "metrics.jsonl", "tensorboard", "checkpoints", "results.json"),
        *("translations", "report.html", "attention.png"),
    }
    assert {path.name for path in (folder / "checkpoints").iterdir()} == {"last.h5", "best.h5", "step-12.h5"}
    assert (folder / "attention.png").read_bytes().startswith(b"\x89PNG")
    assert len(list((folder / "tensorboard").iterdir())) == 1
    for name in ("dev", "test"):
        assert (folder / "translations" / f"{name}.txt").read_text(encoding="utf-8").count("\n") == 30
    log = (folder / "train.log").read_text(encoding="utf-8")
    for told in ("device: CPU", "vocabulary: ", "model: ", "step 12, dev: perplexity"):
        assert told in log
    assert "degenerate" not in log


def test_events_have_their_keys(trained):
    events = read_events(trained[0])
    assert all(event.keys() >= EVENT_KEYS for event in events)
    assert [event["step"] for event in events if event["event"] == "train"] == [3, 6, 9, 12]
    assert [event["step"] for event in events if event["event"] == "validate"] == [6, 12]
    assert [event["step"] for event in events if event["event"] == "save"] == [6, 12]
    assert [event["event"] for event in events[-2:]] == ["end", "test"]
    wanted = {
        "train": {"loss", "learning_rate", "target_tokens", "tokens_per_second"},
        "validate": SCORE_KEYS,
        "test": SCORE_KEYS,
    }
    for event in events:
        if event["event"] in wanted:
            assert event.keys() >= wanted[event["event"]]
            assert all(isinstance(event[key], float | int) for key in wanted[event["event"]])


def test_results_have_their_layout(trained):
    results = read_results(trained[0])
    assert results.keys() == {"checkpoint", "data", "sentences", "seconds", "bleu", "chrf", "wmd", "attention"}
    assert results["attention"].keys() == {"entropy", "apart", "end_mark", "coverage", "degenerate"}
    assert results["bleu"].keys() == {"score", "signature", "ref_len", "ci95"}
    assert results["chrf"].keys() == {"score", "signature", "ci95"}
    counts = {"num_empty", "num_unknown"}
    assert results["wmd"].keys() == {"similarity", "distance", "coverage", "signature", "ci95"} | counts
    assert (results["data"], results["sentences"]) == ("test", 30)
    assert results["checkpoint"] == str(trained[0] / "checkpoints" / "best.h5")
    low, high = results["wmd"]["ci95"]
    assert 0 < low <= results["wmd"]["similarity"] <= high < 1


def test_the_end_of_a_run_is_told(trained):
    out = trained[1].out
    for told in ("BLEU", "WMD similarity", "source  ", "reference  ", "translation  ", str(trained[0] / "report.html")):
        assert told in out
    assert out.count("\nsource  ") == 3


def test_a_checkpoint_is_self_contained_and_names_its_tensorflow(trained):
    extras = read_extras(trained[0] / "checkpoints" / "best.h5")
    assert {"config", "subword_src", "subword_tgt", "state", "wmd_vectors", "tf_version"} <= extras.keys()
    assert any(name.startswith("adam_m ") for name in extras)
    assert any(name.startswith("average ") for name in extras)


def test_a_file_alone_gives_the_same_scores_to_the_last_digit(trained, alone, tmp_path):
    answer = evaluate_py(f"checkpoint={alone}", f"out={tmp_path / 'out'}")
    assert answer.status == 0, answer.err
    ours, theirs = read_results(tmp_path / "out"), read_results(trained[0])
    for metric in ("bleu", "chrf", "wmd", "attention"):
        assert ours[metric] == theirs[metric]
    assert (tmp_path / "out/translations/test.txt").read_bytes() == (trained[0] / "translations/test.txt").read_bytes()
    assert ours["wmd"]["signature"] in answer.out


def test_two_checkpoints_are_compared_in_folders_of_their_own(trained, alone, tmp_path):
    inside = trained[0] / "checkpoints" / "last.h5"
    worse = "robustness=[typos,doubled]"
    answer = evaluate_py(f"checkpoint=[{alone},{inside}]", f"out={tmp_path}", "search.beam=1", worse)
    assert answer.status == 0, answer.err
    assert "test: compared with model\n" in answer.out
    assert f"\nfirst-last: {inside}\n" in answer.out
    for told in ("difference", "p (bootstrap)", "p (randomisation)", "WMD similarity", "first-last"):
        assert told in answer.out or (tmp_path / told).is_dir()
    assert read_results(tmp_path / "model")["sentences"] == read_results(tmp_path / "first-last")["sentences"] == 30
    assert re.search(r"made worse +BLEU", answer.out)
    assert read_results(tmp_path / "model")["robustness"].keys() == {"typos", "doubled"}
    found = read_results(tmp_path, "comparison.json")
    assert [one["set"] for one in found["robustness"]] == ["plain", "typos", "doubled"]
    for one in found["robustness"]:
        assert one["scores"]["wmd"].keys() == {"model", "first-last"}
    assert [one["of"] for one in found["buckets"] if one["by"] == "unseen_words"] == ["model", "first-last"]
    assert found["files"] == {"model": [alone], "first-last": [str(inside)]}


def test_every_checkpoint_is_looked_at_before_the_first_is_scored(alone, tmp_path):
    answer = evaluate_py(f"checkpoint=[{alone},{tmp_path / 'missing.h5'}]", f"out={tmp_path / 'out'}")
    assert (answer.status, answer.out) == (2, "")
    assert f"{tmp_path / 'missing.h5'}: found no such file or directory" in answer.err
    assert not (tmp_path / "out").exists()


def test_a_folder_that_another_process_writes_is_refused(alone, tmp_path):
    with claimed(tmp_path / "out", "out=FOLDER"):
        answer = evaluate_py(f"checkpoint={alone}", f"out={tmp_path / 'out'}")
        assert (answer.status, answer.out) == (2, "")
        assert answer.err == (
            f"{tmp_path / 'out'}: found another process at work in it, expected one at a time; wait for it or stop it, "
            "or name another folder with out=FOLDER.\n"
        )
        assert [path.name for path in (tmp_path / "out").iterdir()] == [".lock"]


def test_other_test_sets_take_the_place_of_the_saved_one_or_stand_beside_it(alone, tmp_path):
    main = write_pair(tmp_path / "main", ["Two dogs run.", "A man sits."], ["Zwei Hunde rennen.", "Ein Mann sitzt."])
    more = write_pair(tmp_path / "more", ["A cat sleeps."], ["Eine Katze schläft."])
    answer = evaluate_py(
        f"checkpoint=[{alone},{alone}]",
        f"data.test={main}",
        f"+data.tests.more={more}",
        "search.beam=1",
        f"out={tmp_path}",
    )
    assert answer.status == 0, answer.err
    assert "compared with" not in answer.out, "a file named twice is one system"
    assert read_results(tmp_path)["sentences"] == 2
    assert read_results(tmp_path, "results-more.json")["sentences"] == 1
    assert (tmp_path / "translations" / "more.txt").read_text(encoding="utf-8").count("\n") == 1


def test_every_line_has_its_line(alone):
    lines = ["Two dogs run.", "", "  ", "A cat\u2028sleeps\x85 here.", "日本語 🎈 e\u0301", "\ta man", "word " * 300]
    answer = translate_py(f"checkpoint={alone}", stdin="".join(f"{line}\n" for line in lines))
    assert answer.status == 0, answer.err
    out = answer.out.split("\n")
    assert len(out) == len(lines) + 1
    assert len(answer.out.splitlines()) == len(lines)
    assert out[1] == out[2] == out[-1] == ""
    assert answer.err == "line 7: cut from 300 to 200 pieces; raise search.max_source to translate it whole\n"


def test_no_line_gives_no_line(alone):
    assert translate_py(f"checkpoint={alone}").out == ""


def test_standard_input_may_be_gzip_and_what_is_no_text_is_named(alone):
    lines = "\ufeffTwo dogs run.\nA cat sleeps.\n".encode()
    plain, packed = translate_py(f"checkpoint={alone}", stdin=lines), gzip.compress(lines)
    assert translate_py(f"checkpoint={alone}", stdin=packed).out == plain.out
    answer = translate_py(f"checkpoint={alone}", stdin=lines.decode().encode("utf-16-le"))
    assert (answer.status, answer.out) == (2, "")
    assert answer.err == (
        "standard input: found UTF-16, expected UTF-8 text, plain or gzip; "
        "make it that, such as with: iconv -f utf-16 -t utf-8 < FILE > TEXT.\n"
    )


def test_json_has_the_n_best(alone):
    answer = translate_py(f"checkpoint={alone}", "nbest=2", "format=json", stdin="Two dogs run.\n\n")
    first, empty = (json.loads(line) for line in answer.out.splitlines())
    assert len(first["translations"]) == 2
    assert first["translations"][0]["score"] >= first["translations"][1]["score"]
    assert all(0 <= place < len(first["source_pieces"]) for _, place in first["translations"][0]["alignment"])
    assert empty["translations"][0]["text"] == ""


def test_translations_keep_to_files_of_demands_and_terms(alone, tmp_path):
    (tmp_path / "in.en").write_text("a red dog runs\n\na man eats\n", encoding="utf-8")
    plain = translate_py(f"checkpoint={alone}", f"input={tmp_path / 'in.en'}").out.splitlines()
    word = plain[0].split()[0]
    (tmp_path / "demands.jsonl").write_text(
        "\n".join((json.dumps({"must": [word]}), "", json.dumps({"never": [word]}))) + "\n", encoding="utf-8"
    )
    (tmp_path / "terms.tsv").write_text(f"man\t{word} {word}\n", encoding="utf-8")
    asked = [f"checkpoint={alone}", f"input={tmp_path / 'in.en'}", "search.samples=2", "search.mbr=wmd"]
    packed = tmp_path / "out.de.gz"
    answer = translate_py(*asked, f"demands={tmp_path / 'demands.jsonl'}", f"output={packed}")
    assert (answer.status, answer.out) == (0, ""), answer.err
    first, empty, third = gzip.decompress(packed.read_bytes()).decode().splitlines()
    assert word in first.replace(".", " ").split()
    assert empty == ""
    assert word not in third
    answer = translate_py(f"checkpoint={alone}", f"input={tmp_path / 'in.en'}", f"glossary={tmp_path / 'terms.tsv'}")
    assert f"{word} {word}" in answer.out.splitlines()[2]
    assert answer.out.splitlines()[:2] == plain[:2]
    answer = translate_py(f"checkpoint={alone}", f"demands={tmp_path / 'demands.jsonl'}", stdin="a\nb\nc\nd\n")
    assert answer.status == 2
    assert answer.err.splitlines()[-1] == (
        f"{tmp_path / 'demands.jsonl'}: found 3 lines, expected one for each line to translate, and there is a line 4; "
        "add empty lines where nothing is asked."
    )


def test_given_translations_are_scored_as_the_search_scored_them(alone, tmp_path):
    lines = ["a red dog runs", "a man eats"]
    (tmp_path / "in.en").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    told = translate_py(f"checkpoint={alone}", f"input={tmp_path / 'in.en'}", "format=json").out.splitlines()
    best = [json.loads(line)["translations"][0] for line in told]
    (tmp_path / "out.de").write_text("".join(f"{one['text']}\n" for one in best), encoding="utf-8")
    asked = [f"checkpoint={alone}", f"source={tmp_path / 'in.en'}", f"target={tmp_path / 'out.de'}"]
    answer = score_py(*asked, "format=json")
    assert answer.status == 0, answer.err
    for one, line in zip(best, answer.out.splitlines(), strict=True):
        record = json.loads(line)
        if record["pieces"] == one["pieces"]:  # a text may be cut otherwise than the search wrote it
            assert record["score"] == pytest.approx(one["score"], abs=1e-4)
        assert record["log_prob"] == pytest.approx(sum(record["piece_log_probs"]), abs=1e-3)
        assert [round(sum(row), 3) for row in record["attention"]] == [1.0] * len(record["pieces"])
    plain = score_py(*asked).out.splitlines()
    assert [float(value) for value in plain] == pytest.approx(
        [json.loads(line)["score"] for line in answer.out.splitlines()], abs=1e-5
    )
    (tmp_path / "out.de").write_text("eins\n", encoding="utf-8")
    assert score_py(*asked).err.splitlines()[-1] == (
        f"{tmp_path / 'out.de'}: found 1 line, expected 2, as many as {tmp_path / 'in.en'} has; give a translation, "
        "or an empty line, for each sentence."
    )


def test_a_search_that_chooses_by_agreement_is_scored(alone, tmp_path):
    for utility in ("bleu", "chrf"):
        asked = [f"search.mbr={utility}", "search.samples=3", "search.epsilon=0.02", f"out={tmp_path / utility}"]
        answer = evaluate_py(f"checkpoint={alone}", *asked)
        assert answer.status == 0, answer.err
    one, other = (read_results(tmp_path / utility) for utility in ("bleu", "chrf"))
    assert one["sentences"] == other["sentences"] == 30


def test_a_checkpoint_with_itself_is_an_ensemble_that_says_the_same(trained, alone):
    source = write_captions(CaptionsConfig(train_pairs=300, dev_pairs=30, test_pairs=30))[2].src[0]
    answer = translate_py(f"checkpoint=[{alone},{alone}]", stdin=source)  # a last line may lack its end
    assert answer.status == 0, answer.err
    assert answer.out == (trained[0] / "translations" / "test.txt").read_text(encoding="utf-8").split("\n")[0] + "\n"


@pytest.mark.long
def test_an_ensemble_is_scored_on_what_it_translates(alone, tmp_path):
    tiny(tmp_path / "second", *RUN, "seed=2")
    other, out = tmp_path / "second" / "checkpoints" / "best.h5", tmp_path / "out"
    answer = evaluate_py(f"checkpoint={alone}+{other}", f"out={out}")
    assert answer.status == 0, answer.err
    test = write_captions(CaptionsConfig(train_pairs=300, dev_pairs=30, test_pairs=30))[2]
    source = "".join(f"{line}\n" for line in test.src)
    both, first = (translate_py(f"checkpoint={names}", stdin=source) for names in (f"[{alone},{other}]", alone))
    assert (both.status, first.status) == (0, 0), both.err + first.err
    assert both.out != first.out
    assert (out / "translations" / "test.txt").read_text(encoding="utf-8") == both.out
    bleu = sacrebleu.corpus_bleu(both.out.split("\n")[:-1], [list(test.tgt)])
    assert read_results(out)["bleu"]["score"] == pytest.approx(bleu.score, rel=1e-12, abs=1e-12)


def test_a_run_stopped_by_a_signal_and_resumed_is_the_run_that_was_not_stopped(trained, tmp_path, monkeypatch):
    whole, halves = trained[0], tmp_path / "halves"
    progress = RunHooks.progress

    def stopped(self, state, window):
        progress(self, state, window)
        if state.step == 6:
            os.kill(os.getpid(), signal.SIGTERM)

    with monkeypatch.context() as patch:
        patch.setattr(RunHooks, "progress", stopped)
        answer = train_py(halves, *TINY, *RUN)
    assert answer.status == 143
    assert f"stopped by a signal at step 6; go on with resume={halves}" in answer.err
    assert not (halves / "results.json").exists()
    state = json.loads(str(read_extras(halves / "checkpoints" / "last.h5")["state"]))
    assert state["cursor"] > 0, "the stop is meant to lie within an epoch"
    answer = train_py(None, f"resume={halves}")
    assert answer.status == 0, answer.err
    ours, theirs = (read_parameters(folder / "checkpoints" / "last.h5") for folder in (halves, whole))
    assert ours.keys() == theirs.keys()
    assert all((ours[name] == theirs[name]).all() for name in ours)
    ours, theirs = (dict[str, Any](read_extras(folder / "checkpoints" / "last.h5")) for folder in (halves, whole))
    slots = [name for name in theirs if name.startswith(("adam_m ", "adam_v ", "average "))]
    assert {name.partition(" ")[0] for name in slots} == {"adam_m", "adam_v", "average"}
    assert all((ours[name] == theirs[name]).all() for name in slots)
    assert without_times(read_events(halves)) == without_times(read_events(whole))
    for metric in ("bleu", "chrf", "wmd"):
        assert read_results(halves)[metric] == read_results(whole)[metric]
