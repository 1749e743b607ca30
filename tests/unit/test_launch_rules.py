"""What the launcher knows without asking AWS: bills, host keys, what fits together, families, sentences."""

from __future__ import annotations

from dataclasses import replace

import pytest

from nmt.config.launch import Lane, Launch, LaunchConfig, MachineConfig
from nmt.config.launch_line import profiles
from nmt.errors import LaunchError
from nmt.launch.access import allow_only, own_network
from nmt.launch.bill import Event, bill, iso, note, read_events, when_stopped
from nmt.launch.hostkeys import keys_in
from nmt.launch.messages import usd
from nmt.launch.offers import Image, kind_of
from nmt.launch.prices import Prices, max_hours
from nmt.launch.refusals import CODES, NEVER_SENT, WITHOUT_ANSWER, answered, unanswered
from nmt.launch.wheels import fitting, misfits

HOUR = 3600.0


def event(what, hours, usd_per_hour: float | None = 0.5, disk: float | None = 0.01):
    return Event(iso(hours * HOUR), what, "i-1", "g4dn.xlarge", "eu-west-1", False, usd_per_hour, 60, disk)


def test_a_bill_by_hand():
    """Ran 0-2 h and 5-6 h, was there from 0 to 8 h."""
    events = [event("started", 0), event("stopped", 2), event("started", 5), event("stopped", 6), event("ended", 8)]
    found = bill(events, until=100 * HOUR)
    assert (found.running_s, found.present_s) == (3 * HOUR, 8 * HOUR)
    assert found.machine_usd == pytest.approx(1.5)
    assert found.disk_usd == pytest.approx(0.08)
    assert found.usd == pytest.approx(1.58)


def test_a_bill_while_it_runs_ends_now():
    found = bill([event("started", 1)], until=3 * HOUR)
    assert (found.running_s, found.machine_usd, found.disk_usd) == (2 * HOUR, 1.0, 0.02)


def test_each_start_is_charged_a_minute_at_least():
    assert bill([event("started", 0), event("ended", 1 / HOUR)], until=HOUR).running_s == 60.0


def test_a_price_that_changed_between_two_starts():
    events = [event("started", 0, 1.0), event("stopped", 1, 1.0), event("started", 1, 3.0), event("ended", 2, 3.0)]
    assert bill(events, until=9 * HOUR).machine_usd == pytest.approx(4.0)


@pytest.mark.parametrize(("machine", "disk"), [(None, 0.01), (0.5, None)])
def test_a_bill_without_a_price_is_unknown(machine, disk):
    assert bill([event("started", 0, machine, disk)], until=HOUR).usd is None


def test_events_are_kept_and_one_that_was_cut_short_is_left_out(tmp_path):
    note(tmp_path, event("started", 0))
    note(tmp_path, event("started", 1))  # known already
    note(tmp_path, event("ended", 2))
    with open(tmp_path / "bill.jsonl", "a") as file:
        file.write('{"time": "2026')
    assert [(one.what, one.seconds) for one in read_events(tmp_path)] == [("started", 0.0), ("ended", 2 * HOUR)]


def test_a_broken_line_of_a_bill(tmp_path):
    (tmp_path / "bill.jsonl").write_text("{}\n{}\n")
    with pytest.raises(
        LaunchError, match=r"bill\.jsonl, line 1: found no event, expected one as it was written; remove"
    ):
        read_events(tmp_path)


@pytest.mark.parametrize(
    ("reason", "seconds"),
    [
        ("User initiated (1970-01-01 01:00:00 GMT)", HOUR),
        ("User initiated (1970-01-01 01:00:00 UTC)", HOUR),
        ("Server.SpotInstanceTermination", None),
        ("", None),
    ],
)
def test_when_aws_says_that_a_machine_stopped(reason, seconds):
    assert when_stopped(reason) == seconds


CONSOLE = """[   20.1] cloud-init[900]: Cloud-init v. 24
<14>Jan  1 00:00:20 ec2: -----BEGIN SSH HOST KEY KEYS-----
ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTY= root@ip-10-0-0-1
[   21.0] ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDxGkZwXxQ5wxJd1kQ0rN2nM3Yx0m0q root@ip-10-0-0-1
<14>Jan  1 00:00:20 ec2: -----END SSH HOST KEY KEYS-----
"""


def test_host_keys_in_a_console():
    assert keys_in(CONSOLE) == [
        "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTY=",
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDxGkZwXxQ5wxJd1kQ0rN2nM3Yx0m0q",
    ]
    assert keys_in(CONSOLE + CONSOLE.replace("DxGk", "Dnew")) == keys_in(CONSOLE.replace("DxGk", "Dnew"))


@pytest.mark.parametrize("text", ["", CONSOLE.partition("-----END")[0], CONSOLE.partition("KEYS-----\n")[2]])
def test_a_console_that_has_not_shown_them_all(text):
    assert keys_in(text) == []


OPEN = Image("ami-1", "Deep Learning Base OSS Nvidia Driver GPU AMI (Ubuntu 22.04) 20260801", "", "/dev/sda1", 75)


def test_the_profiles_fit_and_an_open_driver_knows_no_k80():
    for machine in profiles().values():
        assert misfits(machine, None if machine.name == "p2_xlarge" else OPEN) == []
    (found,) = misfits(profiles()["p2_xlarge"], OPEN)
    assert found.startswith("the image's open driver knows no K80 (compute capability 3.7, it begins with 7.5)")


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"compute_capability": 5.2}, "TensorFlow 2.21.0 has no code below compute capability 6.0"),
        ({"lane": Lane.tf214, "python": "3.12"}, "TensorFlow 2.14.1 is tried on Python 3.11"),
        ({"driver": 470}, "CUDA 12 needs a driver of branch 525 or later, the image has 470"),
        (
            {"lane": Lane.tf214, "python": "3.11", "compute_capability": 3.7, "driver": 535},
            "a T4 needs a driver of bran",
        ),
    ],
)
def test_what_does_not_fit(change, found):
    (told,) = misfits(replace(MachineConfig(), **change), None)
    assert told.startswith(found)
    assert ": " in told


def test_what_fits_in_a_line():
    assert fitting(MachineConfig()) == (
        "TensorFlow 2.21.0, Python 3.12, CUDA 12 (driver 525 or later; here the image's), T4 of compute capability 7.5"
    )


@pytest.mark.parametrize(
    ("name", "kind"),
    [("g4dn.xlarge", "G and VT"), ("g5.48xlarge", "G and VT"), ("vt1.3xlarge", "G and VT"), ("gr6.4xlarge", "G and VT"),
     ("p2.xlarge", "P"), ("p3.2xlarge", "P"), ("p4d.24xlarge", "P"), ("p5.48xlarge", "P5"), ("m5.large", "Standard"),
     ("t3.micro", "Standard"), ("trn1.2xlarge", None), ("inf2.xlarge", None), ("x1e.xlarge", None)],
)  # fmt: skip
def test_whose_quota_counts(name, kind):
    assert getattr(kind_of(name), "name", None) == kind


def launch(**options):
    return Launch(launch=LaunchConfig(**options))


def test_which_price_counts():
    found = Prices(0.6, {"a": 0.2, "b": 0.3}, 0.073)
    assert found.machine(launch()) == 0.6
    assert found.machine(launch(spot=True), "a") == 0.2
    assert found.machine(launch(spot=True)) == 0.3  # the dearest, where the zone is not known
    assert found.machine(launch(usd_per_hour=9.0, spot=True), "a") == 9.0
    assert found.disk_hour(launch(disk_gb=100)) == pytest.approx(0.01)
    assert found.hourly(launch(disk_gb=100)) == pytest.approx(0.61)
    assert Prices(0.6, {}, None).hourly(launch()) == 0.6
    assert Prices(None, {}, 0.073).hourly(launch()) is None
    assert Prices(None, {}, None).disk_hour(launch()) is None


@pytest.mark.parametrize(
    ("max_usd", "price", "hours"), [(None, 0.5, 12.0), (3.0, 0.5, 6.0), (30.0, 0.5, 12.0), (3.0, None, 12.0)]
)
def test_when_the_timer_ends_it(max_usd, price, hours):
    assert max_hours(launch(max_usd=max_usd), price) == hours


@pytest.mark.parametrize(
    ("amount", "text"), [(None, "unknown"), (0.0, "$0.00"), (0.0072, "$0.0072"), (0.5, "$0.50"), (0.526, "$0.526"),
                         (7.126, "$7.13"), (1234.5, "$1234.50")],
)  # fmt: skip
def test_amounts(amount, text):
    assert usd(amount) == text


@pytest.mark.parametrize("code", CODES)
def test_every_known_refusal_is_a_sentence_with_a_next_step(code):
    error = answered("AWS, ec2:X in r", {"Error": {"Code": code, "Message": "m"}})
    assert not error.uncertain
    assert error.code == code
    assert str(error).startswith("AWS, ec2:X in r: found ")
    assert str(error).endswith(".")
    assert ".." not in str(error)


def test_an_unknown_refusal_keeps_aws_s_own_words():
    error = answered("AWS, ec2:X in r", {"Error": {"Code": "New", "Message": "Not\n today."}})
    assert str(error) == (
        "AWS, ec2:X in r: found New: Not today, expected a request that AWS accepts; `python -m nmt.launch preflight` "
        "checks what it can."
    )


def test_a_fault_within_aws_may_have_been_done():
    response = {"Error": {"Code": "InternalError", "Message": ""}, "ResponseMetadata": {"HTTPStatusCode": 500}}
    assert answered("p", response).uncertain
    capacity = {**response, "Error": {"Code": "InsufficientInstanceCapacity", "Message": ""}}
    assert not answered("p", capacity).uncertain


@pytest.mark.parametrize("name", WITHOUT_ANSWER)
def test_what_is_raised_without_an_answer(name):
    error = unanswered("p", type(name, (Exception,), {})())
    assert (error.code, error.uncertain) == (name, name not in NEVER_SENT)
    assert ".." not in str(error)


def test_own_networks():
    assert own_network(LaunchConfig(address="192.0.2.5")) == "192.0.2.5/32"
    assert own_network(LaunchConfig(address="192.0.2.5/24")) == "192.0.2.0/24"
    assert own_network(LaunchConfig(allow_world=True)) == "0.0.0.0/0"


def test_nobody_says_the_own_address():
    with pytest.raises(LaunchError) as caught:
        own_network(LaunchConfig(address_url="http://127.0.0.1:9"))
    assert "expected the address from which you reach the internet; name it with launch.address=ADDRESS" in str(
        caught.value
    )


class Noted:
    """Stands for AWS: notes what it is asked."""

    def __init__(self):
        self.asked = []

    def call(self, service, action, parameters):
        self.asked.append((action, parameters["IpPermissions"]))


def rule(port, *networks, **further):
    return {"IpProtocol": "tcp", "FromPort": port, "ToPort": port,
            "IpRanges": [{"CidrIp": network} for network in networks], **further}  # fmt: skip


@pytest.mark.parametrize(
    ("held", "asked"),
    [
        ([rule(22, "me/32")], []),
        ([], [("AuthorizeSecurityGroupIngress", [rule(22, "me/32")])]),
        ([rule(22, "me/32", "old/32")], [("RevokeSecurityGroupIngress", [rule(22, "old/32")])]),
        ([rule(80, "me/32"), rule(22, "me/32")], [("RevokeSecurityGroupIngress", [rule(80, "me/32")])]),
        ([rule(22, "me/32", Ipv6Ranges=[{"CidrIpv6": "::/0"}])],
         [("RevokeSecurityGroupIngress", [rule(22, Ipv6Ranges=[{"CidrIpv6": "::/0"}])])]),
        ([{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}],
         [("AuthorizeSecurityGroupIngress", [rule(22, "me/32")]),
          ("RevokeSecurityGroupIngress", [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}])]),
    ],
)  # fmt: skip
def test_a_group_lets_in_one_network_and_nothing_else(held, asked):
    aws = Noted()
    allow_only(aws, LaunchConfig(), {"GroupId": "sg-1", "IpPermissions": held}, "me/32")
    assert aws.asked == asked
