# SPDX-License-Identifier: GPL-2.0-or-later
"""routers.py for virtual routers of IPv6: start them, ask for their addresses, look who has them."""

import json
import socket
import sys

import frames
import routers
from lab import Lab, in_netns
from proc import LabError
from routers import Client, Pair, active_routers

VIP, VIP_LL = Lab.VIP6, "fe80::1234"
VIPS = (f"{VIP_LL}/64", Lab.VIP6_CIDR)  # the order in which they are advertised
FAKE_LL, FAKE_IP6 = "fe80::fe", "fd77::fe"  # of routers.FAKE_MAC
NONCE = b"\x0e\x01nonce!"  # an option (RFC 3971 5.3.2) as Linux has it in its probes
PROBE = {"src": "::", "slla": None, "options": NONCE}
SERVICE_PORT = 8080

# Answers with its name whoever speaks to the address, by TCP and UDP, whether or not the machine has that address now.
SERVICE = """
import select, socket, sys
tcp, udp = (socket.socket(socket.AF_INET6, kind) for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM))
for sock in (tcp, udp):
    sock.setsockopt(socket.SOL_IP, 15, 1)  # IP_FREEBIND
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind((sys.argv[2], int(sys.argv[3])))
tcp.listen()
print("ready", flush=True)
while True:
    news = select.select([tcp, udp, sys.stdin], [], [])[0]
    if sys.stdin in news:
        break
    if tcp in news:
        conn = tcp.accept()[0]
        conn.sendall(sys.argv[1].encode())
        conn.close()
    if udp in news:
        udp.sendto(sys.argv[1].encode(), udp.recvfrom(9)[1])
"""


def attach(lab, router, priority=None, *flags, vips=VIPS, **more):
    """routers.attach() with addresses of IPv6, on an interface that has its link-local one."""
    lab.wait_addr(router, lab.ll(router))
    return routers.attach(lab, router, priority, *flags, vips=vips, **more)


def attach_pair(lab, *flags, **more):
    """routers.attach_pair(): Active r1, Backup r2, and a client."""
    r1 = attach(lab, "r1", None, *flags, **more)
    r1.wait_log("-> Active")
    r2 = attach(lab, "r2", None, *flags, **more)
    r2.wait_log(f"the Active Router is {lab.ll('r1')}, priority 200")
    return Pair(r1, r2, Client6(lab))


def assert_settled(lab, client, active, backups=(), addr=VIP):
    """Exactly this router is Active, has the address, answers for it, and a client's own kernel reaches it."""
    for backup in backups:
        lab.wait_state(backup, "Backup")
    lab.wait_state(active, "Active")
    lab.wait_addr(active, addr)
    assert active_routers(lab) == [active]
    assert {router for router in [active, *backups] if addr in lab.addrs(router)} == {active}
    assert client.who_has(addr, [active, *backups]) == [lab.mac(active)]
    assert client.is_answered(active, addr), "the Active router does not accept packets for the address"
    ping(lab, addr)


def ping(lab, addr, host="client"):
    lab.run(host, ["ping", "-6", "-c", "1", "-W", "2", scoped(addr)])


def scoped(addr):
    """As a program wants it that has to know the link."""
    return f"{addr}%eth0" if addr.startswith("fe80:") else addr


def know(lab, router, host="client"):
    """A router's kernel answers the host at once, without looking for it first."""
    lab.run(router, ["ip", "-6", "neigh", "replace", lab.ip6(host), "lladdr", lab.mac(host), "dev", "eth0", "nud", "permanent"])


def una(lab, router, seen):
    """The unsolicited Neighbor Advertisements of one router among frames."""
    return [frame for frame in seen if frames.is_una(frame.data) and frames.parse_na(frame.data).eth_src == lab.mac(router)]


def neighbour(lab, addr, host="client"):
    """(MAC, state) that a host's kernel has for an address."""
    entries = json.loads(lab.run(host, ["ip", "-6", "-j", "neigh", "show", "to", addr, "dev", "eth0"]))
    return (entries[0].get("lladdr"), entries[0]["state"][0]) if entries else None


def flags(lab, router, addr, dev="eth0"):
    """What `ip addr` says of an address: its whole entry."""
    shown = json.loads(lab.run(router, ["ip", "-6", "-j", "addr", "show", "dev", dev]))
    found, = (a for a in shown[0]["addr_info"] if a.get("local") == addr)
    return found


def groups(lab, router, dev="eth0"):
    """The IPv6 groups that an interface is in."""
    shown = json.loads(lab.run(router, ["ip", "-6", "-j", "maddr", "show", "dev", dev]))
    return {entry["address"] for entry in shown[0]["maddr"] if entry["family"] == "inet6"}


def serve(lab, router, addr=VIP):
    """Starts SERVICE there."""
    lab.popen(router, [sys.executable, "-c", SERVICE, router, addr, SERVICE_PORT]).wait_log("ready")


def served_by(lab, kind, addr=VIP, host="client"):
    """Who answers a host's own sockets."""
    def ask():
        with socket.socket(socket.AF_INET6, getattr(socket, f"SOCK_{kind}")) as sock:
            sock.settimeout(2)
            sock.connect((addr, SERVICE_PORT))
            if kind == "DGRAM":
                sock.send(b"?")
            return sock.recv(9).decode()
    return in_netns(lab.netns(host), ask)


class Client6(Client):
    """Asks by Neighbor Solicitation; the fence is ARP, which takes the same ways."""

    def solicit(self, target, **fields):
        """Sends one solicitation, by default to the group and from the client itself."""
        defaults = {"eth_src": self.lab.mac(self.host), "src": self.lab.ip6(self.host)}
        self.send(frames.ns(target=target, **{**defaults, **fields}))

    def adverts_for(self, target, routers_, times=1, **fields):
        """Every Neighbor Advertisement for an address after that many solicitations, as frames.Na."""
        self.frames()
        for _ in range(times):
            self.solicit(target, **fields)
        found = [frames.parse_na(frame.data) for frame in self.fence(routers_)]
        return [a for a in found if a and a.target == target and not (a.flags == "RO" and fields.get("src") != "::")]

    def who_has(self, addr, routers_):
        """The MAC addresses from which a solicitation is answered, one per answer."""
        if not frames.is6(addr):
            return super().who_has(addr, routers_)
        return sorted(a.eth_src for a in self.adverts_for(addr, routers_))

    def ping(self, router, dst):
        """Sends one echo request to a router's MAC; returns its id."""
        if not frames.is6(dst):
            return super().ping(router, dst)
        self._ident += 1
        self.send(frames.echo(eth_src=self.lab.mac(self.host), eth_dst=self.lab.mac(router), src=self.lab.ip6(self.host),
                              dst=dst, ident=self._ident, seq=1))
        return self._ident

    def is_answered(self, router, addr=None):
        """Whether a router answers an echo request to `addr`, by default the global virtual address, that is sent to its MAC."""
        know(self.lab, router, self.host)
        return super().is_answered(router, addr or VIP)


def assert_refused(lab, kind, addr=VIP):
    """Nobody answers a host's own sockets: no error either, that would be an answer."""
    try:
        who = served_by(lab, kind, addr)
    except TimeoutError:
        return
    except OSError as e:
        raise LabError(f"{kind} to {addr}: {e}") from None
    raise AssertionError(f"{who} answered {kind} to {addr}")
