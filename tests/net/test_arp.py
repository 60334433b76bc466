# SPDX-License-Identifier: GPL-2.0-or-later
"""ARP for the virtual address: who announces it and when, who answers for it, and what somebody else's claim does."""

import socket
import time

import frames
import pytest
from lab import Lab, in_netns
from routers import Client, adverts, assert_settled, attach, attach_pair, counters, moved, transitions
from together import played

SECOND_VIP = "10.77.0.101"
REPEAT, DELAY_S, DEFEND_S = 5, 5, 10  # KA-9, ARP-6
TIMER_S = 0.001  # the client's clock and the router's


def garps(lab, router, seen):
    """The gratuitous ARPs of one router among frames."""
    return [frame for frame in seen if frames.is_garp(frame.data) and frames.parse_arp(frame.data).eth_src == lab.mac(router)]


def answers(lab, router, seen):
    """What a router says by ARP of the virtual address, among frames."""
    found = [frames.parse_arp(frame.data) for frame in seen]
    return [a for a in found if a and a.spa == lab.VIP and a.eth_src == lab.mac(router)]


def play_takeover(mode):
    """What a new Active router with two addresses sends, up to ten adverts after the second set of gratuitous ARPs."""
    with Lab() as lab:
        client, seen = Client(lab), []
        attach(lab, "r1", vips=(lab.VIP_CIDR, f"{SECOND_VIP}/24"), mode=mode)
        client.wait(lambda frame: seen.append(frame) or len(garps(lab, "r1", seen)) == 4 * REPEAT, 15)
        count = len(adverts(lab, "r1", seen)) + 10
        client.wait(lambda frame: seen.append(frame) or len(adverts(lab, "r1", seen)) == count)
        return lab, [frame for frame in seen if adverts(lab, "r1", [frame]) or garps(lab, "r1", [frame])]


takeovers = played(play_takeover, "mode")


@pytest.mark.parametrize("mode", ["native", "skb"])
def test_a_takeover_says_advert_then_gratuitous_arps_and_the_arps_again_after_5_s(takeovers, mode):
    """FSM-A9, ARP-8, ARP-9, KA-9: five rounds over all addresses at once, five more after five seconds, no more then."""
    lab, sent = takeovers(mode)
    assert adverts(lab, "r1", sent[:1]), "gratuitous ARP before the first advert"
    told = garps(lab, "r1", sent)
    assert sent[1:1 + 2 * REPEAT] == told[:2 * REPEAT], "the first set does not follow at once"
    assert [frames.parse_arp(frame.data).spa for frame in told] == [lab.VIP, SECOND_VIP] * 2 * REPEAT
    assert told[2 * REPEAT].t - told[2 * REPEAT - 1].t >= (DELAY_S - TIMER_S) * 1e9
    mac = lab.mac("r1")
    assert frames.parse_arp(told[0].data) == (mac, frames.BROADCAST, frames.REQUEST, mac, lab.VIP, frames.BROADCAST, lab.VIP)


@pytest.mark.parametrize("mode", ["native", "skb"])
@pytest.mark.parametrize("what", ["echo", "tcp"])
def test_the_kernel_accepts_the_address_before_it_is_announced(lab, what, mode):
    """Invariant 6, RFC 9568 6.4.2: a host that acts upon the very first gratuitous ARP is served."""
    client = Client(lab)

    def listen():
        sock = socket.socket()
        sock.bind(("0.0.0.0", 8080))
        sock.listen()
        return sock

    with in_netns(lab.netns("r1"), listen):
        attach(lab, "r1", mode=mode)
        client.wait(lambda frame: frames.is_garp(frame.data, lab.VIP))
        if what == "echo":
            ident = client.ping("r1", lab.VIP)
            replies = [frames.parse_echo_reply(frame.data) for frame in client.fence(["r1"])]
            assert [a.src for a in replies if a and a.ident == ident] == [lab.VIP]
        else:
            in_netns(lab.netns("client"), lambda: socket.create_connection((lab.VIP, 8080), timeout=0.9).close())


# ---- requests ----

REQUESTS = {  # fields of the request, and of the reply what they make different
    "broadcast": ({}, {}),
    "unicast": ({"eth_dst": "r1"}, {}),
    "probe": ({"spa": "0.0.0.0"}, {"tpa": "0.0.0.0"}),
    "unicast-probe": ({"eth_dst": "r1", "spa": "0.0.0.0"}, {"tpa": "0.0.0.0"}),
    "target-hw-set": ({"tha": "r1"}, {}),
}


@pytest.mark.parametrize("mode", ["native", "skb"])
def test_the_active_router_answers_in_xdp(lab, mode):
    """ARP-1 to ARP-4: with its MAC, from the program and not from the kernel; the Backup says nothing."""
    pair = attach_pair(lab, mode=mode)
    mac, asker = lab.mac("r1"), lab.mac("client")
    before, behind = counters(lab, "r1"), lab.sniff("r1")
    for kind, (asked, expected) in REQUESTS.items():
        asked = {key: lab.mac(value) if value in lab.routers else value for key, value in asked.items()}
        reply = frames.Arp(mac, asker, frames.REPLY, mac, lab.VIP, asker, lab.ip("client"))._replace(**expected)
        assert pair.client.replies(lab.VIP, lab.routers, times=20, **asked) == [reply] * 20, kind
    assert moved(before, counters(lab, "r1"))["arp_reply"] == 20 * len(REQUESTS)
    seen = [frames.parse_arp(frame.data) for frame in behind.drain()]
    assert lab.ip("r1") in {a.tpa for a in seen if a}, "the kernel's own ARP is not seen"
    assert lab.VIP not in {addr for a in seen if a for addr in (a.spa, a.tpa)}, "the kernel took part"
    assert transitions(pair.r1) == ["Initialize -> Backup", "Backup -> Active"]


@pytest.mark.parametrize("mode", ["native", "skb"])
def test_a_backup_that_holds_the_address_on_lo_is_silent(lab, mode):
    """ARP-7, SEC-21: as a direct-routing real server does. Its kernel would answer all of these; the program lets it not."""
    pair = attach_pair(lab, mode=mode)
    lab.run("r2", ["ip", "addr", "add", f"{lab.VIP}/32", "dev", "lo"])
    before = counters(lab, "r2")
    for fields in ({}, {"spa": "0.0.0.0"}, {"eth_dst": lab.mac("r2")}, {"eth_dst": lab.mac("r2"), "spa": "0.0.0.0"}):
        pair.client.frames()
        pair.client.ask(lab.VIP, **fields)
        assert not answers(lab, "r2", pair.client.fence(["r1", "r2"])), fields
    pair.client.frames()
    pair.client.send(frames.arp(eth_src="02:77:00:00:00:fe", spa=lab.VIP, tpa=lab.VIP))
    assert not answers(lab, "r2", pair.client.fence(["r1", "r2"])), "answered an announcement"
    change = moved(before, counters(lab, "r2"), ignore=("rx_ok", "rx_absorbed", "rx_csum_rfc5798"))
    assert change == {"arp_drop": 4}
    assert_settled(lab, pair.client, "r1", ["r2"])
    pair.r2.freeze()  # or it would put the program back
    lab.run("r2", ["ip", "link", "set", "dev", "eth0", "xdpdrv" if mode == "native" else "xdpgeneric", "off"])
    assert lab.mac("r2") in pair.client.who_has(lab.VIP, ["r1", "r2"]), "the silence proved nothing"


def test_a_router_in_initialize_is_silent(lab):
    """ARP-7, FSM-12: without a source address. Its kernel has the virtual address on lo, and another that it answers for."""
    other = "10.77.0.150"
    proc = attach(lab, "r1")
    proc.wait_log("-> Active")
    lab.run("r1", ["sh", "-c", f"ip addr add {other}/24 dev lo && ip addr add {lab.VIP}/32 dev lo && "
                               f"ip addr del {lab.ip('r1')}/24 dev eth0"])
    proc.wait_log("Active -> Initialize")
    client, seen = Client(lab), []
    client.ask(lab.VIP)
    client.ask(other)
    client.wait(lambda frame: seen.append(frame) or (a := frames.parse_arp(frame.data)) and a.spa == other)
    assert not answers(lab, "r1", seen)


def test_a_request_whose_sender_lies_about_its_mac_is_left_to_the_kernel(lab):
    """ARP-5: counted as odd, no answer by XDP."""
    pair = attach_pair(lab)
    before = counters(lab, "r1")
    for _ in range(10):
        pair.client.ask(lab.VIP, sha="02:77:00:00:00:fd")
    pair.client.fence(["r1", "r2"])
    change = moved(before, counters(lab, "r1"))
    assert change.get("arp_odd") == 10 and "arp_reply" not in change


def test_arp_for_other_addresses_is_not_our_business(lab):
    """Invariant 2: requests for the routers' own and for strangers' addresses move no counter."""
    pair = attach_pair(lab)
    before = {router: counters(lab, router) for router in lab.routers}
    for addr in ("10.77.0.99", "10.77.0.1", lab.ip("r1"), lab.ip("r2")):
        pair.client.ask(addr)
    pair.client.fence(["r1", "r2"])
    for router in lab.routers:
        change = moved(before[router], counters(lab, router))
        assert not [key for key in change if key.startswith("arp") or key == "vip_conflict"], change


# ---- somebody else's claims ----

CLAIMS = {
    "announcement": {"op": frames.REQUEST, "tpa": "vip"},
    "announced-as-reply": {"op": frames.REPLY, "tpa": "vip"},
    "reply-to-the-router": {"op": frames.REPLY, "tpa": "10.77.0.11", "eth_dst": "02:77:00:00:00:0b"},
    "request-from-the-address": {"op": frames.REQUEST, "tpa": "10.77.0.11"},
}


@pytest.mark.parametrize("kind", CLAIMS)
def test_a_claim_by_another_host_is_logged_and_defended_once(lab, kind):
    """ARP-6, SEC-22: counted one by one, one gratuitous ARP for all of them, and the election does not notice."""
    pair = attach_pair(lab)
    fields = {key: lab.VIP if value == "vip" else value for key, value in CLAIMS[kind].items()}
    before = counters(lab, "r1")
    pair.client.frames()
    for _ in range(50):
        pair.client.send(frames.arp(eth_src="02:77:00:00:00:fe", spa=lab.VIP, **fields))
    pair.r1.wait_log("02:77:00:00:00:fe claims our address 10.77.0.100; defended with one announcement")
    seen = pair.client.fence(["r1", "r2"])
    pair.client.wait(lambda frame: seen.append(frame) or len(adverts(lab, "r1", seen)) >= 5)
    assert len(garps(lab, "r1", seen)) == 1
    assert not garps(lab, "r2", seen)
    assert moved(before, counters(lab, "r1"))["vip_conflict"] == 50
    assert len([line for line in pair.r1.log if "claims our address" in line]) == 1
    assert not [line for line in pair.r2.log if "claims our address" in line], "a Backup has nothing to defend"
    assert transitions(pair.r1) == ["Initialize -> Backup", "Backup -> Active"]
    assert_settled(lab, pair.client, "r1", ["r2"])


def test_a_claim_that_goes_on_is_defended_every_10_s_at_most(lab):
    """ARP-6, RFC 5227 2.4(c): the second defence is the twelfth gratuitous ARP, after two sets of five and the first."""
    client = Client(lab)
    proc = attach(lab, "r1")
    seen = []

    def told(count):
        return lambda frame: seen.append(frame) or len(garps(lab, "r1", seen)) == count

    client.wait(told(REPEAT))
    claim = frames.arp(eth_src="02:77:00:00:00:fe", spa=lab.VIP, tpa=lab.VIP)
    client.send(claim)
    first = client.wait(told(REPEAT + 1))
    deadline = time.monotonic() + DEFEND_S + 10
    while len(garps(lab, "r1", seen)) < 2 * REPEAT + 2:
        assert time.monotonic() < deadline, "no second defence"
        client.send(claim)
        client.wait(lambda frame: seen.append(frame) or adverts(lab, "r1", [frame]))
    last = garps(lab, "r1", seen)[-1]
    assert last.t - first.t >= (DEFEND_S - TIMER_S) * 1e9
    assert len([line for line in proc.log if "claims our address" in line]) == 2
    assert transitions(proc) == ["Initialize -> Backup", "Backup -> Active"]


def test_our_own_gratuitous_arp_that_comes_back_is_no_claim(lab):
    """SEC-8: a mirror or a loop."""
    pair = attach_pair(lab)
    before = counters(lab, "r1")
    for _ in range(10):
        pair.client.send(frames.arp(eth_src=lab.mac("r1"), spa=lab.VIP, tpa=lab.VIP, tha=frames.BROADCAST))
    pair.client.send(frames.arp(eth_src=lab.mac("client"), spa=lab.ip("client"), tpa=lab.ip("client")))
    pair.client.wait_advert("r1", count=3)
    assert "vip_conflict" not in moved(before, counters(lab, "r1"))
    assert not [line for line in pair.r1.log if "claims our address" in line]
