"""What a machine and its disk cost, as AWS says it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from nmt.config.launch import Launch
from nmt.launch import clock
from nmt.launch.aws import Aws
from nmt.launch.refusals import AwsError

HOURS_A_MONTH = 730.0  # by which AWS divides a month's price


@dataclass(frozen=True)
class Prices:
    """US dollars; None: AWS did not say."""

    on_demand: float | None  # an hour
    spot: dict[str, float]  # an hour, by zone; empty: none was found
    disk_gb_month: float | None  # of gp3

    def machine(self, launch: Launch, zone: str | None = None) -> float | None:
        """An hour of the machine alone; of spot in that zone, or the dearest."""
        if launch.launch.usd_per_hour is not None:
            return launch.launch.usd_per_hour
        if not launch.launch.spot:
            return self.on_demand
        if zone in self.spot:
            return self.spot[str(zone)]
        return max(self.spot.values(), default=None)

    def hourly(self, launch: Launch, zone: str | None = None) -> float | None:
        """An hour of machine and disk; a disk of unknown price is not counted."""
        machine = self.machine(launch, zone)
        return None if machine is None else machine + (self.disk_hour(launch) or 0.0)

    def disk_hour(self, launch: Launch) -> float | None:
        """An hour of the disk, which is paid for while the machine is stopped too."""
        return None if self.disk_gb_month is None else launch.launch.disk_gb * self.disk_gb_month / HOURS_A_MONTH


UNKNOWN = Prices(None, {}, None)


def prices(aws: Aws, launch: Launch) -> tuple[Prices, list[AwsError]]:
    """What AWS says, and what it refused to say."""
    refusals: list[AwsError] = []
    on_demand, disk, spot = None, None, {}
    try:
        on_demand = _on_demand(aws, launch.machine.instance_type)
        disk = _disk(aws)
    except AwsError as refusal:
        refusals.append(refusal)
    try:
        spot = _spot(aws, launch.machine.instance_type)
    except AwsError as refusal:
        refusals.append(refusal)
    return Prices(on_demand, spot, disk), refusals


def max_hours(launch: Launch, usd_per_hour: float | None) -> float:
    """After how many hours the machine powers itself off: the earlier of launch.max_hours and launch.max_usd.

    `usd_per_hour` is of machine and disk.
    """
    limit = launch.launch.max_hours
    if launch.launch.max_usd is None or usd_per_hour is None:
        return limit
    return min(limit, launch.launch.max_usd / usd_per_hour)


def _on_demand(aws: Aws, instance_type: str) -> float | None:
    wanted = {
        "instanceType": instance_type, "regionCode": aws.region, "operatingSystem": "Linux", "tenancy": "Shared",
        "preInstalledSw": "NA", "capacitystatus": "Used", "licenseModel": "No License required",
    }  # fmt: skip
    return _lowest(_products(aws, wanted))


def _disk(aws: Aws) -> float | None:
    return _lowest(_products(aws, {"productFamily": "Storage", "volumeApiName": "gp3", "regionCode": aws.region}))


def _products(aws: Aws, wanted: dict[str, str]) -> list[dict[str, Any]]:
    filters = [{"Type": "TERM_MATCH", "Field": key, "Value": value} for key, value in wanted.items()]
    found = aws.pages("pricing", "GetProducts", {"ServiceCode": "AmazonEC2", "Filters": filters}, "PriceList")
    return [json.loads(text) for text in found]


def _lowest(products: list[dict[str, Any]]) -> float | None:
    """The lowest price above 0 among the on-demand terms of products; None where there is none."""
    terms = [term for product in products for term in _values(product, "terms", "OnDemand")]
    rates = [float(rate["pricePerUnit"]["USD"]) for term in terms for rate in _values(term, "priceDimensions")]
    return min((rate for rate in rates if rate > 0), default=None)


def _values(node: dict[str, Any], *keys: str) -> list[dict[str, Any]]:
    """The values below a chain of keys, any of which may be absent."""
    for key in keys:
        node = node.get(key, {})
    return list(node.values())


def _spot(aws: Aws, instance_type: str) -> dict[str, float]:
    """The newest price of each zone: AWS shows the one that holds at the start of the time that is asked for."""
    now = datetime.fromtimestamp(clock.now(), UTC)
    parameters = {"InstanceTypes": [instance_type], "ProductDescriptions": ["Linux/UNIX"], "StartTime": now}
    history = aws.pages("ec2", "DescribeSpotPriceHistory", parameters, "SpotPriceHistory")
    newest: dict[str, Any] = {}
    for entry in history:
        zone = entry["AvailabilityZone"]
        if zone not in newest or entry["Timestamp"] > newest[zone]["Timestamp"]:
            newest[zone] = entry
    return {zone: float(entry["SpotPrice"]) for zone, entry in newest.items()}
