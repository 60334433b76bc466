# SPDX-License-Identifier: GPL-2.0-or-later
"""The rows about takeovers, clients and the steady state: two routers of one make on a LAN of namespaces, and what is done to them.

Times are measured on the wire: kernel timestamps of frames as they reach the client. "Due" is when the Backup's Active_Down_Timer
had to fire, computed from the last advert that reached the LAN; what lies behind it is the router's own delay. What clients lose is
counted: datagrams of a stream that no router got, from the failure on, and requests that nginx on the routers did not answer
within a second; these figures contain the time in which no router can know of the failure.
"""

import contextlib
import math
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lab"))
from lab import Lab  # noqa: E402; pylint: disable=wrong-import-position
from loss import Loss, lost  # noqa: E402; pylint: disable=wrong-import-position
from proc import LabError  # noqa: E402; pylint: disable=wrong-import-position
from rows import Row  # noqa: E402; pylint: disable=wrong-import-position
from web import Failovers  # noqa: E402; pylint: disable=wrong-import-position

VRID = 51
ADVERT_S = 0.01
PRIORITY = {"r1": 200, "r2": 100}
HOGS = 4
INSTANCES, RELOADS = 20, 100
RELOADED = {"vrrp-xdp": "^Reload finished$", "keepalived": "VRRP sockpool: "}  # the last line of a reload
CLIENT_PRIORITY = 10  # below the routers' 50
COUNT_S = 10
FEW = 3  # of what takes long
STREAM_US, STREAMED = 200, 10  # a datagram every STREAM_US, failovers per figure
WAYS = ("stop", "cut") * 5  # each is two failovers: there and back
VIPS = {4: (Lab.VIP_CIDR,), 6: ("fe80::51/64", Lab.VIP6_CIDR)}

def down_ns(router):
    """RFC 9568 6.1: Active_Down_Interval."""
    return int(ADVERT_S * 1e9 * (3 + (256 - PRIORITY[router]) / 256))


class Pair:
    """A LAN with two routers of one make, r1 preferred; and what is done to them."""

    def __init__(self, lab, program, rt=False, family=4, vmac=False):
        self.lab = lab
        self.program = program
        self.rt, self.family, self.vmac = rt, family, vmac
        self.vip = VIPS[family][-1].partition("/")[0]
        self.proc = {}
        for name in ("r1", "r2"):
            self.start(name)
        self.watch = lab.watch("client", "eth0")
        self.settle("r1")

    def start(self, name):
        lab = self.lab
        if self.program == "keepalived":
            conf = lab.keepalived_conf(vip="\n".join(VIPS[self.family]), vrid=VRID, priority=PRIORITY[name], advert_int=ADVERT_S,
                                       extra="use_vmac" if self.vmac else "")
            if self.rt:
                conf = conf.replace("global_defs {", "global_defs {\n    vrrp_rt_priority 50", 1)
            self.proc[name] = lab.start_keepalived(name, conf)
            return
        args = ["attach", "eth0", "--vrid", VRID, "--priority", PRIORITY[name], "--advert-int", ADVERT_S]
        # veth has frames to the virtual MAC in generic mode only
        args += ["--vmac", "--mode", "skb"] if self.vmac else ["--mode", "native"]
        args += [word for vip in VIPS[self.family] for word in ("--vip", vip)]
        self.proc[name] = lab.start_vrrp_xdp(name, args + (["--rt-priority", 50] if self.rt else []))

    def adverts(self, name, since=0):
        return [e for e in self.watch.events(since, kinds=("advert",)) if e["priority"] == PRIORITY[name]]

    def settle(self, name, since=None, quiet=20):
        """Waits until `name` alone has sent `quiet` adverts in a row, and the other none meanwhile."""
        since = since or time.time_ns()
        other = "r2" if name == "r1" else "r1"
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            self.watch.wait_event(lambda e: e["kind"] == "advert" and e["priority"] == PRIORITY[name], 20, since, quiet)
            mine = self.adverts(name, since)
            if not self.adverts(other, mine[-quiet]["t"]):
                return
            since = mine[-1]["t"]
        raise LabError(f"{self.program}: {name} did not become the only Active")

    def announced(self, since):
        """The first gratuitous ARP, or unsolicited Neighbor Advertisement, since then: its time in ns."""
        return self.watch.wait_event(lambda e: e["kind"] in ("garp", "una"), 20, since)["t"]

    def takeover(self):
        """Cuts r1's cable; returns (due, first announcement by r2) in ns of the wall clock."""
        announced = self.announced(self.lab.cut_cable("r1"))
        last = max(e["t"] for e in self.adverts("r1") if e["t"] < announced)
        return last + down_ns("r2"), announced

    def restore(self):
        """Plugs r1 in again once it has noticed, and waits until it has taken the address back."""
        self.lab.wait_link("r1", up=False)
        self.settle("r1", self.lab.plug("r1"))

    def leave(self):
        """Stops r1; again() starts it anew and waits until it has taken the address back."""
        self.proc["r1"].signal(signal.SIGTERM)

    def again(self):
        self.proc["r1"].wait()
        self.start("r1")
        self.settle("r1", time.time_ns())


@contextlib.contextmanager
def hogs(n):
    """Processes that never sleep, at normal priority."""
    procs = [subprocess.Popen(["sh", "-c", "while :; do :; done"]) for _ in range(n)]
    try:
        yield
    finally:
        for p in procs:
            p.kill()
            p.wait()


def reaction(program, runs, **how):
    """ActiveDown due -> first gratuitous ARP or unsolicited Neighbor Advertisement, in ms."""
    samples = []
    with Lab(routers=2) as lab:
        pair = Pair(lab, program, **how)
        for _ in range(runs):
            due, announced = pair.takeover()
            samples.append((announced - due) / 1e6)
            pair.restore()
    return samples


def first_reply(program, runs, **how):
    """ActiveDown due -> first ICMP echo reply from the new Active; the client asks every 0.1 ms, on time also under load."""
    def echo(e):
        return e["kind"] == "echo"

    samples = []
    with Lab(routers=2) as lab:
        pair = Pair(lab, program, **how)
        for _ in range(runs):
            ping = lab.probe(pair.vip, echo_us=100)
            os.sched_setscheduler(ping.pid, os.SCHED_FIFO, os.sched_param(CLIENT_PRIORITY))
            ping.wait_event(echo, count=50)
            due, _ = pair.takeover()
            samples.append((ping.wait_event(echo, 20, due)["t"] - due) / 1e6)
            ping.stop()
            pair.restore()
    return samples


def with_how(measured, **how):
    """The same figure of another family, or with the virtual MAC."""
    return lambda program, runs: measured(program, runs, **how)


def loaded(measured):
    """The same figure with both CPUs taken; vrrp-xdp with --rt-priority, keepalived as it comes."""
    def run(program, runs):
        with hogs(HOGS):
            return measured(program, runs, rt=program == "vrrp-xdp")
    return run


def goodbye(program, runs):
    """SIGTERM -> priority 0 on the wire, in ms."""
    samples = []
    with Lab(routers=2) as lab:
        pair = Pair(lab, program)
        for _ in range(runs):
            start = time.time_ns()
            pair.leave()
            bye = pair.watch.wait_event(lambda e: e["kind"] == "advert" and e["priority"] == 0, 10, start)
            samples.append((bye["t"] - start) / 1e6)
            pair.again()
    return samples


def frozen(family):
    """Share of ARP requests or Neighbor Solicitations that the frozen router answers after the other took over, in percent."""
    return lambda program, runs: [freeze_once(program, family) for _ in range(min(runs, FEW))]


def freeze_once(program, family):
    kinds = ("arp", "na")
    with Lab(routers=2) as lab:
        pair = Pair(lab, program, family=family)
        ask = lab.probe(pair.vip, echo_us=0, arp_us=1000)
        ask.wait_answer(lab.mac("r1"), count=100, kinds=kinds)
        pair.proc["r1"].freeze()
        announced = pair.announced(time.time_ns())
        ask.wait_answer(lab.mac("r2"), since=announced, count=5000, kinds=kinds, timeout=30)
        by_mac = ask.answers_by_mac(announced + 1_000_000, kinds=kinds)
        pair.proc["r1"].thaw()
        return 100 * by_mac[lab.mac("r1")] / by_mac[lab.mac("r2")]


def losses(way, vmac):
    """Datagrams of a stream to the address that nobody got when r1 went, by a clean stop or a cut cable."""
    def measured(program, _runs):
        parts = []
        with Lab(routers=2) as lab:
            pair = Pair(lab, program, vmac=vmac)
            stream = Loss(lab, pair.vip, STREAM_US)
            for _ in range(STREAMED):
                stream.wait_received(lab, "r1")
                since = time.time_ns()
                {"cut": lambda: lab.cut_cable("r1"), "stop": pair.leave}[way]()
                stream.wait_received(lab, "r2")
                parts.append((since, time.time_ns()))
                {"cut": pair.restore, "stop": pair.again}[way]()
            times, numbers = stream.counted()
            return [len(lost(times, numbers, *part)) for part in parts]
    return measured


def failed_requests(program, _runs):
    """HTTP requests to nginx, over IPv4 and IPv6, that failed in two failovers for each of WAYS."""
    with Lab(routers=2) as lab:
        def start(router):
            texts = [lab.keepalived_conf(vip="\n".join(VIPS[family]), vrid=VRID, priority=PRIORITY[router],
                                         advert_int=ADVERT_S).replace("VI_1", f"V{family}") for family in VIPS]
            return start_file(lab, program, join(texts), router)

        failovers = Failovers(lab, start, [lab.VIP, lab.VIP6])
        failovers.run(WAYS)
        return [len(failovers.failed())]


def context_switches(pid):
    """Voluntary ones of the process that does VRRP: keepalived's is a child."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    status = Path(f"/proc/{children[0] if children else pid}/status").read_text(encoding="ascii")
    return int(re.search(r"^voluntary_ctxt_switches:\s*(\d+)", status, re.M).group(1))


def sleep_of_backup(program, runs):
    """Voluntary context switches of the Backup's controller while COUNT_S seconds of adverts come in."""
    samples = []
    with Lab(routers=2) as lab:
        pair = Pair(lab, program)
        pid = pair.proc["r2"].pid
        for _ in range(min(runs, FEW)):
            before = context_switches(pid)
            pair.watch.wait_event(lambda e: e["kind"] == "advert", COUNT_S * 3, time.time_ns(), int(COUNT_S / ADVERT_S))
            samples.append(context_switches(pid) - before)
    return samples


def instances(lab):
    """One file for both: INSTANCES virtual routers on eth0."""
    texts = [lab.keepalived_conf(vip=f"10.77.0.{100 + i}/24", vrid=VRID + i, priority=PRIORITY["r1"],
                                 advert_int=ADVERT_S).replace("VI_1", f"VI_{i}") for i in range(INSTANCES)]
    return join(texts)


def join(texts):
    """One file of several, with global_defs once."""
    return texts[0] + "".join(text.partition("}\n")[2] for text in texts[1:])


def start_file(lab, program, text, router="r1"):
    """A router with a file that is read again at SIGHUP."""
    if program == "keepalived":
        return lab.start_keepalived(router, text)
    path = lab.tmp / f"{router}.conf"
    path.write_text(text, encoding="utf-8")
    return lab.start_vrrp_xdp(router, ["run", "-f", path, "--mode", "native"])


def worst_gap(events):
    """The longest time between two adverts of one virtual router."""
    last, worst = {}, 0
    for e in events:
        worst = max(worst, e["t"] - last.get(e["vrid"], e["t"]))
        last[e["vrid"]] = e["t"]
    return worst


def reloads(program, _runs):
    """The longest gap between two adverts of a virtual router around each SIGHUP with an unchanged file, in ms."""
    samples = []
    with Lab(routers=1) as lab:
        proc = start_file(lab, program, instances(lab))
        for i in range(INSTANCES):
            lab.wait_addr("r1", f"10.77.0.{100 + i}")
        for _ in range(RELOADS):
            watch = lab.watch("client", "eth0")  # each time anew: to search a long log would take the CPU from the routers
            watch.wait_event(lambda e: e["kind"] == "advert", 10, time.time_ns(), 5 * INSTANCES)
            start, since = time.time_ns(), proc.mark()
            proc.signal(signal.SIGHUP)
            proc.wait_log(RELOADED[program], 20, since)
            watch.wait_event(lambda e: e["kind"] == "advert", 10, time.time_ns(), 5 * INSTANCES)
            samples.append(worst_gap(watch.events(start - int(3e9 * ADVERT_S), kinds=("advert",))) / 1e6)
            watch.stop()
    return samples


def best_loss(way):
    """What is in flight while nobody can know better: a Backup's skew after priority 0, its Active_Down_Interval after a cut."""
    quiet = down_ns("r2") - (int(ADVERT_S * 3e9) if way == "stop" else 0)
    return math.ceil(quiet / 1e3 / STREAM_US) + 5  # and 1 ms to take over


def takeover(name, figure, target, measure, **kwargs):
    return Row(name, "Takeover", figure, "ms", "less", target, measure, **kwargs)


def takeover_rows():
    """Each to the first announcement, which turns the LAN round, and to the first reply that a client has of it."""
    load = f"cable cut with {HOGS} processes that never sleep"
    rt = "vrrp-xdp with --rt-priority 50, keepalived as it comes"
    arp, na, reply = "due -> first gratuitous ARP", "due -> first Neighbor Advertisement", "due -> first echo reply"
    return [
        takeover("reaction", f"cable cut: {arp}", 0.15, reaction, quick=5),
        takeover("reaction-reply", f"cable cut: {reply}", 0.5, first_reply, quick=5),
        takeover("reaction-load", f"{load}: {arp}", 0.5, loaded(reaction), note=rt),
        takeover("reaction-load-reply", f"{load}: {reply}", 0.5, loaded(first_reply), note=rt),
        takeover("reaction6", f"IPv6, cable cut: {na}", 0.3, with_how(reaction, family=6)),
        takeover("reaction6-reply", f"IPv6, cable cut: {reply}", 0.5, with_how(first_reply, family=6)),
        takeover("reaction-vmac", f"virtual MAC, cable cut: {arp}", 0.3, with_how(reaction, vmac=True)),
        takeover("reaction-vmac-reply", f"virtual MAC, cable cut: {reply}", 0.5, with_how(first_reply, vmac=True)),
        takeover("goodbye", "SIGTERM -> priority 0 on the wire", 0.3, goodbye, quick=3),
    ]


def client_rows():
    """Streams of datagrams, and HTTP."""
    found = [Row(f"loss-{way}{'-vmac' if vmac else ''}", "Clients",
                 f"lost datagrams, one every {STREAM_US / 1000} ms: {said}{', virtual MAC' if vmac else ''}", "", "less",
                 best_loss(way), losses(way, vmac)) for way, said in (("stop", "SIGTERM"), ("cut", "cable cut")) for vmac in (False, True)]
    return [*found, Row("http", "Clients", f"failed HTTP requests in {2 * len(WAYS)} failovers, clean stops and cable cuts in turn", "",
                        "less", 2 * len(WAYS), failed_requests)]


def rows():
    """Takeovers, then what a frozen router does, then clients, then the steady state."""
    frozen_says = "frozen while Active, adverts every 10 ms"
    return [
        *takeover_rows(),
        Row("frozen", "The worst case", f"{frozen_says}: ARP requests it answers after the takeover", "%", "less", 0, frozen(4)),
        Row("frozen6", "The worst case", f"{frozen_says}: Neighbor Solicitations it answers after the takeover", "%", "less", 0, frozen(6)),
        *client_rows(),
        Row("backup-sleep", "Steady state", f"Backup's controller: voluntary context switches in {COUNT_S} s", "", "less", 5,
            sleep_of_backup, quick=1, note="adverts every 10 ms"),
        Row("reload", "Steady state", f"SIGHUP with {INSTANCES} instances, {RELOADS} times: longest gap between two adverts", "ms", "less",
            30, reloads, note="adverts every 10 ms, the file unchanged"),
    ]


def series():
    return []
