# SPDX-License-Identifier: GPL-2.0-or-later
"""Somebody takes the XDP program off the interface, or puts another one in its place (SEC-28, xdp_replaced)."""

import time

import frames
import pytest
from lab import PASS_OBJECT
from routers import PRIORITY, Client, active_routers, adverts, assert_settled, attach, attach_pair, counters, machine, \
    transitions, xdp

from test_reload import STALL_MS, STARTED, Router, alone, announced, collect, gaps_ms, vr

KIND = {"native": "xdpdrv", "skb": "xdpgeneric"}
OFF = {"native": "xdp", "skb": "xdpgeneric"}
TAKEN_OFF = "somebody took the XDP program off"
REPLACED = r"somebody replaced the XDP program by program \d+ \"xdp_pass\""
FAULT = "global_defs {\n    xdp_replaced fault\n}"
BOTH = pytest.mark.parametrize("mode", list(KIND))


def take_off(lab, router, mode):
    lab.run(router, ["ip", "link", "set", "dev", "eth0", KIND[mode], "off"])


def replace(lab, router, mode):
    """In one go, so that there is no moment without a program."""
    lab.run(router, ["ip", "-force", "link", "set", "dev", "eth0", KIND[mode], "obj", PASS_OBJECT, "sec", "xdp"])


def program(lab, router):
    """The id of what is attached, or None."""
    words = lab.run(router, ["ip", "-d", "link", "show", "dev", "eth0"]).split()
    return words[words.index("prog/xdp") + 2] if "prog/xdp" in words else None


def assert_answers(lab, client, router="r1"):
    """The program, not the kernel."""
    before = counters(lab, router)["arp_reply"]
    assert client.who_has(lab.VIP, [router]) == [lab.mac(router)]
    assert counters(lab, router)["arp_reply"] == before + 1


def put_back(lab, router, proc, mode, times=1):
    """Takes the program off; waits until it is there again."""
    for _ in range(times):
        since, number = proc.mark(), program(lab, router)
        take_off(lab, router, mode)
        proc.wait_log(f"{TAKEN_OFF}; put back", since=since)
        assert program(lab, router) == number, "another program than the one that is loaded"


# ---- put back ----

@BOTH
@pytest.mark.parametrize("advert_ms", [1000, 200])
def test_an_active_router_puts_it_back_at_once_and_nobody_sees_anything(lab, mode, advert_ms):
    """SEC-28: no advert late, no announcement, no state, and what was counted is counted."""
    client = Client(lab)
    r1, r2 = (Router(lab, name, vr(priority=priority, advert_ms=advert_ms), flags=["--mode", mode])
              for name, priority in PRIORITY.items())
    r2.proc.wait_log("the Active Router is 10.77.0.11, priority 200")
    client.wait(lambda frame: frames.is_garp(frame.data, lab.VIP))
    before, seen = counters(lab, "r1"), collect(client, lab, 10)
    assert len(announced(seen)) == 4
    seen = collect(client, lab, 1)
    put_back(lab, "r1", r1.proc, mode, 3)
    seen += collect(client, lab, 3)
    assert max(gaps_ms(lab, seen)) < advert_ms + STALL_MS
    assert not announced(seen)
    assert not adverts(lab, "r2", seen)
    assert_answers(lab, client)
    after = counters(lab, "r1")
    assert all(after[key] >= value for key, value in before.items())
    assert transitions(r1.proc) == STARTED and transitions(r2.proc) == STARTED[:1]
    assert_settled(lab, client, "r1", ["r2"])


@BOTH
def test_a_backup_puts_it_back_and_its_timer_runs_on(lab, mode):
    """The Active Router dies in the moment in which the Backup is blind."""
    pair = attach_pair(lab, mode=mode, advert_ms=1000)
    put_back(lab, "r2", pair.r2, mode, 3)
    pair.client.wait_advert("r1", count=4)
    assert transitions(pair.r2) == STARTED[:1]
    pair.client.wait_advert("r1")
    start = time.monotonic()
    pair.r1.kill()
    put_back(lab, "r2", pair.r2, mode)
    pair.r2.wait_log("Backup -> Active")
    assert 2.9 < time.monotonic() - start < 3.9 + STALL_MS / 1000
    pair.r1.wait()
    assert_answers(lab, pair.client, "r2")


@BOTH
def test_news_of_the_link_that_are_about_something_else_are_no_loss(lab, mode):
    """Also those that were on their way while the program was put back."""
    pair = attach_pair(lab, mode=mode)
    said = pair.r1.mark()
    change = "for i in $(seq 20); do ip link set dev eth0 alias a$i; ip link set dev eth0 txqueuelen $((100 + i)); done"
    lab.run("r1", ["sh", "-c", change])
    pair.client.frames()
    pair.client.wait_advert("r1", count=3)
    assert pair.r1.mark() == said
    lab.run("r1", ["sh", "-c", f"{change}; ip link set dev eth0 {KIND[mode]} off; {change}"])
    pair.r1.wait_log(f"{TAKEN_OFF}; put back")
    pair.client.wait_advert("r1", count=3)
    assert len([line for line in pair.r1.log if TAKEN_OFF in line]) == 1
    assert_settled(lab, pair.client, "r1", ["r2"])


# ---- another program ----

@BOTH
def test_a_program_of_somebody_else_is_a_fault_and_stays(lab, mode):
    """Where there is no dispatcher it cannot be shared with; a router without its program gives its addresses up."""
    pair = attach_pair(lab, mode=mode)
    since = pair.r2.mark()
    pair.client.frames()
    replace(lab, "r1", mode)
    pair.r1.wait_log(f"Active -> Initialize: {REPLACED}, which cannot be shared with; take it off with "
                     f"`ip link set dev eth0 {OFF[mode]} off`")
    pair.client.wait_advert("r1", priority=0)
    pair.r2.wait_log(r"Backup -> Active: the Active Router left \(priority 0\)", since=since)
    assert lab.VIP not in lab.addrs("r1")
    status, = lab.status("r1")["virtual_routers"]
    assert status["state"] == "Initialize" and "xdp_pass" in status["why"]
    assert pair.client.who_has(lab.VIP, lab.routers) == [lab.mac("r2")]
    theirs, said = program(lab, "r1"), pair.r1.mark()
    pair.client.wait_advert("r2", count=15)  # longer than the time after which we look again
    assert program(lab, "r1") == theirs and pair.r1.mark() == said
    take_off(lab, "r1", mode)
    pair.r1.wait_log("Backup -> Active", since=said)
    assert_answers(lab, pair.client)
    assert_settled(lab, pair.client, "r1", ["r2"])
    assert transitions(pair.r1) == [*STARTED, "Active -> Initialize", *STARTED]


@BOTH
@pytest.mark.lan(routers=1)
def test_a_program_of_somebody_else_outlives_us_and_nothing_of_ours_does(lab, mode):
    """Invariant 2."""
    lab.run("r1", "mount -t bpf bpf /sys/fs/bpf")
    replace(lab, "r1", mode)
    take_off(lab, "r1", mode)
    before = machine(lab, "r1")  # with what `ip` leaves in a bpffs
    proc = attach(lab, "r1", mode=mode)
    proc.wait_log("-> Active")
    replace(lab, "r1", mode)
    proc.wait_log("-> Initialize")
    theirs = program(lab, "r1")
    assert proc.stop() == 0
    assert program(lab, "r1") == theirs
    assert not [line for line in proc.log if "cannot detach" in line]
    take_off(lab, "r1", mode)
    assert machine(lab, "r1") == before


@pytest.mark.lan(routers=1)
@pytest.mark.parametrize("mode, other", [("native", "skb"), ("skb", "native")])
def test_a_program_in_the_other_mode_is_a_fault_too(lab, mode, other):
    """The kernel has a program in one mode only."""
    proc = attach(lab, "r1", mode=mode, advert_ms=1000)
    proc.wait_log("-> Active")
    proc.freeze()
    take_off(lab, "r1", mode)
    lab.load_pass_program("r1", KIND[other])
    proc.thaw()
    proc.wait_log(f"Active -> Initialize: {REPLACED}.*`ip link set dev eth0 {OFF[other]} off`")
    since = proc.mark()
    take_off(lab, "r1", other)
    proc.wait_log("Backup -> Active", since=since)
    assert_answers(lab, Client(lab))


@BOTH
def test_who_takes_it_off_in_a_loop_gets_no_fight(lab, mode):
    """A few times at once it is put back, then once a second; in between the router is in Initialize. It recovers by itself."""
    pair = attach_pair(lab, mode=mode)
    start, since = time.monotonic(), pair.r1.mark()
    lab.run("r1", ["sh", "-c", f"for i in $(seq 200); do ip link set dev eth0 {KIND[mode]} off; done"], timeout=60)
    took = time.monotonic() - start
    pair.r1.wait_log("Active -> Initialize: somebody took the XDP program off again and again", since=since)
    lab.wait_until(lambda: active_routers(lab) == ["r1"] and lab.state("r2") == "Backup" and xdp(lab, "r1"), 15, "recovery")
    backs = [line for line in pair.r1.log[since:] if "put back" in line and "passed" not in line]
    assert 5 <= len(backs) <= 6 + took + 1
    assert pair.r1.mark() - since < 20 + 12 * (took + 1)
    assert_answers(lab, pair.client)
    assert_settled(lab, pair.client, "r1", ["r2"])


# ---- xdp_replaced fault ----

def test_with_fault_it_waits_until_it_is_there_again_or_a_reload(lab):
    """What an operator has taken off shall stay off until he says otherwise."""
    r1 = alone(lab, FAULT, vr())
    attach(lab, "r2", 100)
    client = Client(lab)
    for way in ("reload", "pin"):
        since = r1.proc.mark()
        take_off(lab, "r1", "native")
        r1.proc.wait_log(f"Active -> Initialize: {TAKEN_OFF}; xdp_replaced is fault: reload to put it back", since=since)
        lab.wait_state("r2", "Active")
        assert lab.VIP not in lab.addrs("r1")
        client.frames()
        client.wait_advert("r2", count=15)
        assert not xdp(lab, "r1") and lab.state("r1") == "Initialize"
        if way == "reload":
            r1.reload()
        else:
            pin, = lab.run("r1", "find /sys/fs/bpf/vrrp-xdp -name vrrp_xdp").split()
            lab.run("r1", ["ip", "link", "set", "dev", "eth0", "xdpdrv", "pinned", pin])
        r1.proc.wait_log("the XDP program is attached again", since=since)
        r1.proc.wait_log("Backup -> Active", since=since)
        assert_answers(lab, client)
        assert_settled(lab, client, "r1", ["r2"])


@pytest.mark.lan(routers=1)
def test_a_reload_changes_what_is_done(lab):
    """From one to the other and back, while it is on and while it is off."""
    r1 = alone(lab, vr())
    put_back(lab, "r1", r1.proc, "native")
    r1.reload(FAULT, vr())
    assert transitions(r1.proc) == STARTED
    since = r1.proc.mark()
    take_off(lab, "r1", "native")
    r1.proc.wait_log("Active -> Initialize", since=since)
    since = r1.reload(vr())
    r1.proc.wait_log("Backup -> Active", since=since)
    put_back(lab, "r1", r1.proc, "native")
    replace(lab, "r1", "native")
    r1.proc.wait_log("Active -> Initialize", since=since)
    since, theirs = r1.reload(FAULT, vr()), program(lab, "r1")
    take_off(lab, "r1", "native")
    r1.proc.wait_log(f"{TAKEN_OFF}; xdp_replaced is fault", since=since)
    assert theirs and not xdp(lab, "r1")
    since = r1.reload()
    r1.proc.wait_log("Backup -> Active", since=since)
    assert_answers(lab, Client(lab))


# ---- a virtual address on another interface ----

@pytest.mark.lan(routers=1)
def test_the_interface_of_a_virtual_address_counts_like_the_routers_own(lab):
    """Its requests are answered there."""
    lab.run("r1", "ip link add eth1 type veth peer name eth2")
    for dev in ("eth1", "eth2"):
        lab.run("r1", f"ip link set {dev} up")
    r1 = alone(lab, FAULT, vr(more=["virtual_ipaddress_excluded {", "    192.0.2.1/24 dev eth1", "}"]))
    since = r1.proc.mark()
    lab.run("r1", "ip link set dev eth1 xdpdrv off")
    r1.proc.wait_log("Active -> Initialize: the XDP program is not on the interface of a virtual address", since=since)
    r1.reload()
    r1.proc.wait_log("Backup -> Active", since=since)


# ---- tc egress ----

@pytest.mark.lan(routers=1)
@pytest.mark.parametrize("what", ["qdisc del dev eth0 clsact", "filter del dev eth0 egress"])
def test_the_program_at_tc_egress_is_put_back_too(lab, what):
    """ARP-12: of it only hosts that learn another MAC would tell."""
    before = machine(lab, "r1"), lab.run("r1", "tc qdisc show dev eth0")
    proc = attach(lab, "r1", 200, "--vmac", mode="skb")
    proc.wait_log("-> Active")
    for _ in range(3):
        since = proc.mark()
        lab.run("r1", f"tc {what}")
        proc.wait_log("somebody took the program off tc egress; put back$", since=since)
        assert "vrrp_egress" in lab.run("r1", "tc filter show dev eth0 egress")
    lab.run("r1", ["sh", "-c", f"for i in $(seq 20); do tc {what}; done"], check=False)
    proc.wait_log("put back later", since=since)
    lab.wait_until(lambda: "vrrp_egress" in lab.run("r1", "tc filter show dev eth0 egress"), what="the program")
    assert transitions(proc) == STARTED
    assert proc.stop() == 0
    assert (machine(lab, "r1"), lab.run("r1", "tc qdisc show dev eth0")) == before
