# SPDX-License-Identifier: GPL-2.0-or-later
"""Hundreds or thousands of virtual routers in a lab: r1 is preferred, r2 is its Backup, both of one make, on as many LANs as it takes;
and what a client sees of them by its tally, see tally.py. Times are nanoseconds of CLOCK_BOOTTIME, as there.

    with Lab(routers=2) as lab:
        fleet = Fleet(lab, "vrrp-xdp", many(4080), advert_s=1)
        started = fleet.start_active()
        fleet.start_backup()
        race = fleet.cut()
        fleet.restore()
"""

import contextlib
import ipaddress
import time
from collections import namedtuple

from proc import LabError, family
from tally import Tally
from usage import cpu_ns, softirq_s, voluntary_switches

PRIORITY = {"r1": 200, "r2": 100}
VRIDS = 255
ADVERTISED = 255  # an advert counts its addresses in a byte; those behind are "excluded"
INTERVALS = 3  # a router that was silent for so many is none that is Active
EARLY_SHARE = 10  # one virtual router in so many may be r2's before the cut
EARLY_NS = 1_000_000  # an advert does not reach the client and r2 in the same moment
QUIET_S = 6  # longer than the 5 s after which announcements come once more

Vr = namedtuple("Vr", "lan family vrid vips")  # vips: as a configuration has them
# When the first and the last VR was due, and the first and the last address of all was announced, and answered; no answer is None.
# gap: the longest between two adverts of one VR of the new Active.
Race = namedtuple("Race", "first_due last_due first_announced last_announced first_answered last_answered gap")
# Adverts a second; the longest gap; CPU of r1's and of r2's processes, in parts of one; how often r2's worker went to sleep; softirq of
# the whole machine, in parts of a CPU.
Steady = namedtuple("Steady", "per_s gap active_cpu backup_cpu sleeps softirq")


def boot_ns():
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


def down_ns(priority, advert_s):
    """RFC 9568 6.1: Active_Down_Interval."""
    return int(advert_s * 1e9 * (3 + (256 - priority) / 256))


# ---- which there are ----

def many(n):
    """`n` virtual routers with an address each, LAN by LAN: the VRIDs over IPv4, then over IPv6."""
    found = []
    for i in range(n):
        lan, k = divmod(i, 2 * VRIDS)
        six, vrid = divmod(k, VRIDS)
        vrid += 1
        found.append(Vr(lan, 6 if six else 4, vrid, (f"fe80::78:{vrid:x}/64" if six else f"10.78.{lan}.{vrid}/32",)))
    return found


def one(n):
    """One virtual router with `n` addresses."""
    return [Vr(0, 4, 1, tuple(f"10.80.{i // 250}.{i % 250 + 1}/32" for i in range(n)))]


def key(vr):
    """Of a Vr, and of a tally's row."""
    return vr.lan, vr.family, vr.vrid


def addresses(vr):
    """As a tally has them."""
    return [(vr.lan, str(ipaddress.ip_interface(vip).ip)) for vip in vr.vips]


def configuration(vrs, priority, advert_s):
    """A file for both makes."""
    text = "global_defs {\n    script_user root\n    enable_script_security\n}\n"
    for vr in vrs:
        blocks = [("virtual_ipaddress", vr.vips[:ADVERTISED]), ("virtual_ipaddress_excluded", vr.vips[ADVERTISED:])]
        text += (f"vrrp_instance V{vr.lan}_{vr.family}_{vr.vrid} {{\n    version 3\n    interface eth{vr.lan}\n    state BACKUP\n"
                 f"    virtual_router_id {vr.vrid}\n    priority {priority}\n    advert_int {advert_s}\n"
                 + "".join(f"    {word} {{\n" + "".join(f"        {vip}\n" for vip in vips) + "    }\n" for word, vips in blocks if vips)
                 + "}\n")
    return text


# ---- what dumps of a tally say ----

def rows_of(dump, router):
    return {key(row): row for row in dump.rows if row.router == router}


def active(dump, router, advert_s):
    """The virtual routers for which it has sent adverts of late."""
    return {k for k, row in rows_of(dump, router).items() if dump.t - row.last < INTERVALS * advert_s * 1e9}


def worst_gap(dump, router):
    """The longest time between two adverts of one virtual router; one that has not ended is one. No gap is longer than the time in
    which it was seen: a tally that is reset while an advert comes in may think so."""
    return max((max(min(row.worst, row.last - row.first), dump.t - row.last) for row in rows_of(dump, router).values()), default=0)


def adverts_per_s(vrs, first, last, advert_s):
    """Of r1 between two dumps, each virtual router from advert to advert: a span that is no multiple of the interval makes no
    difference. One that falls silent is counted up to an interval before the end."""
    total = 0
    before, after = rows_of(first, "r1"), rows_of(last, "r1")
    for vr in vrs:
        a, b = before[key(vr)], after[key(vr)]
        total += (b.n - a.n) * 1e9 / (max(b.last, last.t - int(advert_s * 1e9)) - a.last)
    return total


def started_ns(dump, began, advert_s):
    """From a command until the last of its virtual routers listened: they send their first adverts an Active_Down_Interval later."""
    return max(row.first for row in rows_of(dump, "r1").values()) - down_ns(PRIORITY["r1"], advert_s) - began


def announced(vrs, dump):
    """{virtual router: the tally's view of each of its addresses that r2 has announced}."""
    seen = {(vip.lan, vip.addr): vip for vip in dump.vips if vip.router == "r2"}
    return {key(vr): [seen[addr] for addr in addresses(vr) if addr in seen] for vr in vrs}


def of_all(announcements):
    return [vip for vips in announcements.values() for vip in vips]


def fair(vrs, had):
    """Those that r2 had not when the cable was cut, as the Backup of an overloaded router may; LabError where that is more than a few."""
    if len(had) * EARLY_SHARE > len(vrs):
        raise LabError(f"r2 had taken over {len(had)} of {len(vrs)} virtual routers before the cut")
    return [vr for vr in vrs if key(vr) not in had]


def race(vrs, before, after, advert_s):
    """What came of a cut, a Race, by dumps right before it and when all was over."""
    down, last = down_ns(PRIORITY["r2"], advert_s), rows_of(after, "r1")
    due = {key(vr): last[key(vr)].last + down for vr in vrs}
    told = announced(vrs, after)
    early = {k for k, vips in told.items() if any(vip.announced < due[k] - EARLY_NS for vip in vips)}
    raced = fair(vrs, early | active(before, "r2", advert_s))
    owed = sum(len(vr.vips) for vr in raced)
    vips, dues = [vip for vr in raced for vip in told[key(vr)]], [due[key(vr)] for vr in raced]
    if len(vips) < owed:
        raise LabError(f"{len(vips)} of {owed} addresses were announced")
    at, answered = [vip.announced for vip in vips], [vip.answered for vip in vips if vip.answered]
    return Race(min(dues), max(dues), min(at), max(at), min(answered, default=None),
                max(answered) if len(answered) == owed else None, worst_gap(after, "r2"))


# ---- the routers ----

class Fleet:
    """The routers, the client's tally, and what is done to them."""

    def __init__(self, lab, program, vrs, advert_s):
        self.lab, self.program, self.vrs, self.advert_s = lab, program, vrs, advert_s
        self.keys = {key(vr) for vr in vrs}
        self.proc = {}
        self._out = False  # whether r1's cables are
        lans = max(vr.lan for vr in vrs) + 1
        if lans > len(lab.lans):
            lab.add_lans(lans - len(lab.lans))
        for router in lab.routers:
            self._know_client(router)
        self.tally = Tally.start(lab)

    def _know_client(self, router):
        """For good: an answer waits for no ARP of the router's own."""
        lab = self.lab
        path = lab.tmp / f"{router}.neighbours"
        path.write_text("".join(f"neigh replace {addr} lladdr {lab.mac('client', lan)} nud permanent dev eth{lan}\n" for lan in lab.lans
                                for addr in (lab.ip("client", lan), lab.ip6("client", lan))), encoding="ascii")
        lab.run(router, ["ip", "-batch", path])

    def _start(self, router):
        text = configuration(self.vrs, PRIORITY[router], self.advert_s)
        path = self.lab.tmp / f"{router}.conf"
        path.write_text(text, encoding="ascii")
        if self.program == "keepalived":
            self.proc[router] = self.lab.start_keepalived(router, text)
        else:
            self.proc[router] = self.lab.start_vrrp_xdp(router, ["run", "-f", path, "--mode", "native"])

    def _wait(self, condition, timeout, what):
        """Not for a router that has ended."""
        def there():
            for proc in self.proc.values():
                if not proc.alive():
                    raise proc.error("ended")
            return condition()
        # each look takes the CPU of some system calls, and more with many
        self.lab.wait_until(there, timeout, what, every=max(0.02, len(self.vrs) / 20000))

    def _wait_seen(self, timeout=60):
        """Adverts of every virtual router from r1."""
        seen = set()

        def all_seen():
            seen.update(rows_of(self.tally.dump(), "r1"))
            return self.keys <= seen
        try:
            self._wait(all_seen, timeout, "adverts of all")
        except LabError as e:
            raise LabError(f"r1 has sent adverts for {len(seen & self.keys)} of {len(self.keys)} virtual routers: {e}") from None

    def start_active(self):
        """Starts r1; returns how long it took from the command until the last of its virtual routers listened."""
        self.tally.reset()
        began = boot_ns()
        self._start("r1")
        self._wait_seen()
        return started_ns(self.tally.dump(), began, self.advert_s)

    def stop_active(self):
        self.proc.pop("r1").stop(30)

    def start_backup(self):
        """Starts r2, and waits until it listens for all and r1 alone is Active."""
        self._start("r2")
        try:
            self._wait(lambda: self._listening() >= len(self.vrs), 60, "a Backup of all")
        except LabError as e:
            raise LabError(f"r2 listens for {self._listening()} of {len(self.vrs)} virtual routers: {e}") from None
        self._settle()

    def _listening(self):
        """For how many r2 has become a Backup; keepalived says so in its log only."""
        if self.program == "keepalived":
            return sum("Entering BACKUP STATE" in line for line in self.proc["r2"].log)
        try:
            return sum(vr["state"] == "Backup" for vr in self.lab.status("r2")["virtual_routers"])
        except (LabError, ValueError):  # it is still starting
            return 0

    def _settle(self, timeout=60):
        """Waits until r1 alone is Active."""
        def settled():
            dump = self.tally.dump()
            return active(dump, "r1", self.advert_s) >= self.keys and not active(dump, "r2", self.advert_s)
        self._wait(settled, timeout, "r1 as the only Active")

    def pids(self, router):
        return family(self.proc[router].pid)

    def _quiet(self):
        """Waits until the last announcement of a takeover, which both makes repeat after 5 s, is long past: that is no steady state."""
        def past():
            dump = self.tally.dump()
            return all(dump.t - vip.last > QUIET_S * 1e9 for vip in dump.vips)
        self._wait(past, 60, "an end of announcements")

    def steady(self, span_s):
        """What the routers do and use in such a time, a Steady."""
        self._quiet()
        self.tally.reset()
        self._wait_seen()
        pids, worker = [self.pids(router) for router in ("r1", "r2")], self.proc["r2"].worker

        def used():
            return [time.monotonic(), *map(cpu_ns, pids), voluntary_switches(worker), softirq_s()]
        first = self.tally.dump()
        before = used()
        time.sleep(span_s)
        span, active_ns, backup_ns, sleeps, softirq = (b - a for a, b in zip(before, used()))
        last = self.tally.dump()
        return Steady(adverts_per_s(self.vrs, first, last, self.advert_s), worst_gap(last, "r1"), active_ns / span / 1e9,
                      backup_ns / span / 1e9, sleeps, softirq / span)

    def cut(self, timeout=30, aftermath_s=0):
        """Cuts all cables of r1 and waits until r2 has announced what r1 had, and was heard to answer: a Race. r2's adverts are watched
        for `aftermath_s` at least."""
        self.tally.reset()
        self._wait_seen()
        before = self.tally.dump()
        vrs = fair(self.vrs, active(before, "r2", self.advert_s))
        owed = sum(len(vr.vips) for vr in vrs)
        self.tally.forget()
        self._out = True
        for lan in self.lab.lans:
            self.lab.cut_cable("r1", lan)
        self.tally.forget()  # what r1 has announced last; r2 is not due for some intervals

        def all_of(which, so):
            return lambda: self.tally.count()[which] >= owed and sum(map(so, of_all(announced(vrs, self.tally.dump())))) == owed

        def watched():
            dump = self.tally.dump()
            return dump.t - min((row.first for row in rows_of(dump, "r2").values()), default=dump.t) >= aftermath_s * 1e9
        try:
            self._wait(all_of(0, lambda vip: True), timeout, "announcements of all")
        except LabError as e:
            raise LabError(f"{len(of_all(announced(vrs, self.tally.dump())))} of {owed} addresses announced: {e}") from None
        with contextlib.suppress(LabError):  # the Race says so
            self._wait(all_of(1, lambda vip: bool(vip.answered)), timeout, "answers of all")
        self._wait(watched, timeout, "adverts of r2")
        return race(vrs, before, self.tally.dump(), self.advert_s)

    def restore(self):
        """Plugs r1 in again once it has noticed, if a cut came so far, and waits until it has everything back."""
        if self._out:
            for lan in self.lab.lans:
                self.lab.wait_link("r1", up=False, dev=f"eth{lan}")
            for lan in self.lab.lans:
                self.lab.plug("r1", lan)
            self._out = False
        self._settle()
