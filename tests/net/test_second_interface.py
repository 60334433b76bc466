# SPDX-License-Identifier: GPL-2.0-or-later
"""A router on an interface that is renamed, appears late, or is named by a reload; and addresses that change their router."""

import json

import pytest
from lab import BINARY

pytestmark = pytest.mark.lan(routers=1)

DYNAMIC = "global_defs {\n    dynamic_interfaces\n}\n"


def instance(name, vrid, vips, interface="eth0", extra=""):
    lines = "\n        ".join(vips)
    return f"""\
vrrp_instance {name} {{
    interface {interface}
    virtual_router_id {vrid}
    version 3
    advert_int 0.1
    virtual_ipaddress {{
        {lines}
    }}
{extra}
}}
"""


def add_interface(lab, addr="10.9.0.1/24"):
    for words in ("link add x1 type veth peer name x1p", f"addr add {addr} dev x1" if addr else "link set lo up",
                  "link set x1p up", "link set x1 up"):
        lab.run("r1", f"ip {words}")


def run(lab, text):
    path = lab.tmp / "r1.conf"
    path.write_text(text, encoding="utf-8")
    return path, lab.start_vrrp_xdp("r1", ["run", "-f", path])


def reload(lab, path, text):
    path.write_text(text, encoding="utf-8")
    lab.run("r1", [BINARY, "reload"])


VX_CELL_LIVE, VX_ADDR_VIP = 2, 1  # include/table.h, include/abi.h


def vips_in_map(lab):
    """{address: slot} of the data plane's VIPs."""
    pin = lab.run("r1", ["sh", "-c", "ls /sys/fs/bpf/vrrp-xdp/*/eth0/addr4"]).strip()
    entries = json.loads(lab.run("r1", ["bpftool", "-j", "map", "dump", "pinned", pin]))
    cells = [(entry["formatted"]["value"]["key"]["addr"], entry["formatted"]["value"]["e"]["word"]) for entry in entries]
    return {".".join(str(b) for b in addr.to_bytes(4, "little")): word >> 32 & 0xffff for addr, word in cells
            if word & VX_CELL_LIVE and word >> 24 & VX_ADDR_VIP}


def test_a_renamed_interface_keeps_no_virtual_address(lab):
    """Invariant 1: nobody guards it there any more, and the kernel would answer for it beside the new Active Router."""
    add_interface(lab)
    _, proc = run(lab, DYNAMIC + instance("A", 51, ["10.9.0.100/24"], "x1"))
    proc.wait_log("A: Backup -> Active")
    lab.run("r1", "ip link set x1 name x9")
    proc.wait_log("A: Active -> Initialize: the interface is gone")
    lab.wait_addr("r1", "10.9.0.100", present=False, dev="x9")
    lab.run("r1", "ip link set x9 name x1")
    proc.wait_log("A: Backup -> Active", since=proc.mark() - 1)
    lab.wait_addr("r1", "10.9.0.100", dev="x1")


def test_no_interface_needs_to_be_there_at_the_start(lab):
    """dynamic_interfaces: the programs are loaded with the first that appears; a reload before it is taken over."""
    text = DYNAMIC + instance("A", 51, ["10.9.0.100/24"], "x1")
    path, proc = run(lab, text)
    proc.wait_log("A: Initialize: the interface is gone")
    reload(lab, path, text + instance("B", 52, ["10.9.0.101/24"], "x1"))
    add_interface(lab)
    proc.wait_log("A: Backup -> Active")
    proc.wait_log("B: Backup -> Active")
    assert proc.stop() == 0


def test_a_virtual_address_that_goes_to_another_router_stays_in_the_data_plane(lab):
    """KA-19: the router that had it lets go of it after the other has taken it."""
    a, b, moved = "10.77.0.100/24", "10.77.0.101/24", "10.77.0.102/24"
    path, proc = run(lab, instance("B", 52, [b]) + instance("A", 51, [a, moved]))
    proc.wait_log("A: Backup -> Active")
    proc.wait_log("B: Backup -> Active")
    reload(lab, path, instance("B", 52, [b, moved]) + instance("A", 51, [a]))
    lab.wait_addr("r1", "10.77.0.102")
    assert vips_in_map(lab) == {"10.77.0.100": 1, "10.77.0.101": 0, "10.77.0.102": 0}


def test_a_reload_onto_another_interface_is_no_fault(lab):
    """The notification of our own attachment comes after the router starts."""
    add_interface(lab)
    path, proc = run(lab, instance("A", 51, ["10.77.0.100/24"]))
    proc.wait_log("A: Backup -> Active")
    reload(lab, path, instance("A", 51, ["10.77.0.100/24"]) + instance("B", 52, ["10.9.0.100/24"], "x1"))
    proc.wait_log("B: Backup -> Active")
    assert not [line for line in proc.log if "FAULT" in line]


def test_a_static_address_is_a_source_at_once(lab):
    """static_ipaddress is there before the routers start, so it is no fault that nothing else is."""
    add_interface(lab, addr=None)
    _, proc = run(lab, "static_ipaddress {\n    10.9.0.1/24 dev x1\n}\n" + instance("A", 51, ["10.9.0.100/24"], "x1"))
    proc.wait_log("A: Backup -> Active")
    assert not [line for line in proc.log if "FAULT" in line]


def test_a_silent_wait_that_becomes_a_fault_is_one_for_the_whole_group(lab):
    """KA-26: members before the failing one in the file are told too."""
    script = lab.tmp / "fails.sh"
    script.write_text("#!/bin/sh\nexit 1\n", encoding="utf-8")
    script.chmod(0o755)
    group = "vrrp_sync_group G {\n    group {\n        A\n        B\n    }\n}\n"
    check = f'vrrp_script s {{\n    script "{script}"\n    interval 5\n    user root\n}}\n'
    _, proc = run(lab, check + group + instance("A", 51, ["10.77.0.100/24"]) +
                  instance("B", 52, ["10.77.0.101/24"], extra="    track_script {\n        s\n    }"))
    proc.wait_log(r"VRRP_Group\(G\) Syncing instances to FAULT state")
    assert [line for line in proc.log if "(A) Entering FAULT STATE" in line]
    assert not [line for line in proc.log if "BACKUP STATE" in line]
