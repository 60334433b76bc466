# SPDX-License-Identifier: GPL-2.0-or-later
"""Adverts over a bad line: nobody takes over before the timers allow it, and in the end one router is Active."""

import frames
import pytest
from routers import Client, adverts, assert_settled, attach_pair, transitions

ADVERT_MS = 200
DOWN_MS = 3 * ADVERT_MS + ADVERT_MS * (256 - 100) / 256  # RFC 9568 6.1, for r2's priority
LATE_MS = 60  # a frame reaches two emulated machines at moments that may differ by so much
ADVERTS = 60
LINES = {
    "loss": "loss 20%",
    "delay": "delay 20ms 5ms distribution normal",
    "duplicates": "duplicate 30%",
    "reordering": "delay 20ms reorder 25% 50%",
    "everything": "delay 20ms 5ms loss 20% duplicate 10% reorder 10%",
}


def silences(lab, seen):
    """Where r1's adverts stayed away, as lengths in ms."""
    times = [frame.t for frame in seen if adverts(lab, "r1", [frame])]
    return [(b - a) / 1e6 for a, b in zip(times, times[1:])]


@pytest.mark.parametrize("line", list(LINES))
def test_no_takeover_that_the_timers_do_not_demand(lab, line):
    """FSM-B2: r2 speaks up exactly when r1 has been silent for Active_Down_Interval; the client hears what r2 hears."""
    lab.run("r1", "modprobe sch_netem")
    pair = attach_pair(lab, advert_ms=ADVERT_MS)
    assert_settled(lab, pair.client, "r1", ["r2"])
    since, client = pair.r2.mark(), Client(lab)
    lab.run("r1", f"tc qdisc add dev eth0 root netem {LINES[line]}")
    seen = []
    client.wait(lambda frame: seen.append(frame) or len(adverts(lab, "r1", seen[-1:])) and
                len([f for f in seen if frames.parse_advert(f.data)]) >= ADVERTS, 60)
    takeovers = transitions(pair.r2, since).count("Backup -> Active")
    quiet = silences(lab, seen)
    assert takeovers <= len([ms for ms in quiet if ms > DOWN_MS - LATE_MS]), quiet
    assert takeovers >= len([ms for ms in quiet if ms > DOWN_MS + LATE_MS]), quiet
    assert transitions(pair.r1) == ["Initialize -> Backup", "Backup -> Active"], "r1 heard nobody better"
    lab.run("r1", "tc qdisc del dev eth0 root")
    assert_settled(lab, pair.client, "r1", ["r2"])


def test_a_takeover_over_a_bad_line_on_both_sides(lab):
    """The questions and answers of FSM-B2 and ARP-8 may be lost as well."""
    lab.run("r1", "modprobe sch_netem")
    pair = attach_pair(lab, advert_ms=ADVERT_MS)
    for router in lab.routers:
        lab.run(router, f"tc qdisc add dev eth0 root netem {LINES['everything']}")
    pair.client.wait_advert("r1", count=20, timeout=30)
    since = pair.r2.mark()
    assert pair.r1.stop() == 0
    if lab.state("r2") != "Active":
        pair.r2.wait_log("Backup -> Active", since=since)
    pair.client.wait_advert("r2", count=20, timeout=30)
    for router in lab.routers:
        lab.run(router, "tc qdisc del dev eth0 root")
    assert_settled(lab, pair.client, "r2")
