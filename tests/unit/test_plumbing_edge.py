"""What a command does at its edges: streams that break, locales, signals, mistakes."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from nmt.errors import DataError
from nmt.plumbing import edge
from nmt.plumbing.files import NotWrittenError
from nmt.plumbing.signals import Stopped

ROOT = Path(__file__).resolve().parents[2]
FULL = Path("/dev/full")
CLOSED, SENTENCE = "standard output: found it closed, ", "expected a place to write to; redirect it elsewhere.\n"
needs_full = pytest.mark.skipif(not FULL.exists(), reason="there is no /dev/full here")


def program(work: str) -> list[str]:
    """A command whose work is `work`."""
    text = f"import sys\nfrom nmt.plumbing import edge\ndef work():\n    {work}\nsys.exit(edge.command(work))"
    return [sys.executable, "-c", text]


def shell(work: str, words: str = "", **environment: str) -> subprocess.CompletedProcess[bytes]:
    """The command run by a shell, with `words` after it."""
    line = 'exec "$0" "$1" "$2" ' + words if "|" not in words else 'set -o pipefail; "$0" "$1" "$2" ' + words
    command = ["bash", "-c", line, *program(work)]
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, env={**os.environ, "PYTHONUNBUFFERED": "", **environment}, check=False
    )


def mistake() -> None:
    raise DataError("a.txt", found="nothing", expected="a line", next_step="write one")


def test_a_mistake_is_one_sentence(capsys):
    assert edge.command(mistake) == 2
    assert capsys.readouterr() == ("", "a.txt: found nothing, expected a line; write one.\n")


@pytest.mark.parametrize(
    ("raised", "status"), [(Stopped(signal.SIGTERM), 143), (Stopped(signal.SIGINT), 130), (KeyboardInterrupt(), 130)]
)
def test_a_signal_is_an_exit_status(raised, status, capsys):
    def work() -> None:
        raise raised

    assert edge.command(work) == status
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_that_is_sent(number, status):
    assert edge.command(lambda: signal.raise_signal(number)) == status


def test_what_the_work_returns_is_the_status():
    assert [edge.command(lambda: None), edge.command(lambda: 3)] == [0, 3]


def test_bugs_and_exits_pass():
    def work() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        edge.command(work)
    with pytest.raises(SystemExit) as left:
        edge.command(lambda: sys.exit(7))
    assert left.value.code == 7


def test_a_bug_keeps_its_traceback_where_nothing_can_be_printed():
    done = shell("print('x'); 1 / 0", "> /dev/full")
    assert (done.returncode, done.stderr.splitlines()[-1]) == (1, b"ZeroDivisionError: division by zero")


@needs_full
@pytest.mark.parametrize("work", ["print(1)", "print('x' * 100_000)", "print(1, flush=True)", "sys.exit(print(1))"])
def test_a_full_disk(work):
    done = shell(work, "> /dev/full")
    expected = f"standard output: found no space left on device, {SENTENCE}"
    assert (done.returncode, done.stderr.decode()) == (2, expected)


@pytest.mark.parametrize("work", ["print('x')", "print('x' * 100_000)", "sys.stdout.buffer.write(b'x')"])
def test_standard_output_closed(work):
    done = shell(work, ">&-")
    assert (done.returncode, done.stderr.decode()) == (2, CLOSED + SENTENCE)


def test_a_closed_stream_is_not_taken_by_the_next_file(tmp_path):
    path = tmp_path / "file"
    work = f"f = open({str(path)!r}, 'w'); import os; os.system('echo loud'); f.write('mine'); f.close()"
    done = shell(work, "<&- >&-")
    assert (done.returncode, path.read_text()) == (0, "mine")


@pytest.mark.parametrize("work", ["print('x' * 100_000)", "print('x', flush=True); print('y', flush=True)"])
def test_a_reader_that_has_seen_enough(work):
    for words in ("| true", "| head -c 1 > /dev/null"):
        done = shell(work, words)
        assert (done.returncode, done.stderr) == (0, b"")


def test_a_broken_pipe_of_another_kind_is_a_bug():
    def work() -> None:
        raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        edge.command(work)


@needs_full
def test_work_that_outlasts_its_output():
    for words, said in (
        ("> /dev/full", f"standard output: found no space left on device, {SENTENCE}"),
        (">&-", CLOSED + SENTENCE),
        ("| true", ""),
    ):
        work = "edge.outlast_output(); print('x', flush=True); print('y', flush=True); print('done', file=sys.stderr)"
        done = shell(work, words)
        assert (done.returncode, done.stderr.decode()) == (0, f"done\n{said}")


@needs_full
@pytest.mark.parametrize("words", ["2> /dev/full", "2>&-"])
def test_nowhere_to_complain(words):
    done = shell("print('x'); raise edge.ConfigError('a', found=1, expected='2', next_step='c')", words)
    assert (done.returncode, done.stdout) == (2, b"x\n")


def test_standard_input_closed():
    for read in ("read()", "readline()", "buffer.read(10)", "buffer.readline()"):
        done = shell(f"print(sys.stdin.{read})", "<&-")
        expected = b"standard input: found it closed, expected text; redirect it from a file.\n"
        assert (done.returncode, done.stderr) == (2, expected)


@pytest.mark.parametrize(
    "environment",
    [{"PYTHONIOENCODING": "ascii"}, {"PYTHONIOENCODING": "latin-1:strict"}, {"LC_ALL": "C", "PYTHONUTF8": "0"}],
)
def test_text_is_utf_8_whatever_the_locale(environment):
    done = shell("print(sys.stdin.read()); print('\\u732b \\xf6', file=sys.stderr)", "<<< '狗 ö'", **environment)
    assert (done.returncode, done.stdout.decode(), done.stderr.decode()) == (0, "狗 ö\n\n", "猫 ö\n")


def test_what_is_no_text_comes_out_all_the_same():
    """The name of a file that is not UTF-8 as it was, half a pair of surrogates as its escape."""
    done = shell(r"print('a\udcffb \ud800c')")
    assert done.stdout == b"a\xffb \\ud800c\n"


def test_lines_come_at_once_where_python_was_asked_to():
    words = program("print('x'); sys.stdin.read()")
    words.insert(1, "-u")
    with subprocess.Popen(words, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"x\n"


def test_the_streams_come_back(capsys):
    before = sys.stdin, sys.stdout, sys.stderr
    edge.command(lambda: print("x"))
    assert (sys.stdin, sys.stdout, sys.stderr) == before
    assert capsys.readouterr().out == "x\n"


def test_a_command_line_that_is_mistaken(capsys):
    def work() -> None:
        parser = edge.Parser(prog="tool")
        parser.add_argument("--width", type=int)
        parser.parse_args(["--width", "x"])

    assert edge.command(work) == 2
    said = "tool: found argument --width: invalid int value: 'x', expected a command line that it knows; see --help.\n"
    assert capsys.readouterr().err == said


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (NotWrittenError(errno.EINVAL, "a pipe", "out"), "out: found a pipe, "),
        (OSError(errno.ENOSPC, "No space left on device", "log"), "log: found no space left on device, "),
        (OSError(errno.EROFS, "Read-only file system"), "a file: found read-only file system, "),
    ],
)
def test_a_file_that_cannot_be_written_is_said_at_the_latest_here(error, said, capsys):
    def work() -> None:
        raise error

    assert edge.command(work) == 2
    assert capsys.readouterr().err == f"{said}expected a file that can be written; name another, or mend that.\n"


def test_a_name_that_no_file_can_have(tmp_path, capsys):
    long = tmp_path / ("x" * 300)
    assert edge.command(lambda: open(long).close()) == 2
    said = f"{long}: found a name that is too long, expected one that the file system takes; shorten it.\n"
    assert capsys.readouterr().err == said


def test_another_error_of_the_system_is_a_bug():
    def work() -> None:
        raise FileNotFoundError(errno.ENOENT, "none", "ours")

    with pytest.raises(FileNotFoundError):
        edge.command(work)
