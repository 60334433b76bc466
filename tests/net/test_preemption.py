# SPDX-License-Identifier: GPL-2.0-or-later
"""Who preempts whom, and elections among three."""

import pytest
from routers import Client, active_routers, adverts, assert_settled, attach, attach_pair, counters, transitions


def test_a_higher_router_that_comes_back_preempts(lab):
    """FSM-B5, FSM-A4."""
    pair = attach_pair(lab)
    assert pair.r1.stop() == 0
    pair.r2.wait_log("-> Active")
    pair.client.frames()
    back = attach(lab, "r1")
    pair.client.wait_advert("r1")
    pair.r2.wait_log("Active -> Backup: advert of higher priority: 200 from 10.77.0.11, ours 100")
    back.wait_log("Backup -> Active")
    assert_settled(lab, pair.client, "r1", ["r2"])


def test_a_lower_router_never_preempts_and_never_speaks(lab):
    """FSM-B4: it absorbs advert after advert."""
    pair = attach_pair(lab)
    pair.client.frames()
    seen = []
    pair.client.wait(lambda frame: seen.append(frame) or len(adverts(lab, "r1", seen)) == 10)
    assert not adverts(lab, "r2", seen)
    assert transitions(pair.r2) == ["Initialize -> Backup"]
    assert counters(lab, "r2")["rx_absorbed"] >= 9, "it was not listening"


@pytest.mark.parametrize("mode", ["native", "skb"])
def test_a_higher_router_without_preempt_leaves_a_lower_active_router_in_peace(lab, mode):
    """FSM-B4 with Preempt_Mode false: three of its own down intervals do not make it speak."""
    r2 = attach(lab, "r2", mode=mode)
    r2.wait_log("-> Active")
    r1 = attach(lab, "r1", None, "--no-preempt", mode=mode)
    client = Client(lab)
    r1.wait_log("the Active Router is 10.77.0.12, priority 100")
    seen = []
    client.wait(lambda frame: seen.append(frame) or len(adverts(lab, "r2", seen)) == 10)
    assert not adverts(lab, "r1", seen)
    assert_settled(lab, client, "r2", ["r1"])
    assert transitions(r1) == ["Initialize -> Backup"]
    assert not lab.status("r1")["virtual_routers"][0]["preempt"]


@pytest.mark.parametrize("end, why", [("stop", r"the Active Router left \(priority 0\)"), ("kill", "no advert")])
def test_a_router_without_preempt_takes_over_when_the_lower_one_goes(lab, end, why):
    """FSM-B3, FSM-B2: Preempt_Mode has no say there. A lower router that returns finds it Active and stays Backup."""
    r2 = attach(lab, "r2")
    r2.wait_log("-> Active")
    r1 = attach(lab, "r1", None, "--no-preempt")
    r1.wait_log("the Active Router is 10.77.0.12, priority 100")
    getattr(r2, end)()
    r1.wait_log(f"Backup -> Active: {why}")
    client = Client(lab)
    assert client.who_has(lab.VIP, ["r1", "r2"]) == [lab.mac("r1")]
    again = attach(lab, "r2")
    again.wait_log("the Active Router is 10.77.0.11, priority 200")
    assert_settled(lab, client, "r1", ["r2"])
    assert transitions(again) == ["Initialize -> Backup"]


@pytest.mark.lan(routers=3)
def test_of_three_routers_the_next_in_line_takes_over_and_no_other(lab):
    """FSM-1: the skew orders the Backups. r1 dies, then r2; each time exactly one takes over, with exactly one claim."""
    priority = {"r1": 254, "r2": 250, "r3": 1}  # r3's skew is an interval longer than r2's
    procs, client = {}, Client(lab)
    for router in lab.routers:
        procs[router] = attach(lab, router, priority[router])
        procs[router].wait_log("-> Active" if router == "r1" else "Initialize -> Backup")
    assert_settled(lab, client, "r1", ["r2", "r3"])
    for dead, heir in (("r1", "r2"), ("r2", "r3")):
        client.frames()
        procs[dead].kill()
        procs[heir].wait_log("Backup -> Active: no advert")
        seen = []
        client.wait(lambda frame: seen.append(frame) or len(adverts(lab, heir, seen)) == 8)
        assert heir == "r3" or not adverts(lab, "r3", seen)
        assert active_routers(lab) == [heir]
        assert client.who_has(lab.VIP, lab.routers) == [lab.mac(heir)]
        lab.run("client", f"ping -c 1 -W 2 {lab.VIP}")
    assert transitions(procs["r2"]) == transitions(procs["r3"]) == ["Initialize -> Backup", "Backup -> Active"]


@pytest.mark.lan(routers=3)
def test_of_three_routers_the_next_in_line_takes_over_after_a_goodbye(lab):
    """FSM-B3: all Backups hear the same priority 0, and only the first in line claims."""
    priority = {"r1": 254, "r2": 250, "r3": 1}
    procs, client = {}, Client(lab)
    for router in lab.routers:
        procs[router] = attach(lab, router, priority[router])
        procs[router].wait_log("-> Active" if router == "r1" else "the Active Router is 10.77.0.11, priority 254")
    procs["r1"].stop()
    procs["r2"].wait_log(r"Backup -> Active: the Active Router left \(priority 0\)")
    client.wait_advert("r2", count=5)
    assert transitions(procs["r3"]) == ["Initialize -> Backup"]
    assert_settled(lab, client, "r2", ["r3"])


@pytest.mark.parametrize("priority", [255, 254])
def test_the_address_owner_is_active_at_once_and_preempts_in_spite_of_its_configuration(lab, priority):
    """FSM-I1, section 3.1: an owner always preempts; the highest priority below it obeys --no-preempt."""
    r2 = attach(lab, "r2")
    r2.wait_log("-> Active")
    r1 = attach(lab, "r1", priority, "--no-preempt")
    if priority == 255:
        r1.wait_log("Initialize -> Active: priority 255")
        assert_settled(lab, Client(lab), "r1", ["r2"])
    else:
        r1.wait_log("the Active Router is 10.77.0.12, priority 100")
        assert_settled(lab, Client(lab), "r2", ["r1"])
