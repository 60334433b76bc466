# SPDX-License-Identifier: GPL-2.0-or-later
"""`vrrp-xdp restart`: another controller in the same process goes on where the first one stopped; no peer and no client notices."""

import contextlib
import os
import random
import re
import shutil
import socket
import threading
import time
from pathlib import Path

import frames
import pytest
import routers6
from lab import BINARY
from loss import Loss, lost
from routers import Client, active_routers, adverts, assert_settled, attach, attach_pair, cli, counters, machine, transitions, xdp
from test_reload import (ADVERT_MS, STALL_MS, STARTED, VIP, VIP_B, Router, alone, announced, block, collect, gaps_ms, pair, script,
                         teller, told, vr, vr_b)
from test_scripts import children_of

DOWN_MS = 3 * ADVERT_MS + ADVERT_MS * (256 - 100) / 256


def restart(lab, router="r1", *words):
    done = cli(lab, router, "restart", *words)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", ""), done.stderr
    return done


def restarts(proc):
    return sum(line.startswith("Restarted: ") for line in proc.log)


def fds(proc):
    """What the controller has open, but for the numbers."""
    found = []
    for path in Path(f"/proc/{proc.worker}/fd").iterdir():
        with contextlib.suppress(OSError):
            found.append(re.sub(r"\d+", "", os.readlink(path)))
    return sorted(found)


def copy_of_binary(lab, change=lambda code: code):
    """A program of its own, so that a test can put another one in its place."""
    path = lab.tmp / "vrrp-xdp"
    install(path, change)
    return path


def install(path, change=lambda code: code):
    """As a package upgrade does: the running program's file stays what it is, under no name."""
    new = path.with_suffix(".new")
    new.write_bytes(change(BINARY.read_bytes()))
    new.chmod(0o755)
    new.rename(path)


def other_version(code):
    changed = re.sub(rb"hand-\d", b"hand-0", code)  # as text, and where the compiler has it in an instruction
    assert changed != code
    return changed


class Upgraded(Router):
    """A Router that runs a program of its own."""

    def __init__(self, lab, name, *blocks):  # pylint: disable=super-init-not-called
        self.lab, self.name = lab, name
        self.binary = copy_of_binary(lab)
        self.path = lab.tmp / f"{name}.conf"
        self.write(*blocks)
        self.proc = lab.popen(name, [self.binary, "run", "-f", self.path, "--mode", "native"])
        self.proc.wait_log("-> Active")


# ---- nobody notices ----

def test_a_restarted_active_is_not_noticed(lab):
    """No takeover, no advert late, no announcement, no packet of a client lost; state, time and counters go on, and nothing piles up."""
    r1, r2 = pair(lab)
    client = Client(lab)
    before = r1.since(), machine(lab, "r1"), transitions(r1.proc), transitions(r2.proc)
    restart(lab)
    open_now = fds(r1.proc)
    count = counters(lab, "r1")["tx_adverts"]
    loss = Loss(lab, VIP, every_us=1000)
    loss.wait_received(lab, "r1")
    client.frames()
    since = time.time_ns()
    for _ in range(10):
        restart(lab)
    loss.wait_received(lab, "r1")
    until = time.time_ns()
    times, numbers = loss.counted()
    seen = collect(client, lab, 3)
    assert restarts(r1.proc) == 11
    assert (r1.since(), machine(lab, "r1"), transitions(r1.proc), transitions(r2.proc)) == before
    assert fds(r1.proc) == open_now
    assert not announced(seen) and not adverts(lab, "r2", seen)
    assert max(gaps_ms(lab, seen)) < ADVERT_MS + STALL_MS
    assert not lost(times, numbers, since, until - 10**8)
    assert counters(lab, "r1")["tx_adverts"] > count + 10
    assert lab.status("r1")["interfaces"][0]["xdp_mode_why"] == "asked for"
    assert r1.proc.stop() == 0
    assert VIP not in lab.addrs("r1") and not xdp(lab, "r1")


def test_a_restarted_backup_takes_over_on_time(lab):
    """The kernel's timer runs on; what was learned of the Active Router is known."""
    r1, r2 = pair(lab)
    client = Client(lab)
    before = r2.since()
    for _ in range(3):
        restart(lab, "r2")
    assert r2.since() == before
    status = r2.vr("A")["active_router"]
    assert (status["address"], status["priority"], status["advert_int_ms"]) == ("10.77.0.11", 200, ADVERT_MS)
    last = client.wait_advert("r1").t
    r1.proc.kill()
    seen = collect(client, lab, 1, router="r2")
    last = max([last, *(f.t for f in seen if adverts(lab, "r1", [f]))])
    first = next(f.t for f in seen if adverts(lab, "r2", [f]))
    assert DOWN_MS - 1 < (first - last) / 1e6 < DOWN_MS + STALL_MS
    assert_settled(lab, client, "r2")
    assert transitions(r2.proc) == STARTED


def test_what_comes_after_a_restart_is_as_without(lab):
    """Reload, other addresses, another router, a program that somebody takes off, a lost carrier: all of it needs what was handed over."""
    client = Client(lab)
    r1 = alone(lab, vr(vips=(VIP, "10.77.0.102")))
    restart(lab)
    r1.reload(vr(), vr_b())
    r1.wait_active("A", "B")
    assert client.who_has(VIP_B, ["r1"]) == [lab.mac("r1")]
    assert client.who_has("10.77.0.102", ["r1"]) == [] and "10.77.0.102" not in lab.addrs("r1")
    restart(lab)
    since = r1.proc.mark()
    lab.run("r1", "ip link set dev eth0 xdpdrv off")
    r1.proc.wait_log("put back", since=since)
    assert client.who_has(VIP, ["r1"]) == [lab.mac("r1")]
    lab.run("r1", f"ip addr del {VIP}/24 dev eth0")
    r1.proc.wait_log(f"somebody removed {VIP}/24 from eth0; put back", since=since)
    restart(lab)
    lab.cut_cable("r1")
    r1.proc.wait_log("Active -> Initialize: link down", since=since)
    lab.plug("r1")
    r1.wait_active("A", "B")
    assert r1.proc.stop() == 0
    assert not {VIP, VIP_B} & set(lab.addrs("r1")) and not xdp(lab, "r1")


def test_what_has_changed_in_the_file_changes_with_the_restart(lab):
    """As with a reload before it."""
    r1 = alone(lab, vr())
    before = r1.since()["A"]
    r1.write(vr(priority=190), vr_b())
    restart(lab)
    r1.wait_active("B")
    assert r1.vr("A")["priority"] == 190 and r1.since()["A"] == before
    assert transitions(r1.proc)[:2] == STARTED


def test_a_configuration_that_needs_other_tables_is_started_afresh(lab):
    """Maps cannot grow: priority 0, and the new start has them as large as it needs."""
    many = [vr(f"V{i}", vrid=i, vips=(f"10.77.0.{100 + i}",)) for i in range(1, 60)]
    r1 = alone(lab, vr(vrid=1, vips=("10.77.0.101",)))
    client = Client(lab)
    r1.write(*many)
    done = r1.command()
    assert done.returncode == 1 and "restart vrrp-xdp" in done.stderr
    done = cli(lab, "r1", "restart")
    assert done.returncode == 0 and "does not fit" in done.stderr and "starting afresh" in done.stderr
    client.wait_advert("r1", vrid=1, priority=0)
    r1.wait_active(*(f"V{i}" for i in range(1, 60)))
    assert restarts(r1.proc) == 0


def test_systemd_is_told_as_at_a_reload(lab):
    """RELOADING=1, and READY=1 by the one that follows; the main process is the same."""
    path = lab.tmp / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(path))
        sock.settimeout(10)
        proc = lab.popen("r1", ["env", f"NOTIFY_SOCKET={path}", BINARY, "attach", "eth0", "--vrid", 51, "--vip", f"{VIP}/24"])
        told_it = [sock.recv(4096).decode().splitlines()[0]]
        restart(lab)
        told_it += [sock.recv(4096).decode().splitlines()[0] for _ in range(2)]
        assert told_it == ["READY=1", "RELOADING=1", "READY=1"]
        assert proc.stop() == 0


def test_the_restart_of_one_interface_leaves_another_controller_alone(lab):
    r1 = attach(lab, "r1")
    r1.wait_log("-> Active")
    lab.run("r1", "ip link add other0 type veth peer name other1")
    for dev in ("other0", "other1"):
        lab.run("r1", f"ip link set {dev} up")
    lab.run("r1", "ip addr add 192.0.2.1/24 dev other0")
    other = lab.popen("r1", [BINARY, "attach", "other0", "--vrid", 9, "--vip", "192.0.2.9/24", "--advert-int", 0.1])
    other.wait_log("-> Active")
    restart(lab, "r1", "other0")
    assert (restarts(r1), restarts(other)) == (0, 1)
    restart(lab)
    assert (restarts(r1), restarts(other)) == (1, 2)
    done = cli(lab, "r1", "restart", "eth9")
    assert done.returncode == 1 and "eth9" in done.stderr
    assert cli(lab, "r1", "restart", "--what").returncode == 2
    assert other.stop() == 0


# ---- other kinds of routers ----

def test_ipv6_is_not_noticed_either(lab):
    """Addresses, groups, sockets and program of IPv6; no Neighbor Advertisement tells of it."""
    six = routers6.attach_pair(lab)
    loss = Loss(lab, lab.VIP6, every_us=1000)
    loss.wait_received(lab, "r1")
    six.client.frames()
    since = time.time_ns()
    for _ in range(3):
        restart(lab)
    loss.wait_received(lab, "r1")
    until = time.time_ns()
    times, numbers = loss.counted()
    seen = six.client.frames()
    assert not routers6.una(lab, "r1", seen)
    assert not lost(times, numbers, since, until - 10**8)
    assert (len(transitions(six.r1)), transitions(six.r2)) == (2, STARTED[:1])
    six.r1.kill()
    six.r2.wait_log("Backup -> Active")


def test_the_virtual_mac_stays(lab):
    """Its filter, its program at tc egress, and what the client's neighbour table says."""
    two = attach_pair(lab, "--vmac", mode="skb")
    before = machine(lab, "r1")
    loss = Loss(lab, VIP, every_us=1000)
    loss.wait_received(lab, "r1")
    since = time.time_ns()
    for _ in range(3):
        restart(lab)
    loss.wait_received(lab, "r1")
    until = time.time_ns()
    times, numbers = loss.counted()
    assert not lost(times, numbers, since, until - 10**8)
    assert machine(lab, "r1") == before
    tc = lab.run("r1", "tc filter show dev eth0 egress")
    lab.run("r1", "tc filter del dev eth0 egress")
    two.r1.wait_log("somebody took the program off tc egress; put back")
    assert re.sub(r"id \d+", "", lab.run("r1", "tc filter show dev eth0 egress")) == re.sub(r"id \d+", "", tc)
    assert two.r1.stop() == 0
    assert not lab.run("r1", "tc filter show dev eth0 egress") and not xdp(lab, "r1")


def test_a_unicast_router_and_a_sync_group_go_on(lab):
    """Peers by the raw socket; a group that is told of nothing."""
    def text(name, priority, peer):
        more = [block("unicast_peer", lab.ip(peer))]
        group = block("vrrp_sync_group G", block("group", "A", "B"), f'notify "{teller(lab, name)}"')
        return group, vr(priority=priority, more=more), vr_b(priority=priority, more=more)

    r2 = Router(lab, "r2", *text("r2", 100, "r1"))
    r1 = Router(lab, "r1", *text("r1", 200, "r2")).wait_active("A", "B")
    lab.wait_until(lambda: len(told(lab, "r1")) == 2, what="BACKUP and MASTER told")
    for name in "AB":
        lab.wait_state("r2", "Backup", name=name)
    since = r2.proc.mark()
    for router in ("r1", "r2", "r1", "r2"):
        restart(lab, router)
    lab.run("client", f"ping -c 3 -i 0.2 -W 1 {VIP}")
    assert not transitions(r2.proc, since)
    assert [line.split()[2] for line in told(lab, "r1")] == ["BACKUP", "MASTER"]
    r1.proc.kill()
    for name in "AB":
        lab.wait_state("r2", "Active", name=name)


def test_255_routers_go_on(lab):
    """All of them within the lease."""
    def text(priority):
        return [vr(f"V{i}", vrid=i, priority=priority, vips=(f"10.77.1.{i}",)) for i in range(1, 256)]

    r1 = Router(lab, "r1", *text(200))
    r1.proc.wait_log("V255: Backup -> Active", 30)
    r2 = Router(lab, "r2", *text(100))
    r2.proc.wait_log("V255: Initialize -> Backup", 30)
    lab.wait_until(lambda: all(r["state"] == "Backup" and r["active_router"] for r in lab.status("r2")["virtual_routers"]), 30)
    since = r1.proc.mark(), r2.proc.mark()
    for _ in range(3):
        restart(lab)
    restart(lab, "r2")
    client = Client(lab)
    for vrid in (1, 128, 255):
        client.wait_advert("r1", vrid=vrid, count=2)
    assert not transitions(r1.proc, since[0]) and not transitions(r2.proc, since[1])
    assert {r["state"] for r in lab.status("r1")["virtual_routers"]} == {"Active"}


# ---- scripts ----

def test_scripts_are_told_nothing_and_keep_their_results(lab):
    """No state is told twice; a tracked script has its result, its schedule and its process; nothing is left of the hand-over for them."""
    runs = script(lab, "chk", f"echo run >> {lab.tmp}/chk.told; exit 0")
    bad = script(lab, "bad", f"env > {lab.tmp}/bad.env; ls /proc/self/fd > {lab.tmp}/bad.fds; exit 1")
    fault = script(lab, "zero", "exit 0")
    text = [block("vrrp_script chk", f'script "{runs}"', "interval 60", "weight 20"),
            block("vrrp_script bad", f'script "{bad}"', "interval 0.2", "weight -5"),
            block("vrrp_script zero", f'script "{fault}"', "interval 60"),
            vr(more=[block("track_script", "chk", "bad", "zero"), f'notify "{teller(lab, "notify")}"'])]
    r1 = alone(lab, *text)
    lab.wait_until(lambda: r1.vr("A")["priority"] == 215, what="both results")
    lab.wait_until(lambda: len(told(lab, "notify")) == 2, what="BACKUP and MASTER told")
    since = r1.proc.mark()
    for _ in range(3):
        restart(lab)
        assert r1.vr("A")["priority"] == 215
    (lab.tmp / "bad.env").unlink()
    lab.wait_until((lab.tmp / "bad.env").exists, what="the next run of a script")
    lab.wait_until(lambda: (lab.tmp / "bad.fds").read_text().split(), what="its descriptors")
    assert "HANDOVER" not in (lab.tmp / "bad.env").read_text()
    assert (lab.tmp / "bad.fds").read_text().split() == ["0", "1", "2", "3"]
    assert told(lab, "chk") == ["run"]
    assert len(told(lab, "notify")) == 2
    assert not [line for line in r1.proc.log[since:] if "priority" in line or "VRRP_Script" in line]


def test_a_tracked_process_that_runs_is_not_missed_for_a_moment(lab):
    """It is counted from what was known, not from nothing; its end is still seen."""
    sleeper = lab.tmp / f"slp-{os.getpid()}"
    shutil.copy(shutil.which("sleep"), sleeper)
    runs = lab.popen("r1", [sleeper, 1000])
    r1 = alone(lab, block("vrrp_track_process sleeper", f"process {sleeper.name}", "weight 20"),
               vr(more=[block("track_process", "sleeper")]))
    lab.wait_until(lambda: r1.vr("A")["priority"] == 220, what="the process found")
    since = r1.proc.mark()
    for _ in range(3):
        restart(lab)
        assert r1.vr("A")["priority"] == 220
    assert not [line for line in r1.proc.log[since:] if "quorum" in line or "priority" in line]
    runs.kill()
    r1.proc.wait_log("Changing effective priority from 220 to 200", since=since)


def test_processes_that_run_are_not_lost(lab):
    """A notify script that lives on is reaped at its end, a slow check has its result, a FIFO's script reads on."""
    slow = script(lab, "slow", f"while [ ! -e {lab.tmp}/go ]; do sleep 0.05; done; exit 0")
    fifo = lab.tmp / "fifo"
    reader = script(lab, "reader", f'echo start >> {lab.tmp}/reader.told; while read line; do echo "$line" >> {lab.tmp}/reader.told; done < "$1"')
    text = [block("global_defs", f'vrrp_notify_fifo "{fifo}"', f'vrrp_notify_fifo_script "{reader}"'),
            block("vrrp_script chk", f'script "{slow}"', "interval 60", "timeout 50", "weight 20"),
            vr(more=[block("track_script", "chk"), f'notify_master "{slow}"'])]
    r1 = alone(lab, *text)
    lab.wait_until(lambda: len(told(lab, "reader")) >= 3, what="start, BACKUP and MASTER")
    lab.wait_until(lambda: len(children_of(r1.proc.worker)) == 3, what="three scripts that run")
    running = children_of(r1.proc.worker)
    for _ in range(2):
        restart(lab)
    assert children_of(r1.proc.worker) == running
    (lab.tmp / "go").touch()
    lab.wait_until(lambda: r1.vr("A")["priority"] == 220, what="the result of the check")
    lab.wait_until(lambda: len(children_of(r1.proc.worker)) == 1, what="the end of two scripts")
    lab.cut_cable("r1")
    lab.wait_until(lambda: told(lab, "reader")[-1].split()[2] == "FAULT", what="FAULT in the FIFO")
    assert told(lab, "reader").count("start") == 1
    assert r1.proc.stop() == 0
    assert not fifo.exists()


def test_a_router_in_fault_stays_there_and_comes_back(lab):
    """Initialize is handed over as well: told once, and left when its cause goes."""
    r1 = alone(lab, vr(more=[f'notify "{teller(lab, "notify")}"']))
    lab.cut_cable("r1")
    lab.wait_until(lambda: len(told(lab, "notify")) == 3, what="FAULT told")
    since = r1.proc.mark()
    for _ in range(2):
        restart(lab)
    assert r1.vr("A")["why"] == "link down"
    assert not [line for line in r1.proc.log[since:] if "FAULT" in line]
    lab.plug("r1")
    r1.wait_active("A")
    lab.wait_until(lambda: len(told(lab, "notify")) == 5, what="BACKUP and MASTER told")
    assert [line.split()[2] for line in told(lab, "notify")] == ["BACKUP", "MASTER", "FAULT", "BACKUP", "MASTER"]


def test_a_drained_router_stays_away(lab):
    pair(lab)
    assert cli(lab, "r1", "drain").returncode == 0
    restart(lab)
    assert lab.status("r1")["virtual_routers"][0]["drained"]
    assert active_routers(lab) == ["r2"]
    assert cli(lab, "r1", "undrain").returncode == 0
    lab.wait_state("r1", "Active")


# ---- what can go wrong ----

def test_nothing_happens_with_a_wrong_file(lab):
    """Said as at a reload, with its exit code."""
    r1 = alone(lab, vr())
    r1.write(vr().replace("virtual_router_id 51", "virtual_router_id 999"))
    done = cli(lab, "r1", "restart")
    assert done.returncode == 2 and "999" in done.stderr and "goes on as before" in done.stderr
    assert restarts(r1.proc) == 0 and transitions(r1.proc) == STARTED
    r1.write(vr())
    restart(lab)


@pytest.mark.parametrize("broken", ["missing", "not executable", "fails", "dies", "no program"])
def test_nothing_happens_when_the_program_cannot_be_run(lab, broken):
    r1 = Upgraded(lab, "r1", vr())
    if broken == "missing":
        r1.binary.unlink()
    elif broken == "not executable":
        r1.binary.chmod(0o644)
    else:
        text = {"fails": "#!/bin/sh\nexit 1\n", "dies": "#!/bin/sh\nkill -SEGV $$\n", "no program": "\0\0\0"}[broken]
        install(r1.binary, lambda _: text.encode())
    done = cli(lab, "r1", "restart")
    assert done.returncode == 1 and str(r1.binary) in done.stderr and "goes on as before" in done.stderr, done.stderr
    assert transitions(r1.proc) == STARTED and lab.state("r1") == "Active"
    Client(lab).wait_advert("r1", count=2)
    if broken == "missing":
        install(r1.binary)
        restart(lab)


def test_another_build_goes_on_with_the_program_that_is_loaded(lab):
    """A package upgrade: the file is another one by now; what is in the kernel stays, and that is said."""
    r1 = Upgraded(lab, "r1", vr())
    install(r1.binary, lambda code: code.replace(b"vx_timer_cmd\0", b"vx_timer_cmD\0"))
    inode = os.stat(f"/proc/{r1.proc.worker}/exe").st_ino
    restart(lab)
    r1.proc.wait_log("the programs in the kernel stay those of the version before")
    assert os.stat(f"/proc/{r1.proc.worker}/exe").st_ino != inode
    assert lab.state("r1") == "Active" and transitions(r1.proc) == STARTED
    install(r1.binary)
    since = r1.proc.mark()
    restart(lab)
    assert "stay those" not in "\n".join(r1.proc.log[since:]), "it is this build's that is loaded"


def test_a_version_that_cannot_go_on_starts_afresh_after_a_clean_hand_over(lab):
    """Other maps, or another form of what is handed over: priority 0, the Backup takes over after its skew, and the new one comes back."""
    r1 = Upgraded(lab, "r1", vr())
    r2 = Router(lab, "r2", vr(priority=100))
    r2.proc.wait_log("the Active Router is 10.77.0.11, priority 200")
    install(r1.binary, other_version)
    since = r1.proc.mark()
    done = cli(lab, "r1", "restart")
    assert done.returncode == 0 and "starting afresh" in done.stderr
    r2.proc.wait_log(r"Backup -> Active: the Active Router left \(priority 0\)")
    r1.proc.wait_log("Backup -> Active", since=since)
    assert transitions(r1.proc, since) == ["Active -> Initialize", *STARTED]
    assert restarts(r1.proc) == 0
    restart(lab)
    assert r1.proc.stop() == 0
    assert VIP not in lab.addrs("r1") and not xdp(lab, "r1")


def test_a_version_that_turns_out_to_be_another_gives_up_cleanly(lab):
    """The file changed between the question and the answer: leftovers go, the lease ends, and it starts afresh."""
    r1 = Upgraded(lab, "r1", vr())
    r2 = Router(lab, "r2", vr(priority=100))
    r2.proc.wait_log("the Active Router is 10.77.0.11, priority 200")
    asks = r1.binary.with_suffix(".asked")
    install(asks, other_version)
    install(r1.binary, lambda _: f"""#!/bin/sh
if [ "$1" = can-adopt ]; then mv {asks} {r1.binary}; exit 0; fi
exit 1
""".encode())
    since = r1.proc.mark()
    cli(lab, "r1", "restart")
    r1.proc.wait_log("what the controller before has left cannot be read", since=since)
    r1.proc.wait_log("Initialize -> Backup", since=since)
    r2.proc.wait_log("Backup -> Active")
    r1.proc.wait_log("Backup -> Active", since=since)
    assert_settled(lab, Client(lab), "r1", ["r2"])


def test_a_file_that_changes_while_it_restarts_is_started_afresh(lab):
    """What was left cannot be gone on with: priority 0 by the last will, everything removed, then a new start."""
    r1 = Upgraded(lab, "r1", vr())
    r2 = Router(lab, "r2", vr(priority=100))
    r2.proc.wait_log("the Active Router is 10.77.0.11, priority 200")
    other = lab.tmp / "other.conf"
    other.write_text(vr(vips=(VIP_B,)) + "\n", encoding="utf-8")
    real = r1.binary.with_suffix(".real")
    install(real)
    install(r1.binary, lambda _: f"""#!/bin/sh
[ "$1" = can-adopt ] && mv {other} {r1.path} && mv {real} {r1.binary}
exit 0
""".encode())
    client = Client(lab)
    since = r1.proc.mark()
    assert cli(lab, "r1", "restart").returncode == 0
    r1.proc.wait_log("the configuration has changed while vrrp-xdp restarted", since=since)
    client.wait_advert("r1", priority=0)
    r2.proc.wait_log(r"Backup -> Active: the Active Router left \(priority 0\)")
    r1.proc.wait_log("Backup -> Active", since=since)
    assert VIP not in lab.addrs("r1") and VIP_B in lab.addrs("r1")
    assert r1.proc.stop() == 0
    assert not xdp(lab, "r1") and VIP_B not in lab.addrs("r1")


def test_a_configuration_that_is_gone_ends_it_cleanly(lab):
    """Exit code 2, nothing left behind, and the other router knows."""
    r1 = Upgraded(lab, "r1", vr())
    r2 = Router(lab, "r2", vr(priority=100))
    r2.proc.wait_log("the Active Router is 10.77.0.11, priority 200")
    real = r1.binary.with_suffix(".real")
    install(real)
    install(r1.binary, lambda _: f"""#!/bin/sh
[ "$1" = can-adopt ] && rm {r1.path} && mv {real} {r1.binary}
exit 0
""".encode())
    assert cli(lab, "r1", "restart").returncode == 1
    assert r1.proc.wait() == 2
    r2.proc.wait_log(r"Backup -> Active: the Active Router left \(priority 0\)")
    assert VIP not in lab.addrs("r1") and not xdp(lab, "r1")


def test_two_restarts_at_once_are_one(lab):
    """Whoever asks while one is under way is answered when it is done."""
    r1, r2 = pair(lab)
    done = []
    threads = [threading.Thread(target=lambda: done.append(cli(lab, "r1", "restart"))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [(d.returncode, d.stderr) for d in done] == [(0, "")] * 4
    assert 1 <= restarts(r1.proc) <= 4
    assert (transitions(r1.proc), transitions(r2.proc)) == (STARTED, STARTED[:1])


def test_the_pins_are_not_needed(lab):
    """Somebody has unmounted the bpffs: what is handed over keeps program, maps and timers."""
    r1, r2 = pair(lab)
    if lab.status("r1")["interfaces"][0]["xdp_shared"]:
        pytest.skip("a dispatcher's programs are attached by libxdp's pins")
    for router in (r1, r2):
        lab.run(router.name, "umount -l /sys/fs/bpf")
        restart(lab, router.name)
    assert (transitions(r1.proc), transitions(r2.proc)) == (STARTED, STARTED[:1])
    r1.proc.kill()
    r2.proc.wait_log("Backup -> Active: no advert")


def alive(pid):
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0] not in "ZX"
    return False


def test_the_guardian_stays_and_a_new_one_is_made_for_one_that_is_gone(lab):
    """Both processes are what they were after a restart; without a guardian the controller restarts with a new one: nobody notices either."""
    r1, r2 = pair(lab)
    client = Client(lab)
    guardian, controller = r1.proc.pid, r1.proc.worker
    restart(lab)
    assert (r1.proc.pid, r1.proc.worker) == (guardian, controller) and r1.proc.alive()
    client.frames()
    since = r1.proc.mark()
    os.kill(guardian, 9)
    r1.proc.wait_log("Restarted: ", since=since)
    seen = collect(client, lab, 3)
    assert max(gaps_ms(lab, seen)) < ADVERT_MS + STALL_MS and not announced(seen)
    status = lab.status("r1")["controllers"]
    assert len(status) == 1
    new = status[0]["pid"]
    assert (os.stat(f"/proc/{controller}/exe"), children_of(controller)) == (os.stat(f"/proc/{new}/exe"), {new})
    restart(lab)
    assert [c["pid"] for c in lab.status("r1")["controllers"]] == [new]
    assert transitions(r2.proc) == STARTED[:1]
    os.kill(new, 9)
    r2.proc.wait_log(r"Backup -> Active: the Active Router left \(priority 0\)")
    lab.wait_until(lambda: not alive(controller), what="the end of the new guardian")


def test_without_a_program_that_runs_it_goes_on_without_a_guardian(lab):
    """And says so; with one again a restart makes a guardian."""
    r1 = Upgraded(lab, "r1", vr())
    r1.binary.unlink()
    os.kill(r1.proc.pid, 9)
    r1.proc.wait_log("goes on without a guardian")
    Client(lab).wait_advert("r1", count=3)
    assert transitions(r1.proc) == STARTED and lab.state("r1") == "Active"
    install(r1.binary)
    before = lab.status("r1")["controllers"][0]["pid"]
    restart(lab)
    assert children_of(before) == {lab.status("r1")["controllers"][0]["pid"]}


@pytest.mark.parametrize("whom", ["controller", "both"])
def test_one_that_is_killed_in_the_middle_is_as_dead_as_any(lab, whom):
    """At whatever point: the Backup takes over, the dead router answers nothing, and the next start removes what is left."""
    r2 = Router(lab, "r2", vr(priority=100))
    client = Client(lab)
    for _ in range(4):
        r1 = alone(lab, vr())
        lab.wait_state("r2", "Backup")
        since = r2.proc.mark()
        asked = lab.popen("r1", [BINARY, "restart"])
        time.sleep(random.uniform(0, 0.03))
        if whom == "both":
            r1.proc.kill()
        else:
            os.kill(r1.proc.worker, 9)
        r2.proc.wait_log("Backup -> Active", since=since)
        r1.proc.wait()
        assert client.who_has(VIP, ["r2"]) == [lab.mac("r2")]
        asked.wait()
    r1 = alone(lab, vr())
    assert_settled(lab, client, "r1", ["r2"])
    assert r1.proc.stop() == 0
    assert VIP not in lab.addrs("r1") and not xdp(lab, "r1")
