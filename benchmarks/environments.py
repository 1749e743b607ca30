"""The peers, each in an environment of its own, made from public packages by uv the first time it is needed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from benchmarks import flops, harness

FOLDER = harness.HERE / ".peers"  # git-ignored


@dataclass(frozen=True)
class Peer:
    """How to get it, and the program that runs it."""

    name: str  # of its folder, and on the command line
    title: str
    python: str
    packages: tuple[str, ...]
    program: str  # in benchmarks/peers
    decoder: flops.Decoder
    beam: bool  # whether it has a beam search
    bfloat16: bool = False  # whether its program trains in it too


PEERS = {
    peer.name: peer
    for peer in (
        Peer(
            "opennmt",
            "OpenNMT-tf 2.32 (TensorFlow 2.13)",
            "3.11",
            ("opennmt-tf==2.32.0", "tensorflow==2.13.1"),
            "opennmt_rnn.py",
            flops.Decoder.input_feeding,
            beam=True,
        ),
        Peer(
            "keras",
            "Keras 3.15, compile and fit (TensorFlow 2.21)",
            "3.11",
            ("keras==3.15.1", "tensorflow==2.21.0"),
            "keras_fit.py",
            flops.Decoder.after,
            beam=False,
            bfloat16=True,
        ),
        Peer(
            "joeynmt",
            "JoeyNMT 2.3 (PyTorch 2.13)",
            "3.11",
            ("joeynmt==2.3.0", "torch==2.13.0", "importlib-metadata"),  # which it imports and does not ask for
            "joey_rnn.py",
            flops.Decoder.input_feeding,
            beam=True,
        ),
    )
}


class NotInstalledError(Exception):
    """A peer's environment cannot be made here; says why."""


def python_of(peer: Peer) -> Path:
    """The peer's own Python, with its packages: made where there is none, or where its packages have changed.

    Wheels from a folder named by PIP_FIND_LINKS are used where they fit (such as PyTorch without CUDA). Raises
    NotInstalledError.
    """
    home = FOLDER / peer.name
    python, made_of = home / "bin" / "python", home / "made_of.txt"
    wanted = "\n".join(peer.packages)
    if python.exists() and made_of.exists() and made_of.read_text() == wanted:
        return python
    if shutil.which("uv") is None:
        raise NotInstalledError("uv is needed to make its environment (pip install uv)")
    print(f"making the environment of {peer.title} ...", file=sys.stderr)
    links = os.environ.get("PIP_FIND_LINKS")
    _run(["uv", "venv", "-q", "--clear", "-p", peer.python, str(home)])
    found = ["--find-links", links] if links else []
    _run(["uv", "pip", "install", "-q", "--compile-bytecode", "-p", str(python), *found, *peer.packages])
    made_of.write_text(wanted)
    return python


def _run(command: list[str]) -> None:
    ran = subprocess.run(command, capture_output=True, text=True)
    if ran.returncode:
        lines = [line for line in ran.stderr.splitlines() if line.startswith(("error", "  cause", "Caused", "  ×"))]
        raise NotInstalledError(" ".join(lines or ran.stderr.splitlines()[-3:]).strip())
