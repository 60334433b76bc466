# SPDX-License-Identifier: GPL-2.0-or-later
"""Real keepalived as the peer over IPv6, as the better and as the worse router."""

import pytest
from beside import Case, play
from together import played

CASES = [Case(active, "ipv6", cast, "none") for active in ("keepalived", "vrrp-xdp") for cast in ("multicast", "unicast")]

results = played(play, "case")


@pytest.mark.parametrize("case", CASES, ids="-".join)
def test_failover_and_preemption_with_keepalived_over_ipv6(results, case):
    """FSM-A4, FSM-B2, FSM-B3, FSM-B5, RX-30, RX-33, RX-34, WF-17 and KA-13, KA-14, KA-18 on the other side."""
    assert results(case), "the takeover after the clean stop was not due to priority 0"
