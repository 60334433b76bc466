# SPDX-License-Identifier: GPL-2.0-or-later
"""The tests' own frame writer against frames that were computed by hand."""

import frames
import pytest

SRC, VIP = "192.0.2.1", "192.0.2.100"
VECTORS = {  # golden vectors GV-1 to GV-7 of the requirements
    "v2": (dict(version=2, interval=1), "213364010001b865c00002640000000000000000"),
    "v2 priority 0": (dict(version=2, interval=1, priority=0), "2133000100011c66c00002640000000000000000"),
    "v2 password": (dict(version=2, interval=1, auth_type=1, auth=b"1234"), "21336401010152ffc00002643132333400000000"),
    "v3 rfc9568": (dict(interval=100, form="rfc9568"), "313364010064a802c0000264"),
    "v3 rfc5798": (dict(interval=100), "3133640100640572c0000264"),
    "v3 priority 0": (dict(interval=100, priority=0, form="rfc9568"), "3133000100640c03c0000264"),
    "v3 two addresses": (dict(interval=1, priority=254, form="rfc9568", vips=(VIP, "192.0.2.101")),
                         "3133fe0200014bfec0000264c0000265"),
}


@pytest.mark.parametrize("name", VECTORS)
def test_the_writer_makes_the_golden_vectors(name):
    """WF-6, WF-7, WF-17: message bytes with their checksum."""
    fields, expected = VECTORS[name]
    assert frames.message(src=SRC, **{"vips": (VIP,), **fields}).hex() == expected


def test_the_writer_makes_the_golden_ip_header():
    """WF-17, section 1.3: GV-9 around GV-4."""
    made = frames.packet(frames.message(src=SRC, vips=(VIP,), interval=100, form="rfc9568"), src=SRC)
    assert made[:20].hex() == "45c0002000000000ff70189ac0000201e0000012"


def test_the_reader_reads_what_the_writer_wrote():
    """A reader that sees nothing would let every test of silence pass."""
    frame = frames.advert(eth_src="02:00:00:00:00:01", src=SRC, vips=(VIP,), priority=7, interval=25, pad=bytes(14))
    assert frames.parse_advert(frame) == ("02:00:00:00:00:01", SRC, "224.0.0.18", 3, 51, 7, 250, (VIP,))
    asked = frames.arp(eth_src="02:00:00:00:00:01", spa=SRC, tpa=VIP)
    assert frames.parse_arp(asked) == ("02:00:00:00:00:01", frames.BROADCAST, 1, "02:00:00:00:00:01", SRC,
                                       "00:00:00:00:00:00", VIP)
