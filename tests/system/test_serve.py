"""The service as a process, with clients that others wrote, under load, and to its end."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from pathlib import Path
from urllib.error import HTTPError

import pytest
import schemathesis
from deep_translator import LibreTranslator
from hypothesis import HealthCheck, given, settings
from libretranslatepy import LibreTranslateAPI
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.system.app_tools import tiny, translate_py

pytestmark = pytest.mark.long
ROOT = Path(__file__).resolve().parents[2]
LINES = [
    f"{first} {second} {third}."
    for first in ("A dog", "The cat", "Two men", "A girl")
    for second in ("runs in", "sees", "likes", "eats near")
    for third in ("the park", "a house", "the red car", "some water", "her friend")
]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    os.environ.setdefault("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
    folder = tmp_path_factory.mktemp("runs") / "run"
    tiny(folder)
    return folder / "checkpoints" / "best.h5"


class Running:
    """A service on a port of its own."""

    def __init__(self, log: Path, *words: str) -> None:
        self.log = log
        with log.open("wb") as file:
            command = [sys.executable, "-m", "nmt", "serve", "port=0", "threads=2", *words]
            self.process = subprocess.Popen(command, cwd=ROOT, stdout=file, stderr=subprocess.STDOUT)
        for _ in range(1_200):
            told = re.search(r"serving .* at (http://127\.0\.0\.1:\d+/)", log.read_text(encoding="utf-8"))
            if told or self.process.poll() is not None:
                break
            threading.Event().wait(0.1)
        assert told, log.read_text(encoding="utf-8")
        self.url = told[1]
        self.host, self.port = "127.0.0.1", int(told[1].rstrip("/").rpartition(":")[2])

    def ask(self, text: str | list[str], timeout: float = 300, **fields: object) -> str | list[str]:
        body = json.dumps({"q": text, "source": "en", "target": "de", **fields}).encode()
        request = urllib.request.Request(f"{self.url}translate", body, {"content-type": "application/json"})
        with urllib.request.urlopen(request, timeout=timeout) as answer:
            return json.loads(answer.read())["translatedText"]

    def counted(self, *names: str) -> float:
        """The sum of these of its counters."""
        with urllib.request.urlopen(f"{self.url}metrics", timeout=60) as answer:
            told = answer.read().decode()
        return sum(float(re.search(rf"^nmt_{name} (\S+)$", told, re.MULTILINE)[1]) for name in names)

    def connected(self, receive_bytes: int = 0) -> socket.socket:
        one = socket.socket()
        one.settimeout(120)
        if receive_bytes:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        one.connect((self.host, self.port))
        return one

    def resident_mb(self) -> float:
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="utf-8")
        return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024

    def end(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(300)


@pytest.fixture(scope="module")
def running(checkpoint, tmp_path_factory):
    service = Running(tmp_path_factory.mktemp("log") / "log", f"checkpoint={checkpoint}", "cache=0")
    yield service
    assert service.end() == 143
    assert "Traceback" not in service.log.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def expected(checkpoint):
    answer = translate_py(f"checkpoint={checkpoint}", stdin="".join(f"{line}\n" for line in LINES))
    return dict(zip(LINES, answer.out.splitlines(), strict=True))


def test_clients_that_others_wrote_are_served_unchanged(running, expected):
    client = LibreTranslateAPI(running.url)
    assert client.translate(LINES[0], "en", "de") == expected[LINES[0]]
    assert client.detect(LINES[0])[0]["language"] == "en"
    assert [one["code"] for one in client.languages()] == ["en", "de"]
    other = LibreTranslator(source="en", target="de", api_key="none is asked for", custom_url=running.url)
    assert other.translate(LINES[1]) == expected[LINES[1]]
    assert other.translate_batch(LINES[:3]) == [expected[line] for line in LINES[:3]]


NPM_CLIENT = "libretranslate@1.0.1"
ASK = """
const { translate } = require("libretranslate");
const [apiurl, query] = process.argv.slice(1);
translate({ apiurl, query, source: "en", target: "de" }).then((text) => console.log(text));
"""


def test_a_client_of_another_language_is_served_unchanged(running, expected, tmp_path):
    if shutil.which("npm") is None or shutil.which("node") is None:
        pytest.skip("no npm and node on this machine")
    (tmp_path / "package.json").write_text("{}", encoding="utf-8")
    command = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", NPM_CLIENT]
    try:
        installed = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120)
    except subprocess.TimeoutExpired:
        pytest.skip(f"npm does not get {NPM_CLIENT} in two minutes")
    if installed.returncode:
        pytest.skip(f"npm cannot install {NPM_CLIENT}: {installed.stderr[-200:]}")
    asked = ["node", "-e", ASK, running.url.rstrip("/"), LINES[5]]
    answer = subprocess.run(asked, cwd=tmp_path, capture_output=True, text=True, check=True, timeout=300)
    assert answer.stdout == f"{expected[LINES[5]]}\n"


CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]


@pytest.mark.parametrize("mode", GenerationMode)
def test_what_its_own_description_allows_and_what_it_does_not_is_answered_as_described(running, expected, mode):
    asked = 0
    for found in schemathesis.openapi.from_url(f"{running.url}openapi.json").get_all_operations():
        operation = found.ok()
        if mode is GenerationMode.NEGATIVE and not list(operation.body):
            continue  # nothing that could be wrong

        @settings(
            max_examples=30, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
        )
        @given(case=operation.as_strategy(generation_mode=mode))
        def ask(case):
            nonlocal asked
            asked += 1
            case.call_and_validate(checks=CHECKS)

        ask()
    assert asked > 60
    assert running.ask(LINES[6]) == expected[LINES[6]]


def test_ten_thousand_requests_get_their_own_answers_and_leave_memory_as_it_is(running, expected):
    def ask(number: int) -> int:
        """One client: so many requests over one connection; -> wrong answers."""
        connection, wrong = HTTPConnection(running.host, running.port, timeout=120), 0
        for place in range(number):
            line = LINES[place % len(LINES)]
            body = json.dumps({"q": line, "source": "en", "target": "de"})
            connection.request("POST", "/translate", body, {"content-type": "application/json"})
            wrong += json.loads(connection.getresponse().read()) != {"translatedText": expected[line]}
        connection.close()
        return wrong

    with ThreadPoolExecutor(64) as clients:
        assert sum(clients.map(ask, [16] * 64)) == 0  # 1,024 requests
        before = running.resident_mb()
        assert sum(clients.map(ask, [141] * 64)) == 0
    assert running.resident_mb() < before + 40


def post(q: str | list[str], path: str = "translate", **fields: object) -> bytes:
    """A request as it goes over the wire."""
    body = json.dumps({"q": q, "source": "en", "target": "de", **fields}).encode()
    return b"POST /%b HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (
        path.encode(),
        len(body),
        body,
    )


def answered(one: socket.socket) -> dict:
    """The next answer, byte by byte: the slowest way to read."""
    head = bytearray()
    while not head.endswith(b"\r\n\r\n"):
        head += one.recv(1)
    length, body = int(re.search(rb"content-length: (\d+)", head)[1]), bytearray()
    while len(body) < length:
        body += one.recv(1)
    assert head.startswith(b"HTTP/1.1 200 "), bytes(head)
    return json.loads(body)


def test_clients_that_leave_in_the_middle_hold_up_nobody(running, expected):
    whole = post(LINES[:40])
    left = []
    for number in range(100):
        one = running.connected()
        one.sendall(whole if number % 2 else whole[: len(whole) - 1 - 7 * number])
        left.append(one)
    for number, one in enumerate(left):
        if number % 4 == 1:  # a reset, not an end
            one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        one.close()
    assert running.ask(LINES[2]) == expected[LINES[2]]


def test_clients_that_write_or_read_byte_by_byte_hold_up_nobody_and_get_their_answers(running, expected):
    readers = [running.connected(receive_bytes=2_048) for _ in range(4)]
    for one in readers:  # answers of megabytes, which no buffer takes
        for _ in range(10):
            one.sendall(post(LINES[:40], "v1/translate", attention=True))
    stalled = running.connected()
    stalled.sendall(post(LINES[4])[:30])
    writer, request = running.connected(), post(LINES[5])
    for place in range(len(request)):
        writer.sendall(request[place : place + 1])
        if place % 40 == 0:
            assert running.ask(LINES[6]) == expected[LINES[6]]
    assert answered(writer) == {"translatedText": expected[LINES[5]]}
    for one in readers:
        for _ in range(2):
            found = answered(one)["translations"]
            assert [text["text"] for text in found] == [expected[line] for line in LINES[:40]]
    for one in (writer, stalled, *readers):
        one.close()
    assert running.ask(LINES[3]) == expected[LINES[3]]


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"{", b"\xff" * 100, b"x" * 1_000_000),
        json.dumps({"q": "\ud800", "source": "en", "target": "de"}).encode(),
        json.dumps({"q": "\n" * 50_000, "source": "en", "target": "de"}).encode(),
    ],
    ids=["nothing", "half", "bytes", "a megabyte", "surrogate", "fifty thousand empty lines"],
)
def test_what_is_no_request_is_refused_and_the_next_one_is_answered(running, expected, body):
    request = urllib.request.Request(f"{running.url}translate", body, {"content-type": "application/json"})
    with pytest.raises(HTTPError) as refused:
        urllib.request.urlopen(request, timeout=30)
    assert refused.value.code in (400, 413)
    assert set(json.loads(refused.value.read())) == {"error"}
    assert running.ask(LINES[4]) == expected[LINES[4]]


def test_empty_lines_stay_and_characters_of_any_kind_are_answered(running, expected):
    assert running.ask("\n" * 5_000) == "\n" * 5_000
    for text in ("a\0b", "\u202eA dog\u202c\u200f", "\ufdd0\ufdef\uffff \U0010ffff", "e" + "\u0301" * 300, "￭▁⁇"):
        answer = running.ask(text)
        assert isinstance(answer, str)
        assert "\n" not in answer
    assert running.ask(LINES[7]) == expected[LINES[7]]


def test_sigterm_loses_nothing_that_was_accepted_and_a_new_model_no_request(checkpoint, tmp_path, expected):
    file = tmp_path / "best.h5"
    file.write_bytes(checkpoint.read_bytes())
    service = Running(tmp_path / "log", f"checkpoint={file}", "cache=0", "watch_s=0")
    accepted: list[tuple[str, str]] = []

    def ask(line: str) -> None:
        accepted.append((line, service.ask(line)))

    with ThreadPoolExecutor(16) as clients:
        asked = [clients.submit(ask, line) for line in LINES * 2]
        (tmp_path / "new").write_bytes(checkpoint.read_bytes())
        os.replace(tmp_path / "new", file)
        service.process.send_signal(signal.SIGHUP)
        for one in asked:
            one.result()
        for _ in range(1_200):
            if "taken over anew" in service.log.read_text(encoding="utf-8"):
                break
            threading.Event().wait(0.1)
        assert "best: taken over anew" in service.log.read_text(encoding="utf-8")
        text = " ".join(LINES * 2)
        told = service.counted("waiting", "translated_total")
        last = [clients.submit(service.ask, text) for _ in range(4)]
        while service.counted("waiting", "translated_total") < told + 4 * len(LINES):
            threading.Event().wait(0.02)
        assert service.end() == 143
        whole = {one.result() for one in last}
    assert all(expected[line] == answer for line, answer in accepted)
    assert whole == {" ".join(expected[line] for line in LINES * 2)}


def test_what_cannot_be_served_is_said_in_a_sentence(checkpoint, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        command = [sys.executable, "-m", "nmt", "serve", f"checkpoint={checkpoint}", f"port={port}", "alternatives=0"]
        answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    assert answer.returncode == 2
    assert answer.stderr.splitlines()[-1] == (
        f"port: found 127.0.0.1 port {port} (Address already in use), expected an address of this machine with a free "
        "port; choose another one; port=0 takes any that is free."
    )
