#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Makes the report of a run of bench.py from its samples: medians, ranges, ratios, laws.

    tests/bench/report.py build/bench.json            prints it
    tests/bench/report.py --write build/bench.json    writes docs/bench.md and its pictures, of a full run only

Every figure here comes from samples in that file: what has none is "not measured", with the reason that the run gave.
"""

import argparse
import json
import statistics
import sys
from pathlib import Path

import pictures
from laws import LEAST, law
from rows import GROUPS, PROGRAMS

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs/bench.md"
OURS, THEIRS = PROGRAMS
NONE = "-"
FINER = {"GiB": ("MiB", 1024), "MiB": ("KiB", 1024), "KiB": ("bytes", 1024),
         "s": ("ms", 1000), "ms": ("us", 1000), "us": ("ns", 1000)}
HOW_TO_READ = f"""\
Each figure is the median of its samples, with minimum and maximum behind it; *runs* says how many there are of {OURS} and of \
{THEIRS}. The *ratio* is to {THEIRS} in the same run, both ways round: 2.0x is twice as good, 0.5x half as good, ∞ and 0x are \
between some and none. *To reach* was set beforehand; a median reaches it or does not. What was not measured says \
so, and why."""


# ---- numbers ----

def number(x):
    """Three digits, and no fewer before the point than there are."""
    if x == int(x) or abs(x) >= 100:
        return f"{x:,.0f}"
    return f"{x:.3g}" if abs(x) >= 0.001 else f"{x:.6f}".rstrip("0")


def with_unit(x, unit):
    return f"{number(x)} {unit}".rstrip()


def fine(x, unit):
    """The same in a finer unit, where the number would begin with 0."""
    while x and abs(x) < 1 and unit in FINER:
        unit, factor = FINER[unit]
        x *= factor
    return with_unit(x, unit)


def spread(samples, unit):
    """Median, and the range where there is more than one sample."""
    if len(samples) > 1:
        return with_unit(statistics.median(samples), f"({number(min(samples))} to {number(max(samples))}) {unit}")
    return with_unit(samples[0], unit)


def ratio(ours, theirs, better):
    """How many times better we are, of two medians; None where that says nothing."""
    good, bad = (theirs, ours) if better == "less" else (ours, theirs)
    if good < 0 or bad < 0 or not (good or bad):
        return None
    return good / bad if bad else float("inf")


def ratio_text(times):
    if times is None:
        return NONE
    if times == float("inf"):
        return "∞"
    return f"{times:.1f}x" if 0.1 <= times < 10 else f"{times:,.0f}x" if times >= 10 or not times else f"{times:.2g}x"


# ---- rows ----

def samples_of(item, program):
    """None where there are none: whoever prints a figure has to ask."""
    return item["values"].get(program, {}).get("samples") or None


def why_not(value):
    return f"not measured: {value.get('reason') or 'no reason was given'}"


def cell(item, program):
    samples = samples_of(item, program)
    if samples:
        return spread(samples, item["unit"])
    return why_not(item["values"].get(program, {})) if program in item["programs"] else NONE


def ratio_of(item):
    both = [samples_of(item, program) for program in PROGRAMS]
    return ratio(*map(statistics.median, both), item["better"]) if all(both) else None


def to_reach(row):
    target = row["target"]
    if target is None:
        return NONE
    if isinstance(target, dict):
        return f"{number(target['times'])}x"
    if isinstance(target, str):
        return target
    return f"{'≤' if row['better'] == 'less' else '≥'} {with_unit(target, row['unit'])}"


def reached(row):
    """Whether the median reaches what is to be reached; None where nobody can say."""
    target, samples = row["target"], samples_of(row, OURS)
    if not samples or target is None or isinstance(target, str):
        return None
    if isinstance(target, dict):
        times = ratio_of(row)
        return None if times is None else times >= target["times"]
    median = statistics.median(samples)
    return median <= target if row["better"] == "less" else median >= target


def yes_no(answer):
    return NONE if answer is None else "yes" if answer else "**no**"


def counts(item):
    found = [str(len(samples_of(item, program) or ())) for program in PROGRAMS if program in item["programs"]]
    return found[0] if len(set(found)) == 1 else "/".join(found)


def table(head, lines):
    """Markdown; a "|" in a cell would end it."""
    def line(words):
        return "| " + " | ".join(word.replace("|", "\\|") for word in words) + " |"
    return "\n".join([line(head), "|---" * len(head) + "|", *map(line, lines)])


def row_table(rows):
    """Without a column for keepalived where it has none of it."""
    compared = [program for program in PROGRAMS if any(program in row["programs"] for row in rows)]
    ratios = compared == list(PROGRAMS)
    return table(["figure", *compared, *(["ratio"] if ratios else []), "to reach", "reached", "runs"],
                 [[row["figure"], *(cell(row, program) for program in compared), *([ratio_text(ratio_of(row))] if ratios else []),
                   to_reach(row), yes_no(reached(row)), counts(row)] for row in rows])


# ---- growth ----

def one_of(things):
    """"virtual routers" -> "virtual router"."""
    return things.removesuffix("es") if things.endswith("sses") else things.removesuffix("s")


def measured_points(series, program):
    return {point["x"]: point["samples"] for point in series["values"].get(program, ()) if point.get("samples")}


def law_text(series, program):
    """The law that a program's cost follows, in words."""
    points = measured_points(series, program)
    found = law(points)
    if not found:
        return f"no law: {len(points)} sizes measured, {LEAST} needed" if program in series["programs"] else NONE
    unit, one = series["unit"], one_of(series["x"])
    if found.kind == "constant":
        return f"constant, {fine(found.at, unit)}"
    if found.kind == "linear":
        text = f"{fine(found.at, unit)} {'-' if found.per < 0 else '+'} {fine(abs(found.per), unit)} per {one}"
    else:
        text = f"{fine(found.per, unit)} x n^{found.exponent:.2f}"
    numbers = [f"exponent {found.exponent:.2f}"] if found.exponent is not None and found.kind == "linear" else []
    numbers += [f"residual {100 * found.residual:.0f} %"] if found.residual is not None else []
    text += f" ({', '.join(numbers)})" if numbers else ""
    return text + ("; **worse than linear**" if found.worse and series["better"] == "less" else "")


def point_cell(series, program, x):
    for point in series["values"].get(program, ()):
        if point["x"] == x:
            return spread(point["samples"], series["unit"]) if point.get("samples") else why_not(point)
    return NONE


def series_table(series):
    """A line for each size, and the law."""
    points = {program: measured_points(series, program) for program in PROGRAMS}
    lines = []
    for x in sorted({point["x"] for values in series["values"].values() for point in values}):
        both = [points[program].get(x) for program in PROGRAMS]
        times = ratio(*map(statistics.median, both), series["better"]) if all(both) else None
        lines.append([f"{x:,}", *(point_cell(series, program, x) for program in PROGRAMS), ratio_text(times)])
    return table([series["x"], OURS, THEIRS, "ratio"], [*lines, ["law", *(law_text(series, p) for p in PROGRAMS), NONE]])


# ---- the whole ----

def notes(items):
    return [f"- {item['figure']}: {item['note']}" for item in items if item["note"]]


def group_text(record, name, drawn):
    """Legend, pictures, table and notes of a group, as paragraphs; none where nothing belongs to it."""
    rows = [row for row in record["rows"] if row["group"] == name]
    series = [item for item in record["series"] if item["group"] == name]
    if not rows and not series:
        return []
    parts = [f"## {name}", GROUPS[name], *(f"![{ALT[p]}](bench-{p}.svg)" for p, group in drawn.items() if group == name)]
    parts += [row_table(rows)] if rows else []
    for item in series:
        parts += [f"**{item['figure']}**", series_table(item)]
    said = notes(rows + series)
    return parts + (["\n".join(said)] if said else [])


def summary(record):
    """How many are reached, and whether all was measured."""
    answers = [reached(row) for row in record["rows"]]
    missing = sum(not samples_of(row, program) for row in record["rows"] for program in row["programs"])
    missing += sum(not point.get("samples") for item in record["series"] for points in item["values"].values() for point in points)
    text = f"{answers.count(True)} of {answers.count(True) + answers.count(False)} figures with something to reach reach it"
    text += f"; {missing} {'was' if missing == 1 else 'were'} not measured." if missing else "; everything was measured."
    worse = [f"{item['figure']} ({program})" for item in record["series"] for program in PROGRAMS
             if "worse than linear" in law_text(item, program)]
    return text + (f" Worse than linear: {'; '.join(worse)}." if worse else "")


def duration(seconds):
    return f"{seconds / 60:.0f} minutes" if seconds >= 120 else f"{seconds:.0f} s"


def head(record):
    """Machine, versions, commands."""
    run = record["run"]
    lines = [f"- {what}: {said}" for what, said in record["machine"].items()]
    lines.append(f"- Run: `{run['command']}`, {run['started']}, {duration(run['seconds'])}, load before {run['load']}"
                 f"{', **interrupted**' if run['interrupted'] else ''}")
    return "\n".join(lines)


ALT = {"takeover": "Times of all takeovers, of both", "packet": "Nanoseconds per packet",
       "cpu": "CPU against the number of virtual routers", "growth": "Other costs against their number"}


def report(record, drawn=None):
    """The text; `drawn`: the pictures there are, and the group each belongs to."""
    parts = ["# Measured side by side", summary(record), HOW_TO_READ, head(record)]
    for name in GROUPS:
        parts += group_text(record, name, drawn or {})
    return "\n\n".join(parts) + "\n"


def load(path):
    return json.loads(Path(path).read_text(encoding="utf-8"))


def whole(record):
    """Whether this is a full run that came to its end: only such a one is written."""
    return record["run"]["kind"] == "full" and not record["run"]["interrupted"]


def write(record):
    """Page and pictures; one that this run has nothing for goes, it would be of another run."""
    drawn = pictures.draw(record)
    for old in PAGE.parent.glob("bench-*.svg"):
        old.unlink()
    for name, svg in drawn.items():
        (PAGE.parent / f"bench-{name}.svg").write_text(svg, encoding="utf-8")
    PAGE.write_text(report(record, pictures.shown(record)), encoding="utf-8")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--write", action="store_true", help="write docs/bench.md and its pictures, of a full run")
    parser.add_argument("file", metavar="FILE")
    args = parser.parse_args()
    record = load(args.file)
    if not args.write:
        print(report(record), end="")
        return 0
    if not whole(record):
        raise SystemExit(f"report: {args.file} is of a run of some rows, or an interrupted one: it is not written to {PAGE}")
    write(record)
    return 0


if __name__ == "__main__":
    sys.exit(main())
