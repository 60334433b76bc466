# SPDX-License-Identifier: GPL-2.0-or-later
"""One scenario played by two daemons in a LAN of its own: what was observed, in a form that two programs share."""

import contextlib
import itertools
import json
import os
import re
import select
import signal
import sys
import time

import frames
from lab import BINARY, RTMGRP_IPV4_IFADDR, RTMGRP_IPV6_IFADDR, RTMGRP_LINK, Lab
from proc import LabError
from routers import partition

DEADLINE = 12  # seconds for what a step waits for; the longest legal wait is 3 s + skew + a tracked script's
STILL = 0.3    # an outcome counts when it has been the same for this long
LOOK = "ip -j addr; ip -j route show table all; ip -j -6 route show table all; ip -j rule; ip -j -6 rule"
WAITING = ("active", "has", "hasnot", "adverts", "hears", "said", "fifo", "shows")
RECORDER = '#!/bin/sh\necho "$*" >>%DIR%/said\n'


_tags = itertools.count(1)

def vrrp_form(frame, mac):
    """What an advert looks like on the wire, as a dict; None if the frame is none."""
    advert = frames.parse_advert(frame.data)
    if not advert:
        return None
    six = frames.is6(advert.src)
    head, body = (frames.parse_ip6 if six else frames.parse_ip)(frame.data)
    form = {"vrid": advert.vrid, "version": advert.version, "priority": advert.priority, "interval": advert.interval,
            "src": advert.src, "dst": advert.dst, "ttl": head[7 if six else 8], "vips": ",".join(advert.vips),
            "mac": "own" if advert.eth_src == mac else advert.eth_src}
    if advert.version == 2:
        form["auth"] = f"{body[4]}:{body[-8:].rstrip(bytes(1)).decode('ascii', 'replace')}"
    return form


class Ear:
    """Everything that left one router, from the switch's end of its cable."""

    def __init__(self, lab, router):
        self.mac = lab.mac(router)
        self.sniffer = lab.sniff("sw", router)
        self.adverts, self.garps = [], {}  # [(time, form)]
        self._known = set()

    def _note(self, frame):
        """Returns the advert, if it is one."""
        if frame.out:
            return None
        form = vrrp_form(frame, self.mac)
        if form:
            self.adverts.append((frame.t, form))
        elif frames.is_garp(frame.data) or frames.is_una(frame.data):
            claim = frames.parse_arp(frame.data)
            addr = claim.spa if claim else frames.parse_na(frame.data).target
            self.garps[addr] = self.garps.get(addr, 0) + 1
        return form

    def _read(self, timeout=0):
        """The next frame; a cable that was cut is told once, as an error."""
        try:
            return self.sniffer.read(timeout)
        except OSError:
            return self.sniffer.read(timeout)

    def drain(self):
        for frame in iter(self._read, None):
            self._note(frame)

    def wait(self, fits, count=1, since=None):
        """Waits for the count-th advert, from now or from a time on, for which fits(form) holds."""
        self.drain()
        if since:
            count -= min(count, sum(t >= since and fits(form) for t, form in self.adverts))
        deadline = time.monotonic() + DEADLINE
        while count:
            frame = self._read(deadline - time.monotonic())
            if frame is None:
                raise LabError("no such advert")
            form = self._note(frame)
            count -= bool(form and fits(form))

    def take(self, since=0):
        """The forms of adverts that are new, those sent since a time, and how often each address was announced."""
        self.drain()
        forms = {" ".join(f"{k}={v}" for k, v in form.items()) for _, form in self.adverts}
        sent = {" ".join(f"{k}={v}" for k, v in form.items()) for t, form in self.adverts if t >= since}
        new = forms - self._known
        self._known |= forms
        garps, self.garps, self.adverts = self.garps, {}, []
        return sorted(new), sorted(sent), garps

    def longest(self):
        """The interval that adverts speak of, in seconds."""
        self.drain()
        return max((form["interval"] / 1000 for _, form in self.adverts), default=0)


class Fifo:
    """The lines of a FIFO; it stays open when the daemon unlinks it."""

    def __init__(self, path):
        self.path = path
        self.fd, self.inode = -1, 0
        self.rest, self.lines = "", []

    def drain(self):
        """Lines so far, also those of a FIFO that a reload has put in the place of the first."""
        self._read()
        with contextlib.suppress(OSError):
            inode = os.stat(self.path).st_ino
            if inode != self.inode:
                self.close()
                self.fd, self.inode = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK), inode
        self._read()

    def _read(self):
        while self.fd >= 0 and select.select([self.fd], [], [], 0)[0]:
            data = b""
            with contextlib.suppress(BlockingIOError):
                data = os.read(self.fd, 65536)
            if not data:
                return
            *lines, self.rest = (self.rest + data.decode()).split("\n")
            self.lines += lines

    def close(self):
        if self.fd >= 0:
            os.close(self.fd)
        self.fd = -1


# ---- what a machine looks like ----

def clean_addr(dev, entry):
    """One address as words; lifetimes only as far as they are no clock."""
    words = [f"{entry['local']}/{entry['prefixlen']}"]
    words += [f"{key} {entry[key]}" for key in ("address", "broadcast", "scope", "label") if key in entry]
    words += [key for key in ("secondary", "deprecated", "nodad", "noprefixroute", "mngtmpaddr", "dynamic") if entry.get(key)]
    return f"{dev}: {' '.join(words)}"


def clean_route(entry):
    """One route; what the kernel makes by itself for an address is left out, and what is a clock."""
    if entry.get("protocol") == "kernel" or entry.get("table") == "local":
        return None
    return json.dumps({key: value for key, value in entry.items() if key not in ("expires", "cache", "used")}, sort_keys=True)


def clean_rule(entry):
    own = {key: value for key, value in entry.items() if key != "protocol" or value != "kernel"}
    return None if own.get("priority") in (0, 32766, 32767) else json.dumps(own, sort_keys=True)


def machine(lab, router):
    """Addresses, routes and rules, as sorted lists of strings."""
    out, decoder, pos, parts = lab.run(router, ["sh", "-c", LOOK]), json.JSONDecoder(), 0, []
    while (pos := re.compile(r"\s*").match(out, pos).end()) < len(out):
        part, pos = decoder.raw_decode(out, pos)
        parts.append(part)
    links, routes, routes6, rules, rules6 = parts
    addrs = [clean_addr(link["ifname"], entry) for link in links if link for entry in link["addr_info"]]
    return {"addrs": sorted(addrs), "routes": sorted(filter(None, map(clean_route, routes))),
            "routes6": sorted(filter(None, map(clean_route, routes6))), "rules": sorted(filter(None, map(clean_rule, rules))),
            "rules6": sorted(filter(None, map(clean_rule, rules6)))}


class Player:
    """A router: its folder, its daemon, what it sent and what it told its scripts."""

    def __init__(self, lab, scenario, router, program):
        self.lab, self.router, self.program = lab, router, program
        self.flags = scenario.options.get("flags", [])
        self.home = lab.tmp / f"{router}-home"
        self.home.mkdir()
        self.tag = f"vx{next(_tags)}x{os.getpid() % 10000}{router}"  # a process name of its own
        self.ear = Ear(lab, router)
        self.fifo = Fifo(self.home / "fifo")
        self.proc = None
        self._said, self._held = 0, set()
        files = scenario.files(router, self.home, self.tag)
        for name, text in {"rec": RECORDER.replace("%DIR%", str(self.home)), **files}.items():
            path = self.home / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
            path.chmod(0o755 if text.startswith("#!") else 0o644)
        if "eth1" in scenario.options:
            self._add_eth1(int(router[1:]))

    def _add_eth1(self, n):
        """A cable whose other end, eth1p, is in the same namespace."""
        self.lab.run(self.router, ["sh", "-ec", f"""
            ip link add eth1 address 02:78:00:00:00:0{n} type veth peer name eth1p address 02:78:00:00:01:0{n}
            ip link set eth1p up
            ip link set eth1 up
            ip addr add 10.78.0.{n}/24 dev eth1"""])

    # -- the daemon

    def start(self):
        conf, flags = self.home / "main.conf", self.flags
        if self.program == "keepalived":
            argv = ["keepalived", "-P", "-n", "-l", "-D", "-G", "-R", *flags, "-f", conf]
            argv += [word for option, name in (("-p", "pid"), ("-r", "vrrp.pid"), ("-c", "checkers.pid"), ("-b", "bfd.pid"))
                     for word in (option, self.home / name)]
            self.proc = self.lab.popen(self.router, ["env", f"TMPDIR={self.home}", *argv])
        else:
            self.proc = self.lab.start_vrrp_xdp(self.router, ["run", "-f", conf, "--mode", "native", *flags])

    def check(self):
        """Whether the configuration test lets the file pass; keepalived's does not tell fatal mistakes from others."""
        if self.program == "keepalived":
            return None
        done = self.lab.run(self.router, [BINARY, "check", "-f", self.home / "main.conf", *self.flags], check=False)
        return "runs" if done.returncode == 0 else "does not run"

    def alive(self):
        return bool(self.proc) and self.proc.alive()

    def mortal(self):
        """The daemon, if its end would be known to the lab."""
        return self.proc if self.program == "vrrp-xdp" else None

    def stop(self):
        self.fifo.drain()
        self.proc.signal(signal.SIGTERM)
        return self.proc.wait(DEADLINE)

    def hup(self, name):
        self.fifo.drain()
        if name:
            self.home.joinpath("main.conf").write_bytes(self.home.joinpath(name).read_bytes())
        self.proc.signal(signal.SIGHUP)

    # -- what it told

    def said(self):
        path = self.home / "said"
        return path.read_text(encoding="utf-8").splitlines() if path.exists() else []

    def fifo_lines(self):
        self.fifo.drain()
        return self.fifo.lines

    def told(self):
        """Since the last look: calls of the recorder, in no order, as scripts are not waited for; FIFO lines by instance, in
        order."""
        said = self.said()
        new, self._said = sorted(said[self._said:]), len(said)
        fifo, self.fifo.lines = self.fifo_lines(), []
        return {"said": new, "fifo": sorted(fifo, key=lambda line: line.split(" ")[:2])}

    def snapshot(self):
        """What has to come to rest before it is observed; the counts are not compared."""
        return {**machine(self.lab, self.router), "alive": self.alive(), "_said": len(self.said()),
                "_fifo": len(self.fifo_lines())}

    def observe(self, garps, since):
        """All there is, without this run's own names. Announced: what it did not hold at the last look; a second burst, five
        seconds after the first, falls before or after a look by chance, as the last of a burst cut short by a better router."""
        new, sending, announced = self.ear.take(since)
        state = {key: value for key, value in self.snapshot().items() if not key.startswith("_")}
        held = {line.split()[1].split("/")[0] for line in state["addrs"]}
        fresh, self._held = sorted((announced.keys() & held) - self._held), held
        counts = {addr: n for addr, n in announced.items() if addr in held}
        seen = {**state, **self.told(), "adverts": new, "sending": sending, "announced": counts if garps else fresh}
        return json.loads(json.dumps(seen, sort_keys=True).replace(str(self.home), "%DIR%").replace(self.tag, "%TAG%"))


class Play:
    """The steps, one method each."""

    VIP = Lab.VIP

    def __init__(self, lab, scenario, programs):
        self.lab, self.scenario = lab, scenario
        self.players = {router: Player(lab, scenario, router, program)
                        for router, program in zip(scenario.routers, programs)}
        self.outcome = []
        self.event_at = 0

    def run(self):
        for words in self.scenario.before:
            self.step_sh(*words)
        for step in self.scenario.steps:
            word, *args = step
            if word not in WAITING:
                self.event_at = time.time_ns()
            try:
                getattr(self, f"step_{word}")(*args)
            except LabError as e:
                self.outcome.append((f"stuck at `{' '.join(step)}`: {str(e).splitlines()[0]}", {}))
                self._show_logs(" ".join(step))
                break
        return self.outcome

    def _show_logs(self, step):
        """For whoever looks into a scenario: SIDE_LOG=1."""
        if os.environ.get("SIDE_LOG"):
            for player in self.players.values():
                log = player.proc.log[-60:] if player.proc else []
                print(f"{self.scenario.name}: stuck at {step}: {player.router}, {player.program}:", *log, sep="\n  ",
                      file=sys.stderr)

    def wait_until(self, condition, what):
        self.lab.wait_until(condition, DEADLINE, what, every=0.03)

    def note(self, step, **fields):
        self.outcome.append((step, {router: {"outcome": value} for router, value in fields.items()}))

    # -- the LAN

    def step_isolate(self):
        partition(self.lab, True)

    def step_join(self):
        partition(self.lab, False)

    # -- daemons

    def step_start(self, *routers):
        for router in routers:
            self.players[router].start()

    def step_runs(self, router):
        """Up, or ended: which of them is the outcome, for the daemon and for the configuration test."""
        self._verdict(router, "runs")

    def step_ends(self, router):
        self._verdict(router, "ends")

    def _verdict(self, router, step):
        player = self.players[router]
        deadline = time.monotonic() + (DEADLINE if step == "ends" else 4)
        while player.alive() and time.monotonic() < deadline:
            if step == "runs" and (player.ear.longest()):
                break
            select.select([player.proc.pidfd], [], [], 0.05)
        up = "runs" if player.alive() else "does not run"
        self.outcome.append((f"{step} {router}", {router: {"daemon": up, "check": player.check() or up}}))

    def step_stop(self, router):
        status = self.players[router].stop()
        self.note(f"stop {router}", **{router: f"exit {status}"})

    def step_kill(self, router):
        """Frozen first: the children of keepalived end in good order when their parent has gone before them."""
        self.players[router].proc.freeze()
        self.players[router].proc.kill()
        for path in self.players[router].home.glob("*pid"):  # nobody need reap the child here: it may still seem to run
            path.unlink()

    def step_hup(self, router, name=None):
        self.players[router].hup(name)

    # -- events

    def step_cut(self, router):
        self.lab.cut_cable(router)

    def step_plug(self, router):
        self.lab.plug(router)

    def step_sh(self, router, *words):
        player = self.players[router]
        command = self.scenario.fill(" ".join(words), router, player.home, player.tag)
        self.lab.run(router, ["sh", "-c", command])

    # -- waiting

    def _addrs(self, router, dev):
        links = json.loads(self.lab.run(router, "ip -j addr"))
        return [a["local"] for link in links if link and dev in (None, link["ifname"]) for a in link["addr_info"]]

    def _wait_addr(self, router, addr, dev, present):
        self.lab._wait_netlink(  # pylint: disable=protected-access
            router, RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR,
            lambda: (addr in self._addrs(router, dev)) == present, DEADLINE,
            f"{addr} {'appearing' if present else 'leaving'}", self.players[router].mortal() if present else None)

    def step_has(self, router, addr, dev=None):
        self._wait_addr(router, addr, dev, True)

    def step_hasnot(self, router, addr, dev=None):
        self._wait_addr(router, addr, dev, False)

    def step_active(self, active, addr=VIP):
        for router in self.players:
            self._wait_addr(router, addr, None, router == active)

    def step_adverts(self, router, count):
        self.players[router].ear.wait(lambda form: True, int(count))

    def step_hears(self, router, *fields):
        want = dict(field.split("=", 1) for field in fields)
        self.players[router].ear.wait(lambda form: all(str(form.get(key)) == value for key, value in want.items()),
                                      since=self.event_at)

    def step_said(self, router, *words):
        player = self.players[router]
        self.wait_until(lambda: any(" ".join(words) in line for line in player.said()[player._said:]), "the script")

    def step_fifo(self, router, *words):
        player = self.players[router]
        self.wait_until(lambda: any(" ".join(words) in line for line in player.fifo_lines()), "the FIFO line")

    def step_shows(self, router, *words):
        command, _, want = " ".join(words).partition(": ")
        self.wait_until(lambda: want in self.lab.run(router, ["sh", "-c", command]), f"`{want}` in `{command}`")

    # -- looking

    def step_seen(self):
        for player in self.players.values():
            player.ear.take()
            player.told()

    def step_look(self, *what):
        since = self._wait_still()
        step = f"look {sum('look' in label for label, _ in self.outcome) + 1}"
        self.outcome.append((step, {router: player.observe("garps" in what, since) for router, player in self.players.items()}))

    def _wait_still(self):
        """Scripts are started and addresses put in at their own pace: until nothing has changed for a while, and for more
        than an advert's interval, so that what is sent meanwhile tells who is Active. Returns since when."""
        deadline = time.monotonic() + DEADLINE
        before, since = None, 0
        while time.monotonic() < deadline:
            start = time.time_ns()
            now = [player.snapshot() for player in self.players.values()]
            long = max([STILL, *(1.4 * player.ear.longest() for player in self.players.values())])
            if now != before:
                before, since = now, time.time_ns()
            elif start - since >= long * 10**9:
                return since
            select.select([], [], [], STILL / 2)
        raise LabError("the machine does not come to rest")


def play(scenario, programs):
    """[(step, {router: {field: value}})]; a step that waited in vain is the last."""
    with Lab(routers=len(scenario.routers)) as lab:
        return Play(lab, scenario, programs).run()
