# SPDX-License-Identifier: GPL-2.0-or-later
"""The virtual MAC without macvlan: what leaves with it, who takes frames to it, and that no host and no switch sees another."""

import fcntl
import json
import os
import select
import signal
import struct
import time

import frames
import pytest
from lab import in_netns, set_sysctls
from routers import Client, attach, attach_pair, cli, counters, machine

VMAC = "00:00:5e:00:01:33"
BEHIND = "192.0.2.1"  # an address that both routers have, and that is reached through them

CONF = """\
vrrp_instance A {{
    interface eth0
    virtual_router_id 51
    version 3
    priority {priority}
    advert_int 0.1
    {extra}
    virtual_ipaddress {{
        10.77.0.100/24
    }}
}}
"""


def pair_with_vmac(lab, *flags):
    """Active r1, Backup r2, both of which lead to BEHIND; the client goes there by the virtual address."""
    pair = attach_pair(lab, "--vmac", *flags, mode="skb")
    lead_behind(lab)
    return pair


def lead_behind(lab):
    for router in lab.routers:
        lab.run(router, f"ip addr add {BEHIND}/32 dev lo")
    lab.run("client", f"ip route add {BEHIND} via {lab.VIP}")


def neighbour(lab, addr, host="client"):
    """The MAC that a host's kernel has for an address."""
    entries = json.loads(lab.run(host, f"ip -j neigh show to {addr} dev eth0"))
    return entries[0].get("lladdr") if entries else None


def port_of(lab, mac):
    """The cables of the switch behind which it has learned a MAC."""
    entries = json.loads(lab.run("sw", "bridge -j fdb show br br0"))
    return [entry["ifname"] for entry in entries if entry["mac"] == mac and entry.get("master") == "br0"]


def said_of_vip(lab, seen):
    """The MACs that ARP packets give the virtual address, and that they come from."""
    found = [frames.parse_arp(frame.data) for frame in seen]
    return {mac for arp in found if arp and arp.spa == lab.VIP for mac in (arp.eth_src, arp.sha)}


def ping(lab, addr):
    lab.run("client", f"ping -c 1 -W 2 {addr}")


def assert_reached(lab, client, router):
    """The kernel there answers at the virtual address and behind it, the switch and the client know the virtual MAC alone."""
    client.wait_advert(src=lab.ip(router))
    for addr in (lab.VIP, BEHIND):
        ping(lab, addr)
    assert neighbour(lab, lab.VIP) == VMAC
    assert port_of(lab, VMAC) == [router]


def test_adverts_announcements_and_answers_have_the_virtual_mac(lab):
    """WF-14, ARP-1, ARP-2, ARP-8: whatever speaks of the router; what speaks of the machine has its own."""
    client = Client(lab)
    pair_with_vmac(lab)
    seen = []
    client.wait(lambda frame: seen.append(frame) or len([f for f in seen if frames.parse_advert(f.data)]) == 30)
    assert {frames.parse_advert(f.data).eth_src for f in seen if frames.parse_advert(f.data)} == {VMAC}
    assert [f for f in seen if frames.is_garp(f.data, lab.VIP)]
    assert said_of_vip(lab, seen) == {VMAC}
    assert client.who_has(lab.VIP, ["r1", "r2"]) == [VMAC]
    assert set(client.who_has(lab.ip("r1"), ["r1"])) == {lab.mac("r1")}


def test_a_takeover_changes_no_entry_of_a_host_and_moves_the_switch(lab):
    """KA-35 without macvlan: the client's entry is permanent, so that it could not follow another MAC if it were told one."""
    pair = pair_with_vmac(lab)
    assert_reached(lab, pair.client, "r1")
    lab.run("client", f"ip neigh replace {lab.VIP} lladdr {VMAC} dev eth0 nud permanent")
    pair.r1.signal(signal.SIGTERM)
    pair.r2.wait_log("Backup -> Active")
    lab.wait_addr("r2", lab.VIP)
    assert_reached(lab, pair.client, "r2")
    assert pair.r1.wait() == 0
    assert said_of_vip(lab, pair.client.frames()) == {VMAC}


def test_what_the_kernel_asks_in_the_name_of_the_address_has_the_virtual_mac(lab):
    """ARP-12: to answer a host that XDP has answered before, the kernel has to ask for it, with the virtual address as sender."""
    pair = pair_with_vmac(lab)
    for _ in range(3):
        for router in lab.routers:
            lab.run(router, "ip neigh flush dev eth0")
        pair.client.frames()
        ping(lab, lab.VIP)
        seen = pair.client.frames()
        asked = [a for a in (frames.parse_arp(frame.data) for frame in seen) if a and a.op == frames.REQUEST]
        assert [a for a in asked if a.spa == lab.VIP and a.tpa == lab.ip("client")], "the kernel did not ask"
        assert said_of_vip(lab, seen) == {VMAC}
        assert neighbour(lab, lab.VIP) == VMAC


def test_unicast_requests_to_either_mac_are_answered_with_the_virtual_one(lab):
    """ARP-3."""
    pair = pair_with_vmac(lab)
    for mac in (VMAC, lab.mac("r1")):
        replies = pair.client.replies(lab.VIP, ["r1", "r2"], eth_dst=mac)
        assert [(a.eth_src, a.sha) for a in replies] == [(VMAC, VMAC)]


def test_a_backup_and_a_frozen_active_discard_frames_to_the_virtual_mac(lab):
    """DP-1, SEC-25: neither taken nor sent on, though the machine forwards; the Active does forward."""
    pair = pair_with_vmac(lab)
    for router in lab.routers:
        set_sysctls(lab.netns(router), {"net/ipv4/ip_forward": 1})
    cable = lab.sender("sw", "r2")
    before = counters(lab, "r2")["vmac_drop"]
    pair.client.frames()
    for dst in (lab.VIP, BEHIND, lab.ip("r2"), lab.ip("r1")):
        cable.send(frames.echo(eth_src=lab.mac("client"), eth_dst=VMAC, src=lab.ip("client"), dst=dst, ident=7, seq=1))
    lab.wait_until(lambda: counters(lab, "r2")["vmac_drop"] == before + 4, what="four frames dropped")
    assert not [f for f in pair.client.fence(["r1", "r2"]) if frames.parse_echo_reply(f.data)]
    pair.r1.freeze()
    pair.r2.wait_log("Backup -> Active")
    lab.wait_addr("r2", lab.VIP)
    cable = lab.sender("sw", "r1")
    pair.client.frames()
    for dst in (lab.VIP, BEHIND, lab.ip("r2"), lab.ip("r1")):
        cable.send(frames.echo(eth_src=lab.mac("client"), eth_dst=VMAC, src=lab.ip("client"), dst=dst, ident=8, seq=1))
    assert not [f for f in pair.client.fence(["r1", "r2"]) if frames.parse_echo_reply(f.data)]
    assert_reached(lab, pair.client, "r2")


def test_another_mac_of_the_nic_is_followed(lab):
    """Frames to the virtual MAC become frames to the one that the NIC has now; the client hears of none of it."""
    pair = pair_with_vmac(lab)
    assert_reached(lab, pair.client, "r1")
    pair.client.frames()
    lab.run("r1", "ip link set eth0 address 02:77:00:00:09:09")
    lab.wait_until(lambda: lab.run("client", f"ping -c 1 -W 1 {lab.VIP}", check=False).returncode == 0, what="a ping")
    assert_reached(lab, pair.client, "r1")
    assert said_of_vip(lab, pair.client.frames()) <= {VMAC}


def test_nothing_is_left_behind(lab):
    """Neither the filter entry of the NIC nor what watches the kernel's ARP; also not after a controller that was killed."""
    def qdiscs():
        return lab.run("r1", "tc qdisc show dev eth0"), lab.run("r1", "tc filter show dev eth0 egress")

    before = machine(lab, "r1"), qdiscs()
    pair = pair_with_vmac(lab)
    assert "vrrp_egress" in qdiscs()[1]
    pair.r1.kill()
    pair.r1.wait()
    assert cli(lab, "r1", "detach", "eth0").returncode == 0
    assert "vrrp_egress" not in qdiscs()[1]
    pair.r2.signal(signal.SIGTERM)
    assert pair.r2.wait() == 0
    lab.run("r1", f"ip addr del {BEHIND}/32 dev lo")
    lab.run("r1", ["sh", "-c", "tc qdisc del dev eth0 clsact; ip addr del 10.77.0.100/24 dev eth0 || true"])
    again = attach_pair(lab, "--vmac", mode="skb")
    again.r1.signal(signal.SIGTERM)
    assert again.r1.wait() == 0
    assert (machine(lab, "r1"), qdiscs()) == before


@pytest.mark.lan(routers=1)
def test_a_file_turns_it_on_and_off(lab):
    """use_vmac, vmac_xmit_base; a name makes no interface, and is said to make none."""
    client, path = Client(lab), lab.tmp / "r1.conf"

    def go(extra):
        path.write_text(CONF.format(priority=200, extra=extra), encoding="utf-8")

    go("use_vmac vrrp.51")
    proc = lab.start_vrrp_xdp("r1", ["run", "-f", path, "--mode", "skb"])
    proc.wait_log('use_vmac makes no interface: none is called "vrrp.51"')
    proc.wait_log("-> Active")
    lab.wait_addr("r1", lab.VIP)
    for extra, of_adverts, of_vip in (("use_vmac vrrp.51", VMAC, VMAC), ("use_vmac\n vmac_xmit_base", lab.mac("r1"), VMAC),
                                      ("", lab.mac("r1"), lab.mac("r1")), ("use_vmac", VMAC, VMAC)):
        go(extra)
        assert cli(lab, "r1", "reload").returncode == 0
        lab.wait_state("r1", "Active")
        lab.wait_addr("r1", lab.VIP)
        client.frames()
        assert frames.parse_advert(client.wait_advert(count=3, priority=200).data).eth_src == of_adverts
        assert client.who_has(lab.VIP, ["r1"]) == [of_vip]
        lab.run("client", "ip neigh flush dev eth0")
        ping(lab, lab.VIP)
        assert neighbour(lab, lab.VIP) == of_vip
    assert "vrrp.51" not in lab.run("r1", "ip link")


@pytest.mark.parametrize("ours", ["r1", "r2"])
def test_keepalived_with_use_vmac_and_we_are_one_router_to_the_client(lab, ours):
    """Both ways: whoever is Active, the client's permanent entry is right, and the switch knows where."""
    other = {"r1": "r2", "r2": "r1"}[ours]
    priority = {"r1": 200, "r2": 100}
    client = Client(lab)
    path = lab.tmp / "ours.conf"
    path.write_text(CONF.format(priority=priority[ours], extra="use_vmac"), encoding="utf-8")
    daemon = lab.start_vrrp_xdp(ours, ["run", "-f", path, "--mode", "skb"])
    keepalived = lab.start_keepalived(other, lab.keepalived_conf(priority=priority[other], advert_int=0.1, extra="use_vmac"))
    lead_behind(lab)
    first = {ours: daemon, other: keepalived}["r1"]
    client.wait_advert(src=lab.ip("r1"), count=3)
    lab.wait_state(ours, {"r1": "Active", "r2": "Backup"}[ours])
    lab.wait_until(lambda: lab.VIP in lab.run("r1", "ip addr"), what="the address")  # keepalived's is on its macvlan
    lab.run("client", f"ip neigh replace {lab.VIP} lladdr {VMAC} dev eth0 nud permanent")
    assert_reached(lab, client, "r1")
    first.signal(signal.SIGTERM)
    client.wait_advert(src=lab.ip("r2"), count=3)
    lab.wait_until(lambda: lab.VIP in lab.run("r2", "ip addr"), what="the address")
    assert_reached(lab, client, "r2")


# ---- native mode ----

TUNSETIFF, IFF_TAP, IFF_NO_PI = 0x400454ca, 0x2, 0x1000
TAP_MAC, HOST_MAC, HOST = "02:77:00:00:02:01", "02:77:00:00:02:02", "192.0.2.50"


class Tap:
    """The far end of an interface `tap` of r1, whose driver makes the kernel's frame after XDP, as those of NICs do and veth does not."""

    def __init__(self, lab):
        self.fd = in_netns(lab.netns("r1"), self._open)
        lab.run("r1", ["sh", "-c", f"ip link set tap address {TAP_MAC} up && ip addr add 192.0.2.1/24 dev tap"])

    @staticmethod
    def _open():
        fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
        fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH", b"tap", IFF_TAP | IFF_NO_PI))
        return fd

    def wait(self, fits):
        """The next frame for which fits(bytes) holds."""
        deadline = time.monotonic() + 10
        while select.select([self.fd], [], [], max(0, deadline - time.monotonic()))[0]:
            data = os.read(self.fd, 2048)
            if fits(data):
                return data
        raise AssertionError("no such frame")

    def wait_arp(self, **fields):
        def fits(data):
            arp = frames.parse_arp(data)
            return arp and all(getattr(arp, key) == value for key, value in fields.items())
        return frames.parse_arp(self.wait(fits))

    def send(self, data):
        os.write(self.fd, data)


@pytest.mark.lan(routers=1)
def test_in_native_mode_the_kernel_takes_frames_to_the_virtual_mac(lab):
    """DP-3, ARP-1, ARP-12, WF-14, where the driver has the program."""
    tap, vip = Tap(lab), "192.0.2.100"
    try:
        lab.start_vrrp_xdp("r1", ["attach", "tap", "--vrid", 51, "--vip", f"{vip}/24", "--advert-int", "0.1", "--vmac",
                                  "--mode", "native"])
        assert frames.parse_advert(tap.wait(frames.parse_advert)).eth_src == VMAC
        assert tap.wait_arp(spa=vip, tpa=vip).sha == VMAC
        lab.wait_state("r1", "Active")
        tap.send(frames.arp(eth_src=HOST_MAC, spa=HOST, tpa=vip, eth_dst=VMAC))
        answer = tap.wait_arp(spa=vip, op=frames.REPLY)
        assert (answer.eth_src, answer.sha, answer.eth_dst) == (VMAC, VMAC, HOST_MAC)
        tap.send(frames.echo(eth_src=HOST_MAC, eth_dst=VMAC, src=HOST, dst=vip, ident=9, seq=1))
        asked = tap.wait_arp(tpa=HOST, op=frames.REQUEST)
        assert (asked.eth_src, asked.sha, asked.spa) == (VMAC, VMAC, vip)
        tap.send(frames.arp(eth_src=HOST_MAC, spa=HOST, tpa=vip, eth_dst=VMAC, op=frames.REPLY, tha=VMAC))
        assert frames.parse_echo_reply(tap.wait(frames.parse_echo_reply)).ident == 9
    finally:
        os.close(tap.fd)


@pytest.mark.lan(routers=1)
def test_veth_in_native_mode_is_refused(lab):
    """There the router would be Active and not be reached."""
    proc = attach(lab, "r1", None, "--vmac", mode="native")
    proc.wait_log("Initialize: veth takes frames to the virtual MAC in generic mode only")
