# SPDX-License-Identifier: GPL-2.0-or-later
"""What others do to the interface: addresses taken away, links that go down, flap or come back."""

import frames
import pytest
from routers import Client, active_routers, adverts, assert_settled, attach, attach_pair, partition, transitions

NO_ADDRESS = "the interface has no IPv4 address besides the virtual ones"
STARTED = ["Initialize -> Backup", "Backup -> Active"]


def alter(lab, host, *words):
    lab.run(host, ["ip", *words, "dev", "eth0"])


def assert_one_active_that_is_reached(lab, client, active, backup):
    """As assert_settled(), but the switch may first have to forward again, and a client's kernel to forget a MAC."""
    lab.wait_until(lambda: active_routers(lab) == [active] and lab.state(backup) == "Backup", 15, "one Active")
    for addr in (lab.ip(active), lab.ip(backup), lab.VIP):
        lab.wait_until(lambda a=addr: lab.run("client", f"ping -c 1 -W 1 {a}", check=False).returncode == 0, 15, "a ping")
    assert_settled(lab, client, active, [backup])


@pytest.mark.parametrize("mode", ["native", "skb"])
def test_a_virtual_address_that_somebody_removes_is_put_back_at_once_and_announced(lab, mode):
    """Section 6; unlike KA-20 without a change of state: no priority 0, no advert missed."""
    pair = attach_pair(lab, mode=mode)
    for _ in range(3):
        since = pair.r1.mark()
        pair.client.frames()
        alter(lab, "r1", "addr", "del", lab.VIP_CIDR)
        pair.r1.wait_log(r"somebody removed 10\.77\.0\.100/24 from eth0; put back", since=since)
        seen = []
        pair.client.wait(lambda frame: seen.append(frame) or frames.is_garp(frame.data, lab.VIP))
        assert frames.parse_arp(seen[-1].data).eth_src == lab.mac("r1")
        assert lab.VIP in lab.addrs("r1") and pair.client.is_answered("r1")
        assert 0 not in [a.priority for a in adverts(lab, "r1", seen)]
    assert transitions(pair.r1) == STARTED
    assert_settled(lab, pair.client, "r1", ["r2"])


def test_a_virtual_address_is_put_back_without_waiting_for_the_next_advert(lab):
    """Section 6: here that is 40 s away."""
    client, proc = Client(lab), attach(lab, "r1", 255, advert_ms=40000)
    proc.wait_log("-> Active")
    client.wait(lambda frame: frames.is_garp(frame.data, lab.VIP))
    alter(lab, "r1", "addr", "del", lab.VIP_CIDR)
    proc.wait_log("somebody removed")
    lab.wait_addr("r1", lab.VIP)
    assert client.is_answered("r1")


def test_an_address_that_is_not_ours_may_come_and_go(lab):
    """Invariant 2."""
    pair = attach_pair(lab)
    said = pair.r1.mark()
    for what in ("add", "del"):
        alter(lab, "r1", "addr", what, "10.77.0.150/24")
        alter(lab, "r1", "addr", what, "192.0.2.1/24")
    pair.client.frames()
    pair.client.wait_advert("r1", count=3, src=lab.ip("r1"))
    assert pair.r1.mark() == said
    assert_settled(lab, pair.client, "r1", ["r2"])


def test_an_interface_set_down_hands_over_and_takes_part_again_when_it_is_up(lab):
    """FSM-12."""
    pair = attach_pair(lab)
    since = pair.r2.mark()
    down = pair.r1.mark()
    alter(lab, "r1", "link", "set", "down")
    pair.r1.wait_log("Active -> Initialize: link down")
    pair.r2.wait_log("Backup -> Active", since=since)
    assert lab.VIP not in lab.addrs("r1")
    lab.run("client", f"ping -c 1 -W 2 {lab.VIP}")
    alter(lab, "r1", "link", "set", "up")
    pair.r2.wait_log("Active -> Backup", since=since)
    pair.r1.wait_log("Backup -> Active", since=down)
    assert_settled(lab, pair.client, "r1", ["r2"])
    assert transitions(pair.r1) == [*STARTED, "Active -> Initialize", *STARTED]


def test_a_backup_whose_interface_goes_down_and_up_stays_backup(lab):
    """FSM-12: it never speaks."""
    pair = attach_pair(lab)
    pair.client.frames()
    down = pair.r2.mark()
    alter(lab, "r2", "link", "set", "down")
    pair.r2.wait_log("Backup -> Initialize: link down")
    alter(lab, "r2", "link", "set", "up")
    pair.r2.wait_log("Initialize -> Backup", since=down)
    seen = []
    pair.client.wait(lambda frame: seen.append(frame) or len(adverts(lab, "r1", seen)) >= 8)
    assert not adverts(lab, "r2", seen)
    assert_settled(lab, pair.client, "r1", ["r2"])


@pytest.mark.parametrize("router", ["r1", "r2"])
@pytest.mark.parametrize("times", [1, 5])
def test_a_link_that_flaps_ends_with_one_active_router(lab, router, times):
    """FSM-12: cable out and in, as fast as it goes."""
    pair = attach_pair(lab)
    for _ in range(times):
        lab.cut_cable(router)
        lab.plug(router)
    pair.client.wait_advert("r1")
    assert_one_active_that_is_reached(lab, pair.client, "r1", "r2")


@pytest.mark.lan(spaced_links=True)
@pytest.mark.parametrize("router", ["r1", "r2"])
@pytest.mark.parametrize("times", [1, 5])
def test_a_link_that_flaps_unnoticed_ends_with_one_active_router(lab, router, times):
    """As above, where the kernel, as with a real NIC, spaces its news of a carrier and tells of none that is soon back."""
    pair = attach_pair(lab)
    for _ in range(times):
        lab.cut_cable(router)
        lab.plug(router)
    pair.client.wait_advert("r1")
    assert_one_active_that_is_reached(lab, pair.client, "r1", "r2")


@pytest.mark.lan(spaced_links=True)
def test_hosts_are_told_anew_after_a_flap_that_the_kernel_tells_of_when_it_is_over(lab):
    """ARP-8: somebody may have moved meanwhile. The kernel's news come within a second, the regular repetition later."""
    pair = attach_pair(lab)
    pair.client.frames()
    lab.cut_cable("r1")
    lab.plug("r1")
    told = pair.client.wait(lambda frame: frames.is_garp(frame.data, lab.VIP), 3)
    assert frames.parse_arp(told.data).eth_src == lab.mac("r1")
    assert transitions(pair.r1) == STARTED


def test_a_flap_that_is_longer_than_the_peers_patience_ends_with_one_active_router(lab):
    """FSM-A4, FSM-A5: the peer takes over, and gives back as soon as it hears the better one."""
    pair = attach_pair(lab)
    since = pair.r2.mark()
    lab.cut_cable("r1")
    pair.r2.wait_log("Backup -> Active", since=since)
    lab.plug("r1")
    pair.r2.wait_log("Active -> Backup", since=since)
    assert_one_active_that_is_reached(lab, pair.client, "r1", "r2")


def test_a_path_that_fails_without_a_link_going_down_ends_with_one_active_router(lab):
    """FSM-A4: both are Active while the switch separates them, and clients are told anew when it does no more."""
    pair = attach_pair(lab)
    partition(lab, True)
    pair.r2.wait_log("Backup -> Active")
    assert active_routers(lab) == ["r1", "r2"]
    partition(lab, False)
    pair.r2.wait_log("Active -> Backup: advert of higher priority")
    assert_settled(lab, pair.client, "r1", ["r2"])


# ---- the source address ----

def test_without_its_source_address_a_router_steps_down_and_it_comes_back_as_backup(lab):
    """FSM-12: priority 0 goes out, so that the peer need not wait; Startup when there is an address again."""
    pair = attach_pair(lab)
    since = pair.r2.mark()
    pair.client.frames()
    gone = pair.r1.mark()
    alter(lab, "r1", "addr", "del", f"{lab.ip('r1')}/24")
    pair.r1.wait_log(f"Active -> Initialize: {NO_ADDRESS}")
    pair.client.wait_advert("r1", priority=0)
    pair.r2.wait_log(r"Backup -> Active: the Active Router left \(priority 0\)", since=since)
    assert lab.state("r1") == "Initialize"
    assert lab.VIP not in lab.addrs("r1")
    assert pair.client.who_has(lab.VIP, ["r2"]) == [lab.mac("r2")]
    alter(lab, "r1", "addr", "add", f"{lab.ip('r1')}/24")
    pair.r1.wait_log("Initialize -> Backup", since=gone)
    pair.r1.wait_log("Backup -> Active", since=gone)
    assert_settled(lab, pair.client, "r1", ["r2"])
    assert transitions(pair.r1) == [*STARTED, "Active -> Initialize", *STARTED]


def test_without_an_address_at_the_start_a_router_waits_in_initialize_and_says_why(lab):
    """FSM-12, RX-36: adverts are counted and ignored meanwhile."""
    alter(lab, "r1", "addr", "flush")
    proc = attach(lab, "r1")
    proc.wait_log(f"Initialize: {NO_ADDRESS}")
    status, = lab.status("r1")["virtual_routers"]
    assert (status["state"], status["why"], status["source"]) == ("Initialize", NO_ADDRESS, None)
    client = Client(lab)
    attach(lab, "r2").wait_log("-> Active")
    client.wait_advert("r2", count=5)
    counters = lab.stats("r1")["virtual_routers"][0]["counters"]
    assert counters["rx_state"] >= 4 and counters["rx_ok"] == 0
    alter(lab, "r1", "addr", "add", f"{lab.ip('r1')}/24")
    proc.wait_log("Initialize -> Backup")
    proc.wait_log("Backup -> Active")
    assert_settled(lab, client, "r1", ["r2"])


def test_with_the_link_down_at_the_start_a_router_waits_in_initialize_and_says_why(lab):
    """FSM-12."""
    alter(lab, "r1", "link", "set", "down")
    proc = attach(lab, "r1")
    proc.wait_log("Initialize: link down")
    assert lab.state("r1") == "Initialize"
    alter(lab, "r1", "link", "set", "up")
    proc.wait_log("Backup -> Active")
    assert_settled(lab, Client(lab), "r1")


def test_a_source_address_that_changes_is_followed_without_stepping_down(lab):
    """Section 1.3: adverts go on from the new primary address."""
    pair = attach_pair(lab)
    alter(lab, "r1", "addr", "add", "192.0.2.1/24")
    pair.client.frames()
    alter(lab, "r1", "addr", "del", f"{lab.ip('r1')}/24")
    seen = []
    pair.client.wait(lambda frame: seen.append(frame) or [a for a in adverts(lab, "r1", [frame]) if a.src == "192.0.2.1"])
    assert 0 not in [a.priority for a in adverts(lab, "r1", seen)]
    pair.client.wait_advert("r1", src="192.0.2.1", count=5)
    assert transitions(pair.r1) == STARTED
    assert lab.state("r2") == "Backup" and transitions(pair.r2) == STARTED[:1]
    lab.wait_addr("r1", lab.VIP)
    lab.run("client", f"ping -c 1 -W 2 {lab.VIP}")


def test_an_interface_that_disappears_ends_in_initialize_and_not_in_a_crash(lab):
    """FSM-12."""
    pair = attach_pair(lab)
    since = pair.r2.mark()
    alter(lab, "r1", "link", "del")
    pair.r1.wait_log("Active -> Initialize")
    pair.r2.wait_log("Backup -> Active", since=since)

    def why():
        status, = lab.status("r1")["virtual_routers"]
        return status["state"] == "Initialize" and status["why"].startswith("the interface is gone")

    lab.wait_until(why, what="a status that says so")
    assert pair.r1.stop() == 0


def test_a_unicast_router_waits_for_the_source_that_it_was_given(lab):
    """FSM-12: its peers would send to an address that it does not have."""
    proc = attach(lab, "r1", 200, "--unicast-peer", lab.ip("r2"), "--src", "10.77.0.150")
    proc.wait_log("Initialize: the source address is not on the interface")
    alter(lab, "r1", "addr", "add", "10.77.0.150/24")
    proc.wait_log("Backup -> Active")
    assert_settled(lab, Client(lab), "r1")
