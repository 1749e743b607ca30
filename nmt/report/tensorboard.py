"""TensorBoard's event files, written from plain values. Needs the tensorboard package, not TensorFlow."""

from __future__ import annotations

import os
import struct
import time
from collections.abc import Iterator, Mapping
from io import BufferedWriter
from itertools import count
from pathlib import Path

from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary, SummaryMetadata
from tensorboard.compat.proto.tensor_pb2 import TensorProto
from tensorboard.compat.proto.tensor_shape_pb2 import TensorShapeProto
from tensorboard.compat.proto.types_pb2 import DT_FLOAT, DT_STRING
from tensorboard.plugins.hparams import summary_v2 as hparams_summary
from tensorboard.plugins.image import metadata as image_metadata
from tensorboard.plugins.scalar import metadata as scalar_metadata
from tensorboard.plugins.text import metadata as text_metadata
from tensorboard.summary.writer.record_writer import RecordWriter

from nmt.errors import DataError

_PNG_MAGIC = b"\x89PNG\r\n\x1a\n"


class EventFile:
    """One event file in `folder`, flushed after every record, so that a killed run loses none.

    Raises OSError where the folder cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._file = _new_file(folder)
        self._records = RecordWriter(self._file)
        self._write(Event(file_version="brain.Event:2"))

    def scalar(self, tag: str, value: float, step: int) -> None:
        tensor = TensorProto(dtype=DT_FLOAT, tensor_shape=_shape(), float_val=[value])
        self._summary(tag, tensor, scalar_metadata.create_summary_metadata("", ""), step)

    def text(self, tag: str, markdown: str, step: int) -> None:
        tensor = TensorProto(dtype=DT_STRING, tensor_shape=_shape(), string_val=[markdown.encode()])
        self._summary(tag, tensor, text_metadata.create_summary_metadata("", ""), step)

    def image(self, tag: str, png: bytes, step: int) -> None:
        """One picture, given as the bytes of a PNG file."""
        assert png.startswith(_PNG_MAGIC), "an image for TensorBoard is a PNG"
        size = [str(side).encode() for side in struct.unpack(">II", png[16:24])]  # width, height of the header
        tensor = TensorProto(dtype=DT_STRING, tensor_shape=_shape(3), string_val=[*size, png])
        self._summary(tag, tensor, image_metadata.create_summary_metadata("", ""), step)

    def hparams(self, settings: Mapping[str, bool | int | float | str], name: str) -> None:
        """The settings of this run for the HParams page, which compares runs; `name` tells them apart."""
        summary = hparams_summary.hparams_pb(dict(settings), trial_id=name)
        self._write(Event(summary=Summary.FromString(summary.SerializeToString())))

    def close(self) -> None:
        self._file.close()

    def _summary(self, tag: str, tensor: TensorProto, metadata: SummaryMetadata, step: int) -> None:
        self._write(Event(step=step, summary=Summary(value=[Summary.Value(tag=tag, tensor=tensor, metadata=metadata)])))

    def _write(self, event: Event) -> None:
        event.wall_time = time.time()
        self._records.write(event.SerializeToString())
        self._file.flush()


def forget_after(folder: Path, step: int) -> None:
    """Take what is later than `step` out of all event files of `folder`; none of them may be open.

    The files are rewritten, because not all of TensorBoard's readers heed the mark it has for a restart.

    Raises DataError for a file that is broken, OSError where one cannot be replaced.
    """
    for path in sorted(folder.glob("events.out.tfevents.*")):
        try:
            kept = [record for record in _records(path.read_bytes()) if Event.FromString(record).step <= step]
        except DecodeError as error:
            raise DataError(
                str(path),
                found="a broken record",
                expected="what TensorBoard shows of a run",
                next_step="remove the file: nothing is resumed from it",
            ) from error
        if len(kept) <= 1:  # nothing but the version of the format
            path.unlink()
            continue
        # Not by `plumbing.files`: TensorBoard takes every name with "tfevents" in it for a log.
        temporary = path.with_name("rewritten." + path.name.removeprefix("events.out.tfevents."))
        with temporary.open("wb") as file:
            writer = RecordWriter(file)
            for record in kept:
                writer.write(record)
        os.replace(temporary, path)


def _records(data: bytes) -> Iterator[bytes]:
    """The records of an event file: length (8 bytes), checksum (4), record, checksum (4). A last torso is left out."""
    place = 0
    while place + 12 <= len(data):
        (length,) = struct.unpack_from("<Q", data, place)
        end = place + 12 + length
        if end + 4 > len(data):
            return
        yield data[place + 12 : end]
        place = end + 4


def _new_file(folder: Path) -> BufferedWriter:
    """A file no run has yet; TensorBoard reads files in the order of their names, so the time comes first."""
    for number in count():
        path = folder / f"events.out.tfevents.{int(time.time()):010d}.{os.getpid()}.{number}"
        try:
            return open(path, "xb")
        except FileExistsError:
            continue
    raise AssertionError("count() does not end")


def _shape(*sizes: int) -> TensorShapeProto:
    return TensorShapeProto(dim=[TensorShapeProto.Dim(size=size) for size in sizes])
