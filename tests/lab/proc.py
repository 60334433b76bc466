# SPDX-License-Identifier: GPL-2.0-or-later
"""A child process of the lab: its output as lines one can wait for, and its whole family as one thing to stop."""

import codecs
import contextlib
import ctypes
import json
import os
import re
import select
import signal
import subprocess
import threading
import time
from collections import Counter, namedtuple


class LabError(Exception):
    """Something in the lab did not do what was asked in time; the text says what, and quotes the last output."""


SLOW = float(os.environ.get("VRRP_XDP_SLOW", "1"))  # how much longer than elsewhere events are waited for on this machine
TRACE_ALL = 0x40000000  # __WALL
PTRACE_SEIZE, PTRACE_INTERRUPT, PTRACE_DETACH = 0x4206, 0x4207, 17
Gap = namedtuple("Gap", "ns start end")


def family(pid):
    """`pid` and its descendants, oldest first: daemons fork, and freezing only the parent freezes nothing."""
    children = {}
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{entry}/stat", encoding="utf-8", errors="replace") as f:
                ppid = int(f.read().rpartition(")")[2].split()[1])
        except (OSError, IndexError):
            continue
        children.setdefault(ppid, []).append(int(entry))
    pids = [pid]
    for p in pids:
        pids += sorted(children.get(p, []))
    return pids


def signal_all(pids, sig):
    """A process that has gone meanwhile is no error."""
    for pid in pids:
        try:
            os.kill(pid, sig)
        except ProcessLookupError:
            pass


@contextlib.contextmanager
def hung(pid):
    """As if the process waited for something that does not come: a tracer holds it, and its parent is told nothing of that."""
    libc = ctypes.CDLL(None, use_errno=True)

    def ptrace(request):
        if libc.ptrace(request, pid, None, None):
            raise OSError(ctypes.get_errno(), f"ptrace request {request:#x}")

    ptrace(PTRACE_SEIZE)
    ptrace(PTRACE_INTERRUPT)
    os.waitpid(pid, TRACE_ALL)
    try:
        yield
    finally:
        ptrace(PTRACE_DETACH)


class Proc:
    """A running program. stdout and stderr come together, line by line; `log` is all of it so far."""

    def __init__(self, name, argv):
        self.name = name
        self._lines = []
        self._news = threading.Condition()
        self._eof = False
        # stdin is a pipe that ends with this process, however it ends: what watches it goes away too.
        self.popen = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                      start_new_session=True)
        self.pidfd = os.pidfd_open(self.popen.pid)  # readable once it has ended: for select()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        """Whole chunks, so that a chatty program wakes this thread once per write and not once per line."""
        decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        rest = ""
        while chunk := os.read(self.popen.stdout.fileno(), 1 << 16):
            *lines, rest = (rest + decode(chunk)).split("\n")
            self._add(lines)
        self._add([rest] if rest else [])
        self.popen.stdout.close()
        with self._news:
            self._eof = True
            self._news.notify_all()

    def _add(self, lines):
        with self._news:
            self._lines += map(self._convert, lines)
            self._news.notify_all()

    @staticmethod
    def _convert(line):
        """What is kept of a line: a subclass may parse it, while it comes in and not all at once later."""
        return line

    @property
    def pid(self):
        return self.popen.pid

    @property
    def worker(self):
        """The process that does VRRP, a child of the one that was started: vrrp-xdp's controller, keepalived's VRRP process."""
        return family(self.pid)[1]

    @property
    def log(self):
        with self._news:
            return list(self._lines)

    def mark(self):
        """The number of lines so far: pass it as `since` to look only at what comes later."""
        return len(self._lines)

    def alive(self):
        return self.popen.poll() is None

    def error(self, what):
        """A LabError that quotes the end of the log: without it a failure in a namespace cannot be understood."""
        tail = "\n  ".join(map(str, self.log[-15:])) or "(no output)"
        return LabError(f"{self.name}: {what}; its last output:\n  {tail}")

    def _wait_line(self, look, timeout, since, what):
        """Calls look() on every line from number `since` on until it returns something; None: not this one."""
        timeout *= SLOW
        deadline = time.monotonic() + timeout
        with self._news:
            while True:
                while since < len(self._lines):
                    found = look(self._lines[since])
                    since += 1
                    if found is not None:
                        return found
                left = deadline - time.monotonic()
                if self._eof or left <= 0:
                    break
                self._news.wait(left)
        raise self.error(f"ended without {what}" if self._eof else f"no {what} within {timeout} s")

    def wait_log(self, regex, timeout=10, since=0):
        """Waits for a line matching `regex` and returns the match; the match's `.string` is the line."""
        return self._wait_line(re.compile(regex).search, timeout, since, f"line matching {regex!r}")

    def freeze(self):
        """As if its CPUs stood still: no process of its family runs on."""
        signal_all(family(self.pid), signal.SIGSTOP)

    def thaw(self):
        signal_all(reversed(family(self.pid)), signal.SIGCONT)

    def signal(self, sig):
        """To the process that was started, as a user or systemd would."""
        self.popen.send_signal(sig)

    def wait(self, timeout=10):
        """Waits for the end and returns the exit status (negative: the signal)."""
        timeout *= SLOW
        try:
            status = self.popen.wait(timeout)
        except subprocess.TimeoutExpired:
            raise self.error(f"still runs after {timeout} s") from None
        self._reader.join(timeout)
        return status

    def stop(self, timeout=10):
        """Clean stop; returns the exit status."""
        if self.alive():
            self.signal(signal.SIGTERM)
        return self.wait(timeout)

    def kill(self):
        """SIGKILL to the whole family; for crashes, and for what does not stop. Waits for the end of each: they are not all our children."""
        pids = family(self.pid)
        with contextlib.ExitStack() as stack:
            ends = []
            for pid in pids:
                with contextlib.suppress(OSError):
                    ends.append(os.pidfd_open(pid))
                    stack.callback(os.close, ends[-1])
            signal_all(pids, signal.SIGKILL)
            for end in ends:
                select.select([end], [], [], 10)
        self.popen.wait()

    def end(self):
        """Asks it to end, politely; close() sees to it that it does."""
        if self.alive():
            self.thaw()
            self.signal(signal.SIGTERM)
            self.popen.stdin.close()

    def close(self):
        """Ends it in any case, and soon."""
        self.end()
        try:
            self.popen.wait(3)
        except subprocess.TimeoutExpired:
            self.kill()
        self._reader.join(1)
        with contextlib.suppress(OSError):
            os.close(self.pidfd)
            self.popen.stdin.close()


class Probe(Proc):
    """build/lab/probe: its events as dicts, `t` in CLOCK_REALTIME nanoseconds as time.time_ns() gives them."""

    ANSWERS = ("echo", "arp", "na")

    def __init__(self, name, argv):
        super().__init__(name, argv)
        self.wait_event(lambda e: e["kind"] == "ready", 10)

    @staticmethod
    def _convert(line):
        try:
            return json.loads(line)
        except ValueError:
            return {"kind": "error", "text": line}

    def events(self, since=0, until=None, kinds=None):
        """Events with since <= t <= until (times in ns), optionally of some kinds only."""
        found = []
        for event in self.log:
            t = event.get("t", 0)
            if since <= t and (until is None or t <= until) and (kinds is None or event["kind"] in kinds):
                found.append(event)
        return found

    def wait_event(self, pred, timeout=10, since=0, count=1):
        """Waits until `pred` held for `count` events from time `since` on; returns the last of them."""
        seen = 0

        def look(event):
            nonlocal seen
            if event.get("t", since) < since or not pred(event):
                return None
            seen += 1
            return event if seen >= count else None

        return self._wait_line(look, timeout, 0, "such event")

    def wait_answer(self, mac, timeout=10, since=0, count=1, kinds=("echo",)):
        """Waits for `count` answers from the router with this MAC."""
        return self.wait_event(lambda e: e["kind"] in kinds and e["src"] == mac, timeout, since, count)

    def outage(self, since, until=None, mac=None):
        """The longest time without an echo answer (from `mac`, or from anyone) that ends after `since`, as a Gap.

        The last answer before `since` opens it: that is when the client last had the address. Without any answer
        after `since` it lasts until `until`, or until now.
        """
        until = until or time.time_ns()
        times = [e["t"] for e in self.events(0, until, ("echo",)) if mac is None or e["src"] == mac]
        before = [t for t in times if t < since][-1:] or [since]
        edges = before + [t for t in times if t >= since] + [until]
        return max(Gap(b - a, a, b) for a, b in zip(edges, edges[1:]))

    def answers_by_mac(self, since=0, until=None, kinds=ANSWERS):
        """How many answers each source MAC gave in that time."""
        return Counter(e["src"] for e in self.events(since, until, kinds))

    def summary(self):
        """Stops the probe and returns its totals."""
        self.stop()
        return self.events(kinds=("summary",))[0]
