#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs the checks of `make check`, shows what they print, and closes with one line: N passed, N failed, N skipped.

Each argument is "NAME: shell command". cmocka's and pytest's own counts are added up; a check that counts nothing (such as
check-format) is one test. A command that fails without a failed test of its own counts as one failed test. All
checks run, whatever fails before.
"""

import re
import subprocess
import sys
import time

CMOCKA = {"passed": r"^\[  PASSED  \] (\d+) test", "failed": r"^\[  FAILED  \] .*?(\d+) test\(s\), listed",
          "skipped": r"^\[  SKIPPED \] (\d+) test"}
PYTEST = {word: rf"^=*\s*(?:.*[ ,])?(\d+) {word}.* in [\d.]+s" for word in ("passed", "failed", "skipped")}
PYTEST["errors"] = r"^=*\s*(?:.*[ ,])?(\d+) errors?.* in [\d.]+s"


def count(output, kind):
    key = "failed" if kind == "errors" else kind
    found = [int(n) for table in (CMOCKA, PYTEST) for n in re.findall(table.get(key, "(?!)"), output, re.M)]
    if kind == "failed":
        found += [int(n) for n in re.findall(PYTEST["errors"], output, re.M)]
    return sum(found)


def run(name, command):
    """Streams the output and returns (passed, failed, skipped)."""
    print(f"== {name}", flush=True)
    start = time.monotonic()
    proc = subprocess.Popen(command, shell=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                            errors="replace")
    lines = []
    for line in proc.stdout:
        lines.append(line)
        if not re.match(r"^\[ (RUN     |      OK) \]", line):
            print(line, end="", flush=True)
    status = proc.wait()
    output = "".join(lines)
    passed, failed, skipped = (count(output, kind) for kind in ("passed", "failed", "skipped"))
    if status and not failed:
        failed = 1
    if not status and not passed + failed + skipped:
        passed = 1
    print(f"== {name}: {passed} passed, {failed} failed, {skipped} skipped in {time.monotonic() - start:.1f} s",
          flush=True)
    return passed, failed, skipped


def main():
    totals = [0, 0, 0]
    broken = []
    for arg in sys.argv[1:]:
        name, _, command = arg.partition(": ")
        result = run(name, command)
        totals = [a + b for a, b in zip(totals, result)]
        if result[1]:
            broken.append(name)
    if broken:
        print(f"failed: {', '.join(broken)}")
    print("{} passed, {} failed, {} skipped".format(*totals))
    return 1 if totals[1] else 0


if __name__ == "__main__":
    sys.exit(main())
