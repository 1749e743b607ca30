"""Pages of libraries that only loading needed are given back, and come again where they are used."""

from __future__ import annotations

import subprocess
import sys

import pytest

from nmt import mapped
from nmt.mapped import clean_files, release_files

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="madvise on /proc/self/smaps is Linux's")


def mapping(place: str, allowed: str, file: str, resident_kb: int, changed_kb: int) -> str:
    lines = [f"{place} {allowed} 00000000 fe:00 123 {file}".rstrip(), "Size: 9999 kB", f"Rss: {resident_kb} kB"]
    return "\n".join([*lines, "Shared_Clean: 1 kB", f"Anonymous: {changed_kb} kB", "VmFlags: rd mr"]) + "\n"


@pytest.mark.parametrize(
    "allowed, file, resident_kb, changed_kb, counts",
    [
        ("r-xp", "/usr/lib/code with a space.so", 2_048, 0, True),
        ("r--p", "/usr/lib/data.so", 1_024, 0, True),
        ("r--p", "/usr/lib/relocated.so", 2_048, 4, False),
        ("rw-p", "/usr/lib/variables.so", 2_048, 0, False),
        ("rw-s", "/home/me/file", 2_048, 0, False),
        ("r-xp", "/usr/lib/small.so", 1_023, 0, False),
        ("r-xp", "[vdso]", 2_048, 0, False),
        ("rw-p", "", 2_048, 2_048, False),
    ],
)
def test_which_mappings_are_clean(allowed, file, resident_kb, changed_kb, counts):
    before = mapping("1000-3000", "rw-p", "[heap]", 4_096, 4_096)
    text = before + mapping("7f00a000-7f00d000", allowed, file, resident_kb, changed_kb)
    assert list(clean_files(text)) == ([(0x7F00A000, 0x3000)] if counts else [])


RELEASE = """
import re, sys
from pathlib import Path
import tensorflow as tf
from nmt.mapped import release_files
def resident():
    return int(re.search(r"RssFile:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) / 1e3
before = resident()
given = release_files() / 1e6
after = resident()
total = float(tf.reduce_sum(tf.tanh(tf.ones([10, 10])) @ tf.ones([10, 10])))
print(before, given, after, total)
"""


@linux
def test_most_of_what_tensorflow_left_goes_and_it_works_on():
    done = subprocess.run([sys.executable, "-c", RELEASE], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    before, given, after, total = map(float, done.stdout.split())
    assert after < 0.5 * before
    assert given > before - after
    assert total == pytest.approx(1_000 * 0.76159416, rel=1e-5)


def test_elsewhere_nothing_is_done(monkeypatch, tmp_path):
    monkeypatch.setattr(mapped, "SMAPS", tmp_path / "none")
    assert release_files() == 0
    monkeypatch.setattr(sys, "platform", "darwin")
    assert release_files() == 0
