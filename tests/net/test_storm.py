# SPDX-License-Identifier: GPL-2.0-or-later
"""Adverts that break a rule, thousands of each kind at full speed, against an Active and a Backup router at once."""

import frames
import pytest
from routers import (ADVERT_MS, FAKE_IP, FAKE_MAC, Client, adverts, assert_settled, attach, attach_pair, counters, moved,
                     transitions, wakeups)

FRAMES = 2000  # of each kind
BURST = 100    # a veth queues 256 frames
NORMAL = {"rx_ok", "rx_absorbed", "rx_csum_rfc5798", "tx_adverts", "ev_sent"}  # what the Active router's adverts move

# What is wrong, in frames.advert()'s words, and the counter that must move. All are of priority 255: obeyed, any of them would
# make the Active router yield.
KINDS = {
    "RX-5 IP version 5": ({"ip_version": 5}, "rx_ip_hdr"),
    "RX-5 IHL 0": ({"ihl": 0}, "rx_ip_hdr"),
    "RX-5 IHL 4": ({"ihl": 4}, "rx_ip_hdr"),
    "RX-5 IHL 15 beyond the frame": ({"ihl": 15}, "rx_ip_hdr"),
    "RX-7 first fragment": ({"frag": 0x2000}, "rx_frag"),
    "RX-7 later fragment": ({"frag": 0x2001}, "rx_frag"),
    "RX-7 last fragment": ({"frag": 0x0004}, "rx_frag"),
    "RX-8 IP checksum": ({"ip_csum": 0x1234}, "rx_ip_csum"),
    "RX-9 total length 0": ({"total": 0}, "rx_len"),
    "RX-9 total length 19": ({"total": 19}, "rx_len"),
    "RX-9 total length 27": ({"total": 27}, "rx_len"),
    "RX-9 total length one too many": ({"total": 33}, "rx_len"),
    "RX-9 total length 65535": ({"total": 65535}, "rx_len"),
    "RX-13 TTL 254": ({"ttl": 254}, "rx_ttl"),
    "RX-13 TTL 64": ({"ttl": 64}, "rx_ttl"),
    "RX-13 TTL 1": ({"ttl": 1}, "rx_ttl"),
    "RX-13 TTL 0": ({"ttl": 0}, "rx_ttl"),
    "RX-14 from 0.0.0.0": ({"src": "0.0.0.0"}, "rx_src"),
    "RX-14 from 127.0.0.1": ({"src": "127.0.0.1"}, "rx_src"),
    "RX-14 from 224.0.0.18": ({"src": "224.0.0.18"}, "rx_src"),
    "RX-14 from 255.255.255.255": ({"src": "255.255.255.255"}, "rx_src"),
    "RX-15 own source": ({"src": "own"}, "rx_own"),
    "RX-15 own source, own MAC": ({"src": "own", "eth_src": "own"}, "rx_own"),
    "RX-15 own source, lower priority": ({"src": "own", "priority": 1}, "rx_own"),
    "RX-15 own source, priority 0": ({"src": "own", "priority": 0}, "rx_own"),
    "RX-16 version 0": ({"version": 0}, "rx_version"),
    "RX-16 version 1": ({"version": 1}, "rx_version"),
    "RX-16 version 4": ({"version": 4}, "rx_version"),
    "RX-16 version 15": ({"version": 15}, "rx_version"),
    "RX-17 type 0": ({"kind": 0}, "rx_type"),
    "RX-17 type 2": ({"kind": 2}, "rx_type"),
    "RX-17 type 15": ({"kind": 15}, "rx_type"),
    "RX-18 VRID 0": ({"vrid": 0}, "rx_vrid"),
    "RX-18 VRID 52": ({"vrid": 52}, "rx_vrid"),
    "RX-19 version 2": ({"version": 2, "interval": 1}, "rx_version"),
    "RX-20 count 0": ({"vips": ()}, "rx_count"),
    "RX-20 count 0 with an address": ({"count": 0}, "rx_count"),
    "RX-21 count 2 of 1": ({"count": 2}, "rx_len"),
    "RX-21 count 255 of 1": ({"count": 255}, "rx_len"),
    "RX-21 one byte short": ({"cut": 1}, "rx_len"),
    "RX-21 one address short": ({"cut": 4}, "rx_len"),
    "RX-22 one byte long": ({"extra": b"\0"}, "rx_len"),
    "RX-22 one address more than counted": ({"vips": ("10.77.0.100", "10.77.0.101"), "count": 1}, "rx_len"),
    "RX-23 checksum 0": ({"csum": 0}, "rx_csum"),
    "RX-23 checksum 0xffff": ({"csum": 0xffff}, "rx_csum"),
    "RX-23 checksum random": ({"csum": 0x5aa5}, "rx_csum"),
    "RX-28 interval 0": ({"interval": 0}, "rx_adv_int"),
    "RX-33 unicast": ({"dst": "own", "eth_dst": "own"}, "rx_cast"),
    "WF-8 authentication header": ({"proto": frames.AH}, "rx_auth_type"),
}
PASS = {"version": 2, "interval": 1, "auth_type": 1, "auth": b"s3cret"}
V2_KINDS = {
    "RX-19 version 3": ({"version": 3, "interval": 100}, "rx_version"),
    "RX-20 count 0": ({"vips": ()}, "rx_count"),
    "RX-21 no authentication data": ({"cut": 8}, "rx_len"),
    "RX-22 one byte long": ({"extra": b"\0"}, "rx_len"),
    "RX-23 checksum": ({"csum": 0x5aa5}, "rx_csum"),
    "RX-24 authentication type 3": ({"auth_type": 3}, "rx_auth_type"),
    "RX-24 authentication type 255": ({"auth_type": 255}, "rx_auth_type"),
    "RX-25 authentication type 0": ({"auth_type": 0}, "rx_auth_mismatch"),
    "RX-25 authentication type 2": ({"auth_type": 2}, "rx_auth_mismatch"),
    "RX-26 other password": ({"auth": b"S3cret"}, "rx_auth_fail"),
    "RX-26 longer password": ({"auth": b"s3crets"}, "rx_auth_fail"),
    "RX-26 shorter password": ({"auth": b"s3cre"}, "rx_auth_fail"),
    "RX-26 no password": ({"auth": b""}, "rx_auth_fail"),
    "RX-27 interval 0": ({"interval": 0}, "rx_adv_int"),
    "RX-27 interval 2": ({"interval": 2}, "rx_adv_int"),
    "RX-27 interval 255": ({"interval": 255}, "rx_adv_int"),
}
UNICAST = {"dst": "own", "eth_dst": "own"}
UNICAST_KINDS = {
    "RX-33 multicast": ({"dst": frames.GROUP, "eth_dst": frames.GROUP_MAC}, "rx_cast"),
    "RX-34 not a peer": ({"src": "10.77.0.253"}, "rx_peer"),
    "RX-35 TTL 254": ({"ttl": 254}, "rx_ttl"),
    "RX-35 TTL 64": ({"ttl": 64}, "rx_ttl"),
    "RX-15 own source": ({"src": "own"}, "rx_own"),
    "RX-23 checksum": ({"csum": 0x5aa5}, "rx_csum"),
}


def crafted(lab, routers, fields):
    """Frames and the sockets to send them with: one from the client to all routers, or one straight onto the cable of each
    where their own addresses stand in it, since for the other it would be a legal advert."""
    fields = {"eth_src": FAKE_MAC, "src": FAKE_IP, "priority": 255, **fields}
    if "own" not in fields.values():
        return [(lab.sender("client"), frames.advert(**fields))]
    made = []
    for router in routers:
        own = {"src": lab.ip(router), "dst": lab.ip(router), "eth_src": lab.mac(router), "eth_dst": lab.mac(router)}
        mine = {key: own[key] if value == "own" else value for key, value in fields.items()}
        made.append((lab.sender("sw", router), frames.advert(**mine)))
    return made


def send(made, times=1):
    for sock, frame in made:
        for _ in range(times):
            sock.send(frame)


def shoot(client, made, routers, seen):
    """FRAMES of every frame, in bursts that no queue on the way drops; what arrives meanwhile goes to `seen`."""
    for _ in range(FRAMES // BURST):
        for one in made:
            send([one], BURST)
            seen += client.fence(routers)


def storm(lab, client, procs, kinds, base):
    """Every kind against all routers; returns what went wrong, what the client saw, and how often each router was woken."""
    wrong, seen, woken = [], [], dict.fromkeys(procs, 0)
    client.frames()
    for name, (fields, counter) in kinds.items():
        made = crafted(lab, procs, {**base, **fields})
        before = {router: counters(lab, router) for router in procs}
        sleeps = {router: wakeups(proc) for router, proc in procs.items()}
        shoot(client, made, procs, seen)
        for router, proc in procs.items():
            woken[router] += wakeups(proc) - sleeps[router]
        for router in procs:
            change = moved(before[router], counters(lab, router), NORMAL)
            if change != {counter: FRAMES}:
                wrong.append(f"{router}: {name}: {change} instead of {{{counter!r}: {FRAMES}}}")
    return wrong, seen, woken


def assert_undisturbed(lab, pair, seen, woken, kinds, advert_ms):
    """The Active router's adverts went on, nobody else spoke, the log has one line per reason, and the Backup slept."""
    mine = [frame for frame in seen if adverts(lab, "r1", [frame])]
    took_ms = (mine[-1].t - mine[0].t) / 1e6
    assert len(mine) > took_ms / advert_ms / 2, f"{len(mine)} adverts in {took_ms} ms"
    assert {a.priority for a in adverts(lab, "r1", seen)} == {lab.status("r1")["virtual_routers"][0]["priority"]}
    assert not adverts(lab, "r2", seen)
    reasons = len({counter for _, counter in kinds.values()})
    assert woken["r2"] <= reasons
    assert woken["r1"] <= reasons + 3 * len(mine) + 10
    for proc in (pair.r1, pair.r2):
        assert len([line for line in proc.log if "[rx_" in line]) <= reasons
    assert transitions(pair.r1) == ["Initialize -> Backup", "Backup -> Active"]
    assert transitions(pair.r2) == ["Initialize -> Backup"]


@pytest.mark.parametrize("mode", ["native", "skb"])
def test_malformed_adverts_are_counted_and_change_nothing(lab, mode):
    """RX-5 to RX-33, SEC-1, SEC-2, SEC-4, SEC-8, SEC-10 to SEC-12, SEC-14, SEC-16, SEC-19, invariants 3 and 4."""
    pair = attach_pair(lab, mode=mode)
    wrong, seen, woken = storm(lab, pair.client, {"r1": pair.r1, "r2": pair.r2}, KINDS, {})
    assert not wrong, "\n".join(wrong)
    assert_undisturbed(lab, pair, seen, woken, KINDS, ADVERT_MS)
    assert_settled(lab, pair.client, "r1", ["r2"])


def test_malformed_v2_adverts_are_counted_and_change_nothing(lab):
    """RX-19 to RX-27, SEC-10, SEC-16, SEC-20: authentication and interval, which VRRPv3 does not have."""
    flags = ["--version", 2, "--auth-pass", "s3cret"]
    r1 = attach(lab, "r1", 254, *flags, advert_ms=1000)
    r1.wait_log("-> Active")
    r2 = attach(lab, "r2", 100, *flags, advert_ms=1000)
    r2.wait_log("the Active Router is 10.77.0.11")
    pair = type("Pair", (), {"r1": r1, "r2": r2})
    client = Client(lab)
    wrong, seen, woken = storm(lab, client, {"r1": r1, "r2": r2}, V2_KINDS, PASS)
    assert not wrong, "\n".join(wrong)
    client.wait(lambda frame: seen.append(frame) or len(adverts(lab, "r1", seen)) >= 2)
    assert_undisturbed(lab, pair, seen, woken, V2_KINDS, 1000)
    client.send(frames.advert(eth_src=FAKE_MAC, src=FAKE_IP, priority=255, **PASS))
    r1.wait_log(f"Active -> Backup: advert of higher priority: 255 from {FAKE_IP}")


def test_adverts_that_a_unicast_router_must_not_hear_are_counted_and_change_nothing(lab):
    """RX-33 to RX-35: keepalived believes any source and any TTL there."""
    r1 = attach(lab, "r1", 200, "--unicast-peer", lab.ip("r2"), "--unicast-peer", FAKE_IP)
    r1.wait_log("-> Active")
    r2 = attach(lab, "r2", 100, "--unicast-peer", lab.ip("r1"), "--unicast-peer", FAKE_IP)
    r2.wait_log("the Active Router is 10.77.0.11")
    client = Client(lab)
    lab.run("client", ["ip", "addr", "add", f"{FAKE_IP}/24", "dev", "eth0"])  # or the routers could not send to that peer
    wrong, seen, woken = storm(lab, client, {"r1": r1, "r2": r2}, UNICAST_KINDS, UNICAST)
    assert not wrong, "\n".join(wrong)
    client.wait(lambda frame: seen.append(frame) or len(adverts(lab, "r1", seen)) >= 2)
    assert_undisturbed(lab, type("Pair", (), {"r1": r1, "r2": r2}), seen, woken, UNICAST_KINDS, ADVERT_MS)
    send(crafted(lab, ["r1"], UNICAST))
    r1.wait_log(f"Active -> Backup: advert of higher priority: 255 from {FAKE_IP}")


def test_the_same_advert_without_a_fault_is_obeyed(lab):
    """SEC-3: what the storms are made of, unbroken. The Active yields, and is back one down interval later."""
    pair = attach_pair(lab)
    since = pair.r1.mark()
    send(crafted(lab, lab.routers, {}))
    pair.r1.wait_log(f"Active -> Backup: advert of higher priority: 255 from {FAKE_IP}, ours 200")
    pair.r1.wait_log("Backup -> Active", since=since)
    assert_settled(lab, pair.client, "r1", ["r2"])


# ---- adverts that are odd but legal ----

LEGAL = {  # RX-6, RX-12, RX-29, RX-31, RX-39, WF-5
    "SEC-13 padding of zeros": ({"pad": bytes(14)}, {}),
    "SEC-13 padding of 46 bytes with content": ({"pad": b"\xa5" * 46}, {}),
    "SEC-13 tagged with VID 0, padded": ({"pad": b"\xa5" * 10, "vlans": (0,)}, {}),
    "RX-6 one IP option": ({"options": b"\x94\x04\x00\x00"}, {}),
    "RX-6 IHL 15": ({"options": b"\x01" * 40}, {}),
    "RX-7 do not fragment": ({"frag": 0x4000}, {}),
    "WF-5 reserved bits": ({"interval": 0xf000 | 100}, {}),
    "RX-29 another interval": ({"interval": 200}, {"adv_int_mismatch"}),
    "RX-31 another address": ({"vips": ("10.77.0.99",)}, {"addr_list"}),
    "SEC-10 255 addresses": ({"vips": tuple(f"10.9.0.{n}" for n in range(1, 256))}, {"addr_list"}),
    "RX-39 a unicast frame": ({"eth_dst": "own"}, {"rx_mac_odd"}),
    "SEC-19 a source outside the subnet": ({"src": "192.0.2.1"}, {}),
}


def test_odd_but_legal_adverts_are_accepted(lab):
    """RX-6, RX-7, RX-12, RX-29, RX-31, RX-39, WF-5, SEC-10, SEC-13, SEC-19."""
    proc = attach(lab, "r1", 100, advert_ms=1000)
    proc.wait_log("Initialize -> Backup")
    client, wrong = Client(lab), []
    for name, (fields, notes) in LEGAL.items():
        before = counters(lab, "r1")
        send(crafted(lab, ["r1"], {"interval": 100, **fields}), 50)
        client.fence(["r1"])
        change = moved(before, counters(lab, "r1"), ("rx_absorbed", "ev_sent", "ev_limited"))
        if change != {"rx_ok": 50, "rx_csum_rfc5798": 50, **dict.fromkeys(notes, 50)}:
            wrong.append(f"{name}: {change}")
    assert not wrong, "\n".join(wrong)
    assert transitions(proc) == ["Initialize -> Backup"]


@pytest.mark.parametrize("setting", ["auto", "rfc9568", "rfc5798"])
def test_a_checksum_is_accepted_in_the_forms_that_were_asked_for(lab, setting):
    """WF-19, RX-23, SEC-14: a random one in none."""
    attach(lab, "r1", 100, "--checksum", setting, advert_ms=1000).wait_log("Initialize -> Backup")
    client = Client(lab)
    for form in ("rfc9568", "rfc5798", "random"):
        before = counters(lab, "r1")
        what = {"csum": 0x5aa5} if form == "random" else {"form": form}
        send(crafted(lab, ["r1"], {"interval": 100, **what}), 50)
        client.fence(["r1"])
        change = moved(before, counters(lab, "r1"), ("rx_absorbed", "ev_sent", "ev_limited"))
        accepted = form == setting or (setting == "auto" and form != "random")
        assert change == ({"rx_ok": 50, f"rx_csum_{form}": 50} if accepted else {"rx_csum": 50}), form


# ---- floods of what is legal ----

def test_a_flood_of_lower_adverts_is_answered_at_a_bounded_rate(lab):
    """SEC-6, FSM-A8: at most one advert per 10 ms, one gratuitous ARP per second, 100 wake-ups per second."""
    pair = attach_pair(lab)
    before, sleeps, seen = counters(lab, "r1"), wakeups(pair.r1), []
    pair.client.frames()
    shoot(pair.client, crafted(lab, ["r1"], {"priority": 50}) * 10, lab.routers, seen)
    woken = wakeups(pair.r1) - sleeps
    pair.client.wait_advert("r1")
    change = moved(before, counters(lab, "r1"))
    mine = [frame for frame in seen if adverts(lab, "r1", [frame])]
    seconds = (mine[-1].t - mine[0].t) / 1e9
    assert change["rx_ok"] == 10 * FRAMES and change["ev_limited"] > 9 * FRAMES
    assert len(mine) <= seconds * 110 + 20
    assert len([frame for frame in seen if frames.is_garp(frame.data, lab.VIP)]) <= seconds + 2 + 2 * 5  # and the takeover's
    assert woken <= seconds * 120 + 40
    assert transitions(pair.r1) == ["Initialize -> Backup", "Backup -> Active"]
    assert_settled(lab, pair.client, "r1", ["r2"])


@pytest.mark.parametrize("mode", ["native", "skb"])
def test_a_flood_of_arp_requests_is_answered_to_the_last_without_waking_the_controller(lab, mode):
    """SEC-24: the counter is exact, and adverts keep their schedule."""
    pair = attach_pair(lab, mode=mode)
    before, sleeps, seen = counters(lab, "r1"), wakeups(pair.r1), []
    pair.client.frames()
    asked = frames.arp(eth_src=lab.mac("client"), spa=lab.ip("client"), tpa=lab.VIP)
    shoot(pair.client, [(pair.client, asked)] * 5, lab.routers, seen)
    woken = wakeups(pair.r1) - sleeps
    replies = [a for frame in seen if (a := frames.parse_arp(frame.data)) and a.op == frames.REPLY and a.spa == lab.VIP]
    assert len(replies) == 5 * FRAMES == moved(before, counters(lab, "r1"))["arp_reply"]
    assert {a.eth_src for a in replies} == {lab.mac("r1")}
    assert woken <= 3 * len(adverts(lab, "r1", seen)) + 10
    assert_settled(lab, pair.client, "r1", ["r2"])


def test_a_backup_sleeps_while_adverts_come_in(lab):
    """Invariant 3: not one wake-up in twenty adverts. The counters are read at both ends only, for to be asked is to be woken."""
    pair = attach_pair(lab)
    before = counters(lab, "r2")
    pair.client.wait_advert("r1", count=3)
    backup, active = wakeups(pair.r2), wakeups(pair.r1)
    pair.client.wait_advert("r1", count=20)
    assert wakeups(pair.r2) == backup
    assert wakeups(pair.r1) >= active + 10, "the number says nothing"
    change = moved(before, counters(lab, "r2"))
    assert change["rx_absorbed"] == change["rx_ok"] >= 20
    assert "ev_sent" not in change
