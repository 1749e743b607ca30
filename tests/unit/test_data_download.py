"""Downloads against a server on this machine: whole, resumed, cut off, refused, wrong."""

import gzip
import hashlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from nmt.data.download import digest, fetch
from nmt.errors import DataError
from tests.ports import free_port

TEXT = b"".join(b"%d sentences\n" % i for i in range(20_000))
SHA256 = hashlib.sha256(TEXT).hexdigest()


@dataclass
class Server:
    """What it does, and what it was asked for."""

    url: str = ""
    content: bytes = TEXT
    ranges: bool = True  # whether it can continue
    cut: int | None = None  # bytes after which it hangs up
    asked: list[str | None] = field(default_factory=list)


@pytest.fixture
def server() -> Iterator[Server]:
    state = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = self.headers["Range"]
            state.asked.append(asked)
            if self.path != "/file":
                self.send_error(404)
                return
            start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked and state.ranges else 0
            if start >= len(state.content):
                self.send_error(416)
                return
            self.send_response(206 if start else 200)
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(state.content) - 1}/{len(state.content)}")
            self.send_header("Content-Length", str(len(state.content) - start))
            self.end_headers()
            self.wfile.write(state.content[start : state.cut])

        def log_message(self, *args: object) -> None:
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    state.url = f"http://127.0.0.1:{http.server_port}/file"
    yield state
    http.shutdown()
    thread.join()
    http.server_close()


def message(url: str, path: Path, sha256: str = SHA256) -> str:
    with pytest.raises(DataError) as caught:
        fetch(url, path, sha256)
    return str(caught.value)


def test_a_file_comes_once_and_a_bar_shows_it(server, tmp_path, capsys):
    path = tmp_path / "new" / "file"
    fetch(server.url, path, SHA256)
    assert path.read_bytes() == TEXT
    assert "file:" in capsys.readouterr().err
    fetch(server.url, path, SHA256)
    assert server.asked == [None], "what is there and right is not fetched again"
    assert [each.name for each in path.parent.iterdir()] == ["file"]


def test_the_digest_is_of_the_text_so_packing_does_not_matter(server, tmp_path):
    server.content = gzip.compress(TEXT, mtime=7)
    fetch(server.url, tmp_path / "file.gz", SHA256)
    assert digest(tmp_path / "file.gz") == SHA256


def test_a_file_that_is_there_but_wrong_is_fetched(server, tmp_path):
    (tmp_path / "file").write_bytes(b"something else")
    fetch(server.url, tmp_path / "file", SHA256)
    assert (tmp_path / "file").read_bytes() == TEXT


def test_a_download_that_was_cut_off_keeps_what_came_and_goes_on(server, tmp_path):
    server.cut = 100_000
    path = tmp_path / "file"
    assert message(server.url, path) == (
        f"{server.url}: found it was cut off after 100000 of {len(TEXT)} bytes, expected the file; try again "
        "(what has come so far is kept), or name a folder that has the corpus with data.dir."
    )
    assert not path.exists()
    server.cut = None
    fetch(server.url, path, SHA256)
    assert path.read_bytes() == TEXT
    assert server.asked == [None, "bytes=100000-"]


def test_a_server_that_cannot_go_on_sends_all_of_it_again(server, tmp_path):
    server.ranges = False
    (tmp_path / "file.part").write_bytes(TEXT[:5_000])
    fetch(server.url, tmp_path / "file", SHA256)
    assert (tmp_path / "file").read_bytes() == TEXT
    assert server.asked == ["bytes=5000-"]


def test_a_part_that_is_whole_already_is_taken(server, tmp_path):
    (tmp_path / "file.part").write_bytes(TEXT)
    fetch(server.url, tmp_path / "file", SHA256)
    assert (tmp_path / "file").read_bytes() == TEXT


@pytest.mark.parametrize("content", [b"another text\n", gzip.compress(TEXT, mtime=0)[:-9]])
def test_another_content_is_refused_and_removed(server, tmp_path, content):
    server.content = content
    found = digest_of(content)
    assert message(server.url, tmp_path / "file") == (
        f"{server.url}: found content with SHA-256 {found}, expected {SHA256}; "
        "try again; if it comes again, the file was changed at its source."
    )
    assert not list(tmp_path.iterdir())


def digest_of(content: bytes) -> str:
    return "of a broken gzip file" if content[:2] == b"\x1f\x8b" else hashlib.sha256(content).hexdigest()


def test_a_part_of_something_else_is_refused_and_removed_so_that_the_next_try_works(server, tmp_path):
    (tmp_path / "file.part").write_bytes(b"x" * 5_000)
    assert "found content with SHA-256" in message(server.url, tmp_path / "file")
    fetch(server.url, tmp_path / "file", SHA256)
    assert (tmp_path / "file").read_bytes() == TEXT


def test_a_file_that_the_server_does_not_have(server, tmp_path):
    assert message(server.url + "s", tmp_path / "file").startswith(f"{server.url}s: found HTTP 404 Not Found, expected")


def test_a_server_that_is_not_there(tmp_path):
    nowhere = f"http://127.0.0.1:{free_port()}/file"
    assert "Connection refused, expected the file" in message(nowhere, tmp_path / "file")


def test_a_folder_that_cannot_be_made(server, tmp_path):
    (tmp_path / "taken").write_bytes(b"a file")
    assert message(server.url, tmp_path / "taken" / "file") == (
        f"{tmp_path}/taken/file.part: found File exists, expected a file to write to; "
        "mend that, or name a folder that has the corpus with data.dir."
    )


def test_a_folder_that_may_not_be_written_to(server, tmp_path, monkeypatch):
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("nmt.data.download.open", refuse, raising=False)  # root may write everywhere
    assert message(server.url, tmp_path / "file").startswith(
        f"{tmp_path}/file.part: found Permission denied, expected a file to write to; mend that"
    )
