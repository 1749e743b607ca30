"""What the EC2 of tiny_ec2.py offers, whoever asks: types, zones, images and prices."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

REGION = "eu-west-1"
ZONES = ("eu-west-1a", "eu-west-1b")
PRICE, DISK_GB_MONTH = 0.5, 0.073
Asked = dict[str, Any]


class TinyOffers:
    """Requests that change nothing."""

    def describe_volumes(self, asked: Asked) -> Any:
        return {"Volumes": []}  # each goes with its machine

    def describe_regions(self, asked: Asked) -> Any:
        return {"Regions": [{"RegionName": REGION}]}

    def describe_instance_types(self, asked: Asked) -> Any:
        known = {
            "VCpuInfo": {"DefaultVCpus": 4},
            "ProcessorInfo": {"SupportedArchitectures": ["x86_64"]},
            "GpuInfo": {"Gpus": [{"Name": "T4", "Count": 1, "MemoryInfo": {"SizeInMiB": 16384}}]},
        }
        return {"InstanceTypes": [known | {"InstanceType": one} for one in asked["InstanceTypes"]]}

    def describe_instance_type_offerings(self, asked: Asked) -> Any:
        types = asked["Filters"][0]["Values"]
        return {"InstanceTypeOfferings": [{"InstanceType": one, "Location": zone} for one in types for zone in ZONES]}

    def get_parameter(self, asked: Asked) -> Any:
        return {"Parameter": {"Value": "ami-00000001"}}

    def describe_images(self, asked: Asked) -> Any:
        return {"Images": [{"Name": "an image"}]}

    def describe_spot_price_history(self, asked: Asked) -> Any:
        day = datetime(2026, 1, 1, tzinfo=UTC)
        rows = [{"AvailabilityZone": zone, "SpotPrice": str(PRICE), "Timestamp": day} for zone in ZONES]
        return {"SpotPriceHistory": rows}

    def get_products(self, asked: Asked) -> Any:
        price = DISK_GB_MONTH if any(one["Field"] == "volumeApiName" for one in asked["Filters"]) else PRICE
        terms = f'{{"a": {{"priceDimensions": {{"b": {{"pricePerUnit": {{"USD": "{price}"}}}}}}}}}}'
        return {"PriceList": [f'{{"terms": {{"OnDemand": {terms}}}}}']}
