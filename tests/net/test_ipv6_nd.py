# SPDX-License-Identifier: GPL-2.0-or-later
"""Neighbor Discovery for the virtual addresses: who announces them and when, who answers for them, and what others' claims do."""

import time

import frames
import pytest
from lab import Lab
from routers import ADVERT_MS, FAKE_MAC, adverts, counters, moved, transitions, wakeups
from routers6 import FAKE_LL, NONCE, PROBE, VIP, VIP_LL, Client6, assert_settled, attach, attach_pair, know, una
from together import played

both_modes = pytest.mark.parametrize("mode", ["native", "skb"])
REPEAT, DELAY_S, DEFEND_S = 5, 5, 10  # KA-9, ND-13
TIMER_S = 0.001                       # the client's clock and the router's
NORMAL = {"rx_ok", "rx_absorbed", "tx_adverts", "ev_sent"}  # what the Active router's adverts move
STARTED = ["Initialize -> Backup", "Backup -> Active"]

# ---- announcements, and what takes as long as they ----


def play_takeover(mode):
    """What a new Active router sends, up to ten adverts after the second set of announcements."""
    with Lab() as lab:
        client, seen = Client6(lab), []
        attach(lab, "r1", mode=mode)
        client.wait(lambda frame: seen.append(frame) or len(una(lab, "r1", seen)) == 4 * REPEAT, 15)
        count = len(adverts(lab, "r1", seen)) + 10
        client.wait(lambda frame: seen.append(frame) or len(adverts(lab, "r1", seen)) == count)
        return lab, [frame for frame in seen if adverts(lab, "r1", [frame]) or una(lab, "r1", [frame])]


def play_claims(_):
    """Somebody claims the address all the time, until the router has defended it twice."""
    with Lab() as lab:
        client, seen = Client6(lab), []
        proc = attach(lab, "r1")
        client.wait(lambda frame: seen.append(frame) or len(una(lab, "r1", seen)) == 2 * REPEAT)
        claim = frames.na(eth_src=FAKE_MAC, target=VIP)
        client.send(claim)
        first = client.wait(lambda frame: seen.append(frame) or len(una(lab, "r1", seen)) == 2 * REPEAT + 1)
        deadline = time.monotonic() + DEFEND_S + 10
        while len(una(lab, "r1", seen)) < 4 * REPEAT + 2:  # the second set of announcements is among them
            assert time.monotonic() < deadline, "no second defence"
            client.send(claim)
            client.wait(lambda frame: seen.append(frame) or adverts(lab, "r1", [frame]))
        said = [line for line in proc.log if "claims our address" in line]
        return una(lab, "r1", seen)[-1].t - first.t, said, transitions(proc)


def play(case):
    return play_claims(case) if case == "claims" else play_takeover(case)


results = played(play, "case")


@pytest.mark.parametrize("case", ["native", "skb"])
def test_a_takeover_says_advert_then_advertisements_and_those_again_after_5_s(results, case):
    """FSM-A9, ND-7, KA-9: five rounds over all addresses at once, five more after five seconds, no more then."""
    lab, sent = results(case)
    assert adverts(lab, "r1", sent[:1]), "an announcement before the first advert"
    told = una(lab, "r1", sent)
    assert sent[1:1 + 2 * REPEAT] == told[:2 * REPEAT], "the first set does not follow at once"
    assert [frames.parse_na(frame.data).target for frame in told] == [VIP_LL, VIP] * 2 * REPEAT
    assert told[2 * REPEAT].t - told[2 * REPEAT - 1].t >= (DELAY_S - TIMER_S) * 1e9
    mac = lab.mac("r1")
    assert frames.parse_na(told[1].data) == (mac, frames.ALL_NODES_MAC, VIP, frames.ALL_NODES, "RO", VIP, mac)


@pytest.mark.parametrize("case", ["claims"])
def test_a_claim_that_goes_on_is_defended_every_10_s_at_most(results, case):
    """ND-13."""
    took_ns, said, states = results(case)
    assert took_ns >= (DEFEND_S - TIMER_S) * 1e9
    assert len(said) == 2
    assert states == STARTED


# ---- solicitations ----

OTHER_MAC = "02:77:00:00:00:fd"
REQUESTS = {  # fields of the solicitation, and of the answer what they make different
    "group": ({}, {}),
    "group, no MAC in the options": ({"slla": None, "options": NONCE}, {}),
    "unicast": ({"dst": "vip", "eth_dst": "r1"}, {}),
    "unicast, no option": ({"dst": "vip", "eth_dst": "r1", "slla": None}, {"tlla": None}),
    "group, unicast frame": ({"eth_dst": "r1"}, {}),
    "from a link-local address": ({"src": "ll"}, {"dst": "ll"}),
    "another MAC in the option": ({"slla": OTHER_MAC}, {"eth_dst": OTHER_MAC}),
    "a group's MAC in the option": ({"slla": frames.ALL_NODES_MAC}, {}),
    "an unknown option behind": ({"options": NONCE}, {}),
    "an unknown option before": ({"slla": None, "options": NONCE + frames.nd_option(frames.SLLA, OTHER_MAC)},
                                 {"eth_dst": OTHER_MAC}),
    "a long unknown option": ({"options": b"\x0e\x04" + bytes(30)}, {}),
    "probe": (PROBE, {"dst": frames.ALL_NODES, "eth_dst": frames.ALL_NODES_MAC, "flags": "RO"}),
}
SHORT = {  # no room in the frame for the MAC, which these have to be told
    "group, no option": ({"slla": None}, {}),
    "probe without a nonce": ({"src": "::", "slla": None}, {}),
}
ALL = {**REQUESTS, **SHORT}


def filled(lab, fields, vip):
    """The words of REQUESTS as addresses."""
    means = {"vip": vip, "r1": lab.mac("r1"), "r2": lab.mac("r2"), "ll": lab.ll("client")}
    return {key: means.get(value, value) if isinstance(value, str) else value for key, value in fields.items()}


def nd_of(frame, addr):
    """Whether a frame is Neighbor Discovery that has this address as source or target."""
    ns, na = frames.parse_ns(frame.data), frames.parse_na(frame.data)
    return (ns and addr in ns[1:3]) or (na and addr in (na.src, na.target))


@both_modes
@pytest.mark.parametrize("vip", [VIP, VIP_LL])
def test_the_active_router_answers_in_xdp(lab, mode, vip):
    """ND-1 to ND-5: with its MAC, from the program and not from the kernel; the Backup says nothing."""
    pair = attach_pair(lab, mode=mode)
    lab.wait_addr("r1", vip)
    mac = lab.mac("r1")
    before, behind = counters(lab, "r1"), lab.sniff("r1")
    wrong = []
    for kind, (asked, expected) in REQUESTS.items():
        answer = frames.Na(mac, lab.mac("client"), vip, lab.ip6("client"), "RSO", vip, mac)
        answer = answer._replace(**filled(lab, expected, vip))
        got = pair.client.adverts_for(vip, lab.routers, times=10, **filled(lab, asked, vip))
        if got != [answer] * 10:
            wrong.append(f"{kind}: {len(got)} answers, {sorted(set(map(str, got)))} instead of {answer}")
    change = moved(before, counters(lab, "r1"), NORMAL)
    assert not wrong, "\n".join([*wrong, str(change)])
    assert change["nd_reply"] == 10 * len(REQUESTS)
    assert not [frame for frame in behind.drain() if not frame.out and nd_of(frame, vip)], "the kernel took part"
    assert transitions(pair.r1) == STARTED


@both_modes
@pytest.mark.parametrize("kind", SHORT)
def test_what_has_no_room_for_the_answer_is_answered_by_the_kernel(lab, mode, kind):
    """ND-1: once, with the same MAC, by the Active router alone. Linux does not answer an asker that it
    has never heard of, who has to name its MAC (RFC 4861 4.3)."""
    pair = attach_pair(lab, mode=mode)
    lab.wait_addr("r1", VIP)
    know(lab, "r1")
    before = {router: counters(lab, router) for router in lab.routers}
    sniffer = lab.sniff("r1")
    pair.client.solicit(VIP, **SHORT[kind][0])
    told = sniffer.wait(lambda frame: frame.out and (a := frames.parse_na(frame.data)) and a.target == VIP and "R" not in a.flags)
    pair.client.fence(lab.routers)
    a = frames.parse_na(told.data)
    assert (a.eth_src, a.tlla, a.src) == (lab.mac("r1"), lab.mac("r1"), VIP)
    assert moved(before["r1"], counters(lab, "r1"), NORMAL) == {"nd_odd": 1}
    assert moved(before["r2"], counters(lab, "r2"), NORMAL) == {"nd_drop": 1}


@both_modes
def test_a_backup_that_holds_the_address_is_silent(lab, mode):
    """ND-8, SEC-21: its kernel would answer all of these; the program lets it not."""
    pair = attach_pair(lab, mode=mode)
    lab.run("r2", ["ip", "addr", "add", f"{VIP}/128", "dev", "eth0", "nodad"])
    before, wrong = counters(lab, "r2"), []
    for kind, (asked, _) in ALL.items():
        asked = filled(lab, asked, VIP)
        if asked.get("eth_dst") == lab.mac("r1"):
            asked["eth_dst"] = lab.mac("r2")
        got = pair.client.adverts_for(VIP, lab.routers, times=2, **asked)
        wrong += [f"{kind}: {a}" for a in got if a.eth_src == lab.mac("r2")]
    assert not wrong, "\n".join(wrong)
    assert moved(before, counters(lab, "r2"), NORMAL) == {"nd_drop": 2 * len(ALL)}
    assert_elsewhere(lab, pair)
    pair.r2.freeze()  # or it would put the program back
    lab.run("r2", ["ip", "link", "set", "dev", "eth0", "xdpdrv" if mode == "native" else "xdpgeneric", "off"])
    assert lab.mac("r2") in pair.client.who_has(VIP, ["r1", "r2"]), "the silence proved nothing"


def assert_elsewhere(lab, pair):
    """r1 is Active and answers; r2 is Backup."""
    assert (lab.state("r1"), lab.state("r2")) == ("Active", "Backup")
    assert pair.client.who_has(VIP, ["r1", "r2"]) == [lab.mac("r1")]


@both_modes
def test_a_lapsed_lease_silences_a_frozen_router(lab, mode):
    """ND-8, invariant 1: to nobody in no form, and each is counted as what it was."""
    pair = attach_pair(lab, mode=mode)
    lab.wait_addr("r1", VIP)
    before = counters(lab, "r1")
    pair.r1.freeze()
    pair.r2.wait_log("Backup -> Active")
    lab.wait_addr("r2", VIP)
    for kind, (asked, _) in ALL.items():
        asked = filled(lab, asked, VIP)
        got = pair.client.adverts_for(VIP, lab.routers, **asked)
        assert lab.mac("r1") not in {a.eth_src for a in got}, kind
    pair.r1.thaw()
    pair.r1.wait_log("Active -> Backup")
    assert moved(before, counters(lab, "r1"))["nd_lapsed"] == len(ALL)


def test_a_router_in_initialize_is_silent(lab):
    """ND-8, FSM-12: without a source address. Its kernel holds the address, and another that it answers for."""
    other = "fd77::150"
    proc = attach(lab, "r1")
    proc.wait_log("-> Active")
    lab.run("r1", ["ip", "addr", "del", f"{lab.ll('r1')}/64", "dev", "eth0"])
    proc.wait_log("Active -> Initialize")
    lab.wait_addr("r1", VIP, present=False)
    for addr in (other, VIP):
        lab.run("r1", ["ip", "addr", "add", f"{addr}/64", "dev", "eth0", "nodad"])
    client = Client6(lab)
    assert client.who_has(VIP, ["r1"]) == []
    assert client.who_has(other, ["r1"]) == [lab.mac("r1")]


# ---- solicitations that break a rule ----

BAD = {  # ND-2, SEC-23
    "hop limit 254": {"ttl": 254},
    "hop limit 64": {"ttl": 64},
    "hop limit 0": {"ttl": 0},
    "checksum 0": {"csum": 0},
    "checksum random": {"csum": 0x5aa5},
    "code 1": {"code": 1},
    "option of length 0": {"slla": None, "options": b"\x01\x00" + bytes(6)},
    "unknown option of length 0": {"options": b"\x0e\x00" + bytes(6)},
    "option of length 0 last": {"options": NONCE + b"\x0e\x00" + bytes(6)},
    "option beyond the end": {"slla": None, "options": b"\x01\x02" + bytes(6)},
    "half an option": {"slla": None, "options": b"\x01\x01\x02\x77"},
    "shorter than its length says": {"total": 40},
    "ends in the target": {"total": 20},
    "from :: with the option": {"src": "::"},
    "from :: with the option last": {"src": "::", "slla": None, "options": NONCE + frames.nd_option(frames.SLLA, FAKE_MAC)},
    "from :: to the address": {"src": "::", "slla": None, "dst": "vip", "eth_dst": "r1"},
    "from :: to all nodes": {"src": "::", "slla": None, "dst": frames.ALL_NODES},
    "from a group": {"src": "ff02::1"},
    "from the loopback": {"src": "::1"},
}
NOBODYS = {  # without a target that is ours: the kernel's business, which has to refuse them itself
    "multicast target": {"target": "solicited-node"},
    "cut in the target": {"slla": None, "cut": 4},
    "without a target": {"slla": None, "cut": 16},
    "cut in the head": {"slla": None, "cut": 20},
}


def is_error(frame):
    """An ICMPv6 error."""
    head, body = frames.parse_ip6(frame.data)
    return head and head[6] == frames.ICMP6 and body[0] < 128


@both_modes
def test_solicitations_that_break_a_rule_are_not_answered(lab, mode):
    """ND-2, SEC-23: counted one by one; neither the program nor the kernel says a word."""
    pair = attach_pair(lab, mode=mode)
    lab.wait_addr("r1", VIP)
    wrong = []
    for kind, fields in {**BAD, **NOBODYS}.items():
        fields = filled(lab, fields, VIP)
        target = fields.pop("target", VIP).replace("solicited-node", frames.solicited_node(VIP))
        if target != VIP:
            fields["dst"] = target
        before = counters(lab, "r1")
        pair.client.frames()
        for _ in range(20):
            pair.client.solicit(target, **fields)
        seen = pair.client.fence(lab.routers)
        got = [a for frame in seen if (a := frames.parse_na(frame.data)) and a.target in (VIP, target)]
        errors = [frame for frame in seen if is_error(frame)]
        change = moved(before, counters(lab, "r1"), NORMAL)
        if got or errors or change != ({"nd_bad": 20} if kind in BAD else {}):
            wrong.append(f"{kind}: {len(got)} answers, {len(errors)} errors, {change}")
    assert not wrong, "\n".join(wrong)
    assert_settled(lab, pair.client, "r1", ["r2"])


def test_other_addresses_are_not_our_business(lab):
    """Invariant 2: solicitations for the routers' own and for strangers' addresses move no counter and are answered as ever."""
    pair = attach_pair(lab)
    before = {router: counters(lab, router) for router in lab.routers}
    assert pair.client.who_has("fd77::99", lab.routers) == []
    for router in lab.routers:
        assert pair.client.who_has(lab.ip6(router), lab.routers) == [lab.mac(router)]
        assert pair.client.who_has(lab.ll(router), lab.routers) == [lab.mac(router)]
    for router in lab.routers:
        assert not moved(before[router], counters(lab, router), NORMAL)


# ---- somebody else's claims ----

CLAIMS = {
    "advertisement to all": lambda lab: frames.na(eth_src=FAKE_MAC, target=VIP),
    "advertisement without override": lambda lab: frames.na(eth_src=FAKE_MAC, target=VIP, flags=0, src=FAKE_LL),
    "advertisement without the option": lambda lab: frames.na(eth_src=FAKE_MAC, target=VIP, tlla=None),
    "answer to the router": lambda lab: frames.na(eth_src=FAKE_MAC, target=VIP, dst=lab.ip6("r1"), eth_dst=lab.mac("r1"),
                                                  flags=0x60),
    "solicitation from the address": lambda lab: frames.ns(eth_src=FAKE_MAC, src=VIP, target=lab.ip6("r1")),
}
NO_CLAIMS = {
    "hop limit 64": lambda lab: frames.na(eth_src=FAKE_MAC, target=VIP, ttl=64),
    "checksum": lambda lab: frames.na(eth_src=FAKE_MAC, target=VIP, csum=0x5aa5),
    "answer to everybody": lambda lab: frames.na(eth_src=FAKE_MAC, target=VIP, flags=0x60),
    "our own that comes back": lambda lab: frames.na(eth_src=lab.mac("r1"), target=VIP),
    "of another address": lambda lab: frames.na(eth_src=FAKE_MAC, target="fd77::fe"),
}


@pytest.mark.parametrize("kind", CLAIMS)
def test_a_claim_by_another_host_is_logged_and_defended_once(lab, kind):
    """ND-13, SEC-22: counted one by one, one advertisement for all of them, and the election does not notice."""
    pair = attach_pair(lab)
    lab.wait_addr("r1", VIP)
    before = counters(lab, "r1")
    pair.client.frames()
    for _ in range(50):
        pair.client.send(CLAIMS[kind](lab))
    pair.r1.wait_log(f"{FAKE_MAC} claims our address {VIP}; defended with one announcement")
    seen = pair.client.fence(["r1", "r2"])
    pair.client.wait(lambda frame: seen.append(frame) or len(adverts(lab, "r1", seen)) >= 5)
    assert [frames.parse_na(frame.data).target for frame in una(lab, "r1", seen)] == [VIP]
    assert not una(lab, "r2", seen)
    assert moved(before, counters(lab, "r1"))["vip_conflict"] == 50
    assert len([line for line in pair.r1.log if "claims our address" in line]) == 1
    assert not [line for line in pair.r2.log if "claims our address" in line], "a Backup has nothing to defend"
    assert transitions(pair.r1) == STARTED
    assert_settled(lab, pair.client, "r1", ["r2"])


def test_what_is_no_claim_is_none(lab):
    """SEC-8, RFC 4861 7.1.2."""
    pair = attach_pair(lab)
    before = counters(lab, "r1")
    for made in NO_CLAIMS.values():
        for _ in range(10):
            pair.client.send(made(lab))
    pair.client.fence(lab.routers)
    pair.client.wait_advert("r1", count=3)
    assert "vip_conflict" not in moved(before, counters(lab, "r1"))
    assert not [line for line in pair.r1.log if "claims our address" in line]


def test_a_host_that_takes_the_address_finds_that_it_may_not(lab):
    """ND-4: the client's kernel probes, and its address fails; nothing of that is a conflict."""
    pair = attach_pair(lab)
    lab.wait_addr("r1", VIP)
    lab.run("client", ["sysctl", "-qw", "net.ipv6.conf.eth0.accept_dad=1", "net.ipv6.conf.eth0.dad_transmits=1"])
    lab.run("client", ["ip", "addr", "add", f"{VIP}/64", "dev", "eth0"])
    lab.wait_until(lambda: "dadfailed" in lab.run("client", "ip -6 addr show dev eth0"), what="a failed probe")
    assert not [line for line in pair.r1.log if "claims our address" in line]
    lab.run("client", ["ip", "addr", "del", f"{VIP}/64", "dev", "eth0"])
    assert_settled(lab, pair.client, "r1", ["r2"])


# ---- floods ----

FLOODS = {"good": ({}, "nd_reply"), "bad": ({"csum": 0x5aa5}, "nd_bad"), "probes": (PROBE, "nd_reply")}
FLOOD, BURST = 4000, 100  # a veth queues 256 frames


@both_modes
@pytest.mark.parametrize("kind", FLOODS)
def test_a_flood_of_solicitations_wakes_no_controller(lab, mode, kind):
    """SEC-24: the counter is exact, good ones are answered to the last, and adverts keep their schedule."""
    pair = attach_pair(lab, mode=mode)
    lab.wait_addr("r1", VIP)
    fields, counter = FLOODS[kind]
    asked = frames.ns(**{"eth_src": lab.mac("client"), "src": lab.ip6("client"), "target": VIP, **fields})
    before, sleeps, seen = counters(lab, "r1"), wakeups(pair.r1), []
    pair.client.frames()
    for _ in range(FLOOD // BURST):
        pair.client.send(*[asked] * BURST)
        seen += pair.client.fence(lab.routers)
    woken = wakeups(pair.r1) - sleeps
    change = moved(before, counters(lab, "r1"), NORMAL)
    assert change == {counter: FLOOD}
    answers = [a for frame in seen if (a := frames.parse_na(frame.data)) and a.target == VIP and a.eth_src == lab.mac("r1")]
    expected = 0 if kind == "bad" else FLOOD
    assert expected <= len(answers) <= expected + 2 * REPEAT  # announcements look like the answers to probes
    assert {a.eth_src for a in answers} <= {lab.mac("r1")}
    mine = [frame for frame in seen if adverts(lab, "r1", [frame])]
    assert woken <= 3 * len(mine) + 10
    if len(mine) > 1:
        assert len(mine) > (mine[-1].t - mine[0].t) / 1e6 / ADVERT_MS / 2
    assert transitions(pair.r1) == STARTED and transitions(pair.r2) == STARTED[:1]
