#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Measures vrrp-xdp side by side with keepalived: same machine, same run, same LAN of namespaces. `make bench`.

    make bench [RUNS=15]      all rows; writes docs/bench.md and its pictures, and the samples to build/bench.json
    make bench QUICK=1        some of them, with few runs, in less than two minutes; prints only
    KEEPALIVED=/path/to/keepalived make bench

    tests/bench/bench.py --only 'goodbye|reaction' --runs 3

Each figure is taken from both programs before the next one. What fails is "not measured" with its reason, the rest goes on, and
the exit status is 1. rows.py says how to add a figure.
"""

import argparse
import json
import os
import platform
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
import traceback
from functools import partial
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "lab"))
import failures  # noqa: E402; pylint: disable=wrong-import-position
import packets  # noqa: E402; pylint: disable=wrong-import-position
import reaction  # noqa: E402; pylint: disable=wrong-import-position
import report  # noqa: E402; pylint: disable=wrong-import-position
import scale  # noqa: E402; pylint: disable=wrong-import-position
import steps  # noqa: E402; pylint: disable=wrong-import-position
from lab import BINARY, KEEPALIVED  # noqa: E402; pylint: disable=wrong-import-position
from rows import NotMeasured, described, valid  # noqa: E402; pylint: disable=wrong-import-position

MODULES = (reaction, steps, scale, failures, packets)  # each has rows() and series()
SAMPLES = ROOT / "build/bench.json"  # of the last full run; other runs do not overwrite it
PART = ROOT / "build/bench-part.json"
RUNS = 15
NOT_YET = {"reason": "the run did not get so far", "failed": True}


def say(text):
    print(text, file=sys.stderr, flush=True)


# ---- machine and versions ----

def first_line(argv):
    try:
        out = subprocess.run(argv, capture_output=True, text=True, check=False)
    except OSError as e:
        return f"{argv[0]}: {e.strerror}"
    return ((out.stdout + out.stderr).splitlines() or [f"{argv[0]}: exit status {out.returncode}"])[0].strip()


def field(path, name):
    """The first `name: value` of a file in /proc, or None."""
    found = re.search(rf"^{name}\s*:\s*(.*)$", Path(path).read_text(encoding="utf-8"), re.M)
    return found and found.group(1)


def commit():
    """Of the sources, and whether something else was built; the report itself does not count."""
    git = ["git", "-C", str(ROOT)]
    try:
        sha = subprocess.run([*git, "rev-parse", "--short=12", "HEAD"], capture_output=True, text=True, check=True).stdout.strip()
        changed = subprocess.run([*git, "status", "--porcelain", "--", ".", ":!docs"], capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return "no git commit"
    return f"commit {sha}{' with changes' if changed else ''}"


def mitigations():
    """What the kernel does about the CPU's mistakes: it is dear for calls and returns."""
    found = []
    for path in sorted(Path("/sys/devices/system/cpu/vulnerabilities").glob("*")):
        text = path.read_text(encoding="ascii").strip()
        if text != "Not affected":
            found.append(f"{path.name}: {text.removeprefix('Mitigation: ')}")
    return "; ".join(found) or "none"


def machine():
    """What figures depend on."""
    memory = int(field("/proc/meminfo", "MemTotal").split()[0]) / 2 ** 20
    guest = ", a virtual machine" if "hypervisor" in (field("/proc/cpuinfo", "flags") or "").split() else ""
    return {
        "Machine": f"{field('/proc/cpuinfo', 'model name') or platform.machine()}, {os.cpu_count()} CPUs, {memory:.1f} GiB{guest}",
        "Kernel": f"Linux {platform.release()} {platform.machine()}",
        "Mitigations": mitigations(),
        "Versions": f"{first_line([BINARY, 'version'])}, {commit()}; {first_line([KEEPALIVED, '--version'])}; "
                    f"{first_line([os.environ.get('CLANG', 'clang'), '--version'])}",
    }


# ---- the run ----

def outcome(measure, name):
    """{"samples": ...}, or {"reason": ...}, which is a failure unless the measurement itself gave it. A failure is told at length."""
    try:
        return {"samples": valid(measure())}
    except NotMeasured as e:
        return {"reason": str(e)}
    except Exception as e:  # pylint: disable=broad-except; one figure must not take the others with it
        traceback.print_exc()
        why = str(e).strip().splitlines() or [type(e).__name__]
        say(f"{name}: failed")
        return {"reason": why[0].removesuffix("; its last output:"), "failed": True}


def at(series, program, x):
    return series.points(program, (x,)).get(x)


class Run:
    """A plan, what has come of it so far, and the file that holds it: at any time, whatever ends the run."""

    def __init__(self, path, head, rows, series):
        """`rows`: (Row, runs); `series`: (Series, sizes)."""
        self.path = path
        self.rows, self.series = rows, series
        self.record = {"run": head | {"seconds": 0, "interrupted": True}, "machine": machine(),
                       "rows": [described(row) | {"values": {p: NOT_YET for p in row.programs}} for row, _ in rows],
                       "series": [described(item) | {"values": {p: [NOT_YET | {"x": x} for x in xs] for p in item.programs}}
                                  for item, xs in series]}
        self.start = time.monotonic()
        self.save()

    def save(self):
        """Whole or not at all."""
        self.record["run"]["seconds"] = round(time.monotonic() - self.start, 1)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        beside = self.path.with_suffix(".new")
        beside.write_text(json.dumps(self.record, indent=1) + "\n", encoding="utf-8")
        beside.rename(self.path)

    def steps(self):
        """(name, unit, what to run, where its outcome belongs, under which key, with what) of each figure in turn."""
        for (row, runs), kept in zip(self.rows, self.record["rows"]):
            for program in row.programs:
                yield f"{row.name}: {program}", row.unit, partial(row.measure, program, runs), kept["values"], program, {}
        for (item, xs), kept in zip(self.series, self.record["series"]):
            for i, x in enumerate(xs):
                for program in item.programs:
                    yield f"{item.name} {x}: {program}", item.unit, partial(at, item, program, x), kept["values"][program], i, {"x": x}

    def measure(self):
        """All of it; returns whether nothing failed. Ctrl-C leaves the rest unmeasured."""
        steps = list(self.steps())
        try:
            for i, (name, unit, measure, kept, key, more) in enumerate(steps, 1):
                start = time.monotonic()
                say(f"[{i}/{len(steps)}] {name} ...")
                kept[key] = found = outcome(measure, name) | more
                self.save()
                said = report.spread(found["samples"], unit) if "samples" in found else report.why_not(found)
                say(f"[{i}/{len(steps)}] {name}: {said}, in {time.monotonic() - start:.1f} s")
            self.record["run"]["interrupted"] = False
        except KeyboardInterrupt:
            say("interrupted")
        self.save()
        return not any(found.get("failed") for found in self.outcomes())

    def outcomes(self):
        for kept in self.record["rows"]:
            yield from kept["values"].values()
        for kept in self.record["series"]:
            for points in kept["values"].values():
                yield from points


# ---- the command ----

def plan(args):
    """What to measure, as Run takes it."""
    rows = [row for module in MODULES for row in module.rows()]
    series = [item for module in MODULES for item in module.series()]
    names = [item.name for item in (*rows, *series)]
    if len(names) != len(set(names)):
        raise ValueError(f"two figures of one name: {sorted(n for n in set(names) if names.count(n) > 1)}")

    def wanted(item):
        return (item.quick or not args.quick) and re.search(args.only or "", item.name)
    found = ([(row, args.runs or (row.quick if args.quick else RUNS)) for row in rows if wanted(row)],
             [(item, item.quick if args.quick else item.xs) for item in series if wanted(item)])
    if not any(found):
        raise SystemExit(f"bench: no figure is called so; there are: {' '.join(names)}")
    return found


def usable(full):
    """A word about what is missing, before an hour is spent."""
    if os.geteuid():
        raise SystemExit("bench: run it as root: it builds network namespaces and loads XDP programs")
    if not shutil.which(KEEPALIVED):
        raise SystemExit(f"bench: {KEEPALIVED}: no such program: scripts/install-deps.sh keepalived")
    if full and not find_spec("matplotlib"):
        raise SystemExit("bench: python3-matplotlib draws the pictures: scripts/install-deps.sh bench, or make bench QUICK=1")


def interrupt(*_):
    """SIGTERM is as Ctrl-C: what was measured is kept, what runs is stopped."""
    raise KeyboardInterrupt


def arguments(argv):
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--runs", type=int, help=f"samples per figure, {RUNS} if not given")
    parser.add_argument("--quick", action="store_true", help="some rows with few runs; prints only")
    parser.add_argument("--only", metavar="REGEX", help="only rows and series of such a name; prints only")
    parser.add_argument("--json", metavar="FILE", type=Path, help="where the samples go")
    args = parser.parse_args(argv)
    if args.runs is not None and args.runs < 1:
        parser.error("--runs is at least 1")
    return args


def main():
    args = arguments(sys.argv[1:])
    full = not (args.quick or args.only)
    usable(full)
    signal.signal(signal.SIGTERM, interrupt)
    path = args.json or (SAMPLES if full else PART)
    words = ["make", "bench", *([f"RUNS={args.runs}"] if args.runs else [])] if full else ["tests/bench/bench.py", *sys.argv[1:]]
    head = {"kind": "full" if full else "part", "command": shlex.join(words), "load": f"{os.getloadavg()[0]:.1f}",
            "started": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())}
    run = Run(path, head, *plan(args))
    good = run.measure()
    say(f"samples: {path}")
    if report.whole(run.record):
        report.write(run.record)
        say(f"written: {report.PAGE} and its pictures")
    print(report.report(run.record), end="")
    return 0 if good and not run.record["run"]["interrupted"] else 1


if __name__ == "__main__":
    sys.exit(main())
