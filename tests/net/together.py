# SPDX-License-Identifier: GPL-2.0-or-later
"""Scenarios that mostly wait for VRRPv2's whole seconds: those of a module are played at the same time, each in its own LAN."""

from concurrent.futures import ThreadPoolExecutor

import pytest


def played(play, parameter):
    """A fixture: a function that returns play(case), or raises what it raised, for one value of the test's parameter.

    It starts all cases that this run of pytest has selected when the first one is asked for.
    """
    @pytest.fixture(scope="module")
    def results(request):
        mine = [item for item in request.session.items if item.module is request.module and hasattr(item, "callspec")]
        cases = {item.callspec.params[parameter] for item in mine if parameter in item.callspec.params}
        with ThreadPoolExecutor(len(cases)) as pool:
            futures = {case: pool.submit(play, case) for case in cases}
            yield lambda case: futures[case].result()
    return results
