# SPDX-License-Identifier: GPL-2.0-or-later
"""A stream of datagrams to the virtual MAC while its owner changes: what a switch and a host learn, and what is lost."""

import re
import signal
import time

import pytest
from beside import VIPS4, VIPS6, family_of, virtual_mac
from lab import Lab
from loss import Loss, lost
from routers import attach
from together import played

WAYS = ("stop", "cut", "stop", "cut")


def owners(monitor, mac):
    """The cables behind which the switch has seen a MAC, one after the other."""
    found = [re.match(rf"{mac} dev (\S+) master br0", line) for line in monitor.log]
    ports = [match.group(1) for match in found if match]
    return [port for n, port in enumerate(ports) if n == 0 or port != ports[n - 1]]


class Play:
    """r1 and r2 with use_vmac, a switch and a client that are listened to, and a stream."""

    def __init__(self, lab, vips):
        self.lab, self.vips = lab, vips
        self.vip = vips[-1].partition("/")[0]
        self.mac = virtual_mac(family_of(self.vip))
        self.switch = lab.popen("sw", "bridge monitor fdb")
        self.neighbours = lab.popen("client", "ip monitor neigh dev eth0")
        self.watch = lab.watch()
        self.r1 = self.start("r1")
        self.r1.wait_log("-> Active")
        self.r2 = self.start("r2")
        self.r2.wait_log("the Active Router is")
        lab.run("client", f"ping -c 1 -W 2 {self.vip}")
        self.stream = Loss(lab, self.vip)
        self.stream.wait_received(lab, "r1")

    def start(self, router):
        return attach(self.lab, router, None, "--vmac", mode="skb", vips=self.vips)

    def _announced(self, since):
        """When the client heard the first announcement of a new owner."""
        return self.watch.wait_event(lambda e: e["kind"] in ("garp", "una") and e["ip"] == self.vip, since=since)["t"]

    def fail(self, way):
        """r1 goes and comes back. From when until when r2 alone was the owner, all hosts told."""
        since = time.time_ns()
        if way == "stop":
            self.r1.signal(signal.SIGTERM)
        else:
            self.lab.cut_cable("r1")
        announced = self._announced(since)
        self.stream.wait_received(self.lab, "r2")
        if way == "stop":
            self.r1.wait()
        else:
            self.r1.wait_log("-> Initialize: link down")
        until = time.time_ns()
        if way == "stop":
            self.r1 = self.start("r1")
        else:
            self.lab.plug("r1")
        self._announced(until)
        self.stream.wait_received(self.lab, "r1")
        return announced, until


def play(family):
    """What was lost though the switch had been told; whose the switch says the MAC was; what the host took the address for."""
    with Lab() as lab:
        p = Play(lab, VIPS4 if family == 4 else VIPS6)
        calm = [p.fail(way) for way in WAYS]
        times, numbers = p.stream.counted()
        told = [line for line in p.neighbours.log if line.startswith(f"{p.vip} ") or line.startswith(f"Deleted {p.vip} ")]
        gone = lost(times, numbers, times[0], times[-1])
        print(f"IPv{family}: {len(gone)} of {len(times)} datagrams lost in {2 * len(WAYS)} failovers")
        assert told, "the kernel told nothing of the entry"
        strays = {router: owners(p.switch, lab.mac(router)) for router in lab.routers}
        return ([lost(times, numbers, *part) for part in calm], owners(p.switch, p.mac),
                [line for line in told if f"lladdr {p.mac} " not in line], strays)


results = played(play, "family")


@pytest.mark.parametrize("family", [4, 6])
def test_the_switch_follows_the_virtual_mac_and_no_host_learns_another_one(results, family):
    """KA-35 without macvlan, ARP-1, ARP-12, ND-1, WF-14: from the announcement on not one datagram is lost."""
    lost_after, ports, other, strays = results(family)
    assert lost_after == [[]] * len(WAYS)
    assert ports == ["r1", *["r2", "r1"] * len(WAYS)]
    assert not other, "the client's entry was another one meanwhile"
    assert all(set(seen) <= {router} for router, seen in strays.items()), strays
