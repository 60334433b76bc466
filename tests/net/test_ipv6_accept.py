# SPDX-License-Identifier: GPL-2.0-or-later
"""Accept mode of IPv6: who answers what is sent to the virtual address itself (DP-1..5), on its own interface and on others."""

import struct
import subprocess

import frames
import pytest
from lab import set_sysctls
from routers import cli, counters, moved, transitions
from routers6 import VIP, VIP_LL, VIPS, Client6, assert_refused, attach, attach_pair, know, serve, served_by

ECHO, SYN, DATAGRAM = "echo", "syn", "datagram"
ALL = {ECHO, SYN, DATAGRAM}
IDENT = 0x6000  # not the fence's
both_modes = pytest.mark.parametrize("mode", ["native", "skb"])
WAN_ROUTER, WAN_HOST, WAN_MAC = "2001:db8::1", "2001:db8::2", "02:77:00:00:01:01"


def datagram(src, dst, proto, body, at):
    """The packet's payload with its checksum, at this offset."""
    return body[:at] + struct.pack(">H", frames.checksum(frames.pseudo(src, dst, proto, len(body)) + body)) + body[at + 2:]


def questions(eth_src, eth_dst, src, dst):
    """A ping, a SYN and a datagram to a port where nobody listens; a host that accepts them answers all three."""
    syn = datagram(src, dst, frames.TCP, struct.pack(">HHIIBBHHH", 40000, 9, 1, 0, 5 << 4, 2, 1024, 0, 0), 16)
    udp = datagram(src, dst, frames.UDP, struct.pack(">HHHH", 40000, 9, 8, 0), 6)
    return [frames.echo(eth_src=eth_src, eth_dst=eth_dst, src=src, dst=dst, ident=IDENT, seq=1),
            *(frames.ethernet(eth_src, eth_dst, frames.ETH_IP6, frames.packet6(body, src=src, dst=dst, proto=proto, ttl=64))
              for proto, body in ((frames.TCP, syn), (frames.UDP, udp)))]


def answer_of(data, host):
    """What question a frame to `host` answers: also an ICMPv6 error is an answer. None: none."""
    head, body = frames.parse_ip6(data)
    if not head or frames.text_ip(head[24:40]) != host:
        return None
    if head[6] == frames.TCP:
        return SYN
    if head[6] != frames.ICMP6:
        return None
    if body[0] == 129:
        return ECHO if body[4:6] == struct.pack(">H", IDENT) else None
    if body[0] >= 128:
        return None
    return DATAGRAM if body[:2] == b"\x01\x04" else "an ICMPv6 error"


def answers(client, router, addr=VIP):
    """What a router answers of questions() to a virtual address that are sent to its MAC."""
    lab, host = client.lab, client.lab.ip6(client.host)
    know(lab, router)
    set_sysctls(lab.netns(router), {"net/ipv6/icmp/ratelimit": 0})  # an error for every packet
    client.frames()
    client.send(*questions(lab.mac(client.host), lab.mac(router), host, addr))
    return {answer_of(frame.data, host) for frame in client.fence([router])} - {None}


@both_modes
def test_without_accept_mode_nobody_answers_but_solicitations_are_answered(lab, mode):
    """DP-1, DP-4, ND-9, SEC-26: no reply, no RST, no ICMPv6 error; Active, frozen and Backup."""
    pair = attach_pair(lab, "--no-accept", mode=mode)
    lab.wait_addr("r1", VIP)
    before = counters(lab, "r1")
    for router in lab.routers:
        for addr in (VIP, VIP_LL):
            assert answers(pair.client, router, addr) == set()
    assert moved(before, counters(lab, "r1"))["guard_no_accept"] == 6
    for addr in (VIP, VIP_LL):
        assert pair.client.who_has(addr, lab.routers) == [lab.mac("r1")]
    assert ECHO in answers(pair.client, "r1", lab.ip6("r1")), "its own address is none of its business"
    pair.r1.freeze()
    pair.r2.wait_log("Backup -> Active")
    lab.wait_addr("r2", VIP)
    for router in lab.routers:
        assert answers(pair.client, router) == set()
    assert pair.client.who_has(VIP, lab.routers) == [lab.mac("r2")]
    pair.r1.thaw()
    lab.wait_state("r1", "Active")
    lab.wait_state("r2", "Backup")
    assert pair.client.who_has(VIP, lab.routers) == [lab.mac("r1")]


def test_a_host_is_not_served_without_accept_mode(lab):
    """DP-4: by its own sockets, with a service that listens at the address; the router may still use the address itself."""
    pair = attach_pair(lab, "--no-accept")
    lab.wait_addr("r1", VIP)
    serve(lab, "r1")
    assert lab.run("client", ["ping", "-6", "-c", "2", "-i", "0.2", "-W", "1", VIP], check=False).returncode == 1
    for kind in ("STREAM", "DGRAM"):
        assert_refused(lab, kind)
    assert served_by(lab, "STREAM", host="r1") == "r1"
    assert transitions(pair.r1) == ["Initialize -> Backup", "Backup -> Active"]


@both_modes
def test_with_accept_mode_the_active_router_answers_and_no_other(lab, mode):
    """DP-1, DP-3: a Backup has not got the address."""
    pair = attach_pair(lab, mode=mode)
    lab.wait_addr("r1", VIP)
    for addr in (VIP, VIP_LL):
        lab.wait_until(lambda a=addr: answers(pair.client, "r1", a) == ALL, what=f"an answer to each question at {addr}")
    assert answers(pair.client, "r2") == set()
    pair.r1.freeze()
    pair.r2.wait_log("Backup -> Active")
    lab.wait_addr("r2", VIP)
    assert answers(pair.client, "r1") == set()
    assert answers(pair.client, "r2") == ALL


@pytest.mark.lan(routers=1)
def test_an_owner_accepts(lab):
    """DP-2."""
    attach(lab, "r1", 255).wait_log("-> Active")
    lab.wait_addr("r1", VIP)
    assert answers(Client6(lab), "r1") == ALL


# ---- another interface ----

CONF = """\
vrrp_instance A {{
    interface eth0
    virtual_router_id 51
    priority 200
    advert_int 0.1
    {accept}
    virtual_ipaddress {{
        fe80::1234/64
        fd77::100/64
    }}
}}
vrrp_instance WAN {{
    interface wan
    virtual_router_id 61
    advert_int 0.1
    virtual_ipaddress {{
        fe80::5678/64
        2001:db8::100/64
    }}
}}
"""


class Wan(Client6):
    """Beyond a second interface of r1, which forwards."""

    def __init__(self, lab):
        super().__init__(lab, "client2")
        near, far = lab.netns("r1"), lab.netns("client2")
        subprocess.run(["ip", "link", "add", "wan", "netns", near, "address", WAN_MAC, "type", "veth", "peer", "name", "wan",
                        "netns", far], check=True)
        set_sysctls(near, {"net/ipv6/conf/all/forwarding": 1, "net/ipv6/icmp/ratelimit": 0})
        for host, addr in (("r1", WAN_ROUTER), ("client2", WAN_HOST)):
            lab.run(host, ["sh", "-c", f"ip addr add {addr}/64 dev wan nodad && ip link set wan up"])
        lab.run("client2", ["sh", "-c", f"ip link set eth0 down; ip -6 route add fd77::/64 via {WAN_ROUTER}"])
        self.mac = lab.run("client2", ["cat", "/sys/class/net/wan/address"]).strip()
        lab.run("r1", ["ip", "-6", "neigh", "replace", WAN_HOST, "lladdr", self.mac, "dev", "wan", "nud", "permanent"])
        self.sniffer = lab.sniff("client2", "wan")

    def answers(self, addr):
        """To questions() that go to the router's MAC; the end is marked by an answer of the router's own address."""
        self.frames()
        self.send(*questions(self.mac, WAN_MAC, WAN_HOST, addr),
                  frames.echo(eth_src=self.mac, eth_dst=WAN_MAC, src=WAN_HOST, dst=WAN_ROUTER, ident=1, seq=1))
        seen = []
        self.wait(lambda frame: seen.append(frame) or
                  ((echo := frames.parse_echo_reply(frame.data)) and echo.src == WAN_ROUTER))
        return {answer_of(frame.data, WAN_HOST) for frame in seen} - {None}


@pytest.mark.lan(routers=1, clients=2)
@both_modes
def test_what_comes_by_another_interface_is_not_accepted_either(lab, mode):
    """DP-4, DP-5, SEC-26: nor sent on; a reload turns accept mode on and off."""
    wan, client = Wan(lab), Client6(lab)
    path = lab.tmp / "r1.conf"

    def write(accept):
        path.write_text(CONF.format(accept=accept), encoding="utf-8")

    write("no_accept")
    proc = lab.start_vrrp_xdp("r1", ["run", "-f", path, "--mode", mode])
    proc.wait_log("A: Backup -> Active")
    proc.wait_log("WAN: Backup -> Active")
    lab.wait_addr("r1", VIP)
    for accept, expected in (("no_accept", set()), ("accept", ALL), ("no_accept", set())):
        write(accept)
        assert cli(lab, "r1", "reload").returncode == 0
        client.frames()
        lab.wait_until(lambda e=expected: wan.answers(VIP) == e, what=f"{expected or 'nothing'} as answer with {accept}")
        seen = [frames.parse_ip6(frame.data)[0] for frame in client.fence(["r1"])]
        assert frames.ip(VIP) not in [head[24:40] for head in seen if head], "sent on"
        assert wan.answers("2001:db8::100") == ALL, "that one has accept mode"
    assert "A: Active ->" not in "\n".join(proc.log)


def test_the_lab_has_the_addresses_of_the_file():
    assert all(vip in CONF for vip in VIPS)
