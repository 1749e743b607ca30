"""What AWS answers when it does not do what was asked, in our words: what it means, and what to do next."""

from __future__ import annotations

from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any

from nmt.errors import LaunchError
from nmt.launch import clock

PREFLIGHT = "`python -m nmt.launch preflight`"
LONGEST = 300  # characters of AWS's own sentence
NETWORK = "check the network, then run the command again"
IMAGE = "correct machine.image, or leave it out"
WAIT = "wait a minute and run the command again"
CREDENTIALS = "run `aws configure` or `aws sso login`, or choose a profile with launch.profile=NAME"
REGION_OR = f"{CREDENTIALS}; for a region that the account has not enabled AWS says the same"

# Code -> what was found, what is expected, the next step.
CODES: dict[str, tuple[str, str, str]] = {
    "AuthFailure": ("credentials that AWS does not know", "credentials of an active account", REGION_OR),
    "InvalidClientTokenId": ("an access key that AWS does not know", "credentials of an active account", REGION_OR),
    "UnrecognizedClientException": (
        "an access key that AWS does not know", "credentials of an active account", REGION_OR,
    ),
    "SignatureDoesNotMatch": ("a secret key that does not fit the access key", "a whole pair of keys", CREDENTIALS),
    "IncompleteSignature": ("credentials that are cut short", "a whole pair of keys", CREDENTIALS),
    "ExpiredToken": ("credentials that have expired", "fresh ones", CREDENTIALS),
    "ExpiredTokenException": ("credentials that have expired", "fresh ones", CREDENTIALS),
    # AWS says this of a clock that is wrong, and EC2 of temporary credentials that have run out.
    "RequestExpired": ("credentials that have expired", "fresh ones", CREDENTIALS),
    "OptInRequired": (
        "a region or service that this account has not opted into", "one that is enabled",
        "enable it under Account, AWS Regions, or choose another with launch.region=REGION",
    ),
    "PendingVerification": (
        "an account that AWS is still verifying", "a verified one", "wait for the mail from AWS, at most four hours",
    ),
    "Blocked": ("an account that AWS has blocked", "an account in good standing", "contact AWS Support"),
    "UnauthorizedOperation": (
        "no permission", "a policy that allows it", "`python -m nmt.launch preflight --policy` prints what is needed",
    ),
    "AccessDenied": (
        "no permission", "a policy that allows it", "`python -m nmt.launch preflight --policy` prints what is needed",
    ),
    "AccessDeniedException": (
        "no permission", "a policy that allows it", "`python -m nmt.launch preflight --policy` prints what is needed",
    ),
    "InsufficientHostCapacity": (
        "no free machine of this type", "one in some zone of the region",
        "try again later, another region (launch.region=REGION) or another type (machine=g5_xlarge)",
    ),
    "InsufficientInstanceCapacity": (
        "no free machine of this type", "one in some zone of the region",
        "try again later, another region (launch.region=REGION) or another type (machine=g5_xlarge)",
    ),
    "SpotMaxPriceTooLow": (
        "no spot machine at the on-demand price", "one below it", "try again later or leave out launch.spot=true",
    ),
    "Unsupported": (
        "a type that this zone does not have", "a zone that has it", f"{PREFLIGHT} lists zones and regions that do",
    ),
    "InsufficientFreeAddressesInSubnet": (
        "a subnet without free addresses", "a free one", "choose another zone with launch.zones=[ZONE]",
    ),
    "VcpuLimitExceeded": (
        "a quota that is used up", "vCPUs that are left in this family", f"{PREFLIGHT} names the quota to raise",
    ),
    "InstanceLimitExceeded": (
        "a quota that is used up", "vCPUs that are left in this family", f"{PREFLIGHT} names the quota to raise",
    ),
    "MaxSpotInstanceCountExceeded": (
        "a spot quota that is used up", "vCPUs that are left for spot machines",
        f"{PREFLIGHT} names the quota to raise; or leave out launch.spot=true",
    ),
    "VolumeLimitExceeded": (
        "a quota of disks that is used up", "room for one more",
        "delete disks that nothing uses: `python -m nmt.launch sweep-orphans` finds ours",
    ),
    "MaxIOPSLimitExceeded": (
        "a quota of disks that is used up", "room for one more",
        "delete disks that nothing uses: `python -m nmt.launch sweep-orphans` finds ours",
    ),
    "AuthFailure.ServiceLinkedRoleCreationNotPermitted": (
        "an account that never rented a spot machine", "its role for spot",
        "run once: aws iam create-service-linked-role --aws-service-name spot.amazonaws.com",
    ),
    "InvalidAMIID.NotFound": (
        "no such image in this region", "one that is there", IMAGE,
    ),
    "InvalidAMIID.Malformed": ("no image id", "one such as ami-0123456789abcdef0", IMAGE),
    "InvalidAMIID.Unavailable": ("an image that is gone", "one that is there", IMAGE),
    "ParameterNotFound": (
        "no parameter of this name in this region", "one that names an image",
        "correct machine.image_parameter, or name an image with machine.image=AMI",
    ),
    "InvalidInstanceType": (
        "no such type", "one that AWS has", f"{PREFLIGHT} says what this region offers",
    ),
    "InvalidParameterCombination": (
        "options that do not go together", "a type, image and disk that do",
        f"{PREFLIGHT} checks them one by one",
    ),
    "VPCIdNotSpecified": (
        "no default network in this region", "a network",
        "create one with `aws ec2 create-default-vpc`, or name a subnet with launch.subnet=SUBNET",
    ),
    "MissingInput": (
        "no default subnet", "a network", "name one with launch.subnet=SUBNET",
    ),
    "InvalidSubnetID.NotFound": ("no such subnet in this region", "one that is there", "correct launch.subnet"),
    "InvalidKeyPair.NotFound": ("no such key pair", "the one of this machine", "run `up` again, which makes it"),
    "InvalidKeyPair.Duplicate": ("a key pair of this name", "none", "run the command again"),
    "InvalidKey.Format": (
        "a public key that AWS does not take", "one of type rsa or ed25519",
        "make one with `ssh-keygen -t ed25519`, or leave out launch.public_key",
    ),
    "InvalidGroup.NotFound": ("no such security group", "the one of this machine", "run `up` again, which makes it"),
    "InvalidGroup.Duplicate": ("a security group of this name", "none", "run the command again"),
    "SecurityGroupLimitExceeded": (
        "a quota of security groups that is used up", "room for one more",
        "delete some: `python -m nmt.launch sweep-orphans` finds ours",
    ),
    "DependencyViolation": ("something that still uses it", "nothing that does", WAIT),
    "InvalidInstanceID.NotFound": (
        "no such machine", "one that exists", "`python -m nmt.launch sweep-orphans` lists what does",
    ),
    "IncorrectInstanceState": ("a machine in another state", "one that is ready for this", WAIT),
    "IncorrectState": ("something in another state", "one that is ready for this", WAIT),
    "OperationNotPermitted": (
        "a machine that is protected", "one that may be ended",
        "take off its termination protection in the EC2 console, then run the command again",
    ),
    "IdempotentParameterMismatch": (
        "another request under the same token", "the same one again",
        "run `python -m nmt.launch terminate` and then `up`",
    ),
    "RequestLimitExceeded": ("too many requests from this account", "fewer", WAIT),
    "Throttling": ("too many requests from this account", "fewer", WAIT),
    "ThrottlingException": ("too many requests from this account", "fewer", WAIT),
    "TooManyRequestsException": ("too many requests from this account", "fewer", WAIT),
    "NoSuchBucket": ("no such bucket", "one that exists", "correct launch.s3, or make it with `aws s3 mb`"),
}  # fmt: skip
# Another zone may have what this one has not.
CAPACITY = {
    "InsufficientInstanceCapacity",
    "InsufficientHostCapacity",
    "InsufficientFreeAddressesInSubnet",
    "MissingInput",  # a zone without a default subnet
    "SpotMaxPriceTooLow",
    "Unsupported",
}
WRONG_CLOCK = ("a request from another time", "a clock that is right", "set this machine's clock")
CLOCK_SAYS = ("Signature expired", "Signature not yet current", "time too skewed")  # as AWS writes it
TOLERATED_S = 300.0  # by which AWS lets a clock be wrong
MAY_NOT = {"UnauthorizedOperation", "AccessDenied", "AccessDeniedException"}
TOO_MANY = {"RequestLimitExceeded", "Throttling", "ThrottlingException", "TooManyRequestsException"}
# Refused before AWS looks at what is asked.
AT_THE_DOOR = MAY_NOT | TOO_MANY | {
    "AuthFailure", "InvalidClientTokenId", "UnrecognizedClientException", "SignatureDoesNotMatch",
    "IncompleteSignature", "ExpiredToken", "ExpiredTokenException", "RequestExpired", "OptInRequired",
    "PendingVerification", "Blocked",
}  # fmt: skip
SERVER = {"InternalError", "InternalFailure", "Unavailable", "ServiceUnavailable", "RequestTimeout"}
# What botocore raises before or instead of an answer: class -> what was found, what is expected, the next step.
WITHOUT_ANSWER: dict[str, tuple[str, str, str]] = {
    "NoCredentialsError": ("no credentials", "those of an AWS account", CREDENTIALS),
    "PartialCredentialsError": ("half a pair of credentials", "both halves", CREDENTIALS),
    "CredentialRetrievalError": ("credentials that cannot be fetched", "those of an AWS account", CREDENTIALS),
    "TokenRetrievalError": ("a login that has expired", "a fresh one", CREDENTIALS),
    "UnauthorizedSSOTokenError": ("a login that has expired", "a fresh one", CREDENTIALS),
    "SSOTokenLoadError": ("no login", "one", CREDENTIALS),
    "ProfileNotFound": ("no profile of this name", "one of ~/.aws/config", "correct launch.profile"),
    "ParamValidationError": ("a request that AWS's own description forbids", "one that it allows", "report this"),
    "ConnectTimeoutError": ("no connection in time", "an answer", NETWORK),
    "ReadTimeoutError": ("no answer in time", "an answer", NETWORK),
    "ConnectionClosedError": ("a connection that was cut", "an answer", NETWORK),
    "ResponseParserError": (
        "an answer that is not AWS's", "AWS", "check the network: a login page or a proxy may stand between",
    ),
    "SSLError": ("a connection that cannot be trusted", "AWS's certificate", "check the network and its proxy"),
    "ProxyConnectionError": ("a proxy that does not answer", "a way to AWS", "check HTTPS_PROXY"),
    "EndpointConnectionError": (
        "no way to AWS", "a network and a region that exists", "check both; launch.region=REGION names the region",
    ),
    "InvalidRegionError": ("no name of a region", "one such as eu-west-1", "correct launch.region"),
}  # fmt: skip
NEVER_SENT = {
    "NoCredentialsError", "PartialCredentialsError", "CredentialRetrievalError", "TokenRetrievalError",
    "UnauthorizedSSOTokenError", "SSOTokenLoadError", "ProfileNotFound", "ParamValidationError", "ConnectTimeoutError",
    "ProxyConnectionError", "EndpointConnectionError", "InvalidRegionError", "SSLError",
}  # fmt: skip


class AwsError(LaunchError):
    """AWS did not do what was asked, or did not say whether it did."""

    def __init__(
        self, place: str, found: str, expected: str, next_step: str, code: str, uncertain: bool, again: bool = False
    ) -> None:
        super().__init__(place, found=found, expected=expected, next_step=next_step)
        self.code = code  # AWS's own, or the name of botocore's exception
        self.uncertain = uncertain  # it may have been done all the same
        self.again = again  # there were earlier tries of this request


def answered(place: str, response: Mapping[str, Any]) -> AwsError:
    """The error in an answer of AWS, as botocore's ClientError holds it. AWS's code and sentence stand beside ours."""
    error, about = response["Error"], response.get("ResponseMetadata", {})
    code, message = str(error["Code"]), " ".join(str(error.get("Message", "")).split()).rstrip(".")
    told = f"{code}: {message[:LONGEST]}" if message else code
    found, expected, step = CODES.get(code, (told, "a request that AWS accepts", f"{PREFLIGHT} checks what it can"))
    uncertain = code in SERVER or (about.get("HTTPStatusCode", 400) >= 500 and code not in CODES)
    if uncertain:
        found, expected, step = "a fault within AWS", "an answer", WAIT
    elif any(words in message for words in CLOCK_SAYS) or (code == "RequestExpired" and _wrong_clock(about)):
        found, expected, step = WRONG_CLOCK
    if found != told:
        found = f"{found} ({told})"
    return AwsError(place, found, expected, step, code, uncertain, about.get("RetryAttempts", 0) > 0)


def _wrong_clock(about: Mapping[str, Any]) -> bool:
    """Whether AWS's own date, which stands above its answer, is far from ours."""
    try:
        theirs = parsedate_to_datetime(about["HTTPHeaders"]["date"]).timestamp()
    except (KeyError, ValueError):
        return False
    return bool(abs(theirs - clock.now()) > TOLERATED_S)


def next_step_after(reason: str) -> str:
    """What to do about a machine that ended instead of starting: `reason` is AWS's, with its code first."""
    code = reason.partition(":")[0].rpartition(".")[2]  # Client.VolumeLimitExceeded
    return CODES[code][2] if code in CODES else "run `up` again, in another zone with launch.zones=[ZONE]"


def unanswered(place: str, error: Exception) -> AwsError:
    """What botocore raises where there is no answer."""
    names = [kind.__name__ for kind in type(error).__mro__]
    code = next((name for name in names if name in WITHOUT_ANSWER), names[0])
    said = " ".join(str(error).split()).rstrip(".")
    told = f"{code}: {said[:LONGEST]}" if said else code
    if code not in WITHOUT_ANSWER:
        return AwsError(place, told, "an answer", NETWORK, code, True)
    found, expected, step = WITHOUT_ANSWER[code]
    return AwsError(place, f"{found} ({told})", expected, step, code, code not in NEVER_SENT)
