"""Who may reach a machine: one's own address, one's own key, and a security group that lets in nothing else."""

from __future__ import annotations

import contextlib
import hashlib
import ipaddress
import subprocess
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nmt.config.launch import LaunchConfig
from nmt.errors import LaunchError, reason_of
from nmt.launch.aws import NAME_TAG, Aws, ours, tags
from nmt.launch.machine import write_private
from nmt.launch.refusals import AwsError

KEY = "id_ed25519"
EVERYBODY = "0.0.0.0/0"
MARKED = [{"Name": "tag-key", "Values": [NAME_TAG]}]  # whoever the owner is
ASK_TIMEOUT_S = 10


def own_network(launch: LaunchConfig) -> str:
    """The one network from which ssh is let in, such as 203.0.113.7/32. Raises LaunchError."""
    if launch.address is not None:
        return str(ipaddress.IPv4Network(launch.address, strict=False))
    if launch.allow_world:
        return EVERYBODY
    try:
        with urllib.request.urlopen(launch.address_url, timeout=ASK_TIMEOUT_S) as answer:
            said = answer.read(100).decode("ascii", "replace").strip()
    except (OSError, ValueError) as error:
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        raise _no_address(launch, f"no answer ({str(reason).rstrip('.')})") from error
    try:
        return f"{ipaddress.IPv4Address(said)}/32"
    except ValueError as error:
        raise _no_address(launch, f"{said[:40]!r}, which is no IPv4 address") from error


def _no_address(launch: LaunchConfig, found: str) -> LaunchError:
    return LaunchError(
        f"own address, asked from {launch.address_url}",
        found=found,
        expected="the address from which you reach the internet",
        next_step="name it with launch.address=ADDRESS",
    )


def key_pair(launch: LaunchConfig, folder: Path) -> tuple[Path, bytes]:
    """The private key's file, and the public key. A pair of ours is made once; its private half never leaves `folder`.

    Raises LaunchError.
    """
    if launch.public_key is not None and launch.key_file is not None:
        private, public = Path(launch.key_file).expanduser(), Path(launch.public_key).expanduser()
        if not private.is_file():
            raise LaunchError(
                "launch.key_file", found=f"no file {private}", expected="your private key", next_step="correct it"
            )
        return private, _read_public(public, "launch.public_key")
    private = folder / KEY
    if not private.exists():
        _make_pair(private)
    return private, _read_public(private.with_suffix(".pub"), str(private.with_suffix(".pub")))


def _read_public(path: Path, place: str) -> bytes:
    """The line of a public key; a private one is refused, so that it cannot be sent by mistake."""
    try:
        text = path.read_bytes()
    except OSError as error:
        raise LaunchError(
            place, found=f"{path}: {reason_of(error)}", expected="a public key",
            next_step="correct it, or remove both halves for a new pair",
        ) from error  # fmt: skip
    if b"PRIVATE KEY" in text or not text.startswith((b"ssh-ed25519 ", b"ssh-rsa ")):
        raise LaunchError(
            place, found=f"{path}, which holds no public key of type ed25519 or rsa", expected="such a key",
            next_step="name the file that ends in .pub",
        )  # fmt: skip
    return b" ".join(text.split()[:2])  # without its comment, which names a person and a machine


def _make_pair(private: Path) -> None:
    private.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    making = private.with_name(f".{private.name}.new")
    with contextlib.suppress(FileNotFoundError):
        making.unlink()
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "nmt", "-f", str(making)]
    try:
        subprocess.run(command, check=True, capture_output=True, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.CalledProcessError) as error:
        raise LaunchError(
            "ssh-keygen", found="no such program" if isinstance(error, FileNotFoundError) else "a failure",
            expected="OpenSSH's client", next_step="install it (Debian: apt-get install openssh-client)",
        ) from error  # fmt: skip
    making.chmod(0o400)
    public = making.with_name(f"{making.name}.pub")
    public.replace(private.with_suffix(".pub"))
    making.replace(private)  # last: where this is, the pair is whole


def names(launch: LaunchConfig, public: bytes) -> tuple[str, str]:
    """The names of key pair and security group on AWS: the same key, the same names."""
    digest = hashlib.sha256(public).hexdigest()[:8]
    return f"nmt-{launch.name}-{digest}", f"nmt-{launch.name}-{digest}"


def made_names(launch: LaunchConfig, folder: Path) -> list[str]:
    """The names that key pair and group were given from here; none where there is no key here."""
    own = launch.public_key
    public = (folder / KEY).with_suffix(".pub") if own is None else Path(own).expanduser()
    if not public.is_file():
        return []
    return sorted(set(names(launch, _read_public(public, str(public)))))


def put_key(aws: Aws, launch: LaunchConfig, name: str, public: bytes) -> None:
    """Make the public key known to AWS, once. Raises AwsError."""
    tagged = [{"ResourceType": "key-pair", "Tags": tags(aws, launch)}]
    try:
        aws.call("ec2", "ImportKeyPair", {"KeyName": name, "PublicKeyMaterial": public, "TagSpecifications": tagged})
    except AwsError as refusal:
        if refusal.code != "InvalidKeyPair.Duplicate":  # the name follows from the key: it is this one
            raise


def put_group(aws: Aws, launch: LaunchConfig, name: str, network: str) -> str:
    """The id of the group, which lets in `network` on the ssh port and nothing else. Raises AwsError."""
    group = next(iter(_named(aws, name)), None)
    if group is None:
        group_id = _make_group(aws, launch, name)
        group = {"GroupId": group_id, "IpPermissions": []}
    allow_only(aws, launch, group, network)
    return str(group["GroupId"])


def groups(aws: Aws, name: str | None, made: Sequence[str] = ()) -> list[dict[str, Any]]:
    """Security groups of ours, of one name, with those called as in `made`; or all that are marked. Raises AwsError."""
    filters = MARKED if name is None else ours(aws, name)
    found = aws.pages("ec2", "DescribeSecurityGroups", {"Filters": filters}, "SecurityGroups")
    known = {item["GroupId"] for item in found}
    return found + [item for one in made for item in _named(aws, one) if item["GroupId"] not in known]


def _named(aws: Aws, name: str) -> list[dict[str, Any]]:
    """By its name, which follows from the key, for AWS may show its tags late."""
    named = [{"Name": "group-name", "Values": [name]}]
    return aws.pages("ec2", "DescribeSecurityGroups", {"Filters": named}, "SecurityGroups")


def key_pairs(aws: Aws, name: str | None, made: Sequence[str] = ()) -> list[dict[str, Any]]:
    """The same of key pairs. Raises AwsError."""
    filters: list[list[dict[str, Any]]] = [MARKED if name is None else ours(aws, name)]
    filters += [[{"Name": "key-name", "Values": [one]}] for one in made]
    found = [pair for one in filters for pair in aws.call("ec2", "DescribeKeyPairs", {"Filters": one})["KeyPairs"]]
    return list({pair["KeyName"]: pair for pair in found}.values())


def _make_group(aws: Aws, launch: LaunchConfig, name: str) -> str:
    parameters: dict[str, Any] = {
        "GroupName": name,
        "Description": "nmt: ssh from one address",
        "TagSpecifications": [{"ResourceType": "security-group", "Tags": tags(aws, launch)}],
    }
    if launch.subnet is not None:
        subnets = aws.call("ec2", "DescribeSubnets", {"SubnetIds": [launch.subnet]})["Subnets"]
        parameters["VpcId"] = subnets[0]["VpcId"]
    try:
        return str(aws.call("ec2", "CreateSecurityGroup", parameters)["GroupId"])
    except AwsError as refusal:
        if refusal.code != "InvalidGroup.Duplicate" and not refusal.uncertain:
            raise
        found = _named(aws, name)
        if not found:
            raise
        return str(found[0]["GroupId"])


def allow_only(aws: Aws, launch: LaunchConfig, group: dict[str, Any], network: str) -> list[str]:
    """Make the group let in `network` and nothing else; -> the networks that were let in before. Raises AwsError."""
    wanted = [{"IpProtocol": "tcp", "FromPort": launch.port, "ToPort": launch.port, "IpRanges": [{"CidrIp": network}]}]
    before = [
        (rule, span["CidrIp"]) for rule in group["IpPermissions"] for span in rule.get("IpRanges", [])
    ]  # fmt: skip
    right = [
        cidr for rule, cidr in before
        if cidr == network and (rule.get("FromPort"), rule.get("ToPort")) == (launch.port, launch.port)
    ]  # fmt: skip
    if not right:
        try:
            aws.call("ec2", "AuthorizeSecurityGroupIngress", {"GroupId": group["GroupId"], "IpPermissions": wanted})
        except AwsError as refusal:
            if refusal.code != "InvalidPermission.Duplicate":
                raise
    wrong = [_without(rule, network, launch.port) for rule in group["IpPermissions"]]
    wrong = [rule for rule in wrong if rule is not None]
    if wrong:
        aws.call("ec2", "RevokeSecurityGroupIngress", {"GroupId": group["GroupId"], "IpPermissions": wrong})
    return [cidr for _, cidr in before]


def _without(rule: dict[str, Any], network: str, port: int) -> dict[str, Any] | None:
    """What of a rule must go; None where nothing must."""
    kept = (rule.get("FromPort"), rule.get("ToPort")) == (port, port)
    spans = [span for span in rule.get("IpRanges", []) if not (kept and span["CidrIp"] == network)]
    further = {key: rule[key] for key in ("Ipv6Ranges", "PrefixListIds", "UserIdGroupPairs") if rule.get(key)}
    if not spans and not further:
        return None
    ports = {key: rule[key] for key in ("FromPort", "ToPort") if key in rule}
    return {"IpProtocol": rule["IpProtocol"], **ports, "IpRanges": [{"CidrIp": s["CidrIp"]} for s in spans], **further}


def write_known_hosts(path: Path, host: str, port: int, keys: list[str]) -> None:
    """What ssh checks the machine against. Raises LaunchError."""
    place = host if port == 22 else f"[{host}]:{port}"
    write_private(path, "".join(f"{place} {key}\n" for key in keys))


def read_keys(path: Path) -> list[str]:
    """The keys of a file that `write_known_hosts` wrote; none where there is no such file. Raises LaunchError."""
    try:
        return [line.partition(" ")[2] for line in path.read_text(encoding="ascii").splitlines() if line]
    except FileNotFoundError:
        return []
    except (OSError, UnicodeDecodeError) as error:
        raise LaunchError(
            str(path), found="nothing that can be read", expected="the keys of the machine, as they were written",
            next_step="remove the file: they are learnt anew from its console",
        ) from error  # fmt: skip
