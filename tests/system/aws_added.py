"""What moto lacks, as AWS documents it: quotas, prices, the image's parameter, the console's host keys, the caller."""

from __future__ import annotations

import base64
import json
import urllib.parse
from collections.abc import Callable
from typing import TYPE_CHECKING

from tests.system.aws_requests import XML_ANSWER, Answer, Call, json_answer

if TYPE_CHECKING:
    from tests.system.aws_server import AwsServer

IMAGE_NAME = "Deep Learning Base OSS Nvidia Driver GPU AMI (Ubuntu 22.04) 20260801"
ON_DEMAND = {
    "g4dn.xlarge": 0.587,
    "g5.xlarge": 1.123,
    "g6.xlarge": 0.8976,
    "t3.micro": 0.0114,
}  # stands for Amazon's list in these tests
GP3_GB_MONTH = 0.088
SPOT = {"eu-west-1a": 0.21, "eu-west-1b": 0.18, "eu-west-1c": 0.24}


def _quota(server: AwsServer, call: Call) -> Answer:
    code = json.loads(call.body)["QuotaCode"]
    return json_answer({"Quota": {"QuotaCode": code, "Value": server.quotas[code]}})


def _products(server: AwsServer, call: Call) -> Answer:
    wanted = {one["Field"]: one["Value"] for one in json.loads(call.body)["Filters"]}
    price = GP3_GB_MONTH if "volumeApiName" in wanted else ON_DEMAND.get(wanted["instanceType"])
    if price is None:
        return json_answer({"PriceList": []})
    dimensions = {"a.b": {"pricePerUnit": {"USD": f"{price:.10f}"}}}
    product = {"terms": {"OnDemand": {"a": {"priceDimensions": dimensions}}, "Reserved": {}}}
    return json_answer({"PriceList": [json.dumps(product)]})


def _parameter(server: AwsServer, call: Call) -> Answer | None:
    if not json.loads(call.body)["Name"].startswith(("/aws/service/deeplearning/", "/aws/service/canonical/")):
        return None
    return json_answer({"Parameter": {"Value": image_id(server, call.region)}})


def _spot_prices(server: AwsServer, call: Call) -> Answer:
    rows = "".join(
        f"<item><availabilityZone>{zone}</availabilityZone><spotPrice>{price}</spotPrice>"
        f"<timestamp>2026-08-0{day}T00:00:00.000Z</timestamp></item>"
        for zone, dollars in SPOT.items()
        for day, price in ((2, dollars), (1, 9.9))
    )
    head = "<DescribeSpotPriceHistoryResponse xmlns='http://ec2.amazonaws.com/doc/2016-11-15/'>"
    text = f"{head}<spotPriceHistorySet>{rows}</spotPriceHistorySet></DescribeSpotPriceHistoryResponse>"
    return 200, XML_ANSWER, text.encode()


def _console(server: AwsServer, call: Call) -> Answer:
    machine = server.backend(call.region, call.caller.account).get_instance(call.fields["InstanceId"])
    age_s = server.nature.clock.now() - server.nature.begun.get(machine.id, float("-inf"))
    output = base64.b64encode(server.console.encode() if age_s >= server.nature.pace.console_after_s else b"").decode()
    head = "<GetConsoleOutputResponse xmlns='http://ec2.amazonaws.com/doc/2016-11-15/'>"
    text = f"{head}<instanceId>{machine.id}</instanceId><output>{output}</output></GetConsoleOutputResponse>"
    return 200, XML_ANSWER, text.encode()


def _identity(server: AwsServer, call: Call) -> Answer:
    arn = call.caller.arn
    if arn.endswith("/botocore-session"):  # botocore names a session of an assumed role anew in each process
        arn = f"{arn}-{len(server.calls)}"
    text = (
        "<GetCallerIdentityResponse xmlns='https://sts.amazonaws.com/doc/2011-06-15/'><GetCallerIdentityResult>"
        f"<Arn>{arn}</Arn><UserId>AIDA</UserId><Account>{call.caller.account}</Account>"
        "</GetCallerIdentityResult></GetCallerIdentityResponse>"
    )
    return 200, XML_ANSWER, text.encode()


def for_moto(server: AwsServer, call: Call, body: bytes) -> bytes:
    """The page after an empty one is the first; the filter client-token, which moto does not know, is one of ids."""
    fields = {key: value for key, value in call.fields.items() if (key, value) != ("NextToken", "more")}
    for key, name in call.fields.items():
        if key.startswith("Filter.") and name == "client-token":
            value = key.replace(".Name", ".Value.1")
            known = server.tokens.get((call.caller.account, call.region, call.fields[value]))
            fields |= {key: "instance-id", value: known[2] if known else "i-00000000"}
    return body if fields == call.fields else urllib.parse.urlencode(fields).encode()


ADDED: dict[tuple[str, str], Callable[[AwsServer, Call], Answer | None]] = {
    ("servicequotas", "GetServiceQuota"): _quota,
    ("pricing", "GetProducts"): _products,
    ("ssm", "GetParameter"): _parameter,
    ("ec2", "DescribeSpotPriceHistory"): _spot_prices,
    ("ec2", "GetConsoleOutput"): _console,
    ("sts", "GetCallerIdentity"): _identity,
}


def image_id(server: AwsServer, region: str) -> str:
    """The Deep Learning image of a region, registered on first sight."""
    backend = server.backend(region)
    known = [ami for ami in backend.amis.values() if ami.name == IMAGE_NAME]
    image = known[0] if known else backend.register_image(name=IMAGE_NAME)
    image.architecture = "x86_64"
    return str(image.id)
