# SPDX-License-Identifier: GPL-2.0-or-later
"""The rows and series about many virtual routers, many addresses, many routers, and about the first one.

A fleet, see tests/lab/fleet.py, is r1 (priority 200) and r2 (100) of one make with so many virtual routers, one address each. A
client notes in XDP when it saw each advert, when an address was announced, and when it first answered the echo request that
each announcement is answered with in that moment. Due is, per virtual router, its last advert from r1 plus r2's
Active_Down_Interval.

CPU is that of a router's processes as the scheduler counts it. A frame on a veth is delivered by who has sent it: the sender's
CPU time is that of the LAN and of the XDP programs of those who listen too, so the Active pays for its Backup's. (A kernel with
IRQ_TIME_ACCOUNTING counts that as softirq instead.) Softirq is the whole machine's. Memory is the proportional set size, as the
two processes of a router share pages, while no other router of that make runs in the lab.

One measurement of a fleet gives many rows. What failed is not tried again for each. keepalived is measured where it can do the
work: what it does not bring about in time is not measured, with what was seen.
"""

import functools
import resource
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "lab"))
sys.path.insert(0, str(ROOT / "tests" / "net"))
import frames  # noqa: E402; pylint: disable=wrong-import-position
from fleet import Fleet, boot_ns, many, one  # noqa: E402; pylint: disable=wrong-import-position
from lab import Lab  # noqa: E402; pylint: disable=wrong-import-position
from proc import LabError, family  # noqa: E402; pylint: disable=wrong-import-position
from rows import ROUTERS, NotMeasured, Row, Series, Times  # noqa: E402; pylint: disable=wrong-import-position
from tally import Tally  # noqa: E402; pylint: disable=wrong-import-position
from usage import memory_mib  # noqa: E402; pylint: disable=wrong-import-position

FEW = 3  # of what takes long
FAST_S, FAST_N = 0.01, 255
SLOW_S, SLOW_N = 1, 4080
VIPS_S, VIPS_N = 0.1, 5000
ADDRESSES = (1, 10, 100, 1000, 5000)
SPAN_S, SPAN_INTERVALS = 5, 5  # of the steady state: whichever is longer
AFTERMATH_S = 1  # in which a new Active's adverts are watched
LADDER = tuple(range(200, 100, -10))  # priorities of the routers
LADDER_S = 2  # in which nobody else may take over
FIRST = 255  # a priority that need not wait for others
FLOOD = ROOT / "build/lab/flood"
FLOOD_S, FLOOD_CPU = 2, 0


def try_once(fn):
    """Keeps what it returned or raised, per arguments."""
    @functools.lru_cache(None)
    def tried(*args):
        try:
            return fn(*args), None
        except Exception as e:  # pylint: disable=broad-except; it is raised again, for each row that wants it
            return None, e

    @functools.wraps(fn)
    def again(*args):
        value, error = tried(*args)
        if error:
            raise error
        return value
    return again


def unable(program, error):
    """keepalived is not what is tested here."""
    return NotMeasured(str(error).splitlines()[0].removesuffix("; its last output:")) if program == "keepalived" else error


# ---- fleets ----

def spans_for(runs):
    """Of the steady state, and starts: fewer than cuts, as each takes seconds."""
    return max(1, min(runs // 2, FEW))


def started(fleet, times):
    """Starts r1 so often; the last time it stays."""
    samples = []
    for left in reversed(range(times)):
        samples.append(fleet.start_active() / 1e9)
        if left:
            fleet.stop_active()
    return samples


def cuts(fleet, runs, aftermath_s=0):
    """The Race of each cut. Of keepalived there may be fewer, but one: what it did not finish in time is none."""
    races, error = [], None
    for left in reversed(range(runs)):
        try:
            races.append(fleet.cut(aftermath_s=aftermath_s))
        except LabError as e:
            error = unable(fleet.program, e)
            if error is e:
                raise
        try:
            if left:
                fleet.restore()
        except LabError as e:
            error = unable(fleet.program, e)
            if error is e:
                raise
            break
    if not races:
        raise error
    return races


def part(program, fn):
    """What fn() returns, or why it could not: other parts have been measured."""
    try:
        return fn()
    except NotMeasured as e:
        return e
    except LabError as e:
        return unable(program, e)


def got(found):
    """Of part()."""
    if isinstance(found, Exception):
        raise found
    return found


def memory(fleet):
    """Before r2 is there, which would bear half of the pages of their programs."""
    return sum(memory_mib(pid, "Pss") for pid in fleet.pids("r1"))


@try_once
def measured(program, vrs, advert_s, runs):
    """Of a fleet: seconds per start, MiB, Steady per span, Race per cut; or in place of the latter two why there is none."""
    def spans():
        fleet.start_backup()
        return [fleet.steady(max(SPAN_S, SPAN_INTERVALS * advert_s)) for _ in range(spans_for(runs))]
    try:
        with Lab(routers=2) as lab:
            fleet = Fleet(lab, program, vrs, advert_s)
            start, used = started(fleet, spans_for(runs)), memory(fleet)
            steady_ones = part(program, spans)
            races = part(program, lambda: cuts(fleet, runs)) if isinstance(steady_ones, list) else steady_ones
            return start, [used], steady_ones, races
    except LabError as e:
        raise unable(program, e) from None


def fleet_of(program, n, advert_s, runs):
    return measured(program, tuple(many(n)), advert_s, runs)


def steady(what):
    return lambda found: [what(s) for s in got(found[2])]


def race(what):
    return lambda found: [what(r) for r in got(found[3])]


def first_announced(r):
    return (r.first_announced - r.first_due) / 1e6


def last_announced(r):
    return (r.last_announced - r.last_due) / 1e6


def first_answered(r):
    return answer(r.first_answered, r.first_due)


def last_answered(r):
    return answer(r.last_answered, r.last_due)


def answer(answered, due):
    if answered is None:
        raise NotMeasured("not all addresses answered the client in time")
    return (answered - due) / 1e6


def start_of(found):
    return found[0]


def memory_of(found):
    return found[1]


def of_fast(part):
    return lambda program, runs: part(fleet_of(program, FAST_N, FAST_S, runs))


def of_slow(part):
    return lambda program, runs: part(fleet_of(program, SLOW_N, SLOW_S, min(runs, FEW)))


# ---- one virtual router with many addresses ----

@try_once
def addressed(program, n, runs):
    """MiB of the Active, and Race per cut or why there is none."""
    def races():
        fleet.start_backup()
        return cuts(fleet, runs, AFTERMATH_S)
    try:
        with Lab(routers=2) as lab:
            fleet = Fleet(lab, program, one(n), VIPS_S)
            fleet.start_active()
            return [memory(fleet)], part(program, races)
    except LabError as e:
        raise unable(program, e) from None


def addresses(what):
    """`what` of each Race."""
    return lambda program, runs: [what(r) for r in got(addressed(program, VIPS_N, min(runs, FEW))[1])]


# ---- many routers ----

def attach(lab, program, router, advert_s, priority):
    """The first virtual router of a router."""
    if program == "keepalived":
        text = lab.keepalived_conf(vrid=51, priority=priority, advert_int=advert_s)
        return lab.start_keepalived(router, text.replace("state BACKUP", "state MASTER") if priority == FIRST else text)
    return lab.start_vrrp_xdp(router, ["attach", "eth0", "--vrid", 51, "--priority", priority, "--advert-int", advert_s,
                                       "--mode", "native", "--vip", lab.VIP_CIDR])


def only(lab, tally, router, advert_s):
    """Waits until it alone sends adverts."""
    def so():
        dump = tally.dump()
        return {row.router for row in dump.rows if dump.t - row.last < 3 * advert_s * 1e9} == {router}
    lab.wait_until(so, 20, f"{router} as the only Active")


def ladder(program, advert_s):
    """Kills the Active, again and again until one router is left: how many took over, in all."""
    taken = 0
    try:
        with Lab(routers=len(LADDER)) as lab:
            tally = Tally.start(lab)
            procs = {router: attach(lab, program, router, advert_s, priority) for router, priority in zip(lab.routers, LADDER)}
            for dead in lab.routers[:-1]:
                only(lab, tally, dead, advert_s)
                tally.reset()
                procs[dead].kill()  # the parent first
                others = functools.partial(advertised, tally, dead)
                lab.wait_until(others, 10, "a takeover")
                time.sleep(LADDER_S)
                taken += len(others())
            return taken
    except LabError as e:
        raise unable(program, e) from None


def advertised(tally, dead):
    """The routers that have sent adverts, but for one."""
    return {row.router for row in tally.dump().rows} - {dead}


def ladders(advert_s):
    return lambda program, runs: [ladder(program, advert_s) for _ in range(min(runs, FEW))]


# ---- the first virtual router ----

@functools.lru_cache(None)
def first(program, runs):
    """Per start: (ms from the command to the first advert, MiB of all processes, MiB resident of the one that does VRRP)."""
    samples = []
    for _ in range(runs):
        with Lab(routers=1) as lab:
            tally = Tally.start(lab)
            began = boot_ns()
            proc = attach(lab, program, "r1", VIPS_S, FIRST)
            row = lab.wait_until(lambda tally=tally: tally.dump().rows, 20, "the first advert")[0]
            lab.wait_until(lambda tally=tally: tally.dump().rows[0].n >= 2, 20, "the second advert")
            samples.append(((row.first - began) / 1e6, sum(memory_mib(pid, "Pss") for pid in family(proc.pid)),
                            memory_mib(proc.worker, "Rss")))
    return samples


def of_first(what):
    return lambda program, runs: [sample[what] for sample in first(program, runs)]


# ---- ARP ----

def received(lab):
    """What r1 has sent to the switch."""
    return int(lab.run("sw", ["cat", "/sys/class/net/r1/statistics/rx_packets"]))


def children_s():
    """CPU time of programs that were run to their end."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def arp_rate(program, runs):
    """Answers to requests at full speed, all on one CPU, per second of it: the sender's time is that of everything up to the arrival
    of the answer. The kernel's own are those of a router with a plain address."""
    samples = []
    with Lab(routers=1) as lab:
        lab.run("r1", f"ip neigh replace {lab.ip('client')} lladdr {lab.mac('client')} nud permanent dev eth0")
        if program == "vrrp-xdp":
            attach(lab, program, "r1", SLOW_S, FIRST)
        else:
            lab.run("r1", f"ip addr add {lab.VIP_CIDR} dev eth0")
        lab.wait_addr("r1", lab.VIP)
        lab.run("sw", "ip link set r1 nomaster")  # the answers' way ends at the switch's port
        request = frames.arp(eth_src=lab.mac("client"), spa=lab.ip("client"), tpa=lab.VIP).hex()
        for _ in range(min(runs, FEW)):
            before, used = received(lab), children_s()
            lab.run("sw", ["taskset", "-c", FLOOD_CPU, FLOOD, "r1", 0, FLOOD_S, request])
            used = children_s() - used
            samples.append((received(lab) - before) / used)
    return samples


# ---- rows ----

def row(name, *args, **kwargs):
    return Row(name, "Scale", *args, **kwargs)


def fast_rows():
    said = f"{FAST_N} virtual routers, {FAST_S * 1e3:.0f} ms"
    owed = FAST_N / FAST_S

    def fast(name, figure, unit, better, target, part, note=""):
        return row(f"fast-{name}", f"{said}: {figure}", unit, better, target, of_fast(part), quick=2, note=note)
    return [
        fast("adverts", "adverts sent a second", "", "more", None, steady(lambda s: s.per_s), f"{owed:,.0f} are owed"),
        fast("share", "adverts sent, of those owed", "%", "more", 99.9, steady(lambda s: 100 * s.per_s / owed)),
        fast("gap", "longest gap between two adverts of any", "ms", "less", 2e3 * FAST_S, steady(lambda s: s.gap / 1e6),
             f"in {SPAN_S} s; no real-time priority"),
        fast("cpu", "CPU of the Active per advert", "us", "less", Times(4), steady(lambda s: 1e6 * s.active_cpu / s.per_s),
             "of its processes; contains the way to all who listen, and their XDP programs"),
        fast("softirq", "softirq of the whole machine per advert", "us", "less", None, steady(lambda s: 1e6 * s.softirq / s.per_s)),
        fast("backup-cpu", "CPU of the Backup", "%", "less", 0.1, steady(lambda s: 100 * s.backup_cpu)),
        fast("backup-sleep", f"wake-ups of the Backup in {SPAN_S} s", "", "less", 0, steady(lambda s: s.sleeps),
             "voluntary context switches of the process that does VRRP"),
        fast("cut-first", "cable cut: first due -> first announced", "ms", "less", 0.3, race(first_announced)),
        fast("cut-last", "cable cut: last due -> last announced", "ms", "less", 10, race(last_announced)),
        fast("cut-answer", "cable cut: last due -> last answered", "ms", "less", 10, race(last_answered)),
    ]


def slow_rows():
    said = f"{SLOW_N:,} virtual routers, {SLOW_S} s"
    note = "255 VRIDs over IPv4 and over IPv6 on each of 8 interfaces; few runs, each takes half a minute"

    def slow(name, figure, unit, target, part, more=""):
        return row(f"slow-{name}", f"{said}: {figure}", unit, "less", target, of_slow(part), note=more)
    return [
        slow("start", "start", "s", 2, start_of,
             f"command -> the last listens: its first advert less its Active_Down_Interval, so the takeover of all is in it; {note}"),
        slow("cpu", "CPU of the Active", "%", 2, steady(lambda s: 100 * s.active_cpu)),
        slow("backup-cpu", "CPU of the Backup", "%", 2, steady(lambda s: 100 * s.backup_cpu)),
        slow("memory", "memory of the Active", "MiB", 40, memory_of),
        slow("cut-last", "cable cut: last due -> last announced", "ms", 100, race(last_announced)),
        slow("cut-answer", "cable cut: last due -> last answered", "ms", 100, race(last_answered)),
    ]


def address_rows():
    said = f"one virtual router with {VIPS_N:,} addresses, {VIPS_S * 1e3:.0f} ms"
    return [
        row("vips-first", f"{said}, cable cut: due -> first answered", "ms", "less", None, addresses(first_answered)),
        row("vips-last", f"{said}, cable cut: due -> last answered", "ms", "less", 100, addresses(last_answered),
            note="255 are in its adverts, the others are excluded"),
        row("vips-gap", f"{said}, cable cut: longest gap between two adverts of the new Active", "ms", "less", 120,
            addresses(lambda r: r.gap / 1e6), note=f"from its first on until all answer, {AFTERMATH_S} s at least"),
    ]


def other_rows():
    kernel = "in keepalived's column the kernel answers by itself, as it does for keepalived. veth hides most of the difference: perf " \
             "finds the sender, two ways through a veth, and veth's copy of each frame for XDP in most of the time of both"
    kills = len(LADDER) - 1
    killed = f"{len(LADDER)} routers, the Active killed {kills} times: takeovers"
    how = f"SIGKILL to all its processes, then to those of the next; who sends an advert within {LADDER_S} s has taken over"
    return [
        *(row(f"ladder-{ms}ms", f"{killed}, {ms} ms", "", "less", kills, ladders(ms / 1e3),
              note=f"priorities {LADDER[0]}, {LADDER[1]} .. {LADDER[-1]}; {how}") for ms in (10, 100)),
        row("arp-rate", "ARP requests answered, per second of one CPU", "", "more", Times(2), arp_rate, note=kernel),
        row("first-memory", "memory with one virtual router", "MiB", "less", Times(1), of_first(1), quick=3,
            note="proportional set size of all processes of a router"),
        row("first-rss", "the same, resident memory of the process that does VRRP alone", "MiB", "less", None, of_first(2), quick=3),
        row("first-advert", "attach: command -> first advert", "ms", "less", 100, of_first(0), quick=3,
            note=f"priority {FIRST}, in keepalived with state MASTER"),
    ]


def rows():
    return [*fast_rows(), *slow_rows(), *address_rows(), *other_rows()]


# ---- growth ----

def by_routers(name, figure, unit, part, **kwargs):
    def points(program, xs):
        return {x: part(fleet_of(program, x, SLOW_S, FEW)) for x in xs}
    return Series(f"vrs-{name}", "Growth", f"{figure}, adverts every {SLOW_S} s", unit, "virtual routers", points, xs=ROUTERS, **kwargs)


def by_addresses(name, figure, unit, part):
    def points(program, xs):
        return {x: part(addressed(program, x, FEW)) for x in xs}
    return Series(f"vips-{name}", "Growth", f"{figure}, one virtual router, adverts every {VIPS_S * 1e3:.0f} ms", unit,
                  "virtual addresses", points, xs=ADDRESSES)


def series():
    return [
        by_routers("cpu", "CPU of the Active", "%", steady(lambda s: 100 * s.active_cpu), picture="cpu"),
        by_routers("backup-cpu", "CPU of the Backup", "%", steady(lambda s: 100 * s.backup_cpu)),
        by_routers("memory", "memory of the Active", "MiB", memory_of),
        by_routers("start", "start", "s", start_of),
        by_routers("cut", "cable cut: last due -> last announced", "ms", race(last_announced)),
        by_addresses("answer", "cable cut: due -> last answered", "ms",
                     lambda found: [last_answered(r) for r in got(found[1])]),
        by_addresses("memory", "memory of the Active", "MiB", lambda found: found[0]),
    ]
