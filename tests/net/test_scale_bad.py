# SPDX-License-Identifier: GPL-2.0-or-later
"""More than fits: virtual routers, VRIDs, addresses in an advert, an MTU; thousands of addresses added and removed at once."""

import json
import re

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
