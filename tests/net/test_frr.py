# SPDX-License-Identifier: GPL-2.0-or-later
"""FRR's vrrpd as the peer, of either family: as the better and as the worse router, and in one group with keepalived."""

import contextlib
import os
import re
import shutil
import tempfile
import time
from collections import namedtuple
from pathlib import Path

import pytest
from beside import answering, assert_hosts_reach, link_local, virtual_mac
from lab import Lab, set_sysctls, tshark_check, tshark_fields
from proc import LabError
from routers import counters, moved
from together import played

FRR = next((path for path in map(Path, ("/usr/lib/frr", "/usr/libexec/frr")) if (path / "vrrpd").exists()), None)
PSEUDO_HEADER = "checksum-with-ipv4-pseudoheader"  # "no": RFC 9568's form; FRR 8.4 always has the pseudo-header
FRR_STATE = Path("/var/tmp/frr")  # no option moves it; a killed daemon leaves its folder "NAME.PID" there
MACVLAN = "vrrp51"
VIPS = {4: (Lab.VIP_CIDR, "10.77.0.101/24"), 6: ("fe80::51/64", Lab.VIP6_CIDR)}
ADVERT_MS = {2: 1000, 3: 500}  # not less: three of them outlast the stalls that all these programs cause together
GOOD = {"rx_ok", "rx_absorbed", "rx_prio0", "rx_csum_rfc5798", "rx_csum_rfc9568", "ev_sent", "ev_limited", "tx_adverts",
        "tx_prio0", "arp_reply", "arp_drop", "nd_reply", "nd_drop", "vip_conflict", "vmac_drop", "became_active"}

# r1's program first: it has the highest priority; vmac: ours speaks with the virtual MAC as well, as FRR always does
Case = namedtuple("Case", "version programs checksum family vmac", defaults=["auto", 4, False])
PAIRS = [Case(version, programs) for version in (2, 3) for programs in (("frr", "vrrp-xdp"), ("vrrp-xdp", "frr"))]
FORMS = ["rfc5798", *(["rfc9568"] if FRR and PSEUDO_HEADER.encode() in (FRR / "vrrpd").read_bytes() else [])]
PAIRS += [Case(3, programs, form) for programs in (("frr", "vrrp-xdp"), ("vrrp-xdp", "frr")) for form in FORMS]
PAIRS += [Case(3, programs, family=family, vmac=vmac) for family, vmac in ((6, False), (4, True), (6, True))
          for programs in (("frr", "vrrp-xdp"), ("vrrp-xdp", "frr"))]
LADDERS = [Case(version, programs, family=family) for version, family in ((2, 4), (3, 4), (3, 6)) for programs in (
    ("frr", "vrrp-xdp", "keepalived"), ("vrrp-xdp", "keepalived", "frr"), ("keepalived", "frr", "vrrp-xdp"))]


def case_id(case):
    form = "ipv6" if case.family == 6 else f"v{case.version}"
    return f"{form}-{'-'.join(case.programs)}-{case.checksum}{'-vmac' if case.vmac else ''}"


def frr_source(router):
    return f"fe80::51:{router[1:]}"


class Frr:
    """zebra and vrrpd of one router, with every file of theirs in the lab; looks like a Proc, that of vrrpd."""

    def __init__(self, lab, router, case, priority):
        self.lab, self.router, self.family = lab, router, case.family
        if not FRR:
            raise LabError("FRR's vrrpd is missing: scripts/install-deps.sh test")
        lab.tmp.chmod(0o711)  # the daemons give up root and become user frr
        self.home = Path(tempfile.mkdtemp(prefix=f"{router}-frr-", dir=lab.tmp))
        shutil.chown(self.home, "frr", "frr")
        lines = ["debug vrrp protocol", "debug vrrp packets", "interface eth0", f" vrrp 51 version {case.version}",
                 f" vrrp 51 priority {priority}", f" vrrp 51 advertisement-interval {ADVERT_MS[case.version]}",
                 *([f" no vrrp 51 {PSEUDO_HEADER}"] if case.checksum == "rfc9568" else []),
                 *(f" vrrp 51 {'ip' if case.family == 4 else 'ipv6'} {vip.partition('/')[0]}" for vip in VIPS[case.family])]
        (self.home / "vrrpd.conf").write_text("\n".join([*lines, ""]), encoding="ascii")
        (self.home / "zebra.conf").touch()
        self._make_macvlan()
        self.started = []
        self.zebra = self.vrrpd = None

    def _make_macvlan(self):
        """FRR wants it made for it, holding the addresses; it only switches it on and off. The kernel must not answer for
        them by eth0, nor by the macvlan for eth0's. Over IPv6 a link-local address of the macvlan is the source of adverts: the
        one that the kernel lists first, and that is the youngest."""
        set_sysctls(self.lab.netns(self.router), {"net/ipv4/conf/all/arp_ignore": 1})
        own = [f"addr add {frr_source(self.router)}/64 dev {MACVLAN} nodad"] if self.family == 6 else []
        for words in (f"link add {MACVLAN} link eth0 address {virtual_mac(self.family)} type macvlan mode bridge",
                      f"link set {MACVLAN} addrgenmode none", f"link set {MACVLAN} up",
                      *(f"addr add {vip} dev {MACVLAN} {'nodad' if own else ''}" for vip in VIPS[self.family]), *own):
            self.lab.run(self.router, f"ip {words}")

    def _daemon(self, name):
        proc = self.lab.popen(self.router, [
            FRR / name, "-A", "127.0.0.1", "-P", 0, "--log", "stdout", "--vty_socket", self.home,
            "-z", self.home / "zserv", "-i", self.home / f"{name}.pid", "-f", self.home / f"{name}.conf"])
        self.started.append(proc)
        proc.wait_log(f"{name} [0-9.]+ starting")
        return proc

    def start(self):
        self.zebra = self._daemon("zebra")  # once it has started, its socket is there
        self.vrrpd = self._daemon("vrrpd")
        self.vrrpd.wait_log(rf"\[IPv{self.family}\] Initialize -> Backup")

    def stop(self):
        """In the order of FRR's own service, so that vrrpd can still have the macvlan switched off."""
        self.vrrpd.stop()
        self.zebra.stop()

    def kill(self):
        self.vrrpd.kill()
        self.zebra.kill()

    def mark(self):
        return self.vrrpd.mark()

    def wait_log(self, regex, **more):
        return self.vrrpd.wait_log(regex, **more)

    def wait_heard(self, addr):
        """An advert from there has passed FRR's checks."""
        self.wait_log(rf"\[IPv{self.family}\] Received VRRP Advertisement from {re.escape(addr)}", since=self.mark())

    def complaints(self):
        return [line for line in self.vrrpd.log if re.search("invalid|Bad VRRP|but this VRRP instance has|[Ff]ailed", line) and
                "Failed to find address to bind" not in line]  # so while zebra has not yet told it of the macvlan's

    def close(self):
        for daemon in self.started:
            if daemon.alive():
                daemon.kill()
            for path in FRR_STATE.glob(f"*.{daemon.pid}"):
                shutil.rmtree(path)
        with contextlib.suppress(OSError):  # somebody else's FRR may be at home there
            os.rmdir(FRR_STATE)


class Group:
    """Routers with priorities in a ladder, r1's the highest; which runs what is the case's."""

    PRIORITY = {"r1": 250, "r2": 150, "r3": 50}

    def __init__(self, lab, case):
        self.lab, self.case = lab, case
        self.watch = lab.watch()
        self.vips = [vip.partition("/")[0] for vip in VIPS[case.family]]
        self.runs = dict(zip(lab.routers, case.programs))
        self.procs = {router: Frr(lab, router, case, self.PRIORITY[router])
                      for router, program in self.runs.items() if program == "frr"}
        self.before = {}
        self.alive = []

    def start(self, router):
        priority, version = self.PRIORITY[router], self.case.version
        interval, program = ADVERT_MS[version] / 1000, self.runs[router]
        if program == "frr":
            self.procs[router].start()
        elif program == "keepalived":
            conf = self.lab.keepalived_conf(vip="\n".join(VIPS[self.case.family]), priority=priority, advert_int=interval,
                                            version=version)
            self.procs[router] = self.lab.start_keepalived(router, conf)
            self.procs[router].wait_log("Entering BACKUP STATE")
        else:
            flags = [word for vip in VIPS[self.case.family] for word in ("--vip", vip)]
            # of the virtual MAC veth has frames in generic mode only
            flags += ["--vmac", "--mode", "skb"] if self.case.vmac else ["--mode", "native"]
            self.procs[router] = self.lab.start_vrrp_xdp(router, [
                "attach", "eth0", "--vrid", 51, "--priority", priority, "--version", version, "--advert-int", interval,
                "--checksum", self.case.checksum, *flags])
            self.procs[router].wait_log("Initialize -> Backup")
            self.before[router] = counters(self.lab, router)  # until then an advert may have counted as of a VRID not ours
        self.alive.append(router)
        return self.procs[router]

    def stop(self, router):
        self.procs[router].stop()
        self.alive.remove(router)

    def kill(self, router):
        """The machine of keepalived and FRR dies with them, whose kernel would go on answering for the addresses; that of
        vrrp-xdp lives on and has to keep silent."""
        self.procs[router].kill()
        if self.runs[router] != "vrrp-xdp":
            self.lab.cut_cable(router)
        self.alive.remove(router)

    def _has(self, router, present):
        if self.runs[router] == "frr":
            self.lab.wait_link(router, up=present, dev=MACVLAN)
            return
        for vip in self.vips:
            self.lab.wait_addr(router, vip, present)

    def source(self, router):
        """Where its adverts come from."""
        if self.case.family == 4:
            return self.lab.ip(router)
        return frr_source(router) if self.runs[router] == "frr" else link_local(self.lab.mac(router))

    def assert_owner(self, router, renewed=True):
        """This router alone speaks, has the addresses and answers for them, and what the client's kernel knew is renewed."""
        since, nic = time.time_ns(), self.lab.mac(router)
        virtual = self.runs[router] == "frr" or (self.case.vmac and self.runs[router] == "vrrp-xdp")
        mac = virtual_mac(self.case.family) if virtual else nic

        def spoken(count):
            return self.watch.wait_event(lambda e: e["kind"] == "advert" and e["priority"] == self.PRIORITY[router], 15, since,
                                         count)["t"]
        second = spoken(2)  # the last one of another router may have crossed the first
        seen = self.watch.events(second + 1, spoken(3), ("advert",))
        wanted = (mac, self.source(router), self.case.version, self.PRIORITY[router], ADVERT_MS[self.case.version] * 10**6,
                  len(self.vips))
        assert [(e["src"], e["ip"], e["version"], e["priority"], e["interval_ns"], e["addresses"]) for e in seen] == [wanted]
        for each in self.alive:
            self._has(each, each == router)
        if not renewed:
            self.lab.run("client", "ip -6 neigh flush dev eth0")
        for vip in self.vips:
            assert_hosts_reach(self.lab, vip, {mac, nic} if self.runs[router] == "frr" else {mac})
            answers = {mac} if vip.startswith("fe80") else answering(self.lab, vip)
            assert answers == {mac}, answers

    def assert_no_complaints(self):
        """No program that runs has refused an advert."""
        for router in self.alive:
            if self.runs[router] == "frr":
                assert not self.procs[router].complaints()
            elif self.runs[router] == "keepalived":
                assert not [line for line in self.procs[router].log if re.search("nvalid|wrong|expected", line)]
            else:
                bad = moved(self.before[router], counters(self.lab, router), GOOD)
                assert not bad, "\n".join([str(bad), *self.procs[router].log])

    def close(self):
        for proc in self.procs.values():
            if isinstance(proc, Frr):
                proc.close()


def frr_is_better(group):
    """It is heard, hands over, preempts, dies."""
    lab = group.lab
    group.start("r1").wait_log("Backup -> Master")
    ours = group.start("r2")
    source = group.source("r1")
    ours.wait_log(f"the Active Router is {source}, priority 250, interval {ADVERT_MS[group.case.version]} ms")
    group.assert_owner("r1")
    vr, = lab.status("r2")["virtual_routers"]
    heard = vr["active_router"]
    assert (vr["state"], heard["address"], heard["priority"], heard["advert_int_ms"]) == (
        "Backup", source, 250, ADVERT_MS[group.case.version])
    since = ours.mark()
    group.stop("r1")
    ours.wait_log(r"Backup -> Active: the Active Router left \(priority 0\)", since=since)
    group.assert_owner("r2")
    group.start("r1")
    ours.wait_log(f"Active -> Backup: advert of higher priority: 250 from {source}, ours 150", since=since)
    group.assert_owner("r1")
    group.assert_no_complaints()
    if group.case.version == 3 and group.case.family == 4:
        now = counters(lab, "r2")
        assert now["rx_csum_rfc9568" if group.case.checksum == "rfc9568" else "rx_csum_rfc5798"] == now["rx_ok"] > 0
    since = ours.mark()
    group.kill("r1")
    ours.wait_log("Backup -> Active: no advert", since=since)
    group.assert_owner("r2")


def frr_is_worse(group):
    """It hears us, takes over, yields, and takes over again."""
    group.start("r1").wait_log("Backup -> Active")
    frr = group.start("r2")
    frr.wait_heard(group.source("r1"))
    group.assert_owner("r1")
    since = frr.mark()
    now = time.time_ns()
    group.stop("r1")
    leaving = group.watch.wait_event(lambda e: e["kind"] == "advert" and e["priority"] == 0, since=now)["t"]
    first = group.watch.wait_event(lambda e: e["kind"] == "advert" and e["ip"] == group.source("r2"), since=now)["t"]
    assert (first - leaving) / 1e6 < 3 * ADVERT_MS[group.case.version], "the takeover was not due to priority 0"
    frr.wait_log("Backup -> Master", since=since)
    group.assert_owner("r2")
    group.start("r1").wait_log("Backup -> Active")
    frr.wait_log("Master -> Backup", since=since)
    group.assert_owner("r1")
    group.assert_no_complaints()
    since = frr.mark()
    group.kill("r1")
    frr.wait_log("Backup -> Master", since=since)
    group.assert_owner("r2")


def ladder(group):
    """The best dies, and then the next best.

    Over IPv6 FRR 8.4 announces the addresses an interval before its first advert, for which it has not yet found a source.
    That is longer than what parts two Backups: the next one becomes Active in between, and FRR announces nothing again.
    """
    for router in group.lab.routers:
        group.start(router)
    for router in ("r1", "r2"):
        group.assert_owner(router, renewed=group.case.family == 4 or group.runs[router] != "frr" or router == "r1")
        group.assert_no_complaints()
        group.kill(router)
    group.assert_owner("r3")


def play(case):
    """What tshark finds wrong with what the client saw, and the sets of addresses in the adverts."""
    with Lab(routers=len(case.programs)) as lab, contextlib.closing(Group(lab, case)) as group:
        capture = lab.capture("client", capture_filter="arp or icmp6 or proto 112 or ip6 proto 112")
        if len(case.programs) > 2:
            ladder(group)
        else:
            {"frr": frr_is_better, "vrrp-xdp": frr_is_worse}[case.programs[0]](group)
        wrong = tshark_check(capture.stop(), "rfc9568" if case.checksum == "rfc9568" else "rfc5798")
        lists = tshark_fields(capture.path, [f"vrrp.{'ip' if case.family == 4 else 'ipv6'}_addr"], "vrrp")
        return wrong, {frozenset(vips.split(",")) for vips, in lists} - {frozenset(group.vips)}


results = played(play, "case")


@pytest.mark.parametrize("case", PAIRS, ids=case_id)
def test_failover_and_preemption_with_frr(results, case):
    """FSM-A4, FSM-B2, FSM-B3, FSM-B5, RX-33, WF-6, WF-7, WF-18 and FSM-4 on the other side."""
    assert results(case) == ([], set())


@pytest.mark.parametrize("case", LADDERS, ids=case_id)
def test_in_a_group_of_three_programs_the_next_best_takes_over(results, case):
    """FSM-B2, FSM-B5, FSM-A4: the backups' skews part them, exactly one becomes Active."""
    assert results(case) == ([], set())
