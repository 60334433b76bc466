# SPDX-License-Identifier: GPL-2.0-or-later
"""Another file in place of the present one, by SIGHUP and by `vrrp-xdp reload`: what has not changed goes on (KA-19)."""

import json
import os
import re
import signal
import time
from pathlib import Path

import frames
import pytest
from lab import BINARY
from routers import Client, active_routers, adverts, cli, counters, machine, transitions, xdp

ADVERT_MS = 200
STALL_MS = 150  # what this suite must live with; less than an interval, so that an advert left out shows
VIP, VIP_B = "10.77.0.100", "10.77.0.101"
STARTED = ["Initialize -> Backup", "Backup -> Active"]


def block(kind, *lines):
    return "\n".join([f"{kind} {{", *(f"    {line}" for line in lines), "}"])


def vr(name="A", vrid=51, priority=200, vips=(VIP,), interface="eth0", advert_ms=ADVERT_MS, more=()):
    """One instance. Without the later announcements, so that those of a reload stand alone."""
    lines = [f"interface {interface}", f"virtual_router_id {vrid}", f"priority {priority}", "version 3",
             f"advert_int {advert_ms / 1000}", "garp_master_delay 0", *more]
    return block(f"vrrp_instance {name}", *lines, block("virtual_ipaddress", *(f"{vip}/24" for vip in vips)))


def vr_b(**more):
    return vr(**{"name": "B", "vrid": 52, "vips": (VIP_B,), **more})


class Router:
    """A vrrp-xdp with a file that can be written anew."""

    def __init__(self, lab, name, *blocks, flags=()):
        self.lab, self.name = lab, name
        self.path = lab.tmp / f"{name}.conf"
        self.write(*blocks)
        self.proc = lab.start_vrrp_xdp(name, ["run", "-f", self.path, "--mode", "native", *flags])

    def write(self, *blocks):
        self.path.write_text("\n".join(blocks) + "\n", encoding="utf-8")

    def reload(self, *blocks):
        """SIGHUP, with another file if one is given, until it is done; returns where its log began."""
        if blocks:
            self.write(*blocks)
        since = self.proc.mark()
        self.proc.signal(signal.SIGHUP)
        self.proc.wait_log("^Reload finished$", since=since)
        return since

    def command(self, *blocks):
        if blocks:
            self.write(*blocks)
        return cli(self.lab, self.name, "reload")

    def since(self):
        """When each virtual router got into its state, in seconds after the start."""
        status = self.lab.status(self.name)
        up = status["controllers"][0]["up_s"]
        return {r["name"]: (r["state"], pytest.approx(up - r["since_s"], abs=0.001)) for r in status["virtual_routers"]}

    def vr(self, name):
        found, = (r for r in self.lab.status(self.name)["virtual_routers"] if r["name"] == name)
        return found

    def wait_active(self, *names):
        for name in names:
            self.lab.wait_state(self.name, "Active", name=name)
        return self


def alone(lab, *blocks, wait=("A",)):
    return Router(lab, "r1", *blocks).wait_active(*wait)


def pair(lab, **more):
    """r1 is Active and r2 its Backup."""
    r1 = alone(lab, vr(**more))
    r2 = Router(lab, "r2", vr(priority=100, **more))
    r2.proc.wait_log("the Active Router is 10.77.0.11, priority 200")
    return r1, r2


def collect(client, lab, count, router="r1", vrid=None):
    """Frames from now on until the count-th advert of a router."""
    seen, n = [], 0

    def enough(frame):
        nonlocal n
        seen.append(frame)
        n += any(vrid in (None, a.vrid) for a in adverts(lab, router, [frame]))
        return n >= count

    client.wait(enough)
    return seen


def gaps_ms(lab, seen, vrid=51, router="r1"):
    times = [frame.t for frame in seen if any(a.vrid == vrid for a in adverts(lab, router, [frame]))]
    return [(b - a) / 1e6 for a, b in zip(times, times[1:])]


def announced(seen):
    """The addresses of the gratuitous ARPs."""
    return [frames.parse_arp(frame.data).spa for frame in seen if frames.is_garp(frame.data)]


# ---- nothing has changed ----

@pytest.mark.parametrize("way", ["reload", "command"])
def test_an_unchanged_file_changes_nothing(lab, way):
    """KA-19: no state, no announcement, no advert late, on the Active and on the Backup."""
    client = Client(lab)
    text = {name: [vr(priority=priority), vr_b(priority=priority)] for name, priority in (("r1", 200), ("r2", 100))}
    r1 = alone(lab, *text["r1"], wait="AB")
    r2 = Router(lab, "r2", *text["r2"])
    for name in "AB":
        r2.proc.wait_log(f"{name}: the Active Router is 10.77.0.11, priority 200")
    before = {r.name: (r.since(), machine(lab, r.name), transitions(r.proc)) for r in (r1, r2)}
    client.frames()
    for _ in range(3):
        for r in (r1, r2):
            done = getattr(r, way)()
            assert way == "reload" or (done.returncode, done.stderr) == (0, "")
    seen = collect(client, lab, 10)
    assert not announced(seen)
    assert not adverts(lab, "r2", seen)
    for vrid in (51, 52):
        assert max(gaps_ms(lab, seen, vrid)) < ADVERT_MS + STALL_MS
    assert {r.name: (r.since(), machine(lab, r.name), transitions(r.proc)) for r in (r1, r2)} == before


def test_an_unchanged_backup_takes_over_when_it_would_have_without(lab):
    """Its Active_Down_Timer runs on, however often the file is read meanwhile."""
    advert_ms = 500
    client = Client(lab)
    r1, r2 = pair(lab, advert_ms=advert_ms)
    r1.proc.kill()
    due_ms = 3 * advert_ms + advert_ms * 156 / 256
    heard_ns = time.time_ns() - int(r2.vr("A")["active_router"]["last_advert_ms_ago"] * 1e6)
    reloads = 0
    while "Backup -> Active" not in transitions(r2.proc):
        assert r2.command().returncode == 0
        reloads += 1
    first = next(frame for frame in client.frames() if adverts(lab, "r2", [frame]))
    assert reloads >= 5
    assert (first.t - heard_ns) / 1e6 == pytest.approx(due_ms, abs=STALL_MS)


def test_the_resources_after_twenty_reloads_are_those_of_the_start(lab):
    """Descriptors, maps, pins, memory."""
    fifo = lab.tmp / "fifo"
    text = [block("global_defs", f"vrrp_notify_fifo {fifo}"),
            block("vrrp_script chk", 'script "/bin/true"', "interval 1"),
            block("static_routes", "198.51.100.0/24 dev eth0"),
            vr(more=[block("track_script", "chk"), block("virtual_routes", "192.0.2.0/24 dev eth0"),
                     block("unicast_peer", "10.77.0.12")]),
            vr_b()]
    r1 = alone(lab, *text, wait="AB")

    def held():
        fds = sorted(os.readlink(fd) if not os.readlink(fd).startswith(("socket", "pipe")) else os.readlink(fd).split(":")[0]
                     for fd in Path(f"/proc/{r1.proc.worker}/fd").iterdir())
        return fds, machine(lab, "r1"), lab.run("r1", "ip route")

    def data_kb():
        return int(re.search(r"VmData:\s+(\d+)", Path(f"/proc/{r1.proc.worker}/status").read_text(encoding="ascii")).group(1))

    r1.proc.wait_log("VRRP_Script.chk. succeeded")
    before = held()
    changes = [text, [*text[:3], vr(vips=(VIP, "10.77.0.102"))], [*text[1:], vr("C", 53, vips=("10.77.0.103",))], text]
    for blocks in changes:
        r1.reload(*blocks)
    used_kb = data_kb()
    for _ in range(4):
        for blocks in changes:
            r1.reload(*blocks)
    r1.wait_active("A", "B")
    assert lab.wait_until(lambda: held() == before, what="the same descriptors, machine and routes"), held()
    assert data_kb() - used_kb < 256


# ---- numbers ----

def test_another_priority_takes_part_in_the_election_at_once(lab):
    """KA-19: down and up again, and the log names both (KA-37)."""
    r1, r2 = pair(lab)
    since = r1.reload(vr(priority=50))
    r1.proc.wait_log(r"\(A\) Changing effective priority from 200 to 50", since=since)
    r1.proc.wait_log("Active -> Backup: advert of higher priority: 100 from 10.77.0.12, ours 50", since=since)
    lab.wait_state("r2", "Active")
    since = r1.reload(vr(priority=200))
    r1.proc.wait_log("Backup -> Active: no advert", since=since)
    r2.proc.wait_log("Active -> Backup: advert of higher priority")
    assert active_routers(lab) == ["r1"]


def test_another_interval_is_in_the_next_advert(lab):
    """The next advert is not later than the old interval had it, nor than the new one has it; the Backup learns it."""
    client = Client(lab)
    r1, r2 = pair(lab)
    for old_ms, new_ms in ((ADVERT_MS, 400), (400, 100)):
        client.wait_advert("r1", interval=old_ms, count=2)
        r1.reload(vr(advert_ms=new_ms))
        done_ns = time.time_ns()
        first = client.wait_advert("r1", interval=new_ms)
        assert (first.t - done_ns) / 1e6 < min(old_ms, new_ms) + STALL_MS
        seen = [first, *collect(client, lab, 4)]
        assert all(a.interval == new_ms for a in adverts(lab, "r1", seen))
        assert gaps_ms(lab, seen) == pytest.approx([new_ms] * 4, abs=STALL_MS)
        r2.proc.wait_log(f"the Active Router is 10.77.0.11, priority 200, interval {new_ms} ms")
    assert transitions(r1.proc) == STARTED and transitions(r2.proc) == STARTED[:1]


# ---- addresses ----

def test_an_address_that_is_new_is_there_and_announced_alone(lab):
    """KA-19: GARP for what was added; the next advert lists it, and both are answered for."""
    client = Client(lab)
    r1 = alone(lab, vr())
    client.frames()
    r1.reload(vr(vips=(VIP, VIP_B)))
    seen = collect(client, lab, 4)
    assert set(announced(seen)) == {VIP_B}
    assert adverts(lab, "r1", seen)[-1].vips == (VIP, VIP_B)
    assert max(gaps_ms(lab, seen)) < ADVERT_MS + STALL_MS
    for addr in (VIP, VIP_B):
        assert client.who_has(addr, ["r1"]) == [lab.mac("r1")]
        assert client.is_answered("r1", addr)
    assert transitions(r1.proc) == STARTED


def test_an_address_that_is_no_longer_listed_goes(lab):
    """KA-19: the other stays, without an announcement."""
    client = Client(lab)
    r1 = alone(lab, vr(vips=(VIP, VIP_B)))
    client.frames()
    r1.reload(vr(vips=(VIP_B,)))
    seen = collect(client, lab, 3)
    assert not announced(seen)
    assert adverts(lab, "r1", seen)[-1].vips == (VIP_B,)
    assert VIP not in lab.addrs("r1") and VIP_B in lab.addrs("r1")
    assert client.who_has(VIP, ["r1"]) == []
    assert client.who_has(VIP_B, ["r1"]) == [lab.mac("r1")]
    assert r1.proc.stop() == 0
    assert VIP_B not in lab.addrs("r1")


@pytest.mark.parametrize("giver, taker", ["AB", "BA"])
def test_an_address_can_move_from_one_instance_to_another(lab, giver, taker):
    """In either order of the file: it is there, announced and answered for by the data plane."""
    client = Client(lab)
    moving = "10.77.0.105"

    def text(owner):
        own = {"A": (VIP,), "B": (VIP_B,)}
        own[owner] += (moving,)
        return vr(vips=own["A"]), vr_b(vips=own["B"])

    r1 = alone(lab, *text(giver), wait="AB")
    client.frames()
    r1.reload(*text(taker))
    assert set(announced(collect(client, lab, 3))) == {moving}
    assert lab.addrs("r1").count(moving) == 1
    before = counters(lab, "r1", taker)["arp_reply"]
    assert client.who_has(moving, ["r1"]) == [lab.mac("r1")]
    assert counters(lab, "r1", taker)["arp_reply"] == before + 1
    assert sorted(transitions(r1.proc)) == sorted(STARTED * 2)


def test_an_address_with_another_prefix_length_is_changed(lab):
    client = Client(lab)
    r1 = alone(lab, vr(), vr_b(), wait="AB")
    r1.reload(vr().replace(f"{VIP}/24", f"{VIP}/32"), vr_b())
    client.wait_advert("r1", vrid=51, count=3)
    shown = json.loads(lab.run("r1", "ip -j -4 addr show dev eth0"))[0]["addr_info"]
    assert {a["local"]: a["prefixlen"] for a in shown} == {"10.77.0.11": 24, VIP: 32, VIP_B: 24}
    assert client.who_has(VIP, ["r1"]) == [lab.mac("r1")]
    assert not [line for line in r1.proc.log if "somebody removed" in line]


def test_an_address_goes_of_whose_subnet_another_one_is(lab):
    """The kernel takes the secondary addresses of a subnet away with its primary one: they are put back."""
    client = Client(lab)
    r1 = alone(lab, vr(vips=("192.0.2.1", "192.0.2.2", "192.0.2.3")))
    r1.reload(vr(vips=("192.0.2.2", "192.0.2.3")))
    client.wait_advert("r1", count=3)
    assert {a for a in lab.addrs("r1") if a.startswith("192.0.2")} == {"192.0.2.2", "192.0.2.3"}
    assert client.who_has("192.0.2.2", ["r1"]) == [lab.mac("r1")]
    assert not [line for line in r1.proc.log if "somebody removed" in line]


def routes(lab):
    return {r["dst"] for r in json.loads(lab.run("r1", "ip -j -4 route show")) if r["dst"] != "10.77.0.0/24"}


def test_routes_come_and_go_as_listed(lab):
    """Virtual ones with their instance, static ones for as long as the daemon runs; nothing is announced for them."""
    client = Client(lab)

    def text(virtual, static):
        return (block("static_routes", *(f"{dst} dev eth0" for dst in static)),
                vr(more=[block("virtual_routes", *(f"{dst} via 10.77.0.12" for dst in virtual))]))

    r1 = alone(lab, *text(["192.0.2.0/25"], ["198.51.100.0/25"]))
    assert routes(lab) == {"192.0.2.0/25", "198.51.100.0/25"}
    client.frames()
    for virtual, static in ((["192.0.2.0/25", "192.0.2.128/25"], ["198.51.100.0/25"]),
                            (["192.0.2.128/25"], ["198.51.100.0/25", "198.51.100.128/25"]),
                            ([], ["198.51.100.128/25"])):
        r1.reload(*text(virtual, static))
        assert routes(lab) == {*virtual, *static}
    assert not announced(collect(client, lab, 3))
    assert r1.proc.stop() == 0
    assert routes(lab) == set()


def test_the_periodic_announcement_can_be_switched_on_and_off(lab):
    """garp_master_refresh concerns a router that is Active already."""
    client = Client(lab)
    r1 = alone(lab, vr())
    client.frames()
    r1.reload(vr(more=["garp_master_refresh 1"]))
    assert not announced(collect(client, lab, 3))
    for _ in range(2):
        client.wait(lambda frame: frames.is_garp(frame.data, VIP))
    r1.reload(vr())
    client.frames()
    assert not announced(collect(client, lab, 15))


# ---- scripts ----

def script(lab, name, body):
    path = lab.tmp / name
    path.write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


def told(lab, name):
    path = lab.tmp / f"{name}.told"
    return path.read_text(encoding="utf-8").splitlines() if path.exists() else []


def teller(lab, name):
    return script(lab, name, f'echo "$*" >> {lab.tmp}/{name}.told')


def test_another_notify_script_is_told_the_next_state_and_not_the_present_one(lab):
    r1 = alone(lab, vr(more=[f'notify "{teller(lab, "one")}"']))
    lab.wait_until(lambda: len(told(lab, "one")) == 2, what="BACKUP and MASTER told")
    r1.reload(vr(more=[f'notify "{teller(lab, "two")}"']))
    lab.cut_cable("r1")
    lab.wait_until(lambda: told(lab, "two"), what="FAULT told")
    assert told(lab, "two") == ["INSTANCE A FAULT 200"]
    assert told(lab, "one") == ["INSTANCE A BACKUP 200", "INSTANCE A MASTER 200"]


def test_a_tracked_script_keeps_its_result_and_another_one_gets_its_own(lab):
    """Spec 5: kept where name, arguments and user are the same. Another one moves the priority when its result is there."""
    r1 = alone(lab, vr())

    def text(path, weight, **more):
        return (block("vrrp_script chk", f'script "{path}"', "interval 1", f"weight {weight}"),
                vr(more=[block("track_script", "chk")], **more))

    good, bad = script(lab, "good", "exit 0"), script(lab, "bad", "exit 1")
    since = r1.reload(*text(good, 20))
    r1.proc.wait_log("Changing effective priority from 200 to 220", since=since)
    r1.reload(*text(good, 20))
    assert r1.vr("A")["priority"] == 220
    r1.reload(*text(good, 30, priority=150))
    assert r1.vr("A")["priority"] == 180
    since = r1.reload(*text(bad, -30))
    r1.proc.wait_log("Changing effective priority from 200 to 170", since=since)
    r1.reload(vr())
    assert r1.vr("A")["priority"] == 200
    assert transitions(r1.proc) == STARTED


def test_a_script_of_weight_0_that_is_new_does_not_stop_an_active_router_before_its_result(lab):
    """Nothing has failed yet; the result decides."""
    r1 = alone(lab, vr())
    late = script(lab, "late", f"while [ ! -e {lab.tmp}/go ]; do sleep 0.05; done; exit 1")
    since = r1.reload(block("vrrp_script chk", f'script "{late}"', "interval 5"), vr(more=[block("track_script", "chk")]))
    client = Client(lab)
    assert not announced(collect(client, lab, 3))
    assert transitions(r1.proc) == STARTED and r1.vr("A")["state"] == "Active"
    (lab.tmp / "go").touch()
    r1.proc.wait_log("Active -> Initialize: a tracked", since=since)


# ---- instances ----

def test_an_instance_that_is_renamed_goes_on(lab):
    """KA-19: matched by what it is on the wire."""
    client = Client(lab)
    text = [vr(more=[f'notify "{teller(lab, "notify")}"'])]
    r1 = alone(lab, *text)
    lab.wait_until(lambda: len(told(lab, "notify")) == 2, what="BACKUP and MASTER told")
    before = list(r1.since().values())
    client.frames()
    r1.reload(text[0].replace("vrrp_instance A", "vrrp_instance Other"))
    seen = collect(client, lab, 4)
    assert not announced(seen) and max(gaps_ms(lab, seen)) < ADVERT_MS + STALL_MS
    assert list(r1.since()) == ["Other"] and list(r1.since().values()) == before
    lab.cut_cable("r1")
    r1.proc.wait_log("Other: Active -> Initialize: link down")
    lab.wait_until(lambda: len(told(lab, "notify")) == 3, what="FAULT told")
    assert told(lab, "notify")[2] == "INSTANCE Other FAULT 200"


@pytest.mark.parametrize("deleted, word", [((), "FAULT"), (("notify_deleted",), "DELETED")])
def test_an_instance_is_added_and_removed(lab, deleted, word):
    """KA-19: the new one is elected; the removed one says goodbye, its address goes, and the notification says so."""
    client = Client(lab)
    b = vr_b(more=[f'notify "{teller(lab, "b")}"', *deleted])
    r1 = alone(lab, vr())
    before = machine(lab, "r1")
    for turn in range(2):
        since = r1.reload(b, vr())
        r1.proc.wait_log("B: Backup -> Active", since=since)
        assert counters(lab, "r1", "B")["became_active"] == 1
        assert counters(lab, "r1", "B")["arp_reply"] == 0
        assert client.who_has(VIP_B, ["r1"]) == [lab.mac("r1")]
        client.frames()
        r1.reload(vr())
        seen = collect(client, lab, 5, vrid=51)
        b_adverts = [a for a in adverts(lab, "r1", seen) if a.vrid == 52]
        assert b_adverts[-1].priority == 0
        assert not announced(seen) and max(gaps_ms(lab, seen)) < ADVERT_MS + STALL_MS
        assert client.who_has(VIP_B, ["r1"]) == []
        lab.wait_until(lambda n=3 * turn + 3: len(told(lab, "b")) == n, what="its end told")
        assert told(lab, "b")[-3:] == ["INSTANCE B BACKUP 200", "INSTANCE B MASTER 200", f"INSTANCE B {word} 200"]
    assert machine(lab, "r1") == before
    assert [r["name"] for r in lab.status("r1")["virtual_routers"]] == ["A"]


def test_another_vrid_is_another_router(lab):
    """Spec 5: the old one is deleted, the new one starts as Backup, with the same addresses."""
    client = Client(lab)
    r1 = alone(lab, vr())
    client.frames()
    r1.reload(vr(vrid=53))
    bye = client.wait_advert("r1", vrid=51, priority=0)
    first = client.wait_advert("r1", vrid=53)
    assert first.t - bye.t >= 3 * ADVERT_MS * 1e6
    r1.wait_active("A")
    assert client.who_has(VIP, ["r1"]) == [lab.mac("r1")]
    assert client.is_answered("r1")


# ---- interfaces ----

def test_an_interface_is_added_and_dropped(lab):
    """Attached without a fault in between, its control socket there; afterwards the machine is as before."""
    lab.run("r1", ["sh", "-c", "ip link add dev1 type veth peer name dev2 && ip link set dev2 up && ip link set dev1 up && "
                               "ip addr add 192.0.2.1/24 dev dev1"])
    lab.wait_link("r1", up=True, dev="dev1")
    r1 = alone(lab, vr())
    before = machine(lab, "r1")
    b = vr_b(interface="dev1", vips=("192.0.2.100",), more=[f'notify "{teller(lab, "b")}"'])
    for turn in range(2):
        since = r1.reload(vr(), b)
        r1.proc.wait_log("B: Backup -> Active", since=since)
        assert xdp(lab, "r1", "dev1")
        assert "@vrrp-xdp" in lab.run("r1", "grep vrrp-xdp.*dev1 /proc/net/unix")
        assert "192.0.2.100" in lab.addrs("r1", "dev1")
        r1.reload(vr())
        assert not xdp(lab, "r1", "dev1") and "192.0.2.100" not in lab.addrs("r1", "dev1")
        lab.wait_until(lambda n=3 * turn + 3: len(told(lab, "b")) == n, what="its end told")
        assert told(lab, "b")[-3:-1] == ["INSTANCE B BACKUP 200", "INSTANCE B MASTER 200"]
        assert machine(lab, "r1") == before
    assert not [line for line in r1.proc.log if line.startswith("B: Initialize: ")]
    second = lab.popen("r1", [BINARY, "attach", "dev1", "--vrid", "9",
                              "--vip", "192.0.2.100/24"])
    second.wait_log("Initialize -> Backup")
    assert second.stop() == 0
    assert transitions(r1.proc)[:2] == STARTED


def test_an_interface_that_another_vrrp_xdp_holds_refuses_the_reload(lab):
    lab.run("r1", ["sh", "-c", "ip link add dev1 type veth peer name dev2 && ip link set dev2 up && ip link set dev1 up && "
                               "ip addr add 192.0.2.1/24 dev dev1"])
    r1 = alone(lab, vr())
    other = lab.popen("r1", [BINARY, "attach", "dev1", "--vrid", "9", "--vip", "192.0.2.100/24"])
    other.wait_log("Initialize -> Backup")
    before = machine(lab, "r1")
    r1.write(vr(priority=10), vr_b(interface="dev1", vips=("192.0.2.101",)))
    since = r1.proc.mark()
    r1.proc.signal(signal.SIGHUP)
    r1.proc.wait_log("dev1: vrrp-xdp runs there already", since=since)
    r1.proc.wait_log("not taken over; everything goes on as before", since=since)
    Client(lab).wait_advert("r1", priority=200, count=3)
    assert machine(lab, "r1") == before
    assert transitions(r1.proc) == STARTED


# ---- files that are wrong ----

WRONG = {  # text, what `reload` says first
    "VRID": (vr(vrid=300), r":3:23: virtual_router_id 300 is outside 1-255"),
    "interface": (vr(interface="nope0"), r':2:15: interface "nope0" does not exist'),
    "no instance": ("global_defs {\n}\n", r": no vrrp_instance in it"),
    "missing": (None, r": .*No such file"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_file_is_refused_and_everything_goes_on(lab, name):
    """Exit code 2 of `reload`, and what the log says on its stderr; SIGHUP says it in the log only."""
    text, said = WRONG[name]
    client = Client(lab)
    r1 = alone(lab, vr())
    before = r1.since(), machine(lab, "r1")
    client.frames()
    if text is None:
        r1.path.unlink()
    done = r1.command(*([text] if text else []))
    assert (done.returncode, done.stdout) == (2, "")
    first, *_, last = done.stderr.splitlines()
    assert re.match(re.escape(str(r1.path)) + said, first), done.stderr
    assert last == f"{r1.path}: not taken over; everything goes on as before"
    since = r1.proc.mark()
    r1.proc.signal(signal.SIGHUP)
    r1.proc.wait_log(f"^{re.escape(last)}$", since=since)
    seen = collect(client, lab, 4)
    assert not announced(seen) and max(gaps_ms(lab, seen)) < ADVERT_MS + STALL_MS
    assert (r1.since(), machine(lab, "r1")) == before
    assert transitions(r1.proc) == STARTED
    r1.reload(vr(priority=150))
    assert r1.vr("A")["priority"] == 150


# ---- sync groups ----

def test_a_sync_group_is_added_and_removed(lab):
    """Both members are Active: the group is, too, without a change. From then on one takes the other along, until it is gone."""
    lab.run("r1", ["sh", "-c", "ip link add dev1 type veth peer name dev2 && ip link set dev2 up && ip link set dev1 up"])
    lab.wait_link("r1", up=True, dev="dev1")
    client = Client(lab)
    group = block("vrrp_sync_group G", block("group", "A", "B"), f'notify "{teller(lab, "group")}"')
    members = [vr(), vr_b(more=[block("track_interface", "dev1")])]
    r1 = alone(lab, *members, wait="AB")
    before = r1.since()
    client.frames()
    r1.reload(group, *members)
    r1.proc.wait_log(r"VRRP_Group\(G\) Syncing instances to MASTER state")
    assert not announced(collect(client, lab, 5))
    assert r1.since() == before
    lab.wait_until(lambda: told(lab, "group") == ["GROUP G MASTER 0"], what="the group's state told")
    lab.run("r1", "ip link set dev2 down")
    r1.proc.wait_log("A: Active -> Initialize: another member of the sync group cannot work")
    since = r1.reload(*members)
    r1.proc.wait_log("A: Backup -> Active", since=since)
    assert r1.vr("B")["state"] == "Initialize"


def test_a_sync_group_of_an_active_and_a_backup_is_backup(lab):
    """KA-26, KA-27, as keepalived does it: no router of a group stays Active alone, and the peer takes over."""
    r1 = Router(lab, "r1", vr(), vr_b(priority=50))
    r2 = Router(lab, "r2", vr(priority=100), vr_b(priority=100))
    r1.wait_active("A")
    r2.wait_active("B")
    for r, name in ((r1, "B"), (r2, "A")):
        lab.wait_state(r.name, "Backup", name=name)
    since = r1.reload(block("vrrp_sync_group G", block("group", "A", "B")), vr(), vr_b(priority=50))
    r1.proc.wait_log("A: Active -> Backup: another member of the sync group is Backup", since=since)
    r2.wait_active("A", "B")
    for name in "AB":
        assert r1.vr(name)["state"] == "Backup"
    assert {VIP, VIP_B} <= set(lab.addrs("r2")) and not {VIP, VIP_B} & set(lab.addrs("r1"))


# ---- what is on the wire ----

def test_another_group_is_taken_for_the_adverts(lab):
    """vrrp_mcast_group4, without a change of state; the Backup hears it when it is told as well."""
    client = Client(lab)
    r1, r2 = pair(lab)
    other = block("global_defs", "vrrp_mcast_group4 239.1.2.3")
    client.frames()
    r2.reload(other, vr(priority=100))
    r1.reload(other, vr())
    client.wait_advert("r1", dst="239.1.2.3", count=3)
    assert all(a.dst == "239.1.2.3" for a in adverts(lab, "r1", collect(client, lab, 3)))
    assert transitions(r1.proc) == STARTED and transitions(r2.proc) == STARTED[:1]
    r2.proc.wait_log("the Active Router is 10.77.0.11, priority 200")
    assert active_routers(lab) == ["r1"]


def test_another_peer_gets_adverts_and_one_that_is_gone_does_not(lab):
    """Unicast: the same router, with other peers; what they send is believed or refused accordingly."""
    client = Client(lab)

    def text(peer, priority=200):
        return vr(priority=priority, more=["unicast_src_ip 10.77.0.11" if priority == 200 else "unicast_src_ip 10.77.0.12",
                                           block("unicast_peer", peer)])

    r1 = alone(lab, text("10.77.0.12"))
    client.frames()
    r1.reload(text(lab.ip("client")))
    seen = collect(client, lab, 5)
    assert {a.dst for a in adverts(lab, "r1", seen)} == {lab.ip("client")} and not announced(seen)
    assert max(gaps_ms(lab, seen)) < ADVERT_MS + STALL_MS
    r2 = Router(lab, "r2", text("10.77.0.11", priority=100)).wait_active("A")
    lab.wait_until(lambda: counters(lab, "r1")["rx_peer"] > 3, what="adverts of a stranger")
    r1.reload(text("10.77.0.12"))
    r2.proc.wait_log("Active -> Backup: advert of higher priority: 200 from 10.77.0.11")
    assert transitions(r1.proc) == STARTED


def test_another_version_is_spoken_at_once(lab):
    client = Client(lab)
    r1 = alone(lab, vr())
    r1.reload(vr().replace("version 3", "version 2").replace(f"advert_int {ADVERT_MS / 1000}", "advert_int 1"))
    first = client.wait_advert("r1", version=2)
    second = client.wait_advert("r1")
    assert (second.t - first.t) / 1e6 == pytest.approx(1000, abs=STALL_MS)
    assert transitions(r1.proc) == STARTED


# ---- many ----

@pytest.mark.parametrize("name", ["dev1", "dev9"])
def test_an_interface_that_appears_is_opened_without_a_fault(lab, name):
    """dynamic_interfaces, and a reload while it is not there: the attachment is our own, nobody took it off. One that gets
    its name late is up already, where the kernel allows that."""
    r1 = alone(lab, vr())
    b = vr_b(interface="dev1", vips=("192.0.2.100",))
    r1.reload(block("global_defs", "dynamic_interfaces"), vr(), b)
    status = r1.vr("B")
    assert (status["state"], status["why"], status["xdp_mode"]) == ("Initialize", "the interface is gone", None)
    assert "interface dev1, XDP -: -" in cli(lab, "r1", "status").stdout
    since = r1.proc.mark()
    lab.run("r1", ["sh", "-c", f"ip link add {name} type veth peer name dev2 && ip link set dev2 up && ip link set {name} up && "
                               f"ip addr add 192.0.2.1/24 dev {name}"])
    if name != "dev1":
        lab.wait_link("r1", up=True, dev=name)
        lab.run("r1", f"ip link set {name} name dev1", check=False)
        lab.run("r1", f"sh -c '[ -e /sys/class/net/dev1 ] || ip link set {name} down name dev1 up'")
    r1.proc.wait_log("B: Backup -> Active", since=since)
    assert not [line for line in r1.proc.log if "somebody took" in line]
    r1.reload(vr())
    assert not xdp(lab, "r1", "dev1")
    assert transitions(r1.proc)[:2] == STARTED


def test_what_does_not_fit_the_tables_is_refused_and_everything_goes_on(lab):
    """Maps cannot grow: exit code 1, and the way out."""
    r1 = alone(lab, vr())
    before = r1.since(), machine(lab, "r1")
    many = [vr(f"V{i}", 100 + i, vips=(f"10.77.0.{110 + i}",)) for i in range(30)]
    done = r1.command(*many)
    assert done.returncode == 1
    assert re.search("does not fit the tables made at the start .*; restart vrrp-xdp", done.stderr)
    assert (r1.since(), machine(lab, "r1")) == before
    r1.reload(*many[:5], vr())
    r1.wait_active(*(f"V{i}" for i in range(5)))
    assert transitions(r1.proc)[:2] == STARTED


def many_at_10_ms(lab):
    """Whether 20 reloads of both routers, 20 instances with an advert every 10 ms, changed no state."""
    names = [f"V{i}" for i in range(20)]
    routers = []
    for router, priority in (("r1", 200), ("r2", 100)):
        text = [vr(name, 50 + i, priority, (f"10.77.0.{100 + i}",), advert_ms=10) for i, name in enumerate(names)]
        routers.append(Router(lab, router, *text, flags=("--rt-priority", 50)))
        for name in names:
            lab.wait_state(router, "Active" if router == "r1" else "Backup", name=name)
    lab.wait_until(lambda: all(r["active_router"] for r in lab.status("r2")["virtual_routers"]), what="all heard")
    before = [(r.since(), transitions(r.proc)) for r in routers]
    for _ in range(20):
        for r in routers:
            r.reload()
    after = [(r.since(), transitions(r.proc)) for r in routers]
    for r in routers:
        assert r.proc.stop() == 0
    return after == before


def test_twenty_reloads_at_10_ms_change_no_state(lab):
    """Neither the Active nor its Backup notices. A Backup waits 36 ms: where the machine stalls for so long, try again."""
    assert any(many_at_10_ms(lab) for _ in range(4))
