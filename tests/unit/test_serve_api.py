"""The interface in its own process: what clients may send, and what they get."""

from __future__ import annotations

import asyncio
import json
import os

import numpy as np
import pytest

from nmt.config.search import SearchConfig, Utility
from nmt.data.subwords import Vocabularies
from nmt.errors import DataError
from nmt.serve.models import ModelWork, Shelf, make_model
from nmt.serve.queue import BatchQueue
from tests.unit.search_models import Copier
from tests.unit.serve_tools import LETTERS, ask, client_of, light_opener, opener


@pytest.fixture(scope="module")
def shelf(tmp_path_factory):
    return Shelf(["letters.h5", "greek.h5"], opener)


@pytest.fixture(scope="module")
def client(shelf):
    return client_of(shelf)


def test_a_text_or_a_list_comes_back_as_it_was_sent(client):
    assert ask(client, "a dog.  It runs!\n\nyes").json() == {"translatedText": "a dog.  It runs!\n\nyes"}
    assert ask(client, ["a", "", "b. C"]).json() == {"translatedText": ["a", "", "b. C"]}
    assert ask(client, "<p>a <b>dog</b> &amp; b</p>", format="html").json() == {
        "translatedText": "<p>a <b>dog</b> &amp; b</p>"
    }
    assert ask(client, "same", target="en").json() == {"translatedText": "same"}


def test_forms_and_queries_say_the_same_as_json(client):
    fields = {"q": "a dog", "source": "en", "target": "de", "format": "text"}
    assert client.post("/translate", data=fields).json() == {"translatedText": "a dog"}
    assert client.post("/translate", params=fields).json() == {"translatedText": "a dog"}


def test_alternatives_are_as_many_as_there_are(client):
    answer = ask(client, "ab", alternatives=1).json()
    assert (answer["translatedText"], len(answer["alternatives"])) == ("ab", 1)
    assert answer["alternatives"] != ["ab"]
    several = ask(client, ["ab", ""], alternatives=9).json()
    assert [len(each) for each in several["alternatives"]] == [2, 0]


def test_a_language_is_guessed_among_those_that_are_read(client):
    found = client.post("/detect", data={"q": "αβγ δε"}).json()
    assert found[0]["language"] == "el"
    assert sum(one["confidence"] for one in found) == pytest.approx(100, abs=0.2)
    answer = client.post("/translate", json={"q": "αβγ δε", "source": "auto", "target": "en"}).json()
    assert answer["detectedLanguage"]["language"] == "el"
    assert answer["translatedText"] == "αβγ δε"


def test_what_is_there_is_listed(client):
    assert client.get("/languages").json() == [
        {"code": "en", "name": "English", "targets": ["de"]},
        {"code": "de", "name": "German", "targets": []},
        {"code": "el", "name": "Greek", "targets": ["en"]},
    ]
    settings = client.get("/frontend/settings").json()
    assert settings["language"]["source"] == {"code": "en", "name": "English"}
    assert (settings["charLimit"], settings["keyRequired"]) == (200, False)
    assert client.get("/health").json() == {"status": "ok"}
    assert [one["name"] for one in client.get("/v1/models").json()] == ["letters", "greek"]


def test_all_that_is_known_of_a_translation(client):
    asked = {"q": "ab. C", "source": "en", "target": "de", "nbest": 2, "attention": True}
    answer = client.post("/v1/translate", json=asked).json()
    assert (answer["model"], answer["version"], answer["translations"][0]["text"]) == ("letters", 1, "ab. C")
    first, second = answer["translations"][0]["sentences"]
    assert (first["source"], second["source"]) == ("ab.", "C")
    best, other = first["translations"]
    assert best["pieces"] == best["source_pieces"] == ["a", "b", ".", "</s>"]
    assert best["log_prob"] == pytest.approx(sum(best["piece_log_probs"]), abs=1e-3)
    assert other["log_prob"] == pytest.approx(sum(other["piece_log_probs"]), abs=1e-3)
    assert [row.index(1.0) for row in best["attention"]] == [0, 1, 2, 3]


def test_what_must_and_must_not_be_in_a_translation(client):
    def text(**demands):
        asked = {"q": "ab. C", "source": "en", "target": "de", **demands}
        answer = client.post("/v1/translate", json=asked)
        return answer.json()["translations"][0]["text"] if answer.status_code == 200 else answer

    assert [part[:2] for part in text(prefix="xy").split()] == ["xy", "xy"]  # of both sentences
    assert text(must=["z"]).count("z") == 2
    assert "b" not in text(never=["b"])
    refused = text(must=["b"], never=["b"])
    assert (refused.status_code, refused.json()["error"].count("b', which must occur and has what must not")) == (
        400,
        1,
    )
    assert text(must=["z" * 200]).status_code == 413
    assert text(must="z").status_code == 400
    assert text(never=["q"] * 20).endswith("C")
    assert text(must=["z"] * 21).status_code == text(never=["z"] * 21).status_code == 400


def test_a_demand_that_one_sentence_cannot_meet_does_not_touch_the_others():
    class Shouting:
        key = "shouting"

        def __call__(self, sentences):
            if "b" in sentences:
                raise DataError("line 1", found="b", expected="no b", next_step="leave it out")
            return [text.upper() for text in sentences]

    async def answers():
        queue = BatchQueue(0.05, 8, 8, 0)
        try:
            return await asyncio.gather(
                *(queue.translate([text], Shouting()) for text in ("a", "b", "c")), return_exceptions=True
            )
        finally:
            await asyncio.to_thread(queue.close)

    first, second, third = asyncio.run(answers())
    assert (first, third) == (["A"], ["C"])
    assert isinstance(second, DataError)


def test_a_choice_by_agreement_is_served(tmp_path):
    vocabularies, name = Vocabularies(LETTERS, LETTERS, joint=True), tmp_path / "a.h5"
    chosen: list[int] = []

    def likeness_of(texts):
        chosen.append(len(texts))
        return lambda reference, rows: np.array([float("b" in texts[row]) for row in rows])

    search = SearchConfig(beam=3, max_source=40, mbr=Utility.chrf)
    model = make_model("a", (name,), 1, ("en", "de"), Copier(LETTERS.size), vocabularies, search, 2, likeness_of)
    assert "b" in model.work(0)(["ab"])[0][0].text
    assert len(model.work(2)(["ab"])[0]) == 3
    assert set(chosen) == {3}


def test_a_file_is_translated_and_fetched(client):
    file = {"file": ("in.txt", "\ufeffa dog\nb".encode(), "text/plain")}
    answer = client.post("/translate_file", files=file, data={"source": "en", "target": "de"}).json()
    fetched = client.get(answer["translatedFileUrl"])
    assert fetched.text == "a dog\nb"
    assert fetched.headers["content-disposition"].startswith("attachment")
    assert client.get("/download_file/other.txt").status_code == 404
    for name, content, sentence in (
        ("in.pdf", b"a", "Invalid request: file: only .txt is translated."),
        ("in.txt", b"\xff", "Invalid request: file: it is not UTF-8."),
    ):
        refused = client.post("/translate_file", files={"file": (name, content)}, data={"source": "en", "target": "de"})
        assert (refused.status_code, refused.json()) == (400, {"error": sentence})


@pytest.mark.parametrize(
    "body, status, sentence",
    [
        ({"source": "en", "target": "de"}, 400, "Invalid request: q: Field required."),
        ({"q": 3, "source": "en", "target": "de"}, 400, "Invalid request: q: Input should be a valid string."),
        ({"q": "a", "source": "fr", "target": "de"}, 400, "There is no model from fr to de; there is el-en, en-de."),
        ({"q": "a" * 201, "source": "en", "target": "de"}, 413, "The request has 201 characters; at most 200"),
        ({"q": "Ab. " * 6, "source": "en", "target": "de"}, 413, "More than 5 sentences in one request."),
        ({"q": "a", "source": "en", "target": "de", "format": "pdf"}, 400, "Invalid request: format:"),
        ({"q": ["a", "\udc00"], "source": "en", "target": "de"}, 400, "Invalid request: q: Value error, holds half"),
    ],
)
def test_what_cannot_be_translated_is_refused_in_a_sentence(client, body, status, sentence):
    answer = client.post("/translate", content=json.dumps(body), headers={"content-type": "application/json"})
    assert answer.status_code == status
    assert answer.json()["error"].startswith(sentence)


@pytest.mark.parametrize("body", [b"{", b"[1]", b"\xff\xfe", b"[" * 100_000, b'"a"'])
def test_what_cannot_be_read_is_refused(client, body):
    answer = client.post("/translate", content=body, headers={"content-type": "application/json"})
    assert answer.status_code in (400, 413)
    assert set(answer.json()) == {"error"}


def test_hostile_text_is_text(client):
    for text in ("\0", "a\0b", "\u202eabc", "e\u0301" * 50, "🐕", " \t\u3000", "\n" * 199, "<script>alert(1)</script>"):
        answer = ask(client, text)
        assert answer.status_code == 200, text
    assert ask(client, "\n" * 199).json() == {"translatedText": "\n" * 199}
    assert client.post("/translate", content=b"x" * 100_000).status_code == 413
    assert client.get("/nothing").json() == {"error": "Not Found."}
    assert client.put("/translate").status_code == 405


def test_a_long_sentence_is_translated_in_parts(client):
    text = "abc " * 30 + "z"  # 121 pieces of 40 at a time
    assert ask(client, text).json() == {"translatedText": text}


def test_counts_are_for_prometheus(shelf):
    client = client_of(shelf)
    ask(client, "Ab. Cd.")
    ask(client, "a", target="xx")
    text = client.get("/metrics").text
    assert 'nmt_requests_total{path="/translate",status="200"} 1.0' in text
    assert 'nmt_requests_total{path="/translate",status="400"} 1.0' in text
    assert "nmt_translated_total 2.0" in text


def test_the_description_names_every_route(client):
    paths = client.get("/openapi.json").json()["paths"]
    assert set(paths) >= {"/translate", "/detect", "/languages", "/v1/translate", "/metrics", "/", "/translate_file"}
    assert "TranslateRequest" in json.dumps(paths["/translate"])


def test_the_page_asks_nobody_else(client):
    page = client.get("/")
    assert page.headers["content-security-policy"].startswith("default-src 'self'")
    assert "http://" not in page.text
    assert "https://" not in page.text


def test_a_new_checkpoint_is_taken_over_and_a_broken_one_is_not(tmp_path):
    file = tmp_path / "letters.h5"
    file.write_bytes(b"one")
    shelf = Shelf([str(file)], light_opener)
    shelf.take_over()
    assert shelf.models[0].version == 1
    (tmp_path / "new").write_bytes(b"two")
    os.replace(tmp_path / "new", file)
    shelf.take_over()
    assert shelf.models[0].version == 2
    file.write_bytes(b"broken")
    shelf.take_over()
    assert shelf.models[0].version == 2
    file.write_bytes(b"unreadable")
    shelf.take_over()
    assert shelf.models[0].version == 2
    file.unlink()
    shelf.take_over()
    assert shelf.models[0].version == 2


def test_bytes_that_no_name_has_are_answered(client):
    """A host that is none, a field's name with half a surrogate pair."""
    asked = {"q": "a dog", "source": "en", "target": "de"}
    file = {"file": ("in.txt", b"a dog", "text/plain")}
    for host in ("[", "a b", "x:y:z"):
        assert client.post("/translate", json=asked, headers={"host": host}).json() == {"translatedText": "a dog"}
        told = client.post("/translate_file", files=file, data=asked, headers={"host": host})
        assert told.status_code in (200, 400), told.text
    answer = client.post("/v1/translate", content=json.dumps({**asked, "\ud800": 1}))
    assert answer.status_code == 400
    assert answer.json()["error"].startswith("Invalid request: Input should be a valid string")


def test_what_goes_wrong_inside_is_told_without_a_word_of_it(shelf, monkeypatch):
    def failing(self, sentences):
        raise ValueError(f"/home/someone/{sentences}")

    monkeypatch.setattr(ModelWork, "__call__", failing)
    answer = ask(client_of(shelf), "a secret")
    assert answer.status_code == 500
    assert answer.json() == {"error": "The translation failed; the service's log says why."}


def test_the_page_of_the_description_names_every_route_and_field(client):
    page = client.get("/docs")
    assert page.headers["content-type"].startswith("text/html")
    for route, operations in client.get("/openapi.json").json()["paths"].items():
        for method in operations:
            assert f"{method.upper()} {route}<" in page.text
    for field in ("alternatives", "attention", "nbest", "api_key"):
        assert f"<code>{field}</code>" in page.text
    assert "http://" not in page.text
