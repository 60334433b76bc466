# SPDX-License-Identifier: GPL-2.0-or-later
"""report.py: samples in, tables and laws out. Needs neither root nor matplotlib."""

import random
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))
import pictures  # noqa: E402; pylint: disable=wrong-import-position
import report  # noqa: E402; pylint: disable=wrong-import-position
from laws import law  # noqa: E402; pylint: disable=wrong-import-position
from rows import ROUTERS  # noqa: E402; pylint: disable=wrong-import-position

BOTH = ["vrrp-xdp", "keepalived"]


def row(name="r", better="less", target=None, unit="ms", programs=None, **values):
    """`ours` and `theirs` are samples, or a text: the reason why there are none."""
    given = dict(zip(BOTH, (values.get("ours"), values.get("theirs"))))
    return {"name": name, "group": "Takeover", "figure": f"figure {name}", "unit": unit, "better": better, "target": target,
            "programs": programs or BOTH, "note": values.get("note", ""),
            "values": {p: {"reason": v} if isinstance(v, str) else {"samples": v} for p, v in given.items() if v is not None}}


def series(points, theirs=None, unit="MiB", better="less", x="virtual routers"):
    """`points`: {x: samples or a reason}."""
    def kept(given):
        return [{"x": n, "reason": v} if isinstance(v, str) else {"x": n, "samples": v} for n, v in given.items()]
    return {"name": "s", "group": "Growth", "figure": "memory", "unit": unit, "better": better, "programs": BOTH, "note": "", "x": x,
            "picture": "growth", "values": {"vrrp-xdp": kept(points), "keepalived": kept(theirs or {})}}


def record(rows=(), grown=(), **run):
    return {"run": {"kind": "full", "command": "make bench", "started": "2026-01-02 03:04 UTC", "seconds": 600, "load": "0.1",
                    "interrupted": False, **run},
            "machine": {"Machine": "a CPU", "Versions": "vrrp-xdp 1"}, "rows": list(rows), "series": list(grown)}


def line(text, start):
    """The cells of the one line of a table that begins so."""
    found = [words for words in text.splitlines() if words.startswith(f"| {start}")]
    assert len(found) == 1, found
    return [word.strip() for word in found[0].strip("|").split(" | ")]


def cells(*args, **kwargs):
    """Of a report with that one row, behind its name."""
    return line(report.report(record([row(*args, **kwargs)])), "figure r")[1:]


def test_a_row_has_median_range_ratio_and_what_was_reached():
    assert cells(ours=[0.3, 0.1, 0.2], theirs=[0.6, 0.4, 0.5], target=0.25) == [
        "0.2 (0.1 to 0.3) ms", "0.5 (0.4 to 0.6) ms", "2.5x", "≤ 0.25 ms", "yes", "3"]


def test_more_is_better_turns_ratio_and_target_round():
    assert cells(ours=[25500], theirs=[12000], better="more", unit="a second", target=25500) == [
        "25,500 a second", "12,000 a second", "2.1x", "≥ 25,500 a second", "yes", "1"]
    assert cells(ours=[6000], theirs=[12000], better="more", target=6001)[2:5] == ["0.5x", "≥ 6,001 ms", "**no**"]


def test_a_median_above_the_target_does_not_reach_it():
    assert cells(ours=[1, 2, 9], target=1.9)[3:5] == ["≤ 1.9 ms", "**no**"]


def test_a_target_may_be_so_many_times_better_than_keepalived():
    assert cells(ours=[2], theirs=[8], target={"times": 4})[2:5] == ["4.0x", "4x", "yes"]
    assert cells(ours=[2], theirs=[7], target={"times": 4})[2:5] == ["3.5x", "4x", "**no**"]
    assert cells(ours=[2], theirs="it ended", target={"times": 4})[2:5] == ["-", "4x", "-"]


def test_a_target_in_words_is_shown_and_not_judged():
    assert cells(ours=[2], target="or the reason")[3:5] == ["or the reason", "-"]


@pytest.mark.parametrize("ours, theirs, said", [
    ([0], [100], "∞"), ([0], [0], "-"), ([5], [0], "0x"), ([-1], [3], "-"), ([3], [100], "33x"), ([100], [3], "0.03x"),
    ([1000], [1004], "1.0x")])
def test_ratios_at_the_edges(ours, theirs, said):
    assert cells(ours=ours, theirs=theirs)[2] == said


def test_what_was_not_measured_says_so_and_why():
    found = cells(ours=[0.1], theirs="keepalived: no takeover | within 20 s", target=0.2)
    assert found[1] == r"not measured: keepalived: no takeover \| within 20 s"
    assert found[2:] == ["-", "≤ 0.2 ms", "yes", "1/0"]
    found = cells(ours="interrupted", theirs=[3], target=0.2)
    assert found == ["not measured: interrupted", "3 ms", "-", "≤ 0.2 ms", "-", "0/1"]


@pytest.mark.parametrize("value", [{}, {"samples": []}, {"samples": None}])
def test_a_figure_without_samples_is_never_printed(value):
    broken = row(theirs=[3], target=0.2)
    broken["values"]["vrrp-xdp"] = value
    text = report.report(record([broken]))
    assert line(text, "figure r")[1:4] == ["not measured: no reason was given", "3 ms", "-"]
    assert "1 was not measured" in text


def test_a_program_that_has_no_such_thing_is_not_missing():
    text = report.report(record([row(ours=[1], programs=["vrrp-xdp"]), row("q", ours=[1], theirs=[1])]))
    assert line(text, "figure r")[1:4] == ["1 ms", "-", "-"]
    assert "everything was measured" in text


def test_a_group_without_keepalived_has_no_column_for_it():
    text = report.report(record([row(ours=[5], unit="ns", programs=["vrrp-xdp"], target=5)]))
    assert line(text, "figure |") == ["figure", "vrrp-xdp", "to reach", "reached", "runs"]
    assert line(text, "figure r") == ["figure r", "5 ns", "≤ 5 ns", "yes", "1"]


def test_the_head_tells_machine_command_and_what_was_reached():
    text = report.report(record([row("a", ours=[1], theirs=[1], target=1), row("b", ours=[2], theirs=[1], target=1)]))
    assert "1 of 2 figures with something to reach reach it; everything was measured." in text
    assert "- Machine: a CPU\n- Versions: vrrp-xdp 1\n- Run: `make bench`, 2026-01-02 03:04 UTC, 10 minutes, load before 0.1\n" in text


def test_an_interrupted_run_says_so_and_is_not_whole():
    stopped = record([row(ours=[1], theirs="interrupted")], interrupted=True)
    assert "**interrupted**" in report.report(stopped)
    assert not report.whole(stopped)
    assert not report.whole(record(kind="quick"))
    assert report.whole(record())


def test_a_note_stands_below_the_table():
    assert "\n- figure r: of one kind\n" in report.report(record([row(ours=[1], note="of one kind")]))


def test_a_picture_shows_only_what_has_samples():
    packet = row("p", ours=[9], unit="ns", programs=["vrrp-xdp"]) | {"group": "Data plane"}
    cpu = series({1: [0.1], 10: "it ended"}, unit="%") | {"picture": "cpu", "group": "Scale"}
    assert pictures.shown(record([row(ours=[1], theirs="it ended"), packet], [series({1: [1]}), cpu])) == {
        "takeover": "Takeover", "packet": "Data plane", "cpu": "Scale", "growth": "Growth"}
    assert pictures.shown(record([row(ours="it ended", theirs="it ended")], [series({1: "it ended"})])) == {}


def test_a_picture_is_named_where_it_belongs_and_one_of_another_run_goes(tmp_path, monkeypatch):
    monkeypatch.setattr(report, "PAGE", tmp_path / "bench.md")
    monkeypatch.setattr(pictures, "draw", lambda record: dict.fromkeys(pictures.shown(record), "<svg/>"))
    (tmp_path / "bench-packet.svg").write_text("of another run", encoding="ascii")
    whole = record([row(ours=[1], theirs=[1])])
    report.write(whole)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bench-takeover.svg", "bench.md"]
    text = (tmp_path / "bench.md").read_text(encoding="utf-8")
    assert text.index("## Takeover") < text.index("](bench-takeover.svg)") < text.index("| figure |")
    assert ".svg" not in report.report(whole)


@pytest.mark.parametrize("x, said", [(0, "0"), (31, "31"), (172.5, "172"), (0.1174, "0.117"), (25500, "25,500"), (9.876, "9.88"),
                                     (0.00012, "0.00012"), (-3.5, "-3.5")])
def test_numbers(x, said):
    assert report.number(x) == said


# ---- laws ----

def points(fn, noise=0.0, samples=5, seed=1):
    """`noise` is the share that a sample is off at most."""
    rand = random.Random(seed)
    return {n: [fn(n) * (1 + noise * rand.uniform(-1, 1)) for _ in range(samples)] for n in ROUTERS}


def test_a_constant_is_one_however_it_is_scattered():
    for noise in (0, 0.02, 0.3):
        found = law(points(lambda n: 94, noise))
        assert (found.kind, found.worse) == ("constant", False)
        assert 80 < found.at < 110
    assert law({1: [0], 10: [0], 100: [0]}).kind == "constant"


@pytest.mark.parametrize("noise", [0, 0.05])
def test_a_line_has_a_fixed_cost_and_one_for_each(noise):
    found = law(points(lambda n: 3.1 + 0.0024 * n, noise))
    assert (found.kind, found.worse) == ("linear", False)
    assert found.at == pytest.approx(3.1, rel=0.06)
    assert found.per == pytest.approx(0.0024, rel=0.1)
    assert 0 < found.exponent < 1
    assert found.residual <= noise + 1e-9


def test_a_square_is_a_power_and_worse_than_linear():
    found = law(points(lambda n: 0.02 * n * n, 0.05))
    assert (found.kind, found.worse) == ("power", True)
    assert found.exponent == pytest.approx(2, abs=0.05)
    assert found.per == pytest.approx(0.02, rel=0.1)


def test_a_square_behind_a_fixed_cost_is_worse_than_linear_too():
    assert law(points(lambda n: 100 + 0.01 * n * n)).worse


def test_a_step_that_the_spread_explains_is_not_worse_than_linear():
    flat = {n: [n, n * 1.1] for n in ROUTERS[:-1]}
    assert not law(flat | {4080: [4080, 4080 * 1.5]}).worse
    assert law(flat | {4080: [4080 * 1.6, 4080 * 1.7]}).worse


def test_a_root_grows_as_a_power():
    found = law(points(lambda n: 2 * n ** 0.5))
    assert (found.kind, found.worse) == ("power", False)
    assert found.exponent == pytest.approx(0.5)


def test_what_is_not_above_0_has_a_line_and_no_exponent():
    found = law({1: [0], 10: [1], 100: [10], 1000: [100]})
    assert (found.kind, found.exponent, found.residual) == ("linear", None, None)
    assert found.per == pytest.approx(0.1, rel=0.01)


def test_two_sizes_are_no_law():
    assert law({1: [1], 10: [10]}) is None
    assert "no law: 2 sizes measured, 3 needed" in report.report(record(grown=[series({1: [1], 10: [10]})]))


def test_a_series_has_a_line_for_each_size_and_the_law():
    text = report.report(record(grown=[series({n: [3.1 + 2.4 / 1024 * n] for n in ROUTERS},
                                              {n: [7 + n] for n in ROUTERS[:-1]} | {4080: "it did not start"})]))
    assert line(text, "1 |") == ["1", "3.1 MiB", "8 MiB", "2.6x"]
    assert line(text, "4,080") == ["4,080", "12.7 MiB", "not measured: it did not start", "-"]
    assert line(text, "law")[1:3] == ["3.1 MiB + 2.4 KiB per virtual router (exponent 0.14, residual 0 %)",
                                      "7 MiB + 1 MiB per virtual router (exponent 0.71, residual 0 %)"]


def test_a_law_names_the_size_and_what_is_worse_than_linear():
    text = report.report(record(grown=[series({n: [n * n] for n in ROUTERS}, unit="us", x="virtual addresses")]))
    assert line(text, "law")[1] == "1 us x n^2.00 (residual 0 %); **worse than linear**"
    assert "Worse than linear: memory (vrrp-xdp)." in text
    text = report.report(record(grown=[series({n: [20 + n] for n in ROUTERS}, x="virtual addresses")]))
    assert "20 MiB + 1 MiB per virtual address" in text
    text = report.report(record(grown=[series({n: [94] for n in ROUTERS}, unit="ns")]))
    assert line(text, "law")[1] == "constant, 94 ns"


def test_a_rate_that_grows_is_not_worse_than_linear():
    text = report.report(record(grown=[series({n: [n * n] for n in ROUTERS}, better="more")]))
    assert "worse than linear" not in text.lower()
