#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs the checks of `make check`, shows what they print, and closes with one line: N passed, N failed, N skipped.

    tests/run.py [--beside FILE] "NAME: shell command"... ["low NAME: shell command"...]

Those called "low" share a lane of their own beside the others, one after the other, on the CPU time that is left over; each
shows what it printed when it has ended and nothing else is just printing. While that lane runs, FILE is locked. cmocka's and
pytest's own counts are added up; a check that counts nothing (such as check-format) is one test. A command that fails without
a failed test of its own counts as one failed test. All checks run, whatever fails before. At the end stands once more what
tests/lanes.py has run again alone.
"""

import contextlib
import fcntl
import os
import queue
import re
import signal
import subprocess
import sys
import threading
import time

CMOCKA = {"passed": r"^\[  PASSED  \] (\d+) test", "failed": r"^\[  FAILED  \] .*?(\d+) test\(s\), listed",
          "skipped": r"^\[  SKIPPED \] (\d+) test"}
PYTEST = {word: rf"^=*\s*(?:.*[ ,])?(\d+) {word}.* in [\d.]+s" for word in ("passed", "failed", "skipped")}
PYTEST["errors"] = r"^=*\s*(?:.*[ ,])?(\d+) errors?.* in [\d.]+s"
LOW = ("chrt", "--idle", "0", "nice", "-n", "19")


def count(output, kind):
    key = "failed" if kind == "errors" else kind
    found = [int(n) for table in (CMOCKA, PYTEST) for n in re.findall(table.get(key, "(?!)"), output, re.M)]
    if kind == "failed":
        found += [int(n) for n in re.findall(PYTEST["errors"], output, re.M)]
    return sum(found)


def show(text):
    print(text, end="", flush=True)


class Check:
    """One command: run() runs it and hands each line it prints to `out`."""

    def __init__(self, arg):
        words, _, self.command = arg.partition(": ")
        self.name = words.removeprefix("low ")
        self.low = words != self.name
        self.result = (0, 1, 0)  # passed, failed, skipped; whoever never comes to an end has failed
        self.again = []  # what tests/lanes.py says of tests that it has run twice
        self.proc = None

    def run(self, out):
        try:
            self._run(out)
        except OSError as e:
            out(f"== {self.name}: {e}\n")

    def _run(self, out):
        out(f"== {self.name}\n")
        start = time.monotonic()
        argv = [*(LOW if self.low else ()), "sh", "-c", self.command]
        # A group of its own, so that all of it can be ended.
        self.proc = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                     text=True, errors="replace", start_new_session=self.low)
        lines = []
        for line in self.proc.stdout:
            lines.append(line)
            if not re.match(r"^\[ (RUN     |      OK) \]", line):
                out(line)
        self.again = [line for line in lines if line.startswith("again alone: ")]
        self.result = self._result(self.proc.wait(), "".join(lines))
        out("== {}: {} passed, {} failed, {} skipped in {:.1f} s{}\n".format(
            self.name, *self.result, time.monotonic() - start, ", beside the others" if self.low else ""))

    @staticmethod
    def _result(status, output):
        passed, failed, skipped = (count(output, kind) for kind in ("passed", "failed", "skipped"))
        if status and not failed:
            failed = 1
        if not status and not passed + failed + skipped:
            passed = 1
        return passed, failed, skipped

    def end(self):
        if self.proc and self.proc.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.proc.pid, signal.SIGTERM)


class LowLane(threading.Thread):
    """The checks of low priority, one after the other."""

    def __init__(self, checks, lock):
        super().__init__(daemon=True)
        self._checks = checks
        self._lock = lock
        self._printed = queue.SimpleQueue()

    def run(self):
        try:
            for check in self._checks:
                lines = []
                try:
                    check.run(lines.append)
                finally:
                    self._printed.put("".join(lines))
        finally:
            if self._lock:
                self._lock.close()

    def show(self):
        """What the checks printed that have ended since."""
        with contextlib.suppress(queue.Empty):
            while True:
                show(self._printed.get_nowait())

    def end(self):
        for check in self._checks:
            check.end()


def locked(path):
    """An open file that is locked until it is closed, or this process ends."""
    file = open(path, "w", encoding="ascii")
    fcntl.flock(file, fcntl.LOCK_EX)
    return file


def run_all(checks, lock):
    low = LowLane([check for check in checks if check.low], lock)
    low.start()
    try:
        for check in checks:
            if not check.low:
                check.run(show)
                low.show()
        low.join()
        low.show()
    finally:
        low.end()


def main():
    args = sys.argv[1:]
    lock = None
    if args[:1] == ["--beside"]:
        lock = locked(args[1])
        args = args[2:]
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))
    checks = [Check(arg) for arg in args]
    run_all(checks, lock)
    broken = [check.name for check in checks if check.result[1]]
    print(*(line for check in checks for line in check.again), sep="", end="")
    if broken:
        print(f"failed: {', '.join(broken)}")
    print("{} passed, {} failed, {} skipped".format(*(sum(column) for column in zip(*(check.result for check in checks)))))
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
