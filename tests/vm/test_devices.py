# SPDX-License-Identifier: GPL-2.0-or-later
"""Every kind of interface that a guest can have, in native and in generic mode: docs/nics.md is the result."""

import os
import re

import pytest
from devices import KINDS, VID, become, ip
from routers import Client, assert_settled, attach, counters

KERNEL = tuple(int(n) for n in os.uname().release.split(".")[:2])
RELAXED = 200  # ms: frames through emulated NICs take their time
NATIVE = {"veth", "tap", "virtio_net"} | ({"vmxnet3"} if KERNEL >= (6, 6) else set())


def assert_answers(lab, client):
    """The program itself answers, once, and hosts reach the address."""
    before = counters(lab, "r1")["arp_reply"]
    assert client.who_has(lab.VIP, ["r1"]) == [lab.mac("r1")]
    assert counters(lab, "r1")["arp_reply"] == before + 1, "the kernel answered and not the program"
    lab.run("client", f"ping -c 1 -W 5 {lab.VIP}")


def play(lab, mode):
    """r1 is Active, yields to a better router whose adverts its program hears, and takes over when that one falls silent."""
    client = Client(lab)
    r1 = attach(lab, "r1", 100, mode=mode, advert_ms=RELAXED)
    r1.wait_log("-> Active", 30)
    assert_answers(lab, client)
    r2 = attach(lab, "r2", 200, mode="native", advert_ms=RELAXED)
    r1.wait_log("Active -> Backup", 30)
    r2.wait_log("-> Active")
    assert_settled(lab, client, "r2", ["r1"])
    since = r1.mark()
    r2.kill()
    r1.wait_log("Backup -> Active: no advert", 30, since)
    assert_answers(lab, client)
    assert counters(lab, "r1")["rx_ok"] > 0
    assert r1.stop() == 0
    assert "xdp" not in lab.run("r1", "ip link show dev eth0")
    return r1


@pytest.mark.parametrize("kind", list(KINDS))
def test_native_mode(lab, kind):
    become(lab, "r1", kind)
    if kind in NATIVE:
        assert re.search("XDP attached in native mode", "\n".join(play(lab, "native").log))
    else:
        r1 = attach(lab, "r1", mode="native")
        r1.wait_log("eth0: .*native.*use --mode")
        assert r1.wait() != 0


@pytest.mark.parametrize("kind", list(KINDS))
def test_generic_mode(lab, kind):
    become(lab, "r1", kind)
    play(lab, "skb")


@pytest.mark.parametrize("kind", list(KINDS))
def test_auto_mode_takes_what_works(lab, kind):
    become(lab, "r1", kind)
    log = "\n".join(play(lab, "auto").log)
    assert re.search("in native mode", log) if kind in NATIVE - {"veth"} else re.search("in generic mode", log)


@pytest.mark.parametrize("kind", ["bond active-backup", "bond 802.3ad"])
def test_a_bond_that_loses_a_cable_keeps_the_router_active(lab, kind):
    become(lab, "r1", kind)
    client, r1 = Client(lab), attach(lab, "r1", mode="skb", advert_ms=RELAXED)
    r1.wait_log("-> Active", 30)
    assert_answers(lab, client)
    since = r1.mark()
    for lost in ("r1", "r1b"):
        ip(lab, "sw", f"link set {lost} down")
        lab.wait_until(lambda: not lab.run("client", f"ping -c 1 -W 1 {lab.ip('r1')}", check=False).returncode, 30)
        client.wait_advert("r1", count=2)
        assert_answers(lab, client)
        ip(lab, "sw", f"link set {lost} up")  # the other one is next
        lab.wait_until(lambda: lab.run("r1", "cat /proc/net/bonding/eth0").count("MII Status: up") == 3, 30)
    assert not [line for line in r1.log[since:] if "->" in line]


def test_a_configuration_names_a_vlan_device(lab):
    """`run` on eth0.100, as it has always been possible: generic mode on the device itself."""
    ip(lab, "r1", f"link add link eth0 name eth0.{VID} type vlan id {VID}", "addr flush dev eth0",
       f"addr add {lab.ip('r1')}/24 dev eth0.{VID}", f"link set eth0.{VID} up")
    ip(lab, "sw", "link set r1 nomaster", f"link add link r1 name r1.{VID} type vlan id {VID}",
       f"link set r1.{VID} master br0", f"link set r1.{VID} up")
    path = lab.tmp / "vlan.conf"
    path.write_text(f"""vrrp_instance A {{
    interface eth0.{VID}
    virtual_router_id 51
    version 3
    advert_int 0.2
    virtual_ipaddress {{
        {lab.VIP_CIDR}
    }}
}}
""", encoding="utf-8")
    r1 = lab.start_vrrp_xdp("r1", ["run", "-f", path])
    r1.wait_log(f"eth0.{VID}: XDP attached in generic mode")
    r1.wait_log("-> Active")
    assert_answers(lab, Client(lab))
    assert r1.stop() == 0
