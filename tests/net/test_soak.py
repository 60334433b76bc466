# SPDX-License-Identifier: GPL-2.0-or-later
"""A short run of what `make soak` does for an hour."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "soak"))
import soak  # noqa: E402; pylint: disable=wrong-import-position


def test_a_hundred_failovers_take_nothing_that_they_do_not_give_back():
    assert soak.failovers(100, print) == ""


def test_random_faults_take_nothing_that_they_do_not_give_back():
    assert soak.faults(5, 1, print) == ""
