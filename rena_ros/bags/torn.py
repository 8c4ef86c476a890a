"""Reading what is whole in an MCAP file, however it ends, and writing it again as a finished file."""

import itertools
import mmap
import re
import struct
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import IO, Any

from mcap.data_stream import ReadDataStream
from mcap.opcode import Opcode
from mcap.records import Attachment, Channel, Chunk, Header, McapRecord, Message, Metadata, Schema
from mcap.writer import CompressionType, Writer
from rosbags.rosbag2.storage_mcap import decompress

from rena_ros.bags.contents import MAGIC

_HEAD = struct.Struct("<BQ")  # opcode and length of a record
_KINDS: dict[int, Any] = {
    Opcode.HEADER: Header,
    Opcode.SCHEMA: Schema,
    Opcode.CHANNEL: Channel,
    Opcode.CHUNK: Chunk,
    Opcode.MESSAGE: Message,
    Opcode.ATTACHMENT: Attachment,
    Opcode.METADATA: Metadata,
}
_INSIDE = {Opcode.SCHEMA, Opcode.CHANNEL, Opcode.MESSAGE}  # what a chunk may hold
_PRIVATE = 0x80  # opcodes from here on are for private use
_CHUNK = re.compile(b"\\x06(.{4}\\0{4})", re.DOTALL)  # opcode and length of a chunk below 4 GB


class TornFile:
    """The whole records of an MCAP file; ``cut_bytes``: how many bytes of its data, so far, are not whole.

    A record is whole when all its bytes are there; a chunk also has to fit its checksum (`ros2 bag record` writes none)
    and to consist of whole records. Where a record's length is damaged, reading goes on at the next chunk that fits its
    checksum.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.cut_bytes = 0

    def pieces(self) -> Iterator[list[McapRecord]]:
        """Yield header, schemas, channels, messages, metadata, attachments in their order: those of a chunk together.

        Raises OSError.
        """
        if not self.path.stat().st_size:
            return  # which mmap refuses
        with self.path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            yield from self._pieces(data)

    def _pieces(self, data: mmap.mmap) -> Iterator[list[McapRecord]]:
        position = len(MAGIC) if data[: len(MAGIC)] == MAGIC else self._skip(data, 0)
        while position < len(data):
            opcode, length = _HEAD.unpack(data[position : position + _HEAD.size].ljust(_HEAD.size, b"\0"))
            end = position + _HEAD.size + length
            if end > len(data) or not _sensible(opcode):
                position = self._skip(data, position)
                continue
            if opcode == Opcode.DATA_END:
                return
            if opcode in _KINDS:  # the others are indexes, which the writer makes again
                piece = _whole(opcode, data[position + _HEAD.size : end])
                if piece is None:
                    self.cut_bytes += end - position
                else:
                    yield piece
            position = end

    def _skip(self, data: mmap.mmap, position: int) -> int:
        """Return where the next chunk with a checksum that it fits begins, or the end of the data."""
        for found in _CHUNK.finditer(data, position + 1):
            length = int.from_bytes(found[1], "little")
            content = data[found.end() : found.end() + length]
            if len(content) == length > 40 and any(content[24:28]) and _whole(Opcode.CHUNK, content) is not None:
                self.cut_bytes += found.start() - position
                return found.start()
        self.cut_bytes += len(data) - position
        return len(data)


def rewrite(torn: TornFile, fresh: IO[bytes]) -> None:
    """Write what is whole in a file as a finished one, with checksums, index and summary.

    Compressed chunks are written uncompressed, since the writer's library has no compressor at hand. Raises OSError.
    """
    pieces = torn.pieces()
    first = next(pieces, [])
    copy = _Copy(fresh, first)
    for piece in itertools.chain([first], pieces):
        for record in piece:
            torn.cut_bytes += copy.add(record)
        if len(piece) > 1:  # a chunk; messages without chunks are put into chunks of the usual size
            copy.writer.flush()
    copy.writer.finish()


class _Copy:
    """The new file: schemas and channels get new numbers there."""

    def __init__(self, fresh: IO[bytes], first: list[McapRecord]) -> None:
        self.writer: Any = Writer(fresh, compression=CompressionType.NONE)
        self._schemas: dict[int, int] = {0: 0}  # 0: no schema
        self._channels: dict[int, int] = {}
        origin = next((record for record in first if isinstance(record, Header)), Header("ros2", "rena"))
        self.writer.start(origin.profile, origin.library)

    def add(self, record: McapRecord) -> int:
        """Add a record; returns the bytes of a message that is lost, because the record that says its topic is."""
        if isinstance(record, Message):
            if record.channel_id not in self._channels:
                return len(record.data)
            channel = self._channels[record.channel_id]
            self.writer.add_message(channel, record.log_time, record.data, record.publish_time, record.sequence)
        elif isinstance(record, Schema) and record.id not in self._schemas:
            self._schemas[record.id] = self.writer.register_schema(record.name, record.encoding, record.data)
        elif isinstance(record, Channel) and record.id not in self._channels and record.schema_id in self._schemas:
            about = (record.topic, record.message_encoding, self._schemas[record.schema_id], record.metadata)
            self._channels[record.id] = self.writer.register_channel(*about)
        elif isinstance(record, Metadata):
            self.writer.add_metadata(record.name, record.metadata)
        elif isinstance(record, Attachment):
            times = (record.create_time, record.log_time)
            self.writer.add_attachment(*times, record.name, record.media_type, record.data)
        return 0


def _sensible(opcode: int) -> bool:
    return Opcode.HEADER <= opcode <= Opcode.DATA_END or opcode >= _PRIVATE


def _whole(opcode: int, content: bytes) -> list[McapRecord] | None:
    """Return the record, or those of a chunk; None when it is damaged."""
    try:
        record = _parsed(opcode, content)
        if not isinstance(record, Chunk):
            return [record]
        if len(record.data) + len(record.compression) + 40 != len(content):
            return None
        crc = record.uncompressed_crc
        return list(_inside(decompress(record.data, record.compression, record.uncompressed_size, crc)))
    except Exception:  # whatever parsers and decompressors raise at damaged bytes
        return None


def _inside(data: bytes) -> Iterator[McapRecord]:
    position = 0
    while position < len(data):
        opcode, length = _HEAD.unpack_from(data, position)
        start, position = position + _HEAD.size, position + _HEAD.size + length
        if opcode not in _INSIDE or position > len(data):
            raise ValueError("a chunk holds what is no record")
        yield _parsed(opcode, data[start:position])


def _parsed(opcode: int, content: bytes) -> McapRecord:
    stream = ReadDataStream(BytesIO(content))
    length = (len(content),) if opcode == Opcode.MESSAGE else ()
    record: McapRecord = _KINDS[opcode].read(stream, *length)
    return record
