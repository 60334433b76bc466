# SPDX-License-Identifier: GPL-2.0-or-later
"""Every frame that leaves a router, in the eyes of tshark; and frames with VLAN tags that come in."""

import frames
import pytest
from lab import Lab, tshark_check, tshark_fields
from routers import FAKE_IP, FAKE_MAC, Client, assert_settled, attach, attach_pair, counters, moved, transitions
from together import played

FORMS = {  # flags, advert interval in ms, what tshark must take the checksum for
    "v3": ([], 100, "rfc5798"),
    "v3-rfc5798": (["--checksum", "rfc5798"], 100, "rfc5798"),
    "v3-rfc9568": (["--checksum", "rfc9568"], 100, "rfc9568"),
    "v3-40.95s": (["--checksum", "rfc5798"], 40950, "rfc5798"),
    "v3-10ms": ([], 10, "rfc5798"),
    "v2": (["--version", 2], 1000, "rfc5798"),
    "v2-pass": (["--version", 2, "--auth-pass", "12345678"], 1000, "rfc5798"),
}
OURS = "eth.src == 02:77:00:00:00:0b or eth.src == 02:77:00:00:00:0c"
OTHER_FORM = {"rfc5798": "rfc9568", "rfc9568": "rfc5798"}


def wait_announced(lab, client, router, addresses):
    """The gratuitous ARPs of a new Active router are all there: five for each address (ARP-8)."""
    left = {addr: 5 for addr in addresses}

    def last(frame):
        claim = frames.parse_arp(frame.data) if frames.is_garp(frame.data) else None
        if claim and claim.eth_src == lab.mac(router):
            left[claim.spa] -= 1
        return max(left.values()) <= 0

    client.wait(last)


def attempt(form):
    """Start, ARP in all its ways, a clean stop and the takeover, captured at the client; None if r1 was not Active to the end.
    The owner need not wait for a timer."""
    flags, interval_ms, checksum = FORMS[form]
    with Lab() as lab:
        vips = (lab.VIP_CIDR, "10.77.0.101/24", "192.0.2.1/32")
        addresses = [vip.partition("/")[0] for vip in vips]
        client, capture = Client(lab), lab.capture("client")
        r1 = attach(lab, "r1", 255, *flags, advert_ms=interval_ms, vips=vips)
        r1.wait_log("-> Active")
        wait_announced(lab, client, "r1", addresses)
        r2 = attach(lab, "r2", 254, *flags, advert_ms=interval_ms, vips=vips)
        r2.wait_log("Initialize -> Backup")
        for fields in ({}, {"spa": "0.0.0.0"}, {"eth_dst": lab.mac("r1")}):
            client.replies(lab.VIP, ["r1"], **fields)
        assert r1.stop() == 0
        if "Active -> Backup" in transitions(r1):
            return None
        r2.wait_log("-> Active", timeout=20)
        client.wait_advert("r2")
        wait_announced(lab, client, "r2", addresses)
        client.replies(lab.VIP, ["r2"])
        pcap = capture.stop()
        return {
            "complaints": tshark_check(pcap, checksum, OURS),
            "complaints about the other form": tshark_check(pcap, OTHER_FORM[checksum], OURS),
            "adverts": tshark_fields(
                pcap, ["eth.src", "vrrp.prio", "vrrp.addr_count", "vrrp.ip_addr", "ip.ttl", "eth.dst"], f"({OURS}) and vrrp"),
            "arp": tshark_fields(pcap, ["eth.src", "arp.opcode", "arp.isgratuitous"], f"({OURS}) and arp"),
        }


def play(form):
    """With an advert every 10 ms another takes over when the machine stalls for 30: then again."""
    attempts = 1 if FORMS[form][1] > 10 else 5
    return next(filter(None, (attempt(form) for _ in range(attempts))), None)


results = played(play, "form")


@pytest.mark.parametrize("form", FORMS)
def test_tshark_finds_nothing_wrong_with_what_we_send(results, form):
    """WF-1, WF-3, WF-13, WF-17, ARP-2, ARP-8: adverts of every form, priority 0, gratuitous ARP and ARP replies."""
    found = results(form)
    assert found, "r1 did not stay Active"
    assert not found["complaints"]
    assert bool(found["complaints about the other form"]) == form.startswith("v3"), "tshark checks no checksum"
    assert {(row[0], row[1]) for row in found["adverts"]} == {
        ("02:77:00:00:00:0b", "255"), ("02:77:00:00:00:0b", "0"), ("02:77:00:00:00:0c", "254")}
    assert {row[2:] for row in found["adverts"]} == {
        ("3", "10.77.0.100,10.77.0.101,192.0.2.1", "255", frames.GROUP_MAC)}
    assert [row[1] for row in found["adverts"]].count("0") == 1
    gratuitous = [row[0] for row in found["arp"] if row[2] == "1"]
    assert {"02:77:00:00:00:0b", "02:77:00:00:00:0c"} == set(gratuitous) and len(gratuitous) >= 2 * 3 * 5
    assert len([row for row in found["arp"] if row[1] == "2"]) >= 4


# ---- VLAN tags ----

def tagged(*vlans, **fields):
    return frames.advert(**{"eth_src": FAKE_MAC, "src": FAKE_IP, "priority": 255, "vlans": vlans, **fields})


VLAN_KINDS = {"10": (10,), "10 with priority bits": (0xe00a,), "4094": (4094,), "10 in 20": (20, 10), "0 in 10": (10, 0),
              "three tags": (30, 20, 10)}


def keep_tags(lab):
    """As on a cable. With its offload on, veth carries tags beside the frame, where no XDP program sees them (RX-40)."""
    for router in lab.routers:
        lab.run("sw", ["ethtool", "-K", router, "tx-vlan-offload", "off"])


@pytest.mark.parametrize("mode", ["native", "skb"])
def test_a_tagged_advert_does_not_reach_an_untagged_router(lab, mode):
    """RX-2, RX-3, RX-40, SEC-15."""
    keep_tags(lab)
    pair = attach_pair(lab, mode=mode)
    before = {router: counters(lab, router) for router in lab.routers}
    for vlans in VLAN_KINDS.values():
        pair.client.send(*[tagged(*vlans)] * 20)
    pair.client.fence(lab.routers)
    pair.client.wait_advert("r1", count=3)
    assert transitions(pair.r1) == ["Initialize -> Backup", "Backup -> Active"]
    for router in lab.routers:
        change = moved(before[router], counters(lab, router), ("rx_ok", "rx_absorbed", "rx_csum_rfc5798", "tx_adverts"))
        assert change == {"rx_vlan_other": 20}
    assert_settled(lab, pair.client, "r1", ["r2"])


@pytest.mark.parametrize("mode", ["native", "skb"])
def test_a_tag_that_carries_only_a_priority_counts_as_none(lab, mode):
    """RX-2: VID 0; the same advert that the test above tags."""
    pair = attach_pair(lab, mode=mode)
    pair.client.send(tagged(0xe000))
    pair.r1.wait_log(f"Active -> Backup: advert of higher priority: 255 from {FAKE_IP}")


def test_arp_in_a_vlan_is_not_answered_for_an_untagged_address(lab):
    """RX-3, ARP-2."""
    keep_tags(lab)
    pair = attach_pair(lab)
    before = counters(lab, "r1")
    asked = frames.arp(eth_src=lab.mac("client"), spa=lab.ip("client"), tpa=lab.VIP)
    pair.client.send(asked[:12] + b"\x81\x00\x00\x0a" + asked[12:])
    pair.client.fence(lab.routers)
    assert not [key for key in moved(before, counters(lab, "r1")) if key.startswith("arp")]
