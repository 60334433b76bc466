# SPDX-License-Identifier: GPL-2.0-or-later
"""bench.py: what becomes of a run in which figures fail, or that is interrupted. Measures nothing itself."""

import json
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))
import bench  # noqa: E402; pylint: disable=wrong-import-position
import report  # noqa: E402; pylint: disable=wrong-import-position
from proc import LabError  # noqa: E402; pylint: disable=wrong-import-position
from rows import NotMeasured, Row, Series, Times  # noqa: E402; pylint: disable=wrong-import-position


def row(name, measure, **kwargs):
    return Row(name, "Takeover", f"figure {name}", "ms", "less", kwargs.pop("target", 5), measure, **kwargs)


def series(points, xs=(1, 10)):
    return Series("grows", "Growth", "memory", "MiB", "virtual routers", points, xs=xs)


def raising(error):
    def measure(*_):
        raise error
    return measure


@pytest.fixture(name="run")
def run_of(tmp_path):
    """A Run of rows, or of series: (Run, whether nothing failed)."""
    def made(*items):
        rows = [(item, 3) for item in items if isinstance(item, Row)]
        grown = [(item, item.xs) for item in items if isinstance(item, Series)]
        head = {"kind": "full", "command": "make bench", "load": "0.0", "started": "now"}
        run = bench.Run(tmp_path / "bench.json", head, rows, grown)
        return run, run.measure()
    return made


def kept(run):
    """What is in the file."""
    return json.loads(run.path.read_text(encoding="utf-8"))


def test_each_figure_is_taken_from_both_programs_before_the_next(run):
    asked = []

    def measure(name):
        return lambda program, runs: asked.append((name, program, runs)) or [1] * runs
    done, good = run(row("a", measure("a")), row("b", measure("b")))
    assert good
    assert asked == [("a", "vrrp-xdp", 3), ("a", "keepalived", 3), ("b", "vrrp-xdp", 3), ("b", "keepalived", 3)]
    assert kept(done) == done.record
    assert report.whole(kept(done))


def test_a_failure_is_of_its_row_and_program_alone(run):
    def half(program, runs):
        if program == "keepalived":
            raise LabError("r1: no such event within 20 s; its last output:\n  a line")
        return [2] * runs
    done, good = run(row("a", half), row("b", lambda program, runs: [4]))
    assert not good
    assert report.whole(kept(done))
    text = report.report(kept(done))
    assert "| figure a | 2 (2 to 2) ms | not measured: r1: no such event within 20 s | - | ≤ 5 ms | yes | 3/0 |" in text
    assert "| figure b | 4 ms | 4 ms | 1.0x |" in text


@pytest.mark.parametrize("samples", [None, [], [None], ["1"], [float("nan")], [float("inf")]])
def test_what_is_no_sample_is_a_failure_and_no_figure(run, samples):
    done, good = run(row("a", lambda program, runs: samples))
    assert not good
    assert "| figure a | not measured: " in report.report(kept(done))


def test_a_reason_is_no_failure(run):
    done, good = run(row("a", raising(NotMeasured("needs a hundred CPUs"))))
    assert good
    assert "| figure a | not measured: needs a hundred CPUs | not measured: needs a hundred CPUs |" in report.report(kept(done))


def test_an_interrupted_run_keeps_what_it_has_and_is_not_whole(run):
    done, good = run(row("a", lambda program, runs: [1]), row("b", raising(KeyboardInterrupt())), row("c", lambda program, runs: [1]))
    assert not good
    found = kept(done)
    assert found["run"]["interrupted"] and not report.whole(found)
    assert [samples.get("samples") for r in found["rows"] for samples in r["values"].values()] == [[1], [1], None, None, None, None]
    assert "| figure c | not measured: the run did not get so far |" in report.report(found)


def test_the_file_is_of_this_run_from_its_start_on(tmp_path):
    path = tmp_path / "bench.json"
    path.write_text("of another run", encoding="utf-8")
    run = bench.Run(path, {"kind": "full"}, [(row("a", lambda *_: [1]), 1)], [])
    assert not report.whole(kept(run))
    assert kept(run)["rows"][0]["values"]["vrrp-xdp"] == bench.NOT_YET


def test_a_size_that_fails_loses_no_other(run):
    def points(program, xs):
        if xs == (10,) and program == "keepalived":
            raise LabError("it ended")
        return {x: [x / 2, x] for x in xs}
    done, good = run(series(points))
    assert not good
    values = kept(done)["series"][0]["values"]
    assert values["vrrp-xdp"] == [{"x": 1, "samples": [0.5, 1]}, {"x": 10, "samples": [5, 10]}]
    assert values["keepalived"] == [{"x": 1, "samples": [0.5, 1]}, {"x": 10, "reason": "it ended", "failed": True}]


def test_a_size_without_samples_is_a_failure(run):
    done, good = run(series(lambda program, xs: {}))
    assert not good
    assert kept(done)["series"][0]["values"]["vrrp-xdp"][0]["failed"]


def test_a_target_in_times_comes_through_the_file(run):
    done, _ = run(row("a", lambda program, runs: [1 if program == "vrrp-xdp" else 3], target=Times(4)))
    assert "| 3.0x | 4x | **no** |" in report.report(kept(done))


def test_every_figure_has_a_name_of_its_own_and_some_are_of_a_quick_run():
    args = bench.arguments([])
    rows, _ = bench.plan(args)
    assert {runs for _, runs in rows} == {bench.RUNS}
    quick, _ = bench.plan(bench.arguments(["--quick"]))
    assert 0 < len(quick) < len(rows)
    assert all(runs == r.quick for r, runs in quick)
    assert [r.name for r, _ in bench.plan(bench.arguments(["--only", "^goodbye$", "--runs", "2"]))[0]] == ["goodbye"]
    with pytest.raises(SystemExit, match="no figure is called so"):
        bench.plan(bench.arguments(["--only", "nothing of the kind"]))


def test_a_slip_in_a_definition_is_found_at_once():
    with pytest.raises(ValueError):
        Row("a", "No such group", "figure", "ms", "less", None, lambda *_: [1])
    with pytest.raises(ValueError):
        Row("a", "Scale", "figure", "ms", "fewer", None, lambda *_: [1])
