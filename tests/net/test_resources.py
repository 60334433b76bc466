# SPDX-License-Identifier: GPL-2.0-or-later
"""What a router needs is taken from it: memory, descriptors, room in queues, the bpffs. It says so, survives, and recovers."""

import re

import frames
import pytest
from lab import BINARY
from proc import LabError
from routers import Client, active_routers, assert_settled, attach, attach_pair, counters, machine, transitions

START = ["attach", "eth0", "--vrid", 51, "--vip", "10.77.0.100/24", "--advert-int", 0.1, "--mode", "native", "--priority", 255]


def limited(lab, what):
    """Starts a router under a limit of prlimit(1): whether it runs, and what it said; it leaves nothing behind in either case."""
    before = machine(lab, "r1")
    proc = lab.popen("r1", ["prlimit", what, str(BINARY), *START])
    try:
        proc.wait_log("-> Active", timeout=10)
        runs = True
        assert proc.stop() == 0
    except LabError:
        runs = False
        assert proc.wait() > 0, f"{what}: ended by signal {-proc.wait()}: {proc.log}"
        assert proc.log, f"{what}: failed without a word"
    assert machine(lab, "r1") == before, (what, proc.log)
    return runs


@pytest.mark.parametrize("resource, values", [("--nofile", [4, 16, 28, 64, 511, 512]), ("--as", range(3 << 20, 13 << 20, 1 << 20))])
def test_a_start_without_descriptors_or_memory_fails_with_a_word_and_leaves_nothing(lab, resource, values):
    """From the first limit under which it cannot even load its libraries to the first under which it runs."""
    ran = [limited(lab, f"{resource}={value}") for value in values]
    assert False in ran and True in ran, "the limits are too low or too high to show anything"
    assert ran == sorted(ran), "it runs with less and not with more"


def test_news_of_addresses_that_were_lost_are_made_up_for(lab):
    """ENOBUFS on route netlink: what somebody took away in between is put back."""
    pair = attach_pair(lab)
    changes = lab.tmp / "changes"
    lines = [f"addr {what} 10.{i // 250}.{i % 250}.1/32 dev lo" for i in range(20000) for what in ("add", "del")]
    lines.insert(len(lines) // 2, f"addr del {lab.VIP_CIDR} dev eth0")
    changes.write_text("\n".join(lines) + "\n", encoding="ascii")
    pair.r1.freeze()
    lab.run("r1", ["ip", "-batch", changes], timeout=60)
    pair.r1.thaw()
    pair.r1.wait_log("route netlink lost notifications: reading links and addresses anew")
    assert_settled(lab, pair.client, "r1", ["r2"])


def test_somebody_who_changes_addresses_all_the_time_does_not_keep_adverts_from_being_sent(lab):
    """Two adverts of 100 ms are never further apart than a third."""
    pair = attach_pair(lab)
    storm = lab.popen("r1", ["sh", "-c", "while :; do for i in 1 2 3 4 5 6 7 8; do echo addr add 10.1.0.$i/32 dev lo; "
                             "echo addr del 10.1.0.$i/32 dev lo; done; done | ip -batch -"])
    pair.client.frames()
    last = None
    for _ in range(20):
        frame = pair.client.wait_advert("r1")
        assert last is None or frame.t - last < 300e6
        last = frame.t
    storm.kill()
    assert transitions(pair.r1) == ["Initialize -> Backup", "Backup -> Active"]
    assert_settled(lab, pair.client, "r1", ["r2"])


def test_adverts_that_cannot_be_sent_are_said_once_and_the_router_falls_silent_until_they_can(lab):
    """Design: a failed send does not extend the lease. Twenty addresses make an advert that a queue of 100 bytes does not take; it takes ARP."""
    vips = [f"10.77.0.{n}/24" for n in range(100, 120)]
    pair = attach_pair(lab, vips=vips)
    since = pair.r1.mark()
    lab.run("r1", "tc qdisc replace dev eth0 root bfifo limit 100")
    pair.r1.wait_log(r"eth0: cannot send: No buffer space available", since=since)
    lab.wait_state("r2", "Active")
    assert pair.client.who_has(lab.VIP, ["r1", "r2"]) == [lab.mac("r2")]
    lab.wait_until(lambda: counters(lab, "r1")["tx_errors"] >= 10, what="more attempts")
    assert len([line for line in pair.r1.log[since:] if "cannot send" in line]) == 1
    lab.run("r1", "tc qdisc del dev eth0 root")
    lab.wait_until(lambda: active_routers(lab) == ["r1"], what="the way back")
    assert_settled(lab, pair.client, "r1", ["r2"])


MANY = 255


def many(router, priority):
    instances = "".join(f"""
vrrp_instance V{n} {{
    interface eth0
    version 3
    virtual_router_id {n}
    priority {priority}
    advert_int 1
    virtual_ipaddress {{ 10.78.0.{n}/16 }}
}}
""" for n in range(1, MANY + 1))
    return f"global_defs {{\n router_id {router}\n}}\n{instances}"


def test_events_that_did_not_fit_into_the_ring_buffer_are_counted_and_their_routers_settle(lab):
    """A frozen controller does not read; its routers hear more than the ring holds: some of those that were to yield do it later."""
    conf = lab.tmp / "r1.conf"
    conf.write_text(many("r1", 200), encoding="ascii")
    proc = lab.start_vrrp_xdp("r1", ["run", "-f", conf, "--mode", "native"])
    for n in (1, MANY):
        lab.wait_state("r1", "Active", name=f"V{n}", timeout=20)
    client = Client(lab)
    crafted = [frames.advert(eth_src="02:77:00:00:00:fe", src="10.77.0.254", vrid=n, priority=priority, vips=(f"10.78.0.{n}",),
                             interval=100) for priority in (100, 0, 254) for n in range(1, MANY + 1)]
    proc.freeze()
    for _ in range(10):
        client.send(*crafted)
    client.send(*[crafted[-1]] * 10)
    proc.thaw()

    def lost():
        return sum(vr["counters"]["ev_lost"] for vr in lab.stats("r1")["virtual_routers"])

    lab.wait_until(lambda: lost() > 0, 20, "lost events")
    for n in range(1, MANY + 1):
        lab.wait_state("r1", "Active", name=f"V{n}", timeout=30)
    assert proc.alive()


def test_the_bpffs_is_unmounted_under_a_running_router(lab):
    """Its program, maps and timers are held by descriptors as well."""
    pair = attach_pair(lab)
    before = machine(lab, "client")
    for router in lab.routers:
        lab.run(router, "umount -l /sys/fs/bpf")
    lab.cut_cable("r1")
    lab.wait_state("r2", "Active")
    lab.plug("r1")
    lab.wait_until(lambda: active_routers(lab) == ["r1"], 15, "the way back")
    assert pair.r1.stop() == 0
    assert not re.search(r"\bxdp\b|prog/xdp", lab.run("r1", "ip link show dev eth0"))
    assert lab.VIP not in lab.addrs("r1")
    attach(lab, "r1").wait_log("-> Active")
    assert_settled(lab, pair.client, "r1", ["r2"])
    assert machine(lab, "client") == before


def test_a_file_system_that_cannot_be_written_is_no_obstacle(lab):
    """/run, /var and /tmp read-only: there is no pid file and no socket in the file system."""
    script = "mount --make-rprivate /; for d in /run /var /tmp; do mount -o bind $d $d && mount -o remount,bind,ro $d; done; exec \"$@\""
    proc = lab.popen("r1", ["unshare", "--mount", "--propagation", "unchanged", "sh", "-c", script, "sh", str(BINARY), *START])
    proc.wait_log("-> Active")
    assert lab.state("r1") == "Active"
    assert proc.stop() == 0
