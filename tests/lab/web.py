# SPDX-License-Identifier: GPL-2.0-or-later
"""A real nginx on each router behind virtual addresses of both families, and a client of each that fetches all the time."""

import itertools
import shutil
import signal
import tempfile
import time
from pathlib import Path

from proc import LabError, Probe

FETCH = Path(__file__).resolve().parent / "fetch.py"
PORT = 80
TIMEOUT_MS = 1000
NGINX = """\
daemon off;
user root;
worker_processes 1;
pid {home}/pid;
error_log stderr notice;
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_body_temp_path {home}/1;
    proxy_temp_path {home}/2;
    fastcgi_temp_path {home}/3;
    uwsgi_temp_path {home}/4;
    scgi_temp_path {home}/5;
    server {{
        listen {port};
        listen [::]:{port} ipv6only=on;
        default_type text/plain;
        location / {{ return 200 "{router}\\n"; }}
    }}
}}
"""


def start_nginx(lab, router):
    """It answers every request with the router's name, at whatever address."""
    if not shutil.which("nginx"):
        raise LabError("nginx is missing: scripts/install-deps.sh test")
    home = Path(tempfile.mkdtemp(prefix=f"{router}-nginx-", dir=lab.tmp))
    (home / "nginx.conf").write_text(NGINX.format(home=home, port=PORT, router=router), encoding="utf-8")
    proc = lab.popen(router, ["nginx", "-p", home, "-e", "stderr", "-c", home / "nginx.conf"])
    proc.wait_log("start worker process ")
    return proc


class Fetcher(Probe):
    """fetch.py, which says "ready" like a probe: its requests as dicts."""

    def requests(self, since=0):
        return [e for e in self.events(since) if e["kind"] == "request"]

    def wait_served(self, router, since, count=3, timeout=20):
        """Waits for that many requests in a row, begun since then, that this router answers; returns when the first began."""
        row = []

        def look(event):
            if event.get("t", 0) < since:
                return False
            row[:] = [*row, event["t"]] if event.get("who") == router else []
            return len(row) == count
        self.wait_event(look, timeout)
        return row[0]


def start_fetcher(lab, addr, every_ms=5):
    return lab.popen("client", [FETCH, "-e", every_ms, "-t", TIMEOUT_MS, addr, PORT], Fetcher)


class Failovers:
    """r1, whose priority is higher, fails and comes back, each time in another way; what the clients saw of it.

    `start` starts the VRRP daemon of a router and returns its Proc.
    """

    def __init__(self, lab, start, addrs):
        self.lab, self.start = lab, start
        for router in ("r1", "r2"):
            start_nginx(lab, router)
        self.daemon = {"r1": start("r1")}
        for addr in addrs:
            lab.wait_addr("r1", addr)
        self.daemon["r2"] = start("r2")
        self.fetchers = [start_fetcher(lab, addr) for addr in addrs]
        self.windows = [self._until("r1", time.time_ns())]  # (cause, everybody served again) in ns

    def _until(self, router, since):
        return since, max(f.wait_served(router, since) for f in self.fetchers)

    def _stop(self):
        self.daemon["r1"].signal(signal.SIGTERM)
        return self.daemon["r1"].wait

    def _kill(self):
        self.daemon["r1"].kill()
        return lambda: None

    def _start(self):
        self.daemon["r1"] = self.start("r1")

    def _freeze(self):
        self.daemon["r1"].freeze()
        return lambda: None

    def _cut(self):
        self.lab.cut_cable("r1")
        return lambda: self.lab.wait_link("r1", up=False)

    def run(self, ways):
        """Two failovers for each way: "stop", "cut", "kill", "freeze"."""
        fail = {"stop": self._stop, "cut": self._cut, "kill": self._kill, "freeze": self._freeze}
        mend = {"stop": self._start, "cut": lambda: self.lab.plug("r1"), "kill": self._start,
                "freeze": lambda: self.daemon["r1"].thaw()}
        for way in ways:
            since = time.time_ns()
            settle = fail[way]()
            self.windows.append(self._until("r2", since))
            settle()
            since = time.time_ns()
            mend[way]()
            self.windows.append(self._until("r1", since))
        for fetcher in self.fetchers:
            fetcher.stop()

    def requests(self):
        """All of them, of every client, by their beginning."""
        return sorted(itertools.chain(*(f.requests() for f in self.fetchers)), key=lambda e: e["t"])

    def failed(self):
        return [e for e in self.requests() if "error" in e]

    def outside(self):
        """Requests that failed though nothing had happened."""
        return [e for e in self.failed() if not any(e["t"] <= end and since <= e["end"] for since, end in self.windows)]
