# SPDX-License-Identifier: GPL-2.0-or-later
"""Tests that need a kernel of their own: tests/vm/vm.py runs them in a guest. `smoke` marks those that make check runs."""

import os
import sys
from pathlib import Path

import pytest

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / folder) for folder in ("lab", "net", "vm")]
from lab import BINARY, PASS_OBJECT, PROBE, Lab  # noqa: E402; pylint: disable=wrong-import-position


def pytest_configure(config):
    config.addinivalue_line("markers", "smoke: fast and telling enough for make check")
    config.addinivalue_line("markers", "lan(routers=2, clients=1): how many hosts the fixture `lab` has")
    if "VRRP_XDP_GUEST" not in os.environ:
        raise pytest.UsageError("tests/vm are run in a guest: make check-vm")
    missing = [path for path in (BINARY, PASS_OBJECT, PROBE) if not path.exists()]
    if missing:
        raise pytest.UsageError(f"{missing[0]} is missing: build it with make")


def pytest_collection_modifyitems(items):
    """A kernel with PREEMPT_RT takes no program with a timer: all there is to test is that it is said."""
    if "PREEMPT_RT" not in os.uname().version:
        items[:] = [item for item in items if item.path.name != "test_rt.py"]
        return
    for item in items:
        if item.path.name != "test_rt.py":
            item.add_marker(pytest.mark.skip(reason="no timers in BPF with PREEMPT_RT"))


@pytest.fixture
def lab(request):
    marker = request.node.get_closest_marker("lan")
    with Lab(**(marker.kwargs if marker else {})) as made:
        yield made


@pytest.fixture(scope="module")
def module_lab():
    """For tests that leave everything as they found it: a LAN costs seconds in a guest."""
    with Lab() as made:
        yield made
