# SPDX-License-Identifier: GPL-2.0-or-later
"""keepalived with use_vmac as the peer, as the better and as the worse router; we have the virtual MAC as well, or have not."""

import pytest
from beside import Case, play
from together import played

CASES = [Case(active, form, "multicast", macs) for active in ("keepalived", "vrrp-xdp") for form in ("v2", "v3", "ipv6")
         for macs in ("theirs", "both")]

results = played(play, "case")


@pytest.mark.parametrize("case", CASES, ids="-".join)
def test_failover_and_preemption_with_keepaliveds_use_vmac(results, case):
    """KA-35, WF-14, ARP-1, ND-1: the switch finds the virtual MAC, where both have it no host hears of another one."""
    assert results(case), "the takeover after the clean stop was not due to priority 0"
