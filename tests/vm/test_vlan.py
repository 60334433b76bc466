# SPDX-License-Identifier: GPL-2.0-or-later
"""Tagged virtual routers on their parent's XDP program (RX-40), with the kernel's own VLAN devices.

r1's cable carries VLAN 100 and 200 beside untagged frames. At the switch each has a bridge of its own; the other routers and
clients are in the untagged one until a test moves them.
"""

import pytest
from devices import ip
from routers import Client, attach, counters

VIDS = (100, 200)
MS = 200


def tag_in_the_frame(lab, host, dev):
    """veth hands a tag over beside the frame unless told otherwise, and XDP does not see it."""
    lab.run(host, f"ethtool -K {dev} txvlan off rxvlan off")


@pytest.fixture(name="trunk")
def make_trunk(lab):
    """VLAN devices on r1, and a bridge per VLAN at the switch."""
    for vid in VIDS:
        ip(lab, "r1", f"link add link eth0 name eth0.{vid} type vlan id {vid}", f"addr add 10.77.{vid}.11/24 dev eth0.{vid}",
           f"link set eth0.{vid} up")
        ip(lab, "sw", f"link add br{vid} type bridge", f"link set br{vid} up",
           f"link add link r1 name r1.{vid} type vlan id {vid}", f"link set r1.{vid} master br{vid}", f"link set r1.{vid} up")
    tag_in_the_frame(lab, "r1", "eth0")
    tag_in_the_frame(lab, "sw", "r1")
    return lab


def move(lab, host, vid, addr):
    """A host into a VLAN, as at an access port."""
    ip(lab, "sw", f"link set {host} master br{vid}")
    ip(lab, host, f"addr add {addr} dev eth0")


def attach_tagged(lab, vid, *flags, mode="native", vips=("10.77.100.100/24",)):
    r1 = attach(lab, "r1", 100, "--vlan", vid, *flags, mode=mode, advert_ms=MS, vips=vips)
    r1.wait_log("-> Active", 30)
    return r1



@pytest.mark.parametrize("mode", [pytest.param("native", marks=pytest.mark.smoke), "skb"])
def test_a_tagged_router_speaks_and_hears_in_its_vlan(trunk, mode):
    lab = trunk
    move(lab, "client", 100, "10.77.100.99/24")
    move(lab, "r2", 100, "10.77.100.12/24")
    r1 = attach_tagged(lab, 100, mode=mode)
    r1.wait_log("eth0.100: frames with VLAN tag 100 are looked at on eth0")
    assert "rx-vlan-offload" not in "\n".join(r1.log)
    before = counters(lab, "r1")["arp_reply"]
    lab.run("client", "ping -c 2 -W 5 10.77.100.100")
    assert counters(lab, "r1")["arp_reply"] > before, "the kernel answered and not the program"
    assert "10.77.100.100" in lab.addrs("r1", "eth0.100")
    r2 = attach(lab, "r2", 200, advert_ms=MS, vips=("10.77.100.100/24",))
    r1.wait_log("Active -> Backup", 30)
    r2.kill()
    r1.wait_log("Backup -> Active: no advert", 30)
    lab.run("client", "ping -c 2 -W 5 10.77.100.100")
    assert r1.stop() == 0
    assert "10.77.100.100" not in lab.addrs("r1", "eth0.100")
    assert "xdp" not in lab.run("r1", "ip link show dev eth0")


def test_one_vrid_in_three_vlans_is_three_routers(trunk):
    """RX-40, SEC-15: a better router in VLAN 100 is heard there, and neither untagged nor in VLAN 200."""
    lab = trunk
    blocks = [("U", "", "10.77.0.100/24"), ("V100", "xdp_vlan 100", "10.77.100.100/24"), ("V200", "xdp_vlan 200", "10.77.200.100/24")]
    path = lab.tmp / "three.conf"
    path.write_text("global_defs {\n xdp_mode native\n}\n" + "".join(f"""vrrp_instance {name} {{
    interface eth0
    {vlan}
    virtual_router_id 51
    version 3
    advert_int 0.2
    virtual_ipaddress {{
        {vip}
    }}
}}
""" for name, vlan, vip in blocks), encoding="utf-8")
    r1 = lab.start_vrrp_xdp("r1", ["run", "-f", path])
    for name, _vlan, _vip in blocks:
        r1.wait_log(f"{name}: Backup -> Active", 30)
    move(lab, "r2", 100, "10.77.100.12/24")
    since = r1.mark()
    r2 = attach(lab, "r2", 200, advert_ms=MS, vips=("10.77.100.100/24",))
    r1.wait_log("V100: Active -> Backup", 30, since)
    lab.wait_until(lambda: counters(lab, "r1", "V100")["rx_ok"] >= 5, 30)
    assert not [line for line in r1.log[since:] if line.startswith(("U: ", "V200: ")) and "->" in line]
    for name in ("U", "V200"):
        stats = next(vr["counters"] for vr in lab.stats("r1")["virtual_routers"] if vr["name"] == name)
        assert stats["rx_ok"] == 0
    r2.kill()
    r1.wait_log("V100: Backup -> Active", 30, since)
    client = Client(lab)
    assert client.who_has(lab.VIP, ["r1"]) == [lab.mac("r1")]
    assert r1.stop() == 0


def test_offload_that_hides_tags_is_said_with_the_remedy(trunk):
    lab = trunk
    lab.run("r1", "ethtool -K eth0 rxvlan on")
    r1 = attach_tagged(lab, 100)
    r1.wait_log("eth0: rx-vlan-offload takes VLAN tags out of frames before XDP sees them: .*ethtool -K eth0 rxvlan off")
    assert r1.stop() == 0


def test_offload_is_said_of_an_untagged_router_when_a_vlan_device_comes(trunk):
    lab = trunk
    lab.run("r1", "ethtool -K eth0 rxvlan on")
    for vid in VIDS:
        ip(lab, "r1", f"link del eth0.{vid}")
    r1 = attach(lab, "r1", 100, advert_ms=MS)
    r1.wait_log("-> Active", 30)
    assert "rx-vlan-offload" not in "\n".join(r1.log)
    ip(lab, "r1", "link add link eth0 name eth0.300 type vlan id 300")
    r1.wait_log("rx-vlan-offload")
    assert r1.stop() == 0


def test_a_vlan_device_that_is_not_the_parents_is_said(trunk):
    lab = trunk
    ip(lab, "r1", "link del eth0.100", "link add link eth0 name eth0.100 type vlan id 101", "addr add 10.77.100.11/24 dev eth0.100",
       "link set eth0.100 up")
    r1 = attach(lab, "r1", 100, "--vlan", 100, advert_ms=MS, vips=("10.77.100.100/24",))
    r1.wait_log("Initialize: the interface is not the VLAN device of that id on its parent")
    assert r1.stop() == 0


def test_without_its_vlan_device_it_does_not_start(lab):
    r1 = attach(lab, "r1", 100, "--vlan", 100, advert_ms=MS, vips=("10.77.100.100/24",))
    assert r1.wait(30) == 2
    assert "eth0.100: no such interface" in "\n".join(r1.log)


def test_a_vlan_device_that_goes_and_comes_back(trunk):
    lab = trunk
    r1 = attach_tagged(lab, 100)
    since = r1.mark()
    ip(lab, "r1", "link del eth0.100")
    r1.wait_log("Active -> Initialize", 30, since)
    ip(lab, "r1", "link add link eth0 name eth0.100 type vlan id 100", "addr add 10.77.100.11/24 dev eth0.100", "link set eth0.100 up")
    r1.wait_log("Backup -> Active", 30, since)
    move(lab, "client", 100, "10.77.100.99/24")
    lab.run("client", "ping -c 2 -W 5 10.77.100.100")
    assert r1.stop() == 0


def test_ipv6_in_a_vlan(trunk):
    lab = trunk
    move(lab, "client", 100, "fd00::99/64")
    lab.wait_until(lambda: "tentative" not in lab.run("r1", "ip -6 addr show dev eth0.100"), 30)
    r1 = attach_tagged(lab, 100, vips=("fe80::51/64", "fd00::4/64"))
    lab.wait_until(lambda: "tentative" not in lab.run("client", "ip -6 addr show dev eth0"), 30)
    before = counters(lab, "r1")["nd_reply"]
    lab.run("client", "ping -6 -c 2 -W 5 fd00::4")
    assert counters(lab, "r1")["nd_reply"] > before
    assert r1.stop() == 0
