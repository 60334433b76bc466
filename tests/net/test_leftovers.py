# SPDX-License-Identifier: GPL-2.0-or-later
"""What a controller leaves behind: nothing when it ends, and what `detach` and the next start make of a dead one's."""

import re
import signal

import pytest
from lab import netns_pids
from routers import ADVERT_MS, Client, assert_settled, attach, attach_pair, cli, counters, machine, transitions, xdp

SECOND_VIP = "10.77.0.101"


def kill_active(lab, **more):
    """A router that died as Active, with all that it had put on the machine."""
    proc = attach(lab, "r1", **more)
    proc.wait_log("-> Active")
    proc.kill()
    left = "\n".join(map(str, machine(lab, "r1")))
    assert lab.VIP in left and "prog" in left and "/vr_role" in left, left
    return proc


@pytest.mark.parametrize("state", ["Active", "Backup", "Initialize"])
@pytest.mark.parametrize("sig", [signal.SIGTERM, signal.SIGINT])
def test_a_clean_stop_leaves_nothing(lab, state, sig):
    """Design: no address, program, pin, bpffs mount, process or control socket is left, in whatever state it stops."""
    if state == "Initialize":
        lab.run("r1", ["ip", "addr", "del", f"{lab.ip('r1')}/24", "dev", "eth0"])
    before = machine(lab, "r1")
    if state == "Backup":
        attach(lab, "r2", 250).wait_log("-> Active")
    proc = attach(lab, "r1")
    proc.wait_log("Backup -> Active" if state == "Active" else f"{state}: ")
    assert lab.state("r1") == state
    assert machine(lab, "r1") != before
    proc.signal(sig)
    assert proc.wait() == 0
    assert machine(lab, "r1") == before


@pytest.mark.parametrize("mode", ["native", "skb"])
def test_detach_removes_what_a_killed_controller_left(lab, mode):
    """Program, pins, mount and every virtual address with the length that it has."""
    before = machine(lab, "r1")
    kill_active(lab, mode=mode, vips=(lab.VIP_CIDR, f"{SECOND_VIP}/32"))
    done = cli(lab, "r1", "detach", "eth0")
    assert done.returncode == 0, done.stderr
    assert "2 virtual addresses removed" in done.stderr
    assert machine(lab, "r1") == before


def test_detach_without_leftovers_does_nothing_and_says_so(lab):
    """It is no error to have nothing to do."""
    before = machine(lab, "r1")
    done = cli(lab, "r1", "detach", "eth0")
    assert (done.returncode, done.stdout) == (0, "")
    assert re.fullmatch("eth0: nothing of vrrp-xdp is left there\n", done.stderr)
    assert machine(lab, "r1") == before


def test_detach_leaves_the_program_of_somebody_else_alone(lab):
    """Invariant 2."""
    lab.load_pass_program("r1")
    before = machine(lab, "r1")
    assert cli(lab, "r1", "detach", "eth0").returncode == 0
    assert machine(lab, "r1") == before
    assert xdp(lab, "r1")


def test_detach_refuses_while_a_controller_runs(lab):
    """It names the process, and the router does not notice."""
    pair = attach_pair(lab)
    before = machine(lab, "r1")
    done = cli(lab, "r1", "detach", "eth0")
    assert done.returncode == 1
    assert re.fullmatch(rf"eth0: vrrp-xdp runs there as process {pair.r1.worker};.*`kill {pair.r1.worker}`.*\n", done.stderr)
    assert machine(lab, "r1") == before
    assert_settled(lab, pair.client, "r1", ["r2"])


@pytest.mark.parametrize("mode", ["native", "skb"])
def test_a_start_over_the_leftovers_of_a_killed_controller_works(lab, mode):
    """KA-16: its program, pins and addresses go, also those that are not configured any more; then all is as ever."""
    before = machine(lab, "r1")
    kill_active(lab, mode=mode, vips=(lab.VIP_CIDR, f"{SECOND_VIP}/24"))
    again = attach(lab, "r1", mode=mode)
    again.wait_log("removed what a dead controller left")
    again.wait_log("-> Active")
    assert SECOND_VIP not in lab.addrs("r1")
    client = Client(lab)
    assert_settled(lab, client, "r1")
    assert client.who_has(SECOND_VIP, ["r1"]) == []
    assert counters(lab, "r1")["arp_reply"] >= 1
    assert again.stop() == 0
    assert machine(lab, "r1") == before


def test_a_killed_router_that_comes_back_as_backup_gives_up_the_address(lab):
    """KA-16: what its dead controller had put on the interface is not its any more."""
    pair = attach_pair(lab)
    since = pair.r2.mark()
    pair.r1.kill()
    pair.r2.wait_log("-> Active", since=since)
    again = attach(lab, "r1", None, "--no-preempt")
    again.wait_log("the Active Router is 10.77.0.12")
    assert_settled(lab, pair.client, "r2", ["r1"])


def test_a_start_over_leftovers_of_the_other_mode_works(lab):
    """A native program left behind must not stay beside the generic one of the next start."""
    before = machine(lab, "r1")
    kill_active(lab, mode="native")
    again = attach(lab, "r1", mode="skb")
    again.wait_log("-> Active")
    assert_settled(lab, Client(lab), "r1")
    assert again.stop() == 0
    assert machine(lab, "r1") == before


def test_leftovers_whose_pins_are_gone_are_removed_as_well(lab):
    """The program on the NIC knows its maps."""
    before = machine(lab, "r1")
    kill_active(lab)
    lab.run("r1", ["umount", "/sys/fs/bpf"])
    assert xdp(lab, "r1")
    assert cli(lab, "r1", "detach", "eth0").returncode == 0
    assert machine(lab, "r1") == before


def test_a_killed_backup_leaves_no_timer_that_acts(lab):
    """SEC-27: nobody takes over in the name of a dead Backup, and a new one starts as Backup."""
    pair = attach_pair(lab)
    pair.r2.kill()
    pair.r1.stop()
    pair.client.frames()
    pair.client.hears_nothing("r2", 10 * ADVERT_MS / 1000)
    assert lab.VIP not in lab.addrs("r2")
    assert pair.client.who_has(lab.VIP, ["r1", "r2"]) == []
    again = attach(lab, "r2")
    again.wait_log("-> Active")
    assert transitions(again) == ["Initialize -> Backup", "Backup -> Active"]


def test_a_second_start_is_refused_and_the_first_does_not_notice(lab):
    """It names the process that holds the interface."""
    pair = attach_pair(lab)
    before = machine(lab, "r1")
    for words in (["--vrid", 51, "--vip", lab.VIP_CIDR], ["--vrid", 52, "--vip", "10.77.0.102/24"]):
        done = cli(lab, "r1", "attach", "eth0", *words)
        assert done.returncode == 1
        assert re.fullmatch(rf"eth0: vrrp-xdp runs there already, as process {pair.r1.worker}; .*\n", done.stderr)
    assert machine(lab, "r1") == before
    assert transitions(pair.r1) == ["Initialize -> Backup", "Backup -> Active"]
    assert_settled(lab, pair.client, "r1", ["r2"])


def test_the_suite_can_tell_a_process_that_stays(lab):
    """Checks the check: machine() sees processes and sockets."""
    before = machine(lab, "r1")
    proc = attach(lab, "r1")
    proc.wait_log("Backup")
    assert proc.pid in netns_pids(lab.netns("r1"))
    assert any("@vrrp-xdp/eth0" in str(line) for line in machine(lab, "r1"))
    assert machine(lab, "r1") != before
