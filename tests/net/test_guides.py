# SPDX-License-Identifier: GPL-2.0-or-later
"""The guides that people follow: their files, unmodified but for the name of the interface, at full length.

Each is played with vrrp-xdp and, where the outcome is keepalived's to define, with keepalived as well; all at the same time,
each in its own LAN. The lab's own addresses stay beside those that the guide's network has.
"""

import re
from collections import namedtuple

import pytest
from lab import ROOT, Lab
from routers import Client
from together import played

Case = namedtuple("Case", "guide program")
CONF = ROOT / "tests" / "conf"
SERVER = """\
import http.server, ssl, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(sys.argv[3].encode())
server = http.server.ThreadingHTTPServer((sys.argv[1], int(sys.argv[2])), Handler)
if len(sys.argv) > 4:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[4])
    server.socket = context.wrap_socket(server.socket, server_side=True)
print("serving", flush=True)
server.serve_forever()
"""


class Guide:
    """A LAN with the guide's addresses, and routers that run its files."""

    def __init__(self, lab, program, interface):
        self.lab, self.program, self.interface = lab, program, interface
        self.client = Client(lab)
        self.procs = {}

    def add_addrs(self, **addr_of):
        for host, addr in addr_of.items():
            self.lab.run(host, f"ip addr add {addr} dev eth0")

    def start(self, router, name, changes=()):
        """A seed file, with `changes` for a node the guide has only one file for."""
        text = (CONF / f"{name}.conf").read_text(encoding="utf-8")
        text = re.sub(rf"\b{self.interface}\b", "eth0", text)
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        if self.program == "keepalived":
            self.procs[router] = self.lab.start_keepalived(router, text)
        else:
            path = self.lab.tmp / f"{router}.conf"
            path.write_text(text, encoding="utf-8")
            self.procs[router] = self.lab.start_vrrp_xdp(router, ["run", "-f", path, "--mode", "native"])

    def stop(self, router):
        assert self.procs[router].stop() == 0

    def assert_holder(self, vip, holder, others=("r1", "r2"), timeout=20):
        """One router has the address and the network reaches it there; the others do not have it."""
        self.lab.wait_addr(holder, vip, timeout=timeout)
        for other in set(others) - {holder}:
            self.lab.wait_addr(other, vip, present=False)
        # the kernel has it a moment before the router answers for it
        self.lab.wait_until(lambda: self.client.who_has(vip, self.lab.routers) == [self.lab.mac(holder)],
                            what=f"{holder} alone answering for {vip}")
        self.lab.run("client", f"ping -c 1 -W 2 {vip}")

    def serve(self, router, addr, port, *more):
        """A real web server that answers with the router's name."""
        path = self.lab.tmp / "server.py"
        path.write_text(SERVER, encoding="utf-8")
        server = self.lab.popen(router, ["/usr/bin/python3", path, addr, port, router, *more])
        server.wait_log("serving")
        return server

    def fetch(self, url):
        return self.lab.run("client", f"curl -s --max-time 3 {url}")


def thinlinc(lab, program):
    """The secondary takes over when the primary is stopped or its cable is out; the address goes back when it returns."""
    vip = "10.0.0.4"
    g = Guide(lab, program, "ens192")
    g.add_addrs(r1="10.0.0.2/24", r2="10.0.0.3/24", client="10.0.0.99/24")
    g.start("r1", "thinlinc-primary")
    g.start("r2", "thinlinc-secondary")
    g.assert_holder(vip, "r1")
    g.stop("r1")
    g.assert_holder(vip, "r2")
    g.start("r1", "thinlinc-primary")
    g.assert_holder(vip, "r1")
    lab.cut_cable("r1")
    lab.wait_addr("r1", vip, present=False)
    lab.wait_addr("r2", vip)
    lab.run("client", f"ping -c 1 -W 2 {vip}")
    lab.plug("r1")
    g.assert_holder(vip, "r1")
    g.stop("r1")
    g.stop("r2")
    assert vip not in lab.addrs("r1") + lab.addrs("r2")


def postgres(lab, program):
    """Unicast on one side, multicast on the other: neither hears the other, and both have the address, in keepalived and here.

    The guide works all the same as far as its author looked: when the master is gone the address answers.
    """
    vip = "10.0.2.100"
    g = Guide(lab, program, "ens18")
    g.add_addrs(r1="10.0.1.62/24", r2="10.0.1.63/24", client="10.0.1.99/8")
    g.start("r1", "postgres-master")
    lab.wait_addr("r1", vip)
    g.start("r2", "postgres-backup")
    g.procs["r2"].wait_log("Entering BACKUP STATE|-> Backup")
    sniffer = lab.sniff("sw", "r1")
    sent = []

    def is_advert(frame):
        sent.append(not frame.out and len(frame.data) > 34 and frame.data[23] == 112 and frame.data[33] == 63)
        return sum(sent) == 6

    sniffer.wait(is_advert)  # six seconds of adverts to r2: more than its down timer
    assert all(vip in lab.addrs(router) for router in lab.routers)
    g.procs["r1"].end()
    lab.wait_addr("r2", vip)
    g.procs["r1"].wait()
    assert vip not in lab.addrs("r1")
    lab.run("client", f"ping -c 1 -W 2 {vip}")
    g.start("r1", "postgres-master")
    lab.wait_addr("r1", vip)
    sent.clear()
    sniffer.drain()
    sniffer.wait(is_advert)
    assert all(vip in lab.addrs(router) for router in lab.routers)


def kubernetes(lab, program):
    """The API server of the Active dies: after two failed checks the address moves; after five good ones it is back."""
    vip = "10.0.0.191"
    cert = lab.tmp / "cert.pem"
    lab.run("r1", f"openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=localhost -days 2 -keyout {cert} -out {cert}.crt")
    cert.write_text(cert.read_text(encoding="ascii") + (lab.tmp / "cert.pem.crt").read_text(encoding="ascii"), encoding="ascii")
    g = Guide(lab, program, "ens192")
    g.add_addrs(r1="10.0.0.246/22", r2="10.0.1.4/22", client="10.0.0.99/22")
    servers = {router: g.serve(router, "127.0.0.1", 6443, cert) for router in lab.routers}
    g.start("r1", "kubernetes-script")
    g.start("r2", "kubernetes-script", [("10.0.1.4", "10.0.0.111"), ("10.0.0.246", "10.0.1.4"), ("10.0.0.111", "10.0.0.246"),
                                        ("priority 30", "priority 20"), ("state MASTER", "state BACKUP")])
    g.assert_holder(vip, "r1")
    servers["r1"].kill()
    g.assert_holder(vip, "r2", timeout=30)
    g.serve("r1", "127.0.0.1", 6443, cert)
    g.assert_holder(vip, "r1", timeout=50)


def loadbalancer(lab, program):
    """Two addresses and the default route move together."""
    vips = ["192.168.7.100", "192.168.7.101"]
    g = Guide(lab, program, "eth0")
    g.add_addrs(client="192.168.7.1/24")

    def assert_all(holder, other):
        for vip in vips:
            g.assert_holder(vip, holder)
        lab.wait_until(lambda: "default via 192.168.7.1 dev eth0" in lab.run(holder, "ip route"), 5, "the default route")
        assert "default" not in lab.run(other, "ip route")
        lab.run(holder, "ping -c 1 -W 2 192.168.7.1")

    g.start("r1", "loadbalancer-1")
    g.start("r2", "loadbalancer-2")
    assert_all("r1", "r2")
    lab.cut_cable("r1")
    for vip in vips:
        lab.wait_addr("r1", vip, present=False)
        lab.wait_addr("r2", vip)
    lab.wait_until(lambda: "default" not in lab.run("r1", "ip route"), 5, "the default route's end")
    lab.plug("r1")
    assert_all("r1", "r2")
    g.stop("r1")
    assert_all("r2", "r1")
    g.stop("r2")
    assert "default" not in lab.run("r2", "ip route")


TO_MASTER = "#!/bin/sh\nip addr del 192.168.0.254/32 dev lo\n"
TO_BACKUP = "#!/bin/sh\nip addr add 192.168.0.254/32 dev lo\n"


def self_balancing(lab, program):
    """Every server answers for the address it holds on lo, but the Active alone answers ARP for it; arp_ignore is 0."""
    vip = "192.168.0.254"
    g = Guide(lab, program, "bond0")
    g.add_addrs(r1="192.168.0.11/24", r2="192.168.0.12/24", r3="192.168.0.13/24", client="192.168.0.99/24")
    for router in lab.routers:
        folder = lab.tmp / f"{router}-etc"
        folder.mkdir()
        for name, text in (("to_master.sh", TO_MASTER), ("to_backup.sh", TO_BACKUP)):
            (folder / name).write_text(text, encoding="ascii")
            (folder / name).chmod(0o755)
        lab.run(router, f"mount --bind {folder} /etc/keepalived")
        assert lab.run(router, "cat /proc/sys/net/ipv4/conf/all/arp_ignore").strip() == "0"
        g.serve(router, "0.0.0.0", 80)

    def assert_active(active, backups):
        lab.wait_addr(active, vip)
        lab.wait_addr(active, vip, present=False, dev="lo")
        for backup in backups:
            lab.wait_addr(backup, vip, present=False)
            lab.wait_addr(backup, vip, dev="lo")
        if program == "vrrp-xdp":
            for _ in range(5):
                assert g.client.who_has(vip, [active, *backups]) == [lab.mac(active)]
            lab.run("client", "ip neigh flush all")
            assert g.fetch(f"http://{vip}/") == active

    g.start("r1", "self-balancing-dr")
    lab.wait_addr("r1", vip)
    g.start("r2", "self-balancing-dr")
    g.start("r3", "self-balancing-dr")
    assert_active("r1", ["r2", "r3"])
    assert g.fetch("http://192.168.0.12/") == "r2"
    g.stop("r1")
    backups = {"r2": "r3", "r3": "r2"}  # of equal priority: whose timer is first, or with both the greater address
    in_order = program == "vrrp-xdp"    # where both timers expire, the loser's two scripts run at once with keepalived (D-36)
    lab.wait_until(lambda: any(vip in lab.addrs(a) and vip not in lab.addrs(b) and (vip in lab.addrs(b, "lo") or not in_order)
                               for a, b in backups.items()), 10, "the takeover")
    active = next(a for a in backups if vip in lab.addrs(a))
    assert_active(active, [backups[active]] if in_order else [])
    g.start("r1", "self-balancing-dr")
    assert_active(active, ["r1", backups[active]] if in_order else ["r1"])


GUIDES = {"kubernetes": kubernetes, "thinlinc": thinlinc, "postgres": postgres, "loadbalancer": loadbalancer,
          "self-balancing": self_balancing}


def play(case):
    with Lab(routers=3 if case.guide == "self-balancing" else 2) as lab:
        return GUIDES[case.guide](lab, case.program)


results = played(play, "case")


@pytest.mark.parametrize("case", [Case(guide, program) for guide in GUIDES for program in ("vrrp-xdp", "keepalived")],
                         ids="-".join)
def test_a_guide_works_as_written(results, case):
    """KA-2, KA-13, KA-14, KA-17, KA-21, KA-28, KA-30, KA-31, KA-39 in the files that users have."""
    results(case)
