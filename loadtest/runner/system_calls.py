# SPDX-License-Identifier: MIT
"""System calls per request, in a run of its own because counting slows the server down.

`perf stat` on the tracepoint raw_syscalls:sys_enter counts inside the kernel and needs root or
CAP_PERFMON. `strace -c` stops the server at each call, which changes how many events one call
collects; it is used only where perf is not.
"""

import contextlib
import os
import re
import select
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

from runner import load, tcp_counters
from runner.children import Child, ChildFailed, pinned
from runner.servers import LOAD_CPU

TRACEPOINT = "raw_syscalls:sys_enter"


def works(command):
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0 and "<not" not in done.stderr


def available_counter():
    """(name, reason): the tool that works here and why not a better one; ("", reason) if none
    does."""
    if works(["perf", "stat", "-x,", "-e", TRACEPOINT, "true"]):
        return "perf", ""
    reason = "perf cannot count raw_syscalls:sys_enter (needs perf and root)"
    if shutil.which("strace") and works(["strace", "-c", "-f", "-o", os.devnull, "true"]):
        return "strace", reason
    return "", reason + "; strace does not work either"


def answered(running):
    now = tcp_counters.acknowledged(running.port, running.answer.total_bytes)
    return now.total_bytes / running.answer.total_bytes


def measure(running, scenario, seconds, counter):
    """System calls per request of one server under load."""
    count = {"perf": count_by_perf, "strace": count_by_strace}[counter]
    with load.under_load(running, scenario, seconds):
        calls, requests = count(running, seconds)
    if requests < 1:
        raise ChildFailed("no request was answered while system calls were counted")
    return calls / requests


class PerfControl:
    """perf's pair of named pipes: each command is acknowledged, so the interval's ends are
    exact."""

    def __init__(self, directory):
        self.paths = [str(Path(directory) / name) for name in ("control", "acknowledge")]
        for path in self.paths:
            os.mkfifo(path)
        self.control, self.acknowledge = (os.open(path, os.O_RDWR) for path in self.paths)

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        os.close(self.control)
        os.close(self.acknowledge)

    def order(self, word, child, seconds=10):
        os.write(self.control, word.encode() + b"\n")
        if not select.select([self.acknowledge], [], [], seconds)[0]:
            raise child.failure(f"did not acknowledge {word!r}")
        os.read(self.acknowledge, 64)


def count_by_perf(running, seconds):
    with tempfile.TemporaryDirectory() as directory, PerfControl(directory) as perf:
        command = ["perf", "stat", "-x,", "-e", TRACEPOINT, "-p", str(running.pid), "--delay", "-1",
                   "--control", "fifo:" + ",".join(perf.paths)]
        with Child(pinned(command, LOAD_CPU), stop_signal=signal.SIGINT) as child:
            perf.order("enable", child)
            before = answered(running)
            time.sleep(seconds)
            after = answered(running)
            perf.order("disable", child)
            child.stop()
            return parse_perf(child.text()), after - before


def parse_perf(text):
    found = re.search(rf"^(\d+),,{re.escape(TRACEPOINT)},", text, re.MULTILINE)
    if not found:
        raise ChildFailed("perf printed no count:\n" + text)
    return int(found.group(1))


def count_by_strace(running, seconds):
    with tempfile.NamedTemporaryFile() as table:
        command = ["strace", "-c", "-f", "-o", table.name, "-p", str(running.pid)]
        with Child(pinned(command, LOAD_CPU), stop_signal=signal.SIGINT) as child:
            wait_for_text(child, "attached")
            before = answered(running)
            time.sleep(seconds)
            after = answered(running)
            with contextlib.suppress(ProcessLookupError):
                child.stop()
        return parse_strace(Path(table.name).read_text()), after - before


def wait_for_text(child, word, seconds=10):
    deadline = time.monotonic() + seconds
    while word not in child.text():
        child.check_alive()
        if time.monotonic() > deadline:
            raise child.failure(f"did not print {word!r}")
        time.sleep(0.02)


def parse_strace(text):
    """Adds up the rows of the table: share, seconds, microseconds per call, calls, errors if any,
    name."""
    rows = [line.split() for line in text.splitlines() if re.match(r"\s*\d+\.\d+\s", line)]
    calls = [int(row[3]) for row in rows if row[-1] != "total"]
    if not calls:
        raise ChildFailed("strace printed no table:\n" + text)
    return sum(calls)
