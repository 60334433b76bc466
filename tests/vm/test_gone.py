# SPDX-License-Identifier: GPL-2.0-or-later
"""Programs that somebody takes off behind libxdp's dispatcher (SEC-28): vrrp-xdp is attached again, beside whoever is there."""

import re
import signal

import pytest
from lab import PASS_OBJECT
from routers import active_routers, transitions
from test_dispatcher import Party, programs

pytestmark = pytest.mark.lan(routers=1)
BOTH = pytest.mark.parametrize("mode", ["native", "skb"])
KIND = {"native": "xdpdrv", "skb": "xdpgeneric"}
STARTED = ["Initialize -> Backup", "Backup -> Active"]


def dispatchers(lab):
    """What is pinned of dispatchers: a program that runs has one."""
    return lab.run("r1", ["sh", "-c", "ls -d /sys/fs/bpf/xdp/dispatch-* 2>/dev/null || true"]).split()


def all_of_them(lab, mode):
    party = Party(lab, mode)
    for who in ("vrrp", "filter", "pass"):
        party.attach(who)
    party.assert_works()
    return party


@BOTH
def test_others_that_come_and_go_are_no_loss(lab, mode):
    party = all_of_them(lab, mode)
    party.detach("filter")
    party.detach("pass")
    party.attach("pass")
    party.assert_works()
    assert not [line for line in party.router.log if "somebody" in line]
    assert transitions(party.router) == STARTED
    party.detach("vrrp")
    party.assert_works()


@BOTH
@pytest.mark.parametrize("way", ["ip", "unload -a"])
def test_the_whole_dispatcher_taken_off(lab, mode, way):
    party = all_of_them(lab, mode)
    for _ in range(3):
        since = party.router.mark()
        lab.run("r1", f"ip link set dev eth0 {KIND[mode]} off" if way == "ip" else "xdp-loader unload -a eth0")
        party.router.wait_log("somebody took the XDP program off; put back", since=since)
        party.there = {"vrrp"}
        party.assert_works()
        assert len(dispatchers(lab)) == 1
    assert transitions(party.router) == STARTED
    party.attach("pass")
    party.assert_works()
    party.detach("pass")
    party.detach("vrrp")
    assert not dispatchers(lab)


@BOTH
def test_only_ours_taken_out_of_the_dispatcher(lab, mode):
    party = all_of_them(lab, mode)
    for _ in range(3):
        since = party.router.mark()
        number = re.search(r"=>\s+\d+\s+vrrp_xdp\s+(\d+)", lab.run("r1", "xdp-loader status eth0"))[1]
        lab.run("r1", f"xdp-loader unload -i {number} eth0")
        party.router.wait_log("somebody replaced the XDP program by .*; put back", since=since)
        party.assert_works()
        assert len(dispatchers(lab)) == 1
    assert transitions(party.router) == STARTED


@BOTH
def test_another_dispatcher_in_its_place_is_joined(lab, mode):
    party = Party(lab, mode)
    party.attach("vrrp")
    party.router.freeze()
    lab.run("r1", f"ip link set dev eth0 {KIND[mode]} off")
    party.attach("pass")
    party.attach("filter")
    party.router.thaw()
    party.router.wait_log("somebody replaced the XDP program by .*; put back")
    lab.wait_until(lambda: active_routers(lab) == ["r1"], what="Active")
    party.assert_works()
    assert len(dispatchers(lab)) == 1


@BOTH
def test_a_program_without_a_dispatcher_in_its_place_is_a_fault(lab, mode):
    party = Party(lab, mode)
    party.attach("vrrp")
    for last in (False, True):
        since = party.router.mark()
        lab.run("r1", ["ip", "-force", "link", "set", "dev", "eth0", KIND[mode], "obj", PASS_OBJECT, "sec", "xdp"])
        party.router.wait_log("Active -> Initialize: somebody replaced the XDP program by program .*xdp_pass.*, which cannot be shared",
                              since=since)
        if last:
            break
        lab.run("r1", f"ip link set dev eth0 {KIND[mode]} off")
        party.router.wait_log("Backup -> Active", since=since)
        party.assert_works()
        assert len(dispatchers(lab)) == 1
    party.router.signal(signal.SIGTERM)
    assert party.router.wait() == 0
    assert not dispatchers(lab)
    assert programs(lab) is None and "xdp" in lab.run("r1", "ip link show dev eth0")
