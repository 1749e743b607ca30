"""Every option of the service: what each value does, and the sentence for one that cannot be."""

from __future__ import annotations

import hmac
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import tensorflow as tf

from nmt.config.commands import read_command
from nmt.config.serve import ServeConfig
from nmt.errors import CheckpointError, ConfigError
from nmt.programs import main
from nmt.serve.models import Shelf, checkpoint_opener
from nmt.serve.server import bound, read_keys, share_cores
from nmt.training.device import Chosen
from tests.unit.serve_tools import ask, client_of, light_opener, opener

TRAINED = Path(__file__).resolve().parents[1] / "golden" / "run_v1" / "checkpoints" / "last.h5"


@pytest.fixture(scope="module")
def shelf():
    return Shelf(["letters.h5"], opener)


def test_the_command_line_takes_its_keys_and_those_of_the_search():
    config = read_command(["checkpoint=a.h5", "port=0", "search.beam=1"], ServeConfig)
    assert (config.port, config.overrides) == (0, ["search.beam=1"])


MISUSES = [
    ("", "checkpoint: found nothing, expected a file; write checkpoint=RUN/checkpoints/best.h5."),
    ("port=70000", "port: found 70000, expected 0 <= value <= 65535; 5000 is LibreTranslate's."),
    ("port=-1", "port: found -1, expected 0 <= value <= 65535; 5000 is LibreTranslate's."),
    ("max_characters=0", "max_characters: found 0, expected at least 1; longer ones are answered with 413."),
    ("max_sentences=0", "max_sentences: found 0, expected at least 1; more are answered with 413."),
    ("queue=0", "queue: found 0, expected at least 1; more are answered with 429."),
    ("batch=0", "batch: found 0, expected at least 1; 128 keeps two cores busy."),
    ("at_once=0", "at_once: found 0, expected 1 <= value <= 64; 2 is quick."),
    ("wait_ms=-1", "wait_ms: found -1, expected 0 <= value <= 60000; 0 waits for nobody."),
    ("cache=-1", "cache: found -1, expected at least 0; 0 remembers none."),
    ("alternatives=-1", "alternatives: found -1, expected at least 0; 0 gives none."),
    ("watch_s=-1", "watch_s: found -1.0, expected 0 <= value <= 86400; 2 is quick."),
    ("watch_s=inf", "watch_s: found inf, expected 0 <= value <= 86400; 2 is quick."),
    ("host=", "host: found nothing, expected an address; leave it out to serve this machine alone."),
    ("threads=-1", "threads: found -1, expected at least 0; 0 takes all cores."),
    ("device=tpu", "device: found tpu, expected one of auto, cpu, gpu"),
    ("keyz=a", "keyz: found no option of this name, expected an option or a group of options; did you mean keys."),
    ("search.nbest=3", "search.nbest: found what changes nothing here, expected an option of this program, or one of "),
    ("train.max_steps=3", "train.max_steps: found what the checkpoint has fixed, expected an option of this program"),
]


def test_without_its_packages_the_service_says_how_to_install_them(monkeypatch, capsys):
    monkeypatch.setattr("nmt.serve.command.find_spec", lambda name: None)
    assert main(["serve", "checkpoint=A.h5"]) == 2
    assert capsys.readouterr().err == (
        "nmt serve: found no package starlette, expected the extra packages of the service; install them: "
        "uv sync --extra serve, or pip install '.[serve]' in the project's folder.\n"
    )


@pytest.mark.parametrize("word, sentence", MISUSES, ids=[word or "nothing" for word, _ in MISUSES])
def test_a_mistaken_command_line_is_answered_in_a_sentence(word, sentence, capsys):
    assert main(["serve", *(["checkpoint=A.h5", word] if word else [])]) == 2
    told = capsys.readouterr().err
    assert told.startswith(sentence)
    assert told.count("\n") == 1


def test_a_model_is_opened_as_the_search_says_and_not_where_it_cannot(tmp_path):
    model = checkpoint_opener(("search.beam=2",), 3)("model", (TRAINED,), 1)
    assert (model.best.cfg.nbest, model.several.cfg.nbest) == (1, 2)  # no more than the beam is wide
    with pytest.raises(CheckpointError, match="missing"):
        checkpoint_opener((), 3)("model", (tmp_path / "missing.h5",), 1)


def test_two_threads_find_what_one_finds():
    """With the same model, batches of other sizes and lengths beside one another."""
    best = checkpoint_opener(("search.beam=2",), 0)("model", (TRAINED,), 1).best
    batches = [["a man " * (1 + place % 4) for place in range(first, first + size)] for first, size in ((0, 9), (1, 5))]
    alone = [best.translate(batch) for batch in batches]
    with ThreadPoolExecutor(2) as threads:
        for _ in range(5):
            for found, expected in zip(threads.map(best.translate, batches), alone, strict=True):
                assert [one.tokens for (one,) in found] == [one.tokens for (one,) in expected]
                assert [one.score for (one,) in found] == [one.score for (one,) in expected]


@pytest.mark.parametrize(
    "kind, threads, asked, at_once, shared",
    [
        ("cpu", 2, 1, 1, None),  # all cores for one: as they were chosen
        ("cpu", 2, 2, 2, 1),
        ("cpu", 1, 2, 1, None),
        ("cpu", 16, 2, 2, 14),
        ("cpu", 4, 64, 4, 1),
        ("gpu", 16, 2, 1, None),
    ],
)
def test_batches_at_once_share_the_cores(kind, threads, asked, at_once, shared, monkeypatch):
    told: list[int] = []
    monkeypatch.setattr(tf.config.threading, "set_intra_op_parallelism_threads", told.append)
    assert share_cores(Chosen(kind, "a device"), threads, asked) == at_once
    assert told == ([] if shared is None else [shared])


def test_it_listens_where_it_is_told():
    with bound("127.0.0.1", 0) as here:
        port = here.getsockname()[1]
        with pytest.raises(ConfigError) as taken:
            bound("127.0.0.1", port)
    assert str(taken.value) == (
        f"port: found 127.0.0.1 port {port} (Address already in use), expected an address of this machine with a free "
        "port; choose another one; port=0 takes any that is free."
    )
    with bound("0.0.0.0", 0) as everywhere:
        assert everywhere.getsockname()[0] == "0.0.0.0"
    for host, reason in (("192.0.2.1", "Cannot assign requested address"), ("ä" * 70, "no name")):
        with pytest.raises(ConfigError, match=rf"host: found {host} port 0 \({reason}\), expected an address of this"):
            bound(host, 0)


def test_an_address_of_the_newer_kind_is_taken():
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no IPv6")
    with bound("::1", 0) as newer:
        assert newer.family == socket.AF_INET6


def test_limits_are_those_that_were_asked_for(shelf):
    wide = client_of(shelf, max_characters=60_000, max_sentences=6)
    assert ask(wide, "\n" * 50_000).json() == {"translatedText": "\n" * 50_000}
    assert ask(wide, "\n" * 60_001).json() == {
        "error": "The request has 60001 characters; at most 60000 are taken at once."
    }
    assert ask(wide, "Ab. " * 6).json() == {"translatedText": "Ab. " * 6}
    for texts in ("Ab. " * 7, ["Ab. " * 4] * 2):
        refused = ask(wide, texts)
        assert (refused.status_code, refused.json()) == (413, {"error": "More than 6 sentences in one request."})


def test_a_full_queue_says_when_to_come_again(shelf):
    assert ask(client_of(shelf, queue=2), "Ab. Cd.").status_code == 200
    answer = ask(client_of(shelf, queue=1), "Ab. Cd.")
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) >= 1


def test_alternatives_are_given_up_to_a_number(shelf):
    for most, given in ((0, 0), (1, 1), (2, 2)):
        assert len(ask(client_of(shelf, alternatives=most), "ab", alternatives=9).json()["alternatives"]) == given


@pytest.mark.parametrize("cache, translated", [(0, 2), (1, 1)])
def test_recent_sentences_are_remembered_where_they_may(shelf, cache, translated):
    client = client_of(shelf, cache=cache)
    for _ in range(2):
        ask(client, "ab")
    assert f"nmt_translated_total {translated}.0" in client.get("/metrics").text


def test_keys_are_asked_for(shelf, tmp_path):
    (tmp_path / "keys").write_text("one\n\nzwei\u00fc\n", encoding="utf-8")
    closed = client_of(shelf, read_keys(tmp_path / "keys"))
    assert ask(closed, "a").json() == {"error": "Invalid API key."}
    assert ask(closed, "a", api_key="on").status_code == 403
    for key in ("one", "zwei\u00fc"):
        assert ask(closed, "a", api_key=key).json() == {"translatedText": "a"}
    assert closed.get("/frontend/settings").json()["keyRequired"] is True
    (tmp_path / "empty").write_text("\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=f"keys: found no key in {tmp_path / 'empty'}, expected a key a line"):
        read_keys(tmp_path / "empty")


def test_a_key_is_compared_with_all_of_them_in_constant_time(shelf, monkeypatch):
    compared = []
    real = hmac.compare_digest
    monkeypatch.setattr(hmac, "compare_digest", lambda one, other: compared.append((one, other)) or real(one, other))
    closed = client_of(shelf, [b"first", b"second"])
    assert ask(closed, "a", api_key="first").status_code == 200
    assert compared == [(b"first", b"first"), (b"second", b"first")]


@pytest.mark.parametrize("every_s", [0.0, 0.01])
def test_a_change_is_seen_by_the_watch(tmp_path, every_s):
    file = tmp_path / "letters.h5"
    file.write_bytes(b"one")
    shelf = Shelf([str(file)], light_opener)
    watch = shelf.watch(every_s)
    file.write_bytes(b"another")
    if not every_s:
        shelf.look_now()
    for _ in range(600):
        if shelf.models[0].version > 1:
            break
        watch.join(0.05)
    shelf.close()
    watch.join(60)
    assert (shelf.models[0].version > 1, watch.is_alive()) == (True, False)
