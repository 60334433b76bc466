#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Reaction times side by side with keepalived: same machine, same run, same LAN of namespaces. `make bench`.

Every figure is a median over RUNS takeovers with minimum and maximum, measured on the wire: kernel timestamps of frames
as they reach the client. "Due" is when the Backup's Active_Down_Timer had to fire, computed from the last advert that
reached the LAN; what lies behind it is the router's own delay.
"""

import argparse
import contextlib
import json
import os
import platform
import re
import signal
import statistics
import subprocess
import sys
import time
from collections import namedtuple
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "lab"))
from lab import Lab  # noqa: E402; pylint: disable=wrong-import-position
from proc import LabError  # noqa: E402; pylint: disable=wrong-import-position

VRID = 51
ADVERT_S = 0.01
PRIORITY = {"r1": 200, "r2": 100}
PROGRAMS = ("vrrp-xdp", "keepalived")
HOGS = 4
INSTANCES, RELOADS = 20, 100
RELOADED = {"vrrp-xdp": "^Reload finished$", "keepalived": "VRRP sockpool: "}  # the last line of a reload
CLIENT_PRIORITY = 10  # below the routers' 50
COUNT_S = 10

Row = namedtuple("Row", "figure unit target values")  # values: {program: [samples]}


def down_ns(router):
    """RFC 9568 6.1: Active_Down_Interval."""
    return int(ADVERT_S * 1e9 * (3 + (256 - PRIORITY[router]) / 256))


class Pair:
    """A LAN with two routers of one make, r1 preferred; and what is done to them."""

    def __init__(self, lab, program, rt=False):
        self.lab = lab
        self.program = program
        self.rt = rt
        self.proc = {}
        for name in ("r1", "r2"):
            self.start(name)
        self.watch = lab.watch("client", "eth0")
        self.settle("r1")

    def start(self, name):
        lab = self.lab
        if self.program == "keepalived":
            conf = lab.keepalived_conf(vrid=VRID, priority=PRIORITY[name], advert_int=ADVERT_S)
            if self.rt:
                conf = conf.replace("global_defs {", "global_defs {\n    vrrp_rt_priority 50", 1)
            self.proc[name] = lab.start_keepalived(name, conf)
            return
        args = ["attach", "eth0", "--vrid", VRID, "--vip", lab.VIP_CIDR, "--priority", PRIORITY[name], "--advert-int",
                ADVERT_S, "--mode", "native"] + (["--rt-priority", 50] if self.rt else [])
        self.proc[name] = lab.start_vrrp_xdp(name, args)

    def adverts(self, name, since=0):
        mac = self.lab.mac(name)
        return [e for e in self.watch.events(since, kinds=("advert",)) if e["src"] == mac]

    def settle(self, name, since=None, quiet=20):
        """Waits until `name` alone has sent `quiet` adverts in a row, and the other none meanwhile."""
        since = since or time.time_ns()
        other = self.lab.mac("r2" if name == "r1" else "r1")
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            self.watch.wait_event(lambda e: e["kind"] == "advert" and e["src"] == self.lab.mac(name), 20, since, quiet)
            mine = self.adverts(name, since)
            if not any(e["src"] == other for e in self.watch.events(mine[-quiet]["t"], kinds=("advert",))):
                return
            since = mine[-1]["t"]
        raise LabError(f"{self.program}: {name} did not become the only Active")

    def takeover(self):
        """Cuts r1's cable; returns (due, first gratuitous ARP by r2) in ns of the wall clock."""
        cut = self.lab.cut_cable("r1")
        garp = self.watch.wait_event(lambda e: e["kind"] == "garp" and e["src"] == self.lab.mac("r2"), 10, cut)
        last = max(e["t"] for e in self.adverts("r1") if e["t"] < garp["t"])
        return last + down_ns("r2"), garp["t"]

    def restore(self):
        """Plugs r1 in again once it has noticed, and waits until it has taken the address back."""
        self.lab.wait_link("r1", up=False)
        self.settle("r1", self.lab.plug("r1"))


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


def reaction(program, runs, rt=False):
    """ActiveDown due -> first gratuitous ARP, in ms."""
    samples = []
    with Lab(routers=2) as lab:
        pair = Pair(lab, program, rt)
        for _ in range(runs):
            due, garp = pair.takeover()
            samples.append((garp - due) / 1e6)
            pair.restore()
    return samples


def first_reply(program, runs, rt=False):
    """ActiveDown due -> first ICMP echo reply from the new Active; the client asks every 0.1 ms, on time also under load."""
    samples = []
    with Lab(routers=2) as lab:
        pair = Pair(lab, program, rt)
        for _ in range(runs):
            ping = lab.probe(echo_us=100)
            os.sched_setscheduler(ping.pid, os.SCHED_FIFO, os.sched_param(CLIENT_PRIORITY))
            ping.wait_answer(lab.mac("r1"), count=50)
            due, _ = pair.takeover()
            reply = ping.wait_answer(lab.mac("r2"), since=due)
            samples.append((reply["t"] - due) / 1e6)
            ping.stop()
            pair.restore()
    return samples


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
            pair.proc["r1"].signal(15)
            bye = pair.watch.wait_event(lambda e: e["kind"] == "advert" and e["priority"] == 0, 10, start)
            samples.append((bye["t"] - start) / 1e6)
            pair.proc["r1"].wait()
            pair.start("r1")
            pair.settle("r1", time.time_ns())
    return samples


def frozen(program, _runs):
    """Share of ARP requests that the frozen router answers after the other took over, in percent."""
    with Lab(routers=2) as lab:
        pair = Pair(lab, program)
        ask = lab.probe(echo_us=0, arp_us=1000)
        ask.wait_answer(lab.mac("r1"), count=100, kinds=("arp",))
        pair.proc["r1"].freeze()
        start = time.time_ns()
        garp = pair.watch.wait_event(lambda e: e["kind"] == "garp" and e["src"] == lab.mac("r2"), 10, start)
        ask.wait_answer(lab.mac("r2"), since=garp["t"], count=5000, kinds=("arp",), timeout=30)
        by_mac = ask.answers_by_mac(garp["t"] + 1_000_000, kinds=("arp",))
        pair.proc["r1"].thaw()
        return [100 * by_mac[lab.mac("r1")] / by_mac[lab.mac("r2")]]


def context_switches(pid):
    """Voluntary ones of the process that does VRRP: keepalived's is a child."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    status = Path(f"/proc/{children[0] if children else pid}/status").read_text(encoding="ascii")
    return int(re.search(r"^voluntary_ctxt_switches:\s*(\d+)", status, re.M).group(1))


def sleep_of_backup(program, _runs):
    """Voluntary context switches of the Backup's controller while COUNT_S seconds of adverts come in."""
    with Lab(routers=2) as lab:
        pair = Pair(lab, program)
        pid = pair.proc["r2"].pid
        adverts = int(COUNT_S / ADVERT_S)
        before = context_switches(pid)
        pair.watch.wait_event(lambda e: e["kind"] == "advert", COUNT_S * 3, time.time_ns(), adverts)
        return [context_switches(pid) - before]


def instances(lab):
    """One file for both: INSTANCES virtual routers on eth0."""
    texts = [lab.keepalived_conf(vip=f"10.77.0.{100 + i}/24", vrid=VRID + i, priority=PRIORITY["r1"],
                                 advert_int=ADVERT_S).replace("VI_1", f"VI_{i}") for i in range(INSTANCES)]
    return texts[0] + "".join(text.partition("}\n")[2] for text in texts[1:])  # global_defs once


def start_file(lab, program, text):
    """r1 with a file that is read again at SIGHUP."""
    if program == "keepalived":
        return lab.start_keepalived("r1", text)
    path = lab.tmp / "r1.conf"
    path.write_text(text, encoding="utf-8")
    return lab.start_vrrp_xdp("r1", ["run", "-f", path, "--mode", "native"])


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


def packet_costs():
    """ns above an empty program, from BPF_PROG_TEST_RUN; keepalived has no counterpart."""
    names = {"tcp_stranger": "TCP to a stranger passed", "arp_answer": "ARP request answered",
             "advert_v3": "v3 advert absorbed", "advert_v2": "v2 advert with a password absorbed"}
    out = subprocess.run([ROOT / "build/tests/pktcost", "--json"], capture_output=True, text=True, check=True)
    return [(names[c["class"]], c["above_empty_ns"], c["target_ns"]) for c in json.loads(out.stdout)
            if c["class"] in names]


def measure(runs, say):
    """All rows; each figure is taken from both programs before the next one."""
    plan = [
        ("cable cut: ActiveDown due -> first gratuitous ARP", "ms", 0.15, reaction),
        ("cable cut: ActiveDown due -> first echo reply", "ms", 0.5, first_reply),
        (f"... to gratuitous ARP with {HOGS} CPU hogs (vrrp-xdp: --rt-priority)", "ms", 0.5, loaded(reaction)),
        (f"... to echo reply with {HOGS} CPU hogs (vrrp-xdp: --rt-priority)", "ms", 0.5, loaded(first_reply)),
        ("SIGTERM -> priority 0 on the wire", "ms", 0.3, goodbye),
        ("Active frozen: ARP requests it answers after the takeover", "%", 0, frozen),
        (f"Backup's controller: voluntary context switches in {COUNT_S} s", "", 5, sleep_of_backup),
        (f"{RELOADS} reloads (SIGHUP) with {INSTANCES} instances: longest gap between two adverts", "ms", 30, reloads),
    ]
    for figure, unit, target, fn in plan:
        values = {}
        for program in PROGRAMS:
            say(f"{figure}: {program} ...")
            values[program] = fn(program, runs)
        yield Row(figure, unit, target, values)


def number(x):
    return f"{x:.3f}" if x and abs(x) < 10 else f"{x:.0f}" if x == int(x) else f"{x:.1f}"


def spread(samples):
    """Median, and the range where there is more than one sample."""
    text = number(statistics.median(samples))
    return text if len(samples) == 1 else f"{text} ({number(min(samples))}-{number(max(samples))})"


def ratio(row):
    ours, theirs = (statistics.median(row.values[p]) for p in PROGRAMS)
    return f"{theirs / ours:.1f}x" if ours else "-"


def version(argv):
    out = subprocess.run(argv, capture_output=True, text=True, check=False)
    return (out.stdout + out.stderr).splitlines()[0].strip()


def print_table(rows, costs, runs):
    print(f"\n{platform.release()}, {os.cpu_count()} CPUs; {version(['keepalived', '--version'])}; "
          f"{version([ROOT / 'build/vrrp-xdp', 'version'])}; adverts every {ADVERT_S * 1000:.0f} ms, "
          f"medians of {runs} runs (minimum-maximum)\n")
    print("| figure | vrrp-xdp | keepalived | ratio | to reach |\n|---|---|---|---|---|")
    for row in rows:
        ours, theirs = (f"{spread(row.values[p])} {row.unit}".strip() for p in PROGRAMS)
        print(f"| {row.figure} | {ours} | {theirs} | {ratio(row)} | {row.target} {row.unit} |")
    for name, above_ns, target_ns in costs:
        print(f"| test run, above an empty program: {name} | {above_ns} ns | - | - | {target_ns} ns |")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--runs", type=int, default=15, help="takeovers per figure")
    args = parser.parse_args()

    def say(text):
        print(text, file=sys.stderr, flush=True)
    try:
        rows = list(measure(args.runs, say))
        print_table(rows, packet_costs(), args.runs)
    except LabError as e:
        print(f"bench: {e}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
