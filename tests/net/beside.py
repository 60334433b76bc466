# SPDX-License-Identifier: GPL-2.0-or-later
"""One router is keepalived, the other is ours: what both go through, of either family and with either MAC."""

import ipaddress
import json
import time
from collections import namedtuple

from lab import Lab
from routers import counters

Case = namedtuple("Case", "active form cast macs")  # macs: who speaks with the virtual one: "none", "theirs" or "both"
Form = namedtuple("Form", "flags version interval extra vips")
VIPS4, VIPS6 = (Lab.VIP_CIDR,), ("fe80::51/64", Lab.VIP6_CIDR)
FORMS = {  # flags of vrrp-xdp; version, interval and more lines for keepalived
    "v2": Form(["--version", 2, "--advert-int", 1], 2, 1, "", VIPS4),
    "v2-pass": Form(["--version", 2, "--advert-int", 1, "--auth-pass", "s3cret"], 2, 1,
                    "authentication {\nauth_type PASS\nauth_pass s3cret\n}", VIPS4),
    "v3": Form(["--advert-int", 0.2], 3, 0.2, "", VIPS4),
    "ipv6": Form(["--advert-int", 0.2], 3, 0.2, "", VIPS6),
}
PRIORITY = {"r1": 254, "r2": 253}
GOOD = {"rx_ok", "rx_absorbed", "rx_prio0", "rx_state", "rx_csum_rfc5798", "ev_sent", "ev_limited", "tx_adverts", "tx_prio0",
        "tx_errors", "arp_reply", "arp_drop", "nd_reply", "nd_drop", "vip_conflict", "vmac_drop", "became_active"}


def virtual_mac(family, vrid=51):
    """RFC 9568 7.3."""
    return f"00:00:5e:00:0{1 if family == 4 else 2}:{vrid:02x}"


def link_local(mac):
    """What a kernel makes of a MAC (RFC 4291, appendix A)."""
    b = bytes.fromhex(mac.replace(":", ""))
    return str(ipaddress.IPv6Address(b"\xfe\x80" + bytes(6) + bytes([b[0] ^ 2]) + b[1:3] + b"\xff\xfe" + b[3:]))


def family_of(addr):
    return 6 if ":" in addr else 4


def neighbour(lab, addr, host="client"):
    """The MAC that a host's kernel has for an address."""
    entries = json.loads(lab.run(host, f"ip -j neigh show to {addr} dev eth0"))
    return entries[0].get("lladdr") if entries else None


def port_of(lab, mac):
    """The cables of the switch behind which it has learned a MAC."""
    entries = json.loads(lab.run("sw", "bridge -j fdb show br br0"))
    return [entry["ifname"] for entry in entries if entry["mac"] == mac and entry.get("master") == "br0"]


def answering(lab, addr, questions=20):
    """The MACs that `addr` is said to have, while one router or several answer that many broadcast questions in a row."""
    probe = lab.probe(addr, echo_us=0, arp_us=5000)
    probe.wait_event(lambda e: e["kind"] in ("arp", "na"), count=questions)
    probe.stop()
    return {e["lladdr"] for e in probe.events(kinds=("arp", "na"))}


def assert_hosts_reach(lab, addr, macs):
    """The client's kernel, which has learned of one of these MACs by announcements, if it knew the address at all, uses it."""
    lab.wait_until(lambda: neighbour(lab, addr) in {None, *macs}, what=f"telling hosts of {addr}")
    lab.run("client", f"ping -c 1 -W 2 {addr}{'%eth0' if addr.startswith('fe80') else ''}")
    # not at once: where the machine stood still for its three intervals, the other router has just come and gone
    lab.wait_until(lambda: neighbour(lab, addr) in macs, what=f"{addr} at one of {macs} in a host's cache")


class Play:
    """r1 is better than r2; one is keepalived."""

    def __init__(self, lab, case):
        self.lab, self.case = lab, case
        self.form = FORMS[case.form]
        self.vips = [vip.partition("/")[0] for vip in self.form.vips]
        self.family = family_of(self.vips[0])
        self.runs = {"r1": case.active, "r2": "vrrp-xdp" if case.active == "keepalived" else "keepalived"}
        self.procs = {}
        self.watch = lab.watch()

    def _address(self, router):
        return self.lab.ip(router) if self.family == 4 else self.lab.ip6(router)

    def _ours(self, router, peer):
        flags = list(self.form.flags)
        if self.case.cast == "unicast":
            flags += ["--unicast-peer", peer, "--src", self._address(router)]
        # of the virtual MAC veth has frames in generic mode only
        flags += ["--vmac", "--mode", "skb"] if self.case.macs == "both" else ["--mode", "native"]
        for vip in self.form.vips:
            flags += ["--vip", vip]
        return self.lab.start_vrrp_xdp(router, ["attach", "eth0", "--vrid", 51, "--priority", PRIORITY[router], *flags])

    def _theirs(self, router, peer):
        extra = self.form.extra
        if self.case.cast == "unicast":
            extra += f"\nunicast_src_ip {self._address(router)}\nunicast_peer {{\n{peer}\n}}"
            extra += "\nunicast_ttl 255" if self.family == 6 else ""  # its default is 64 there, which is not accepted
        extra += "\nuse_vmac" if self.case.macs != "none" else ""
        conf = self.lab.keepalived_conf(vip="\n".join(self.form.vips), priority=PRIORITY[router],
                                        advert_int=self.form.interval, version=self.form.version, extra=extra)
        return self.lab.start_keepalived(router, conf)

    def start(self, router):
        start = self._ours if self.runs[router] == "vrrp-xdp" else self._theirs
        self.procs[router] = start(router, self._address({"r1": "r2", "r2": "r1"}[router]))
        return self.procs[router]

    def wait_backup(self, router, since=0):
        self.procs[router].wait_log("Entering BACKUP STATE|-> Backup", since=since)

    def wait_vips(self, router, present=True):
        """On eth0, or on the macvlan of keepalived's."""
        if self.runs[router] == "vrrp-xdp" or self.case.macs == "none":
            for vip in self.vips:
                self.lab.wait_addr(router, vip, present)
            return

        def there():
            found = {a["local"] for dev in json.loads(self.lab.run(router, "ip -j addr")) for a in dev["addr_info"]}
            return [vip in found for vip in self.vips] == [present] * len(self.vips)
        self.lab.wait_until(there, what=f"{router}: the addresses {'coming' if present else 'going'}")

    def mac(self, router):
        """What this router's answers say."""
        virtual = self.case.macs == "both" or (self.case.macs == "theirs" and self.runs[router] == "keepalived")
        return virtual_mac(self.family) if virtual else self.lab.mac(router)

    def _macs_seen(self, router):
        """What a host may have in its cache: keepalived's kernel asks for it with the NIC's MAC and the virtual address (ARP-12)."""
        return {self.mac(router), *([self.lab.mac(router)] if self.runs[router] == "keepalived" else [])}

    def assert_owner(self, router):
        """This router alone has the addresses and answers for them, and the client's kernel reaches it."""
        other = {"r1": "r2", "r2": "r1"}[router]
        self.wait_vips(router)
        if self.procs[other].alive():  # a keepalived that has ended may have left its macvlan a moment longer
            self.wait_vips(other, present=False)
        # A kernel that keepalived is just taking the address from answers our gratuitous ARP with the virtual MAC, and the switch
        # believes it until the next advert comes.
        if self.case.macs != "none":
            self.watch.wait_event(lambda e: e["kind"] == "advert" and e["priority"] == PRIORITY[router],
                                  since=time.time_ns())
        for vip in self.vips:
            assert_hosts_reach(self.lab, vip, self._macs_seen(router))
        answers = answering(self.lab, self.vips[-1])
        assert answers == {self.mac(router)}, answers
        if self.mac(router) == virtual_mac(self.family):
            ports = port_of(self.lab, virtual_mac(self.family))
            assert ports == [router], ports

    def assert_no_complaints(self):
        """Neither program has refused an advert."""
        for router, program in self.runs.items():
            if program == "vrrp-xdp":
                now = counters(self.lab, router)
                assert not {key for key, value in now.items() if value} - GOOD, now
                assert now["rx_ok"] > 0 or self.lab.state(router) == "Active"
            else:
                bad = [line for line in self.procs[router].log if "nvalid" in line or "wrong" in line or "expected" in line]
                assert not bad


def play(case):
    """Start, cable cut and plugged, clean stop, restart: the better router is Active whenever it can."""
    with Lab() as lab:
        p = Play(lab, case)
        p.start("r1")
        p.wait_vips("r1")
        p.start("r2")
        p.wait_backup("r2")
        p.assert_owner("r1")
        lab.cut_cable("r1")
        p.wait_vips("r1", present=False)
        p.assert_owner("r2")
        lab.plug("r1")
        p.assert_owner("r1")
        p.assert_no_complaints()
        since = p.procs["r2"].mark()
        p.procs["r1"].end()
        p.wait_vips("r2")
        p.assert_owner("r2")
        handover = [line for line in p.procs["r2"].log[since:] if "priority 0" in line]
        p.procs["r1"].wait()
        p.start("r1")
        p.assert_owner("r1")
        p.assert_no_complaints()
        return handover
