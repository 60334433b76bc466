# SPDX-License-Identifier: GPL-2.0-or-later
"""What `status` and `stats` tell, as text and as JSON, in every state."""

import json
import re

import pytest
from routers import ADVERT_MS, Client, attach, attach_pair, cli, counters

LEASE_MS = 3 * ADVERT_MS - ADVERT_MS / 8
DOWN_MS = {"r1": 3 * ADVERT_MS + ADVERT_MS * 56 / 256, "r2": 3 * ADVERT_MS + ADVERT_MS * 156 / 256}
NUMBER = r"-?[0-9.]+"
SECOND_VIP = "10.77.0.101/32"
COUNTERS = """rx_ok rx_prio0 rx_absorbed rx_csum_rfc9568 rx_csum_rfc5798 adv_int_mismatch addr_list rx_mac_odd owner_conflict
    rx_vlan_other rx_vrid rx_ip_hdr rx_frag rx_ip_csum rx_len rx_ttl rx_src rx_own rx_version rx_type rx_count rx_csum
    rx_auth_type rx_auth_mismatch rx_auth_fail rx_adv_int rx_cast rx_peer rx_state arp_reply arp_drop arp_lapsed arp_odd
    vip_conflict guard_lapsed ev_sent ev_limited ev_lost tx_adverts tx_prio0 tx_errors became_active"""


def status_of(lab, router):
    """The only virtual router's status."""
    vr, = lab.status(router)["virtual_routers"]
    return vr


def vip_json(cidr, installed):
    return {"address": cidr, "interface": "eth0", "installed": installed, "advertised": True}


def text_of(lab, router, command="status"):
    done = cli(lab, router, command)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_status_of_an_active_router(lab):
    """State, since, why, priority, who is Active, timers, lease, addresses, interface, XDP mode and why."""
    pair = attach_pair(lab, vips=(lab.VIP_CIDR, SECOND_VIP))
    controller, = lab.status("r1")["controllers"]
    assert controller["pid"] == pair.r1.worker and 0 < controller["up_s"] < 600
    vr = status_of(lab, "r1")
    fixed = {"name": "eth0/51", "interface": "eth0", "vrid": 51, "version": 3, "state": "Active", "why": "no advert",
             "priority": 200, "preempt": True, "advert_int_ms": ADVERT_MS, "source": "10.77.0.11", "xdp_mode": "native",
             "xdp_mode_why": "asked for",
             "active_router": {"address": "10.77.0.11", "priority": 200, "advert_int_ms": ADVERT_MS, "self": True},
             "active_down_in_ms": None, "drained": False,
             "vips": [vip_json(lab.VIP_CIDR, True), vip_json(SECOND_VIP, True)]}
    assert {key: vr[key] for key in fixed} == fixed
    assert set(vr) - set(fixed) == {"since_s", "next_advert_in_ms", "lease_ms"}
    assert 0 < vr["since_s"] < 600
    assert vr["next_advert_in_ms"] <= ADVERT_MS
    assert vr["lease_ms"] <= LEASE_MS
    text = text_of(lab, "r1")
    for line in (r"eth0/51: Active for [0-9.]+ s: no advert",
                 r"  priority 200, preempt, VRRPv3, interval 100 ms, from 10\.77\.0\.11",
                 rf"  Active Router: this one, next advert in {NUMBER} ms, lease for {NUMBER} ms",
                 r"  virtual addresses: 10\.77\.0\.100/24 \(installed\) 10\.77\.0\.101/32 \(installed\)",
                 r"  interface eth0, XDP native: asked for"):
        assert re.search(f"^{line}$", text, re.M), text
    assert len(text.splitlines()) == 5
    assert pair.r1.alive()


def test_status_of_a_backup_router(lab):
    """As above, with the Active router as it was last heard and the time that is left."""
    attach_pair(lab, "--no-preempt", mode="skb")
    vr = status_of(lab, "r2")
    fixed = {"state": "Backup", "why": "startup", "priority": 100, "preempt": False, "source": "10.77.0.12",
             "xdp_mode": "generic", "xdp_mode_why": "asked for", "next_advert_in_ms": None, "lease_ms": None,
             "vips": [vip_json(lab.VIP_CIDR, False)]}
    assert {key: vr[key] for key in fixed} == fixed
    active = vr["active_router"]
    assert {key: active[key] for key in active if key != "last_advert_ms_ago"} == {
        "address": "10.77.0.11", "priority": 200, "advert_int_ms": ADVERT_MS, "self": False}
    assert 0 <= active["last_advert_ms_ago"] < DOWN_MS["r2"]
    assert 0 < vr["active_down_in_ms"] <= DOWN_MS["r2"]
    assert active["last_advert_ms_ago"] + vr["active_down_in_ms"] == pytest.approx(DOWN_MS["r2"], abs=0.01)
    text = text_of(lab, "r2")
    for line in (r"eth0/51: Backup for [0-9.]+ s: startup",
                 r"  priority 100, no preempt, VRRPv3, interval 100 ms, from 10\.77\.0\.12",
                 rf"  Active Router: 10\.77\.0\.11, priority 200, interval 100 ms, last advert {NUMBER} ms ago",
                 rf"  Active_Down_Timer: in {NUMBER} ms",
                 r"  virtual addresses: 10\.77\.0\.100/24",
                 r"  interface eth0, XDP generic: asked for"):
        assert re.search(f"^{line}$", text, re.M), text
    assert len(text.splitlines()) == 6


def test_status_of_a_backup_that_has_heard_nobody(lab):
    """No Active router is made up."""
    attach(lab, "r1", 1, advert_ms=40000).wait_log("Initialize -> Backup")
    vr = status_of(lab, "r1")
    assert vr["active_router"] is None
    assert 0 < vr["active_down_in_ms"] <= 160000
    assert "  Active Router: none heard\n" in text_of(lab, "r1")


def test_status_of_a_router_in_initialize(lab):
    """Why it waits is the first thing to know."""
    lab.run("r1", "ip link set dev eth0 down")
    attach(lab, "r1").wait_log("Initialize: link down")
    vr = status_of(lab, "r1")
    assert (vr["state"], vr["why"]) == ("Initialize", "link down")
    assert vr["active_router"] is vr["active_down_in_ms"] is vr["next_advert_in_ms"] is vr["lease_ms"] is None
    interface, = lab.status("r1")["interfaces"]
    assert interface == {"name": "eth0", "ifindex": interface["ifindex"], "up": False, "xdp_mode": "native",
                         "xdp_mode_why": "asked for", "xdp_shared": False}
    assert re.match(r"eth0/51: Initialize for [0-9.]+ s: link down\n", text_of(lab, "r1"))


def test_status_tells_since_when_and_why_after_every_transition(lab):
    """The reason is that of the last transition, and the age starts anew."""
    pair = attach_pair(lab)
    since = status_of(lab, "r2")["since_s"]
    pair.client.wait_advert("r1", count=5)
    assert status_of(lab, "r2")["since_s"] > since
    pair.r1.stop()
    pair.r2.wait_log("-> Active")
    vr = status_of(lab, "r2")
    assert (vr["state"], vr["why"]) == ("Active", "the Active Router left (priority 0)")
    assert vr["since_s"] < since + 4 * ADVERT_MS / 1000
    attach(lab, "r1").wait_log("-> Active")
    lab.wait_state("r2", "Backup")
    assert status_of(lab, "r2")["why"] == "advert of higher priority"


def test_stats_name_every_counter_in_text_and_json(lab):
    """RFC 6527's and the finer ones of the receive rules: the same names and numbers in both forms."""
    pair = attach_pair(lab)
    pair.client.who_has(lab.VIP, lab.routers)
    pair.client.wait_advert("r1", count=3)
    stats = lab.stats("r2")
    assert [(vr["name"], vr["interface"], vr["vrid"]) for vr in stats["virtual_routers"]] == [("eth0/51", "eth0", 51)]
    assert [interface["name"] for interface in stats["interfaces"]] == ["eth0"]
    mine = stats["virtual_routers"][0]["counters"]
    for name in COUNTERS.split():
        assert isinstance(mine[name], int), name
    assert mine["rx_ok"] >= 3 and mine["arp_drop"] == 1 and mine["tx_adverts"] == mine["became_active"] == 0
    text = text_of(lab, "r2", "stats")
    assert re.match("eth0/51:\n", text)
    told = dict(line.split() for line in text.split("eth0:")[0].splitlines()[1:])
    assert set(told) == set(mine)
    assert int(told["arp_drop"]) == 1 and int(told["rx_ok"]) >= mine["rx_ok"]


def test_stats_count_what_an_active_router_sends(lab):
    """SentPriZeroPackets, MasterTransitions and the like of RFC 6527."""
    client = Client(lab)
    attach(lab, "r1").wait_log("-> Active")
    client.wait_advert("r1", count=5)
    now = counters(lab, "r1")
    assert now["tx_adverts"] >= 5
    assert (now["became_active"], now["tx_prio0"], now["tx_errors"]) == (1, 0, 0)


def test_status_joins_the_controllers_of_one_namespace(lab):
    """Two controllers, each with an interface: one answer, and the end of one leaves the other's program and pins in place."""
    lab.run("r1", ["sh", "-c", "ip link add d0 type veth peer name d1 && ip addr add 192.0.2.1/24 dev d0 && "
                               "ip link set d0 up && ip link set d1 up"])
    first = attach(lab, "r1")
    first.wait_log("-> Active")
    second = lab.start_vrrp_xdp("r1", ["attach", "d0", "--vrid", 52, "--vip", "192.0.2.100/24", "--advert-int", 0.1])
    second.wait_log("-> Active")
    told = {vr["name"]: vr["state"] for vr in lab.status("r1")["virtual_routers"]}
    assert told == {"eth0/51": "Active", "d0/52": "Active"}
    assert {vr["name"] for vr in lab.stats("r1")["virtual_routers"]} == set(told)
    assert text_of(lab, "r1").count("Active for ") == 2
    assert first.stop() == 0
    assert [vr["name"] for vr in lab.status("r1")["virtual_routers"]] == ["d0/52"]
    assert "prog" in lab.run("r1", "ip link show dev d0")
    assert "/vr_role" in lab.run("r1", "find /sys/fs/bpf")
    assert second.stop() == 0
    assert "/vr_role" not in lab.run("r1", "find /sys/fs/bpf", check=False).stdout


def test_status_is_json_that_can_be_read_back(lab):
    """One document, nothing else on stdout."""
    attach(lab, "r1").wait_log("-> Active")
    done = cli(lab, "r1", "status", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    assert set(json.loads(done.stdout)) >= {"virtual_routers", "interfaces"}
