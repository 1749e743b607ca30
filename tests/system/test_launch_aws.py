"""Preflight, up, stop, terminate, cost, sweep-orphans against a local AWS: asserted is what the server holds."""

from __future__ import annotations

import ast
import base64
import json
import re
import stat
from dataclasses import replace
from pathlib import Path

import boto3
import pytest
import yaml
from moto.ec2.models.instances import InstanceState

import nmt.launch
from nmt.errors import LaunchError
from nmt.launch import messages, offers, terminate, up
from nmt.launch.aws import NAME_TAG, Aws, connect
from nmt.launch.bill import bill, read_events
from nmt.launch.commands import run
from nmt.launch.machine import load_machine
from nmt.launch.messages import usd
from nmt.launch.policy import actions
from tests.system import aws_server
from tests.system.aws_added import ADDED, IMAGE_NAME, image_id
from tests.system.aws_client import account, quick, words
from tests.system.aws_client import configuration as config
from tests.system.aws_faults import inject
from tests.system.aws_requests import OWN_ADDRESS, REGION, SECRET, refusal
from tests.system.aws_server import HOST_KEY, near_aws
from tests.system.aws_unkind import KIND, UNKIND, Clock, Nature

YES = frozenset({"--yes"})


@pytest.fixture(params=[KIND, UNKIND], ids=["kind", "unkind"])
def aws(request, tmp_path, monkeypatch):
    account(monkeypatch, tmp_path)
    monkeypatch.chdir(tmp_path)
    clock = Clock()
    quick(monkeypatch, clock)
    with near_aws(Nature(clock, request.param)) as server:
        yield server


def ending(aws, name="nmt", command="terminate"):
    return f"python -m nmt.launch {command} launch.name={name} launch.region={REGION} launch.endpoint_url={aws.url}"


def let_in(aws):
    """The networks that our groups let in."""
    aws.settle()
    found = connect(config(aws).launch).client("ec2").describe_security_groups()["SecurityGroups"]
    ours = [group for group in found if group["GroupName"] != "default"]
    return [span["CidrIp"] for group in ours for rule in group["IpPermissions"] for span in rule["IpRanges"]]


def fetched(config, machine):
    """Stands for bringing home what the machine made."""
    print(f"fetched from {machine.instance_id}")


def seen(capsys):
    """What was printed, in one line; and the mark of each row."""
    told = capsys.readouterr().out
    return " ".join(told.split()), [mark for line in told.splitlines()[1:-1] if (mark := line[2:5].strip())]


FRESH, ENABLED = boto3.session.Session, offers.enabled_regions  # before any test replaces them


def test_preflight_is_green_for_a_g4dn(aws, capsys, monkeypatch):
    monkeypatch.setattr(offers, "enabled_regions", ENABLED)
    assert run(["preflight", *words(aws)]) == 0
    told, marks = seen(capsys)
    assert marks == ["ok"] * 12
    assert "g4dn.xlarge (4 vCPUs, 1 x T4) in eu-west-1a, eu-west-1b, eu-west-1c; in 21 regions: af-south-1," in told
    assert "G and VT, on demand (L-DB2E81BA): 8 of 8 vCPUs left" in told
    assert "on demand $0.587 an hour; spot $0.18 in eu-west-1b, $0.21 in eu-west-1a, $0.24 in eu-west-1c;" in told
    assert "$7.13 at most: its timer powers it off after 12 h" in told  # (0.587 + 60 * 0.088 / 730) * 12
    assert aws.left() == []


def test_preflight_says_when_a_p2_was_last_seen_and_what_comes_nearest(aws, capsys, monkeypatch):
    monkeypatch.setattr(offers, "enabled_regions", ENABLED)
    assert run(["preflight", *words(aws, "machine=p2_xlarge")]) == 2
    told, _ = seen(capsys)
    assert (
        "NO type p2.xlarge is not offered in eu-west-1, in no region that this account may use: last seen in us-east-1 "
        "on 16 March 2025, gone on 30 March 2025 -> python -m nmt.launch preflight machine=g4dn_xlarge "
        "launch.region=eu-west-1 (g4dn.xlarge, T4, 16 GB)"
    ) in told
    assert "P, on demand (L-417A185B): 0 of 0 vCPUs left, 4 are needed" in told
    assert "TensorFlow 2.14.1, Python 3.11, CUDA 11.8 (driver 450 or later; here branch 470), K80 of compute" in told
    assert told.endswith("this cannot work yet: mend what says NO")


def test_a_p2_works_where_one_exists(aws, monkeypatch):
    """As in a private region: offered, with an image of one's own."""
    monkeypatch.setattr(aws_server, "CATALOGUED", {})  # what is offered here is offered in no other test
    backend = aws.backend()
    monkeypatch.setattr(
        type(backend), "describe_instance_type_offerings",
        lambda self, location, filters: [{"InstanceType": "p2.xlarge", "Location": f"{REGION}a", "LocationType": "x"}],
    )  # fmt: skip
    aws.quotas["L-417A185B"] = 4.0
    own = backend.register_image(name="kepler").id
    options = ["machine=p2_xlarge", f"machine.image={own}", "launch.usd_per_hour=0.9"]
    assert run(["preflight", *words(aws, *options)]) == 0
    monkeypatch.setattr("moto.settings.EC2_ENABLE_INSTANCE_TYPE_VALIDATION", False)
    assert up.up(config(aws, *options), YES) is None
    assert load_machine(Path("runs/launch"), "nmt").lane == "tf214"


REDS = {
    "quota": (["machine=g5_xlarge"], "G and VT, on demand (L-DB2E81BA): 0 of 4 vCPUs left, 4 are needed",
              "end what uses 4 of them, or ask for more at https://eu-west-1.console.aws.amazon.com/servicequotas"),
    "zone": (["launch.zones=[eu-west-1d]"], "g4dn.xlarge is not in eu-west-1d",
             "choose among launch.zones=[eu-west-1a,eu-west-1b,eu-west-1c]"),
    "region": (["machine=g6_xlarge"], "g6.xlarge is not offered in eu-west-1, only in us-east-1, us-west-2",
               "launch.region=us-east-1, or python -m nmt.launch preflight machine=g5_xlarge"),
    "wheel": (["machine.compute_capability=3.7"], "TensorFlow 2.21.0 has no code below compute capability 6.0, the T4 "
              "has 3.7", "set machine.lane=tf214 machine.python=3.11"),
    "python": (["machine.lane=tf214"], "TensorFlow 2.14.1 is tried on Python 3.11", "set machine.python=3.11"),
    "driver": (["machine.driver=470"], "CUDA 12 needs a driver of branch 525 or later, the image has 470",
               "name another one with machine.image=AMI"),
    "image": (["machine.image=ami-00000000"], "AWS, ec2:DescribeImages in eu-west-1: no such image in this region",
              "correct machine.image, or leave it out"),
    "subnet": (["launch.subnet=subnet-00000000"], "ec2:DescribeSubnets in eu-west-1: no such subnet in this region",
               "correct launch.subnet"),
    "hotel": (["launch.region=nowhere-1"], "an answer that is not AWS's", "a login page or a proxy may stand between"),
    "max_usd": (["machine=p2_xlarge", "launch.max_usd=2"], "unknown without a price", "set launch.usd_per_hour=PRICE"),
}  # fmt: skip


@pytest.mark.parametrize("name", REDS)
def test_each_red_row_says_how_to_mend_it(aws, capsys, name):
    options, found, mend = REDS[name]
    if name == "quota":  # another machine of the family uses what there is
        aws.quotas["L-DB2E81BA"] = 4.0
        up.up(config(aws, "launch.name=first"), YES)
    capsys.readouterr()
    run(["preflight", *words(aws, *options)])
    told, _ = seen(capsys)
    before, _, after = told.partition(found)
    marks = re.findall(r" (ok|NO|\?) (?=credentials|type|quota|network|image|driver|disk|own|perm|price|cost)", before)
    assert marks[-1] == ("?" if name == "hotel" else "NO")
    assert mend in after


def test_without_credentials_only_what_needs_none_is_looked_at(aws, monkeypatch, capsys):
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.setattr("boto3.session.Session", FRESH)
    assert run(["preflight", *words(aws)]) == 2
    told, marks = seen(capsys)
    assert "NO credentials AWS, sts:GetCallerIdentity in eu-west-1: no credentials" in told
    assert "-> run `aws configure` or `aws sso login`, or choose a profile with launch.profile=NAME" in told
    assert marks == ["NO", "ok", "ok"]


def test_what_the_server_holds_after_up(aws, capsys):
    """Group, metadata options, encryption and tags as AWS would show them to anybody who asks."""
    assert up.up(config(aws, "+launch.tags.team=mt"), YES) is None
    aws.settle()
    capsys.readouterr()
    client = connect(config(aws).launch).client("ec2")
    (machine,) = [one for page in client.describe_instances()["Reservations"] for one in page["Instances"]]
    assert machine["InstanceType"] == "g4dn.xlarge"
    assert machine["ImageId"] == image_id(aws, REGION)
    assert machine["MetadataOptions"]["HttpTokens"] == "required"
    assert machine["MetadataOptions"]["HttpPutResponseHopLimit"] == 1
    marks = {"Name": "nmt-nmt", "nmt:launch": "nmt", "nmt:owner": "moto", "team": "mt"}

    def tags(item):
        return {one["Key"]: one["Value"] for one in item["Tags"]}

    assert tags(machine) == marks
    (disk,) = client.describe_volumes()["Volumes"]
    assert (disk["Size"], disk["VolumeType"], disk["Encrypted"]) == (60, "gp3", True)
    (mapped,) = machine["BlockDeviceMappings"]
    assert (mapped["Ebs"]["VolumeId"], mapped["Ebs"]["DeleteOnTermination"]) == (disk["VolumeId"], True)
    assert tags(disk) == marks
    (group,) = client.describe_security_groups(GroupIds=[one["GroupId"] for one in machine["SecurityGroups"]])[
        "SecurityGroups"
    ]
    (rule,) = group["IpPermissions"]
    assert (rule["IpProtocol"], rule["FromPort"], rule["ToPort"]) == ("tcp", 22, 22)
    assert [span["CidrIp"] for span in rule["IpRanges"]] == [f"{OWN_ADDRESS}/32"]
    assert tags(group) == marks
    (pair,) = client.describe_key_pairs()["KeyPairs"]
    assert pair["KeyName"] == machine["KeyName"]
    assert tags(pair) == marks
    attribute = client.describe_instance_attribute
    shutdown = attribute(InstanceId=machine["InstanceId"], Attribute="instanceInitiatedShutdownBehavior")
    assert shutdown["InstanceInitiatedShutdownBehavior"]["Value"] == "terminate"
    data = attribute(InstanceId=machine["InstanceId"], Attribute="userData")["UserData"]["Value"]
    head, _, rest = base64.b64decode(data).decode().partition("\n")
    timer = "/var/lib/cloud/scripts/per-boot/nmt-timer"
    script = "#!/bin/sh\nexec shutdown -P +720\n"
    assert head == "#cloud-config"
    assert yaml.safe_load(rest) == {"write_files": [{"path": timer, "permissions": "0755", "content": script}]}


def test_what_is_kept_here_after_up(aws):
    up.up(config(aws), YES)
    machine = load_machine(Path("runs/launch"), "nmt")
    (held,) = aws.alive()
    assert (machine.instance_id, machine.address, machine.port) == (held.id, held.public_ip, 22)
    assert machine.usd_per_hour == pytest.approx(0.587 + 60 * 0.088 / 730)
    assert machine.known_hosts.read_text() == f"{held.public_ip} {HOST_KEY}\n"
    assert stat.S_IMODE(machine.key_file.stat().st_mode) == 0o400
    assert machine.key_file.read_text().startswith("-----BEGIN OPENSSH PRIVATE KEY-----")
    assert not (machine.key_file.parent / "starting.json").exists()
    (event,) = read_events(machine.key_file.parent)
    assert (event.what, event.image) == ("started", image_id(aws, REGION))


def test_a_disk_grows_to_what_the_image_needs_and_is_paid_for(aws, monkeypatch):
    image_id(aws, REGION)
    root = next(ami for ami in aws.backend().amis.values() if ami.name == IMAGE_NAME).root_device_name
    mapping = [{"DeviceName": root, "Ebs": {"VolumeSize": 75}}]
    monkeypatch.setattr("moto.ec2.models.amis.Ami.block_device_mappings", mapping)
    up.up(config(aws), YES)
    (disk,) = aws.backend().describe_volumes()
    (event,) = read_events(Path("runs/launch/nmt"))
    assert (disk.size, event.disk_gb) == (75, 75)
    assert event.disk_usd_per_hour == pytest.approx(75 * 0.088 / 730)


def test_another_port_and_host_are_what_ssh_checks(aws):
    up.up(config(aws, "launch.host=127.0.0.1", "launch.port=2222"), YES)
    machine = load_machine(Path("runs/launch"), "nmt")
    assert machine.known_hosts.read_text() == f"[127.0.0.1]:2222 {HOST_KEY}\n"
    (group,) = [one for one in aws.backend().describe_security_groups() if one.name != "default"]
    assert [(rule.from_port, rule.to_port) for rule in group.ingress_rules] == [(2222, 2222)]


def test_up_again_is_the_same_machine(aws, capsys):
    up.up(config(aws), YES)
    up.up(config(aws), YES)
    (held,) = aws.alive()
    assert f"{held.id} in eu-west-1 runs already (running); nothing more is started" in capsys.readouterr().out


def test_a_no_starts_nothing(aws, monkeypatch, capsys):
    monkeypatch.setattr("builtins.input", lambda question: "n")
    assert up.up(config(aws), frozenset()) == 2
    told = capsys.readouterr().out
    assert "ends     by itself after 12 h (terminate), $7.13 at most" in told
    assert "nothing was done" in told
    assert aws.left() == []


def test_one_s_own_key(aws, tmp_path):
    up.up(config(aws, "launch.name=maker"), YES)
    made = tmp_path / "runs/launch/maker/id_ed25519"
    options = [f"launch.public_key={made}.pub", f"launch.key_file={made}"]
    up.up(config(aws, *options), YES)
    assert load_machine(Path("runs/launch"), "nmt").key_file == made
    terminate.terminate(config(aws, *options), YES, fetched)
    assert made.exists()
    with pytest.raises(LaunchError, match="holds no public key of type ed25519 or rsa, expected such a key; name the"):
        up.up(config(aws, f"launch.public_key={made}", f"launch.key_file={made}"), YES)


def test_everybody_only_when_forced(aws, capsys):
    up.up(config(aws, "launch.allow_world=true"), YES)
    assert "Everybody may try to log in" in capsys.readouterr().out
    assert let_in(aws) == ["0.0.0.0/0"]


def test_refresh_access_lets_in_the_new_address_and_not_the_old(aws, capsys):
    up.up(config(aws), YES)
    assert terminate.refresh_access(config(aws, "launch.address=198.51.100.9"), frozenset()) is None
    assert let_in(aws) == ["198.51.100.9/32"]
    assert f"port 22 from 198.51.100.9/32 (before: {OWN_ADDRESS}/32)" in capsys.readouterr().out


def test_stopped_and_started_again(aws, capsys):
    up.up(config(aws), YES)
    (held,) = aws.alive()
    assert terminate.stop(config(aws), frozenset()) is None
    assert held.state == "stopped"
    assert f"its disk stays and is paid for. {ending(aws, command='up')} starts it again" in capsys.readouterr().out
    up.up(config(aws), YES)
    assert [one.id for one in aws.alive()] == [held.id]
    assert held.state == "running"
    events = read_events(Path("runs/launch/nmt"))
    assert [event.what for event in events] == ["started", "stopped", "started"]


def test_a_spot_machine_is_one_time_cheapest_zone_first_and_cannot_be_stopped(aws):
    up.up(config(aws, "launch.spot=true"), YES)
    (held,) = aws.alive()
    assert held.placement.zone == "eu-west-1b"
    (asked,) = [call.fields for call in aws.calls if call.action == "RunInstances"]
    assert asked["InstanceMarketOptions.SpotOptions.SpotInstanceType"] == "one-time"
    machine = load_machine(Path("runs/launch"), "nmt")
    assert machine.spot
    assert machine.usd_per_hour == pytest.approx(0.18 + 60 * 0.088 / 730)
    with pytest.raises(
        LaunchError, match="found a spot machine, expected one on demand: one-time spot machines cannot"
    ):
        terminate.stop(config(aws), frozenset())


def test_terminate_fetches_first_and_leaves_nothing(aws, capsys):
    up.up(config(aws), YES)
    (held,) = aws.alive()
    assert terminate.terminate(config(aws), YES, fetched) is None
    told = capsys.readouterr().out.splitlines()
    total = bill(read_events(Path("runs/launch/nmt")), until=0.0)
    assert total.machine_usd == pytest.approx(0.587 * aws.nature.seconds_charged(held.id) / 3600)
    places = [next(n for n, line in enumerate(told) if text in line) for text in (
        "the machine and all on its disk are lost", f"fetched from {held.id}", f"ending {held.id}",
        "nothing of nmt is left in eu-west-1", f"has ended: {usd(total.usd)}, of it ",
    )]  # fmt: skip
    assert places == sorted(places)
    assert aws.left() == []
    kept = sorted(path.name for path in Path("runs/launch/nmt").iterdir())
    assert kept == [".lock", "bill.jsonl", "terms.json"], "what `relaunch` starts from"


def test_a_fetch_that_fails_keeps_the_machine_unless_told_not_to(aws, capsys):
    up.up(config(aws), YES)
    (held,) = aws.alive()

    def broken(config, machine):
        raise LaunchError("nmt", found="no answer", expected="a connection", next_step="try again")

    with pytest.raises(LaunchError) as caught:
        terminate.terminate(config(aws), YES, broken)
    assert str(caught.value).endswith("mend it (try again), or lose what is there with --no-fetch.")
    assert f"{held.id} in eu-west-1 may still run and cost: {ending(aws)} ends it." in capsys.readouterr().err
    assert terminate.terminate(config(aws), YES | {"--no-fetch"}, broken) is None
    assert aws.left() == []


def test_terminate_without_a_record_finds_the_machine_by_its_tags(aws):
    up.up(config(aws), YES)
    (Path("runs/launch/nmt/machine.json")).unlink()
    assert terminate.terminate(config(aws), YES, fetched) is None
    assert aws.left() == []


def test_terminate_where_there_is_nothing(aws):
    with pytest.raises(LaunchError) as caught:
        terminate.terminate(config(aws), YES, fetched)
    assert str(caught.value) == (
        "launch.name=nmt: found no machine of this name on record in runs/launch, nor with the tags of moto (account "
        "123456789012) in eu-west-1, expected the folder, keys and region of its start; "
        "`python -m nmt.launch sweep-orphans` looks in every region."
    )


def test_cost_so_far_an_hour_and_at_the_end(aws, capsys):
    up.up(config(aws), YES)
    (held,) = aws.alive()
    start = read_events(Path("runs/launch/nmt"))[0].seconds
    aws.nature.clock.sleep(start + 2 * 3600 - aws.nature.clock.now())
    capsys.readouterr()
    assert run(["cost", *words(aws)]) == 0
    told = capsys.readouterr().out
    assert f"{held.id} (g4dn.xlarge) in eu-west-1, running\n" in told
    assert "  so far   $1.19: ran 2.00 h ($1.17), disk of 60 GB for 2.00 h ($0.0145)\n" in told
    assert "  an hour  $0.5942\n" in told
    assert "  the end  $7.13 at most, where its timer powers it off at " in told


def test_cost_of_a_machine_that_ended_by_itself(aws, capsys):
    up.up(config(aws), YES)
    (held,) = aws.alive()
    aws.nature.clock.sleep(1800)
    aws.end(held)
    capsys.readouterr()
    assert run(["cost", *words(aws)]) == 0
    ran_h = aws.nature.seconds_charged(held.id) / 3600
    if aws.nature.pace is UNKIND:
        assert f"{held.id} (g4dn.xlarge) in eu-west-1, shutting-down" in capsys.readouterr().out
        aws.nature.clock.sleep(300)
        assert run(["cost", *words(aws)]) == 0
    told = capsys.readouterr().out
    assert f"{held.id} (g4dn.xlarge) in eu-west-1 has ended: {usd(ran_h * (0.587 + 60 * 0.088 / 730))}" in told
    assert f"it ran {ran_h:.2f} h" in told
    assert read_events(Path("runs/launch/nmt"))[-1].what == "ended"


def test_another_machine_of_a_name_on_record_is_an_orphan(aws, monkeypatch, capsys):
    up.up(config(aws), YES)
    (known,) = aws.alive()
    up.up(config(aws, "launch.name=lost", "launch.folder=elsewhere"), YES)
    (other,) = [one for one in aws.alive() if one.id != known.id]
    own_tags = {"Resources": [other.id], "Tags": [{"Key": NAME_TAG, "Value": "nmt"}]}
    connect(config(aws).launch).call("ec2", "CreateTags", own_tags)
    aws.nature.clock.sleep(300)  # until AWS shows them
    capsys.readouterr()
    assert run(["sweep-orphans", *words(aws), "--yes"]) == 0
    told = capsys.readouterr().out
    assert re.search(rf"{known.id} +nmt +running, known here, kept\n", told)
    assert re.search(rf"{other.id} +nmt +running, orphan\n", told)
    assert [one.id for one in aws.alive()] == [known.id]


def test_orphans_of_every_region_are_found_and_what_is_known_here_is_kept(aws, monkeypatch, capsys):
    up.up(config(aws), YES)
    up.up(config(aws, "launch.name=lost", "launch.region=us-east-1", "launch.folder=elsewhere"), YES)
    capsys.readouterr()
    assert run(["sweep-orphans", *words(aws), "--yes"]) == 0
    told = capsys.readouterr().out
    assert "us-east-1  machine g4dn.xlarge" in told
    assert "running, known here, kept" in told
    assert aws.left("us-east-1") == []
    assert len(aws.alive()) == 1
    assert run(["sweep-orphans", *words(aws), "--yes", "--all"]) == 0
    assert "running, known here\n" in capsys.readouterr().out
    assert aws.left() == []


def test_the_other_zones_are_tried(aws, capsys):
    def full(call, act):
        zone = call.fields.get("Placement.AvailabilityZone") if call.action == "RunInstances" else None
        if zone in ("eu-west-1a", "eu-west-1b"):
            return refusal(call, "InsufficientInstanceCapacity", 500)
        return None

    aws.fault = full
    up.up(config(aws), YES)
    (held,) = aws.alive()
    assert held.placement.zone == "eu-west-1c"
    assert "eu-west-1a: no free machine of this type" in capsys.readouterr().out
    tokens = [call.fields["ClientToken"] for call in aws.calls if call.action == "RunInstances"]
    assert len(set(tokens)) == 3  # a request of its own for each zone, whatever botocore repeats


def test_the_limit_in_dollars_holds_in_the_dearest_zone(aws, capsys):
    """The timer was that of the cheapest one, wherever the machine started."""
    up.up(config(aws, "launch.spot=true", "launch.max_usd=1", "launch.max_hours=12"), YES)
    hours = 1 / (0.24 + 60 * 0.088 / 730)
    told = capsys.readouterr().out
    assert "price    $0.18 to $0.24 in eu-west-1c an hour, its disk" in told
    assert f"by itself after {hours:.3g} h (terminate), $1.00 at most" in told
    (asked,) = [call.fields for call in aws.calls if call.action == "RunInstances"]
    assert f"shutdown -P +{round(hours * 60)}" in base64.b64decode(asked["UserData"]).decode()


def test_the_policy_names_what_the_code_asks_for_and_no_more(aws):
    """Read from the syntax trees. AWS asks for two besides: to mark what is made, to be told that a file is missing."""
    found = set()
    for path in Path(nmt.launch.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr in ("call", "pages")
            ):
                service, action = node.args[:2]
                assert isinstance(service, ast.Constant), ast.unparse(node)
                assert isinstance(action, ast.Constant), ast.unparse(node)
                found.add(f"{service.value.replace('-', '')}:{action.value}")
    assert found | {"ec2:CreateTags", "s3:ListBucket"} == actions()


def test_the_policy_is_printed_as_json(capsys):
    assert run(["preflight", "--policy", "launch.s3=s3://bucket/runs/"]) == 0
    printed = json.loads(capsys.readouterr().out)
    statements = {one["Sid"]: one for one in printed["Statement"]}
    assert statements["StartMarked"]["Condition"] == {"StringLike": {"aws:RequestTag/nmt:launch": "*"}}
    assert statements["ChangeAndEndOurs"]["Condition"] == {"StringLike": {"aws:ResourceTag/nmt:launch": "*"}}
    assert statements["KeepRuns"]["Resource"] == ["arn:aws:s3:::bucket/runs/*"]
    assert all("*" not in action for one in printed["Statement"] for action in one["Action"])


def test_without_boto3_one_sentence(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr("nmt.launch.aws.boto3", None)
    assert run(["cost"]) == 2 or run(["sweep-orphans"]) == 2
    capsys.readouterr()
    assert run(["sweep-orphans"]) == 2
    assert capsys.readouterr().err == (
        "boto3: found no such package, expected the library that talks to AWS; install it with `uv sync --extra aws`.\n"
    )


def test_nothing_that_is_written_or_sent_holds_a_secret(aws, capfd, tmp_path):
    run(["preflight", *words(aws)])
    run(["up", *words(aws), "--yes"])
    run(["cost", *words(aws)])
    key = (tmp_path / "runs/launch/nmt/id_ed25519").read_text()
    secret = key.splitlines()[2]
    seen = "".join(capfd.readouterr()) + "".join(call.body for call in aws.calls) + repr(connect(config(aws).launch))
    seen += repr(config(aws))
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) > 4
    holding = [path.name for path in files if "PRIVATE KEY" in path.read_text()]
    assert holding == ["id_ed25519"]
    seen += "".join(path.read_text() for path in files if path.name != "id_ed25519")
    assert secret not in seen
    assert SECRET not in seen
    assert "AKIA" not in seen


def test_two_commands_do_not_change_one_machine_at_once(aws, tmp_path):
    with messages.locked(tmp_path / "runs/launch/nmt"), pytest.raises(LaunchError) as caught:
        up.up(config(aws), YES)
    assert "found another command at work on this machine, expected one at a time" in str(caught.value)


def test_a_name_stands_for_one_type(aws):
    up.up(config(aws), YES)
    (held,) = aws.alive()
    with pytest.raises(LaunchError) as caught:
        up.up(config(aws, "machine=g5_xlarge"), YES)
    assert str(caught.value) == (
        f"launch.name=nmt: found a g4dn.xlarge, {held.id}, that may run and cost, expected a g5.xlarge, or another "
        f"name; choose its profile with machine=NAME, or end it: {ending(aws)}."
    )


def test_a_keystroke_while_aws_is_asked(aws, monkeypatch, capsys):
    call = Aws.call

    def interrupted(self, service, action, parameters):
        answer = call(self, service, action, parameters)
        if action == "RunInstances":
            raise KeyboardInterrupt
        return answer

    monkeypatch.setattr(Aws, "call", interrupted)
    assert run(["up", *words(aws), "--yes"]) == 130
    assert f"a machine may have been started: `up` goes on with it, {ending(aws)} ends it." in capsys.readouterr().err
    monkeypatch.setattr(Aws, "call", call)
    assert run(["up", *words(aws), "--yes"]) == 0
    assert len(list(aws.backend().all_instances())) == 1


def test_a_keystroke_while_the_machine_starts(aws, monkeypatch, capsys):
    def interrupted(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(up, "host_keys", interrupted)
    assert run(["up", *words(aws), "--yes"]) == 130
    (held,) = aws.alive()
    assert f"{held.id} in eu-west-1 may still run and cost: {ending(aws)} ends it." in capsys.readouterr().err


@pytest.mark.parametrize("command", ["up", "terminate"])
def test_aws_lists_a_new_machine_late(aws, command):
    """The answer was lost, and the next command is given before AWS lists what it started: the token finds it."""
    inject(aws, "ec2:RunInstances", "dark")
    with pytest.raises(LaunchError, match="so that a machine may have been started"):
        up.up(config(aws), YES)
    aws.fault = None
    aws.nature.pace = replace(aws.nature.pace, listed_after_s=45.0, tagged_after_s=60.0)
    assert run([command, *words(aws), "--yes", *["--no-fetch"] * (command == "terminate")]) == 0
    assert len(list(aws.backend().all_instances())) == 1
    assert len(aws.alive()) == (command == "up")


@pytest.mark.parametrize(
    ("code", "step"),
    [
        ("Server.InternalError", "run `up` again, in another zone with launch.zones=[ZONE]."),
        (
            "Client.VolumeLimitExceeded",
            "delete disks that nothing uses: `python -m nmt.launch sweep-orphans` finds ours.",
        ),
    ],
)
def test_a_machine_that_ends_while_it_starts(aws, capsys, code, step):
    """AWS's own reason is told, and nothing that has ended is said to cost."""

    def end_it(call, act):
        answered = act()
        if call.action == "RunInstances" and answered[0] == 200:
            aws.end(aws.alive()[0], code)
        return answered

    aws.fault = end_it
    with pytest.raises(LaunchError) as caught:
        up.up(config(aws), YES)
    state = "shutting-down" if aws.nature.pace is UNKIND else "terminated"
    assert f"found {state} ({code}: User initiated, User initiated (" in str(caught.value)
    assert str(caught.value).endswith(step)
    assert "may still run" not in capsys.readouterr().err
    aws.fault = None
    assert up.up(config(aws), YES) is None, "another one, once that has ended"
    assert len(aws.alive()) == 1


@pytest.mark.parametrize(
    ("attribute", "value", "found"),
    [
        ("public_ip_address", None, "no public address after 300 s, expected one, to reach it"),
        ("instance_state", InstanceState("pending", 0), "pending after 300 s"),
    ],
)
def test_a_machine_that_does_not_come_up(aws, monkeypatch, capsys, attribute, value, found):
    monkeypatch.setattr(f"moto.ec2.models.instances.Instance.{attribute}", value)
    with pytest.raises(LaunchError, match=found):
        up.up(config(aws), YES)
    (held,) = aws.backend().all_instances()
    assert f"{held.id} in eu-west-1 may still run and cost: {ending(aws)} ends it." in capsys.readouterr().err


def test_a_console_that_stays_silent(aws, capsys):
    aws.console = "booting"
    with pytest.raises(LaunchError) as caught:
        up.up(config(aws), YES)
    (held,) = aws.alive()
    assert str(caught.value) == (
        f"the console of {held.id}: found no host keys after 300 s, expected the keys that cloud-init prints; run `up` "
        "again to go on waiting."
    )
    aws.console = type(aws)().console
    assert up.up(config(aws), YES) is None
    assert [one.id for one in aws.alive()] == [held.id]


def test_a_name_stands_for_one_region(aws):
    up.up(config(aws), YES)
    other = config(aws)
    other = replace(other, launch=replace(other.launch, region="us-east-1"))
    with pytest.raises(LaunchError, match="found a machine in eu-west-1, expected another name in us-east-1"):
        up.up(other, YES)


def test_every_module_with_an_aws_runs_on_both_of_its_natures():
    waits_in_truth = {"test_launch_end_to_end.py"}
    texts = {path.name: path.read_text() for path in Path(__file__).parent.glob("test_launch_*.py")}
    with_aws = {name for name, text in texts.items() if re.search(r"\b(near_aws|running_aws|walking)\(", text)}
    both = {name for name, text in texts.items() if {"KIND", "UNKIND"} <= set(re.findall(r"\b(?:UN)?KIND\b", text))}
    assert len(with_aws) >= 10
    assert with_aws - both == waits_in_truth


def test_the_server_adds_only_what_moto_lacks():
    assert {action for _, action in ADDED} == {
        "GetServiceQuota", "GetProducts", "GetParameter", "DescribeSpotPriceHistory", "GetConsoleOutput",
        "GetCallerIdentity",
    }  # fmt: skip
    assert "OSS Nvidia Driver" in IMAGE_NAME
