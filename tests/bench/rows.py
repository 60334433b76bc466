# SPDX-License-Identifier: GPL-2.0-or-later
"""What bench.py measures, and the shape in which it is kept: rows of one figure each, series of one figure against a size.

A module beside this one gives its own with rows() and series(), lists of Row and Series; bench.py has the list of modules in
MODULES. To add a figure, add a Row to one of them:

    Row("goodbye", "Takeover", "SIGTERM -> priority 0 on the wire", "ms", "less", 0.3, goodbye, quick=3)

with a function that measures one program and returns its samples, all in the row's unit:

    def goodbye(program, runs):
        return [... for _ in range(runs)]

`runs` is how many are asked for. What takes long may take fewer, by min(runs, FEW): the report says how many there are. Where one
measurement gives several rows, keep it with functools.lru_cache and let each row pick its part; `runs` belongs to the key.
A function that cannot measure raises: NotMeasured with the reason where there is a good one (no failure; the row says it), and
anything else is a failure, of this row and program only. Never return a figure in place of a missing one.

A Series is called with one x at a time, points(program, (x,)), so that a size that fails loses no other; it returns
{x: [samples]}. The report fits the law which the figure follows as x grows.
"""

import math
from dataclasses import dataclass
from typing import Callable

PROGRAMS = ("vrrp-xdp", "keepalived")  # ours, and the one it is compared with
ROUTERS = (1, 10, 100, 255, 1000, 4080)  # the sizes for growth against virtual routers

GROUPS = {
    "Takeover":
        "Two routers, adverts every 10 ms; the one with priority 200 fails or stops, the one with 100 takes over. Due is the moment at "
        "which the Backup's Active_Down_Timer had to fire, from the last advert that reached the LAN: what lies behind it is the router's "
        "own delay. Times are the kernel's, of frames as they reach a third machine.",
    "Scale":
        "Many virtual routers, or many virtual addresses.",
    "Data plane":
        "What the XDP program costs per frame in BPF_PROG_TEST_RUN, above an empty program. keepalived has none.",
    "Growth":
        "One cost against the number of virtual routers or addresses: medians, and the law that they follow, by least squares. The "
        "exponent is the slope on logarithmic scales: 0 does not grow, 1 doubles with the number. The residual is how far the points are "
        "from the law, as a root mean square.",
    "The worst case":
        "Processes that die, hang or are stopped while they are Active, and forged adverts; 1 s adverts and a Backup of priority 150 in "
        "the former, 10 ms adverts in the latter. keepalived has no fast hand-over and is compared without.",
    "Clients":
        "What clients lose in a failover, adverts every 10 ms; that contains the time in which no router can know of the failure.",
    "Steady state":
        "What routers use while nothing happens, and what they do not let happen.",
}


class NotMeasured(Exception):
    """A figure that this machine or program cannot give; the text says why, in a line."""


@dataclass(frozen=True)
class Times:
    """To reach: so many times better than keepalived in the same run."""

    factor: float


@dataclass(frozen=True)
class Row:
    """One figure. `target`: a number in the row's unit, Times, a text that people judge, or None."""

    name: str  # stable: what --only looks for
    group: str
    figure: str
    unit: str
    better: str  # "less" or "more"
    target: object
    measure: Callable  # (program, runs) -> [samples]
    programs: tuple = PROGRAMS
    quick: int = 0  # runs in a quick run; 0: not part of it
    note: str = ""  # below the table

    def __post_init__(self):
        check(self)


@dataclass(frozen=True)
class Series:
    """One figure against a size. `x` is what is counted, in the plural: "virtual routers"."""

    name: str
    group: str
    figure: str
    unit: str
    x: str
    points: Callable  # (program, (x,)) -> {x: [samples]}
    xs: tuple = ROUTERS
    better: str = "less"
    picture: str = "growth"  # or "cpu": CPU in percent against the number of virtual routers
    programs: tuple = PROGRAMS
    quick: tuple = ()  # the sizes of a quick run
    note: str = ""

    def __post_init__(self):
        check(self)


def check(item):
    """A slip in a definition is found at the start, not after an hour."""
    if item.group not in GROUPS or item.better not in ("less", "more") or not set(item.programs) <= set(PROGRAMS):
        raise ValueError(f"{item.name}: no such group, direction or program")


def valid(samples):
    """The samples as a list of finite numbers; ValueError where they are none."""
    samples = list(samples or ())
    if not samples:
        raise ValueError("no samples")
    if not all(isinstance(s, (int, float)) and math.isfinite(s) for s in samples):
        raise ValueError("samples that are no numbers")
    return samples


def described(item):
    """What the report has to know of a row or series, as JSON; without any figure."""
    kept = {key: getattr(item, key) for key in ("name", "group", "figure", "unit", "better", "note")} | {"programs": list(item.programs)}
    if isinstance(item, Series):
        return kept | {"x": item.x, "picture": item.picture}
    target = item.target
    return kept | {"target": {"times": target.factor} if isinstance(target, Times) else target}
