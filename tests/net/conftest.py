# SPDX-License-Identifier: GPL-2.0-or-later
"""Every test gets its own LAN and leaves nothing behind. Run as root: pytest tests/net"""

import os
import sys
from pathlib import Path

import pytest

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / "lab"), str(Path(__file__).resolve().parent)]
from lab import BINARY, PASS_OBJECT, PROBE, Lab  # noqa: E402; pylint: disable=wrong-import-position


def pytest_configure(config):
    config.addinivalue_line("markers", "lan(routers=2, clients=1): how many hosts the fixture `lab` has")
    missing = [path for path in (BINARY, PASS_OBJECT, PROBE) if not path.exists()]
    if os.geteuid():
        raise pytest.UsageError("tests/net builds network namespaces: run it as root")
    if missing:
        raise pytest.UsageError(f"{missing[0]} is missing: build it with make")


def leftovers(lab):
    """What is still there of a closed lab: namespaces, files, processes."""
    found = [str(path) for path in Path("/run/netns").glob(f"{lab.prefix}-*")]
    found += [str(lab.tmp)] if lab.tmp.exists() else []
    return found + [proc.name for proc in lab._procs if proc.alive()]  # pylint: disable=protected-access


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config, items):
    """Tests that share what a fixture of their module made stay in one lane of tests/lanes.py. They begin first: what takes
    longest must not be what is left over at the end."""
    def group(item):
        fixtures = (defs[-1] for defs in item._fixtureinfo.name2fixturedefs.values())  # pylint: disable=protected-access
        return item.module.__name__ if any(made.scope in ("module", "class") for made in fixtures) else None

    items.sort(key=lambda item: group(item) is None)
    if config.pluginmanager.hasplugin("xdist"):
        for item in items:
            if name := group(item):
                item.add_marker(pytest.mark.xdist_group(name))


@pytest.fixture
def lab(request):
    marker = request.node.get_closest_marker("lan")
    with Lab(**(marker.kwargs if marker else {})) as made:
        yield made
    assert not leftovers(made)
