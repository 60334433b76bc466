# SPDX-License-Identifier: GPL-2.0-or-later
"""Two vrrp-xdp routers: start, takeover, the way back, and controllers that stop, die or freeze."""

import signal

import frames
import pytest
from routers import (ADVERT_MS, FAKE_IP, FAKE_MAC, PRIORITY, STALL_MS, Client, active_routers, adverts, assert_settled, attach,
                     attach_pair, transitions, xdp)

both_modes = pytest.mark.parametrize("mode", ["native", "skb"])
SKEW_MS = {router: ADVERT_MS * (256 - priority) / 256 for router, priority in PRIORITY.items()}


@both_modes
def test_the_higher_priority_is_active_and_the_lower_stays_backup(lab, mode):
    """FSM-I2, FSM-B2, FSM-B5."""
    pair = attach_pair(lab, mode=mode)
    assert_settled(lab, pair.client, "r1", ["r2"])
    assert transitions(pair.r1) == ["Initialize -> Backup", "Backup -> Active"]
    assert transitions(pair.r2) == ["Initialize -> Backup"]


@both_modes
def test_the_backup_takes_over_when_the_cable_is_cut_and_yields_when_it_is_back(lab, mode):
    """FSM-B2, FSM-A4, FSM-12: r1 steps down for want of a carrier, comes back as Backup and preempts."""
    pair = attach_pair(lab, mode=mode)
    since = pair.r2.mark()
    lab.cut_cable("r1")
    pair.r2.wait_log("Backup -> Active: no advert", since=since)
    lab.run("client", f"ping -c 1 -W 2 {lab.VIP}")
    pair.r1.wait_log("Active -> Initialize: link down")
    assert active_routers(lab) == ["r2"]
    lab.plug("r1")
    pair.r2.wait_log("Active -> Backup: advert of higher priority: 200 from 10.77.0.11, ours 100", since=since)
    assert_settled(lab, pair.client, "r1", ["r2"])
    assert transitions(pair.r1)[2:] == ["Active -> Initialize", "Initialize -> Backup", "Backup -> Active"]


def test_hosts_are_told_of_a_router_that_comes_back_with_its_first_advert(lab):
    """FSM-B2, ARP-8: gratuitous ARP between the first advert and the second, not only with the repetition 5 s later."""
    pair = attach_pair(lab)
    lab.cut_cable("r1")
    pair.r1.wait_log("Active -> Initialize: link down")
    pair.r2.wait_log("-> Active")
    pair.client.frames()
    lab.plug("r1")
    pair.client.wait_advert("r1")
    told = pair.client.wait(lambda frame: frames.is_garp(frame.data, lab.VIP) or frames.parse_advert(frame.data))
    assert frames.is_garp(told.data, lab.VIP), frames.parse_advert(told.data)


@both_modes
def test_a_stopped_router_sends_one_priority_0_advert_and_the_peer_waits_the_skew(lab, mode):
    """FSM-A1, FSM-B3."""
    pair = attach_pair(lab, mode=mode, advert_ms=3 * ADVERT_MS)
    pair.client.wait_advert("r1")
    assert pair.r1.stop() == 0
    seen = []
    pair.client.wait(lambda frame: seen.append(frame) or adverts(lab, "r2", [frame]))
    assert [a.priority for a in adverts(lab, "r1", seen)][-2:] != [0, 0]
    assert [a.priority for a in adverts(lab, "r1", seen)].count(0) == 1
    assert adverts(lab, "r1", seen)[-1].priority == 0, "an advert after the last will"
    times = {a.eth_src: frame.t for frame in seen if (a := frames.parse_advert(frame.data))}
    waited_ms = (times[lab.mac("r2")] - times[lab.mac("r1")]) / 1e6
    assert 3 * SKEW_MS["r2"] - STALL_MS < waited_ms < 9 * ADVERT_MS, "not the skew but Active_Down_Interval"
    pair.r2.wait_log(r"Backup -> Active: the Active Router left \(priority 0\)")
    assert lab.VIP not in lab.addrs("r1")
    assert_settled(lab, pair.client, "r2")
    pair.client.wait_advert("r2", count=3)
    assert not adverts(lab, "r1", pair.client.frames())


@both_modes
def test_a_killed_router_answers_nothing_after_its_lease_and_the_peer_owns_the_address(lab, mode):
    """SEC-27, invariant 1. Its kernel still holds the address, so that only the program left on its NIC keeps it silent."""
    pair = attach_pair(lab, mode=mode)
    pair.r1.kill()
    pair.r2.wait_log("Backup -> Active: no advert")
    assert lab.VIP in lab.addrs("r1") and xdp(lab, "r1")
    assert pair.client.who_has(lab.VIP, ["r1", "r2"]) == [lab.mac("r2")]
    assert not pair.client.is_answered("r1")
    assert pair.client.is_answered("r2")
    assert pair.client.replies(lab.VIP, ["r1"], eth_dst=lab.mac("r1")) == []
    assert pair.client.is_answered("r1", lab.ip("r1")), "invariant 2: the router's own address is not the VRRP's business"
    lab.run("r1", ["ip", "link", "set", "dev", "eth0", "xdpdrv" if mode == "native" else "xdpgeneric", "off"])
    assert pair.client.who_has(lab.VIP, ["r1", "r2"]) == [lab.mac("r1"), lab.mac("r2")], "the silence proved nothing"


@both_modes
def test_a_frozen_router_is_silent_after_the_takeover_and_yields_when_it_runs_again(lab, mode):
    """SEC-29, invariant 1: asked all the time by echo and ARP, it never answers after the peer's first advert."""
    pair = attach_pair(lab, mode=mode)
    watch = lab.watch()
    probe = lab.probe(echo_us=1000, arp_us=1000)
    probe.wait_answer(lab.mac("r1"), kinds=("arp", "echo"), count=50)
    since = pair.r1.mark()
    pair.r1.freeze()
    taken = watch.wait_event(lambda e: e["kind"] == "advert" and e["src"] == lab.mac("r2"))["t"]
    probe.wait_answer(lab.mac("r2"), since=taken, count=200)
    probe.wait_answer(lab.mac("r2"), since=taken, count=200, kinds=("arp",))
    answers = probe.answers_by_mac(taken)
    assert answers[lab.mac("r1")] == 0, answers
    probe.stop()
    assert pair.client.who_has(lab.VIP, ["r1", "r2"]) == [lab.mac("r2")]
    assert not pair.client.is_answered("r1")
    pair.client.frames()
    pair.r1.thaw()
    pair.r1.wait_log("Active -> Backup: another router took over while this one was stalled", since=since)
    pair.r1.wait_log("Backup -> Active", since=since)
    assert transitions(pair.r1, since) == ["Active -> Backup", "Backup -> Active"]
    assert_settled(lab, pair.client, "r1", ["r2"])


def test_a_frozen_backup_is_still_backup_when_it_runs_again(lab):
    """Invariant 3: its timer was moved on by the kernel meanwhile."""
    pair = attach_pair(lab)
    pair.r2.freeze()
    pair.client.wait_advert("r1", count=8)
    pair.r2.thaw()
    assert lab.state("r2") == "Backup"
    pair.client.wait_advert("r1", count=3)
    assert transitions(pair.r2) == ["Initialize -> Backup"]


def test_a_timer_that_expired_while_frozen_is_void_when_adverts_flow_again(lab):
    """SEC-29: the Backup, frozen, misses the Active router's silence and its return; running again it must not speak."""
    pair = attach_pair(lab)
    pair.client.wait_advert("r1")
    pair.r2.freeze()
    pair.r1.freeze()
    pair.client.hears_nothing("r2", 2 * (3 * ADVERT_MS + SKEW_MS["r2"]) / 1000)
    pair.r1.thaw()
    pair.client.wait_advert("r1", count=2)
    pair.r2.thaw()
    assert lab.state("r2") == "Backup"
    seen = []
    pair.client.wait(lambda frame: seen.append(frame) or len(adverts(lab, "r1", seen)) == 5)
    assert not adverts(lab, "r2", seen)
    assert transitions(pair.r2) == ["Initialize -> Backup"]
    assert_settled(lab, pair.client, "r1", ["r2"])


def test_a_controller_ends_on_ctrl_c_as_on_sigterm(lab):
    """FSM-A1."""
    pair = attach_pair(lab)
    pair.r1.signal(signal.SIGINT)
    pair.client.wait_advert("r1", priority=0)
    assert pair.r1.wait() == 0


def test_a_stopped_backup_sends_nothing(lab):
    """FSM-B1."""
    pair = attach_pair(lab)
    pair.client.frames()
    assert pair.r2.stop() == 0
    seen = []
    pair.client.wait(lambda frame: seen.append(frame) or len(adverts(lab, "r1", seen)) == 5)
    assert not adverts(lab, "r2", seen)


def test_a_goodbye_is_the_reason_also_where_it_is_the_first_that_was_heard(lab):
    """FSM-B3: the log must not speak of silence."""
    client, r2 = Client(lab), attach(lab, "r2", advert_ms=1000)
    r2.wait_log("Initialize -> Backup")
    client.send(frames.advert(eth_src=FAKE_MAC, src=FAKE_IP, priority=0, interval=100))
    r2.wait_log(r"Backup -> Active: the Active Router left \(priority 0\)", 3)


@pytest.mark.parametrize("priority", [0, 50])
def test_an_active_router_answers_a_goodbye_and_a_lower_advert_at_once(lab, priority):
    """FSM-A3, FSM-A5: its own next advert would be 40 s away."""
    client, r1 = Client(lab), attach(lab, "r1", 255, "--checksum", "rfc5798", advert_ms=40000)
    client.wait_advert("r1")
    r1.wait_log("-> Active")
    client.send(frames.advert(eth_src=FAKE_MAC, src=FAKE_IP, priority=priority, interval=4000))
    client.wait_advert("r1", priority=255)
    assert transitions(r1) == ["Initialize -> Active"]


def test_a_forged_goodbye_does_not_move_the_address_for_good(lab):
    """SEC-5, FSM-A3: the Active router, hearing it too, speaks at once."""
    pair = attach_pair(lab)
    for _ in range(5):
        pair.client.send(frames.advert(eth_src=FAKE_MAC, src=FAKE_IP, priority=0))
        pair.client.wait_advert("r1")
    assert transitions(pair.r1) == ["Initialize -> Backup", "Backup -> Active"]
    assert_settled(lab, pair.client, "r1", ["r2"])
