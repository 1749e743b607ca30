"""The service's benchmark: which answers it finds fault with, and what it tells of two turns."""

from __future__ import annotations

import json

from benchmarks.serve import Load, judged, rows


def answer(text: str, status: int = 200) -> tuple[int, bytes, float]:
    return status, json.dumps({"translatedText": text}).encode(), 0.1


def test_an_answer_is_right_or_another_sentences_or_something_else_or_none():
    lines = ["a", "b", "c", "d", "e"]
    load = Load([answer("A"), answer("A"), answer("x"), answer("", 429), answer("E")], 1.0, 0.1)
    assert judged(load, ["A", "B", "C", "D", "E"]) == {"errors": 1, "swapped": 1, "different": 1}
    assert judged(Load([answer(line) for line in lines], 1.0, 0.1), lines) == {
        "errors": 0,
        "swapped": 0,
        "different": 0,
    }


def test_the_share_is_that_of_turns_beside_one_another():
    turns = {
        "translator": [
            {"seconds": 1.0, "core_s": 1.0},
            {"seconds": 4.0, "core_s": 2.0},
            {"seconds": 2.0, "core_s": 3.0},
        ],
        "service": [
            {"seconds": 2.0, "core_s": 2.0, "client_core_s": 0.1},
            {"seconds": 4.0, "core_s": 4.0, "client_core_s": 0.1},
            {"seconds": 2.5, "core_s": 6.0, "client_core_s": 0.1},
        ],
    }
    waited = [number / 1000 for number in range(101)]  # 0 to 100 ms
    translator, service = rows({"turns": turns, "waited_s": waited}, sentences=100)
    assert translator == ["translator, in one go", "50.0", "150 %", "1", "-", "20.0", "-", "-"]
    assert service == ["service", "40.0", "62 %", "0.80", "0.50 to 1.00", "40.0", "50", "100"]
