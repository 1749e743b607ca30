"""Tables of the cases from figures made up by hand; nothing is timed here."""

from __future__ import annotations

import dataclasses
import json
from types import SimpleNamespace

import pytest

from benchmarks import contestants, data, flops, harness, scaling, search, start, step
from benchmarks.contestants import ProgramError


def speed(median: float) -> dict[str, float]:
    return {"median": median, "low": median, "high": median, "count": 5, "spread_pct": 4.0}


def test_step_compares_with_the_fastest_peer_and_with_the_peak_of_its_own_type():
    lengths = flops.Lengths(source=15, target=15)
    found = {
        "ours-float32": {"title": "ours, float32", "tokens_per_s": speed(3_000), "rss_mb": 1_200, "start_s": 9},
        "ours-bfloat16": {"title": "ours, bfloat16", "tokens_per_s": speed(6_000), "rss_mb": 1_200, "start_s": 9},
        "opennmt-float32": {"title": "OpenNMT-tf", "tokens_per_s": speed(2_000), "rss_mb": 1_600, "start_s": 20},
        "joeynmt-float32": {"title": "JoeyNMT", "tokens_per_s": speed(1_000), "rss_mb": 1_600, "start_s": 7},
    }
    setting, narrow = step.SETTINGS["sentences"], dataclasses.replace(flops.SMALL, readout=256)
    table = step.rows(found, setting, lengths, {"float32": 200.0, "bfloat16": 400.0}, narrow)
    assert [row[0] for row in table] == ["ours, float32", "ours, bfloat16", "OpenNMT-tf", "JoeyNMT"]
    assert [row[3] for row in table] == ["1.50", "3.00", "1.00", "0.50"]
    ours = flops.training_flop(narrow, lengths) / 1e9
    fed = dataclasses.replace(flops.SMALL, decoder=flops.Decoder.input_feeding)
    theirs = flops.training_flop(fed, lengths) / 1e9
    assert [row[4] for row in table] == [f"{cost:.4f}" for cost in (ours, ours, theirs, theirs)]
    assert table[0][6] == table[1][6] == f"{100 * ours * 3_000 / 200:.0f} %"  # twice as fast, twice the peak
    assert table[2][6] == f"{100 * theirs * 2_000 / 200:.0f} %"
    assert table[0][1:3] == ["3,000", "4 %"]


def test_a_table_without_peers_has_no_ratio():
    found = {"ours-float32": {"title": "ours", "tokens_per_s": speed(3_000), "rss_mb": 1_200, "start_s": 9}}
    row = step.rows(found, step.SETTINGS["large"], flops.Lengths(15, 15), {}, flops.LARGE)[0]
    assert (row[3], row[6]) == ("-", "-")


def test_step_compares_like_with_like():
    """With a peer in bfloat16, that is whom ours in bfloat16 is compared with."""
    found = {
        name: {"title": name, "tokens_per_s": speed(median), "rss_mb": 1_200, "start_s": 9}
        for name, median in (
            ("ours-float32", 3_000),
            ("ours-bfloat16", 6_000),
            ("ours-float16", 9_000),
            ("keras-float32", 2_000),
            ("keras-bfloat16", 4_000),
        )
    }
    table = step.rows(found, step.SETTINGS["sentences"], flops.Lengths(15, 15), {}, flops.SMALL)
    assert [row[3] for row in table] == ["1.50", "1.50", "2.25", "1.00", "1.00"]


def test_more_than_the_machine_can_do_is_refused():
    assert step.share_of("ours", 99.6, 100.0) == "100 %"
    with pytest.raises(ProgramError) as caught:
        step.share_of("ours, float32", 105.0, 100.0)
    assert str(caught.value) == (
        "ours, float32: 105 GFLOP/s is more than the machine's best product, 100 GFLOP/s, so that one of them is "
        "wrong; measure once more while nothing else is at work, with more --rounds"
    )


def test_the_limit_takes_turns_and_its_best_counts(monkeypatch):
    """Two rounds of one program and the limit, which is slower in the second."""
    told = {"limit": [{"float32": 9.0}, {"float32": 10.0, "bfloat16": 30.0}, {"float32": 8.0, "bfloat16": 31.0}]}

    class Stand:
        def __init__(self, start):
            self.start, self.ready = start, {"ready": 1.0}

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def turn(self, settle, seconds, steps):
            if self.start.name == "limit":
                return {"seconds": 1.0, "gflop_per_s": told["limit"].pop(0), "rss_mb": 1}
            return {"tokens": 50, "seconds": 2.0, "steps": 3, "rss_mb": 7}

    monkeypatch.setattr(step, "Contestant", Stand)
    asked = SimpleNamespace(warm_up=0, seconds=0, rounds=2)
    limit, ours = (contestants.Start(name, name, (), {}) for name in ("limit", "ours-float32"))
    found, top, failed = step.compare([ours], asked, limit)
    assert top == {"float32": 10.0, "bfloat16": 31.0}  # the warm-up does not count
    assert (list(found), failed) == (["ours-float32"], [])
    assert found["ours-float32"]["tokens_per_s"]["median"] == 25.0


@pytest.mark.parametrize(
    ("name", "line", "expected"),
    [
        ("ours-float32", "4\tein mann .", (4, "ein mann .")),
        ("ours-float32", "0\t", (0, "")),
        ("joeynmt", "▁ein ▁ma nn ▁.", (4, "ein mann .")),
        ("opennmt", "", (0, "")),
    ],
)
def test_pieces_are_counted_and_become_text(name, line, expected):
    assert search.count_and_text(name, line) == expected


def test_search_compares_with_the_fastest_peer():
    turns = [{"tokens": 15_000, "seconds": 5}]
    found = {
        "ours-float32": {"title": "ours", "tokens_per_s": speed(3_000), "turns": turns, "bleu": 40.125},
        "joeynmt": {"title": "JoeyNMT", "tokens_per_s": speed(500), "turns": turns, "bleu": 38.0},
    }
    assert search.rows(found)[0] == ["ours", "3,000", "4 %", "6.00", "15,000", "40.12"]


def test_search_tells_where_the_plain_search_writes_the_same():
    found = {
        "ours-float32": {"title": "ours, float32", "texts": ["ein mann", "hallo", ""]},
        "ours-float32-plain": {"title": "ours, float32, plain search", "texts": ["ein mann", "welt", ""]},
        "joeynmt": {"title": "JoeyNMT", "texts": ["", "", ""]},
    }
    assert search.agreement(found) == ["ours, float32: 2 of 3 translations are those of the plain search."]


def test_data_tells_growth_a_pair():
    small = {"tokens_per_s": speed(1_000), "waited_share": 0.001, "start_s": 5.0, "start_mb": 900, "peak_mb": 1_000}
    large = {**small, "tokens_per_s": speed(950), "start_s": 9.0, "peak_mb": 1_027}
    table = data.rows({300_000: large, 30_000: small})
    assert [row[0] for row in table] == ["30,000", "300,000"]
    assert table[0][3:] == ["1.000", "0.10 %", "5.0", "1000", "-"]
    assert table[1][3:] == ["0.950", "0.10 %", "9.0", "1027", "100"]  # 27 MB for 270,000 pairs


def test_a_block_is_written_over_and_over(tmp_path):
    data.write_lines(tmp_path / "text", 7, ["a", "b", "c"])
    assert (tmp_path / "text").read_text().split() == list("abcabca")


def test_made_up_sentences_are_the_same_each_time_and_as_long_as_real_ones():
    lines = data.block(1)
    assert lines == data.block(1)
    assert len(lines) == data.BLOCK
    lengths = [len(line.split()) for line in lines]
    assert data.LEAST_WORDS <= min(lengths) <= max(lengths) <= data.MOST_WORDS
    assert sum(lengths) / len(lengths) == pytest.approx(data.MEAN_WORDS, abs=0.2)


@pytest.mark.parametrize(
    ("text", "seen"),
    [(None, False), ("", False), ('{"event": "train"', False), ('{"event": "train", "step": 1}\n', True)],
)
def test_the_first_step_is_seen_once_its_line_is_whole(tmp_path, text, seen):
    path = tmp_path / "metrics.jsonl"
    if text is not None:
        path.write_text(text)
    assert start.has_trained(path) is seen


def test_turns_begin_with_another_one_each_round_and_who_fails_is_left_out():
    running = [SimpleNamespace(start=SimpleNamespace(name=name)) for name in "abc"]
    taken = []

    def take(contestant):
        taken.append(contestant.start.name)
        if contestant.start.name == "b" and taken.count("b") == 2:
            raise ProgramError("b is gone")

    failed = contestants.take_turns(running, 3, take)
    assert "".join(taken) == "abc" + "bca" + "ac"  # the third round: number 2 of two that are left
    assert {name: str(reason) for name, reason in failed.items()} == {"b": "b is gone"}


def test_without_anyone_there_are_no_turns():
    assert contestants.take_turns([], 3, lambda contestant: None) == {}


def test_scaling_compares_with_one_worker():
    found = {"one worker": harness.summarise([100.0]), "two workers": harness.summarise([160.0, 150.0, 170.0])}
    assert scaling.rows(found) == [["one worker", "100", "0 %", "1.00"], ["two workers", "160", "12 %", "1.60"]]


def test_the_first_line_of_a_log_does_not_count(tmp_path):
    speeds = [1.0, 40.0, 60.0]
    events = [{"event": "train", "tokens_per_second": speed} for speed in speeds] + [{"event": "validate"}]
    (tmp_path / "metrics.jsonl").write_text("".join(json.dumps(event) + "\n" for event in events))
    assert scaling.speeds(tmp_path / "metrics.jsonl") == [40.0, 60.0]
    (tmp_path / "metrics.jsonl").write_text(json.dumps(events[0]) + '\n{"event": "tra')
    assert scaling.speeds(tmp_path / "metrics.jsonl") == []
    assert scaling.speeds(tmp_path / "none.jsonl") == []
