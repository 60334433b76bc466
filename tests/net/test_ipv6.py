# SPDX-License-Identifier: GPL-2.0-or-later
"""Virtual routers of IPv6: what they put on the wire, who of them is Active, and what a host that uses them sees."""

import signal

import frames
import pytest
from lab import Lab, tshark_check, tshark_fields
from routers import STALL_MS, active_routers, adverts, counters, partition, transitions
from routers import attach as attach4
from routers6 import (NONCE, PROBE, VIP, VIP_LL, VIPS, Client6, assert_settled, attach, attach_pair, flags, groups, know, neighbour,
                      ping, scoped, serve, served_by)
from together import played

both_modes = pytest.mark.parametrize("mode", ["native", "skb"])
STARTED = ["Initialize -> Backup", "Backup -> Active"]

# ---- the wire ----

WIRE = {  # addresses, advert interval in ms
    "100ms": (VIPS, 100),
    "10ms": (VIPS, 10),
    "40.95s": (VIPS, 40950),
    "global": ((f"{VIP}/64",), 100),
    "many": (VIPS + tuple(f"fd77::1:{n}/128" for n in range(1, 21)), 100),
}
OURS = "(eth.src == 02:77:00:00:00:0b or eth.src == 02:77:00:00:00:0c)"


def wait_announced(lab, client, router):
    """The advertisements of a new Active router are all there: five for each address, this one's (ND-7)."""
    left = 5

    def last(frame):
        nonlocal left
        left -= frames.is_una(frame.data, VIP) and frames.parse_na(frame.data).eth_src == lab.mac(router)
        return left == 0

    client.wait(last)


def play(form):
    """Start, solicitations in all their ways, a clean stop and the takeover, captured at the client."""
    vips, interval_ms = WIRE[form]
    with Lab() as lab:
        client, capture = Client6(lab), lab.capture("client")
        r1 = attach(lab, "r1", 255, advert_ms=interval_ms, vips=vips)
        r1.wait_log("-> Active")
        wait_announced(lab, client, "r1")
        r2 = attach(lab, "r2", 254, advert_ms=interval_ms, vips=vips)
        r2.wait_log("Initialize -> Backup")
        for fields in ({}, PROBE, {"eth_dst": lab.mac("r1"), "dst": VIP}):
            client.adverts_for(VIP, ["r1"], **fields)
        assert r1.stop() == 0
        r2.wait_log("-> Active", timeout=20)
        client.wait_advert("r2")
        wait_announced(lab, client, "r2")
        assert client.who_has(VIP, ["r2"]) == [lab.mac("r2")]
        pcap = capture.stop()
        return {
            "complaints": tshark_check(pcap, only=f"{OURS} and (vrrp or icmpv6.type == 136)"),
            "adverts": tshark_fields(pcap, ["eth.src", "vrrp.prio", "ipv6.src", "ipv6.dst", "eth.dst", "ipv6.hlim", "ipv6.tclass",
                                            "vrrp.typever", "vrrp.virt_rtr_id", "vrrp.addr_count", "vrrp.ipv6_addr",
                                            "vrrp.checksum.status", "vrrp.short_adver_int"], f"{OURS} and vrrp"),
            "na": tshark_fields(pcap, ["eth.src", "ipv6.src", "ipv6.dst", "ipv6.hlim", "icmpv6.nd.na.flag.s",
                                       "icmpv6.nd.na.target_address", "icmpv6.opt.linkaddr", "icmpv6.checksum.status"],
                                f"{OURS} and icmpv6.type == 136 and icmpv6.nd.na.target_address == {VIP}"),
        }


results = played(play, "form")


@pytest.mark.parametrize("form", WIRE)
def test_tshark_finds_nothing_wrong_with_what_we_send(results, form):
    """WF-1 to WF-3, WF-11, WF-13, WF-17, ND-1, ND-4, ND-7: adverts, priority 0 and Neighbor Advertisements."""
    found, (vips, interval_ms) = results(form), WIRE[form]
    assert not found["complaints"]
    mac = {"r1": "02:77:00:00:00:0b", "r2": "02:77:00:00:00:0c"}
    said = {(row[0], row[1]) for row in found["adverts"]}
    assert said == {(mac["r1"], "255"), (mac["r1"], "0"), (mac["r2"], "254")}
    sources = {row[0]: row[2] for row in found["adverts"]}
    assert sources == {mac["r1"]: "fe80::77:ff:fe00:b", mac["r2"]: "fe80::77:ff:fe00:c"}
    listed = ",".join(vip.split("/")[0] for vip in vips)
    assert {row[3:] for row in found["adverts"]} == {
        (frames.GROUP6, frames.GROUP6_MAC, "255", "0x000000c0", "49", "51", str(len(vips)), listed, "1", str(interval_ms // 10))}
    assert [row[1] for row in found["adverts"]].count("0") == 1
    assert {row[5] for row in found["na"]} == {VIP}
    assert {(row[1], row[3], row[7]) for row in found["na"]} == {(VIP, "255", "1")}
    assert {row[0] for row in found["na"]} == {row[6] for row in found["na"]} == set(mac.values())
    told = [row[0] for row in found["na"] if row[2] == frames.ALL_NODES]
    assert told.count(mac["r1"]) >= 6 and told.count(mac["r2"]) >= 5  # five of the takeover and the answer to the probe
    assert len([row for row in found["na"] if row[4] == "1"]) >= 2


# ---- elections ----

@both_modes
def test_the_higher_priority_is_active_and_the_lower_stays_backup(lab, mode):
    """FSM-I2, FSM-B2, FSM-B5, ND-10: and status says it."""
    pair = attach_pair(lab, mode=mode)
    assert_settled(lab, pair.client, "r1", ["r2"])
    for addr in (VIP, VIP_LL):
        entry = flags(lab, "r1", addr)
        assert entry.get("nodad") and not entry.get("tentative") and not entry.get("dadfailed"), entry
        ping(lab, addr)
    assert transitions(pair.r1) == STARTED and transitions(pair.r2) == STARTED[:1]
    status, = lab.status("r1")["virtual_routers"]
    assert (status["source"], [vip["address"] for vip in status["vips"]]) == (lab.ll("r1"), list(VIPS))
    assert lab.status("r2")["virtual_routers"][0]["source"] == lab.ll("r2")


@pytest.mark.lan(routers=1)
def test_an_address_without_a_length_is_for_no_connection_of_the_router_itself(lab):
    """KA-5: /128, and deprecated, so that the kernel chooses it as a source for nothing; it is served like any other."""
    attach(lab, "r1", 255, vips=(f"{VIP_LL}/64", VIP)).wait_log("-> Active")
    lab.wait_addr("r1", VIP)
    entry = flags(lab, "r1", VIP)
    assert entry["prefixlen"] == 128 and entry.get("deprecated") and entry.get("nodad"), entry
    assert not flags(lab, "r1", VIP_LL).get("deprecated")
    assert_settled(lab, Client6(lab), "r1")


def test_global_addresses_alone_work_between_two_of_us(lab):
    """WF-2 is for others: two that are configured alike hear each other, and say once that routers by the RFC do not."""
    pair = attach_pair(lab, vips=(f"{VIP}/64",))
    assert_settled(lab, pair.client, "r1", ["r2"])
    pair.client.wait_advert("r1", count=3)
    assert counters(lab, "r2")["rx_absorbed"] > 0 and counters(lab, "r2")["rx_first_addr"] == 0
    assert pair.r1.stop() == 0
    pair.r2.wait_log(r"Backup -> Active: the Active Router left \(priority 0\)")
    assert_settled(lab, pair.client, "r2")


@both_modes
def test_a_stopped_router_sends_one_priority_0_advert_and_the_peer_waits_the_skew(lab, mode):
    """FSM-A1, FSM-B3, ND-6: what it had, the addresses and their groups, is gone."""
    pair = attach_pair(lab, mode=mode, advert_ms=300)
    group = frames.solicited_node(VIP)
    lab.wait_addr("r1", VIP)
    assert group in groups(lab, "r1") and group not in groups(lab, "r2")
    pair.client.wait_advert("r1")
    assert pair.r1.stop() == 0
    seen = []
    pair.client.wait(lambda frame: seen.append(frame) or adverts(lab, "r2", [frame]))
    assert [a.priority for a in adverts(lab, "r1", seen)].count(0) == 1
    assert adverts(lab, "r1", seen)[-1].priority == 0, "an advert after the last will"
    times = {a.eth_src: frame.t for frame in seen if (a := frames.parse_advert(frame.data))}
    waited_ms = (times[lab.mac("r2")] - times[lab.mac("r1")]) / 1e6
    assert 300 * 156 / 256 - STALL_MS < waited_ms < 3 * 300, "not the skew but Active_Down_Interval"
    assert_settled(lab, pair.client, "r2")
    assert not {VIP, VIP_LL} & set(lab.addrs("r1"))
    assert group not in groups(lab, "r1") and group in groups(lab, "r2")
    assert "ff02::12" not in groups(lab, "r1") and "ff02::12" in groups(lab, "r2")


@both_modes
def test_the_backup_takes_over_when_the_cable_is_cut_and_yields_when_it_is_back(lab, mode):
    """FSM-B2, FSM-A4, FSM-12. A link-local address is tested anew with a link that comes back; here it is not."""
    pair = attach_pair(lab, mode=mode)
    since = pair.r2.mark()
    lab.cut_cable("r1")
    pair.r2.wait_log("Backup -> Active: no advert", since=since)
    lab.wait_addr("r2", VIP)
    ping(lab, VIP)
    pair.r1.wait_log("Active -> Initialize: link down")
    assert active_routers(lab) == ["r2"]
    lab.plug("r1")
    pair.r2.wait_log(f"Active -> Backup: advert of higher priority: 200 from {lab.ll('r1')}, ours 100", since=since)
    assert_settled(lab, pair.client, "r1", ["r2"])


@both_modes
def test_a_frozen_router_is_silent_after_the_takeover_and_yields_when_it_runs_again(lab, mode):
    """SEC-29, invariant 1: asked all the time by echo and solicitation, it never answers after the peer's first advert."""
    pair = attach_pair(lab, mode=mode)
    lab.wait_addr("r1", VIP)
    watch = lab.watch()
    probe = lab.probe(VIP, echo_us=1000, arp_us=1000)
    probe.wait_answer(lab.mac("r1"), kinds=("na",), count=50)
    probe.wait_answer(lab.mac("r1"), kinds=("echo",), count=50)
    since = pair.r1.mark()
    pair.r1.freeze()
    taken = watch.wait_event(lambda e: e["kind"] == "advert" and e["src"] == lab.mac("r2"))["t"]
    probe.wait_answer(lab.mac("r2"), since=taken, count=200)
    probe.wait_answer(lab.mac("r2"), since=taken, count=200, kinds=("na",))
    answers = probe.answers_by_mac(taken)
    assert answers[lab.mac("r1")] == 0, answers
    probe.stop()
    assert pair.client.who_has(VIP, ["r1", "r2"]) == [lab.mac("r2")]
    assert not pair.client.is_answered("r1")
    assert counters(lab, "r2")["nd_reply"] > 200
    pair.r1.thaw()
    pair.r1.wait_log("Active -> Backup: another router took over while this one was stalled", since=since)
    pair.r1.wait_log("Backup -> Active", since=since)
    assert_settled(lab, pair.client, "r1", ["r2"])


@both_modes
def test_a_killed_router_answers_nothing_after_its_lease_and_the_peer_owns_the_address(lab, mode):
    """SEC-27, invariant 1. Its kernel still holds the address, so that only the program left on its NIC keeps it silent."""
    pair = attach_pair(lab, mode=mode)
    lab.wait_addr("r1", VIP)
    pair.r1.kill()
    pair.r2.wait_log("Backup -> Active: no advert")
    lab.wait_addr("r2", VIP)
    assert VIP in lab.addrs("r1")
    for fields in ({}, {"slla": None, "options": NONCE}, PROBE):
        assert [a.eth_src for a in pair.client.adverts_for(VIP, ["r1", "r2"], **fields)] == [lab.mac("r2")], fields
    assert not pair.client.adverts_for(VIP, ["r1"], eth_dst=lab.mac("r1"), dst=VIP)
    assert not pair.client.is_answered("r1") and pair.client.is_answered("r2")
    assert pair.client.is_answered("r1", lab.ip6("r1")), "invariant 2: the router's own address is not the VRRP's business"
    lab.run("r1", ["ip", "link", "set", "dev", "eth0", "xdpdrv" if mode == "native" else "xdpgeneric", "off"])
    assert pair.client.who_has(VIP, ["r1", "r2"]) == [lab.mac("r1"), lab.mac("r2")], "the silence proved nothing"


def test_a_router_without_preempt_leaves_a_lower_active_router_in_peace_and_follows_it(lab):
    """FSM-B4 with Preempt_Mode false, FSM-B3."""
    r2 = attach(lab, "r2")
    r2.wait_log("-> Active")
    r1 = attach(lab, "r1", None, "--no-preempt")
    r1.wait_log(f"the Active Router is {lab.ll('r2')}, priority 100")
    client, seen = Client6(lab), []
    client.wait(lambda frame: seen.append(frame) or len(adverts(lab, "r2", seen)) == 10)
    assert not adverts(lab, "r1", seen)
    assert_settled(lab, client, "r2", ["r1"])
    assert r2.stop() == 0
    r1.wait_log(r"Backup -> Active: the Active Router left \(priority 0\)")
    assert_settled(lab, client, "r1")


def test_a_higher_router_that_comes_back_preempts(lab):
    """FSM-B5, FSM-A4: in both ways hosts are told who it is now."""
    pair = attach_pair(lab)
    assert pair.r1.stop() == 0
    pair.r2.wait_log("-> Active")
    back = attach(lab, "r1")
    pair.r2.wait_log(f"Active -> Backup: advert of higher priority: 200 from {lab.ll('r1')}, ours 100")
    back.wait_log("Backup -> Active")
    assert_settled(lab, pair.client, "r1", ["r2"])


EQUALS = [  # the lower address first; what a wrong comparison would make of them
    ("fe80::1:0:0:2", "fe80::2:0:0:1", "r1"),          # the wrong word first
    ("fe80::9", "fe80::10", "r2"),                     # as text
    ("fe80::7fff:0:0:1", "fe80::8000:0:0:0", "r1"),    # a sign bit
    ("fe80::ff", "fe80::100", "r2"),                   # the wrong byte first
    ("fe80::ffff:ffff:ffff:ffff", "febf::1", "r1"),    # the first word
]


@pytest.mark.parametrize("lower, greater, greater_on", EQUALS)
def test_after_a_healed_partition_the_greater_address_stays_active(lab, lower, greater, greater_on):
    """FSM-A4, FSM-A7, SEC-18: all 16 bytes, unsigned, in network byte order."""
    lower_on = {"r1": "r2", "r2": "r1"}[greater_on]
    client, procs = Client6(lab), {}
    partition(lab, True)
    for router, addr in ((greater_on, greater), (lower_on, lower)):
        lab.run(router, ["ip", "addr", "add", f"{addr}/64", "dev", "eth0"])
        procs[router] = attach(lab, router, 100, "--src", addr)
    for proc in procs.values():
        proc.wait_log("-> Active")
    client.wait_advert(lower_on, src=lower)
    client.wait_advert(greater_on, src=greater)
    assert sorted(active_routers(lab)) == ["r1", "r2"]
    partition(lab, False)
    procs[lower_on].wait_log(f"Active -> Backup: advert of the same priority and a greater address: 100 from {greater}")
    client.frames()
    seen = []
    client.wait(lambda frame: seen.append(frame) or len(adverts(lab, greater_on, seen)) == 5)
    assert not adverts(lab, lower_on, seen)
    assert transitions(procs[greater_on]) == STARTED
    assert transitions(procs[lower_on]) == [*STARTED, "Active -> Backup"]
    assert_settled(lab, client, greater_on, [lower_on])


def test_an_owner_is_active_at_once(lab):
    """FSM-I1."""
    r1 = attach(lab, "r1", 255)
    r1.wait_log("Initialize -> Active: priority 255")
    assert_settled(lab, Client6(lab), "r1")


def test_a_backup_sleeps_while_adverts_come_in_and_takes_over_in_time(lab):
    """Invariant 3, FSM-B4: the interval that it hears, and not its own, is what it waits for."""
    r1 = attach(lab, "r1", 255, advert_ms=50)
    r1.wait_log("-> Active")
    r2 = attach(lab, "r2", 254, advert_ms=1000)
    r2.wait_log(f"the Active Router is {lab.ll('r1')}, priority 255, interval 50 ms")
    client, seen = Client6(lab), []
    client.wait_advert("r1", count=10)
    r1.kill()
    client.wait(lambda frame: seen.append(frame) or adverts(lab, "r2", [frame]), 2)
    last = [frame for frame in seen if adverts(lab, "r1", [frame])]
    waited_ms = (seen[-1].t - last[-1].t) / 1e6 if last else 0
    assert not last or 149 < waited_ms < 300
    r2.wait_log("Backup -> Active: no advert")


# ---- what hosts see ----

@both_modes
def test_a_host_is_served_by_whoever_is_active(lab, mode):
    """DP-3, ND-7, invariant 6: ping, TCP and UDP follow the failover both ways, and so does the host's neighbour cache."""
    pair = attach_pair(lab, mode=mode)
    for router in lab.routers:
        serve(lab, router)

    def assert_served(router):
        lab.wait_addr(router, VIP)
        lab.wait_until(lambda: (neighbour(lab, VIP) or (None,))[0] in (None, lab.mac(router)), what="a neighbour entry that moved")
        ping(lab, VIP)
        assert [served_by(lab, kind) for kind in ("STREAM", "DGRAM")] == [router, router]
        assert neighbour(lab, VIP)[0] == lab.mac(router)

    assert_served("r1")
    since = pair.r2.mark()
    lab.cut_cable("r1")
    pair.r2.wait_log("-> Active", since=since)
    assert_served("r2")
    lab.plug("r1")
    pair.r2.wait_log("Active -> Backup", since=since)
    lab.wait_until(lambda: VIP not in lab.addrs("r2"), what="the address leaving")
    assert_served("r1")
    assert pair.r1.stop() == 0
    assert_served("r2")


def test_an_entry_of_a_host_follows_without_the_host_asking(lab):
    """ND-7: the host's kernel may not ask, for there is no solicitation from it on the wire after the failover."""
    pair = attach_pair(lab)
    lab.wait_addr("r1", VIP)
    ping(lab, VIP)
    lab.run("client", ["ip", "-6", "neigh", "replace", VIP, "lladdr", lab.mac("r1"), "dev", "eth0", "nud", "reachable"])
    sniffer = lab.sniff("client")
    pair.r1.kill()
    lab.wait_until(lambda: neighbour(lab, VIP)[0] == lab.mac("r2"), what="the entry moving")
    asked = [frames.parse_ns(frame.data) for frame in sniffer.drain() if frame.out]
    assert VIP not in [ns[2] for ns in asked if ns]
    ping(lab, VIP)


@both_modes
def test_the_kernel_accepts_the_address_before_it_is_announced(lab, mode):
    """Invariant 6: a host that acts upon the very first advertisement is served."""
    know(lab, "r1")
    client = Client6(lab)
    attach(lab, "r1", mode=mode)
    client.wait(lambda frame: frames.is_una(frame.data, VIP))
    ident = client.ping("r1", VIP)
    replies = [frames.parse_echo_reply(frame.data) for frame in client.fence(["r1"])]
    assert [a.src for a in replies if a and a.ident == ident] == [VIP]


# ---- both families ----

BOTH = """\
vrrp_instance V4 {{
    interface eth0
    virtual_router_id 51
    version 3
    priority {v4}
    advert_int 0.1
    virtual_ipaddress {{
        10.77.0.100/24
    }}
    virtual_ipaddress_excluded {{
        fd77::400/64
    }}
}}
vrrp_instance V6 {{
    interface eth0
    virtual_router_id 51
    priority {v6}
    advert_int 0.1
    virtual_ipaddress {{
        fe80::1234/64
        fd77::100/64
    }}
    virtual_ipaddress_excluded {{
        10.77.0.160/24
    }}
}}
"""
OF = {"V4": (Lab.VIP, "fd77::400"), "V6": (VIP, VIP_LL, "10.77.0.160")}


def run_both(lab, router, **priorities):
    path = lab.tmp / f"{router}.conf"
    path.write_text(BOTH.format(**priorities), encoding="utf-8")
    lab.wait_addr(router, lab.ll(router))
    return lab.start_vrrp_xdp(router, ["run", "-f", path, "--mode", "native"])


def assert_owners(lab, client, owner_of):
    for name, owner in owner_of.items():
        for other in lab.routers:
            lab.wait_state(other, "Active" if other == owner else "Backup", name=name)
        for addr in OF[name]:
            lab.wait_addr(owner, addr)
            lab.wait_until(lambda a=addr: {r for r in lab.routers if a in lab.addrs(r)} == {owner}, what=f"{addr} on {owner} alone")
            assert client.who_has(addr, lab.routers) == [lab.mac(owner)], addr
            lab.wait_until(lambda a=addr: lab.run("client", ["ping", "-c1", "-W1", scoped(a)], check=False).returncode == 0,
                           what=f"a ping to {addr}")


def test_one_vrid_of_both_families_is_two_routers(lab):
    """Section 0, SEC-15, KA-6: each with its own Active, its own counters, and addresses of the other family in tow."""
    client = Client6(lab)
    procs = {"r1": run_both(lab, "r1", v4=200, v6=100), "r2": run_both(lab, "r2", v4=100, v6=200)}
    owner_of = {"V4": "r1", "V6": "r2"}
    assert_owners(lab, client, owner_of)
    client.wait_advert(src=lab.ip("r1"), dst=frames.GROUP, vips=(Lab.VIP,), count=3)
    client.wait_advert(src=lab.ll("r2"), dst=frames.GROUP6, vips=(VIP_LL, VIP), count=3)
    for router, mine, other in (("r1", "V4", "V6"), ("r2", "V6", "V4")):
        assert counters(lab, router, mine)["arp_reply"] > 0 and counters(lab, router, mine)["nd_reply"] > 0
        assert counters(lab, router, other)["arp_reply"] == counters(lab, router, other)["nd_reply"] == 0
        assert counters(lab, router, other)["rx_absorbed"] > 0
    procs["r2"].signal(signal.SIGTERM)
    procs["r1"].wait_log("V6: Backup -> Active")
    assert procs["r2"].wait() == 0
    for addr in (VIP, VIP_LL, Lab.VIP, "fd77::400", "10.77.0.160"):
        lab.wait_addr("r1", addr)
        assert client.who_has(addr, ["r1"]) == [lab.mac("r1")]
    assert not {*OF["V4"], *OF["V6"]} & set(lab.addrs("r2"))
    assert not [line for line in procs["r1"].log if "V4: Active ->" in line]


def test_excluded_addresses_of_the_other_family_are_announced_and_not_listed(lab):
    """KA-6: gratuitous ARP for one, unsolicited advertisement for the other, from the router that has them."""
    client, seen = Client6(lab), []
    run_both(lab, "r1", v4=255, v6=100)
    client.wait(lambda frame: seen.append(frame) or frames.is_garp(frame.data, "10.77.0.160"))
    client.wait(lambda frame: seen.append(frame) or frames.is_una(frame.data, VIP))
    assert [frame for frame in seen if frames.is_una(frame.data, "fd77::400")]
    listed = {addr for frame in seen if (a := frames.parse_advert(frame.data)) for addr in a.vips}
    assert listed == {Lab.VIP, VIP, VIP_LL}


def test_routers_of_both_families_may_be_attached_one_after_the_other(lab):
    """One controller per interface: a second is refused for the other family too, and says how to have both."""
    attach(lab, "r1", 255).wait_log("-> Active")
    second = attach4(lab, "r1", 255)
    assert second.wait() == 1
    assert any("vrrp-xdp run" in line for line in second.log)
