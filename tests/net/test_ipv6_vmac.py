# SPDX-License-Identifier: GPL-2.0-or-later
"""The virtual MAC of IPv6, without macvlan: what leaves with it, who takes frames to it, and that no host sees another."""

import json
import os
import signal

import frames
import pytest
from lab import set_sysctls
from routers import cli, counters, machine
from routers6 import PROBE, VIP, VIP_LL, VIPS, Client6, attach, attach_pair, neighbour, ping
from test_vmac import HOST_MAC, Tap, port_of

VMAC, VMAC4 = "00:00:5e:00:02:33", "00:00:5e:00:01:33"
BEHIND = "2001:db8:1::1"  # an address that both routers have, and that is reached through them
TAP_HOST = "fd78::50"


def pair_with_vmac(lab, *words):
    """Active r1, Backup r2, both of which lead to BEHIND; the client goes there by the virtual address."""
    pair = attach_pair(lab, "--vmac", *words, mode="skb")
    for router in lab.routers:
        lab.run(router, ["ip", "addr", "add", f"{BEHIND}/128", "dev", "lo"])
    lab.run("client", ["ip", "-6", "route", "add", f"{BEHIND}/128", "via", VIP_LL, "dev", "eth0"])
    lab.wait_addr("r1", VIP)
    return pair


def said_of(seen, addr):
    """The MACs that Neighbor Discovery gives an address, and that it comes from in the address's name."""
    found = set()
    for frame in seen:
        na, ns = frames.parse_na(frame.data), frames.parse_ns(frame.data)
        if na and na.target == addr:
            found |= {na.eth_src, na.tlla or na.eth_src}
        if ns and ns[1] == addr:
            found |= {ns[0], ns[3] or ns[0]}
    return found


def assert_reached(lab, client, router):
    """The kernel there answers at the virtual addresses and behind them, the switch and the client know the virtual MAC alone."""
    client.wait_advert(src=lab.ll(router))
    for addr in (VIP, VIP_LL, BEHIND):
        ping(lab, addr)
    assert neighbour(lab, VIP)[0] == neighbour(lab, VIP_LL)[0] == VMAC
    assert port_of(lab, VMAC) == [router]


def test_adverts_announcements_and_answers_have_the_virtual_mac(lab):
    """WF-14, ND-1, ND-5, ND-7: whatever speaks of the router; what speaks of the machine has its own."""
    client, seen = Client6(lab), []
    pair_with_vmac(lab)
    client.wait(lambda frame: seen.append(frame) or len([f for f in seen if frames.parse_advert(f.data)]) == 20)
    assert {frames.parse_advert(f.data).eth_src for f in seen if frames.parse_advert(f.data)} == {VMAC}
    assert [f for f in seen if frames.is_una(f.data, VIP)]
    assert said_of(seen, VIP) == said_of(seen, VIP_LL) == {VMAC}
    for fields in ({}, {"eth_dst": VMAC, "dst": VIP}, {"eth_dst": lab.mac("r1"), "dst": VIP}, PROBE):
        got = client.adverts_for(VIP, lab.routers, **fields)
        assert {(a.eth_src, a.tlla) for a in got} == {(VMAC, VMAC)}, fields
    ping(lab, VIP)  # so that the kernel knows the client
    client.frames()
    for fields in ({"slla": None}, {"src": "::", "slla": None}):  # the kernel's answers
        client.solicit(VIP, **fields)
        client.wait(lambda frame: seen.append(frame) or
                    ((a := frames.parse_na(frame.data)) and a.target == VIP and "R" not in a.flags))
    assert said_of(seen, VIP) == {VMAC}
    assert client.who_has(lab.ip6("r1"), ["r1"]) == client.who_has(lab.ll("r1"), ["r1"]) == [lab.mac("r1")]


def test_a_takeover_changes_no_entry_of_a_host_and_moves_the_switch(lab):
    """KA-35 without macvlan: the client's entry is permanent, so that it could not follow another MAC if it were told one."""
    pair = pair_with_vmac(lab)
    assert_reached(lab, pair.client, "r1")
    for addr in (VIP, VIP_LL):
        lab.run("client", ["ip", "-6", "neigh", "replace", addr, "lladdr", VMAC, "dev", "eth0", "nud", "permanent"])
    pair.r1.signal(signal.SIGTERM)
    pair.r2.wait_log("Backup -> Active")
    lab.wait_addr("r2", VIP)
    assert_reached(lab, pair.client, "r2")
    assert pair.r1.wait() == 0
    seen = pair.client.frames()
    assert said_of(seen, VIP) | said_of(seen, VIP_LL) == {VMAC}


def test_what_the_kernel_says_in_the_name_of_the_address_has_the_virtual_mac(lab):
    """ND-10, section 1.4: to answer a host it has to ask for it, with the virtual address as source, and it tells of a new MAC."""
    pair = pair_with_vmac(lab)
    for addr in (VIP, VIP_LL):
        for router in lab.routers:
            lab.run(router, "ip -6 neigh flush dev eth0")
        pair.client.frames()
        ping(lab, addr)
        seen = pair.client.frames()
        asked = [ns for ns in (frames.parse_ns(frame.data) for frame in seen) if ns]
        assert [ns for ns in asked if ns[1] == addr], "the kernel did not ask"
        assert said_of(seen, addr) == {VMAC}
        assert neighbour(lab, addr)[0] == VMAC
    set_sysctls(lab.netns("r1"), {"net/ipv6/conf/eth0/ndisc_notify": 1})
    pair.client.frames()
    new = "02:77:00:00:09:09"
    lab.run("r1", ["ip", "link", "set", "eth0", "address", new])
    seen = []
    pair.client.wait(lambda frame: seen.append(frame) or new in said_of([frame], lab.ll("r1")))
    lab.wait_until(lambda: lab.run("client", ["ping", "-6", "-c1", "-W1", VIP], check=False).returncode == 0, what="a ping")
    assert_reached(lab, pair.client, "r1")


def test_a_backup_and_a_frozen_active_discard_frames_to_the_virtual_mac(lab):
    """DP-1, SEC-25: neither taken nor sent on, though the machine forwards; the Active does forward."""
    pair = pair_with_vmac(lab)
    for router in lab.routers:
        set_sysctls(lab.netns(router), {"net/ipv6/conf/all/forwarding": 1})

    def send(router, ident):
        cable = lab.sender("sw", router)
        pair.client.frames()
        for dst in (VIP, BEHIND, lab.ip6("r2"), lab.ip6("r1")):
            cable.send(frames.echo(eth_src=lab.mac("client"), eth_dst=VMAC, src=lab.ip6("client"), dst=dst, ident=ident, seq=1))
        return [a for frame in pair.client.fence(lab.routers) if (a := frames.parse_echo_reply(frame.data)) and a.ident == ident]

    before = counters(lab, "r2")["vmac_drop"]
    assert not send("r2", 7)
    assert counters(lab, "r2")["vmac_drop"] == before + 4
    pair.r1.freeze()
    pair.r2.wait_log("Backup -> Active")
    lab.wait_addr("r2", VIP)
    assert not send("r1", 8)
    assert_reached(lab, pair.client, "r2")
    pair.r1.thaw()
    pair.r1.wait_log("Backup -> Active", since=pair.r1.mark())
    assert_reached(lab, pair.client, "r1")


@pytest.mark.lan(routers=1)
def test_both_families_have_their_own_virtual_mac(lab):
    """WF-14: one VRID, two routers."""
    path, client = lab.tmp / "r1.conf", Client6(lab)
    path.write_text("""\
vrrp_instance V4 {
    interface eth0
    virtual_router_id 51
    version 3
    priority 200
    advert_int 0.1
    use_vmac
    virtual_ipaddress {
        10.77.0.100/24
    }
}
vrrp_instance V6 {
    interface eth0
    virtual_router_id 51
    priority 200
    advert_int 0.1
    use_vmac
    virtual_ipaddress {
        fe80::1234/64
        fd77::100/64
    }
}
""", encoding="utf-8")
    proc = lab.start_vrrp_xdp("r1", ["run", "-f", path, "--mode", "skb"])
    proc.wait_log("V4: Backup -> Active")
    proc.wait_log("V6: Backup -> Active")
    for addr, mac in ((lab.VIP, VMAC4), (VIP, VMAC), (VIP_LL, VMAC)):
        lab.wait_addr("r1", addr)
        assert client.who_has(addr, ["r1"]) == [mac]
        lab.run("client", ["ping", "-c1", "-W2", f"{addr}%eth0" if addr == VIP_LL else addr])
        entries = json.loads(lab.run("client", ["ip", "-j", "neigh", "show", "to", addr, "dev", "eth0"]))
        assert [entry["lladdr"] for entry in entries] == [mac]
    assert frames.parse_advert(client.wait_advert(src=lab.ip("r1")).data).eth_src == VMAC4
    assert frames.parse_advert(client.wait_advert(src=lab.ll("r1")).data).eth_src == VMAC


@pytest.mark.lan(routers=1)
def test_nothing_is_left_behind(lab):
    """Neither the filter entry of the NIC, nor what watches the kernel's ND, nor a group."""
    def look():
        return (machine(lab, "r1"), lab.run("r1", "tc qdisc show dev eth0"), lab.run("r1", "tc filter show dev eth0 egress"),
                lab.run("r1", "ip -6 maddr show dev eth0"))

    lab.wait_addr("r1", lab.ll("r1"))
    before = look()
    proc = attach(lab, "r1", None, "--vmac", mode="skb")
    proc.wait_log("-> Active")
    assert "vrrp_egress" in look()[2]
    proc.signal(signal.SIGTERM)
    assert proc.wait() == 0
    assert look() == before
    proc = attach(lab, "r1", None, "--vmac", mode="skb")
    proc.wait_log("-> Active")
    lab.wait_addr("r1", VIP)
    proc.kill()
    assert cli(lab, "r1", "detach", "eth0").returncode == 0
    assert "vrrp_egress" not in look()[2]
    assert "xdp" not in lab.run("r1", "ip link show dev eth0")


@pytest.mark.lan(routers=1)
def test_in_native_mode_the_kernel_takes_frames_to_the_virtual_mac(lab):
    """DP-3, ND-1, WF-14, where the driver has the program and the kernel's frame is made after it."""
    tap = Tap(lab)
    try:
        lab.run("r1", ["ip", "addr", "add", "fd78::1/64", "dev", "tap", "nodad"])
        words = ["attach", "tap", "--vrid", 51, "--vip", VIPS[0], "--vip", "fd78::100/64", "--advert-int", "0.1", "--vmac",
                 "--mode", "native"]
        lab.start_vrrp_xdp("r1", words)
        advert = frames.parse_advert(tap.wait(frames.parse_advert))
        assert (advert.eth_src, advert.vips) == (VMAC, (VIP_LL, "fd78::100"))

        def wait_na(fits):
            return frames.parse_na(tap.wait(lambda data: (a := frames.parse_na(data)) and fits(a)))

        assert wait_na(lambda a: a.dst == frames.ALL_NODES and a.target == "fd78::100").tlla == VMAC
        lab.wait_state("r1", "Active")
        tap.send(frames.ns(eth_src=HOST_MAC, src=TAP_HOST, target="fd78::100", dst="fd78::100", eth_dst=VMAC))
        answer = wait_na(lambda a: "S" in a.flags)
        assert (answer.eth_src, answer.tlla, answer.eth_dst, answer.flags) == (VMAC, VMAC, HOST_MAC, "RSO")
        tap.send(frames.echo(eth_src=HOST_MAC, eth_dst=VMAC, src=TAP_HOST, dst="fd78::100", ident=9, seq=1))
        asked = frames.parse_ns(tap.wait(lambda data: (ns := frames.parse_ns(data)) and ns[2] == TAP_HOST))
        assert asked == (VMAC, "fd78::100", TAP_HOST, VMAC)
        tap.send(frames.na(eth_src=HOST_MAC, target=TAP_HOST, dst="fd78::100", eth_dst=VMAC, flags=0x60))
        assert frames.parse_echo_reply(tap.wait(frames.parse_echo_reply)).ident == 9
    finally:
        os.close(tap.fd)
