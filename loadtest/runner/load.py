# SPDX-License-Identifier: MIT
"""One load run: wrk against one server, measured over an interval in which every connection is
being served."""

import contextlib
import signal
import time
from dataclasses import dataclass

from runner import procfs, tcp_counters, wrk
from runner.children import Child, pinned
from runner.servers import LOAD_CPU, SERVER_CPU

SETTLED_SECONDS = 0.3


@dataclass(frozen=True)
class Snapshot:
    """Counters at one instant. The CPU clocks are read last and the walk over the connections takes
    equally long at both ends of an interval, so what it costs cancels out."""

    answered: float
    when: float
    cpu: float
    user_ticks: int
    system_ticks: int
    server_cpu_busy: float
    load_cpu_busy: float
    load_cpu: float


def snapshot(running, load):
    acknowledged = tcp_counters.acknowledged(running.port, running.answer.total_bytes)
    when = time.monotonic()
    user, system = procfs.user_and_system_ticks(running.pid)
    return Snapshot(acknowledged.total_bytes / running.answer.total_bytes, when,
                    procfs.cpu_seconds(running.pid), user, system,
                    procfs.busy_seconds(SERVER_CPU), procfs.busy_seconds(LOAD_CPU),
                    procfs.cpu_seconds(load.pid) + time.process_time())


def wait_until_all_served(running, load, scenario):
    """Connecting and the first answers are not part of what is measured."""
    deadline = time.monotonic() + scenario.settle_seconds
    while True:
        running.child.check_alive()
        load.check_alive()
        now = tcp_counters.acknowledged(running.port, running.answer.total_bytes)
        if now.served >= scenario.connections:
            time.sleep(SETTLED_SECONDS)
            return
        if time.monotonic() > deadline:
            raise running.child.failure(
                f"served {now.served} of {scenario.connections} connections after "
                f"{scenario.settle_seconds:.0f} s")
        time.sleep(0.05 + scenario.connections / 20000)  # looking costs time in proportion


@contextlib.contextmanager
def under_load(running, scenario, seconds):
    """wrk at work, with every connection served at least once. wrk prints its summary when it is
    interrupted."""
    seconds_max = int(scenario.settle_seconds + seconds + 10)
    command = pinned(wrk.command(scenario, running.url, seconds_max), LOAD_CPU)
    with Child(command, stop_signal=signal.SIGINT) as load:
        wait_until_all_served(running, load, scenario)
        yield load


def measure(running, scenario, seconds):
    """The figures of one run as a dictionary: what goes into the JSON file."""
    with under_load(running, scenario, seconds) as load:
        before = snapshot(running, load)
        time.sleep(seconds)
        after = snapshot(running, load)
        running.child.check_alive()
        load.check_alive()
        load.stop()
        summary = wrk.parse(load.text())
    return {**interval_figures(before, after), **wrk_figures(summary, scenario)}


def interval_figures(before, after):
    requests = after.answered - before.answered
    elapsed = after.when - before.when
    cpu = after.cpu - before.cpu
    user = after.user_ticks - before.user_ticks
    ticks = user + after.system_ticks - before.system_ticks
    if requests < 1 or elapsed <= 0:
        raise ValueError(f"{requests:.0f} requests in {elapsed:.3f} s cannot be measured")
    cpu_us = cpu / requests * 1e6
    user_us = cpu_us * user / ticks if ticks else None
    server_busy = after.server_cpu_busy - before.server_cpu_busy
    load_busy = after.load_cpu_busy - before.load_cpu_busy
    return {
        "requests": round(requests),
        "seconds": round(elapsed, 4),
        "requests_per_second": round(requests / elapsed, 1),
        "cpu_us": round(cpu_us, 4),
        "user_us": None if user_us is None else round(user_us, 4),
        "system_us": None if user_us is None else round(cpu_us - user_us, 4),
        "server_busy": round(cpu / elapsed, 4),
        "server_cpu_disturbed": round(max(0.0, server_busy - cpu) / elapsed, 4),
        "load_cpu_disturbed": round(
            max(0.0, load_busy - (after.load_cpu - before.load_cpu)) / elapsed, 4),
    }


def wrk_figures(summary, scenario):
    """wrk corrects its percentiles for the answers it expected, but times batches: with pipelining
    they mean nothing."""
    timed = scenario.depth == 1
    return {
        "p50_us": summary.p50_us if timed else None,
        "p99_us": summary.p99_us if timed else None,
        "socket_errors": summary.socket_errors,
        "bad_statuses": summary.bad_statuses,
        "wrk_requests": summary.requests,
        "wrk_seconds": summary.seconds,
        "wrk_requests_per_second": summary.requests_per_second,
    }
