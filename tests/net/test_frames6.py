# SPDX-License-Identifier: GPL-2.0-or-later
"""The tests' own writer and reader of IPv6 frames against frames that were computed by hand."""

import frames

MAC, SRC, VIPS = "02:00:00:00:00:01", "fe80::1", ("fe80::100", "2001:db8::100")


def test_the_writer_makes_the_golden_vectors():
    """WF-17, ND-7: GV-8, and an unsolicited advertisement."""
    made = frames.message(src=SRC, dst=frames.GROUP6, vips=VIPS, interval=100)
    assert made[:8].hex() == "3133640200643dfd" and made[8:] == b"".join(map(frames.ip, VIPS))
    told = frames.na(eth_src="00:00:5e:00:02:33", target="fe80::100", flags=0xa0)
    assert len(told) == 86 and told[54:62].hex() == "8800776aa0000000" and told[78:].hex() == "020100005e000233"


def test_the_reader_reads_what_the_writer_wrote():
    """A reader that sees nothing would let every test of silence pass."""
    frame = frames.advert6(eth_src=MAC, src=SRC, vips=VIPS, priority=7, interval=25, pad=bytes(9))
    assert frames.parse_advert(frame) == (MAC, SRC, "ff02::12", 3, 51, 7, 250, VIPS)
    told = frames.na(eth_src=MAC, target=SRC)
    assert frames.parse_na(told) == (MAC, frames.ALL_NODES_MAC, SRC, frames.ALL_NODES, "O", SRC, MAC)
    asked = frames.ns(eth_src=MAC, src=SRC, target="fe80::100")
    assert frames.parse_ns(asked) == (MAC, SRC, "fe80::100", MAC)
    assert asked[:6].hex(":") == "33:33:ff:00:01:00" and frames.solicited_node("fe80::100") == "ff02::1:ff00:100"


def test_extension_headers_are_chained():
    """RX-11."""
    made = frames.packet6(b"payload!", src=SRC, headers=[(0, bytes(7)), (60, bytes(7))])
    assert (made[6], made[40], made[48]) == (0, 60, frames.VRRP) and made[4:6] == b"\x00\x18"
