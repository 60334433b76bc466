# SPDX-License-Identifier: GPL-2.0-or-later
"""IPv6 adverts that break a rule, against an Active and a Backup router at once; odd ones that are legal; unicast peers."""

import frames
import pytest
from routers import FAKE_MAC, adverts, counters, moved, transitions, wakeups
from routers6 import FAKE_IP6, FAKE_LL, VIP, VIP_LL, Client6, assert_settled, attach, attach_pair

FRAMES = 100  # of each kind; a veth queues 256
NORMAL = {"rx_ok", "rx_absorbed", "tx_adverts", "ev_sent"}  # what the Active router's adverts move
STARTED = ["Initialize -> Backup", "Backup -> Active"]
BOTH = (VIP_LL, VIP)

# What is wrong, in frames.advert6()'s words, and the counter that must move. All are of priority 255: obeyed, any of them would
# make the Active router yield.
KINDS = {
    "RX-5 IP version 4": ({"ip_version": 4}, "rx_ip_hdr"),
    "RX-10 payload length 0": ({"total": 0}, "rx_len"),
    "RX-10 payload length 7": ({"total": 7}, "rx_len"),
    "RX-10 payload length one too many": ({"total": 41}, "rx_len"),
    "RX-10 payload length 65535": ({"total": 65535}, "rx_len"),
    "RX-11 hop-by-hop": ({"headers": [(0, b"\0\x01\x04" + bytes(4))]}, "rx_ext"),
    "RX-11 routing": ({"headers": [(43, bytes(7))]}, "rx_ext"),
    "RX-11 destination options": ({"headers": [(60, b"\0\x01\x04" + bytes(4))]}, "rx_ext"),
    "RX-11 first fragment": ({"headers": [(44, b"\0\0\x01" + bytes(4))]}, "rx_ext"),
    "RX-11 the only fragment": ({"headers": [(44, bytes(7))]}, "rx_ext"),
    "RX-11 authentication header": ({"headers": [(51, b"\x01" + bytes(10))]}, "rx_ext"),
    "RX-11 two headers": ({"headers": [(0, b"\0\x01\x04" + bytes(4)), (60, b"\0\x01\x04" + bytes(4))]}, "rx_ext"),
    "RX-13 hop limit 254": ({"ttl": 254}, "rx_ttl"),
    "RX-13 hop limit 64": ({"ttl": 64}, "rx_ttl"),
    "RX-13 hop limit 1": ({"ttl": 1}, "rx_ttl"),
    "RX-13 hop limit 0": ({"ttl": 0}, "rx_ttl"),
    "RX-14 from ::": ({"src": "::"}, "rx_src"),
    "RX-14 from ::1": ({"src": "::1"}, "rx_src"),
    "RX-14 from ff02::12": ({"src": "ff02::12"}, "rx_src"),
    "RX-14 from a global address": ({"src": FAKE_IP6}, "rx_src"),
    "RX-14 from the global virtual address": ({"src": VIP}, "rx_src"),
    "RX-14 from fec0::1": ({"src": "fec0::1"}, "rx_src"),
    "RX-14 from an IPv4 address": ({"src": "::ffff:10.77.0.254"}, "rx_src"),
    "RX-15 own source": ({"src": "own"}, "rx_own"),
    "RX-15 own source, own MAC": ({"src": "own", "eth_src": "own"}, "rx_own"),
    "RX-15 own source, lower priority": ({"src": "own", "priority": 1}, "rx_own"),
    "RX-15 own source, priority 0": ({"src": "own", "priority": 0}, "rx_own"),
    "RX-16 version 2": ({"version": 2, "interval": 1}, "rx_version"),
    "RX-16 version 0": ({"version": 0}, "rx_version"),
    "RX-16 version 4": ({"version": 4}, "rx_version"),
    "RX-17 type 0": ({"kind": 0}, "rx_type"),
    "RX-17 type 2": ({"kind": 2}, "rx_type"),
    "RX-18 VRID 0": ({"vrid": 0}, "rx_vrid"),
    "RX-18 VRID 52": ({"vrid": 52}, "rx_vrid"),
    "RX-20 count 0": ({"vips": ()}, "rx_count"),
    "RX-20 count 0 with addresses": ({"count": 0}, "rx_count"),
    "RX-21 count 3 of 2": ({"count": 3}, "rx_len"),
    "RX-21 count 255 of 2": ({"count": 255}, "rx_len"),
    "RX-21 one byte short": ({"cut": 1}, "rx_len"),
    "RX-21 one address short": ({"cut": 16}, "rx_len"),
    "RX-21 addresses of IPv4": ({"vips": ("10.77.0.100", "10.77.0.101")}, "rx_len"),
    "RX-22 one byte long": ({"extra": b"\0"}, "rx_len"),
    "RX-22 one address more than counted": ({"count": 1}, "rx_len"),
    "RX-23 checksum 0": ({"csum": 0}, "rx_csum"),
    "RX-23 checksum random": ({"csum": 0x5aa5}, "rx_csum"),
    "RX-28 interval 0": ({"interval": 0}, "rx_adv_int"),
    "RX-30 a global address first": ({"vips": (VIP, VIP_LL)}, "rx_first_addr"),
    "RX-30 a global address only": ({"vips": (VIP,)}, "rx_first_addr"),
    "RX-33 unicast": ({"dst": "own", "eth_dst": "own"}, "rx_cast"),
}


def crafted(lab, made_for, fields, addr):
    """As test_storm.crafted(): frames and sockets; where own addresses, addr(router), stand in it, one for each router."""
    fields = {"eth_src": FAKE_MAC, "src": FAKE_LL, "priority": 255, "vips": BOTH, **fields}
    if "own" not in fields.values():
        return [(lab.sender("client"), frames.advert6(**fields))]
    made = []
    for router in made_for:
        own = {"src": addr(router), "dst": addr(router), "eth_src": lab.mac(router), "eth_dst": lab.mac(router)}
        mine = {key: own[key] if value == "own" else value for key, value in fields.items()}
        made.append((lab.sender("sw", router), frames.advert6(**mine)))
    return made


def send(made, times=1):
    for sock, frame in made:
        for _ in range(times):
            sock.send(frame)


def storm(lab, pair, kinds, base, addr):
    """Every kind against both routers; returns what went wrong, what the client saw, and how often the Backup was woken."""
    wrong, seen, woken = [], [], 0
    pair.client.frames()
    for name, (fields, counter) in kinds.items():
        made = crafted(lab, lab.routers, {**base, **fields}, addr)
        before, sleeps = {router: counters(lab, router) for router in lab.routers}, wakeups(pair.r2)
        send(made, FRAMES)
        seen += pair.client.fence(lab.routers)
        woken += wakeups(pair.r2) - sleeps
        for router in lab.routers:
            change = moved(before[router], counters(lab, router), NORMAL)
            if change != {counter: FRAMES}:
                wrong.append(f"{router}: {name}: {change} instead of {{{counter!r}: {FRAMES}}}")
    return wrong, seen, woken


def assert_undisturbed(lab, pair, kinds, seen, woken):
    """The Active router's adverts went on, nobody else spoke, the log has one line per reason, and the Backup slept."""
    assert {a.priority for a in adverts(lab, "r1", seen)} <= {200} and not adverts(lab, "r2", seen)
    reasons = len({counter for _, counter in kinds.values()})
    assert woken <= reasons
    for proc in (pair.r1, pair.r2):
        assert len([line for line in proc.log if "[rx_" in line]) <= reasons
    assert transitions(pair.r1) == STARTED
    assert transitions(pair.r2) == STARTED[:1]


@pytest.mark.parametrize("mode", ["native", "skb"])
def test_malformed_adverts_are_counted_and_change_nothing(lab, mode):
    """RX-5 to RX-33, SEC-1, SEC-2, SEC-4, SEC-8, SEC-10 to SEC-12, SEC-16, SEC-19, invariants 3 and 4."""
    pair = attach_pair(lab, mode=mode)
    wrong, seen, woken = storm(lab, pair, KINDS, {}, lab.ll)
    assert not wrong, "\n".join(wrong)
    assert_undisturbed(lab, pair, KINDS, seen, woken)
    assert_settled(lab, pair.client, "r1", ["r2"])


def test_the_same_advert_without_a_fault_is_obeyed(lab):
    """SEC-3: what the storms are made of, unbroken. The Active yields, and is back one down interval later."""
    pair = attach_pair(lab)
    since = pair.r1.mark()
    send(crafted(lab, lab.routers, {}, lab.ll))
    pair.r1.wait_log(f"Active -> Backup: advert of higher priority: 255 from {FAKE_LL}, ours 200")
    pair.r1.wait_log("Backup -> Active", since=since)
    assert_settled(lab, pair.client, "r1", ["r2"])


def test_an_advert_over_ipv4_does_not_reach_a_router_of_ipv6(lab):
    """RX-3, SEC-15: the same VRID."""
    pair = attach_pair(lab)
    before = {router: counters(lab, router) for router in lab.routers}
    pair.client.send(*[frames.advert(eth_src=FAKE_MAC, src="10.77.0.254", priority=255)] * FRAMES)
    pair.client.fence(lab.routers)
    for router in lab.routers:
        assert not moved(before[router], counters(lab, router), NORMAL)
    assert transitions(pair.r1) == STARTED


@pytest.mark.parametrize("priority", [0, 50])
def test_an_active_router_answers_a_goodbye_and_a_lower_advert_at_once(lab, priority):
    """FSM-A3, FSM-A5: its own next advert would be 40 s away."""
    client, r1 = Client6(lab), attach(lab, "r1", 255, advert_ms=40000)
    client.wait_advert("r1")
    r1.wait_log("-> Active")
    client.send(frames.advert6(eth_src=FAKE_MAC, src=FAKE_LL, priority=priority, interval=4000, vips=BOTH))
    client.wait_advert("r1", priority=255)
    assert transitions(r1) == ["Initialize -> Active"]


# ---- adverts that are odd but legal ----

LEGAL = {  # RX-12, RX-29, RX-31, RX-39, WF-5
    "SEC-13 padding with content": ({"pad": b"\xa5" * 46}, {}),
    "SEC-13 tagged with VID 0": ({"vlans": (0,)}, {}),
    "WF-5 reserved bits": ({"interval": 0xf000 | 100}, {}),
    "RX-14 the last link-local address": ({"src": "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff"}, {}),
    "WF-3 addresses in another order": ({"vips": (VIP_LL, "fd77::101", VIP)}, {}),
    "RX-29 another interval": ({"interval": 200}, {"adv_int_mismatch"}),
    "RX-31 another address": ({"vips": (VIP_LL, "fd77::99", VIP)}, {"addr_list"}),
    "RX-31 one address": ({"vips": (VIP_LL,)}, {"addr_list"}),
    "WF-4 90 addresses": ({"vips": (VIP_LL, *(f"fd77::1:{n}" for n in range(89)))}, {"addr_list"}),
    "RX-39 a unicast frame": ({"eth_dst": "own"}, {"rx_mac_odd"}),
}


@pytest.mark.parametrize("mode", ["native", "skb"])
def test_odd_but_legal_adverts_are_accepted(lab, mode):
    """RX-12, RX-29, RX-31, RX-39, WF-3 to WF-5, SEC-10, SEC-13."""
    vips = (f"{VIP_LL}/64", f"{VIP}/64", "fd77::101/64")
    proc = attach(lab, "r1", 100, advert_ms=1000, vips=vips, mode=mode)
    proc.wait_log("Initialize -> Backup")
    client, wrong = Client6(lab), []
    for name, (fields, notes) in LEGAL.items():
        before = counters(lab, "r1")
        send(crafted(lab, ["r1"], {"interval": 100, "vips": (VIP_LL, VIP, "fd77::101"), **fields}, lab.ll), 50)
        client.fence(["r1"])
        change = moved(before, counters(lab, "r1"), ("rx_absorbed", "ev_sent", "ev_limited"))
        if change != {"rx_ok": 50, **dict.fromkeys(notes, 50)}:
            wrong.append(f"{name}: {change}")
    assert not wrong, "\n".join(wrong)
    assert transitions(proc) == ["Initialize -> Backup"]


def test_a_router_with_global_addresses_only_hears_every_first_address(lab):
    """RX-30 holds where our own first address is link-local."""
    proc = attach(lab, "r1", 100, advert_ms=1000, vips=(f"{VIP}/64",))
    proc.wait_log("Initialize -> Backup")
    client = Client6(lab)
    for vips, notes in (((VIP,), {}), ((VIP_LL, VIP), {"addr_list": 50})):
        before = counters(lab, "r1")
        send(crafted(lab, ["r1"], {"interval": 100, "vips": vips}, lab.ll), 50)
        client.fence(["r1"])
        assert moved(before, counters(lab, "r1"), ("rx_absorbed", "ev_sent", "ev_limited")) == {"rx_ok": 50, **notes}


# ---- unicast ----

UNICAST = {"dst": "own", "eth_dst": "own"}
UNICAST_KINDS = {
    "RX-33 multicast": ({"dst": frames.GROUP6, "eth_dst": frames.GROUP6_MAC, "src": FAKE_LL}, "rx_cast"),
    "RX-34 not a peer": ({"src": "stranger"}, "rx_peer"),
    "RX-35 hop limit 254": ({"ttl": 254}, "rx_ttl"),
    "RX-35 hop limit 64": ({"ttl": 64}, "rx_ttl"),
    "RX-15 own source": ({"src": "own"}, "rx_own"),
    "RX-23 checksum": ({"csum": 0x5aa5}, "rx_csum"),
}


@pytest.mark.parametrize("scope", ["global", "link"])
def test_unicast_peers_hear_each_other_and_no_stranger(lab, scope):
    """RX-33 to RX-35, KA-29: adverts leave with hop limit 255, to the peers alone, from an address of the peers' scope."""
    of = lab.ip6 if scope == "global" else lab.ll
    fake, stranger = (FAKE_IP6, "fd77::fd") if scope == "global" else (FAKE_LL, "fe80::fd")
    lab.run("client", ["ip", "addr", "add", f"{fake}/64", "dev", "eth0", "nodad"])  # or the routers could not send to that peer

    def start(router, peer):
        return attach(lab, router, None, "--unicast-peer", of(peer), "--unicast-peer", fake)

    client = Client6(lab)
    r1 = start("r1", "r2")
    r1.wait_log("-> Active")
    r2 = start("r2", "r1")
    r2.wait_log(f"the Active Router is {of('r1')}, priority 200")
    pair = type("Pair", (), {"r1": r1, "r2": r2, "client": client})
    mine = frames.parse_advert(client.wait_advert("r1").data)
    assert (mine.src, mine.dst) == (of("r1"), fake)
    kinds = {name: ({key: stranger if value == "stranger" else value for key, value in fields.items()}, counter)
             for name, (fields, counter) in UNICAST_KINDS.items()}
    wrong, seen, woken = storm(lab, pair, kinds, {**UNICAST, "src": fake}, of)
    assert not wrong, "\n".join(wrong)
    assert_undisturbed(lab, pair, kinds, seen, woken)
    assert not [a for a in adverts(lab, "r1", seen) if a.dst == frames.GROUP6]
    send(crafted(lab, ["r1"], {**UNICAST, "src": fake}, of))
    r1.wait_log(f"Active -> Backup: advert of higher priority: 255 from {fake}")
    r1.wait_log("Backup -> Active", since=len(r1.log))
    assert r1.stop() == 0
    r2.wait_log(r"Backup -> Active: the Active Router left \(priority 0\)")
    assert_settled(lab, client, "r2")
