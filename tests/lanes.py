#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs pytest in several lanes beside each other, since most tests mostly wait; what failed there runs once more, alone.

    tests/lanes.py [--lanes N] [--beside FILE] PYTEST-ARGUMENT...

Lanes make each other stall, and so does whatever else the machine does: a test that failed counts as failed only if it fails
again with nothing beside it. What passed then is named as the last thing, so that nothing is hidden. With --beside that
waits until nobody holds a lock on FILE any more, see run.py. Where a lane dies, what it had still to do is begun anew, once.
Without pytest-xdist there is one lane.
"""

import argparse
import fcntl
import subprocess
import sys
import time
from importlib.util import find_spec

import pytest

PYTEST = ("-q", "-p", "no:cacheprovider")
CAME_TO_AN_END = (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED)
MANY = 12  # so many failures are no stall: to run them all again would only cost time


def plain(nodeid):
    """Without the group that pytest-xdist appends."""
    return nodeid.rpartition("@")[0] if nodeid.rfind("@") > nodeid.rfind("]") else nodeid


class Outcomes:
    """A pytest plugin: what became of each test, by its id."""

    def __init__(self):
        self.of = {}
        self.chosen = []
        self.broken = []  # files that could not even be read

    def pytest_sessionstart(self, session):
        """The line with the counts comes at the end of everything, from main()."""
        session.config.pluginmanager.get_plugin("terminalreporter").summary_stats = lambda: None

    def pytest_runtest_logreport(self, report):
        """Called for setup, call and teardown: a failure in one of them stays."""
        name = plain(report.nodeid)
        if report.failed or (report.skipped and self.of.get(name) != "failed"):
            self.of[name] = report.outcome
        else:
            self.of.setdefault(name, "passed")

    def pytest_collection_finish(self, session):
        """Of one lane; in several the lanes collect."""
        self.chosen = self.chosen or [item.nodeid for item in session.items]

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, node, ids):  # pylint: disable=unused-argument
        self.chosen = [plain(nodeid) for nodeid in ids]

    def pytest_collectreport(self, report):
        if report.failed:
            self.broken.append(report.nodeid)

    def missing(self):
        """What was not run, since a lane has died."""
        return [name for name in self.chosen if name not in self.of]

    def count(self, outcome):
        return list(self.of.values()).count(outcome) + (len(self.broken) if outcome == "failed" else 0)


def in_lanes(lanes, args):
    """Runs all tests once; returns (outcomes, exit status)."""
    # A lane that has died is not replaced: pytest-xdist would give the new one the same test, which need not come to an end.
    beside = ("-n", str(lanes), "--dist", "loadgroup", "--max-worker-restart", "0") if lanes > 1 and find_spec("xdist") else ()
    outcomes = Outcomes()
    return outcomes, pytest.main([*PYTEST, *beside, *args], plugins=[outcomes])


def run_all(lanes, args):
    """The same, and anew what was not run."""
    outcomes, status = in_lanes(lanes, args)
    missing = outcomes.missing() if status in CAME_TO_AN_END and not outcomes.broken else ()
    if missing:
        print(f"a lane has died: {len(missing)} tests are begun anew", flush=True)
        more, _ = in_lanes(lanes, missing)
        outcomes.of.update(more.of)
        outcomes.of.update(dict.fromkeys(outcomes.missing(), "failed"))
        status = status or pytest.ExitCode.TESTS_FAILED
    return outcomes, status


def wait_quiet(path):
    if path:
        with open(path, "a", encoding="ascii") as file:
            fcntl.flock(file, fcntl.LOCK_SH)


def alone(name):
    """Whether the test passes now; only a failure is shown at length."""
    done = subprocess.run([sys.executable, "-m", "pytest", *PYTEST, name], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, errors="replace", check=False)
    if done.returncode:
        *shown, last = done.stdout.rstrip().split("\n")
        print(*shown, last.replace(" in ", ", after "), sep="\n")  # in other words: run.py must not count it
    return not done.returncode


def again(outcomes):
    """Corrects the outcomes; returns a sentence about each test that was run again."""
    said = []
    for name in [name for name, outcome in outcomes.of.items() if outcome == "failed"]:
        if alone(name):
            outcomes.of[name] = "passed"
            said.append(f"again alone: {name} passed, it had failed under load")
        else:
            said.append(f"again alone: {name} failed, as it had before")
    return said


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lanes", type=int, default=1)
    parser.add_argument("--beside", metavar="FILE")
    args, rest = parser.parse_known_args()
    start = time.monotonic()
    outcomes, status = run_all(args.lanes, rest)
    said = []
    if status in CAME_TO_AN_END and not outcomes.broken and 0 < outcomes.count("failed") <= MANY:
        wait_quiet(args.beside)
        said = again(outcomes)
        status = pytest.ExitCode.TESTS_FAILED if outcomes.count("failed") else pytest.ExitCode.OK
    print(*said, sep="\n", end="\n" if said else "")
    print(", ".join(f"{outcomes.count(word)} {word}" for word in ("passed", "failed", "skipped")),
          f"in {time.monotonic() - start:.1f}s", flush=True)
    return int(status)


if __name__ == "__main__":
    sys.exit(main())
