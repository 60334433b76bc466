# SPDX-License-Identifier: GPL-2.0-or-later
"""`run -f`: every virtual router of a keepalived.conf, beside itself and beside keepalived with the same file."""

import re

import pytest
from lab import ROOT, Lab
from routers import Client, attach, counters, transitions
from together import played

VIPS = {"A": "10.77.0.100", "B": "10.77.0.101"}

TWO_INSTANCES = """\
global_defs {{
    router_id {name}
    frobnicate yes
}}
vrrp_instance A {{
    interface eth0
    virtual_router_id 51
    version 3
    priority {a}
    advert_int 0.1
    weird_word 5
    virtual_ipaddress {{
        10.77.0.100/24
    }}
}}
virtual_server 10.77.0.100 80 {{
    delay_loop 6
    real_server 10.0.0.1 80 {{
        weight 1
    }}
}}
vrrp_instance B {{
    interface eth0
    virtual_router_id 52
    version 3
    priority {b}
    advert_int 0.1
    virtual_ipaddress {{
        10.77.0.101/24
    }}
}}
"""


def run(lab, router, text, *flags):
    path = lab.tmp / f"{router}.conf"
    path.write_text(text, encoding="utf-8")
    return path, lab.start_vrrp_xdp(router, ["run", "-f", path, *flags])


def run_crosswise(lab):
    """r1 is better for A, r2 for B."""
    path, r1 = run(lab, "r1", TWO_INSTANCES.format(name="r1", a=200, b=100), "--mode", "native")
    _, r2 = run(lab, "r2", TWO_INSTANCES.format(name="r2", a=100, b=200), "--mode", "native")
    return path, {"r1": r1, "r2": r2}


def assert_owners(lab, client, owner_of):
    for name, owner in owner_of.items():
        other = {"r1": "r2", "r2": "r1"}[owner]
        lab.wait_state(other, "Backup", name=name)
        lab.wait_state(owner, "Active", name=name)
        assert client.who_has(VIPS[name], lab.routers) == [lab.mac(owner)]
        assert {router for router in lab.routers if VIPS[name] in lab.addrs(router)} == {owner}
        lab.run("client", f"ping -c 1 -W 2 {VIPS[name]}")


def test_two_instances_on_one_interface_are_active_crosswise(lab):
    """Section 0: a virtual router is an interface and a VRID; each has its own election, address and counters."""
    client = Client(lab)
    _, procs = run_crosswise(lab)
    assert_owners(lab, client, {"A": "r1", "B": "r2"})
    client.wait_advert("r1", vrid=51, count=5)
    client.wait_advert("r2", vrid=52, count=5)
    for router, mine, other in (("r1", "A", "B"), ("r2", "B", "A")):
        assert counters(lab, router, mine)["arp_reply"] > 0
        assert counters(lab, router, other)["arp_reply"] == 0
        assert counters(lab, router, other)["rx_absorbed"] > 0
    since = procs["r2"].mark()
    lab.cut_cable("r1")
    procs["r2"].wait_log("A: Backup -> Active", since=since)
    procs["r1"].wait_log("A: Active -> Initialize: link down")
    procs["r1"].wait_log("B: Backup -> Initialize: link down")
    for addr in VIPS.values():
        lab.run("client", f"ping -c 1 -W 2 {addr}")
    lab.plug("r1")
    assert_owners(lab, client, {"A": "r1", "B": "r2"})
    assert procs["r1"].stop() == 0
    lab.wait_state("r2", "Active", name="A")
    assert not set(VIPS.values()) & set(lab.addrs("r1"))


def test_what_is_not_known_is_named_with_file_and_line_and_skipped(lab):
    """Blocks with what is in them, and words; the rest of the file runs."""
    path, proc = run(lab, "r1", TWO_INSTANCES.format(name="r1", a=200, b=100))
    proc.wait_log("A: Backup -> Active")
    proc.wait_log("B: Backup -> Active")
    warnings = [line for line in proc.log if line.startswith(f"{path}:")]
    assert [int(re.match(r".*?:(\d+):\d+: ", line).group(1)) for line in warnings] == [3, 11, 16]
    assert [re.search('"([^"]*)"', line).group(1) for line in warnings] == ["frobnicate", "weird_word", "virtual_server"]
    assert "is skipped: IPVS and health checking" in warnings[2]


@pytest.mark.parametrize("change, where, what", [
    (("        10.77.0.101/24", "        10.77.0.400\n        10.77.0.101/24"), "29:9", '"10.77.0.400" is not an IP address'),
    (("    priority 100\n", "    priority 300\n"), "26:14", "300 is outside"),
    (("101/24\n    }\n}\n", "101/24\n    }\n"), "22:1", 'has no closing "}"'),
])
def test_a_mistake_that_keepalived_survives_is_named_and_survived(lab, change, where, what):
    """Spec 7: what is left of the file runs, and the message says where it is wrong."""
    path, proc = run(lab, "r1", TWO_INSTANCES.format(name="r1", a=200, b=100).replace(*change))
    proc.wait_log("A: Backup -> Active")
    proc.wait_log("B: Backup -> Active")
    said, = (line for line in proc.log if line.startswith(f"{path}:{where}: "))
    assert what in said
    assert {vr["name"]: vr["vips"][0]["address"] for vr in lab.status("r1")["virtual_routers"]} == \
        {"A": "10.77.0.100/24", "B": "10.77.0.101/24"}


def test_the_default_mode_is_generic_on_veth_and_says_why(lab):
    """Design: veth loses what a program sends back unless its peer runs one."""
    _, proc = run(lab, "r1", TWO_INSTANCES.format(name="r1", a=200, b=100))
    proc.wait_log("eth0: XDP attached in generic mode: veth loses XDP_TX frames")
    proc.wait_log("A: Backup -> Active")
    assert "xdpgeneric" in lab.run("r1", "ip link show dev eth0")


def test_a_second_controller_for_the_interface_of_a_file_is_refused(lab):
    """One controller per interface: the message names the file way."""
    _, proc = run(lab, "r1", TWO_INSTANCES.format(name="r1", a=200, b=100))
    proc.wait_log("A: Backup -> Active")
    second = attach(lab, "r1", 100, vips=("10.77.0.103/24",))
    assert second.wait() == 1
    assert re.search(rf"process {proc.worker}; .*`vrrp-xdp run`", second.log[0])


# ---- with keepalived on the other side ----

def seed(which):
    """A configuration found in the wild, VRRPv2 with a password and a second between adverts, on our interface."""
    return (ROOT / "tests" / "conf" / f"thinlinc-{which}.conf").read_text(encoding="utf-8").replace("ens192", "eth0")


def play(primary):
    """The better of the two is `primary`; the other program runs the worse one."""
    vip = "10.0.0.4"
    with Lab() as lab:
        client = Client(lab)

        def start(router, which, program):
            if program == "keepalived":
                return lab.start_keepalived(router, seed(which))
            return run(lab, router, seed(which), "--mode", "native")[1]

        def assert_owner(router):
            lab.wait_addr(router, vip)
            lab.wait_addr({"r1": "r2", "r2": "r1"}[router], vip, present=False)
            assert client.who_has(vip, lab.routers) == [lab.mac(router)]

        other = {"keepalived": "vrrp-xdp", "vrrp-xdp": "keepalived"}[primary]
        first = start("r1", "primary", primary)
        lab.wait_addr("r1", vip)
        second = start("r2", "secondary", other)
        second.wait_log("Entering BACKUP STATE|-> Backup")
        client.wait_advert("r1", count=2)
        assert_owner("r1")
        first.end()
        lab.wait_addr("r2", vip)
        first.wait()
        assert_owner("r2")
        start("r1", "primary", primary)
        assert_owner("r1")
        second.wait_log("Active -> Backup: advert of higher priority|received advert from 10.77.0.11 with higher priority")
        return transitions(second) if other == "vrrp-xdp" else []


results = played(play, "primary")


@pytest.mark.parametrize("primary", ["vrrp-xdp", "keepalived"])
def test_a_keepalived_conf_from_the_wild_works_against_keepalived(results, primary):
    """WF-7, KA-2, KA-13, FSM-A4, FSM-B3: takeover at a clean stop, and back."""
    assert results(primary) in ([], ["Initialize -> Backup", "Backup -> Active", "Active -> Backup"])
