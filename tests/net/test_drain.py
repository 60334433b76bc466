# SPDX-License-Identifier: GPL-2.0-or-later
"""drain and undrain: the role is given away without stopping, and the router stays away until it is called back."""

import pytest
from routers import adverts, assert_settled, attach, attach_pair, cli, machine, partition, transitions

AWAY = ["Initialize -> Backup", "Backup -> Active", "Active -> Initialize"]


@pytest.mark.parametrize("which", ["", "eth0", "eth0/51"])
def test_a_drained_active_hands_over_and_stays_away_until_it_is_called_back(lab, which):
    """FSM-A1: priority 0, so that the other need not wait for a silence; back again it preempts as if it had just started."""
    pair = attach_pair(lab)
    pair.client.frames()
    done = cli(lab, "r1", "drain", *which.split())
    assert (done.returncode, done.stderr) == (0, "")
    seen = pair.client.frames()
    assert 0 in [a.priority for a in adverts(lab, "r1", seen)]
    assert adverts(lab, "r2", seen), "drain returned before another router was heard"
    assert_settled(lab, pair.client, "r2")
    assert lab.VIP not in lab.addrs("r1")
    assert lab.status("r1")["virtual_routers"][0]["drained"]
    assert lab.status("r1")["virtual_routers"][0]["why"] == "drained"
    pair.client.wait_advert("r2", count=10)
    assert transitions(pair.r1) == AWAY, "it came back by itself"
    assert cli(lab, "r1", "undrain", *which.split()).returncode == 0
    pair.r1.wait_log("Backup -> Active", since=len(pair.r1.log) - 1)
    assert_settled(lab, pair.client, "r1", ["r2"])
    assert not lab.status("r1")["virtual_routers"][0]["drained"]


def test_a_drained_router_does_not_take_over_when_the_active_dies(lab):
    """To stay away is what the operator has asked for, while the machine is worked on."""
    pair = attach_pair(lab)
    assert cli(lab, "r2", "drain").returncode == 0
    partition(lab, True)
    pair.client.wait_advert("r1", count=10)
    assert transitions(pair.r2) == ["Initialize -> Backup", "Backup -> Initialize"]
    partition(lab, False)
    assert_settled(lab, pair.client, "r1")


def test_draining_the_only_router_is_reported(lab):
    """Never none, unless somebody insists: the addresses are on no router then."""
    proc = attach(lab, "r1")
    proc.wait_log("-> Active")
    done = cli(lab, "r1", "drain", "eth0/51")
    assert done.returncode == 1
    assert "eth0/51: drained, and no other router has taken its addresses over" in done.stderr
    assert "vrrp-xdp undrain eth0/51" in done.stderr
    assert cli(lab, "r1", "undrain", "eth0/51").returncode == 0
    lab.wait_state("r1", "Active")


@pytest.mark.parametrize("which", ["eth1", "eth0/52", "eth0/510", "eth"])
def test_an_unknown_router_is_not_drained(lab, which):
    pair = attach_pair(lab)
    before = machine(lab, "r1")
    done = cli(lab, "r1", "drain", which)
    assert done.returncode == 2
    assert f"{which}: no virtual router of that name or interface" in done.stderr
    assert machine(lab, "r1") == before
    assert_settled(lab, pair.client, "r1", ["r2"])


def test_nobody_there_to_be_drained(lab):
    done = cli(lab, "r1", "drain")
    assert done.returncode == 1 and "no vrrp-xdp answers" in done.stderr
    assert cli(lab, "r1", "undrain", "a", "b").returncode == 2


GROUP = """
vrrp_sync_group G {{ group {{
 A
 B
}} }}
{instances}
"""
INSTANCE = """
vrrp_instance {name} {{
    state BACKUP
    interface eth0
    version 3
    virtual_router_id {vrid}
    priority {priority}
    advert_int 0.1
    virtual_ipaddress {{ {vip} }}
}}
"""


def test_one_of_a_sync_group_takes_the_others_along_and_scripts_are_told(lab):
    """KA-26, KA-30."""
    both = {}
    for router, priority in (("r1", 200), ("r2", 100)):
        conf = lab.tmp / f"{router}.conf"
        text = GROUP.format(instances="".join(INSTANCE.format(name=n, vrid=v, priority=priority, vip=vip) for n, v, vip in (
            ("A", 51, lab.VIP_CIDR), ("B", 52, "10.77.0.101/24"))))
        told = lab.tmp / f"{router}.told"
        script = lab.tmp / f"{router}.sh"
        script.write_text(f"#!/bin/sh\necho $1 $2 $3 >> {told}\n", encoding="ascii")
        script.chmod(0o755)
        conf.write_text(text.replace("vrrp_instance A {", f"vrrp_instance A {{\n    notify {script}"), encoding="ascii")
        both[router] = (lab.start_vrrp_xdp(router, ["run", "-f", conf, "--mode", "native"]), told)
        if router == "r1":
            for name in "AB":
                lab.wait_state("r1", "Active", name=name)
    for name in "AB":
        lab.wait_state("r2", "Backup", name=name)
    assert cli(lab, "r1", "drain", "A").returncode == 0
    for name in "AB":
        lab.wait_state("r2", "Active", name=name)
        lab.wait_state("r1", "Initialize", name=name)
    lab.wait_until(lambda: "INSTANCE A FAULT" in both["r1"][1].read_text(), what="the script's FAULT")
    since = both["r1"][0].mark()
    lab.run("r1", ["kill", "-HUP", str(both["r1"][0].pid)])
    both["r1"][0].wait_log("Reload finished", since=since)
    assert lab.state("r1", "A") == "Initialize", "a reload called it back"
    assert cli(lab, "r1", "undrain", "A").returncode == 0
    for name in "AB":
        lab.wait_state("r1", "Active", name=name)
