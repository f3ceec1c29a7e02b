"""Writes down which sockets reach beyond this machine, in every Python that the tests start; see ``tests/outside.py``."""

import contextlib
import ipaddress
import os
import socket
import sys

FILE = "SOCKETS_OUTSIDE"  # names the file that is written; nothing is seen to without it
SEEN = "_sockets_are_seen"  # of sys: this file may be loaded under several names
ADDRESSED = {"socket.connect": "connect", "socket.bind": "bind", "socket.sendto": "send", "socket.sendmsg": "send"}
ASKED = {"socket.getaddrinfo": "look up", "socket.gethostbyname": "look up"}
HERE = {"", "localhost", "localhost.localdomain", "ip6-localhost", socket.gethostname()}


def reaches(event: str, arguments: tuple[object, ...]) -> str:
    """What a socket does beyond this machine, in a line; nothing where it keeps to it."""
    if event in ADDRESSED and len(arguments) > 1:
        own, address = arguments[:2]
        if getattr(own, "family", None) not in (socket.AF_INET, socket.AF_INET6) or not isinstance(address, tuple):
            return ""
        host, way = str(address[0]), ADDRESSED[event]
        if is_loopback(host) or (way != "bind" and host in HERE):
            return ""
        datagram = " a datagram to" if getattr(own, "type", 0) & 0xF == socket.SOCK_DGRAM else ""
        return f"{way}{datagram} {host or 'all addresses'}"
    if event in ASKED:
        asked = arguments[0]
        host = asked.decode("latin-1") if isinstance(asked, bytes) else str(asked or "")
        return "" if host in HERE or is_number(host) else f"{ASKED[event]} {host}"
    return ""


def is_number(host: str) -> bool:
    """Whether a host is an address, which nobody is asked for."""
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


def is_loopback(host: str) -> bool:
    """Whether an address is this machine's own, which no other can reach."""
    return is_number(host) and ipaddress.ip_address(host.partition("%")[0]).is_loopback


def install() -> None:
    """From now on what this process does beyond this machine is written down."""
    path = os.environ.get(FILE)
    if not path or hasattr(sys, SEEN):
        return
    setattr(sys, SEEN, True)

    def see(event: str, arguments: tuple[object, ...]) -> None:
        if event.startswith("socket.") and (told := reaches(event, arguments)):
            # The number of a file rather than a file: nothing is left open in whoever is seen to.
            with contextlib.suppress(OSError):
                number = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
                os.write(number, f"{told} ({' '.join(sys.argv)[:200]!r})\n".encode("utf-8", "replace"))
                os.close(number)

    sys.addaudithook(see)


install()
