# SPDX-License-Identifier: GPL-2.0-or-later
"""PREEMPT_RT: its verifier refuses bpf_timer_start(), which the data plane lives on."""

import pytest
from routers import attach, xdp

pytestmark = [pytest.mark.smoke, pytest.mark.lan(routers=1)]  # conftest.py leaves them out on other kernels


@pytest.mark.parametrize("mode", ["native", "skb", "auto"])
def test_the_reason_is_said_and_nothing_is_left_behind(lab, mode):
    r1 = attach(lab, "r1", mode=mode)
    r1.wait_log("kernels with PREEMPT_RT have no timers in BPF")
    assert r1.wait() != 0
    assert not xdp(lab, "r1")
