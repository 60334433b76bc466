# SPDX-License-Identifier: GPL-2.0-or-later
"""The rows about packets: what pktcost measures, whatever classes it has. keepalived has no program in the data path."""

import functools
import json
import subprocess
from pathlib import Path

from rows import Row

ROOT = Path(__file__).resolve().parents[2]
PKTCOST = ROOT / "build/tests/pktcost"
MOST = 99  # rounds, as pktcost has it
REPEAT = 300000  # frames a round


@functools.lru_cache(None)
def classes(rounds, repeat, *flags):
    """{name: what pktcost --json says of that class}."""
    done = subprocess.run([PKTCOST, "--json", "--rounds", str(rounds), "--repeat", str(repeat), *flags], capture_output=True, text=True,
                          check=False)
    if done.returncode:
        raise RuntimeError((done.stderr.strip().splitlines() or [f"pktcost: exit status {done.returncode}"])[-1])
    return {found["class"]: found for found in json.loads(done.stdout)}


def cost(name):
    """ns above an empty program, a sample a round; one run gives all rows."""
    return lambda _program, runs: classes(min(runs, MOST), REPEAT)[name]["samples"]


def row(name, figure, target, measure):
    return Row(f"packet-{name}", "Data plane", figure, "ns", "less", target, measure, programs=("vrrp-xdp",), quick=5)


def failing(why):
    def measure(_program, _runs):
        raise RuntimeError(why)
    return measure


def rows():
    """Of all classes but those that are only there to be subtracted; where pktcost cannot even name them, one that will say why."""
    try:
        found = classes(1, 1).values()
    except (OSError, RuntimeError) as e:
        return [row("classes", "all packets", None, failing(str(e)))]
    bases = {c["above"] for c in found}
    return [row(c["class"], c["help"], c["target_ns"] or None, cost(c["class"])) for c in found if c["class"] not in bases]


def series():
    return []
