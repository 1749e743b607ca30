"""The image a machine starts from: named by a public parameter of AWS, or one's own."""

from __future__ import annotations

from dataclasses import dataclass

from nmt.config.launch import Launch
from nmt.errors import LaunchError
from nmt.launch.aws import Aws


@dataclass(frozen=True)
class Image:
    id: str
    name: str
    description: str
    root_device: str  # such as /dev/sda1
    size_gb: int  # that its disk must have at least; 0: not said


def find_image(aws: Aws, launch: Launch) -> Image:
    """Raises LaunchError where none is named, or AWS has none of that name."""
    machine = launch.machine
    image_id = machine.image
    if image_id is None:
        if machine.image_parameter is None:
            raise LaunchError(
                "machine.image", found="nothing", expected=f"an image whose driver knows a {machine.gpu}",
                next_step="name one of your own with machine.image=AMI",
            )  # fmt: skip
        answer = aws.call("ssm", "GetParameter", {"Name": machine.image_parameter})
        image_id = str(answer["Parameter"]["Value"])
    found = aws.call("ec2", "DescribeImages", {"ImageIds": [image_id]})["Images"]
    if not found:
        raise LaunchError(
            f"image {image_id}", found=f"nothing in {aws.region}", expected="an image that this account may use",
            next_step="correct machine.image, or leave it out",
        )  # fmt: skip
    item = found[0]
    root = item.get("RootDeviceName", "/dev/sda1")
    sizes = [
        disk["Ebs"]["VolumeSize"]
        for disk in item.get("BlockDeviceMappings", [])
        if disk.get("DeviceName") == root and "VolumeSize" in disk.get("Ebs", {})
    ]
    return Image(image_id, item.get("Name", ""), item.get("Description", ""), root, max(sizes, default=0))
