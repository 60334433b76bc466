# SPDX-License-Identifier: GPL-2.0-or-later
"""`vrrp-xdp restart` where other kernels than the build machine's are needed: behind libxdp's dispatcher, and with VLAN devices."""

import pytest
from routers import Client, attach, cli, transitions, xdp
from test_dispatcher import Party
from test_vlan import MS, VIDS, make_trunk, move  # noqa: F401; pylint: disable=unused-import


def restart(lab):
    done = cli(lab, "r1", "restart", timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.lan(routers=1)
def test_a_restarted_router_shares_the_nic_as_before(lab):
    """The program is found behind the dispatcher, stays there when others come and go, is put back, and leaves alone."""
    party = Party(lab)
    for who in ("vrrp", "filter"):
        party.attach(who)
    restart(lab)
    party.assert_works()
    party.attach("pass")
    restart(lab)
    party.assert_works()
    party.detach("filter")
    party.assert_works()
    since = party.router.mark()
    lab.run("r1", "xdp-loader unload eth0 --all")
    party.there = {"vrrp"}
    party.router.wait_log("put back", 30, since=since)
    restart(lab)
    party.assert_works()
    party.detach("vrrp")
    assert not xdp(lab, "r1")


def test_routers_in_vlans_go_on(trunk):
    """Their frames are looked at on the parent, their addresses are on the VLAN devices."""
    lab = trunk
    path = lab.tmp / "vlans.conf"
    path.write_text("global_defs {\n xdp_mode native\n}\n" + "".join(f"""vrrp_instance V{vid} {{
    interface eth0
    xdp_vlan {vid}
    virtual_router_id 51
    version 3
    advert_int {MS / 1000}
    virtual_ipaddress {{
        10.77.{vid}.100/24
    }}
}}
""" for vid in VIDS), encoding="utf-8")
    r1 = lab.start_vrrp_xdp("r1", ["run", "-f", path])
    for vid in VIDS:
        r1.wait_log(f"V{vid}: Backup -> Active", 30)
    move(lab, "r2", 100, "10.77.100.12/24")
    move(lab, "client", 100, "10.77.100.99/24")
    r2 = attach(lab, "r2", 50, advert_ms=MS, vips=("10.77.100.100/24",))
    r2.wait_log("the Active Router is 10.77.100.11", 30)
    since = r1.mark(), r2.mark()
    for _ in range(3):
        restart(lab)
    Client(lab).wait_advert("r1", 30, count=3)
    assert not transitions(r1, since[0]) and not transitions(r2, since[1])
    lab.run("client", "ping -c 2 -W 5 10.77.100.100")
    assert r1.stop() == 0
    for vid in VIDS:
        assert f"10.77.{vid}.100" not in lab.addrs("r1", f"eth0.{vid}")
    assert not xdp(lab, "r1")
