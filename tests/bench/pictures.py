# SPDX-License-Identifier: GPL-2.0-or-later
"""The pictures of a report, as SVG: drawn from the samples and from nothing else, the same bytes for the same samples.

What has no samples has no point; a picture without any is not drawn.
"""

import io
import statistics
import textwrap

from rows import PROGRAMS

COLOURS = {"vrrp-xdp": "#1668c7", "keepalived": "#d9601a"}
GREY, TARGET = "#57606a", "#1a7f37"
DASHES = ("-", "--", ":", "-.")
DECADE, NARROW = 10, 1000  # a scale shows the former at least, or noise would look like growth; below the latter it has more numbers
STYLE = {
    "svg.fonttype": "none", "svg.hashsalt": "vrrp-xdp", "font.family": "sans-serif", "font.size": 9,
    "font.sans-serif": ["Helvetica", "Arial", "Liberation Sans", "DejaVu Sans"], "axes.edgecolor": GREY, "axes.labelcolor": GREY,
    "xtick.color": GREY, "ytick.color": GREY, "axes.spines.top": False, "axes.spines.right": False, "axes.grid": True,
    "grid.color": "#d8dee4", "grid.linewidth": 0.6, "axes.axisbelow": True, "legend.frameon": False, "axes.titlesize": 10,
    "figure.facecolor": "white", "axes.facecolor": "white",
}


# ---- what is drawn ----

def samples_of(item, program):
    return item["values"].get(program, {}).get("samples") or []


def takeovers(record):
    """Rows of times that somebody has samples above 0 of: they go on a logarithmic scale."""
    return [row for row in record["rows"] if row["group"] == "Takeover" and row["unit"] == "ms"
            and any(x > 0 for program in PROGRAMS for x in samples_of(row, program))]


def packet_costs(record):
    return [row for row in record["rows"] if row["group"] == "Data plane" and row["unit"] == "ns" and samples_of(row, PROGRAMS[0])]


def points_of(series, program):
    """(x, samples), sorted."""
    return sorted((point["x"], point["samples"]) for point in series["values"].get(program, ()) if point.get("samples"))


def grown(record, picture):
    return [item for item in record["series"] if item["picture"] == picture and any(points_of(item, p) for p in PROGRAMS)]


# ---- how ----

def wrapped(text, width):
    return "\n".join(textwrap.wrap(text.replace("->", "→"), width))


def plain(axis, low=None, high=None):
    """1000, not 10^3; and between powers of ten more, where there are few of them from `low` to `high`."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter  # pylint: disable=import-outside-toplevel
    if low and high < low * NARROW:
        axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:,.10g}"))
    axis.set_minor_formatter(NullFormatter())


def mark(label, colour, marker):
    from matplotlib.lines import Line2D  # pylint: disable=import-outside-toplevel
    return Line2D([], [], color=colour, marker=marker, markersize=11 if marker == "|" else 6, markeredgewidth=2 if marker == "|" else 0,
                  linestyle="", label=label)


def legend(ax, programs, target=False, **where):
    """Who has which colour; above the axes if nothing else is said."""
    handles = [mark(p, COLOURS[p], "o") for p in programs] + ([mark("to reach", TARGET, "|")] if target else [])
    ax.legend(handles=handles, **(where or {"loc": "lower right", "bbox_to_anchor": (1, 1), "ncol": len(handles)}))


def target_of(row):
    """Where it is a number."""
    return row["target"] if isinstance(row["target"], (int, float)) else None


def draw_target(ax, row, y):
    if target_of(row) is not None:
        ax.plot([target_of(row)] * 2, [y - 0.4, y + 0.4], color=TARGET, linewidth=1.6)


def draw_takeover(plt, record):
    """A strip of points for each figure and program, with its median."""
    rows = takeovers(record)
    fig, ax = plt.subplots(figsize=(8.6, 0.9 + 0.52 * len(rows)), layout="constrained")
    for y, row in enumerate(rows):
        for program, lane in zip(PROGRAMS, (-0.17, 0.17)):
            samples = [x for x in samples_of(row, program) if x > 0]
            if samples:
                ax.plot(samples, [y + lane] * len(samples), "o", color=COLOURS[program], alpha=0.4, markersize=4.5, markeredgewidth=0)
                ax.plot([statistics.median(samples)], [y + lane], "|", color=COLOURS[program], markersize=11, markeredgewidth=2)
        draw_target(ax, row, y)
    ax.set_xscale("log")
    plain(ax.xaxis, *ax.get_xlim())
    ax.set_xlabel("ms, each takeover a point, the bar is the median")
    ax.set_yticks(range(len(rows)), [wrapped(row["figure"], 46) for row in rows])
    ax.set_ylim(len(rows) - 0.5, -0.5)
    ax.tick_params(axis="y", length=0, labelcolor="black")
    legend(ax, PROGRAMS, target=True)
    return fig


def draw_packet(plt, record):
    """A bar for each class of packet: median, range, target."""
    rows = packet_costs(record)
    fig, ax = plt.subplots(figsize=(8.6, 0.9 + 0.3 * len(rows)), layout="constrained")
    for y, row in enumerate(rows):
        samples = samples_of(row, PROGRAMS[0])
        median = statistics.median(samples)
        ax.barh(y, median, height=0.6, color=COLOURS[PROGRAMS[0]], alpha=0.85)
        ax.plot([min(samples), max(samples)], [y, y], color="black", linewidth=0.9)
        draw_target(ax, row, y)
        ax.annotate(f"{median:.0f}", (max(*samples, target_of(row) or 0, 0), y), (4, 0), textcoords="offset points", va="center")
    ax.set_yticks(range(len(rows)), [wrapped(row["figure"], 50) for row in rows])
    ax.set_ylim(len(rows) - 0.5, -0.5)
    ax.set_xlabel("ns above an empty program: median, the line is minimum to maximum")
    ax.tick_params(axis="y", length=0, labelcolor="black")
    ax.grid(axis="y", visible=False)
    legend(ax, (), target=True)
    return fig


def draw_series(ax, item, dash):
    """Medians as a line, ranges as bars."""
    for program in PROGRAMS:
        points = points_of(item, program)
        if points:
            xs = [x for x, _ in points]
            medians = [statistics.median(samples) for _, samples in points]
            reach = [[m - min(s) for m, (_, s) in zip(medians, points)], [max(s) - m for m, (_, s) in zip(medians, points)]]
            ax.errorbar(xs, medians, reach, color=COLOURS[program], linestyle=dash, marker="o", markersize=4, linewidth=1.4, elinewidth=0.8)


def scale(ax, items):
    """Logarithmic; below the least figure above 0 it is linear, so that 0 has a place."""
    points = [point for item in items for program in PROGRAMS for point in points_of(item, program)]
    medians = [statistics.median(samples) for _, samples in points]
    positive = [m for m in medians if m > 0]
    ax.set_xscale("log")
    plain(ax.xaxis)
    if len(positive) == len(medians):
        ax.set_yscale("log")
        low, high = ax.get_ylim()
        wider = max(1, (DECADE / (high / low)) ** 0.5)
        ax.set_ylim(low / wider, high * wider)
        plain(ax.yaxis, *ax.get_ylim())
    else:
        least = min(positive, default=1)
        ax.set_yscale("symlog", linthresh=least)
        ax.set_ylim(bottom=min(-least / 3, *medians))
        plain(ax.yaxis)
    xs = sorted({x for x, _ in points})
    ax.set_xticks(xs, [f"{x:,}" for x in xs])
    ax.minorticks_off()


def draw_cpu(plt, record):
    """All series of CPU in one: a colour for each program, a dash for each figure."""
    from matplotlib.lines import Line2D  # pylint: disable=import-outside-toplevel
    items = grown(record, "cpu")
    fig, ax = plt.subplots(figsize=(8.6, 4.4), layout="constrained")
    for item, dash in zip(items, DASHES * len(items)):
        draw_series(ax, item, dash)
    scale(ax, items)
    ax.set_xlabel(items[0]["x"])
    ax.set_ylabel(items[0]["unit"])
    ax.legend(handles=[mark(p, COLOURS[p], "o") for p in PROGRAMS] + [
        Line2D([], [], color=GREY, linestyle=dash, label=wrapped(item["figure"], 60)) for item, dash in zip(items, DASHES * len(items))],
        loc="best")
    return fig


def draw_growth(plt, record):
    """The other series, each in a field of its own."""
    items = grown(record, "growth")
    columns = min(2, len(items))
    lines = -(-len(items) // columns)
    fig, axes = plt.subplots(lines, columns, figsize=(8.6, 0.4 + 2.7 * lines), layout="constrained", squeeze=False)
    for ax, item in zip(axes.flat, items):
        draw_series(ax, item, "-")
        scale(ax, [item])
        ax.set_title(wrapped(item["figure"], 50), loc="left")
        ax.set_xlabel(item["x"])
        ax.set_ylabel(item["unit"])
    for ax in axes.flat[len(items):]:
        ax.set_visible(False)
    legend(axes[0][0], PROGRAMS, loc="best")
    return fig


# name: (what it shows of a record, how)
DRAWN = {"takeover": (takeovers, draw_takeover), "packet": (packet_costs, draw_packet),
         "cpu": (lambda record: grown(record, "cpu"), draw_cpu), "growth": (lambda record: grown(record, "growth"), draw_growth)}


def shown(record):
    """{name: group it belongs to} of the pictures that have something to show."""
    return {name: items[0]["group"] for name, (items_of, _) in DRAWN.items() if (items := items_of(record))}


def draw(record):
    """{name: SVG as text} of the same. Needs matplotlib."""
    import matplotlib  # pylint: disable=import-outside-toplevel; only who draws needs it
    matplotlib.use("svg")
    from matplotlib import pyplot as plt  # pylint: disable=import-outside-toplevel
    found = {}
    with plt.rc_context(STYLE):
        for name in shown(record):
            fig = DRAWN[name][1](plt, record)
            out = io.StringIO()
            fig.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
            plt.close(fig)
            found[name] = out.getvalue()
    return found
