# SPDX-License-Identifier: GPL-2.0-or-later
"""Which law a cost follows as a number grows: constant, linear, or a power; and whether it grows worse than linear."""

import math
import statistics
from collections import namedtuple

LEAST = 3  # sizes, for a law
SAME = 0.05  # what differs by less is constant in any case: one sample of each size has no spread
BAD_FIT, BETTER = 0.10, 0.5  # a power instead of a line: where that misses by more than the former, and the power by half as much
STEEP = 1.1  # exponent between the two greatest sizes, above what the spread explains

# kind: "constant", "linear" or "power". constant: `at`. linear: at + per * n. power: per * n ^ exponent.
# exponent, residual: of the whole, relative; None where a figure is not above 0. worse: than linear.
Law = namedtuple("Law", "kind at per exponent residual worse")


def line(xs, ys, weights):
    """Weighted least squares: (a, b) of a + b x."""
    total = sum(weights)
    mx = sum(w * x for w, x in zip(weights, xs)) / total
    my = sum(w * y for w, y in zip(weights, ys)) / total
    b = sum(w * (x - mx) * (y - my) for w, x, y in zip(weights, xs, ys))
    b /= sum(w * (x - mx) ** 2 for w, x in zip(weights, xs))
    return my - b * mx, b


def missed(ys, fitted):
    """Root mean square of what a law misses the points by, as a share of each."""
    return math.sqrt(statistics.fmean(((f - y) / y) ** 2 for y, f in zip(ys, fitted)))


def steep(points):
    """Whether the last step is steeper than linear also when what was least there is set against what was most before."""
    (x1, before), (x2, last) = points[-2:]
    low, high = min(last), max(before)
    return low > 0 and high > 0 and math.log(low / high) / math.log(x2 / x1) > STEEP


def law(points):
    """The law of {x: [samples]}, x > 0; None with fewer than LEAST sizes, which fit any.

    Constant is what differs between the sizes by no more than the samples of one size do, or by SAME. Each point counts by its
    share, not by its size: the smallest numbers tell the fixed cost.
    """
    points = sorted(points.items())
    if len(points) < LEAST:
        return None
    xs = [x for x, _ in points]
    ys = [statistics.median(samples) for _, samples in points]
    positive = min(ys) > 0
    exponent = residual = None
    if positive:
        logs = [math.log(x) for x in xs], [math.log(y) for y in ys]
        start, exponent = line(*logs, [1] * len(xs))
    spread = statistics.median(max(samples) - min(samples) for _, samples in points)
    if max(ys) - min(ys) <= max(spread, SAME * abs(statistics.fmean(ys))):
        at = statistics.median(ys)
        return Law("constant", at, 0, exponent, missed(ys, [at] * len(ys)) if positive else None, False)
    at, per = line(xs, ys, [1 / y ** 2 for y in ys] if positive else [1] * len(xs))
    worse = steep(points)
    if positive:
        residual = missed(ys, [at + per * x for x in xs])
        power = missed(ys, [math.exp(start) * x ** exponent for x in xs])
        if residual > BAD_FIT and power < BETTER * residual:
            return Law("power", 0, math.exp(start), exponent, power, worse)
    return Law("linear", at, per, exponent, residual, worse)
