#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""keepalived and vrrp-xdp side by side: the same files, the same events, and a program that compares the outcomes.

    tests/side/side.py [NAME...] [--self] [--jobs N] [-v]

Every file in tests/side/conf (scenario.py has the steps) is played by two keepalived, by two vrrp-xdp, and by one of each in
both orders. What can be observed from outside must be the same; a difference is legal only if it has a row in
docs/differences.md, whose last column says where it shows: `FILE:FIELD`, both as shell patterns. --self plays two keepalived
twice instead: what differs then is of the scenario's own making.

VRRP_XDP names the binary. Needs root; every router is a network namespace of its own.
"""

import argparse
import json
import re
import sys
import time
from collections import namedtuple
from concurrent.futures import ThreadPoolExecutor, wait
from fnmatch import fnmatchcase
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / folder) for folder in ("lab", "net", "side")]
from lab import ROOT  # noqa: E402; pylint: disable=wrong-import-position
from play import play  # noqa: E402; pylint: disable=wrong-import-position
from scenario import scenarios  # noqa: E402; pylint: disable=wrong-import-position

DIFFERENCES = ROOT / "docs" / "differences.md"
CASTS = {"vv": ("vrrp-xdp", "vrrp-xdp"), "kv": ("keepalived", "vrrp-xdp"), "vk": ("vrrp-xdp", "keepalived")}
REFERENCE = ("keepalived", "keepalived")
JOBS = 14

Diff = namedtuple("Diff", "file cast step router field keepalived ours row")


def rows(path=DIFFERENCES):
    """[(id, [pattern, ...])] of the table of intended differences."""
    found = []
    for line in path.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.split("|")[1:-1]]
        if cells and re.fullmatch(r"D-\d+", cells[0]):
            found.append((cells[0], re.findall(r"`([^`]+)`", cells[-1])))
    return found


def row_of(name, field, table):
    """The id of the row that allows a field of a file to differ, or None."""
    for row, patterns in table:
        if any(fnmatchcase(f"{name}:{field}", pattern) for pattern in patterns):
            return row
    return None


def text(value):
    return value if isinstance(value, str) else json.dumps(value)


def only(mine, theirs):
    """What one list has more than the other, in its order, as text; scalars are shown whole."""
    if not isinstance(mine, list) or not isinstance(theirs, list):
        return text(mine)
    left = list(theirs)
    more = [one for one in mine if one not in left or left.remove(one)]
    return "; ".join(map(text, more)) or ("(nothing more)" if sorted(map(text, mine)) != sorted(map(text, theirs)) else
                                          f"in the order {text(mine)}")


def compare(name, cast, expected, found, table):
    """The differences between two outcomes, [(step, {router: {field: value}})]."""
    diffs = []
    for (step, want), (also, got) in zip(expected, found):
        if step.split(": ")[0] != also.split(": ")[0]:  # where it got stuck, not what the log says of it
            diffs.append(Diff(name, cast, step, "-", "progress", step, also, row_of(name, "progress", table)))
            break
        for router in sorted(want.keys() | got.keys()):
            ours, theirs = got.get(router, {}), want.get(router, {})
            for field in sorted(theirs.keys() | ours.keys()):
                a, b = theirs.get(field), ours.get(field)
                if a != b:
                    diffs.append(Diff(name, cast, step, router, field, only(a, b), only(b, a), row_of(name, field, table)))
    return diffs


def stuck(name, outcome):
    """keepalived itself did not do what the scenario waits for: then there is nothing to compare with."""
    step = outcome[-1][0] if outcome else "(nothing)"
    return [Diff(name, "reference", step, "-", "progress", step, "-", None)] if step.startswith("stuck") else []


def attempt(scenario, cast, verbose):
    """play(), or what went wrong in place of an outcome."""
    since = time.monotonic()
    outcome = play(scenario, cast)
    if verbose:
        print(f"{scenario.name} {'+'.join(cast)}: {time.monotonic() - since:.1f} s", file=sys.stderr)
    return outcome


class Side:
    """All plays of some scenarios, started at once; `differences(name)` waits for those of one."""

    def __init__(self, chosen, casts=None, jobs=JOBS, verbose=False):
        self.table = rows()
        self.casts = CASTS if casts is None else casts
        self._pool = ThreadPoolExecutor(jobs)
        self._verbose = verbose
        self._chosen = {scenario.name: scenario for scenario in chosen}
        self._plays = {}
        for scenario in chosen:
            self._submit(scenario)

    def _submit(self, scenario):
        for cast in (None, *self._casts_of(scenario)):
            programs = self.casts[cast] if cast else REFERENCE
            self._plays[scenario.name, cast] = self._pool.submit(attempt, scenario, programs, self._verbose)

    def _casts_of(self, scenario):
        """With one router the mixed casts say nothing new."""
        return [cast for cast in self.casts if len(scenario.routers) > 1 or cast[0] == cast[-1]]

    def outcome(self, name, cast=None):
        return self._plays[name, cast].result()

    def differences(self, name):
        """All of one file, those with a row and those without. Many LANs at a time stall either make for longer than some of its
        timers: what has no row counts if it is there again when nothing else is played."""
        found = self._differences(name)
        if all(diff.row for diff in found):
            return found
        print(f"{name}: played again alone, for", *map(report, found), sep="\n", file=sys.stderr)
        wait(self._plays.values())
        self._submit(self._chosen[name])
        return self._differences(name)

    def _differences(self, name):
        expected = self.outcome(name)
        return stuck(name, expected) + [diff for (file, cast), future in self._plays.items() if file == name and cast
                                        for diff in compare(name, cast, expected, future.result(), self.table)]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._pool.shutdown(cancel_futures=True)


def report(diff):
    head = f"{diff.file} {diff.cast}: after `{diff.step}`: {diff.router} {diff.field}: {diff.row or 'NO ROW'}"
    return f"{head}\n    keepalived: {diff.keepalived}\n    vrrp-xdp:   {diff.ours}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="files in tests/side/conf, without .conf")
    parser.add_argument("--self", dest="own", action="store_true", help="keepalived against itself")
    parser.add_argument("--cast", action="append", choices=CASTS, help="only these")
    parser.add_argument("--jobs", type=int, default=JOBS)
    parser.add_argument("-v", "--verbose", action="store_true", help="the time of each play, and the outcomes")
    args = parser.parse_args()
    chosen = scenarios(args.names)
    casts = {"self": REFERENCE} if args.own else {c: CASTS[c] for c in args.cast} if args.cast else None
    failed, explained, used = [], [], set()
    with Side(chosen, casts, args.jobs, args.verbose) as side:
        for scenario in chosen:
            if args.verbose:
                print(json.dumps(side.outcome(scenario.name), indent=1))
            found = side.differences(scenario.name)
            bad = [diff for diff in found if not diff.row]
            failed += bad
            explained += [diff for diff in found if diff.row]
            used |= {diff.row for diff in found}
            print(f"{'FAIL' if bad else 'ok  '} {scenario.name}", flush=True)
            for diff in found if args.verbose else bad:
                print(report(diff), flush=True)
    print(f"{len(chosen)} files: {len(failed)} differences without a row, {len(explained)} with one",
          f"({', '.join(sorted(used - {None}))})" if explained else "")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
