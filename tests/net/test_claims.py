# SPDX-License-Identifier: GPL-2.0-or-later
"""Somebody else claims our addresses and falls silent: no neighbour's cache may be left with the last word of the pretender."""

import frames
from routers import Client, attach, transitions

OTHER = "10.77.0.101"
PRETENDER = "02:77:00:00:00:fe"
DEFEND_S = 10



def test_a_claim_that_is_repeated_is_answered_once_more_and_each_address_has_its_own_limit(lab):
    """ARP-6, SEC-22. A pretender that is heard twice and never again had the last word for as long as hosts keep an entry."""
    client = Client(lab)
    proc = attach(lab, "r1", vips=(lab.VIP_CIDR, f"{OTHER}/24"))
    proc.wait_log("-> Active")

    def ours(addr):
        return lambda frame: frames.is_garp(frame.data, addr) and frames.parse_arp(frame.data).eth_src == lab.mac("r1")

    for _ in range(2 * 2 * 5):  # of a takeover: each address five times at once, and again 5 s later
        client.wait(lambda frame: ours(lab.VIP)(frame) or ours(OTHER)(frame))

    def claim(addr):
        client.send(frames.arp(eth_src=PRETENDER, spa=addr, tpa=addr))

    claim(lab.VIP)
    first = client.wait(ours(lab.VIP))
    claim(OTHER)
    client.wait(ours(OTHER))
    claim(lab.VIP)
    client.fence(["r1"])
    again = client.wait(ours(lab.VIP), timeout=DEFEND_S + 5)
    assert again.t - first.t >= (DEFEND_S - 0.1) * 1e9
    client.wait(ours(OTHER))
    assert len([line for line in proc.log if "claims our address 10" in line]) == 2
    assert len([line for line in proc.log if "still claims our addresses" in line]) == 1
    assert transitions(proc) == ["Initialize -> Backup", "Backup -> Active"]
