"""What is kept of a machine."""

from __future__ import annotations

import json
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from nmt.errors import LaunchError
from nmt.launch.machine import Machine, forget_machine, list_machines, load_machine, save_machine, write_private

MACHINE = Machine("nmt", "eu-west-1", "i-0123456789abcdef0", "192.0.2.1", 22, "ubuntu", Path("/k/id"), Path("/k/known"),
                  "tf221", 0.526, False)  # fmt: skip


def test_what_was_saved_loads_as_it_was(tmp_path):
    for machine in (MACHINE, replace(MACHINE, name="other", usd_per_hour=None, spot=True)):
        save_machine(tmp_path, machine)
        assert load_machine(tmp_path, machine.name) == machine
    assert [machine.name for machine in list_machines(tmp_path)] == ["nmt", "other"]
    forget_machine(tmp_path, "nmt")
    forget_machine(tmp_path, "nmt")
    assert [machine.name for machine in list_machines(tmp_path)] == ["other"]


def test_the_record_is_for_its_owner_alone(tmp_path):
    save_machine(tmp_path, MACHINE)
    path = tmp_path / "nmt" / "machine.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert [one.name for one in path.parent.iterdir()] == ["machine.json"]


def test_a_file_that_only_its_owner_reads(tmp_path):
    write_private(tmp_path / "key", "text", mode=0o400)
    assert stat.S_IMODE((tmp_path / "key").stat().st_mode) == 0o400
    assert (tmp_path / "key").read_text() == "text"


def test_no_machine_of_this_name(tmp_path):
    with pytest.raises(LaunchError) as caught:
        load_machine(tmp_path, "nmt")
    assert str(caught.value) == (
        f"launch.name=nmt: found no machine of this name in {tmp_path}, expected a machine that was started from here; "
        "start one with `python -m nmt.launch up`."
    )
    save_machine(tmp_path, MACHINE)
    with pytest.raises(LaunchError, match="expected one of nmt; name one of them"):
        load_machine(tmp_path, "other")


VALUES = {
    "name": "nmt", "region": "r", "instance_id": "i", "address": "a", "port": 22, "user": "u", "key_file": "k",
    "known_hosts": "h", "lane": "l", "usd_per_hour": 1, "spot": False,
}  # fmt: skip


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("{", "text that is not JSON"),
        ("[]", "no object"),
        (json.dumps({key: value for key, value in VALUES.items() if key != "port"}), "no port"),
        (json.dumps(VALUES | {"port": "22"}), "port: '22'"),
        (json.dumps(VALUES | {"port": True}), "port: True"),
        (json.dumps(VALUES | {"spot": 1}), "spot: 1"),
    ],
)
def test_a_broken_record(tmp_path, text, found):
    path = tmp_path / "nmt" / "machine.json"
    path.parent.mkdir()
    path.write_text(text)
    with pytest.raises(LaunchError) as caught:
        load_machine(tmp_path, "nmt")
    assert str(caught.value) == (
        f"{path}: found {found}, expected the record of a machine as it was written; `python -m nmt.launch "
        "sweep-orphans` finds the machine itself; then remove the file."
    )


def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "nmt").write_text("a file")
    with pytest.raises(LaunchError, match="expected a folder that can be written; choose another one"):
        save_machine(tmp_path, MACHINE)
