# SPDX-License-Identifier: GPL-2.0-or-later
"""Frames written and read byte by byte, without the product's code: adverts with any field wrong, ARP, ICMP echo."""

import socket
import struct
from collections import namedtuple

BROADCAST = "ff:ff:ff:ff:ff:ff"
GROUP, GROUP_MAC = "224.0.0.18", "01:00:5e:00:00:12"
ETH_IP, ETH_ARP, ETH_VLAN = 0x0800, 0x0806, 0x8100
ICMP, TCP, AH, VRRP = 1, 6, 51, 112
REQUEST, REPLY = 1, 2

Advert = namedtuple("Advert", "eth_src src dst version vrid priority interval vips")
Arp = namedtuple("Arp", "eth_src eth_dst op sha spa tha tpa")
Echo = namedtuple("Echo", "eth_src src ident seq")


def mac(text):
    return bytes.fromhex(text.replace(":", ""))


def ip(text):
    return socket.inet_aton(text)


def checksum(data):
    """RFC 1071."""
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def ethernet(eth_src, eth_dst, kind, payload, vlans=()):
    """A frame; `vlans` are the VIDs of its tags, outermost first."""
    tags = b"".join(struct.pack(">HH", ETH_VLAN, vid) for vid in vlans)
    return mac(eth_dst) + mac(eth_src) + tags + struct.pack(">H", kind) + payload


# ---- adverts ----

def message(*, src, dst=GROUP, version=3, kind=1, vrid=51, priority=100, vips=("10.77.0.100",), count=None, interval=10,
            auth_type=0, auth=b"", form="rfc5798", csum=None):
    """A VRRP message; `interval` in centiseconds, with version 2 in seconds. `form` is version 3's checksum."""
    def build(value):
        head = struct.pack(">BBBB", version << 4 | kind, vrid, priority, len(vips) if count is None else count)
        middle = struct.pack(">BBH", auth_type, interval, value) if version == 2 else struct.pack(">HH", interval, value)
        tail = auth.ljust(8, b"\0") if version == 2 else b""
        return head + middle + b"".join(map(ip, vips)) + tail

    body = build(0)
    pseudo = ip(src) + ip(dst) + struct.pack(">HH", VRRP, len(body)) if version == 3 and form == "rfc5798" else b""
    return build(checksum(pseudo + body) if csum is None else csum)


def packet(payload, *, src, dst=GROUP, ttl=255, proto=VRRP, ip_version=4, ihl=None, options=b"", frag=0, total=None,
           ip_csum=None):
    """An IPv4 packet; what is given as None is as it must be."""
    words = 5 + len(options) // 4 if ihl is None else ihl
    length = 20 + len(options) + len(payload) if total is None else total

    def build(value):
        return struct.pack(">BBHHHBBH4s4s", ip_version << 4 | words, 0xc0, length, 0, frag, ttl, proto, value, ip(src),
                           ip(dst)) + options

    return build(checksum(build(0)) if ip_csum is None else ip_csum) + payload


IP_FIELDS = ("ttl", "proto", "ip_version", "ihl", "options", "frag", "total", "ip_csum")


def advert(*, eth_src, src, dst=GROUP, eth_dst=GROUP_MAC, vlans=(), pad=b"", cut=0, extra=b"", **fields):
    """A frame with an advert. `cut` bytes are missing at its end or `extra` are too many there, as the IP header also says."""
    of_ip = {key: fields.pop(key) for key in IP_FIELDS if key in fields}
    body = message(src=src, dst=dst, **fields)
    body = body[:len(body) - cut] + extra
    return ethernet(eth_src, eth_dst, ETH_IP, packet(body, src=src, dst=dst, **of_ip) + pad, vlans)


def parse_ip(frame):
    """(header, payload) of an untagged IPv4 frame without padding, or (None, None)."""
    if len(frame) < 34 or frame[12:14] != b"\x08\x00":
        return None, None
    words, total = frame[14] & 15, struct.unpack_from(">H", frame, 16)[0]
    return frame[14:14 + 4 * words], frame[14 + 4 * words:14 + total]


def text_mac(data):
    return data.hex(":")


def parse_advert(frame):
    """An Advert, `interval` in milliseconds; None if the frame is none."""
    head, body = parse_ip(frame)
    if not head or head[9] != VRRP or len(body) < 8:
        return None
    version = body[0] >> 4
    interval = body[5] * 1000 if version == 2 else (struct.unpack_from(">H", body, 4)[0] & 0xfff) * 10
    vips = tuple(socket.inet_ntoa(body[8 + 4 * i:12 + 4 * i]) for i in range(body[3]))
    return Advert(text_mac(frame[6:12]), socket.inet_ntoa(head[12:16]), socket.inet_ntoa(head[16:20]), version, body[1],
                  body[2], interval, vips)


# ---- ARP ----

def arp(*, eth_src, tpa, spa, eth_dst=BROADCAST, op=REQUEST, sha=None, tha="00:00:00:00:00:00"):
    return ethernet(eth_src, eth_dst, ETH_ARP, struct.pack(">HHBBH", 1, ETH_IP, 6, 4, op) + mac(sha or eth_src) + ip(spa) +
                    mac(tha) + ip(tpa))


def parse_arp(frame):
    if len(frame) < 42 or frame[12:14] != b"\x08\x06":
        return None
    return Arp(text_mac(frame[6:12]), text_mac(frame[:6]), struct.unpack_from(">H", frame, 20)[0], text_mac(frame[22:28]),
               socket.inet_ntoa(frame[28:32]), text_mac(frame[32:38]), socket.inet_ntoa(frame[38:42]))


def is_garp(frame, addr=None):
    a = parse_arp(frame)
    return bool(a) and a.spa == a.tpa and addr in (None, a.spa)


# ---- echo ----

def echo(*, eth_src, eth_dst, src, dst, ident, seq):
    body = struct.pack(">BBHHH", 8, 0, 0, ident, seq) + bytes(8)
    body = body[:2] + struct.pack(">H", checksum(body)) + body[4:]
    return ethernet(eth_src, eth_dst, ETH_IP, packet(body, src=src, dst=dst, proto=ICMP, ttl=64))


def parse_echo_reply(frame):
    head, body = parse_ip(frame)
    if not head or head[9] != ICMP or len(body) < 8 or body[0] != 0:
        return None
    return Echo(text_mac(frame[6:12]), socket.inet_ntoa(head[12:16]), *struct.unpack_from(">HH", body, 4))
