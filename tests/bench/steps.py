# SPDX-License-Identifier: GPL-2.0-or-later
"""Rows that take a takeover apart: what each step costs, from Active_Down_Timer to the client's first answered packet.

The router's own clock gives its steps, as its log has them; the client's kernel gives when frames came. Both count from the same
moment: due on the client's side is its last advert plus Active_Down_Interval, which is later than the router's by as much as the
client was later to see that advert.
"""

import functools
import os
import re

from lab import Lab
from reaction import CLIENT_PRIORITY, Pair
from rows import Row

LINE = re.compile(r"Backup -> Active: no advert for [\d.]+ ms; advert \+(\d+) us, address \+(\d+) us, answering \+(\d+) us, .* \+(\d+) us")
# name, what the step is, what it is in the dict of once()
STEPS = (
    ("advert", "Active_Down_Timer due -> our advert is sent", lambda t: t["advert"]),
    ("address", "... -> the kernel has acknowledged the address", lambda t: t["address"] - t["advert"]),
    ("role", "... -> the role is in the map, XDP answers ARP and ND", lambda t: t["role"] - t["address"]),
    ("announce", "... -> the announcements are sent", lambda t: t["announce"] - t["role"]),
    ("client", "due -> the first announcement reaches the client", lambda t: t["announced"]),
    ("reply", "... -> the first answered packet reaches the client, which asks every 0.1 ms", lambda t: t["reply"] - t["announced"]),
)


@functools.lru_cache(None)
def takeovers(runs, family):
    """One dict of microseconds per takeover of vrrp-xdp, all since due."""
    found = []
    with Lab(routers=2) as lab:
        pair = Pair(lab, "vrrp-xdp", family=family)
        for _ in range(runs):
            ping = lab.probe(pair.vip, echo_us=100)
            os.sched_setscheduler(ping.pid, os.SCHED_FIFO, os.sched_param(CLIENT_PRIORITY))
            ping.wait_event(lambda e: e["kind"] == "echo", count=50)
            since = pair.proc["r2"].mark()
            due, announced = pair.takeover()
            reply = ping.wait_event(lambda e: e["kind"] == "echo", 20, due)["t"]
            own = map(int, pair.proc["r2"].wait_log(LINE.pattern, since=since).groups())
            found.append(dict(zip(("advert", "address", "role", "announce"), own)) |
                         {"announced": (announced - due) / 1e3, "reply": (reply - due) / 1e3})
            ping.stop()
            pair.restore()
    return found


def step(family, pick):
    return lambda _program, runs: [pick(t) for t in takeovers(runs, family)]


def rows():
    return [Row(f"step{'' if family == 4 else 6}-{name}", "Takeover", f"{'' if family == 4 else 'IPv6, '}step by step: {figure}", "us",
                "less", None, step(family, pick), programs=("vrrp-xdp",)) for family in (4, 6) for name, figure, pick in STEPS]


def series():
    return []
