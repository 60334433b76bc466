# SPDX-License-Identifier: GPL-2.0-or-later
"""What processes use: CPU to the nanosecond, memory without counting a shared page twice, how often they went to sleep."""

import os
import re
from pathlib import Path


def cpu_ns(pids):
    """CPU time of processes so far, all their threads; the kernel counts it by the scheduler's clock, not by ticks."""
    return sum(int(task.read_text(encoding="ascii").split()[0]) for pid in pids for task in Path(f"/proc/{pid}/task").glob("*/schedstat"))


def softirq_s():
    """Of the whole machine, in seconds, by ticks: enough for a span of seconds."""
    with open("/proc/stat", encoding="ascii") as stat:
        return int(stat.readline().split()[7]) / os.sysconf("SC_CLK_TCK")


def memory_mib(pid, what):
    """"Pss": a page that others have as well counts for their share only; "Rss": all that is resident."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
    return int(re.search(rf"^{what}:\s*(\d+) kB", text, re.M).group(1)) / 1024


def voluntary_switches(pid):
    """How often its threads went to sleep, so were woken up."""
    return sum(int(re.search(r"^voluntary_ctxt_switches:\s*(\d+)", status.read_text(encoding="ascii"), re.M).group(1))
               for status in Path(f"/proc/{pid}/task").glob("*/status"))
