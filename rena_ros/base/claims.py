"""One holder of a name on this machine: a second node of one name, or a second run, is refused before it moves."""

import errno
import hashlib
import socket

_LONGEST = 100  # bytes; the kernel takes 107


def claim(name: str) -> socket.socket | None:
    """Claim ``name`` until the returned socket is closed or the process ends, however it ends; None: it is taken.

    The name is an address of an abstract Unix socket (unix(7)): no file, no permissions, one holder among all users of
    this machine. Children started with exec do not hold it.
    """
    held = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        held.bind(_address(name))
    except OSError as error:
        held.close()
        if error.errno == errno.EADDRINUSE:
            return None
        raise
    return held


def is_claimed(name: str) -> bool:
    """Return whether a process holds ``name``; asking claims nothing, not even for a moment."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as question:
        try:
            question.connect(_address(name))
        except ConnectionRefusedError:
            return False
    return True


def _address(name: str) -> bytes:
    address = f"\0rena/{name}".encode("utf-8", "surrogateescape")
    if len(address) > _LONGEST:
        address = b"\0rena/" + hashlib.sha256(address).hexdigest().encode()
    return address
