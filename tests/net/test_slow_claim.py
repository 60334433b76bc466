# SPDX-License-Identifier: GPL-2.0-or-later
"""The kernel's lock on network settings is busy just when a router becomes Active: it is late, and is not taken back."""

import ctypes
import os
import platform
import time

from routers import attach, transitions

SEIZE, SYSCALL, INTERRUPT, DETACH, SYSCALL_INFO = 0x4206, 24, 0x4207, 17, 0x420E
TRACE_ALL = 0x40000000  # __WALL
TRACESYSGOOD, ENTRY = 1, 1
SENDTO = {"x86_64": 44, "aarch64": 206}[platform.machine()]


class Tracer:
    """Stops a process when it is about to make a system call."""

    def __init__(self, pid):
        self._pid, self._libc = pid, ctypes.CDLL(None, use_errno=True)
        self._do(SEIZE, 0, ctypes.c_void_p(TRACESYSGOOD))
        self._do(INTERRUPT)
        os.waitpid(pid, TRACE_ALL)

    def _do(self, request, size=0, data=None):
        if self._libc.ptrace(request, self._pid, ctypes.c_void_p(size), data) < 0:
            raise OSError(ctypes.get_errno(), f"ptrace request {request:#x}")

    def wait_entry(self, number):
        info = ctypes.create_string_buffer(88)
        while True:
            self._do(SYSCALL)
            os.waitpid(self._pid, TRACE_ALL)
            self._do(SYSCALL_INFO, len(info), info)
            if info.raw[0] == ENTRY and int.from_bytes(info.raw[24:32], "little") == number:
                return

    def let_go(self):
        self._do(DETACH)


def test_a_claim_that_waits_for_the_kernel_longer_than_the_guardian_does_is_carried_out(lab):
    """Its advert has left, nobody answers yet, and there was nothing to fence: to give up now would cost three intervals more."""
    r1 = attach(lab, "r1", 200, advert_ms=500)
    r1.wait_log("Initialize -> Backup")
    tracer = Tracer(r1.worker)
    tracer.wait_entry(SENDTO)
    time.sleep(0.2)  # as the lock would
    tracer.let_go()
    r1.wait_log("Backup -> Active")
    lab.wait_state("r1", "Active")
    assert transitions(r1) == ["Initialize -> Backup", "Backup -> Active"]
    assert lab.VIP in lab.addrs("r1")
