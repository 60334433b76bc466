# SPDX-License-Identifier: GPL-2.0-or-later
"""A stream of datagrams to a virtual address, and which of them reached which router."""

import contextlib
import socket
from pathlib import Path

from lab import SO_RCVBUFFORCE, in_netns
from proc import Probe
from stream import NUMBER

STREAM = Path(__file__).resolve().parent / "stream.py"
PORT = 9000


class Loss:
    """Streams from the client on until counted()."""

    def __init__(self, lab, addr, every_us=200):
        def listen():
            sock = socket.socket(socket.AF_INET6 if ":" in addr else socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
            sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 64 << 20)
            sock.bind(("", PORT))
            return sock

        self._stack = contextlib.ExitStack()
        self._socks = {router: self._stack.enter_context(contextlib.closing(in_netns(lab.netns(router), listen)))
                       for router in lab.routers}
        self._numbers = {router: set() for router in lab.routers}
        self._sender = lab.popen("client", [STREAM, "-e", every_us, addr, PORT], Probe)

    def _read(self):
        for router, sock in self._socks.items():
            with contextlib.suppress(BlockingIOError):
                while data := sock.recv(NUMBER.size):
                    self._numbers[router].add(NUMBER.unpack(data)[0])

    def wait_received(self, lab, router, count=200):
        """Waits until a router has got that many more."""
        self._read()
        before = len(self._numbers[router])

        def there():
            self._read()
            return len(self._numbers[router]) >= before + count
        lab.wait_until(there, what=f"{router}: {count} datagrams")

    def counted(self):
        """Ends the stream. Returns when each datagram was sent, as a list, and the numbers of those that each router got."""
        self._sender.stop()
        self._read()
        self._stack.close()
        return self._sender.events(kinds=("sent",))[0]["times"], self._numbers


def lost(times, numbers, since, until):
    """The numbers of datagrams sent in that time that nobody got."""
    got = set().union(*numbers.values())
    return [n for n, t in enumerate(times) if since <= t <= until and n not in got]
