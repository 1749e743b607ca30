"""What `up` was told holds for every later command, what AWS says is told, and what AWS knows is asked of it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from nmt.errors import LaunchError
from nmt.launch import relaunch as relaunching
from nmt.launch import remote_commands
from nmt.launch.assignment import Assignment
from nmt.launch.commands import run
from nmt.launch.machine import load_machine, save_machine
from nmt.launch.ssh_faults import Fault, UnreachableError
from nmt.launch.terms import load_terms
from nmt.launch.training import Agent
from tests.system.aws_client import account, quick, words
from tests.system.aws_requests import refusal
from tests.system.aws_server import near_aws
from tests.system.aws_unkind import KIND, UNKIND, Clock, Nature

SPOT = ("machine=g5_xlarge", "launch.spot=true", "launch.disk_gb=200", "launch.max_usd=1")


@pytest.fixture(params=[KIND, UNKIND], ids=["kind", "unkind"])
def aws(request, tmp_path, monkeypatch):
    account(monkeypatch, tmp_path)
    monkeypatch.chdir(tmp_path)
    clock = Clock()
    quick(monkeypatch, clock)
    with near_aws(Nature(clock, request.param)) as server:
        server.quotas |= {"L-3819A6DF": 8.0}
        yield server


@pytest.fixture
def trained(monkeypatch):
    """Notes what `run` would arm the machine's timer with, and what uv is given; nothing is sent."""
    seen = []

    def note(ssh, seconds, words, records, say, begin, python, bring_home):
        begin("nmt-1")
        seen.append((round(seconds / 3600, 2), python, list(words)))
        return {"state": "running", "deadline": 0.0, "now": 0.0}

    monkeypatch.setattr(remote_commands, "run", note)
    return seen


def home(aws):
    """The hint that `up` prints, as it is typed."""
    return ["launch.name=nmt", "launch.region=eu-west-1", f"launch.endpoint_url={aws.url}"]


def test_run_as_its_hint_says_arms_the_limits_of_up(aws, trained, capsys):
    assert run(["up", "--yes", *words(aws, "launch.max_usd=1", "launch.max_hours=2")]) == 0
    told = capsys.readouterr().out
    assert f"  python -m nmt.launch run {' '.join(home(aws))} -- OVERRIDES" in told
    assert "by itself after 1.68 h" in told
    (held,) = aws.alive()
    late_h = (aws.nature.clock.now() - aws.nature.begun[held.id]) / 3600
    assert run(["run", *home(aws), "--", "seed=1"]) == 0
    assert trained == [(round(1 / (0.587 + 60 * 0.088 / 730) - late_h, 2), "3.12", ["seed=1"])]


def test_cost_counts_to_the_limit_of_up(aws, capsys):
    assert run(["up", "--yes", *words(aws, "launch.max_hours=2")]) == 0
    capsys.readouterr()
    assert run(["cost", *home(aws)]) == 0
    assert "  the end  $1.19 at most" in capsys.readouterr().out
    assert run(["cost", *home(aws), "launch.max_hours=12"]) == 0
    told = capsys.readouterr().out
    assert told.startswith("launch.max_hours stays 2.0, as `up` was told, not 12.0\n")
    assert "  the end  $1.19 at most" in told


@pytest.mark.parametrize(("answer", "hours"), [("n", None), ("y", 24.0)])
def test_a_limit_is_raised_by_a_yes_alone(aws, trained, monkeypatch, capsys, answer, hours):
    assert run(["up", "--yes", *words(aws, "launch.max_hours=2")]) == 0
    monkeypatch.setattr("builtins.input", lambda question: answer)
    capsys.readouterr()
    assert run(["run", *home(aws), "launch.max_hours=24", "--", "seed=1"]) == (2 if hours is None else 0)
    assert "launch.max_hours: 24.0; `up` was told 2.0\n" in capsys.readouterr().out
    assert [round(one[0]) for one in trained] == ([] if hours is None else [24])
    assert hours_on_record() == (hours or 2.0)
    assert run(["run", *home(aws), "--", "seed=1"]) == 0, "from now on it holds, without a question"
    assert round(trained[-1][0]) == (hours or 2.0)


class Box:
    """A machine that is reached, whose agent starts what it is asked to; its answer may be lost on the way."""

    def __init__(self, clock):
        self.clock, self.status, self.answers, self.rings, self.uploads_s = clock, {"state": "idle"}, True, 0.0, 0.0

    def ask(self, agent, verb, doing, given=""):
        if verb == "status":
            return self.status
        spec = json.loads(given)
        self.rings = self.clock.now() + spec["limit_s"]
        self.status = {"state": "running", "deadline": self.rings, "now": self.clock.now(), "limits": spec["limits"]}
        if not self.answers:
            raise UnreachableError(agent.ssh.place(doing), Fault.lost)
        return {"started": True, **self.status}


@pytest.fixture
def box(aws, monkeypatch):
    it = Box(aws.nature.clock)
    monkeypatch.setattr("nmt.launch.training.make_folders", lambda *_: "/home/x")
    monkeypatch.setattr("nmt.launch.training.upload_project", lambda *_: it.clock.sleep(it.uploads_s))
    monkeypatch.setattr("nmt.launch.training.upload_items", lambda *_: None)
    monkeypatch.setattr(Agent, "install", lambda *_: None)
    monkeypatch.setattr(Agent, "ask", lambda *words, **how: it.ask(*words, **how))
    return it


def hours_on_record():
    return load_terms(Path("runs/launch/nmt")).told["launch.max_hours"]


def test_a_raised_limit_whose_answer_is_lost_is_on_record(aws, box, capsys):
    """The machine had its new limit, the record the old one, so that `cost` said less than it may come to."""
    assert run(["up", "--yes", *words(aws, "launch.max_hours=2")]) == 0
    box.answers = False
    assert run(["run", "--yes", *home(aws), "launch.max_hours=24", "--", "seed=1"]) == 2
    assert capsys.readouterr().err.count("may still run and cost: ") == 1, "said once"
    assert hours_on_record() == 24.0
    assert run(["cost", *home(aws)]) == 0
    assert "  the end  $14.26 at most" in capsys.readouterr().out
    assert run(["run", *home(aws), "launch.max_hours=24", "--", "seed=1"]) == 0, "what was agreed needs no second yes"
    told = capsys.readouterr().out
    assert "a training runs already; nothing was changed" in told
    assert "`up` was told" not in told


def test_a_lowered_limit_holds_on_record_once_the_machine_has_said_so(aws, box):
    assert run(["up", "--yes", *words(aws, "launch.max_hours=24")]) == 0
    box.answers = False
    lower = ["run", "--yes", *home(aws), "launch.max_hours=1", "--", "seed=1"]
    assert run(lower) == 2
    assert hours_on_record() == 24.0, "it may still hold"
    assert run(["run", "--yes", *home(aws), "launch.max_hours=3", "--", "seed=1"]) == 0
    assert hours_on_record() == 24.0, "what the machine does not say is not noted"
    assert run(lower) == 0
    assert hours_on_record() == 1.0


def test_a_price_that_aws_says_no_more_is_that_on_record(aws):
    """The second `up` forgot it, and then no limit in dollars could be kept or given up."""
    assert run(["up", "--yes", *words(aws, "launch.max_usd=1")]) == 0
    price = load_machine(Path("runs/launch"), "nmt").usd_per_hour
    aws.fault = lambda call, act: refusal(call, "AccessDenied", 403) if call.action == "GetProducts" else None
    assert run(["up", "--yes", *words(aws)]) == 0
    assert load_machine(Path("runs/launch"), "nmt").usd_per_hour == price == pytest.approx(0.587 + 60 * 0.088 / 730)


def test_a_limit_in_dollars_without_a_price_is_given_up_for_one_in_hours(aws, box):
    assert run(["up", "--yes", *words(aws, "launch.max_usd=1")]) == 0
    machine = load_machine(Path("runs/launch"), "nmt")
    save_machine(Path("runs/launch"), replace(machine, usd_per_hour=None))
    assert run(["run", "--yes", *home(aws), "launch.max_usd=null", "launch.max_hours=2", "--", "seed=1"]) == 0
    assert hours_on_record() == 2.0


def test_upload_and_installation_take_their_time_of_the_limit(aws, box):
    """The machine ran as much longer as they had taken."""
    assert run(["up", "--yes", *words(aws, "launch.max_hours=2")]) == 0
    (held,) = aws.alive()
    box.uploads_s = 1200.0
    assert run(["run", *home(aws), "--", "seed=1"]) == 0
    assert box.rings - aws.nature.begun[held.id] == pytest.approx(7200.0, abs=2.0)


def test_an_earlier_run_comes_home_before_the_machine_is_given_another(aws, box, monkeypatch):
    """`terminate` fetched the last one alone."""
    fetched = []
    monkeypatch.setattr(remote_commands, "fetch", lambda ssh, earlier: fetched.append(earlier.words))
    assert run(["up", "--yes", *words(aws)]) == 0
    for seed, home_before in ((1, []), (1, []), (2, [["seed=1"]])):
        box.status = {"state": "idle"}
        assert run(["run", *home(aws), "--", f"seed={seed}"]) == 0
        assert fetched == home_before


def test_a_run_at_home_is_not_overwritten_from_another_machine(aws, box, capsys):
    """The new machine trained from scratch, and `fetch` put that over the finished run."""
    train = ["run", *home(aws), "--", "seed=1", "hydra.run.dir=mine"]
    assert run(["up", "--yes", *words(aws)]) == 0
    assert run(train) == 0
    Path("mine/checkpoints").mkdir(parents=True)
    Path("mine/checkpoints/last.h5").touch()
    box.status = {"state": "idle"}
    assert run(train) == 0, "it is this machine's own"
    assert run(["terminate", "--yes", "--no-fetch", *home(aws)]) == 0
    assert run(["up", "--yes", *words(aws)]) == 0
    box.status = {"state": "idle"}
    capsys.readouterr()
    assert run(train) == 2
    told = capsys.readouterr().err
    assert "was not given, expected a folder for a new run; resume=FOLDER goes on with the one that" in told
    assert box.status == {"state": "idle"}
    assert run([*train[:-1], "hydra.run.dir=other"]) == 0


def test_a_machine_that_boots_again_has_the_timer_of_up_and_that_is_said(aws, box, capsys):
    """The record went on with the lower limit of `run`."""
    assert run(["up", "--yes", *words(aws, "launch.max_hours=24")]) == 0
    assert run(["run", "--yes", *home(aws), "launch.max_hours=1", "--", "seed=1"]) == 0
    assert hours_on_record() == 1.0
    assert run(["stop", *home(aws)]) == 0
    assert run(["up", "--yes", *words(aws)]) == 0
    assert "running it costs $0.587 an hour, for 24 h at most\n" in capsys.readouterr().out
    assert hours_on_record() == 24.0


def test_whatever_fails_in_a_run_the_machine_is_named(aws, box, monkeypatch, capsys):
    assert run(["up", "--yes", *words(aws)]) == 0
    (held,) = aws.alive()

    def full(*_):
        raise LaunchError("a disk here", found="no room", expected="some", next_step="make some")

    monkeypatch.setattr("nmt.launch.training.upload_project", full)
    assert run(["run", *home(aws), "--", "seed=1"]) == 2
    assert f"{held.id} in eu-west-1 may still run and cost: python -m nmt.launch termi" in capsys.readouterr().err


def test_who_looks_on_is_told_that_the_machine_goes_on(aws, monkeypatch, capsys):
    assert run(["up", "--yes", *words(aws)]) == 0
    (held,) = aws.alive()
    Assignment(["seed=2"], "nmt-1", "runs/nmt-1", "/home/x", held.id).save(Path("runs/launch"), "nmt")
    ends_it = f"may still run and cost: python -m nmt.launch terminate {' '.join(home(aws))} ends it"

    def key(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(remote_commands, "fetch", lambda *_: None)
    monkeypatch.setattr(remote_commands, "follow", key)
    monkeypatch.setattr("nmt.launch.watch.logs", key)
    for argv, status in ((["fetch"], 0), (["fetch", "--every"], 130), (["logs", "-f"], 130)):
        capsys.readouterr()
        assert run([*argv, *home(aws)]) == status
        assert "".join(capsys.readouterr()).count(ends_it) == 1, argv


@pytest.mark.parametrize("command", ["logs", "fetch", "halt", "attach"])
def test_the_training_of_an_earlier_machine_is_not_taken_for_this_one_s(aws, monkeypatch, capsys, command):
    """`job.json` outlives its machine: until `run` was given, the new one was asked for a run that it never had."""
    monkeypatch.setattr(Agent, "ask", lambda *_: pytest.fail("the machine was asked"))
    assert run(["up", "--yes", *words(aws)]) == 0
    (held,) = aws.alive()
    Assignment(["seed=2"], "nmt-1", "runs/nmt-1", "/home/x", "i-0earlier").save(Path("runs/launch"), "nmt")
    capsys.readouterr()
    assert run([command, *home(aws)]) == 2
    assert capsys.readouterr().err == (
        f"launch.name=nmt: found none on {held.id}; the one in runs/nmt-1 was on i-0earlier, expected a training that "
        "was started from here; start one with python -m nmt.launch run launch.name=nmt -- OVERRIDES, "
        "resume=runs/nmt-1 goes on with that one.\n"
    )
    assert run(["ps", *home(aws)]) == 0
    assert f"none on {held.id}; the one in runs/nmt-1 was on i-0earlier\n" in capsys.readouterr().out


def test_the_longer_limit_of_up_is_not_cut_by_run(aws, trained):
    assert run(["up", "--yes", *words(aws, "launch.max_hours=48", "machine.python='3.13'")]) == 0
    assert run(["run", *home(aws), "--", "seed=1"]) == 0
    assert (round(trained[0][0]), trained[0][1]) == (48, "3.13")


def test_relaunch_as_printed_starts_the_same_machine_again(aws, trained, monkeypatch, capsys):
    monkeypatch.setattr(relaunching, "_saved", lambda *_: False)
    assert run(["up", "--yes", *words(aws, *SPOT)]) == 0
    (held,) = aws.alive()
    Assignment(["seed=2"], "nmt-1", "runs/nmt-1", "/home/ubuntu/nmt-launch").save(Path("runs/launch"), "nmt")
    aws.end(held, "Server.SpotInstanceTermination")
    capsys.readouterr()
    assert run(["relaunch", "--yes", *home(aws)]) == 0
    (again,) = aws.alive()
    assert again.id != held.id
    assert (again.instance_type, again.lifecycle) == ("g5.xlarge", "spot")
    (disk,) = [one for one in aws.backend().describe_volumes() if one.attachment.instance.id == again.id]
    assert disk.size == 200
    assert "$1.00 at most" in capsys.readouterr().out
    assert load_terms(Path("runs/launch/nmt")).options["launch.max_usd"] == 1.0


def test_a_relaunch_that_stopped_half_way_goes_on_with_the_same_terms(aws, trained, monkeypatch):
    """The old machine was ended, and nothing more: the next `relaunch` still knows what `up` was told."""
    monkeypatch.setattr(relaunching, "_saved", lambda *_: False)
    assert run(["up", "--yes", *words(aws, *SPOT)]) == 0
    Assignment(["seed=2"], "nmt-1", "runs/nmt-1", "/home/ubuntu/nmt-launch").save(Path("runs/launch"), "nmt")
    assert run(["terminate", "--yes", "--no-fetch", *home(aws)]) == 0
    assert run(["relaunch", "--yes", *home(aws)]) == 0
    assert [one.instance_type for one in aws.alive()] == ["g5.xlarge"]


def test_relaunch_asks_before_it_takes_other_terms(aws, trained, monkeypatch, capsys):
    monkeypatch.setattr(relaunching, "_saved", lambda *_: False)
    assert run(["up", "--yes", *words(aws, *SPOT)]) == 0
    (held,) = aws.alive()
    Assignment(["seed=2"], "nmt-1", "runs/nmt-1", "/home/ubuntu/nmt-launch").save(Path("runs/launch"), "nmt")
    monkeypatch.setattr("builtins.input", lambda question: "n")
    capsys.readouterr()
    assert run(["relaunch", *home(aws), "machine=g4dn_xlarge", "launch.max_usd=9"]) == 2
    told = capsys.readouterr().out
    assert "machine.instance_type: g4dn.xlarge; `up` was told g5.xlarge\n" in told
    assert "launch.max_usd: 9.0; `up` was told 1.0\n" in told
    assert [one.id for one in aws.alive()] == [held.id]


@pytest.mark.parametrize(("answers", "told", "left"), [
    ("n", "training was stopped, and is at home; the machine may still run and cost: python -m nmt.launch term", 1),
    ("yn", "the old machine has ended; python -m nmt.launch relaunch launch.name=nmt", 0),
])  # fmt: skip
def test_a_no_to_a_relaunch_says_what_has_been_done_by_then(aws, trained, monkeypatch, capsys, answers, told, left):
    """It said that nothing was done: training had been stopped, and the machine cost without it."""
    monkeypatch.setattr(relaunching, "_saved", lambda *_: True)
    assert run(["up", "--yes", *words(aws)]) == 0
    Assignment(["seed=2"], "nmt-1", "runs/nmt-1", "/home/x").save(Path("runs/launch"), "nmt")
    given = iter(answers)
    monkeypatch.setattr("builtins.input", lambda question: next(given))
    assert run(["relaunch", *home(aws)]) == 2
    assert told in capsys.readouterr().out
    assert (len(aws.alive()), trained) == (left, [])


def test_up_after_the_end_starts_from_the_defaults(aws):
    assert run(["up", "--yes", *words(aws, *SPOT)]) == 0
    assert run(["terminate", "--yes", "--no-fetch", *home(aws)]) == 0
    assert run(["up", "--yes", *words(aws)]) == 0
    assert [one.instance_type for one in aws.alive()] == ["g4dn.xlarge"]


def test_a_no_to_another_machine_forgets_nothing(aws, monkeypatch, capsys):
    """The record of the one that had ended was gone, and `terminate` looked in the default region."""
    assert run(["up", "--yes", *words(aws)]) == 0
    (held,) = aws.alive()
    aws.end(held, "Server.SpotInstanceTermination")
    aws.nature.clock.sleep(60.0)
    elsewhere = [word for word in words(aws) if "region" not in word]
    monkeypatch.setattr("builtins.input", lambda question: "n")
    capsys.readouterr()
    assert run(["up", *elsewhere]) == 2
    assert "where    us-east-1, us-east-1" in capsys.readouterr().out, "what is typed holds"
    assert run(["terminate", "--yes", "--no-fetch", *elsewhere]) == 0
    assert "nothing of nmt is left in eu-west-1\n" in capsys.readouterr().out


# AWS's own words.


def answer_with(aws, action, code, message, status=400):
    aws.fault = lambda call, act: refusal(call, code, status, message) if call.action == action else None


@pytest.mark.parametrize(
    ("code", "message", "found", "step"),
    [
        ("SignatureDoesNotMatch", "Signature expired: 20261128T1 is now earlier than 20261128T2",
         "a request from another time (SignatureDoesNotMatch: Signature expired: 20261128T1 is now earlier than "
         "20261128T2)", "set this machine's clock"),
        ("SignatureDoesNotMatch", "The request signature we calculated does not match",
         "a secret key that does not fit the access key (SignatureDoesNotMatch: The request signature we calculated "
         "does not match)", "run `aws configure`"),
        ("RequestExpired", "Request has expired.",
         "credentials that have expired (RequestExpired: Request has expired)",
         "run `aws configure` or `aws sso login`"),
        ("ExpiredToken", "The security token included in the request is expired",
         "credentials that have expired (ExpiredToken: The security token included in the request is expired)",
         "run `aws configure` or `aws sso login`"),
    ],
)  # fmt: skip
def test_aws_s_code_and_sentence_stand_beside_ours(aws, capsys, code, message, found, step):
    answer_with(aws, "DescribeInstances", code, message)
    assert run(["up", "--yes", *words(aws)]) == 2
    told = capsys.readouterr().err
    assert f"found {found}, expected" in told
    assert step in told


def test_a_wrong_clock_is_told_from_credentials_that_ran_out(aws, monkeypatch, capsys):
    """EC2 says RequestExpired of both; AWS's own date stands above its answer."""
    answer_with(aws, "DescribeInstances", "RequestExpired", "Request has expired.")
    now = aws.nature.clock.now
    monkeypatch.setattr("nmt.launch.clock.now", lambda: now() - 1200.0)
    assert run(["up", "--yes", *words(aws)]) == 2
    assert "found a request from another time (RequestExpired: Request has expired)" in capsys.readouterr().err


# What AWS is asked.


def test_a_zone_without_a_default_subnet_is_not_the_last(aws, capsys):
    def no_subnet(call, act):
        if call.action == "RunInstances" and call.fields.get("Placement.AvailabilityZone") == "eu-west-1a":
            return refusal(call, "MissingInput", 400, "No default subnet for availability zone: 'eu-west-1a'")
        return None

    aws.fault = no_subnet
    assert run(["up", "--yes", *words(aws)]) == 0
    assert [one.placement.zone for one in aws.alive()] == ["eu-west-1b"]
    assert "eu-west-1a: no default subnet (MissingInput: No default subnet for avail" in capsys.readouterr().out


def test_capacity_that_comes_back(aws, capsys):
    full = []

    def until_the_second_round(call, act):
        if call.action == "RunInstances" and not call.dry and len(full) < 9:  # botocore asks three times
            full.append(call.fields["Placement.AvailabilityZone"])
            return refusal(call, "InsufficientInstanceCapacity", 500, "We do not have sufficient capacity")
        return None

    aws.fault = until_the_second_round
    assert run(["up", "--yes", *words(aws)]) == 2
    assert "no free machine of this type (InsufficientInstanceCapacity: We do not" in capsys.readouterr().err
    assert aws.alive() == []
    assert run(["up", "--yes", *words(aws)]) == 0
    assert len(aws.alive()) == 1


def preflight(aws, capsys, *options):
    run(["preflight", *words(aws, *options)])
    return " ".join(capsys.readouterr().out.split())


def test_vcpus_and_gpus_of_a_type_are_those_that_aws_names(aws, capsys):
    told = preflight(aws, capsys, "machine.instance_type=g4dn.12xlarge")
    assert "ok type g4dn.12xlarge (48 vCPUs, 4 x T4) in eu-west-1a" in told
    assert "NO quota, on demand G and VT, on demand (L-DB2E81BA): 8 of 8 vCPUs left, 48 are needed" in told


def test_the_quota_is_that_of_the_type(aws, capsys):
    told = preflight(aws, capsys, "machine.instance_type=p3.2xlarge")
    assert "P, on demand (L-417A185B): 0 of 0 vCPUs left" in told
    assert "G and VT" not in told
    assert "? quota, on demand trn1.2xlarge counts against a quota that is not known here" in preflight(
        aws, capsys, "machine.instance_type=trn1.2xlarge"
    )


def test_an_image_for_another_processor_is_red(aws, capsys):
    told = preflight(aws, capsys, "machine.instance_type=t4g.small")
    assert "is for x86_64, a t4g.small is arm64 -> name another one with machine.image=AMI" in told


def test_a_machine_without_a_gpu(aws, capsys):
    assert "NO driver and wheel the t3.micro has no GPU -> set remote.cuda=false" in preflight(
        aws, capsys, "machine.instance_type=t3.micro"
    )
    assert "ok driver and wheel the t3.micro has no GPU" in preflight(
        aws, capsys, "machine.instance_type=t3.micro", "remote.cuda=false"
    )


def test_no_line_is_wider_than_a_terminal(aws, capsys, monkeypatch):
    monkeypatch.setattr("nmt.launch.checks.offered_regions", lambda *_: ([f"us-gov-north-{n}" for n in range(21)], []))
    run(["preflight", *words(aws)])
    assert max(map(len, capsys.readouterr().out.splitlines())) <= 120


@pytest.mark.parametrize(
    ("name", "value"), [("AWS_REGION", "us-west-2"), ("AWS_DEFAULT_REGION", "us-west-2"), ("config", "us-west-2")]
)
def test_the_region_is_the_one_that_aws_s_tools_would_take(aws, monkeypatch, tmp_path, capsys, name, value):
    from tests.system.aws_client import near

    near.cache_clear()
    if name == "config":
        (tmp_path / ".aws").mkdir()
        (tmp_path / ".aws" / "config").write_text(f"[default]\nregion = {value}\n")
    else:
        monkeypatch.setenv(name, value)
    options = [word for word in words(aws) if "region" not in word]
    assert run(["up", "--yes", *options]) == 0
    assert len(aws.alive(value)) == 1
    assert "where    us-west-2, us-west-2a" in capsys.readouterr().out
    monkeypatch.delenv(name, raising=False)
    assert run(["terminate", "--yes", "--no-fetch", *options]) == 0, "from its record"
    assert aws.left(value) == []
    near.cache_clear()


def test_a_region_that_nothing_names_is_said(aws, capsys):
    options = [word for word in words(aws) if "region" not in word]
    run(["preflight", *options])
    told = capsys.readouterr()
    assert "no region is named (launch.region, AWS_REGION, the profile): taking us-east-1" in told.err
    assert "g4dn.xlarge in us-east-1, on demand" in told.out


def test_ps_asks_aws(aws, capsys):
    assert run(["up", "--yes", *words(aws)]) == 0
    (held,) = aws.alive()
    capsys.readouterr()
    assert run(["ps", *home(aws)]) == 0
    assert f"{held.id}  {held.public_ip}" in (told := capsys.readouterr().out)
    assert "0.594  running   no training yet" in told
    aws.end(held, "Server.SpotInstanceTermination")
    aws.nature.clock.sleep(60.0)
    assert run(["ps", *home(aws)]) == 0
    assert "0.000  terminated  ended: Server.SpotInstanceTermination" in capsys.readouterr().out


def unreachable(self, command, place, *_, **__):
    raise UnreachableError(place, Fault.timed_out)


def test_the_disk_of_a_stopped_machine_costs(aws, monkeypatch, capsys):
    """It was shown as ended, at 0.000 an hour."""
    monkeypatch.setattr("nmt.launch.ssh.Ssh._once", unreachable)
    assert run(["up", "--yes", *words(aws)]) == 0
    (held,) = aws.alive()
    assert run(["stop", *home(aws)]) == 0
    capsys.readouterr()
    assert run(["ps", *home(aws)]) == 0
    told = capsys.readouterr().out
    assert f"{held.id}  -        0.007  stopped   its disk costs: python -m nmt.launch up launch.name=nmt" in told
    assert run(["cost", *home(aws)]) == 0
    told = capsys.readouterr().out
    assert f"{held.id} (g4dn.xlarge) in eu-west-1, stopped\n" in told
    assert told.endswith("  an hour  $0.0072: its disk, $5.28 a month until it is terminated\n")
    Assignment(["seed=2"], "nmt-1", "runs/nmt-1", "/home/x", held.id).save(Path("runs/launch"), "nmt")
    assert run(["fetch", *home(aws)]) == 2
    told = capsys.readouterr().err
    assert "found that AWS has it stopped (stopped: " in told
    assert "up launch.name=nmt" in told
    assert "starts it again; until it is terminated its disk costs.\n" in told
    monkeypatch.setattr("builtins.input", lambda question: "n")
    assert run(["terminate", *home(aws)]) == 2
    assert "are lost; python -m nmt.launch up launch.name=nmt" in (told := capsys.readouterr().out)
    assert " and then fetch bring home what is there\n" in told


def test_a_machine_that_ends_costs_no_more(aws, capsys):
    assert run(["up", "--yes", *words(aws)]) == 0
    (held,) = aws.alive()
    aws.nature.pace = replace(aws.nature.pace, shutting_down_s=60.0)
    aws.end(held)
    capsys.readouterr()
    assert run(["cost", *home(aws)]) == 0
    assert capsys.readouterr().out.endswith("  the end  AWS ends it: it costs no more\n")
    assert run(["ps", *home(aws)]) == 0
    assert "0.000  shutting-down  ended: " in capsys.readouterr().out


def test_a_machine_that_stops_by_itself_goes_on_costing_and_that_is_said(aws, capsys):
    disk = "from then on its disk costs $5.28 a month until it is terminated"
    assert disk in preflight(aws, capsys, "launch.shutdown=stop")
    assert disk not in preflight(aws, capsys)
    assert run(["up", "--yes", *words(aws, "launch.shutdown=stop")]) == 0
    assert f"by itself after 12 h (stop), $7.13 at most; {disk}\n" in capsys.readouterr().out
    assert run(["cost", *home(aws)]) == 0
    assert capsys.readouterr().out.endswith(f"; {disk}\n")


def test_ps_knows_what_was_asked_for_and_never_answered(aws, capsys):
    def lost(call, act):
        if call.action == "RunInstances":
            act()
        return refusal(call, "InternalError", 500) if call.service == "ec2" and call.action == "RunInstances" else None

    aws.fault = lost
    aws.nature.pace = replace(aws.nature.pace, listed_after_s=100.0)
    assert run(["up", "--yes", *words(aws)]) == 2
    capsys.readouterr()
    assert run(["ps", *home(aws)]) == 0
    assert "asked for  python -m nmt.launch up launch.name=nmt" in capsys.readouterr().out


def test_fetch_says_at_once_that_the_machine_has_ended(aws, monkeypatch, capsys):
    """It neither waits five minutes for a machine that is gone, nor says that it costs."""
    assert run(["up", "--yes", *words(aws)]) == 0
    (held,) = aws.alive()
    Assignment(["seed=2"], "nmt-1", "runs/nmt-1", "/home/ubuntu/nmt-launch").save(Path("runs/launch"), "nmt")
    waited = []
    monkeypatch.setattr("nmt.launch.ssh.Ssh._once", unreachable)
    monkeypatch.setattr("nmt.launch.remote_commands.Ssh.sleep", waited.append, raising=False)
    aws.end(held, "Server.SpotInstanceTermination")
    capsys.readouterr()
    assert run(["fetch", *home(aws)]) == 2
    told = capsys.readouterr().err
    assert "found that AWS has it no longer running (" in told
    assert "Server.SpotInstanceTermination" in told
    assert "relaunch launch.name=nmt" in told
    assert "may still run" not in told
    assert waited == []


def test_terminate_fetches_from_the_machine_that_was_given_the_training_alone(aws, monkeypatch):
    """job.json outlives its machine, so that a `relaunch` finds it: the next one was asked for a run it never had."""
    assert run(["up", "--yes", *words(aws)]) == 0
    (held,) = aws.alive()
    given = Assignment(["seed=2"], "nmt-1", "runs/nmt-1", "/home/ubuntu/nmt-launch", held.id)
    given.save(Path("runs/launch"), "nmt")
    fetched = []
    monkeypatch.setattr(remote_commands, "fetch", lambda ssh, _: fetched.append(ssh.machine.instance_id))
    assert run(["terminate", "--yes", *home(aws)]) == 0
    assert run(["up", "--yes", *words(aws)]) == 0
    assert run(["terminate", "--yes", *home(aws)]) == 0
    assert fetched == [held.id]


def test_a_machine_that_does_not_answer_is_waited_for_where_it_runs(aws, monkeypatch, capsys):
    assert run(["up", "--yes", *words(aws)]) == 0
    Assignment(["seed=2"], "nmt-1", "runs/nmt-1", "/home/ubuntu/nmt-launch").save(Path("runs/launch"), "nmt")
    monkeypatch.setattr("nmt.launch.ssh.Ssh._once", unreachable)
    assert run(["fetch", *home(aws), "remote.wait_s=0"]) == 2
    assert "found no answer" in (told := capsys.readouterr().err)
    assert "the machine may still run and cost" in told


def test_what_up_was_told_holds_no_secret(aws):
    assert run(["up", "--yes", *words(aws, *SPOT)]) == 0
    kept = json.loads(Path("runs/launch/nmt/terms.json").read_text())
    assert kept["account"] == "123456789012"
    assert kept["options"]["launch.spot"] is True
    assert Path("runs/launch/nmt/terms.json").stat().st_mode & 0o777 == 0o600
