"""What every test relies on: processes that do not meet, and the quick tier.

Loaded before any test module, and so before TensorFlow: see nmt/app/__init__.py for why SentencePiece comes first.
"""

from __future__ import annotations

import functools
import gc
import os
import sys
import typing
from collections.abc import Generator, Iterator
from pathlib import Path

import absl.logging
import pytest
import sentencepiece as sentencepiece
from _pytest.unraisableexception import gc_collect_iterations_key
from hypothesis import HealthCheck, settings

from nmt.plumbing import steady
from tests.processes import none_is_left
from tests.tiers import is_quick, may_have

# Some tests set up logging anew, which closes the handlers there are, absl's too; and that closes its stream, unless it
# is the process's own: it would be what pytest had put in its place.
absl.logging.get_absl_handler().python_handler.stream = sys.__stderr__
# The tests start some hundred programs. Each would compile the project anew, and each worker the tests, if what was
# compiled were not kept.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
# One test a core: more threads would only wait for one another. A run that asks for threads gets them all the same.
for threads in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(threads, "1")

# The same examples each time, so that a commit passes or fails alike wherever it is tried, and other ones on request.
# None is timed: what is slow on a busy machine is no fault.
settings.register_profile("explore", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=False)
settings.register_profile("same", settings.get_profile("explore"), derandomize=True)
settings.load_profile("same")

if sys.version_info < (3, 12):  # from then on Python does so itself; TensorFlow asks it with every operation
    for asked in ("_get_protocol_attrs", "_is_callable_members_only"):
        setattr(typing, asked, functools.cache(getattr(typing, asked)))

MAX_WORKERS = 4  # each loads TensorFlow: a second and a gigabyte


def pytest_configure(config: pytest.Config) -> None:
    """At the end cycles are looked for once, and once more for what they held: five times is for other Pythons."""
    config.stash[gc_collect_iterations_key] = 2


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """One a core, and one more for the suite, whose tests wait for servers, locks and disks an eighth of their time;
    none for a single file, which is done before a worker has begun."""
    words = [Path(word.partition("::")[0]) for word in config.args]
    if len(words) == 1 and words[0].suffix == ".py":
        return 0
    waits = config.option.markexpr == "not long"
    return min(len(os.sched_getaffinity(0)) + waits, MAX_WORKERS)


def _quick_only(config: pytest.Config) -> bool:
    return config.option.markexpr == "quick"


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """What has no test of the tier that is asked for is not even imported."""
    test = collection_path.name.startswith("test_") and collection_path.suffix == ".py"
    return True if test and not may_have(collection_path, config.option.markexpr) else None


def _minutes(item: pytest.Item) -> float:
    long = item.get_closest_marker("long")
    return 0.0 if long is None else float(long.kwargs.get("minutes", 0.0))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        has = {name for name in ("long", "slow") if item.get_closest_marker(name)}
        tiers = {"long" if "long" in has else "not long"}
        if not has and is_quick(item.path):
            item.add_marker("quick")
            tiers.add("quick")
        # Looked at in every run, so that the suite, which imports nearly all, notices what a tier would not import.
        for tier in tiers:
            assert may_have(item.path, tier), f"{item.nodeid}: tests/tiers.py overlooks it for -m {tier!r}"
    items.sort(key=_minutes, reverse=True)  # begun last, the longest would be alone at the end


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """What is imported stays: looking through it for cycles takes an eighth of the time of TensorFlow's tests."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.freeze()
        gc.set_threshold(10_000, 10, 10)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """The quick tier is what it says."""
    yield
    assert not _quick_only(item.config) or "tensorflow" not in sys.modules, "a quick test has loaded TensorFlow"


TICK_S = steady._TICK_S


@pytest.fixture(autouse=True, scope="session")
def _files_are_taken_for_old() -> Iterator[None]:
    """A file that is just written is opened when the clock has gone on, or what is written to it next might not be
    noticed. Tests open some thousand such files, and few write to one again: those ask for `ticking`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(steady, "_TICK_S", 0.0)
        yield


@pytest.fixture
def ticking(monkeypatch: pytest.MonkeyPatch) -> None:
    """As for a user: a file that is written to after it was opened is noticed, however soon that is."""
    monkeypatch.setattr(steady, "_TICK_S", TICK_S)


@pytest.fixture(autouse=True, scope="session")
def _own_cache_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Neither a person's caches nor those of the worker beside this one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(autouse=True)
def _launch_tests_leave_no_process(request: pytest.FixtureRequest) -> Iterator[None]:
    """They start machines that are processes here: one that trains on would slow down all that comes after it."""
    if request.path.name.startswith("test_launch_"):
        with none_is_left():
            yield
    else:
        yield
