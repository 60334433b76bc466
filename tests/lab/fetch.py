#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""An HTTP client that asks again and again, each time by a connection of its own, as many short-lived clients do.

    fetch.py [-e EVERY_MS] [-t TIMEOUT_MS] HOST PORT

One JSON object per line: "t" and "end" when the request began and ended (CLOCK_REALTIME ns), "who" what the answer's body says,
or "error". The next request begins EVERY_MS after the last one ended. Ends with SIGTERM or when stdin is closed.
"""

import argparse
import json
import select
import socket
import sys
import time


def ask(addr, timeout):
    """The body of the answer."""
    with socket.create_connection(addr, timeout) as sock:
        sock.sendall(b"GET / HTTP/1.0\r\nHost: lab\r\n\r\n")
        answer = b""
        while chunk := sock.recv(4096):
            answer += chunk
    head, _, body = answer.partition(b"\r\n\r\n")
    if b" 200 " not in head.partition(b"\r\n")[0]:
        raise OSError(f"answer {head[:40]!r}")
    return body.decode().strip()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("-e", type=float, default=5, dest="every_ms")
    parser.add_argument("-t", type=float, default=1000, dest="timeout_ms")
    parser.add_argument("host")
    parser.add_argument("port", type=int)
    args = parser.parse_args()
    print(json.dumps({"kind": "ready"}), flush=True)
    while not select.select([sys.stdin], [], [], args.every_ms / 1000)[0]:
        event = {"kind": "request", "t": time.time_ns()}
        try:
            event["who"] = ask((args.host, args.port), args.timeout_ms / 1000)
        except OSError as e:
            event["error"] = str(e) or type(e).__name__
        print(json.dumps({**event, "end": time.time_ns()}), flush=True)


if __name__ == "__main__":
    main()
