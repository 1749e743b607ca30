"""Every request to AWS fails in every way: no machine is left running that the user was not told about, and none twice.

`PYTHONPATH=. python tests/system/test_launch_aws_faults.py FILE` prints the table of docs/launch.md; the tests hold it
to the truth.
"""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from unittest import mock

import pytest

from nmt.launch.commands import COMMANDS, run
from nmt.launch.machine import FILE as RECORD
from tests.system.aws_client import account, configuration, quick, words
from tests.system.aws_faults import LATER, SCENARIOS, Case, cases, changes, documented, inject, table
from tests.system.aws_requests import REGION
from tests.system.aws_server import running_aws
from tests.system.aws_unkind import KIND, UNKIND, Clock, Nature

ROOT = Path(__file__).resolve().parents[2]
IMPATIENT = "launch.timeout_s=0.4"  # for `slow`, which answers after a second
IN_SHORT = [
    Case("up", "ec2:RunInstances", "slow"),
    Case("up", "ec2:RunInstances", "dark"),
    Case("up", f"ec2:DescribeInstances{LATER}", "dark"),
    Case("terminate", "ec2:TerminateInstances", "denied"),
]
LOOKS = [(scenario, action) for scenario, actions in SCENARIOS.items() for action in actions if not changes(action)]
NATURES = {"kind": KIND, "unkind": UNKIND}
CHANGES = [
    (nature, case)
    for nature in NATURES
    for case in cases()
    if changes(case.action) and case not in IN_SHORT and (nature == "kind" or case.fault != "killed")
]


class Stage:
    """A user in front of a terminal: what was printed, and what the server holds."""

    def __init__(self, server) -> None:
        self.server = server
        self.subnet = ""

    def __call__(self, command: str, *options: str) -> tuple[int, str]:
        """Exit status and all that was printed; a traceback is a failure of the test."""
        flags = frozenset({"--yes", "--no-fetch", "--all"} & set(COMMANDS[command].flags))
        config = configuration(self.server, *options)
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
            status = run_configured(command, config, flags)
        return status, printed.getvalue()

    def options(self, scenario: str, fault: str) -> list[str]:
        found = [IMPATIENT] if fault == "slow" else []
        if scenario == "up, in a subnet":
            found.append(f"launch.subnet={next(iter(self.server.backend().get_default_subnets().values())).id}")
        if scenario == "refresh-access":
            found.append("launch.address=198.51.100.9")
        return found


def run_configured(command: str, config, flags) -> int:
    """`run` of nmt.launch.commands, without reading the command line anew each time."""
    with mock.patch("nmt.launch.commands.read_command", return_value=(config, flags)):
        return run([command])


def prepare(stage: Stage, scenario: str) -> None:
    """What is there before the command."""
    server = stage.server
    if scenario in ("stop", "up, stopped", "refresh-access", "cost", "terminate", "sweep-orphans", "preflight"):
        assert stage("up")[0] == 0
    if scenario == "up, stopped":
        assert stage("stop")[0] == 0
    if scenario == "preflight":  # its first request of this name is not that of `up`
        server.calls.clear()
    if scenario == "sweep-orphans":
        disk = server.backend().create_volume(size=1, zone_name=f"{REGION}a")
        disk.add_tags({"nmt:launch": "nmt", "nmt:owner": "moto"})


def outcome(stage: Stage, case: Case, status: int, printed: str) -> str:
    """Which of OUTCOMES it is; AssertionError where it is none that may be."""
    alive = [one for one in stage.server.alive() if one.state not in ("stopped", "stopping")]
    ending = f"python -m nmt.launch terminate launch.name=nmt launch.region={REGION}"
    if status == 0:
        return "on"
    assert status == 2, printed
    assert printed.strip(), "silence"
    if not alive:
        return "none"
    if case.scenario in ("preflight", "cost", "refresh-access"):
        return "before"
    if all(one.id in printed for one in alive):
        assert ending in printed or "sweep-orphans again" in printed, printed
        return "told"
    if case.scenario == "sweep-orphans":
        return "before"
    assert ending in printed, printed
    return "asked"


def go(stage: Stage, case: Case) -> str:
    """One fault, what comes of it, and what is left after the same command has been given once more."""
    prepare(stage, case.scenario)
    found = meet(stage, case)
    close(stage, case)
    return found


def look(stage: Stage, scenario: str, action: str) -> dict[Case, str]:
    """The faults of a request that changes nothing, one after another."""
    found = {}
    prepare(stage, scenario)
    for case in [case for case in cases() if (case.scenario, case.action) == (scenario, action)]:
        before = sorted((one.id, one.state) for one in stage.server.alive())
        found[case] = meet(stage, case)
        stage.server.fault = None
        if sorted((one.id, one.state) for one in stage.server.alive()) != before:
            assert found[case] in ("on", "none")  # it did its work, or the part of it that ends machines
            assert stage("terminate")[0] == 0
            prepare(stage, scenario)
    close(stage, case)
    return found


def meet(stage: Stage, case: Case) -> str:
    command = case.scenario.partition(",")[0]
    options = stage.options(case.scenario, case.fault)
    if case.fault == "killed":
        return killed(stage, case, command, options)
    inject(stage.server, case.action, case.fault)
    return outcome(stage, case, *stage(command, *options))


def close(stage: Stage, case: Case) -> None:
    """AWS is well again: the same command does its work, there never was a second machine, the end leaves nothing."""
    stage.server.fault = None
    command = case.scenario.partition(",")[0]
    if command not in ("preflight", "terminate"):
        status, printed = stage(command, *stage.options(case.scenario, ""))
        gone = case.scenario == "stop" and "no machines of yours" in printed
        assert status == 0 or gone or command == "cost", printed
    if command == "up":
        assert len(stage.server.alive()) == 1
        assert (Path("runs/launch/nmt") / RECORD).exists()
    if case.scenario == "up" and changes(case.action):
        assert len(list(stage.server.backend().all_instances())) == 1  # those that have ended are counted too
    status, printed = stage("terminate")
    assert status == 0, printed
    assert stage.server.left() == []


def killed(stage: Stage, case: Case, command: str, options: list[str]) -> str:
    """A client of its own process, killed as soon as AWS has acted; its clock is not the test's, so AWS is kind."""
    stage.server.settle()
    flags = sorted({"--yes", "--no-fetch", "--all"} & set(COMMANDS[command].flags))
    argv = [sys.executable, "-m", "nmt.launch", command, *words(stage.server, "launch.wait_s=2", *options), *flags]
    started: list[subprocess.Popen[bytes]] = []
    inject(stage.server, case.action, case.fault, kill=lambda: started[0].kill())
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    started.append(subprocess.Popen(argv, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE))
    _, said = started[0].communicate(timeout=120)
    assert started[0].returncode == -9, said.decode()
    running = [one for one in stage.server.alive() if one.state not in ("stopped", "stopping")]
    return "kept" if running else "none"


@pytest.fixture(params=list(NATURES))
def stage(request, tmp_path, monkeypatch):
    account(monkeypatch, tmp_path)
    monkeypatch.chdir(tmp_path)
    clock = Clock()
    quick(monkeypatch, clock)
    with running_aws(Nature(clock, NATURES[request.param])) as server:
        yield Stage(server)


@pytest.mark.parametrize("case", IN_SHORT, ids=str)
def test_the_requests_that_start_and_end_a_machine(stage, case):
    assert go(stage, case) == documented()[case]


@pytest.mark.long
@pytest.mark.parametrize(("stage", "case"), CHANGES, indirect=["stage"], ids=str)
def test_every_request_that_changes_something(stage, case):
    """All but a killed client of an unkind AWS: `killed` needs a kind one, so that it would be the same test twice."""
    assert go(stage, case) == documented()[case]


@pytest.mark.long
@pytest.mark.parametrize(("scenario", "action"), LOOKS)
def test_every_request_that_looks_something_up(stage, scenario, action):
    found = look(stage, scenario, action)
    assert found == {case: documented()[case] for case in found}


def test_the_table_is_whole():
    assert list(documented()) == list(cases())


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_every_request_that_a_command_makes_is_in_the_table(stage, scenario):
    """So that none can be added without its faults."""
    command = scenario.partition(",")[0]
    prepare(stage, scenario)
    stage.server.calls.clear()
    assert stage(command, *stage.options(scenario, ""))[0] == 0
    told = {action.removesuffix(LATER) for actions in SCENARIOS.values() for action in actions}
    assert set(stage.server.actions()) <= told
    if scenario == "up":
        assert list(dict.fromkeys(action.removesuffix(LATER) for action in SCENARIOS["up"])) == stage.server.actions()


def main(kept: Path) -> None:
    """Print the table; what `kept` holds of an earlier run is not tried again."""
    known = dict(line.split("\t") for line in kept.read_text().splitlines()) if kept.exists() else {}
    jobs = [(case,) for case in cases() if changes(case.action)] + LOOKS
    for job in jobs:
        clock = Clock()
        with (
            tempfile.TemporaryDirectory() as folder,
            pytest.MonkeyPatch.context() as patch,
            running_aws(Nature(clock)) as aws,
        ):
            account(patch, Path(folder))
            patch.chdir(folder)
            quick(patch, clock)
            if isinstance(job[0], Case):
                found = {} if str(job[0]) in known else {job[0]: go(Stage(aws), job[0])}
            else:
                own = [case for case in cases() if (case.scenario, case.action) == job]
                found = {} if str(own[0]) in known else look(Stage(aws), *job)
        with open(kept, "a", encoding="utf-8") as file:
            file.writelines(f"{case}\t{outcome}\n" for case, outcome in found.items())
        known |= {str(case): outcome for case, outcome in found.items()}
    print(table({case: known[str(case)] for case in cases()}))


if __name__ == "__main__":
    main(Path(sys.argv[1]).absolute())
