# SPDX-License-Identifier: GPL-2.0-or-later
"""What a takeover and a steady second cost, counted instead of timed: system calls, wake-ups, allocations. See docs/counts.md.

A law says how many calls there may be for so many routers. None of this depends on how fast the machine is: takeovers of many
are made to come in one turn of the controller by letting it run on only after all of them are due.
"""

import math
import re
import signal
import struct
import time
from collections import Counter

import pytest
from lab import BINARY, BUILD, Lab
from routers import Client, attach, machine, sleeps

COUNTER = BUILD / "lab" / "alloc.so"
COLUMNS = ("malloc", "calloc", "realloc", "memalign", "free", "mmap", "brk")
LINES, LINE = 64, struct.Struct("8Q")  # as tests/lab/alloc.c has them
GARP_REPEAT = 5  # the configuration's default
QUEUE, COMMIT = 256, 64  # messages of one sendmmsg(2), changes of one netlink request
TIMERS, HASTE = 128, 8  # timers carried out in one turn; with more addresses than that each has a route first
TURN = ["read", "sendmmsg", "timerfd_settime"]  # of a controller that only sends adverts, after its epoll_wait(2)
GUARDIAN_TURN = ["wait4", "clock_gettime", "rt_sigtimedwait"]
LOOK = 20  # adverts

INSTANCE = """
vrrp_instance V{n} {{
    interface eth0
    version 3
    virtual_router_id {n}
    priority {priority}
    advert_int {seconds}
    virtual_ipaddress {{ 10.77.1.{n}/24 }}
}}
"""


def start(lab, router, routers, priority, seconds, env=()):
    """A controller with that many virtual routers, each with an address."""
    path = lab.tmp / f"{router}.conf"
    path.write_text("".join(INSTANCE.format(n=n, priority=priority, seconds=seconds) for n in range(1, routers + 1)),
                    encoding="ascii")
    return lab.popen(router, [*env, BINARY, "run", "-f", path, "--mode", "native"])


def settle(lab, routers):
    """Waits until all of r2's routers are Backup and have heard r1, and nobody asks it anything any more."""
    def heard():
        found = [vr["active_router"] for vr in lab.status("r2")["virtual_routers"]]
        return len([router for router in found if router and router["address"] == lab.ip("r1")]) == routers
    lab.wait_until(heard, 20, "r2 hearing of r1")
    machine(lab, "r2")


def pair(lab, routers, seconds, env=()):
    """r1 is Active for all, and r2 waits; a client that hears them."""
    client = Client(lab)
    r1 = start(lab, "r1", routers, 200, seconds)
    wait_all(r1, routers, "Backup -> Active")
    r2 = start(lab, "r2", routers, 100, seconds, env)
    wait_all(r2, routers, "Initialize -> Backup")
    settle(lab, routers)
    return r1, r2, client


def wait_all(proc, routers, what):
    for n in range(1, routers + 1):
        proc.wait_log(f"V{n}: {what}", timeout=20)


# ---- system calls ----

class Trace:
    """What a controller and its guardian call while strace is attached to them."""

    def __init__(self, lab, host, proc):
        self._path = lab.tmp / f"{host}.strace"
        self._pids = {"controller": proc.worker, "guardian": proc.pid}
        self._strace = lab.popen(host, ["strace", "-f", "-o", self._path, *(f"-p{pid}" for pid in self._pids.values())])
        for pid in self._pids.values():
            self._strace.wait_log(f"Process {pid} attached")
        self._calls = None

    def stop(self):
        self._strace.signal(signal.SIGINT)
        self._strace.wait()
        self._calls = re.findall(r"^(\d+) +(\w+)\(", self._path.read_text(errors="replace"), re.M)

    def calls(self, who):
        """Names, in their order."""
        return [name for pid, name in self._calls if int(pid) == self._pids[who]]

    def turns(self, who, wait):
        """What was called between one `wait` and the next, without what was cut off at both ends."""
        found = [[]]
        for name in self.calls(who):
            if name == wait:
                found.append([])
            else:
                found[-1].append(name)
        return found[1:-1]


def law(routers):
    """The calls of a takeover of so many routers in one turn, on one interface, and of hearing what the kernel says about it."""
    # of 8, 16, 32, then 64 addresses; twice as many where the machine is slow, as each is to take a millisecond
    parts = 2 * (math.ceil(routers / COMMIT) + 3) if routers > HASTE else math.ceil(routers / COMMIT)
    rounds = 3 if routers > HASTE else 1  # routes, addresses, the routes away
    return {
        "bpf": 3 * routers,  # the watch is read when ActiveDown is near and when it is due; the kernel's timer is stopped
        "pidfd_send_signal": 1,  # the guardian has a limit from now on
        "sendmmsg": math.ceil(routers / TIMERS) + 2 + parts + math.ceil((GARP_REPEAT - 1) * routers / QUEUE),  # adverts; announcements, repeats
        "sendto": rounds * parts,
        "recvmsg": rounds * parts + routers + rounds * parts,  # an acknowledgement of each; news, one by one, and that no more are there
        "poll": 2 * routers,  # of the log: whether a line would wait
        "write": 2 * routers,  # two lines
        "timerfd_settime": 1,  # for the next advert
    }


def takeover_calls(trace):
    """All up to the first advert after it: that begins with a read of the timer."""
    calls = trace.calls("controller")
    return Counter(calls[:calls.index("read")])


def beyond(calls, allowed):
    """The calls that there are too many of."""
    return {name: n for name, n in calls.items() if n > allowed.get(name, 0)}


def test_a_takeover_takes_as_many_calls_as_its_law_says(lab):
    """Natural: it is woken before ActiveDown, and asks for events without waiting until then; how often is not counted."""
    _, r2, client = pair(lab, 1, 1)
    trace = Trace(lab, "r2", r2)
    lab.cut_cable("r1")
    r2.wait_log("V1: Backup -> Active")
    client.wait_advert("r2", count=2)
    trace.stop()
    calls = takeover_calls(trace)
    assert calls.pop("epoll_wait") >= 2
    assert beyond(calls, law(1)) == {}
    assert calls["sendmmsg"] == 2 and calls["sendto"] == 1
    # The guardian: once by the signal, once when the first limit is over that this set.
    assert set(trace.calls("guardian")) == set(GUARDIAN_TURN)
    assert trace.calls("guardian").count("rt_sigtimedwait") <= 1 + 2 + 2


@pytest.mark.parametrize("routers", [20, 255])
def test_a_takeover_of_many_grows_by_its_law_only(lab, routers):
    """And no advert that follows takes more calls than that of a single router, see below."""
    _, r2, client = pair(lab, routers, 1)
    trace = Trace(lab, "r2", r2)
    r2.freeze()
    lab.cut_cable("r1")
    time.sleep(4)  # three intervals and a skew of less than one
    r2.thaw()
    wait_all(r2, routers, "Backup -> Active")
    client.wait_advert("r2", vrid=routers, count=4)
    trace.stop()
    calls = takeover_calls(trace)
    # Before, once more as the stop interrupts it, for the takeover, and for the news: 64 of them at a time.
    assert calls.pop("epoll_wait") <= 3 + 2 * 3 * (math.ceil(routers / COMMIT) + 3)
    assert beyond(calls, law(routers)) == {}
    spoken = [turn for turn in trace.turns("controller", "epoll_wait") if turn[:1] == ["read"]]
    assert spoken == [TURN] * len(spoken)
    assert 2 <= len(spoken) <= 4 * routers


def test_an_advert_takes_the_active_four_calls_and_its_guardian_three(lab):
    """One turn of the loop for each advert. The guardian looks once per limit, which is the interval here, at most."""
    client, r1 = Client(lab), attach(lab, "r1")
    r1.wait_log("-> Active")
    client.wait_advert("r1", count=3)  # what a takeover calls is over by then
    trace = Trace(lab, "r1", r1)
    client.frames()
    client.wait_advert("r1", count=LOOK)
    trace.stop()
    turns = trace.turns("controller", "epoll_wait")
    assert turns == [TURN] * len(turns)
    assert LOOK - 2 <= len(turns)
    calls = trace.calls("guardian")
    assert beyond(Counter(calls), dict.fromkeys(GUARDIAN_TURN, len(turns) + 2)) == {}


@pytest.mark.parametrize("routers", [1, 255])
def test_a_backup_calls_nothing_while_adverts_come(lab, routers):
    """Each process has one call under way when strace comes, and is in it still when that goes."""
    _, r2, client = pair(lab, routers, 0.5)
    trace = Trace(lab, "r2", r2)
    client.frames()
    client.wait_advert("r1", vrid=1, count=5)
    trace.stop()
    assert trace.calls("controller") in ([], ["epoll_wait"])
    assert [name for name in trace.calls("guardian") if name not in ("wait4", "rt_sigtimedwait")] == []
    assert trace.calls("guardian").count("rt_sigtimedwait") <= 2  # strace's coming may begin it anew


# ---- wake-ups ----

def slept(proc):
    return {"controller": sleeps(proc.worker), "guardian": sleeps(proc.pid)}


def woken(proc, before):
    return {who: n - before[who] for who, n in slept(proc).items()}


@pytest.mark.parametrize("routers", [1, 255])
def test_a_backup_sleeps_through_every_steady_second(lab, routers):
    """Design: in steady state a Backup is woken zero times, and neither is its guardian."""
    _, r2, client = pair(lab, routers, 0.5)
    client.frames()
    before = slept(r2)
    client.wait_advert("r1", vrid=1, count=6)
    assert woken(r2, before) == {"controller": 0, "guardian": 0}


def test_an_active_is_woken_once_per_advert_and_its_guardian_no_more_often(lab):
    client, r1 = Client(lab), attach(lab, "r1")
    r1.wait_log("-> Active")
    client.wait_advert("r1", count=3)
    client.frames()
    before = slept(r1)
    client.wait_advert("r1", count=LOOK)
    after = woken(r1, before)
    assert LOOK - 1 <= after["controller"] <= LOOK + 1  # it need not sleep again yet, and those that came while we looked
    assert after["guardian"] <= LOOK + 1


def test_a_takeover_wakes_the_controller_for_itself_and_for_the_news(lab):
    """Just before ActiveDown, and when the kernel tells of the address, if it sleeps again by then. The guardian: by the signal."""
    _, r2, client = pair(lab, 1, 1)
    before = slept(r2)
    lab.cut_cable("r1")
    r2.wait_log("V1: Backup -> Active")
    client.wait_advert("r2", count=3)  # of the takeover, and two more
    after = woken(r2, before)
    assert 1 <= after["controller"] <= 2 + 3
    assert after["guardian"] <= 1 + 1 + 3


# ---- allocations ----

class Allocations:
    """The counts of tests/lab/alloc.c, by process."""

    def __init__(self, lab):
        self._path = lab.tmp / "allocations"
        self._path.write_bytes(bytes(LINES * LINE.size))
        self.env = ["env", f"LD_PRELOAD={COUNTER}", f"VX_ALLOC_COUNTS={self._path}"]

    def of(self, proc):
        """(controller's, guardian's), each by column."""
        lines = {pid: dict(zip(COLUMNS, counts)) for pid, *counts in LINE.iter_unpack(self._path.read_bytes())}
        return lines[proc.worker], lines[proc.pid]


def allocated(lab, proc, counts, before):
    """What was counted since then, if anything; and that the counter counts at all: to answer takes memory."""
    controller, guardian = counts.of(proc)
    found = [{key: n - was[key] for key, n in now.items() if n != was[key]}
             for now, was in zip((controller, guardian), before)]
    lab.run("r2", [BINARY, "status"])
    assert counts.of(proc)[0]["malloc"] > controller["malloc"] > 0
    return found


@pytest.mark.parametrize("routers", [1, 20, 255])
def test_a_takeover_allocates_nothing(lab, routers):
    """Neither of the two processes asks for memory or gives any back, from the last advert until the second of its own."""
    counts = Allocations(lab)
    _, r2, client = pair(lab, routers, 0.5, counts.env)
    before = counts.of(r2)
    lab.cut_cable("r1")
    wait_all(r2, routers, "Backup -> Active")
    client.wait_advert("r2", vrid=routers, count=2)
    assert allocated(lab, r2, counts, before) == [{}, {}]


def is_advert(frame):
    """Of either family."""
    return (frame.data[12:14], frame.data[23]) == (b"\x08\x00", 112) or (frame.data[12:14], frame.data[20]) == (b"\x86\xdd", 112)


@pytest.mark.parametrize("flags", [["--vmac"], ["--vip", Lab.VIP6_CIDR], ["--version", "2"]], ids=lambda flags: flags[0])
def test_a_takeover_of_another_kind_allocates_nothing(lab, flags):
    counts, client = Allocations(lab), Client(lab)
    vips = ["--vip", "fe80::77:1/64", *flags] if Lab.VIP6_CIDR in flags else ["--vip", Lab.VIP_CIDR, *flags]
    words = ["attach", "eth0", "--vrid", 51, "--advert-int", 1, "--mode", "auto", *vips]  # veth takes a virtual MAC in generic mode only
    r1 = lab.start_vrrp_xdp("r1", [*words, "--priority", 200])
    r1.wait_log("-> Active")
    r2 = lab.popen("r2", [*counts.env, BINARY, *words, "--priority", 100])
    r2.wait_log("the Active Router is")
    before = counts.of(r2)
    lab.cut_cable("r1")
    r2.wait_log("Backup -> Active")
    client.frames()
    for _ in range(2):
        client.wait(is_advert)
    assert allocated(lab, r2, counts, before) == [{}, {}]
