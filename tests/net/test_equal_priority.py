# SPDX-License-Identifier: GPL-2.0-or-later
"""Two routers of one priority: their addresses decide, as unsigned numbers in network byte order."""

import pytest
from routers import Client, active_routers, adverts, assert_settled, attach, partition, transitions

PAIRS = [  # the lower address first; what a wrong comparison would make of them
    ("1.0.0.2", "2.0.0.1"),                # the wrong byte first
    ("10.0.0.9", "10.0.0.10"),             # as text
    ("9.255.255.254", "10.0.0.2"),         # the last byte, or their sum
    ("126.255.255.254", "128.0.0.1"),      # a sign bit
    ("10.77.0.11", "203.0.113.1"),         # as signed numbers
]


def start_apart(lab, addrs, flags):
    """Both routers Active, each in its half; `addrs` by router."""
    partition(lab, True)
    procs = {}
    for router, addr in addrs.items():
        if addr != lab.ip(router):
            lab.run(router, ["ip", "addr", "add", f"{addr}/32", "dev", "eth0"])
        procs[router] = attach(lab, router, 100, *flags(addr))
    for proc in procs.values():
        proc.wait_log("-> Active")
    return procs


@pytest.mark.parametrize("greater_on", ["r1", "r2"])
@pytest.mark.parametrize("lower, greater", PAIRS)
def test_after_a_healed_partition_the_greater_address_stays_active(lab, lower, greater, greater_on):
    """FSM-A4, FSM-A7, SEC-18."""
    lower_on = {"r1": "r2", "r2": "r1"}[greater_on]
    client = Client(lab)
    procs = start_apart(lab, {greater_on: greater, lower_on: lower}, lambda addr: ["--src", addr])
    client.wait_advert(lower_on, src=lower)
    client.wait_advert(greater_on, src=greater)
    assert sorted(active_routers(lab)) == ["r1", "r2"]
    partition(lab, False)
    procs[lower_on].wait_log(f"Active -> Backup: advert of the same priority and a greater address: 100 from {greater}")
    client.frames()
    seen = []
    client.wait(lambda frame: seen.append(frame) or len(adverts(lab, greater_on, seen)) == 5)
    assert not adverts(lab, lower_on, seen)
    assert transitions(procs[greater_on]) == ["Initialize -> Backup", "Backup -> Active"]
    assert transitions(procs[lower_on]) == ["Initialize -> Backup", "Backup -> Active", "Active -> Backup"]
    assert_settled(lab, client, greater_on, [lower_on])


def test_without_src_the_address_of_the_interface_decides(lab):
    """FSM-A7: Sme is the source of our adverts, here 10.77.0.12 against 10.77.0.11."""
    client = Client(lab)
    procs = start_apart(lab, {"r1": "10.77.0.11", "r2": "10.77.0.12"}, lambda addr: [])
    partition(lab, False)
    procs["r1"].wait_log("Active -> Backup: advert of the same priority and a greater address: 100 from 10.77.0.12")
    assert_settled(lab, client, "r2", ["r1"])


def test_the_greater_priority_beats_the_greater_address(lab):
    """FSM-A4: the address counts among equals only."""
    client = Client(lab)
    partition(lab, True)
    procs = {"r1": attach(lab, "r1", 101), "r2": attach(lab, "r2", 100)}
    for proc in procs.values():
        proc.wait_log("-> Active")
    partition(lab, False)
    procs["r2"].wait_log("Active -> Backup: advert of higher priority: 101 from 10.77.0.11")
    assert_settled(lab, client, "r1", ["r2"])


def test_two_owners_are_settled_by_their_addresses(lab):
    """SEC-17, FSM-10: 255 against 255 must not stay a double Active."""
    client = Client(lab)
    procs = {router: attach(lab, router, 255) for router in ("r1", "r2")}
    procs["r1"].wait_log("Active -> Backup: advert of the same priority and a greater address: 255 from 10.77.0.12")
    assert_settled(lab, client, "r2", ["r1"])


def test_two_equals_that_start_at_once_leave_exactly_one_active(lab):
    """FSM-B6, FSM-A4: whichever speaks first, or the greater address when both do; and it stays so."""
    client = Client(lab)
    procs = {router: attach(lab, router, 100) for router in ("r1", "r2")}
    client.wait_advert(count=10)
    active, = active_routers(lab)
    other = {"r1": "r2", "r2": "r1"}[active]
    client.frames()
    seen = []
    client.wait(lambda frame: seen.append(frame) or len(adverts(lab, active, seen)) == 5)
    assert not adverts(lab, other, seen)
    assert transitions(procs[active]) == ["Initialize -> Backup", "Backup -> Active"]
    assert_settled(lab, client, active, [other])
