# SPDX-License-Identifier: GPL-2.0-or-later
"""A real service behind the virtual addresses, nginx on both routers: what its clients see of twenty failovers."""

import bisect

import pytest
from beside import VIPS4, VIPS6, link_local
from lab import Lab
from together import played
from web import Failovers

ADVERT_MS = 100
PRIORITY = {"r1": 200, "r2": 100}
WAYS = ["stop", "cut", "stop", "kill", "stop", "freeze", "stop", "cut", "stop", "kill"]
INSTANCE = """\
vrrp_instance {name} {{
    interface eth0
    virtual_router_id 51
    version 3
    priority {priority}
    advert_int {interval}
    {extra}
    virtual_ipaddress {{
        {vips}
    }}
}}
"""

def configuration(router, extra):
    fields = {"priority": PRIORITY[router], "interval": ADVERT_MS / 1000, "extra": extra}
    return "".join(INSTANCE.format(name=name, vips="\n".join(vips), **fields) for name, vips in (("V4", VIPS4), ("V6", VIPS6)))


class Speakers:
    """Who was Active when, by the adverts that the client heard."""

    def __init__(self, lab, events):
        self.adverts = {}
        for e in events:
            for router in lab.routers:
                if e["ip"] in (lab.ip(router), link_local(lab.mac(router))):
                    self.adverts.setdefault((router, ":" in e["ip"]), []).append((e["t"], e["priority"]))

    def was_active(self, router, six, begin, end):
        """Until a lease after its last advert, or it came while the question was asked. One that has left may serve until the
        kernel has taken the address from it, which waits for whoever else changes a network: but not when another speaks."""
        heard = self.adverts.get((router, six), [])
        at = bisect.bisect(heard, (begin, 256))
        last, priority = heard[at - 1] if at else (0, 0)
        others = [t for (name, family), adverts in self.adverts.items() if name != router and family == six
                  for t, others_priority in adverts if others_priority and last <= t <= begin]
        before = begin - last < 3 * ADVERT_MS * 10**6 and (priority > 0 or not others)
        return before or any(priority for _, priority in heard[at:bisect.bisect(heard, (end, 256))])

    def around(self, six, begin):
        """For the report: the adverts shortly before and after, (router, ms, priority)."""
        return sorted(((t - begin) / 1e6, router, priority) for (router, family), adverts in self.adverts.items()
                      for t, priority in adverts if family == six and abs(t - begin) < 400 * 10**6)


def play(macs):
    """Twenty failovers; `macs` is "virtual" or "own"."""
    with Lab() as lab:
        def start(router):
            path = lab.tmp / f"{router}.conf"
            path.write_text(configuration(router, "use_vmac" if macs == "virtual" else ""), encoding="utf-8")
            return lab.start_vrrp_xdp(router, ["run", "-f", path, "--mode", "skb" if macs == "virtual" else "native"])

        watch = lab.watch()
        failovers = Failovers(lab, start, [lab.VIP, lab.VIP6])
        failovers.run(WAYS)
        speakers = Speakers(lab, watch.events(kinds=("advert",)))
        wrong = [(e, speakers.around(six, e["t"])) for six, fetcher in zip((False, True), failovers.fetchers) for e in fetcher.requests()
                 if "who" in e and not speakers.was_active(e["who"], six, e["t"], e["end"])]
        print(f"{macs}: {len(failovers.failed())} of {len(failovers.requests())} requests failed in {2 * len(WAYS)} failovers")
        return wrong, failovers.outside(), len(failovers.windows) - 1


results = played(play, "macs")


@pytest.mark.parametrize("macs", ["own", "virtual"])
def test_every_request_is_answered_by_the_active_router_or_fails_in_a_failover(results, macs):
    """Invariant 1, DP-1, DP-3, KA-35: clean stops, cut cables, crashes and frozen controllers, and the way back of each."""
    wrong, outside, count = results(macs)
    assert not wrong, "answered by a router that was not Active"
    assert not outside, "failed though nothing had happened"
    assert count == 20
