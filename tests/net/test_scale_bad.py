# SPDX-License-Identifier: GPL-2.0-or-later
"""More than fits: virtual routers, VRIDs, addresses in an advert, an MTU; thousands of addresses added and removed at once."""

import json
import re
import signal

import pytest
from frames import parse_advert
from lab import BINARY
from routers import Client, cli, transitions

GLOBALS = "global_defs {\n    dynamic_interfaces\n}\n"
INSTANCE = """\
vrrp_instance {name} {{
    interface {interface}
    virtual_router_id {vrid}
    version {version}
    priority {priority}
    advert_int {seconds}
    virtual_ipaddress {{
        {vips}
    }}
}}
"""
MAX_VRS, MAX_IFS = 4096, 64  # VX_MAX_VRS, VX_MAX_IFS


def instance(name, vrid, vips, *, interface="eth0", priority=100, seconds=1, version=3):
    return INSTANCE.format(name=name, interface=interface, vrid=vrid, vips="\n        ".join(vips), priority=priority,
                           seconds=seconds, version=version)


def write(lab, text, name="r1.conf"):
    path = lab.tmp / name
    path.write_text(text, encoding="ascii")
    return path


def line_of(text, name):
    """The line that begins an instance."""
    return text[:text.index(f"vrrp_instance {name} ")].count("\n") + 1


def run(lab, conf, router="r1"):
    return lab.start_vrrp_xdp(router, ["run", "-f", conf, "--mode", "native"])


# ---- virtual routers, VRIDs, interfaces ----

def many(number, per_interface=510):
    """So many routers, two families of 255 VRIDs on each interface."""
    made = [GLOBALS]
    for i in range(number):
        port, k = divmod(i, per_interface)
        vip = f"10.{80 + port}.0.{k + 1}" if k < 255 else f"fe80::{port:x}:{k:x}"
        made.append(instance(f"V{i}", k % 255 + 1, [vip], interface=f"e{port}"))
    return "".join(made)


def check(lab, text):
    """What check says: exit code, errors, warnings."""
    done = cli(lab, "r1", "check", "--json", "-f", write(lab, text), timeout=20)
    said = json.loads(done.stdout)
    return done.returncode, said["errors"], said["warnings"]


def test_as_many_routers_as_fit_are_taken_and_one_more_is_an_error_with_its_line(lab):
    """The maps' size is not to be found out half-way through a start."""
    assert check(lab, many(MAX_VRS))[:2] == (0, [])
    text = many(MAX_VRS + 1)
    code, errors, _ = check(lab, text)
    assert code == 2 and len(errors) == 1
    assert errors[0]["line"] == line_of(text, f"V{MAX_VRS}")
    assert f"{MAX_VRS + 1} virtual routers" in errors[0]["text"] and f"at most {MAX_VRS}" in errors[0]["text"]
    done = cli(lab, "r1", "run", "-f", lab.tmp / "r1.conf", timeout=20)
    assert done.returncode == 2
    assert re.search(rf"^{lab.tmp}/r1.conf:{errors[0]['line']}:.*at most {MAX_VRS}", done.stderr, re.M), done.stderr


def test_more_interfaces_than_one_controller_has_room_for_are_an_error_with_the_line(lab):
    def on(number):
        return GLOBALS + "".join(instance(f"V{i}", 1, [f"10.80.{i}.1"], interface=f"e{i}") for i in range(number))

    assert check(lab, on(MAX_IFS))[:2] == (0, [])
    text = on(MAX_IFS + 1)
    code, errors, _ = check(lab, text)
    assert code == 2 and [e["line"] for e in errors] == [line_of(text, f"V{MAX_IFS}")]
    assert f"more than the {MAX_IFS}" in errors[0]["text"]
    beside = on(MAX_IFS).replace("10.80.0.1", "10.80.0.1 dev other")  # a virtual address's interface counts as well
    code, errors, _ = check(lab, beside)
    assert code == 2 and [e["line"] for e in errors] == [line_of(beside, f"V{MAX_IFS - 1}")]


ALL_VRIDS = "".join(instance(f"A{n}", n, [f"10.77.1.{n}"], seconds=0.5) for n in range(1, 256)) + \
            "".join(instance(f"B{n}", n, [f"fe80::77:{n:x}/64"], seconds=0.5) for n in range(1, 256))


def test_every_vrid_of_both_families_on_one_interface_works(lab):
    client = lab.sniff("client")
    r1 = run(lab, write(lab, ALL_VRIDS))
    lab.wait_until(lambda: len([line for line in r1.log if "-> Active" in line]) == 510, 20, "510 takeovers")
    heard = set()

    def all_heard(frame):
        advert = parse_advert(frame.data)
        if advert:
            heard.add((":" in advert.src, advert.vrid))
        return len(heard) == 510

    client.wait(all_heard, 20)
    assert {vr["state"] for vr in lab.status("r1")["virtual_routers"]} == {"Active"}
    assert r1.stop() == 0
    assert lab.addrs("r1") == [lab.ip("r1"), lab.ip6("r1"), lab.ll("r1")]


@pytest.mark.parametrize("vrid, said", [
    (0, "outside 1-255|1 to 255|1-255"),
    (256, "outside 1-255|1 to 255|1-255"),
    (17, r'virtual_router_id 17 on eth0 is taken by "A17" \(r1.conf:{first}\)'),
])
def test_the_256th_vrid_is_an_error_that_names_its_line_and_the_first(lab, vrid, said):
    text = ALL_VRIDS + instance("C", vrid, ["10.77.2.1"])
    code, errors, _ = check(lab, text)
    assert code == 2 and len(errors) == 1, errors
    assert line_of(text, "C") <= errors[0]["line"] <= line_of(text, "C") + 2
    assert re.search(said.format(first=line_of(text, "A17")), errors[0]["text"]), errors


def test_a_reload_with_too_many_routers_changes_nothing(lab):
    conf = write(lab, instance("A", 51, [lab.VIP_CIDR], priority=200, seconds=0.1))
    r1 = run(lab, conf)
    r1.wait_log("-> Active")
    for text, code, said in ((many(MAX_VRS + 1), 2, f"at most {MAX_VRS}"),
                             (ALL_VRIDS, 1, "does not fit the tables made at the start")):
        write(lab, text)
        since = r1.mark()
        done = cli(lab, "r1", "reload", timeout=20)
        assert done.returncode == code, done.stderr
        r1.wait_log(said, since=since)
        assert transitions(r1, since) == []
    assert [vr["name"] for vr in lab.status("r1")["virtual_routers"]] == ["A"]
    Client(lab).wait_advert("r1", priority=200)
    assert lab.VIP in lab.addrs("r1")


# ---- the MTU ----

def set_mtu(lab, router, mtu):
    lab.run(router, f"ip link set dev eth0 mtu {mtu}")


def advertised(lab, router="r1"):
    vips = lab.status(router)["virtual_routers"][0]["vips"]
    return [vip["address"] for vip in vips if vip["advertised"]], [vip["address"] for vip in vips if vip["installed"]]


@pytest.mark.parametrize("version, fit", [(3, 6), (2, 4)])
def test_at_an_mtu_of_68_an_advert_holds_what_fits_and_the_rest_is_as_if_excluded(lab, version, fit):
    """WF-4: a longer one would never leave, and both routers would be Active for ever."""
    vips = [f"10.77.0.{100 + i}/24" for i in range(15)]
    set_mtu(lab, "r1", 68)
    client = Client(lab)
    r1 = run(lab, write(lab, instance("A", 51, vips, priority=200, seconds=1 if version == 2 else 0.1, version=version)))
    r1.wait_log(rf"A: at the MTU of eth0, 68, an advert holds {fit} of the 15 virtual addresses; the other {15 - fit} count")
    r1.wait_log("-> Active")
    advert = parse_advert(client.wait_advert("r1", priority=200).data)
    assert list(advert.vips) == [vip.split("/")[0] for vip in vips[:fit]]
    assert advertised(lab) == (vips[:fit], vips)
    assert client.who_has("10.77.0.114", ["r1"]) == [lab.mac("r1")]
    assert [line for line in r1.log if "cannot send" in line] == []
    assert lab.stats("r1")["virtual_routers"][0]["counters"]["tx_errors"] == 0


def test_an_mtu_that_changes_while_active_changes_the_adverts_and_no_more(lab):
    """As many as fit then, said once; adverts are late by nothing that a Backup would notice."""
    vips = [f"10.77.0.{100 + i}/24" for i in range(15)]
    client = Client(lab)
    text = instance("A", 51, vips, priority=200, seconds=0.1)
    r1 = run(lab, write(lab, text))
    r1.wait_log("-> Active")
    r2 = run(lab, write(lab, text.replace("priority 200", "priority 100"), "r2.conf"), "r2")
    r2.wait_log("the Active Router is")
    since = r1.mark()
    for mtu, fit in ((76, 8), (68, 6), (1500, 15)):
        set_mtu(lab, "r1", mtu)
        client.wait(lambda frame, n=fit: (a := parse_advert(frame.data)) and len(a.vips) == n and a.priority == 200)
        assert len(advertised(lab)[0]) == fit
    assert len([line for line in r1.log[since:] if "an advert holds" in line]) == 2
    assert transitions(r1, since) == [] and transitions(r2) == ["Initialize -> Backup"]


def test_adverts_of_another_mtu_are_counted_and_heard(lab):
    """RX-31: those two have other lists, which is no reason for two Actives."""
    vips = [f"10.77.0.{100 + i}/24" for i in range(15)]
    text = instance("A", 51, vips, priority=200, seconds=0.1)
    r1 = run(lab, write(lab, text))
    r1.wait_log("-> Active")
    set_mtu(lab, "r2", 102)  # its own holds 15
    r2 = run(lab, write(lab, text.replace("priority 200", "priority 100"), "r2.conf"), "r2")
    r2.wait_log("the Active Router is")
    assert lab.stats("r2")["virtual_routers"][0]["counters"]["addr_list"] == 0
    set_mtu(lab, "r1", 68)
    lab.wait_until(lambda: lab.stats("r2")["virtual_routers"][0]["counters"]["addr_list"] > 3)
    assert transitions(r2) == ["Initialize -> Backup"]


def test_over_ipv6_the_mtu_bounds_the_list_and_below_1280_there_is_no_ipv6(lab):
    """WF-4: of a file's 89 count at most, which is what 1500 holds."""
    vips = ["fe80::77:100/64"] + [f"fd77::1:{i:x}/64" for i in range(1, 100)]
    client = lab.sniff("client")
    r1 = run(lab, write(lab, instance("A", 51, vips, priority=200, seconds=0.1)))
    r1.wait_log("an advert holds 89 of the 100 virtual addresses; the other 11 count as virtual_ipaddress_excluded")
    r1.wait_log("-> Active")

    def heard(count):
        client.wait(lambda frame: (a := parse_advert(frame.data)) and len(a.vips) == count)

    heard(89)
    lab.wait_until(lambda: len(advertised(lab)[1]) == 100)
    set_mtu(lab, "r1", 1280)
    r1.wait_log("at the MTU of eth0, 1280, an advert holds 76 of the 89 virtual addresses; the other 13 count")
    heard(76)
    since = r1.mark()
    set_mtu(lab, "r1", 1279)
    r1.wait_log("the interface's MTU is below 1280, so the kernel has no IPv6 there", since=since)
    assert transitions(r1, since)[-1] == "Active -> Initialize"
    since = r1.mark()
    set_mtu(lab, "r1", 1500)
    r1.wait_log("Backup -> Active", since=since)
    heard(89)


def test_more_addresses_than_an_advert_can_count_are_as_if_excluded(lab):
    """The first 255 of a file's; keepalived does the same. `attach` says that they do not fit."""
    vips = [f"10.77.1.{i}/24" for i in range(1, 255)] + [f"10.77.2.{i}/24" for i in range(1, 47)]
    client = Client(lab)
    r1 = run(lab, write(lab, instance("A", 51, vips, priority=200, seconds=0.1)))
    r1.wait_log("an advert holds 255 of the 300 virtual addresses; the other 45 count as virtual_ipaddress_excluded")
    r1.wait_log("-> Active")
    assert len(parse_advert(client.wait_advert("r1", priority=200).data).vips) == 255
    lab.wait_until(lambda: len(advertised(lab)[1]) == 300)
    assert client.who_has("10.77.2.46", ["r1"]) == [lab.mac("r1")]
    words = [word for vip in vips for word in ("--vip", vip)]
    done = lab.run("r2", [BINARY, "attach", "eth0", "--vrid", 51, *words], check=False)
    assert done.returncode == 2 and "300 virtual addresses do not fit an advert; use at most 255" in done.stderr


@pytest.mark.parametrize("version", [3, 2])
def test_what_does_not_fit_is_what_keepalived_leaves_out(lab, version):
    """Both count the Ethernet header in: with one file they have one list, and say nothing about each other's."""
    vips = [f"10.77.0.{100 + i}/24" for i in range(15)]
    for router in ("r1", "r2"):
        set_mtu(lab, router, 76)
    client = Client(lab)
    seconds = 1 if version == 2 else 0.1
    r1 = run(lab, write(lab, instance("A", 51, vips, priority=100, seconds=seconds, version=version)))
    r1.wait_log("Initialize -> Backup")
    lab.start_keepalived("r2", lab.keepalived_conf(vip="\n".join(vips), priority=200, advert_int=seconds, version=version))
    theirs = parse_advert(client.wait_advert("r2", priority=200, count=2).data)
    assert lab.stats("r1")["virtual_routers"][0]["counters"]["addr_list"] == 0
    assert list(theirs.vips) == [vip.split("/")[0] for vip in vips[:8 if version == 3 else 6]]


# ---- thousands of addresses ----

MANY = 5000
ADVERT_MS = 200  # a lease of three lasts through what the kernel's one lock for all namespaces may be held by others


def thousands(number):
    """Addresses of one router, in networks of their own, so that none is another's secondary."""
    return [f"10.{80 + i // 62500}.{i // 250 % 250}.{i % 250 + 1}/32" for i in range(number)]


def crowded(number=MANY, priority=200, name="A", vrid=51):
    return instance(name, vrid, ["10.77.0.100/24", *thousands(number - 1)], priority=priority, seconds=ADVERT_MS / 1000)


def count_addrs(lab, router):
    """Virtual ones, without asking `ip` for all of JSON."""
    return lab.run(router, "ip -o -4 addr show dev eth0").count("\n") - 1


def longest_gap_ms(watch, mac, since=0):
    """Between two adverts of one router that are not its last will."""
    seen = [e["t"] for e in watch.events(since, kinds=("advert",)) if e["src"] == mac and e["priority"]]
    assert len(seen) > 5
    return max(b - a for a, b in zip(seen, seen[1:])) / 1e6


def spurious(proc):
    """Lines about a guardian that has lost patience."""
    return [line for line in proc.log if "has hung" in line or "was stopped or hung" in line]


def test_adverts_go_on_while_thousands_of_addresses_are_claimed_repaired_and_released(lab):
    """keepalived issue 1653. The first address is answered for at once and not behind the last one; somebody else removes them all at once, and they are
    put back with a few words; a Backup beside notices nothing of either."""
    watch, client = lab.watch(), Client(lab)
    r1 = run(lab, write(lab, crowded()))
    r1.wait_log("Backup -> Active")
    assert client.is_answered("r1")
    assert client.who_has(lab.VIP, ["r1"]) == [lab.mac("r1")]
    r2 = run(lab, write(lab, crowded(priority=100), "r2.conf"), "r2")
    last = r1.wait_log(rf"A: all {MANY} addresses are in, \+(\d+) us", timeout=60)
    first = r1.wait_log(r"answering \+(\d+) us, gratuitous ARP \+(\d+) us")
    assert max(map(int, first.groups())) < int(last.group(1)) / 2
    assert count_addrs(lab, "r1") == MANY
    r2.wait_log("the Active Router is")
    assert client.is_answered("r1", thousands(MANY - 1)[-1].split("/")[0])

    since = r1.mark()
    lab.run("r1", "ip addr flush dev eth0 to 10.80.0.0/12", check=False, timeout=60)  # it gives up when new ones appear
    lab.wait_until(lambda: count_addrs(lab, "r1") == MANY, 60, "all addresses' return", every=0.2)
    r1.wait_log(r"somebody removed \d+ addresses, 10.80.\d+.\d+/32 from eth0 the first of them; put back", since=since)
    assert len(r1.log) - since < 30
    assert transitions(r1) == ["Initialize -> Backup", "Backup -> Active"] and transitions(r2) == ["Initialize -> Backup"]
    assert spurious(r1) == []
    assert longest_gap_ms(watch, lab.mac("r1")) < 2.5 * ADVERT_MS

    r1.signal(signal.SIGTERM)
    r2.wait_log("Backup -> Active", timeout=60)
    r2.wait_log(rf"A: all {MANY} addresses are in", timeout=60)
    assert r1.wait(60) == 0
    assert count_addrs(lab, "r1") == 0
    assert client.who_has(lab.VIP, ["r1", "r2"]) == [lab.mac("r2")]
    assert longest_gap_ms(watch, lab.mac("r2")) < 2.5 * ADVERT_MS
    assert spurious(r2) == []


def test_a_better_router_ends_a_claim_that_is_half_way_through(lab):
    """What it has so far goes; nothing of it is left behind, and the better router has been heard while addresses were added."""
    text = crowded(priority=100)
    r1 = run(lab, write(lab, text))
    r1.wait_log("Initialize -> Backup")
    r2 = run(lab, write(lab, instance("A", 51, ["10.77.0.100/24"], priority=255, seconds=ADVERT_MS / 1000), "r2.conf"), "r2")
    r2.wait_log("Initialize -> Active")
    r2.stop()
    r1.wait_log("Backup -> Active")
    r2 = run(lab, lab.tmp / "r2.conf", "r2")
    r1.wait_log("Active -> Backup: advert of higher priority")
    lab.wait_until(lambda: count_addrs(lab, "r1") == 0, 60)
    assert [line for line in r1.log if "addresses are in" in line] == []
    assert lab.state("r2") == "Active"


def test_a_router_beside_one_with_thousands_does_not_wait_for_it(lab):
    """Both become Active at once; the one with a single address is done long before."""
    r1 = run(lab, write(lab, crowded() + instance("B", 52, ["10.77.0.101/24"], priority=200, seconds=ADVERT_MS / 1000)))
    r1.wait_log("B: Backup -> Active")
    lab.wait_addr("r1", "10.77.0.101")
    assert [line for line in r1.log if "addresses are in" in line] == []
    r1.wait_log("A: all .* addresses are in", timeout=60)
    assert spurious(r1) == []


def test_scripts_are_told_when_the_last_address_is_in(lab):
    """They may want to use any of them."""
    told = lab.tmp / "told"
    script = lab.tmp / "script"
    script.write_text(f"#!/bin/sh\nip -o -4 addr show dev eth0 | wc -l > {told}.new && mv {told}.new {told}\n", encoding="ascii")
    script.chmod(0o755)
    text = crowded().replace("    virtual_router_id", f'    notify_master "{script}"\n    virtual_router_id')
    run(lab, write(lab, text))
    lab.wait_until(told.exists, 60, "the script")
    assert int(told.read_text()) == MANY + 1


def test_a_reload_takes_thousands_away_while_adverts_go_on(lab):
    """And one in the middle of a claim goes on with the new list."""
    watch = lab.watch()
    r1 = run(lab, write(lab, crowded()))
    r1.wait_log("Backup -> Active")
    for number in (MANY - 1000, MANY + 200, 10):
        write(lab, crowded(number))
        since = r1.mark()
        r1.signal(signal.SIGHUP)
        r1.wait_log("Reload finished", since=since, timeout=60)
        lab.wait_until(lambda n=number: count_addrs(lab, "r1") == n, 60, f"{number} addresses")
    assert transitions(r1) == ["Initialize -> Backup", "Backup -> Active"]
    assert longest_gap_ms(watch, lab.mac("r1")) < 2.5 * ADVERT_MS
    assert spurious(r1) == []


def test_thousands_that_went_unnoticed_are_found_missing(lab):
    """The kernel could not tell of all of them: the socket was full."""
    r1 = run(lab, write(lab, crowded()))
    r1.wait_log(rf"A: all {MANY} addresses are in", timeout=60)
    r1.freeze()
    gone = "\n".join(f"addr del {vip} dev eth0" for vip in thousands(MANY - 1))
    more = "\n".join(f"addr {what} 192.0.2.{i % 250 + 1}/32 dev lo" for i in range(MANY) for what in ("add", "del"))
    lab.run("r1", ["ip", "-batch", write(lab, f"{gone}\n{more}\n", "changes")], timeout=60)
    since = r1.mark()
    r1.thaw()
    r1.wait_log("route netlink lost notifications", since=since)
    lab.wait_until(lambda: count_addrs(lab, "r1") == MANY, 60, "all addresses' return", every=0.2)
    assert lab.state("r1") == "Active"
    assert len(r1.log) - since < 30
