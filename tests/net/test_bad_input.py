# SPDX-License-Identifier: GPL-2.0-or-later
"""What must be refused: one sentence on stderr that names the thing and the way out, and a machine left as it was."""

import re

import pytest
from lab import BINARY, Lab
from proc import LabError
from routers import Client, assert_settled, attach, cli, machine

VR = "attach eth0 --vrid 51 --vip 10.77.0.100/24"
NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]

# Command line, exit code, what the sentence names, what it says to do instead.
USAGE = {
    "no command": ("frobnicate", 2, '"frobnicate"', "vrrp-xdp help"),
    "attach without an interface": ("attach", 2, "interface", "vrrp-xdp attach IFACE"),
    "interface unknown": ("attach nope0 --vrid 51 --vip 10.77.0.100/24", 2, "nope0: no such interface", "ip link"),
    "interface name too long": (f"attach {'e' * 16} --vrid 51 --vip 10.77.0.100/24", 2, "e" * 16, "ip link"),
    "interface lo": ("attach lo --vrid 51 --vip 10.77.0.100/24", 2, "lo", "name a network interface"),
    "VRID 0": ("attach eth0 --vrid 0 --vip 10.77.0.100/24", 2, '--vrid "0"', "1 to 255"),
    "VRID 256": ("attach eth0 --vrid 256 --vip 10.77.0.100/24", 2, '--vrid "256"', "1 to 255"),
    "VRID -1": ("attach eth0 --vrid -1 --vip 10.77.0.100/24", 2, '--vrid "-1"', "1 to 255"),
    "VRID abc": ("attach eth0 --vrid abc --vip 10.77.0.100/24", 2, '--vrid "abc"', "1 to 255"),
    "VRID 51x": ("attach eth0 --vrid 51x --vip 10.77.0.100/24", 2, '--vrid "51x"', "1 to 255"),
    "VRID missing": ("attach eth0 --vip 10.77.0.100/24", 2, "eth0: --vrid is missing", "--vrid and at least one --vip"),
    "VRID without value": ("attach eth0 --vrid", 2, "--vrid", "needs a value"),
    "VLAN 0": (f"{VR} --vlan 0", 2, "--vlan 0 is the priority tag", "from 1 to 4094"),
    "VLAN 4095": (f"{VR} --vlan 4095", 2, '--vlan "4095"', "1 to 4094"),
    "VLAN x": (f"{VR} --vlan x", 2, '--vlan "x"', "1 to 4094"),
    "VIP missing": ("attach eth0 --vrid 51", 2, "eth0: --vip is missing", "--vrid and at least one --vip"),
    "VIP not an address": ("attach eth0 --vrid 51 --vip ten", 2, '--vip "ten"', "10.0.0.4/24"),
    "VIP too short": ("attach eth0 --vrid 51 --vip 10.77.0", 2, '--vip "10.77.0"', "10.0.0.4/24"),
    "VIP byte 300": ("attach eth0 --vrid 51 --vip 10.77.0.300/24", 2, '--vip "10.77.0.300/24"', "10.0.0.4/24"),
    "VIP length 33": ("attach eth0 --vrid 51 --vip 10.77.0.100/33", 2, '--vip "10.77.0.100/33"', "0-32"),
    "VIP length empty": ("attach eth0 --vrid 51 --vip 10.77.0.100/", 2, '--vip "10.77.0.100/"', "0-32"),
    "VIP twice": (f"{VR} --vip 10.77.0.100/24", 2, '--vip "10.77.0.100/24" is given twice', "leave one out"),
    "VIP twice, other length": (f"{VR} --vip 10.77.0.100/32", 2, '--vip "10.77.0.100/32" is given twice', "leave one out"),
    "VIP of the other family": (f"{VR} --vip fd77::100/64", 2, '--vip "fd77::100/64"', "one family"),
    "VIP ::1": ("attach eth0 --vrid 51 --vip ::1", 2, "::1 is not the address of a host", "unicast"),
    "VIP IPv6 with version 2": ("attach eth0 --vrid 51 --vip fe80::51/64 --version 2", 2, "version 2 is for IPv4 only", "use version 3"),
    "source not link-local": ("attach eth0 --vrid 51 --vip fe80::51/64 --src fd77::11", 2, "fd77::11 is not link-local", "fe80::/10"),
    "VIP 0.0.0.0": ("attach eth0 --vrid 51 --vip 0.0.0.0/24", 2, "0.0.0.0 is not the address of a host", "unicast"),
    "VIP multicast": ("attach eth0 --vrid 51 --vip 224.0.0.18/24", 2, "224.0.0.18 is not the address of a host", "unicast"),
    "VIP broadcast": ("attach eth0 --vrid 51 --vip 255.255.255.255/32", 2, "255.255.255.255 is not", "unicast"),
    "VIP loopback": ("attach eth0 --vrid 51 --vip 127.0.0.1/8", 2, "127.0.0.1 is not the address of a host", "unicast"),
    "VIP the only address": ("attach eth0 --vrid 51 --vip 10.77.0.11/24", 2, "10.77.0.11 is the only address of eth0",
                             "one of its own beside it"),
    "priority 0": (f"{VR} --priority 0", 2, '--priority "0"', "1 to 255"),
    "priority 256": (f"{VR} --priority 256", 2, '--priority "256"', "1 to 255"),
    "priority high": (f"{VR} --priority high", 2, '--priority "high"', "1 to 255"),
    "interval 0": (f"{VR} --advert-int 0", 2, "advert_int 0", "0.01 to 40.95"),
    "interval 50": (f"{VR} --advert-int 50", 2, "advert_int 50", "0.01 to 40.95"),
    "interval 0.015": (f"{VR} --advert-int 0.015", 2, "advert_int 0.015", "steps of 0.01"),
    "interval 0.005": (f"{VR} --advert-int 0.005", 2, "advert_int 0.005", "0.01 to 40.95"),
    "interval -1": (f"{VR} --advert-int -1", 2, '--advert-int "-1"', "1 or 0.05"),
    "interval fast": (f"{VR} --advert-int fast", 2, '--advert-int "fast"', "1 or 0.05"),
    "interval 1.5 with version 2": (f"{VR} --version 2 --advert-int 1.5", 2, "advert_int 1.5", "whole seconds or version 3"),
    "interval 256 with version 2": (f"{VR} --version 2 --advert-int 256", 2, "advert_int 256", "1 to 255"),
    "version 4": (f"{VR} --version 4", 2, '--version "4"', "2 to 3"),
    "password of 9 bytes": (f"{VR} --version 2 --auth-pass 123456789", 2, "--auth-pass is 9 bytes long", "1 to 8"),
    "password with version 3": (f"{VR} --auth-pass secret", 2, "--auth-pass", "version 2 only"),
    "mode junk": (f"{VR} --mode junk", 2, '--mode "junk"', "auto, native or skb"),
    "checksum md5": (f"{VR} --checksum md5", 2, '--checksum "md5"', "auto, rfc9568 or rfc5798"),
    "real-time priority 100": (f"{VR} --rt-priority 100", 2, '--rt-priority "100"', "1 to 99"),
    "flag unknown": (f"{VR} --frobnicate", 2, '"--frobnicate"', "help"),
    "argument too many": (f"{VR} stray", 2, '"stray"', "one interface and flags"),
    "source not an address": (f"{VR} --src here", 2, '--src "here"', "10.0.0.4"),
    "source of the other family": (f"{VR} --src fe80::1", 2, "fe80::1 is IPv6", "each family its own"),
    "source is the VIP": (f"{VR} --src 10.77.0.100", 2, "10.77.0.100", "interface.s own"),
    "peer not an address": (f"{VR} --unicast-peer there", 2, '--unicast-peer "there"', "10.0.0.4"),
    "peer of the other family": (f"{VR} --unicast-peer fe80::2", 2, "fe80::2 is IPv6", "each family its own"),
    "peer multicast": (f"{VR} --unicast-peer 224.0.0.18", 2, "224.0.0.18 is not the address of a host", "unicast"),
    "peer twice": (f"{VR} --unicast-peer 10.77.0.12 --unicast-peer 10.77.0.12", 2, '"10.77.0.12" is given twice',
                   "leave one out"),
    "no flags and no file": ("attach eth0", 2, "no configuration: neither", "vrrp-xdp run -f FILE"),
    "run without a file": ("run", 2, "no configuration: neither", "vrrp-xdp run -f FILE"),
    "run with a stray word": ("run extra", 2, '"extra"', "-f"),
    "run -f without value": ("run -f", 2, "-f", "needs a value"),
    "run -f missing file": ("run -f /nonexistent/vrrp.conf", 2, "/nonexistent/vrrp.conf", "No such file"),
    "run -f a folder": ("run -f /tmp", 2, "/tmp", "."),
    "run --mode junk": ("run --mode junk", 2, '--mode "junk"', "auto, native or skb"),
    "detach without an interface": ("detach", 2, "interface", "vrrp-xdp detach IFACE"),
    "detach from an unknown one": ("detach nope0", 2, "nope0: no such interface", "ip link"),
    "status with a wrong flag": ("status --yaml", 2, '"--yaml"', "--json"),
    "stats with a wrong flag": ("stats --yaml", 2, '"--yaml"', "--json"),
    "status without a controller": ("status", 1, "no vrrp-xdp answers", "vrrp-xdp attach"),
    "stats without a controller": ("stats --json", 1, "no vrrp-xdp answers", "vrrp-xdp attach"),
}


@pytest.fixture(scope="module", name="lan")
def one_lan_for_all():
    """What is refused changes nothing: all may share it."""
    with Lab(routers=1) as made:
        yield made


def refuse(lan, words, code, what, instead, user=()):
    """Runs it, and holds its last words and the machine against what was there before."""
    before = machine(lan, "r1")
    try:
        done = lan.run("r1", [*user, BINARY, *words], check=False, timeout=5)
    except LabError:  # it runs: the next test must not find it
        cli(lan, "r1", "detach", "eth0")
        raise
    assert done.returncode == code, done.stderr
    assert done.stdout == ""
    assert re.fullmatch(r"[^\n]+\n", done.stderr), "not exactly one line"
    assert re.search(what, done.stderr), done.stderr
    assert re.search(instead, done.stderr), done.stderr
    assert machine(lan, "r1") == before
    return done.stderr


@pytest.mark.parametrize("name", USAGE)
def test_a_wrong_command_line_is_refused_in_one_sentence(lan, name):
    """Design, the command: exit code 2 for usage, nothing on stdout, nothing changed."""
    words, code, what, instead = USAGE[name]
    refuse(lan, words.split(), code, what.replace("(", r"\("), instead)


# ---- files ----

INSTANCE = """\
vrrp_instance A {{
    interface {interface}
    virtual_router_id {vrid}
    virtual_ipaddress {{
        {vip}
    }}
}}
"""
GOOD = {"interface": "eth0", "vrid": 51, "vip": "10.77.0.100"}
FILES = {  # text, line and column, what is named, what is said
    "VRID 300": (INSTANCE.format(**{**GOOD, "vrid": 300}), "3:23", "300", "1-255"),
    "VRID without value": (INSTANCE.format(**{**GOOD, "vrid": ""}), "3:5", "virtual_router_id", "1-255|value"),
    "VRID missing": (INSTANCE.format(**GOOD).replace("virtual_router_id 51", ""), "1:1", "virtual_router_id", "1 to 255"),
    "interface unknown": (INSTANCE.format(**{**GOOD, "interface": "nope0"}), "2:15", "nope0", "create it"),
    "the only VIP malformed": (INSTANCE.format(**{**GOOD, "vip": "10.77.0.400"}).replace("A {", "A { version 3"), "5:9",
                               "10.77.0.400", "address"),
    "VLAN 0": (INSTANCE.format(**{**GOOD, "vrid": "51\n    xdp_vlan 0"}), "4:14", "priority tag", "1 to 4094"),
    "VIP multicast": (INSTANCE.format(**{**GOOD, "vip": "224.0.0.18"}), 5, "224.0.0.18", "unicast"),
    "no instance": ("global_defs {\n    router_id r1\n}\n", None, "no vrrp_instance", "nothing to run"),
    "empty": ("", None, "no vrrp_instance", "nothing to run"),
}


@pytest.mark.parametrize("name", FILES)
def test_a_wrong_file_is_refused_with_file_and_line(lan, name):
    """Design: nothing is started when one instance is wrong."""
    text, line, what, said = FILES[name]
    path = lan.tmp / "wrong.conf"
    path.write_text(text, encoding="utf-8")
    before = machine(lan, "r1")
    done = cli(lan, "r1", "run", "-f", path, timeout=5)
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    first = done.stderr.splitlines()[0]
    assert line is None or first.startswith(f"{path}:{line}: "), first
    assert re.search(r"error|nothing to run", done.stderr.splitlines()[-1]), done.stderr
    assert re.search(what, first) and re.search(said, first), first
    assert machine(lan, "r1") == before


# ---- rights ----

@pytest.mark.parametrize("lacking, user", [
    ("CAP_NET_ADMIN", NOBODY),
    ("CAP_NET_ADMIN", ["setpriv", "--bounding-set=-net_admin"]),
    ("CAP_NET_RAW", ["setpriv", "--bounding-set=-net_raw"]),
    ("CAP_SYS_ADMIN", ["setpriv", "--bounding-set=-sys_admin"]),
])
def test_without_rights_nothing_is_begun_and_the_missing_one_is_named(lan, lacking, user):
    """Exit code 1: the command line is right."""
    refuse(lan, VR.split(), 1, lacking, "as root", user)


def test_without_rights_leftovers_are_not_denied(lab):
    """detach must not say that nothing is left when it may not look."""
    proc = attach(lab, "r1", 200)
    proc.wait_log("-> Active")
    proc.kill()
    refuse(lab, ["detach", "eth0"], 1, "CAP_NET_ADMIN", "as root", NOBODY)


def test_without_rights_a_running_controller_tells_nothing(lab):
    """Status names addresses and peers."""
    proc = attach(lab, "r1", 200)
    proc.wait_log("-> Active")
    for command in ("status", "stats"):
        refuse(lab, [command], 1, "no vrrp-xdp answers", "become root", NOBODY)
        refuse(lab, [command, "--json"], 1, "no vrrp-xdp answers", "become root", NOBODY)
    assert lab.state("r1") == "Active"


# ---- the interface does not allow it ----

@pytest.mark.parametrize("kind", ["bridge", "macvlan"])
def test_native_mode_is_refused_where_the_driver_has_none(lan, kind):
    """And works in generic mode, as the sentence says, which `auto` takes by itself."""
    lan.run("r1", ["sh", "-c", f"ip link add dev0 {'link eth0 ' if kind == 'macvlan' else ''}type {kind} && "
                               "ip addr add 192.0.2.1/24 dev dev0"])
    try:
        words = ["attach", "dev0", "--vrid", 51, "--vip", "192.0.2.100/24"]
        refuse(lan, [*words, "--mode", "native"], 1, "dev0: the driver has no native XDP", "--mode skb")
        for mode, why in (("skb", "asked for"), ("auto", "the driver has no native XDP")):
            proc = lan.start_vrrp_xdp("r1", [*words, "--mode", mode])
            proc.wait_log(f"dev0: XDP attached in generic mode: {why}")
            assert proc.stop() == 0
    finally:
        lan.run("r1", "ip link del dev0")


def test_an_interface_that_is_not_ethernet_is_refused(lan):
    """A tunnel has no MAC addresses."""
    lan.run("r1", "ip tuntap add mode tun name tun0")
    try:
        refuse(lan, "attach tun0 --vrid 51 --vip 192.0.2.100/24".split(), 2, "tun0: not an Ethernet interface", "VRRP needs one")
    finally:
        lan.run("r1", "ip tuntap del mode tun name tun0")


@pytest.mark.parametrize("theirs", ["xdpdrv", "xdpgeneric"])
@pytest.mark.parametrize("mode", ["native", "skb", "auto"])
def test_an_xdp_program_of_somebody_else_is_left_alone(lab, mode, theirs):
    """Invariant 2. The way out that is given is one: when the program is off, as it says, the start works."""
    lab.load_pass_program("r1", theirs)
    said = refuse(lab, [*VR.split(), "--mode", mode], 1, "eth0: another XDP program is attached", "ip link set")
    lab.run("r1", re.search(r"`(ip link set [^`]*)`", said).group(1))
    proc = attach(lab, "r1", 200, mode=mode)
    proc.wait_log("-> Active")
    if mode == "native":  # veth needs it for what we send back
        assert_settled(lab, Client(lab), "r1")
