# SPDX-License-Identifier: GPL-2.0-or-later
"""Frames written and read byte by byte, without the product's code: adverts with any field wrong, ARP, ND, ICMP echo."""

import socket
import struct
from collections import namedtuple

BROADCAST = "ff:ff:ff:ff:ff:ff"
GROUP, GROUP_MAC = "224.0.0.18", "01:00:5e:00:00:12"
GROUP6, GROUP6_MAC = "ff02::12", "33:33:00:00:00:12"
ALL_NODES, ALL_NODES_MAC = "ff02::1", "33:33:00:00:00:01"
ETH_IP, ETH_ARP, ETH_VLAN, ETH_IP6 = 0x0800, 0x0806, 0x8100, 0x86dd
ICMP, TCP, UDP, AH, ICMP6, VRRP = 1, 6, 17, 51, 58, 112
REQUEST, REPLY = 1, 2
NS, NA, SLLA, TLLA = 135, 136, 1, 2

Advert = namedtuple("Advert", "eth_src src dst version vrid priority interval vips")
Arp = namedtuple("Arp", "eth_src eth_dst op sha spa tha tpa")
Echo = namedtuple("Echo", "eth_src src ident seq")
Na = namedtuple("Na", "eth_src eth_dst src dst flags target tlla")  # flags as "RSO"


def mac(text):
    return bytes.fromhex(text.replace(":", ""))


def is6(text):
    return ":" in text


def ip(text):
    return socket.inet_pton(socket.AF_INET6 if is6(text) else socket.AF_INET, text)


def text_ip(data):
    return socket.inet_ntop(socket.AF_INET6 if len(data) == 16 else socket.AF_INET, data)


def checksum(data):
    """RFC 1071."""
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def pseudo(src, dst, proto, length):
    """What is in front of a checksummed payload (RFC 793, RFC 8200 8.1)."""
    return ip(src) + ip(dst) + (struct.pack(">II", length, proto) if is6(src) else struct.pack(">HH", proto, length))


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
    front = pseudo(src, dst, VRRP, len(body)) if is6(src) or (version == 3 and form == "rfc5798") else b""
    return build(checksum(front + body) if csum is None else csum)


def packet(payload, *, src, dst=GROUP, ttl=255, proto=VRRP, ip_version=4, ihl=None, options=b"", frag=0, total=None,
           ip_csum=None):
    """An IPv4 packet; what is given as None is as it must be."""
    words = 5 + len(options) // 4 if ihl is None else ihl
    length = 20 + len(options) + len(payload) if total is None else total

    def build(value):
        return struct.pack(">BBHHHBBH4s4s", ip_version << 4 | words, 0xc0, length, 0, frag, ttl, proto, value, ip(src),
                           ip(dst)) + options

    return build(checksum(build(0)) if ip_csum is None else ip_csum) + payload


def packet6(payload, *, src, dst=GROUP6, ttl=255, proto=VRRP, ip_version=6, headers=(), total=None):
    """An IPv6 packet; `headers` are extension headers in front of the payload, as (number, their bytes but for the first).
    `total` is the payload length."""
    for number, rest in reversed(headers):
        payload, proto = bytes([proto]) + rest + payload, number
    length = len(payload) if total is None else total
    return struct.pack(">IHBB", ip_version << 28 | 0xc0 << 20, length, proto, ttl) + ip(src) + ip(dst) + payload


IP_FIELDS = ("ttl", "proto", "ip_version", "ihl", "options", "frag", "total", "ip_csum")


def advert(*, eth_src, src, dst=GROUP, eth_dst=GROUP_MAC, vlans=(), pad=b"", cut=0, extra=b"", **fields):
    """A frame with an advert. `cut` bytes are missing at its end or `extra` are too many there, as the IP header also says."""
    of_ip = {key: fields.pop(key) for key in IP_FIELDS if key in fields}
    body = message(src=src, dst=dst, **fields)
    body = body[:len(body) - cut] + extra
    return ethernet(eth_src, eth_dst, ETH_IP, packet(body, src=src, dst=dst, **of_ip) + pad, vlans)


def advert6(*, eth_src, src, dst=GROUP6, eth_dst=GROUP6_MAC, vlans=(), pad=b"", cut=0, extra=b"", **fields):
    """The same over IPv6."""
    of_ip = {key: fields.pop(key) for key in ("ttl", "ip_version", "headers", "total") if key in fields}
    body = message(src=src, dst=dst, **fields)
    body = body[:len(body) - cut] + extra
    return ethernet(eth_src, eth_dst, ETH_IP6, packet6(body, src=src, dst=dst, **of_ip) + pad, vlans)


def parse_ip(frame):
    """(header, payload) of an untagged IPv4 frame without padding, or (None, None)."""
    if len(frame) < 34 or frame[12:14] != b"\x08\x00":
        return None, None
    words, total = frame[14] & 15, struct.unpack_from(">H", frame, 16)[0]
    return frame[14:14 + 4 * words], frame[14 + 4 * words:14 + total]


def parse_ip6(frame):
    """The same of IPv6, without extension headers."""
    if len(frame) < 54 or frame[12:14] != b"\x86\xdd":
        return None, None
    return frame[14:54], frame[54:54 + struct.unpack_from(">H", frame, 18)[0]]


def text_mac(data):
    return data.hex(":")


def parse_advert(frame):
    """An Advert, `interval` in milliseconds; None if the frame is none."""
    v6 = frame[12:14] == b"\x86\xdd"
    head, body = parse_ip6(frame) if v6 else parse_ip(frame)
    if not head or head[6 if v6 else 9] != VRRP or len(body) < 8:
        return None
    at, size = (8, 16) if v6 else (12, 4)
    version = body[0] >> 4
    interval = body[5] * 1000 if version == 2 else (struct.unpack_from(">H", body, 4)[0] & 0xfff) * 10
    vips = tuple(text_ip(body[8 + size * i:8 + size * (i + 1)]) for i in range(body[3]))
    return Advert(text_mac(frame[6:12]), text_ip(head[at:at + size]), text_ip(head[at + size:at + 2 * size]), version, body[1],
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


# ---- Neighbor Discovery ----

def solicited_node(addr):
    """The group of an address (RFC 4291 2.7.1)."""
    return text_ip(bytes.fromhex("ff0200000000000000000001ff") + ip(addr)[13:])


def group_mac(addr):
    return "33:33:" + text_mac(ip(addr)[12:])


def icmp6(body, *, eth_src, eth_dst, src, dst, csum=None, **of_ip):
    """A frame with an ICMPv6 message whose checksum, at offset 2, is as it must be."""
    right = checksum(pseudo(src, dst, ICMP6, len(body)) + body + bytes(len(body) % 2)) if csum is None else csum
    body = body[:2] + struct.pack(">H", right) + body[4:]
    return ethernet(eth_src, eth_dst, ETH_IP6, packet6(body, src=src, dst=dst, proto=ICMP6, **of_ip))


def nd_option(kind, addr):
    return struct.pack(">BB", kind, 1) + mac(addr)


def ns(*, eth_src, src, target, dst=None, eth_dst=None, slla="own", options=b"", code=0, cut=0, **fields):
    """A solicitation, by default to the target's solicited-node group and with the sender's MAC as option."""
    dst = solicited_node(target) if dst is None else dst
    eth_dst = group_mac(dst) if eth_dst is None else eth_dst
    if slla:
        options = nd_option(SLLA, eth_src if slla == "own" else slla) + options
    body = struct.pack(">BBHI", NS, code, 0, 0) + ip(target) + options
    return icmp6(body[:len(body) - cut], eth_src=eth_src, eth_dst=eth_dst, src=src, dst=dst, **fields)


def na(*, eth_src, target, src=None, dst=ALL_NODES, eth_dst=ALL_NODES_MAC, flags=0x20, tlla="own", **fields):
    """An advertisement, by default an unsolicited one of the sender's own address."""
    option = nd_option(TLLA, eth_src if tlla == "own" else tlla) if tlla else b""
    return icmp6(struct.pack(">BBHI", NA, 0, 0, flags << 24) + ip(target) + option, eth_src=eth_src, eth_dst=eth_dst,
                 src=src or target, dst=dst, **fields)


def parse_na(frame):
    """An Na with a good checksum and hop limit; None if the frame is none."""
    head, body = parse_ip6(frame)
    if not head or head[6] != ICMP6 or len(body) < 24 or body[0] != NA:
        return None
    src, dst = text_ip(head[8:24]), text_ip(head[24:40])
    if head[7] != 255 or checksum(pseudo(src, dst, ICMP6, len(body)) + body):
        return None
    flags = "".join(name for bit, name in ((0x80, "R"), (0x40, "S"), (0x20, "O")) if body[4] & bit)
    tlla = text_mac(body[26:32]) if len(body) >= 32 and body[24:26] == b"\x02\x01" else None
    return Na(text_mac(frame[6:12]), text_mac(frame[:6]), src, dst, flags, text_ip(body[8:24]), tlla)


def parse_ns(frame):
    """(MAC of the frame, source, target, MAC of the option or None) of a solicitation, or None."""
    head, body = parse_ip6(frame)
    if not head or head[6] != ICMP6 or len(body) < 24 or body[0] != NS:
        return None
    slla = text_mac(body[26:32]) if len(body) >= 32 and body[24:26] == b"\x01\x01" else None
    return text_mac(frame[6:12]), text_ip(head[8:24]), text_ip(body[8:24]), slla


def is_una(frame, addr=None):
    """Whether this is an unsolicited advertisement to everybody, of any address or this one."""
    a = parse_na(frame)
    return bool(a) and a.dst == ALL_NODES and addr in (None, a.target)


# ---- echo ----

def echo(*, eth_src, eth_dst, src, dst, ident, seq):
    if is6(src):
        body = struct.pack(">BBHHH", 128, 0, 0, ident, seq) + bytes(8)
        return icmp6(body, eth_src=eth_src, eth_dst=eth_dst, src=src, dst=dst, ttl=64)
    body = struct.pack(">BBHHH", 8, 0, 0, ident, seq) + bytes(8)
    body = body[:2] + struct.pack(">H", checksum(body)) + body[4:]
    return ethernet(eth_src, eth_dst, ETH_IP, packet(body, src=src, dst=dst, proto=ICMP, ttl=64))


def parse_echo_reply(frame):
    head, body = parse_ip6(frame)
    if head and head[6] == ICMP6 and len(body) >= 8 and body[0] == 129:
        return Echo(text_mac(frame[6:12]), text_ip(head[8:24]), *struct.unpack_from(">HH", body, 4))
    head, body = parse_ip(frame)
    if not head or head[9] != ICMP or len(body) < 8 or body[0] != 0:
        return None
    return Echo(text_mac(frame[6:12]), socket.inet_ntoa(head[12:16]), *struct.unpack_from(">HH", body, 4))
