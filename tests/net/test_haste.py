# SPDX-License-Identifier: GPL-2.0-or-later
"""Where many addresses are claimed at once, the kernel first gets routes that make it take packets for them, and the addresses behind."""

import re

from routers import attach



def vips(n, first=1):
    return [f"10.78.{v // 250}.{v % 250 + 1}/32" for v in range(first, first + n)]


def run_many(lab, n, router="r1"):
    """A router of priority 255 that advertises one of them and has the others beside."""
    first, *others = vips(n)
    path = lab.tmp / f"{router}.conf"
    path.write_text(lab.keepalived_conf(vip=first, priority=255, advert_int=0.1, extra="\n".join(
        ["virtual_ipaddress_excluded {", *others, "}"])), encoding="utf-8")
    return lab.start_vrrp_xdp(router, ["run", "-f", path, "--mode", "native"])


def bare(vip):
    return vip.partition("/")[0]


def routes(lab, router="r1"):
    """The routes in the place of addresses that are there, of both families."""
    shown = [lab.run(router, f"ip {family} route show table local proto 18") for family in ("-4", "-6")]
    return [line for text in shown for line in text.splitlines()]


def monitor(lab, router="r1"):
    """Tells of routes and addresses from here on; ready when it has told of one."""
    proc = lab.popen(router, ["stdbuf", "-oL", "ip", "-o", "monitor", "route", "address"])

    def tells():
        lab.run(router, "ip addr add 10.99.0.1/32 dev lo")
        lab.run(router, "ip addr del 10.99.0.1/32 dev lo")
        return any("10.99.0.1" in line for line in proc.log)
    lab.wait_until(tells, what="ip monitor")
    return proc


def steps(proc, addr):
    """What was done about one address, in its order."""
    words = []
    for line in proc.log:
        if not re.search(rf"\b{re.escape(addr)}[/ ]", line) or "proto kernel" in line:
            continue
        what = "route" if "proto keepalived" in line else "address" if "inet" in line else None
        if what:
            words.append(f"{'-' if line.startswith('Deleted') else '+'}{what}")
    return words


def wait_added(lab, wanted, router="r1", dev="eth0"):
    """All addresses are there, and no route in the place of one."""
    lab.wait_until(lambda: {bare(v) for v in wanted} <= set(lab.addrs(router, dev)) and not routes(lab, router), 20,
                   "addresses instead of routes")


def test_many_addresses_are_served_first_and_added_behind(lab):
    wanted = vips(20)
    seen = monitor(lab)
    attach(lab, "r1", 255, vips=wanted).wait_log("-> Active")
    wait_added(lab, wanted)
    lab.wait_until(lambda: all("-route" in steps(seen, bare(v)) for v in wanted), what="news of routes that have gone")
    for vip in wanted:
        assert steps(seen, bare(vip)) == ["+route", "+address", "-route"], vip
    first_address = next(i for i, line in enumerate(seen.log) if "inet 10.78" in line)
    assert len([line for line in seen.log[:first_address] if "proto keepalived" in line]) == len(wanted), \
        "an address was added before all were served"
    assert len([a for a in lab.addrs("r1") if a.startswith("10.78.")]) == len(wanted)


def test_few_addresses_need_no_routes(lab):
    wanted = vips(8)
    seen = monitor(lab)
    attach(lab, "r1", 255, vips=wanted).wait_log("-> Active")
    lab.wait_until(lambda: all(steps(seen, bare(v)) for v in wanted), what="news of addresses")
    for vip in wanted:
        assert steps(seen, bare(vip)) == ["+address"], vip


def test_a_client_is_answered_by_every_address_from_its_announcement_on(lab):
    """Invariant 6, with both families and a link-local address that is the same on two interfaces."""
    lab.add_lans(1)
    lines = []
    for lan in (0, 1):
        for family in (4, 6):
            for vrid in range(1, 11):
                vip = f"10.78.{lan}.{vrid}/32" if family == 4 else f"fe80::78:{vrid:x}/64"
                lines.append(lab.keepalived_conf(vip=vip, vrid=vrid, priority=100, advert_int=0.5).partition("}\n")[2]
                             .replace("VI_1", f"V{lan}_{family}_{vrid}").replace("interface eth0", f"interface eth{lan}"))
    for lan in (0, 1):
        for addr in (lab.ip("client", lan), lab.ip6("client", lan)):
            lab.run("r1", f"ip neigh replace {addr} lladdr {lab.mac('client', lan)} nud permanent dev eth{lan}")
    from tally import Tally  # pylint: disable=import-outside-toplevel; it is the lab's, and needs its path
    tally = Tally.start(lab)
    path = lab.tmp / "r1.conf"
    path.write_text("".join(lines), encoding="utf-8")
    lab.start_vrrp_xdp("r1", ["run", "-f", path, "--mode", "native"])
    lab.wait_until(lambda: len(tally.dump().vips) == 40, 20, "40 announcements")
    lab.wait_until(lambda: all(vip.answered for vip in tally.dump().vips), 5, "an answer from each")
    late = [vip for vip in tally.dump().vips if vip.answered - vip.announced > 100_000_000]  # and not only to a repeat 5 s later
    assert not late
    for lan in (0, 1):
        wait_added(lab, [f"10.78.{lan}.{n}" for n in range(1, 11)] + [f"fe80::78:{n:x}" for n in range(1, 11)], dev=f"eth{lan}")


def test_a_stop_in_between_leaves_neither(lab):
    seen = monitor(lab)
    proc = run_many(lab, 2000)
    seen.wait_log("proto keepalived")
    assert proc.stop(30) == 0
    assert not routes(lab)
    assert not [a for a in lab.addrs("r1") if a.startswith("10.78.")]


def test_what_a_killed_controller_leaves_is_removed_by_the_next_one(lab):
    """KA-16, also where the next one is to have other addresses."""
    seen = monitor(lab)
    proc = run_many(lab, 3000)
    seen.wait_log("proto keepalived")
    proc.kill()
    assert routes(lab), "it had no time to leave any: nothing is tested"
    attach(lab, "r1", 255, vips=vips(1, first=5000)).wait_log("-> Active")
    assert not routes(lab)
    assert [a for a in lab.addrs("r1") if a.startswith("10.78.")] == [bare(vips(1, first=5000)[0])]
