# SPDX-License-Identifier: GPL-2.0-or-later
"""Extensions against the worst case: a fast hand-over, allowed peers, a link that is up and deaf, an interval that is too long to be believed."""

import frames
import pytest
from lab import Lab
from routers import (FAKE_IP, FAKE_MAC, Client, active_routers, adverts, assert_settled, attach, attach_pair, counters, moved,
                     transitions)


def forged(**fields):
    return frames.advert(**{"eth_src": FAKE_MAC, "src": FAKE_IP, "priority": 255, **fields})


def backup_of_an_active_with(lab, *flags, advert_ms=40000):
    """r2 as Backup of r1, whose adverts are so far apart that whatever happens within seconds has another cause."""
    r1 = attach(lab, "r1", 255, *flags, advert_ms=advert_ms)
    r1.wait_log("-> Active")
    r2 = attach(lab, "r2", 150, *flags, advert_ms=advert_ms)
    r2.wait_log("Initialize -> Backup")
    client = Client(lab)
    return r1, r2, client


# ---- fast hand-over ----

def test_a_planned_stop_is_followed_at_once_by_the_best_backup_and_by_none_else():
    """FSM-B3 with xdp_handover_skew; Skew_Time of 40 s would be 16.6 s for the better of the two."""
    with Lab(routers=3) as lab:
        flags = ("--handover-skew", 0.5)
        procs = {}
        for router, priority in (("r1", 255), ("r2", 150), ("r3", 100)):
            procs[router] = attach(lab, router, priority, *flags, advert_ms=40000)
            procs[router].wait_log("-> Active" if router == "r1" else "Initialize -> Backup")
        client = Client(lab)
        assert procs["r1"].stop() == 0
        client.wait_advert("r2")
        procs["r2"].wait_log(r"Backup -> Active: the Active Router left \(priority 0\)")
        client.hears_nothing("r3", 1)
        assert transitions(procs["r3"]) == ["Initialize -> Backup"]
        assert_settled(lab, client, "r2", ["r3"])


def test_a_goodbye_of_somebody_else_is_no_reason_to_take_over(lab):
    """SEC-5: forged, or of a router that was never the Active one. The Active's own is."""
    r1, r2, client = backup_of_an_active_with(lab, "--handover-skew", 0.001)
    client.send(forged(priority=200, src=lab.ip("r1"), eth_src=lab.mac("r1"), interval=4095))  # r2 now knows who is Active
    r2.wait_log(f"the Active Router is {lab.ip('r1')}")
    before = counters(lab, "r2")
    client.send(*[forged(priority=0)] * 50)
    client.fence(["r2"])
    change = moved(before, counters(lab, "r2"))
    assert change["rx_prio0"] == 50
    assert change["rx_absorbed"] >= 50, "one was news"  # some adverts of r1, which answers, are absorbed as well
    client.hears_nothing("r2", 1)
    assert transitions(r2) == ["Initialize -> Backup"]
    assert r1.stop() == 0
    r2.wait_log(r"Backup -> Active: the Active Router left \(priority 0\)")


# ---- who may speak ----

def test_adverts_of_others_than_the_allowed_peers_change_nothing(lab):
    """RX-34 with multicast: the Active stays, the Backup stays, nobody is woken for more than the first line of the log."""
    pair = attach_pair(lab, "--allow-peer", lab.ip("r1"), "--allow-peer", lab.ip("r2"))
    before = {router: counters(lab, router) for router in lab.routers}
    for priority in (255, 0, 1):
        pair.client.send(*[forged(priority=priority)] * 50)
    pair.client.fence(lab.routers)
    for router in lab.routers:
        change = moved(before[router], counters(lab, router), ("rx_ok", "rx_absorbed", "rx_csum_rfc5798", "tx_adverts"))
        assert change == {"rx_peer": 150, "ev_sent": 1}
    for proc in (pair.r1, pair.r2):
        proc.wait_log(r"not a configured peer \(RX-34\)")
    assert transitions(pair.r1) == ["Initialize -> Backup", "Backup -> Active"]
    assert_settled(lab, pair.client, "r1", ["r2"])


# ---- an interval nobody can mean ----

CONF = """vrrp_instance V {{
    interface eth0
    version 3
    virtual_router_id 51
    priority 100
    advert_int 0.1
    {limit}
    virtual_ipaddress {{ 10.77.0.100/24 }}
}}
"""


@pytest.mark.parametrize("limit", ["xdp_max_advert_int 0.2", ""])
def test_a_forged_interval_of_40_s_does_not_keep_a_backup_waiting_for_two_minutes(lab, limit):
    """SEC-9: learned as the longest that is allowed; without a limit as the RFC says."""
    conf = lab.tmp / "r1.conf"
    conf.write_text(CONF.format(limit=limit), encoding="ascii")
    client = Client(lab)
    proc = lab.start_vrrp_xdp("r1", ["run", "-f", conf, "--mode", "native"])
    proc.wait_log("-> Active")
    since = proc.mark()
    client.send(forged(interval=4095))
    proc.wait_log("Active -> Backup", since=since)
    if limit:
        proc.wait_log("Backup -> Active: no advert", since=since)
        assert_settled(lab, client, "r1")
    else:
        assert lab.status("r1")["virtual_routers"][0]["active_down_in_ms"] > 100000


# ---- up, but deaf ----

def deaf(lab, host, on):
    """The switch's port of a host passes nothing, and its carrier stays: as while a switch looks for loops."""
    lab.run("sw", ["ip", "link", "set", "dev", host, *(["nomaster"] if on else ["master", "br0"])])


@pytest.mark.parametrize("settle", [False, True])
def test_a_link_that_came_up_and_delivers_nothing_is_not_taken_for_a_dead_active(lab, settle):
    """Without xdp_link_settle it would be: r1 takes over on its side of the port, as keepalived does."""
    pair = attach_pair(lab, *(("--link-settle", 30) if settle else ()))
    lab.cut_cable("r1")
    lab.wait_state("r2", "Active")
    since = pair.r1.mark()
    deaf(lab, "r1", True)
    lab.plug("r1")
    if not settle:
        pair.r1.wait_log("-> Active", since=since)
        assert active_routers(lab) == ["r1", "r2"]
    else:
        pair.r1.wait_log("the link is up and has delivered nothing yet", since=since)
        pair.client.wait_advert("r2", count=20)
        assert active_routers(lab) == ["r2"]
        assert not adverts(lab, "r1", pair.client.frames())
    deaf(lab, "r1", False)
    lab.wait_until(lambda: active_routers(lab) == ["r1"], 15, "the way back")
    assert_settled(lab, pair.client, "r1", ["r2"])


def test_a_link_that_delivers_nothing_for_too_long_is_taken_as_it_is(lab):
    """Alone on a cable nobody speaks: after the configured time that is no reason to wait."""
    proc = attach(lab, "r1", None, "--link-settle", 2)
    proc.wait_log("-> Active")
    lab.cut_cable("r1")
    lab.wait_state("r1", "Initialize")
    deaf(lab, "r1", True)
    since = proc.mark()
    lab.plug("r1")
    proc.wait_log("the link is up and has delivered nothing yet", since=since)
    proc.wait_log("-> Active", since=since)
