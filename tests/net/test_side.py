# SPDX-License-Identifier: GPL-2.0-or-later
"""keepalived and vrrp-xdp side by side, see tests/side: what differs must be a row of docs/differences.md."""

import sys
from collections import Counter
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

sys.path.insert(1, str(Path(__file__).resolve().parents[1] / "side"))
from scenario import scenarios  # noqa: E402; pylint: disable=wrong-import-position
from side import Side, report, rows  # noqa: E402; pylint: disable=wrong-import-position

ALL = scenarios()


@pytest.fixture(scope="module")
def side(request):
    """Plays what this run of pytest has selected, as many at a time as the machine can bear."""
    wanted = {item.callspec.params["name"] for item in request.session.items
              if item.module is request.module and hasattr(item, "callspec")}
    with Side([scenario for scenario in ALL if scenario.name in wanted]) as running:
        yield running


@pytest.mark.parametrize("name", [scenario.name for scenario in ALL])
def test_both_do_the_same(side, name):
    """Who is Active, addresses, routes, rules, adverts, announcements, scripts, FIFOs, and whether the file is fit to run."""
    unexplained = [report(diff) for diff in side.differences(name) if not diff.row]
    assert not unexplained, "\n" + "\n".join(unexplained)


def test_the_table_of_differences_speaks_of_files_that_exist():
    table = rows()
    assert [row for row, count in Counter(row for row, _ in table).items() if count > 1] == []
    for row, patterns in table:
        for pattern in patterns:
            assert any(fnmatchcase(s.name, pattern.split(":")[0]) for s in ALL), f"{row}: {pattern}"
