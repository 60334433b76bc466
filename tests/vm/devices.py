# SPDX-License-Identifier: GPL-2.0-or-later
"""A router's eth0 made into another kind of interface, with the same name and addresses, so that all helpers still fit.

What was eth0 becomes "port0" below it; a second cable, where one is needed, "port1". Tags are taken off at the switch's
end, so that everybody else sees the router as before.
"""

import fcntl
import os
import select
import struct
import subprocess
import threading
import time
from pathlib import Path

from lab import in_netns

TUNSETIFF, IFF_TAP, IFF_NO_PI = 0x400454ca, 0x2, 0x1000
VID = 100
NICS = ("virtio_net", "e1000e", "vmxnet3")  # vm.py puts two of each into a guest


def ip(lab, host, *commands):
    for words in commands:
        lab.run(host, f"ip {words}")


def second_cable(lab, router):
    """From the router's port1 to the switch's end ROUTERb, not yet in the bridge."""
    ip(lab, "sw", f"link add {router}b type veth peer name port1 netns {lab.netns(router)}")
    lab.load_pass_program("sw", dev=f"{router}b")


def bond(lab, router, switch, *options):
    second_cable(lab, router)
    ip(lab, router, f"link add eth0 type bond {' '.join(options)}",
       *(f"link set {port} {word}" for port in ("port0", "port1") for word in ("down", "master eth0")))
    if switch:  # the other end speaks LACP too
        ip(lab, "sw", f"link add bond0 type bond {' '.join(options)}",
           *(f"link set dev {end} xdpdrv off" for end in (router, f"{router}b")),
           *(f"link set {end} {word}" for end in (router, f"{router}b") for word in ("down", "nomaster", "master bond0", "up")),
           "link set bond0 master br0", "link set bond0 up")
        lab.load_pass_program("sw", dev="bond0")
    else:
        ip(lab, "sw", f"link set {router}b master br0", f"link set {router}b up")
    ip(lab, router, "link set port0 up", "link set port1 up")


def vlan(lab, router):
    """8021q on the router's NIC."""
    ip(lab, router, f"link add link port0 name eth0 type vlan id {VID}")
    ip(lab, "sw", f"link set {router} nomaster", f"link add link {router} name {router}.{VID} type vlan id {VID}",
       f"link set {router}.{VID} master br0", f"link set {router}.{VID} up")


def bridge(lab, router):
    ip(lab, router, "link add eth0 type bridge stp_state 0 forward_delay 0 mcast_snooping 0", "link set port0 master eth0")


def macvlan(lab, router):
    """The parent's kernel would answer ARP for an address on the macvlan as well, by the parent's MAC."""
    lab.run(router, "sysctl -w net.ipv4.conf.port0.arp_ignore=1")
    ip(lab, router, "link set port0 address 02:77:00:00:01:01", "link add link port0 name eth0 type macvlan mode bridge")


def nic(lab, router, driver):
    """One NIC of the guest's own to the router, its twin to the switch, in place of the cable."""
    lab.run("sw", f"modprobe {driver}")
    for path in Path("/sys/class/net").glob("*/device/driver"):
        if path.resolve().name not in (driver, driver.replace("_", "-")):
            continue
        link = path.parents[1].name
        near = Path("/sys/class/net", link, "address").read_text(encoding="ascii").strip() == lab.mac(router)
        name, host = ("eth0", router) if near else ("nic", "sw")
        subprocess.run(["ip", "link", "set", link, "down", "name", name, "netns", lab.netns(host)], check=True)
    ip(lab, "sw", f"link set {router} down", "link set nic master br0", "link set nic up")


def open_tap(netns, name):
    def opened():
        fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
        fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH14x", name.encode(), IFF_TAP | IFF_NO_PI))
        return fd
    return in_netns(netns, opened)


def pump(fds):
    """Frames out of either end into the other, until both are closed."""
    other = {fds[0]: fds[1], fds[1]: fds[0]}
    try:
        while True:
            for fd in select.select(fds, [], [])[0]:
                data = os.read(fd, 1 << 16)
                try:
                    os.write(other[fd], data)
                except OSError:  # the other end is down
                    pass
    except (OSError, ValueError):
        pass


def tap(lab, router):
    """Two tap devices and a process between them, as between virtual machines and their host."""
    lab.run("sw", "modprobe tun")
    fds = [open_tap(lab.netns(router), "eth0"), open_tap(lab.netns("sw"), "tap")]
    threading.Thread(target=pump, args=(fds,), daemon=True).start()
    ip(lab, "sw", f"link set {router} down", "link set tap master br0", "link set tap up")


KINDS = {
    "veth": None,
    "vlan": vlan,
    "bond active-backup": lambda lab, router: bond(lab, router, False, "mode active-backup", "miimon 50"),
    "bond 802.3ad": lambda lab, router: bond(lab, router, True, "mode 802.3ad", "miimon 50", "lacp_rate fast"),
    "bridge": bridge,
    "macvlan": macvlan,
    "tap": tap,
    **{driver: lambda lab, router, driver=driver: nic(lab, router, driver) for driver in NICS},
}


def become(lab, router, kind):
    """Turns the router's eth0 into an interface of this kind."""
    build = KINDS[kind]
    if not build:
        return
    ip(lab, router, "link set eth0 down", "addr flush dev eth0", "link set eth0 name port0", "link set port0 up")
    build(lab, router)
    if "bond" not in kind and kind not in NICS:
        ip(lab, router, f"link set eth0 address {lab.mac(router)}")
    ip(lab, router, "link set eth0 up", f"addr add {lab.ip(router)}/24 dev eth0")
    reach(lab, router)


def reach(lab, router, timeout=60):
    """Waits until the router and a client reach each other: bonds and switches take their time."""
    deadline = time.monotonic() + timeout
    while lab.run("client", f"ping -c 1 -W 1 {lab.ip(router)}", check=False).returncode:
        assert time.monotonic() < deadline, lab.run(router, "ip -d -s link")
