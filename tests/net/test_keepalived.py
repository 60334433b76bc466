# SPDX-License-Identifier: GPL-2.0-or-later
"""Real keepalived as the peer, as the better and as the worse router, in every form of advert that both speak."""

import pytest
from beside import FORMS, Case, play
from routers import Client, active_routers, adverts, attach, counters, partition
from together import played

CASES = [Case(active, form, cast, "none") for active in ("keepalived", "vrrp-xdp") for form in FORMS if form != "ipv6"
         for cast in ("multicast", "unicast")]


results = played(play, "case")


@pytest.mark.parametrize("case", CASES, ids="-".join)
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
