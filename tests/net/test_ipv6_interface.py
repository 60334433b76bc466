# SPDX-License-Identifier: GPL-2.0-or-later
"""What others do to the interface of a virtual router of IPv6: its link-local address comes and goes, and so does the interface."""

import frames
import pytest
import routers
from lab import set_sysctls
from routers import active_routers, adverts, transitions
from routers6 import VIP, VIP_LL, VIPS, Client6, assert_settled, attach_pair, flags, ping

NO_ADDRESS = "the interface has no IPv6 link-local address besides the virtual ones"
STARTED = ["Initialize -> Backup", "Backup -> Active"]


def alter(lab, host, *words):
    lab.run(host, ["ip", *words, "dev", "eth0"])


def sysctl(lab, host, **settings):
    """Of the interface."""
    set_sysctls(lab.netns(host), {f"net/ipv6/conf/eth0/{key}": value for key, value in settings.items()})


def why(lab, router):
    status, = lab.status(router)["virtual_routers"]
    return status["state"], status["why"], status["source"]


def assert_taken_over_and_back(lab, pair, leave, said, come_back):
    """r1 leaves and says why, r2 takes over and serves, r1 comes back by itself and is Active again."""
    since, gone = pair.r2.mark(), pair.r1.mark()
    leave()
    pair.r1.wait_log("Active -> Initialize: ", since=gone)
    pair.r1.wait_log(f"Initialize: {said}", since=gone)  # a link that disappears has gone down first
    pair.r2.wait_log("Backup -> Active", since=since)
    lab.wait_addr("r2", VIP)
    ping(lab, VIP)
    state, reason, _ = why(lab, "r1")
    assert state == "Initialize" and reason.startswith(said)
    come_back()
    pair.r1.wait_log("Backup -> Active", since=gone)
    pair.r2.wait_log("Active -> Backup", since=since)
    lab.wait_addr("r1", VIP)
    lab.wait_until(lambda: lab.run("client", ["ping", "-6", "-c1", "-W1", VIP], check=False).returncode == 0, what="a ping")
    assert_settled(lab, pair.client, "r1", ["r2"])
    assert [line for line in transitions(pair.r1, gone) if line not in STARTED] == ["Active -> Initialize"]


# ---- the source address ----

def test_a_router_waits_until_its_link_local_address_is_tested(lab):
    """FSM-12, RFC 4862 5.4: an interface that has just come up; the router says what it waits for, and starts by itself."""
    alter(lab, "r1", "link", "set", "down")
    sysctl(lab, "r1", accept_dad=1, dad_transmits=2)
    alter(lab, "r1", "link", "set", "up")
    lab.wait_addr("r1", lab.ll("r1"))
    proc = routers.attach(lab, "r1", vips=VIPS)
    proc.wait_log(f"Initialize: {NO_ADDRESS}")
    assert flags(lab, "r1", lab.ll("r1")).get("tentative"), "the test came too late"
    assert why(lab, "r1") == ("Initialize", NO_ADDRESS, None)
    proc.wait_log("Initialize -> Backup")
    assert not flags(lab, "r1", lab.ll("r1")).get("tentative")
    proc.wait_log("Backup -> Active")
    assert_settled(lab, Client6(lab), "r1")
    for addr in (VIP, VIP_LL):
        assert not flags(lab, "r1", addr).get("tentative")


def test_a_link_local_address_that_another_has_is_no_source(lab):
    """RFC 4862 5.4.5: it stays where it is, and is none."""
    lab.run("client", ["ip", "addr", "add", f"{lab.ll('r1')}/64", "dev", "eth0", "nodad"])
    alter(lab, "r1", "link", "set", "down")
    sysctl(lab, "r1", accept_dad=1, dad_transmits=1)
    alter(lab, "r1", "link", "set", "up")
    proc = routers.attach(lab, "r1", vips=VIPS)
    lab.wait_until(lambda: "dadfailed" in lab.run("r1", "ip -6 addr show dev eth0"), what="a failed probe")
    assert why(lab, "r1") == ("Initialize", NO_ADDRESS, None)
    assert not transitions(proc)
    alter(lab, "r1", "addr", "add", "fe80::b/64", "nodad")
    proc.wait_log("Backup -> Active")
    assert why(lab, "r1")[2] == "fe80::b"
    assert_settled(lab, Client6(lab), "r1")


def test_without_its_link_local_address_a_router_steps_down_and_is_back_with_it(lab):
    """FSM-12: priority 0 goes out, so that the peer need not wait; the link-local virtual address is no source (WF-11)."""
    pair = attach_pair(lab)
    pair.client.frames()
    assert_taken_over_and_back(lab, pair, lambda: alter(lab, "r1", "addr", "del", f"{lab.ll('r1')}/64"), NO_ADDRESS,
                               lambda: alter(lab, "r1", "addr", "add", f"{lab.ll('r1')}/64", "nodad"))
    assert [line for line in pair.r2.log if "the Active Router left (priority 0)" in line]


def test_a_source_address_that_changes_is_followed_without_stepping_down(lab):
    """Section 1.3: adverts go on from another link-local address."""
    pair = attach_pair(lab)
    alter(lab, "r1", "addr", "add", "fe80::b/64", "nodad")
    pair.client.frames()
    alter(lab, "r1", "addr", "del", f"{lab.ll('r1')}/64")
    seen = []
    pair.client.wait(lambda frame: seen.append(frame) or [a for a in adverts(lab, "r1", [frame]) if a.src == "fe80::b"])
    assert 0 not in [a.priority for a in adverts(lab, "r1", seen)]
    pair.client.wait_advert("r1", src="fe80::b", count=5)
    assert transitions(pair.r1) == STARTED
    assert_settled(lab, pair.client, "r1", ["r2"])


def test_global_addresses_may_come_and_go(lab):
    """Invariant 2."""
    pair = attach_pair(lab)
    said = pair.r1.mark()
    for what in ("add", "del"):
        alter(lab, "r1", "addr", what, "fd77::150/64")
        alter(lab, "r1", "addr", what, "2001:db8::1/64")
    alter(lab, "r1", "addr", "del", f"{lab.ip6('r1')}/64")
    pair.client.frames()
    pair.client.wait_advert("r1", count=3, src=lab.ll("r1"))
    assert pair.r1.mark() == said
    assert_settled(lab, pair.client, "r1", ["r2"])


def test_ipv6_turned_off_and_on(lab):
    """FSM-12: the kernel takes all addresses away, the virtual ones too."""
    pair = attach_pair(lab)
    assert_taken_over_and_back(lab, pair, lambda: sysctl(lab, "r1", disable_ipv6=1), NO_ADDRESS,
                               lambda: sysctl(lab, "r1", disable_ipv6=0))


def test_ipv6_turned_off_at_the_start(lab):
    """FSM-12: said, and the start is made up for."""
    sysctl(lab, "r1", disable_ipv6=1)
    proc = routers.attach(lab, "r1", vips=VIPS)
    proc.wait_log(f"Initialize: {NO_ADDRESS}")
    sysctl(lab, "r1", disable_ipv6=0)
    proc.wait_log("Backup -> Active")
    assert_settled(lab, Client6(lab), "r1")


# ---- the virtual addresses ----

@pytest.mark.parametrize("addr", [VIP, VIP_LL])
def test_a_virtual_address_that_somebody_removes_is_put_back_at_once_and_announced(lab, addr):
    """Section 6, ND-10: without a test for duplicates; unlike KA-20 without a change of state."""
    pair = attach_pair(lab)
    lab.wait_addr("r1", addr)
    for _ in range(3):
        since, seen = pair.r1.mark(), []
        pair.client.frames()
        alter(lab, "r1", "addr", "del", f"{addr}/64")
        pair.r1.wait_log(f"somebody removed {addr}/64 from eth0; put back", since=since)
        pair.client.wait(lambda frame, s=seen: s.append(frame) or frames.is_una(frame.data, addr))
        assert frames.parse_na(seen[-1].data).eth_src == lab.mac("r1")
        assert flags(lab, "r1", addr).get("nodad") and not flags(lab, "r1", addr).get("tentative")
        assert 0 not in [a.priority for a in adverts(lab, "r1", seen)]
    assert transitions(pair.r1) == STARTED
    assert_settled(lab, pair.client, "r1", ["r2"], addr)


def test_another_mac_of_the_nic_is_announced(lab):
    """ND-7: and answered with, and adverts leave with it."""
    pair = attach_pair(lab)
    lab.wait_addr("r1", VIP)
    ping(lab, VIP)
    mac = "02:77:00:00:09:09"
    alter(lab, "r1", "link", "set", "address", mac)
    pair.client.wait(lambda frame: frames.is_una(frame.data, VIP) and frames.parse_na(frame.data).tlla == mac)
    assert pair.client.who_has(VIP, lab.routers) == [mac]
    assert frames.parse_advert(pair.client.wait_advert(priority=200, count=2).data).eth_src == mac
    ping(lab, VIP)
    assert transitions(pair.r1) == STARTED


# ---- the interface ----

def test_an_interface_set_down_hands_over_and_takes_part_again_when_it_is_up(lab):
    """FSM-12: the kernel takes the link-local address away with it and makes it anew."""
    pair = attach_pair(lab)
    assert_taken_over_and_back(lab, pair, lambda: alter(lab, "r1", "link", "set", "down"), "link down",
                               lambda: alter(lab, "r1", "link", "set", "up"))


@pytest.mark.parametrize("router", ["r1", "r2"])
def test_a_link_that_flaps_ends_with_one_active_router(lab, router):
    """FSM-12: cable out and in, as fast as it goes."""
    pair = attach_pair(lab)
    for _ in range(5):
        lab.cut_cable(router)
        lab.plug(router)
    pair.client.wait_advert("r1")
    lab.wait_until(lambda: active_routers(lab) == ["r1"] and lab.state("r2") == "Backup", 15, "one Active")
    lab.wait_until(lambda: lab.run("client", ["ping", "-6", "-c1", "-W1", VIP], check=False).returncode == 0, 15, "a ping")
    assert_settled(lab, pair.client, "r1", ["r2"])


@pytest.mark.parametrize("mode, index", [("native", 77), ("skb", 99)])
def test_an_interface_that_is_replaced_is_taken_up_again(lab, mode, index):
    """FSM-12: pulled out and put in, with another index or the one it had."""
    pair = attach_pair(lab, mode=mode)
    assert_taken_over_and_back(lab, pair, lambda: lab.pull_nic("r1"), "the interface is gone", lambda: lab.put_nic("r1", index))


@pytest.mark.parametrize("index", [77, 99])
def test_an_interface_that_is_replaced_at_once_is_taken_up_again(lab, index):
    """FSM-12: before anybody could notice that there was none."""
    pair = attach_pair(lab)
    since = pair.r1.mark()
    lab.pull_nic("r1")
    lab.put_nic("r1", index)
    pair.r1.wait_log("Initialize: the interface is gone", since=since)
    pair.r1.wait_log("Backup -> Active", since=since)
    lab.wait_until(lambda: active_routers(lab) == ["r1"], what="one Active")
    lab.wait_until(lambda: lab.run("client", ["ping", "-6", "-c1", "-W1", VIP], check=False).returncode == 0, what="a ping")
    assert_settled(lab, pair.client, "r1", ["r2"])


def test_an_interface_that_is_renamed_is_left_clean_and_taken_up_again(lab):
    """FSM-12, invariant 1: under its other name it has no virtual address, and its kernel answers for none."""
    pair = attach_pair(lab)
    lab.wait_addr("r1", VIP)

    def rename():
        lab.run("r1", ["ip", "link", "set", "eth0", "down"])
        lab.run("r1", ["ip", "link", "set", "eth0", "name", "lan0"])
        lab.run("r1", ["ip", "link", "set", "lan0", "up"])

    def name_back():
        lab.wait_until(lambda: not {VIP, VIP_LL} & set(lab.addrs("r1", "lan0")), what="the virtual addresses leaving")
        assert pair.client.who_has(VIP, ["r2"]) == [lab.mac("r2")]
        lab.run("r1", ["ip", "link", "set", "lan0", "down"])
        lab.run("r1", ["ip", "link", "set", "lan0", "name", "eth0"])
        lab.run("r1", ["ip", "link", "set", "eth0", "up"])

    assert_taken_over_and_back(lab, pair, rename, "the interface is gone", name_back)


def test_an_interface_that_is_renamed_while_it_is_up_is_left_clean_and_taken_up_again(lab):
    """The same without the kernel's taking the addresses away first."""
    pair = attach_pair(lab)
    lab.wait_addr("r1", VIP)

    def name_back():
        lab.wait_until(lambda: not {VIP, VIP_LL} & set(lab.addrs("r1", "lan0")), what="the virtual addresses leaving")
        assert pair.client.who_has(VIP, ["r2"]) == [lab.mac("r2")]
        lab.run("r1", ["ip", "link", "set", "lan0", "name", "eth0"])

    assert_taken_over_and_back(lab, pair, lambda: lab.run("r1", ["ip", "link", "set", "eth0", "name", "lan0"]),
                               "the interface is gone", name_back)


def test_an_interface_that_is_moved_to_another_namespace_is_taken_up_again(lab):
    """FSM-12: it comes back down and without addresses."""
    pair = attach_pair(lab)

    def move(there, back):
        lab.run(there, ["ip", "link", "set", "eth0", "netns", lab.netns(back)])

    def move_back():
        move("sw", "r1")
        lab.set_up("r1")

    assert_taken_over_and_back(lab, pair, lambda: move("r1", "sw"), "the interface is gone", move_back)
