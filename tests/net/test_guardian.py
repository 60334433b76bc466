# SPDX-License-Identifier: GPL-2.0-or-later
"""A controller that is killed, crashes, is stopped or hangs, with its guardian; a guardian that is killed or frozen."""

import os
import signal
import time

import frames
import pytest
import routers6
from lab import tshark_check, wait_gone
from proc import hung
from routers import Client, adverts, assert_settled, attach, attach_pair, sleeps, transitions

SECOND_MS = 1000  # the interval of adverts at which three missed ones would hurt
SKEW_MS = SECOND_MS * (256 - 100) / 256  # of r2
SOON_MS = 150  # a clumsy upper bound of what takes less than one millisecond, on a machine that stalls
STALL_MS = 100
ENDINGS = {
    "kill": (signal.SIGKILL, r"was killed by signal 9 \(KILL\)"),
    "crash": (signal.SIGSEGV, r"was killed by signal 11 \(SEGV\)"),
    "stop": (signal.SIGSTOP, "was stopped"),
}


def start(lab, *flags, mode="native", advert_ms=SECOND_MS):
    """r1, which owns the address and so is Active at once, and r2."""
    client = Client(lab)
    r1 = attach(lab, "r1", 255, *flags, mode=mode, advert_ms=advert_ms)
    r1.wait_log("-> Active")
    r2 = attach(lab, "r2", 100, *flags, mode=mode, advert_ms=advert_ms)
    r2.wait_log(f"the Active Router is {lab.ip('r1')}, priority 255")
    client.frames()
    return r1, r2, client


def wait_will(lab, client, seen, router="r1"):
    """Collects frames up to its priority-0 advert."""
    client.wait(lambda frame: seen.append(frame) or any(a.priority == 0 for a in adverts(lab, router, [frame])))


def assert_silent(lab, client, router):
    """To nobody and for nothing, whether the address is asked for by broadcast or at this very router."""
    assert lab.mac(router) not in client.who_has(lab.VIP, [router])
    assert client.replies(lab.VIP, [router], eth_dst=lab.mac(router)) == []
    assert not client.is_answered(router)
    assert client.is_answered(router, lab.ip(router)), "invariant 2: its own address is not the VRRP's business"


# ---- killed, crashed, stopped ----

@pytest.mark.parametrize("mode, ending", [("native", "kill"), ("skb", "crash"), ("native", "stop")])
def test_a_controller_that_ends_is_fenced_and_its_last_will_sent(lab, mode, ending):
    """Invariant 1: in the same instant it answers no more, and the peer waits its skew, not for three adverts to be missed."""
    r1, r2, client = start(lab, mode=mode)
    watch, worker, (sig, said) = lab.watch(), r1.worker, ENDINGS[ending]

    def heard(router, **how):
        return watch.wait_event(lambda e: e["kind"] == "advert" and e["src"] == lab.mac(router), since=at, **how)

    at = time.time_ns()
    os.kill(worker, sig)
    will = heard("r1")
    assert will["priority"] == 0 and (will["t"] - at) / 1e6 < SOON_MS
    assert_silent(lab, client, "r1")
    silent = time.time_ns()
    taken = heard("r2")["t"]
    assert silent < taken, "too late to say anything about the fence"
    assert SKEW_MS - 1 < (taken - will["t"]) / 1e6 < SKEW_MS + STALL_MS
    r1.wait_log(rf"the controller \(process {worker}\) {said}; fenced: 1 virtual router, adverts of priority 0 sent: 1; ")
    r2.wait_log(r"Backup -> Active: the Active Router left \(priority 0\)")
    heard("r2", count=2)
    assert [e["priority"] for e in watch.events(at, kinds=("advert",)) if e["src"] == lab.mac("r1")] == [0]
    assert_silent(lab, client, "r1")
    assert client.who_has(lab.VIP, ["r1", "r2"]) == [lab.mac("r2")]
    assert client.is_answered("r2")
    assert lab.VIP in lab.addrs("r1"), "the silence proved nothing: there was no address"
    if ending == "stop":
        os.kill(worker, signal.SIGCONT)
        assert r1.stop() == 0
    else:
        assert r1.wait() == 1


FILE = """\
vrrp_instance A {{
    interface eth0
    virtual_router_id 51
    version 3
    priority {priority}
    advert_int 1
    xdp_handover_skew 0.001
    virtual_ipaddress {{
        {vips}
    }}
}}
"""


def run(lab, router, priority, vips="10.77.0.100/24", more=""):
    path = lab.tmp / f"{router}.conf"
    path.write_text(FILE.format(priority=priority, vips=vips) + more, encoding="utf-8")
    return lab.start_vrrp_xdp(router, ["run", "-f", path, "--mode", "native"])


@pytest.mark.parametrize("sig", [signal.SIGKILL, signal.SIGSTOP])
def test_with_fast_handover_the_peer_is_there_in_a_moment(lab, sig):
    """The will is an ordinary priority 0. Its median is measured elsewhere; here it must not be the skew of 406 ms."""
    watch = lab.watch()
    r1 = run(lab, "r1", 255)
    r1.wait_log("-> Active")
    run(lab, "r2", 150).wait_log("the Active Router is")
    at = time.time_ns()
    os.kill(r1.worker, sig)
    taken = watch.wait_event(lambda e: e["kind"] == "advert" and e["src"] == lab.mac("r2"), since=at)["t"]
    assert (taken - at) / 1e6 < SOON_MS


@pytest.mark.parametrize("flags", [(), ("--no-preempt",)])
def test_a_stopped_controller_that_goes_on_is_backup(lab, flags):
    """SEC-29: asked all the time, it answers nothing from its will on until it speaks as Active, which preemption decides."""
    pair = attach_pair(lab, *flags)
    probe, watch = lab.probe(echo_us=1000, arp_us=1000), lab.watch()
    probe.wait_answer(lab.mac("r1"), kinds=("arp", "echo"), count=50)
    worker, since = pair.r1.worker, pair.r1.mark()
    os.kill(worker, signal.SIGSTOP)
    will = watch.wait_event(lambda e: e["kind"] == "advert" and e["src"] == lab.mac("r1") and e["priority"] == 0)["t"]
    probe.wait_answer(lab.mac("r2"), since=will, count=100, kinds=("arp", "echo"))
    os.kill(worker, signal.SIGCONT)
    pair.r1.wait_log(r"was stopped or hung for [\d.]+ ms; its guardian has handed over", since=since)
    pair.r1.wait_log("Active -> Backup: hung, and the guardian has handed over", since=since)
    if flags:
        watch.wait_event(lambda e: e["kind"] == "advert" and e["src"] == lab.mac("r2"), since=time.time_ns(), count=5)
        back = time.time_ns()
    else:
        back = watch.wait_event(lambda e: e["kind"] == "advert" and e["src"] == lab.mac("r1") and e["priority"], since=will)["t"]
    answers = probe.answers_by_mac(will + 1_000_000, back)
    assert answers[lab.mac("r1")] == 0 and answers[lab.mac("r2")] > 0
    probe.stop()
    if flags:
        assert transitions(pair.r1, since) == ["Active -> Backup"]
        assert_settled(lab, pair.client, "r2", ["r1"])
    else:
        assert_settled(lab, pair.client, "r1", ["r2"])
        assert transitions(pair.r1, since) == ["Active -> Backup", "Backup -> Active"]


def test_a_stopped_controller_is_let_go_on_to_stop_cleanly(lab):
    """systemctl stop must not wait for its timeout."""
    r1, _, _ = start(lab)
    os.kill(r1.worker, signal.SIGSTOP)
    r1.wait_log("was stopped; fenced: 1")
    assert r1.stop() == 0
    assert lab.VIP not in lab.addrs("r1")


def test_a_stopped_backup_is_no_business_of_the_guardian(lab):
    pair = attach_pair(lab)
    since = pair.r2.mark()
    os.kill(pair.r2.worker, signal.SIGSTOP)
    pair.client.frames()
    seen = []
    pair.client.wait(lambda frame: seen.append(frame) or len(adverts(lab, "r1", seen)) == 3)
    os.kill(pair.r2.worker, signal.SIGCONT)
    assert_settled(lab, pair.client, "r1", ["r2"])
    assert not adverts(lab, "r2", seen) and pair.r2.log[since:] == []


def test_only_active_routers_leave_a_will(lab):
    """A Backup's priority 0 would be nobody's business, and a router that was never started has none."""
    client = Client(lab)
    more = FILE.replace("instance A", "instance B").replace("_id 51", "_id 52").format(priority=100, vips="10.77.0.101/24")
    r1 = run(lab, "r1", 255, more=more)
    r1.wait_log("A: Initialize -> Active")
    r1.wait_log("B: Initialize -> Backup")
    client.frames()
    os.kill(r1.worker, signal.SIGKILL)
    seen = []
    wait_will(lab, client, seen)
    assert r1.wait() == 1
    seen += client.fence(["r1"])
    assert [(a.vrid, a.priority) for a in adverts(lab, "r1", seen)] == [(51, 0)]


def test_a_reload_makes_the_will_anew(lab):
    client = Client(lab)
    r1 = run(lab, "r1", 255)
    r1.wait_log("-> Active")
    path = lab.tmp / "r1.conf"
    path.write_text(FILE.format(priority=255, vips="10.77.0.100/24\n10.77.0.102/24"), encoding="utf-8")
    r1.signal(signal.SIGHUP)  # to the guardian, who passes it on
    r1.wait_log("Reload finished")
    client.wait_advert("r1", vips=("10.77.0.100", "10.77.0.102"))
    os.kill(r1.worker, signal.SIGKILL)
    client.wait_advert("r1", priority=0, vips=("10.77.0.100", "10.77.0.102"), timeout=2)


# ---- what a will looks like ----

KINDS = {
    "plain": (attach, ()),
    "version 2": (attach, ("--version", 2, "--auth-pass", "12345678")),
    "virtual MAC": (attach, ("--vmac",)),
    "unicast": (attach, ("--unicast-peer", "10.77.0.12")),
    "IPv6": (routers6.attach, ()),
    "IPv6 unicast": (routers6.attach, ("--unicast-peer", "fd77::12", "--src", "fd77::11")),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_will_is_the_advert_that_the_controller_would_have_sent(lab, kind):
    """Every field and the source as in its adverts, but for the priority. tshark finds nothing wrong with it."""
    attach_it, flags = KINDS[kind]
    capture, sniffer = lab.capture("r2"), lab.sniff("r2")

    def parsed(frame):
        return None if frame.out else frames.parse_advert(frame.data)

    r1 = attach_it(lab, "r1", 255, *flags, mode="skb", advert_ms=SECOND_MS)
    r1.wait_log("-> Active")
    own = parsed(sniffer.wait(parsed))
    assert own.priority == 255
    os.kill(r1.worker, signal.SIGKILL)
    will = parsed(sniffer.wait(lambda frame: (a := parsed(frame)) and a.priority == 0))
    assert will == own._replace(priority=0)
    assert tshark_check(capture.stop(), only="vrrp") == []


# ---- a controller that hangs ----

@pytest.mark.parametrize("advert_ms, limit_ms", [(SECOND_MS, 100), (50, 50)])
def test_a_controller_that_hangs_is_fenced_after_an_interval_or_100_ms(lab, advert_ms, limit_ms):
    """It is not stopped, so nobody tells its guardian: it has missed its own deadline, a limit after its advert was due."""
    r1, r2, client = start(lab, advert_ms=advert_ms)
    seen, since = [], r1.mark()
    with hung(r1.worker):
        client.frames()
        wait_will(lab, client, seen)
        assert_silent(lab, client, "r1")
        r2.wait_log("Backup -> Active")
        line = r1.wait_log(r"\(process \d+\) has hung for (\d+) ms; fenced: 1 virtual router, adverts of priority 0 sent: 1;",
                           since=since)
        assert limit_ms <= int(line[1]) < limit_ms + STALL_MS
        assert [a.priority for a in adverts(lab, "r1", seen)] == [0]
        assert client.who_has(lab.VIP, ["r1", "r2"]) == [lab.mac("r2")]
    r1.wait_log("Active -> Backup: hung, and the guardian has handed over", since=since)
    r2.wait_log("Active -> Backup: advert of higher priority")
    assert_settled(lab, client, "r1", ["r2"])


def test_a_controller_is_guarded_again_after_it_was_fenced(lab):
    """What woke the guardian the first time does so the second time."""
    r1, since = attach(lab, "r1", 255), 0
    for _ in range(3):
        r1.wait_log("-> Active", since=since)
        since = r1.mark()
        with hung(r1.worker):
            r1.wait_log("has hung for", since=since)


def test_the_guardian_does_not_take_a_stall_of_the_machine_for_one_of_the_controller(lab):
    """Both stand still until the deadline is past; the guardian, awake first, gives the controller the time to show life."""
    r1, r2, client = start(lab)
    with hung(r1.worker):
        os.kill(r1.pid, signal.SIGSTOP)
        client.hears_nothing("r1", 2 * SECOND_MS / 1000)
        os.kill(r1.pid, signal.SIGCONT)
    client.wait_advert("r1", priority=255)
    assert_settled(lab, client, "r1", ["r2"])
    assert transitions(r1) == ["Initialize -> Active"] and transitions(r2) == ["Initialize -> Backup"]


def test_a_guardian_that_was_late_accuses_a_controller_that_still_hangs(lab):
    """The time that it gives is half a limit, not for ever."""
    r1, _, client = start(lab)
    with hung(r1.worker):
        os.kill(r1.pid, signal.SIGSTOP)
        client.hears_nothing("r1", 2 * SECOND_MS / 1000)
        os.kill(r1.pid, signal.SIGCONT)
        client.wait_advert("r1", priority=0, timeout=1)


# ---- the guardian itself ----

def test_without_its_guardian_the_controller_goes_on_and_says_so(lab):
    pair = attach_pair(lab)
    worker = pair.r1.worker
    os.kill(pair.r1.pid, signal.SIGKILL)
    pair.r1.wait_log(rf"the guardian \(process {pair.r1.pid}\) has been killed; restarting the controller \(process {worker}\) with")
    pair.client.wait_advert("r1", count=5)
    assert lab.state("r1") == "Active" and transitions(pair.r2) == ["Initialize -> Backup"]
    os.kill(worker, signal.SIGTERM)
    pair.client.wait_advert("r1", priority=0)
    wait_gone(worker, time.monotonic() + 5)
    assert lab.VIP not in lab.addrs("r1")


def test_a_frozen_guardian_does_nothing_and_then_the_lease_is_what_silences(lab):
    """Invariant 1 needs no guardian: frozen after it, the router answers nothing once the peer has taken over."""
    pair = attach_pair(lab)
    os.kill(pair.r1.pid, signal.SIGSTOP)
    pair.client.frames()
    pair.client.wait_advert("r1", count=8)
    worker, since = pair.r1.worker, pair.r1.mark()
    os.kill(worker, signal.SIGSTOP)
    pair.r2.wait_log("Backup -> Active: no advert")
    assert_silent(lab, pair.client, "r1")
    assert pair.client.who_has(lab.VIP, ["r1", "r2"]) == [lab.mac("r2")]
    pair.r1.thaw()
    pair.r1.wait_log("Active -> Backup", since=since)
    pair.r1.wait_log("Backup -> Active", since=since)
    assert_settled(lab, pair.client, "r1", ["r2"])


def test_ctrl_c_reaches_both_and_ends_them_once(lab):
    """A terminal signals the whole group, and the guardian passes on what it gets."""
    r1, _, client = start(lab)
    os.killpg(r1.pid, signal.SIGINT)
    seen = []
    wait_will(lab, client, seen)
    assert r1.wait() == 0
    seen += client.fence(["r1"])
    assert [a.priority for a in adverts(lab, "r1", seen)] == [0]


def test_the_guardian_of_a_backup_sleeps_and_that_of_an_active_router_wakes_about_once_an_interval(lab):
    """Invariant 3: it waits for a deadline, which there is none without an Active router."""
    pair = attach_pair(lab)
    active, backup = sleeps(pair.r1.pid), sleeps(pair.r2.pid)
    pair.client.frames()
    pair.client.wait_advert("r1", count=20)
    assert sleeps(pair.r2.pid) == backup
    assert 5 <= sleeps(pair.r1.pid) - active <= 25


# ---- busy for ever ----

SPIN = b"\xeb\xfe"  # x86: jmp to itself


def where(pid):
    with open(f"/proc/{pid}/syscall", encoding="ascii") as f:
        return f.read()


def test_a_controller_that_spins_is_fenced(lab):
    """It is never found asleep, and it has all the CPU that it wants: its deadline passes all the same."""
    r1, r2, client = start(lab)
    client.wait_advert("r1")
    lab.wait_until(lambda: "running" not in where(r1.worker), what="its sleep")
    pc = int(where(r1.worker).split()[-1], 16)
    with open(f"/proc/{r1.worker}/mem", "r+b", buffering=0) as memory:  # where it comes back from its sleep
        memory.seek(pc)
        memory.write(SPIN)
    r1.wait_log(r"has hung for \d+ ms; fenced: 1 virtual router")
    r2.wait_log(r"Backup -> Active: the Active Router left \(priority 0\)")
    os.kill(r1.worker, signal.SIGKILL)
