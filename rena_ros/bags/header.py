"""The stamp of a message that begins with a std_msgs/Header, read and replaced without decoding the rest.

CDR: four bytes, of which the second tells the byte order, then int32 seconds and uint32 nanoseconds.
"""

import struct

from rena_ros.base.errors import RenaError


def stamp_of(data: bytes) -> int:
    """Return the stamp, ns, of a message in CDR: its first 12 bytes. Raises RenaError for a shorter one."""
    if len(data) < 12:
        raise RenaError(f"a message of {len(data)} bytes has no header: the bag is damaged, or its type is another")
    seconds, nanoseconds = struct.unpack_from("<iI" if data[1] & 1 else ">iI", data, 4)
    return int(seconds * 1_000_000_000 + nanoseconds)


def stamped(data: bytes, stamp: tuple[int, int]) -> bytes:
    """Return a serialized message that begins with a header, with another stamp (s, ns)."""
    fresh = bytearray(data)
    struct.pack_into("<iI" if data[1] & 1 else ">iI", fresh, 4, *stamp)
    return bytes(fresh)
