# SPDX-License-Identifier: GPL-2.0-or-later
"""News of route netlink that were lost behind others that were not: what is read anew is newer than those."""

from routers import transitions

FILE = """\
vrrp_instance A {{
    interface eth0
    virtual_router_id 51
    version 3
    priority 200
    advert_int 0.1
    track_interface {{
        d0
    }}
    virtual_ipaddress {{
        {vip}
    }}
}}
"""


def test_what_came_before_the_loss_does_not_undo_what_was_read_after_it(lab):
    """The receive queue still holds that a link went down; that it came up again was lost, as all is until the queue is empty."""
    lab.run("r1", ["sh", "-c", "ip link add d0 type veth peer name d1 && ip link set d0 up && ip link set d1 up"])
    conf = lab.tmp / "r1.conf"
    conf.write_text(FILE.format(vip=lab.VIP_CIDR), encoding="ascii")
    r1 = lab.start_vrrp_xdp("r1", ["run", "-f", conf, "--mode", "native"])
    r1.wait_log("-> Active")
    many = [f"addr {what} 10.{i // 250}.{i % 250}.1/32 dev lo" for i in range(20000) for what in ("add", "del")]
    changes = lab.tmp / "changes"
    changes.write_text("\n".join([*many[:400], "link set dev d0 down", *many[400:], "link set dev d0 up", ""]), encoding="ascii")
    r1.freeze()
    lab.run("r1", ["ip", "-batch", changes], timeout=60)
    since = r1.mark()
    r1.thaw()
    r1.wait_log("route netlink lost notifications: reading links and addresses anew", since=since)
    lab.run("r1", f"ip addr del {lab.VIP_CIDR} dev eth0")
    r1.wait_log(f"somebody removed {lab.VIP_CIDR} from eth0; put back", since=since)
    assert transitions(r1, since) == []
