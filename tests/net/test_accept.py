# SPDX-License-Identifier: GPL-2.0-or-later
"""Accept mode: who answers what is sent to the virtual address itself (DP-2..6), on its own interface and on others."""

import signal
import socket
import struct
import subprocess

import frames
import pytest
from lab import Lab, set_sysctls
from routers import Client, attach, attach_pair, cli, counters, moved

ECHO, SYN, DATAGRAM = "echo", "syn", "datagram"
ALL = {ECHO, SYN, DATAGRAM}
UDP = 17
WAN, WAN_ROUTER, WAN_HOST = "198.51.100.0/24", "198.51.100.1", "198.51.100.2"
WAN_MAC = "02:77:00:00:01:01"

CONF = """\
vrrp_instance A {{
    interface eth0
    virtual_router_id 51
    version 3
    priority {priority}
    advert_int 0.1
    {accept}
    track_interface {{
        tracked
    }}
    virtual_ipaddress {{
        10.77.0.100/24
    }}
}}
"""
# What puts the program on the other interface.
CONF_WAN = """\
vrrp_instance WAN {
    interface wan
    virtual_router_id 61
    version 3
    advert_int 0.1
    virtual_ipaddress {
        198.51.100.100/24
    }
}
"""


def segment(src, dst):
    """A SYN to a port where nobody listens: whoever accepts it answers with a RST."""
    body = struct.pack(">HHIIBBHHH", 40000, 9, 1, 0, 5 << 4, 2, 1024, 0, 0)
    pseudo = frames.ip(src) + frames.ip(dst) + struct.pack(">HH", frames.TCP, len(body))
    return body[:16] + struct.pack(">H", frames.checksum(pseudo + body)) + body[18:]


def questions(eth_src, eth_dst, src, dst):
    """A ping, a SYN and a datagram to a port where nobody listens; a host that accepts them answers all three."""
    return [frames.echo(eth_src=eth_src, eth_dst=eth_dst, src=src, dst=dst, ident=0x6000, seq=1),
            *(frames.ethernet(eth_src, eth_dst, frames.ETH_IP, frames.packet(body, src=src, dst=dst, proto=proto, ttl=64))
              for proto, body in ((frames.TCP, segment(src, dst)), (UDP, struct.pack(">HHHH", 40000, 9, 8, 0))))]


def answer_of(data, host):
    """What question a frame to `host` answers: also an ICMP error is an answer. None: none, or the fence's."""
    head, body = frames.parse_ip(data)
    if not head or socket.inet_ntoa(head[16:20]) != host:
        return None
    if head[9] == frames.TCP:
        return SYN
    if head[9] == frames.ICMP and body[0] == 0:
        return ECHO if body[4:6] == b"\x60\x00" else None
    return DATAGRAM if head[9] == frames.ICMP and body[0] == 3 else "an ICMP error"


def answers(client, router):
    """What a router answers of questions() to the virtual address that are sent to its MAC."""
    lab, host = client.lab, client.lab.ip(client.host)
    client.frames()
    client.send(*questions(lab.mac(client.host), lab.mac(router), host, lab.VIP))
    return {answer_of(frame.data, host) for frame in client.fence([router])} - {None}


def wait_answers(client, router):
    client.lab.wait_until(lambda: answers(client, router) == ALL, what="an answer to each question")


def write_conf(lab, router, accept, priority=200, more=""):
    path = lab.tmp / f"{router}.conf"
    path.write_text(CONF.format(accept=accept, priority=priority) + more, encoding="utf-8")
    return path


def reload(lab, router, accept, **fields):
    write_conf(lab, router, accept, **fields)
    done = cli(lab, router, "reload")
    assert done.returncode == 0, done.stderr


def run(lab, router, accept, mode, **fields):
    lab.run(router, ["sh", "-c", "ip link add tracked type veth peer name other && ip link set other up && "
                     "ip link set tracked up"])
    return lab.start_vrrp_xdp(router, ["run", "-f", write_conf(lab, router, accept, **fields), "--mode", mode])


def assert_silent(client, router):
    """No reply, no RST, no ICMP error, and yet every request for the address is answered."""
    before = counters(client.lab, router, "A")
    assert answers(client, router) == set()
    assert moved(before, counters(client.lab, router, "A"), ["rx_ok", "rx_absorbed", "arp_reply", "tx_adverts"]) == {"guard_no_accept": 3}
    assert client.who_has(client.lab.VIP, [router]) == [client.lab.mac(router)]


@pytest.mark.parametrize("mode", ["native", "skb"])
@pytest.mark.lan(routers=1)
def test_without_accept_mode_an_active_router_answers_arp_and_nothing_else(lab, mode):
    """DP-3, DP-4, SEC-26; and a reload turns it on and off."""
    client, proc = Client(lab), run(lab, "r1", "no_accept", mode)
    proc.wait_log("-> Active")
    lab.wait_addr("r1", lab.VIP)
    assert_silent(client, "r1")
    reload(lab, "r1", "accept")
    wait_answers(client, "r1")
    lab.run("client", f"ping -c 1 -W 2 {lab.VIP}")
    reload(lab, "r1", "no_accept")
    assert_silent(client, "r1")
    assert client.is_answered("r1", lab.ip("r1")), "its own address is none of its business"
    assert len([line for line in proc.log if "-> " in line]) == 2, "a reload of accept mode is no change of state"


@pytest.mark.parametrize("mode", ["native", "skb"])
@pytest.mark.lan(routers=1)
def test_without_accept_mode_a_router_in_initialize_answers_nothing(lab, mode):
    """DP-1: the address is gone, and so is the answer to ARP."""
    client, proc = Client(lab), run(lab, "r1", "no_accept", mode)
    proc.wait_log("-> Active")
    lab.run("r1", ["ip", "link", "set", "tracked", "down"])
    lab.wait_state("r1", "Initialize")
    assert answers(client, "r1") == set()
    assert client.who_has(lab.VIP, ["r1"]) == []
    lab.run("r1", ["ip", "link", "set", "tracked", "up"])
    lab.wait_state("r1", "Active")
    assert_silent(client, "r1")


@pytest.mark.parametrize("mode", ["native", "skb"])
def test_without_accept_mode_neither_a_backup_nor_a_frozen_active_answers(lab, mode):
    """DP-1, SEC-27; adverts and the election are as ever."""
    pair = attach_pair(lab, "--no-accept", mode=mode)
    for router in ("r1", "r2"):
        assert answers(pair.client, router) == set()
    assert pair.client.who_has(lab.VIP, ["r1", "r2"]) == [lab.mac("r1")]
    pair.r1.freeze()
    pair.r2.wait_log("Backup -> Active")
    lab.wait_addr("r2", lab.VIP)
    for router in ("r1", "r2"):
        assert answers(pair.client, router) == set()
    assert pair.client.who_has(lab.VIP, ["r1", "r2"]) == [lab.mac("r2")]
    pair.r1.thaw()
    lab.wait_state("r1", "Active")
    lab.wait_state("r2", "Backup")
    assert pair.client.who_has(lab.VIP, ["r1", "r2"]) == [lab.mac("r1")]


@pytest.mark.lan(routers=1)
def test_with_accept_mode_the_active_router_answers_whatever_the_version(lab):
    """DP-3, DP-6: as keepalived, also in version 2."""
    client = Client(lab)
    for version, seconds in ((3, 100), (2, 1000)):
        proc = attach(lab, "r1", None, "--version", version, advert_ms=seconds)
        proc.wait_log("-> Active")
        lab.wait_addr("r1", lab.VIP)
        wait_answers(client, "r1")
        proc.signal(signal.SIGTERM)
        assert proc.wait() == 0


@pytest.mark.lan(routers=1)
def test_an_owner_accepts(lab):
    """DP-2: no_accept is not for priority 255."""
    client, proc = Client(lab), run(lab, "r1", "no_accept", "native", priority=255)
    proc.wait_log("no_accept has no effect with priority 255")
    proc.wait_log("-> Active")
    lab.wait_addr("r1", lab.VIP)
    wait_answers(client, "r1")


def test_the_flag_is_refused_with_priority_255(lab):
    done = cli(lab, "r1", "attach", "eth0", "--vrid", 51, "--vip", lab.VIP_CIDR, "--priority", 255, "--no-accept")
    assert done.returncode == 2 and "--no-accept is not for priority 255" in done.stderr


# ---- another interface ----

class Wan(Client):
    """Beyond a second interface of r1, which forwards."""

    def __init__(self, lab):
        super().__init__(lab, "client2")
        near, far = lab.netns("r1"), lab.netns("client2")
        commands = [f"link add wan netns {near} address {WAN_MAC} type veth peer name wan netns {far}"]
        subprocess.run(["ip", "-batch", "-"], input="\n".join(commands), text=True, check=True)
        set_sysctls(near, {"net/ipv4/ip_forward": 1})
        lab.run("r1", ["sh", "-c", f"ip addr add {WAN_ROUTER}/24 dev wan && ip link set wan up"])
        lab.run("client2", ["sh", "-c", f"ip addr add {WAN_HOST}/24 dev wan && ip link set wan up && "
                            f"ip route add {lab.VIP} via {WAN_ROUTER}"])
        self.mac = lab.run("client2", ["cat", "/sys/class/net/wan/address"]).strip()
        self.sniffer = lab.sniff("client2", "wan")
        lab.run("client2", f"ping -c 1 -W 5 {WAN_ROUTER}")

    def answers(self):
        """What comes back of questions() to the virtual address, before r1 answers two pings of its address out there."""
        self.frames()
        self.send(*questions(self.mac, WAN_MAC, WAN_HOST, self.lab.VIP))
        seen = set()
        for ident in (1, 2):
            self.send(frames.echo(eth_src=self.mac, eth_dst=WAN_MAC, src=WAN_HOST, dst=WAN_ROUTER, ident=ident, seq=1))
            self.wait(lambda frame, i=ident: self._note(seen, frame) == i)
        return seen - {None}

    @staticmethod
    def _note(seen, frame):
        seen.add(answer_of(frame.data, WAN_HOST))
        echo = frames.parse_echo_reply(frame.data)
        return echo.ident if echo else 0


def forwarded(lab, seen):
    """Packets to the virtual address among frames."""
    heads = [frames.parse_ip(frame.data)[0] for frame in seen]
    return [head for head in heads if head and socket.inet_ntoa(head[16:20]) == lab.VIP]


@pytest.mark.parametrize("mode", ["native", "skb"])
@pytest.mark.lan(routers=1, clients=2)
def test_a_packet_for_the_address_that_comes_by_another_interface_is_neither_accepted_nor_sent_on(lab, mode):
    """DP-5, SEC-26: the kernel would accept it there as well. After a reload with accept it does, and not after the next."""
    wan, client = Wan(lab), Client(lab)
    proc = run(lab, "r1", "no_accept", mode, more=CONF_WAN)
    lab.wait_state("r1", "Active", name="A")
    lab.wait_state("r1", "Active", name="WAN")
    lab.wait_addr("r1", lab.VIP)
    for accept in ("no_accept", "accept", "no_accept"):
        reload(lab, "r1", accept, more=CONF_WAN)
        before = counters(lab, "r1", "A")["guard_no_accept"]
        client.frames()
        if accept == "accept":
            lab.wait_until(lambda: wan.answers() == ALL, what="an answer to each question")
            continue
        assert wan.answers() == set()
        assert not forwarded(lab, client.fence(["r1"]))
        assert counters(lab, "r1", "A")["guard_no_accept"] == before + 3
    write_conf(lab, "r1", "no_accept")  # without the program on it, the interface is the kernel's alone
    assert cli(lab, "r1", "reload").returncode == 0
    lab.wait_until(lambda: wan.answers() == ALL, what="an answer to each question")
    reload(lab, "r1", "no_accept", more=CONF_WAN)
    assert wan.answers() == set()
    proc.signal(signal.SIGTERM)
    assert proc.wait() == 0


@pytest.mark.lan(routers=2, clients=2)
def test_a_backup_forwards_what_comes_by_another_interface_to_the_active(lab):
    """DP-5 is for the Active: a Backup is a router like any other on the way to it."""
    wan = Wan(lab)
    run(lab, "r1", "no_accept", "native", priority=100, more=CONF_WAN)
    attach(lab, "r2", 200)
    lab.wait_state("r2", "Active")
    lab.wait_state("r1", "Backup", name="A")
    lab.wait_addr("r2", lab.VIP)
    lab.run("r2", f"ip route add {WAN} via {lab.ip('r1')}")
    lab.wait_until(lambda: wan.answers() == ALL, what="an answer to each question")
    assert counters(lab, "r1", "A")["guard_no_accept"] == 0


def test_the_lab_has_the_address_of_the_file():
    assert Lab.VIP_CIDR in CONF
