# SPDX-License-Identifier: GPL-2.0-or-later
"""scale.py and the fleets it measures: which there are, and what is made of a client's dumps. Needs no root."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))
import scale  # noqa: E402; pylint: disable=wrong-import-position
from fleet import (Race, Steady, active, adverts_per_s, configuration, down_ns, key, many, one, race, started_ns,  # noqa: E402
                   worst_gap)  # pylint: disable=wrong-import-position
from proc import LabError  # noqa: E402; pylint: disable=wrong-import-position
from rows import NotMeasured  # noqa: E402; pylint: disable=wrong-import-position
from tally import Dump, Row, Vip  # noqa: E402; pylint: disable=wrong-import-position

MS = 1_000_000
ADVERT_S = 0.01
DOWN_NS = 36_093_750  # 3 intervals and 156/256 of one


def advert(router, vrid, last, n=10, worst=10 * MS, first=0):
    return Row(0, router, 4, vrid, n, first, last, worst)


def vip(vrid, announced, answered=0, router="r2"):
    return Vip(0, f"10.78.0.{vrid}", router, 1, announced, announced, answered)


def before(*rows):
    return Dump(1000 * MS, rows, [])


def after(rows, vips, t=2000 * MS):
    return Dump(t, rows, vips)


def test_a_fleet_is_laid_out_lan_by_lan_first_ipv4_then_ipv6():
    assert [key(vr) for vr in many(1)] == [(0, 4, 1)]
    assert {vr.family for vr in many(255)} == {4}
    vrs = many(4080)
    assert len({key(vr) for vr in vrs}) == 4080
    assert {vr.lan for vr in vrs} == set(range(8))
    assert {vr.vrid for vr in vrs} == set(range(1, 256))
    assert key(vrs[255]) == (0, 6, 1) and key(vrs[510]) == (1, 4, 1)
    assert vrs[-1].vips == ("fe80::78:ff/64",)
    assert many(1000)[-1].lan == 1


def test_addresses_that_an_advert_cannot_count_are_excluded():
    vrs = one(5000)
    assert len(set(vrs[0].vips)) == 5000
    text = configuration(vrs, 200, 0.1)
    told, _, excluded = text.partition("virtual_ipaddress_excluded")
    assert told.count("10.80.") == 255 and excluded.count("10.80.") == 4745
    assert "excluded" not in configuration(one(255), 200, 0.1)


def test_down_is_three_intervals_and_the_skew():
    assert down_ns(100, ADVERT_S) == DOWN_NS
    assert down_ns(200, 1) == 3_218_750_000


def test_a_start_ends_when_the_last_listens():
    rows = [advert("r1", 1, 0, first=900 * MS), advert("r1", 2, 0, first=950 * MS), advert("r2", 3, 0, first=2000 * MS)]
    assert started_ns(after(rows, []), 100 * MS, ADVERT_S) == 850 * MS - down_ns(200, ADVERT_S)


def test_the_worst_gap_is_one_that_has_not_ended_too():
    assert worst_gap(after([advert("r1", 1, 1995 * MS), advert("r1", 2, 1998 * MS, worst=12 * MS)], []), "r1") == 12 * MS
    assert worst_gap(after([advert("r1", 1, 1900 * MS), advert("r2", 2, 1000 * MS)], []), "r1") == 100 * MS
    assert worst_gap(after([], []), "r1") == 0


def test_no_gap_is_longer_than_what_was_seen():
    assert worst_gap(after([advert("r1", 1, 2000 * MS, first=1950 * MS, worst=10 ** 15)], []), "r1") == 50 * MS


def test_who_has_been_silent_for_three_intervals_is_not_active():
    dump = after([advert("r1", 1, 1971 * MS), advert("r1", 2, 1970 * MS), advert("r2", 3, 2000 * MS)], [])
    assert active(dump, "r1", ADVERT_S) == {(0, 4, 1)}


def test_adverts_are_counted_from_advert_to_advert():
    """Whenever in an interval the dumps were made."""
    vrs = many(2)
    first = after([advert("r1", 1, 1000 * MS, n=5), advert("r1", 2, 1007 * MS, n=5)], [], t=1009 * MS)
    last = after([advert("r1", 1, 2000 * MS, n=105), advert("r1", 2, 2007 * MS, n=105)], [], t=2008 * MS)
    assert adverts_per_s(vrs, first, last, ADVERT_S) == pytest.approx(200)


def test_silence_counts_against_the_adverts():
    first = after([advert("r1", 1, 1000 * MS, n=5)], [], t=1000 * MS)
    last = after([advert("r1", 1, 1500 * MS, n=55)], [], t=2010 * MS)
    assert adverts_per_s(many(1), first, last, ADVERT_S) == pytest.approx(50)


def cut_of_two(early=0, **second):
    """Two virtual routers, due 5 ms after each other; what came of the second, whose due is at 1041.09375 ms."""
    rows = [advert("r1", 1, 1000 * MS), advert("r1", 2, 1005 * MS), advert("r2", 1, 1999 * MS), advert("r2", 2, 1995 * MS)]
    told = {"announced": 1005 * MS + DOWN_NS + 3 * MS, "answered": 1005 * MS + DOWN_NS + 4 * MS} | second
    vips = [vip(1, 1000 * MS + DOWN_NS + MS - early, 1000 * MS + DOWN_NS + 2 * MS), vip(2, **told)]
    return race(many(2), before(advert("r1", 1, 999 * MS)), after(rows, vips), ADVERT_S)


def test_each_address_is_due_by_the_last_advert_of_its_virtual_router():
    assert cut_of_two() == Race(1000 * MS + DOWN_NS, 1005 * MS + DOWN_NS, 1001 * MS + DOWN_NS, 1008 * MS + DOWN_NS,
                                1002 * MS + DOWN_NS, 1009 * MS + DOWN_NS, 10 * MS)
    found = cut_of_two()
    assert scale.first_announced(found) == 1 and scale.last_announced(found) == 3
    assert scale.first_answered(found) == 2 and scale.last_answered(found) == 4


def test_an_address_that_does_not_answer_is_no_figure():
    found = cut_of_two(answered=0)
    assert scale.last_announced(found) == 3 and scale.first_answered(found) == 2
    with pytest.raises(NotMeasured):
        scale.last_answered(found)


def test_an_address_that_was_not_announced_by_the_backup_fails_the_cut():
    with pytest.raises(LabError, match="1 of 2"):
        cut_of_two(router="r1")


def test_what_the_backup_had_before_is_no_takeover():
    with pytest.raises(LabError, match="1 of 2 virtual routers before the cut"):
        cut_of_two(early=3 * MS)
    vrs = many(20)
    rows = [advert("r1", vr.vrid, 1000 * MS) for vr in vrs]
    vips = [vip(vr.vrid, 1000 * MS + DOWN_NS + vr.vrid * MS, 1000 * MS + DOWN_NS + vr.vrid * MS + 1) for vr in vrs]
    found = race(vrs, before(advert("r2", 20, 995 * MS), advert("r2", 19, 900 * MS)), after(rows, vips), ADVERT_S)
    assert scale.last_announced(found) == 19


class Stub:
    """A fleet whose cuts go as given."""

    def __init__(self, program, *cuts):
        self.program, self.results, self.restored = program, list(cuts), 0

    def cut(self, **_):
        result = self.results.pop(0)
        if isinstance(result, Exception):
            raise result
        return result

    def restore(self):
        self.restored += 1


def test_a_cut_that_keepalived_does_not_finish_is_none_and_the_others_count():
    fleet = Stub("keepalived", LabError("late; its last output:\n  log"), "a", "b")
    assert scale.cuts(fleet, 3) == ["a", "b"]
    assert fleet.restored == 2
    with pytest.raises(NotMeasured, match="^late$"):
        scale.cuts(Stub("keepalived", LabError("late; its last output:\n  log")), 1)


def test_a_keepalived_that_does_not_come_back_keeps_what_was_measured(monkeypatch):
    def never():
        raise LabError("r1 as the only Active did not happen")
    fleet = Stub("keepalived", "a", "b")
    monkeypatch.setattr(fleet, "restore", never)
    assert scale.cuts(fleet, 2) == ["a"]
    fleet = Stub("vrrp-xdp", "a", "b")
    monkeypatch.setattr(fleet, "restore", never)
    with pytest.raises(LabError):
        scale.cuts(fleet, 2)


def test_a_part_that_fails_leaves_the_others():
    def fails():
        raise LabError("late")
    assert scale.got(scale.part("keepalived", lambda: [1])) == [1]
    with pytest.raises(NotMeasured, match="late"):
        scale.got(scale.part("keepalived", fails))
    with pytest.raises(LabError, match="late"):
        scale.got(scale.part("vrrp-xdp", fails))


def test_a_cut_that_we_do_not_finish_is_a_failure():
    with pytest.raises(LabError):
        scale.cuts(Stub("vrrp-xdp", "a", LabError("late")), 2)


def test_what_failed_is_not_tried_again_for_each_row():
    tries = []

    @scale.try_once
    def measure(*args):
        tries.append(args)
        raise NotMeasured("never")
    for _ in range(3):
        with pytest.raises(NotMeasured):
            measure("keepalived", 1)
    assert tries == [("keepalived", 1)]


def test_rows_take_their_part_of_one_measurement(monkeypatch):
    asked = []

    def fleet_of(*args):
        asked.append(args)
        return [1.5], [20], [Steady(12750, 11 * MS, 0.51, 0.02, 7, 0.255)], [cut_of_two()]
    monkeypatch.setattr(scale, "fleet_of", fleet_of)
    got = {row.name: row.measure("vrrp-xdp", 15) for row in (*scale.fast_rows(), *scale.slow_rows())}
    assert set(asked) == {("vrrp-xdp", 255, 0.01, 15), ("vrrp-xdp", 4080, 1, scale.FEW)}
    assert got["fast-share"] == [50] and got["fast-cpu"] == [40] and got["fast-softirq"] == [20] and got["fast-gap"] == [11]
    assert got["slow-start"] == [1.5] and got["slow-memory"] == [20] and got["slow-cpu"] == [51] and got["slow-backup-cpu"] == [2]
    assert got["fast-backup-sleep"] == [7] and got["fast-cut-last"] == [3] and got["slow-cut-answer"] == [4]


def test_a_fleet_without_takeovers_still_has_its_memory(monkeypatch):
    monkeypatch.setattr(scale, "fleet_of", lambda *_: ([1], [2], [], NotMeasured("3 of 4 addresses announced")))
    rows = {row.name: row for row in scale.slow_rows()}
    assert rows["slow-memory"].measure("keepalived", 1) == [2]
    with pytest.raises(NotMeasured, match="3 of 4"):
        rows["slow-cut-last"].measure("keepalived", 1)
