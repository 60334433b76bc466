#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A client that sends numbered datagrams all the time.

    stream.py [-e EVERY_US] HOST PORT

Prints "ready", and at its end when it sent each (CLOCK_REALTIME ns). Ends with SIGTERM or when stdin is closed. What the
kernel refuses to send, because the host is unknown, has a number and is lost like any other.
"""

import argparse
import contextlib
import json
import select
import signal
import socket
import struct
import sys
import time

NUMBER = struct.Struct(">Q")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("-e", type=float, default=200, dest="every_us")
    parser.add_argument("host")
    parser.add_argument("port", type=int)
    args = parser.parse_args()
    ended = []
    signal.signal(signal.SIGTERM, lambda *_: ended.append(True))
    sock = socket.socket(socket.AF_INET6 if ":" in args.host else socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    sock.connect((args.host, args.port))
    print(json.dumps({"kind": "ready"}), flush=True)
    sent, due = [], time.monotonic()
    while not ended:
        sent.append(time.time_ns())
        with contextlib.suppress(OSError):
            sock.send(NUMBER.pack(len(sent) - 1))
        due += args.every_us / 1e6
        if len(sent) % 100 == 0 and select.select([sys.stdin], [], [], 0)[0]:
            break
        time.sleep(max(0, due - time.monotonic()))
    print(json.dumps({"kind": "sent", "times": sent}), flush=True)


if __name__ == "__main__":
    main()
