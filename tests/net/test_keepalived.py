# SPDX-License-Identifier: GPL-2.0-or-later
"""Real keepalived as the peer, as the better and as the worse router, in every form of advert that both speak."""

from collections import namedtuple

import pytest
from lab import Lab
from routers import Client, active_routers, adverts, attach, counters, partition
from together import played

Case = namedtuple("Case", "active form cast")
FORMS = {  # flags of vrrp-xdp; version, interval and more lines for keepalived
    "v2": (["--version", 2, "--advert-int", 1], 2, 1, ""),
    "v2-pass": (["--version", 2, "--advert-int", 1, "--auth-pass", "s3cret"], 2, 1,
                "authentication {\nauth_type PASS\nauth_pass s3cret\n}"),
    "v3": (["--advert-int", 0.2], 3, 0.2, ""),
}
CASES = [Case(active, form, cast) for active in ("keepalived", "vrrp-xdp") for form in FORMS
         for cast in ("multicast", "unicast")]
PRIORITY = {"r1": 254, "r2": 253}
GOOD = {"rx_ok", "rx_absorbed", "rx_prio0", "rx_csum_rfc5798", "ev_sent", "ev_limited", "tx_adverts", "tx_prio0", "arp_reply",
        "arp_drop", "vip_conflict", "became_active"}


def case_id(case):
    return "-".join(case)


class Play:
    """r1 is better than r2; one is keepalived."""

    def __init__(self, lab, case):
        self.lab, self.case = lab, case
        self.client = Client(lab)
        self.runs = {"r1": case.active, "r2": "vrrp-xdp" if case.active == "keepalived" else "keepalived"}
        self.procs = {}

    def start(self, router):
        other = self.lab.ip({"r1": "r2", "r2": "r1"}[router])
        flags, version, interval, extra = FORMS[self.case.form]
        unicast = self.case.cast == "unicast"
        if self.runs[router] == "vrrp-xdp":
            flags = [*flags, *(["--unicast-peer", other, "--src", self.lab.ip(router)] if unicast else [])]
            self.procs[router] = self.lab.start_vrrp_xdp(router, [
                "attach", "eth0", "--vrid", 51, "--vip", self.lab.VIP_CIDR, "--priority", PRIORITY[router], "--mode", "native",
                *flags])
        else:
            extra += f"\nunicast_src_ip {self.lab.ip(router)}\nunicast_peer {{\n{other}\n}}" if unicast else ""
            conf = self.lab.keepalived_conf(priority=PRIORITY[router], advert_int=interval, version=version, extra=extra)
            self.procs[router] = self.lab.start_keepalived(router, conf)
        return self.procs[router]

    def wait_backup(self, router, since=0):
        self.procs[router].wait_log("Entering BACKUP STATE|-> Backup", since=since)

    def assert_owner(self, router):
        """This router alone has the address and answers for it, and the client's kernel reaches it."""
        lab, other = self.lab, {"r1": "r2", "r2": "r1"}[router]
        lab.wait_addr(router, lab.VIP)
        lab.wait_addr(other, lab.VIP, present=False)
        assert self.client.who_has(lab.VIP, [router]) == [lab.mac(router)]
        lab.run("client", f"ping -c 1 -W 2 {lab.VIP}")

    def assert_no_complaints(self):
        """Neither program has refused an advert."""
        for router, program in self.runs.items():
            if program == "vrrp-xdp":
                now = counters(self.lab, router)
                assert not {key for key, value in now.items() if value} - GOOD, now
                assert now["rx_ok"] > 0 or self.lab.state(router) == "Active"
            else:
                bad = [line for line in self.procs[router].log if "nvalid" in line or "wrong" in line or "expected" in line]
                assert not bad


def play(case):
    """Start, cable cut and plugged, clean stop, restart: the better router is Active whenever it can."""
    with Lab() as lab:
        p = Play(lab, case)
        p.start("r1")
        lab.wait_addr("r1", lab.VIP)
        p.start("r2")
        p.wait_backup("r2")
        p.assert_owner("r1")
        lab.cut_cable("r1")
        lab.wait_addr("r1", lab.VIP, present=False)
        p.assert_owner("r2")
        lab.plug("r1")
        p.assert_owner("r1")
        p.assert_no_complaints()
        since = p.procs["r2"].mark()
        p.procs["r1"].end()
        lab.wait_addr("r2", lab.VIP)
        p.assert_owner("r2")
        handover = [line for line in p.procs["r2"].log[since:] if "priority 0" in line]
        p.procs["r1"].wait()
        p.start("r1")
        p.assert_owner("r1")
        p.assert_no_complaints()
        return handover


results = played(play, "case")


@pytest.mark.parametrize("case", CASES, ids=case_id)
def test_failover_and_preemption_with_keepalived(results, case):
    """FSM-A4, FSM-B2, FSM-B3, FSM-B5, RX-33, RX-34, WF-6, WF-7, WF-18 and KA-13, KA-14, KA-18 on the other side."""
    assert results(case), "the takeover after the clean stop was not due to priority 0"


@pytest.mark.parametrize("greater", ["vrrp-xdp", "keepalived"])
def test_of_equal_priorities_the_greater_address_stays_active_beside_keepalived(lab, greater):
    """FSM-A4, FSM-A7: r2 has the greater address."""
    partition(lab, True)
    ours, theirs = ("r2", "r1") if greater == "vrrp-xdp" else ("r1", "r2")
    keepalived = lab.start_keepalived(theirs, lab.keepalived_conf(priority=100, advert_int=0.1))
    router = attach(lab, ours, 100)
    keepalived.wait_log("Entering MASTER STATE")
    router.wait_log("-> Active")
    client = Client(lab)
    assert client.who_has(lab.VIP, lab.routers) == [lab.mac("r1"), lab.mac("r2")]
    partition(lab, False)
    if greater == "vrrp-xdp":
        keepalived.wait_log("received advert from 10.77.0.12 with same priority 100 but higher IP address than ours")
        lab.wait_addr(theirs, lab.VIP, present=False)
    else:
        router.wait_log("Active -> Backup: advert of the same priority and a greater address: 100 from 10.77.0.12")
    client.frames()
    seen = []
    client.wait(lambda frame: seen.append(frame) or len(adverts(lab, "r2", seen)) == 5)
    assert not adverts(lab, "r1", seen)
    assert client.who_has(lab.VIP, lab.routers) == [lab.mac("r2")]
    assert active_routers(lab) == (["r2"] if greater == "vrrp-xdp" else [])
    lab.run("client", f"ping -c 1 -W 2 {lab.VIP}")


@pytest.mark.parametrize("form", ["auto", "rfc5798"])
def test_keepaliveds_checksum_is_accepted_and_counted(lab, form):
    """WF-18, WF-19: 2.2 knows the form with the pseudo-header only."""
    lab.start_keepalived("r1", lab.keepalived_conf(priority=200, advert_int=0.1))
    lab.wait_addr("r1", lab.VIP)
    router = attach(lab, "r2", 100, "--checksum", form)
    router.wait_log("the Active Router is 10.77.0.11, priority 200, interval 100 ms")
    Client(lab).wait_advert("r1", count=5)
    now = counters(lab, "r2")
    assert now["rx_csum_rfc5798"] == now["rx_ok"] >= 5
    assert now["rx_csum_rfc9568"] == now["rx_csum"] == 0


def test_a_checksum_form_that_was_not_asked_for_is_refused_and_explained(lab):
    """RX-23, WF-19: both become Active, as the configuration has it; the log says why."""
    lab.start_keepalived("r1", lab.keepalived_conf(priority=200, advert_int=0.1))
    lab.wait_addr("r1", lab.VIP)
    router = attach(lab, "r2", 100, "--checksum", "rfc9568")
    router.wait_log(r"\) Invalid VRRPv3 checksum from 10.77.0.11 .*\[rx_csum\]; .* its checksum form differs: see --checksum")
    router.wait_log("-> Active")
    now = counters(lab, "r2")
    assert now["rx_csum"] > 0 and now["rx_ok"] == 0
