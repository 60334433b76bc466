# SPDX-License-Identifier: GPL-2.0-or-later
"""libxdp's dispatcher, which needs what the kernels of some containers lack: vrrp-xdp beside xdp-filter and a second program,
attached and detached in every order. Whoever is attached works, and whoever leaves takes only itself away."""

import itertools
import re

import frames
import pytest
from lab import PASS_OBJECT
from routers import Client, assert_settled, attach, attach_pair, cli, counters, xdp

BLOCKED_MAC = "02:77:00:00:00:ee"  # whose frames xdp-filter drops
NAMES = {"vrrp": "vrrp_xdp", "filter": "xdpfilt_alw_eth", "pass": "xdp_pass"}
SMOKE = [(("vrrp", "filter", "pass"), ("vrrp", "pass", "filter")), (("filter", "vrrp", "pass"), ("filter", "pass", "vrrp")),
         (("pass", "filter", "vrrp"), ("pass", "vrrp", "filter"))]
ORDERS = list(itertools.product(itertools.permutations(NAMES), repeat=2))
# Each order of attaching with detaching in the same order, in the reverse one, and with vrrp-xdp in the middle.
CHOSEN = [(a, d) for a, d in ORDERS if d in (a, a[::-1]) or (d[1] == "vrrp" and d[0] == min(a, key=a.index))]


def programs(lab, host="r1", dev="eth0"):
    """The names of the programs behind the dispatcher, in their order; None without a dispatcher."""
    lines = lab.run(host, ["xdp-loader", "status", dev]).splitlines()
    if not any("xdp_dispatcher" in line for line in lines):
        return None
    return [m[1] for m in (re.match(r"\s*=>\s+\d+\s+(\S+)", line) for line in lines) if m]


class Party:
    """The three programs on r1's eth0."""

    def __init__(self, lab, mode="native"):
        self.lab, self.mode = lab, mode
        self.client = Client(lab)
        self.router = None
        self.there = set()

    def attach(self, who):
        if who == "vrrp":
            self.router = attach(self.lab, "r1", mode=self.mode)
            self.router.wait_log("shared through libxdp's dispatcher")
            self.router.wait_log("-> Active")
        elif who == "filter":
            self.lab.run("r1", f"xdp-filter load -m {self.mode} -p allow -f ethernet eth0")
            self.lab.run("r1", f"xdp-filter ether -m src {BLOCKED_MAC}")
        else:
            self.lab.run("r1", f"xdp-loader load -m {self.mode} -n xdp_pass eth0 {PASS_OBJECT}")
        self.there.add(who)

    def detach(self, who):
        if who == "vrrp":
            assert self.router.stop() == 0, self.router.log
        elif who == "filter":
            self.lab.run("r1", "xdp-filter unload eth0")
        else:
            shown = self.lab.run("r1", "xdp-loader status eth0")
            number = re.search(r"=>\s+\d+\s+xdp_pass\s+(\d+)", shown)[1]
            self.lab.run("r1", f"xdp-loader unload -i {number} eth0")
        self.there.discard(who)

    def assert_works(self):
        lab, client = self.lab, self.client
        assert sorted(programs(lab) or []) == sorted(NAMES[who] for who in self.there)
        client.frames()
        client.ask(lab.ip("r1"), eth_src=BLOCKED_MAC)
        heard = client.fence(["r1"])
        answers = [a for a in (frames.parse_arp(frame.data) for frame in heard) if a and a.eth_dst == BLOCKED_MAC]
        assert bool(answers) == ("filter" not in self.there)
        if "vrrp" in self.there:
            before = counters(lab, "r1")["arp_reply"]
            assert client.who_has(lab.VIP, ["r1"]) == [lab.mac("r1")]
            assert counters(lab, "r1")["arp_reply"] == before + 1, "the kernel answered and not the program"
        else:
            assert client.who_has(lab.VIP, ["r1"]) == []


def order_id(order):
    return "-".join(who[0] for who in order)


def have_bpffs(lab, host="r1"):
    """As systemd mounts it; vrrp-xdp would do so itself, xdp-tools would make do with no dispatcher."""
    lab.run(host, "mount -t bpf bpf /sys/fs/bpf")


def play(lab, attached, detached, mode="native"):
    party = Party(lab, mode)
    if attached[0] != "vrrp":
        have_bpffs(lab)
    for who in attached:
        party.attach(who)
        party.assert_works()
    for who in detached:
        party.detach(who)
        party.assert_works()
    assert not xdp(lab, "r1")
    assert lab.run("r1", "find /sys/fs/bpf -path '*vrrp*' -type f -o -path '*/dispatch*'") == ""
    lab.run("r1", "umount /sys/fs/bpf", check=False)


@pytest.mark.smoke
@pytest.mark.parametrize(("attached", "detached"), SMOKE, ids=order_id)
def test_three_programs_share_the_nic(module_lab, attached, detached):
    play(module_lab, attached, detached)


@pytest.mark.parametrize(("attached", "detached"), [order for order in CHOSEN if order not in SMOKE], ids=order_id)
def test_three_programs_share_the_nic_in_any_order(module_lab, attached, detached):
    play(module_lab, attached, detached)


def test_three_programs_share_the_nic_in_generic_mode(module_lab):
    play(module_lab, *SMOKE[1], mode="skb")


@pytest.mark.smoke
def test_a_takeover_with_both_routers_behind_a_dispatcher(lab):
    pair = attach_pair(lab)
    for router in lab.routers:
        assert programs(lab, router) == ["vrrp_xdp"]
    assert_settled(lab, pair.client, "r1", ["r2"])
    lab.cut_cable("r1")
    pair.r2.wait_log("Backup -> Active: no advert")
    lab.run("client", f"ping -c 1 -W 5 {lab.VIP}")
    lab.plug("r1")
    pair.r2.wait_log("Active -> Backup: advert of higher priority")
    assert_settled(lab, pair.client, "r1", ["r2"])


@pytest.mark.lan(routers=1)
def test_a_killed_router_is_cleared_away_and_its_neighbours_stay(lab):
    """SEC-27: detach removes what a dead controller left, and nothing else."""
    party = Party(lab)
    have_bpffs(lab)
    for who in ("filter", "vrrp", "pass"):
        party.attach(who)
    party.router.kill()
    assert sorted(programs(lab)) == sorted(NAMES.values())
    lab.wait_until(lambda: party.client.who_has(lab.VIP, ["r1"]) == [], what="the end of the lease")
    assert lab.VIP in lab.addrs("r1"), "the program left on the NIC is what keeps the kernel silent"
    done = cli(lab, "r1", "detach", "eth0")
    assert done.returncode == 0, done.stderr
    party.there.discard("vrrp")
    party.assert_works()
    for who in ("pass", "filter"):
        party.detach(who)


@pytest.mark.lan(routers=1)
def test_a_router_started_again_after_a_kill_takes_the_place_of_its_predecessor(lab):
    party = Party(lab)
    for who in ("vrrp", "filter"):
        party.attach(who)
    party.router.kill()
    party.attach("vrrp")
    party.assert_works()
    for who in ("vrrp", "filter"):
        party.detach(who)
        party.assert_works()
