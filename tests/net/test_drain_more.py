# SPDX-License-Identifier: GPL-2.0-or-later
"""drain: what a reload makes of it, and long names."""

from routers import cli, transitions

NAME = "N" * 63
FILE = """\
vrrp_instance {name} {{
    interface eth0
    virtual_router_id 51
    version 3
    priority 255
    advert_int 0.1
    {more}
    virtual_ipaddress {{
        {vip}
    }}
}}
"""


def test_a_router_that_a_reload_makes_anew_is_still_drained_and_called_back_by_its_name(lab):
    conf = lab.tmp / "r1.conf"
    conf.write_text(FILE.format(name=NAME, vip=lab.VIP_CIDR, more=""), encoding="ascii")
    r1 = lab.start_vrrp_xdp("r1", ["run", "-f", conf, "--mode", "native"])
    r1.wait_log("-> Active")
    done = cli(lab, "r1", "drain", NAME)
    assert "no other router has taken its addresses over" in done.stderr
    assert cli(lab, "r1", "drain", NAME + NAME).returncode == 2
    conf.write_text(FILE.format(name=NAME, vip=lab.VIP_CIDR, more="unicast_peer { 10.77.0.12 }"), encoding="ascii")
    assert cli(lab, "r1", "reload").returncode == 0
    assert transitions(r1) == ["Initialize -> Active", "Active -> Initialize"]
    assert lab.status("r1")["virtual_routers"][0]["why"] == "drained"
    assert cli(lab, "r1", "undrain", NAME).returncode == 0
    lab.wait_state("r1", "Active")
