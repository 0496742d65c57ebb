#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A server with thousands of connections, of which at each turn some are reset: what it has of
memory and descriptors stays flat, every request is answered, and when all clients have gone it has
the sockets that it began with.

Usage: reset_soak.py PROGRAM [--reactor NAME] [--connections N] [--seconds S] [...]

The clients are processes of 5,000 connections, each from an address of its own. Ends with status 1
if anything grew or went wrong; flatness.py has the rule.
"""

import argparse
import multiprocessing
import os
import select
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "end_to_end"))

from flatness import PARTS, Sample, findings  # noqa: E402
from httpd_under_test import Httpd, raise_descriptor_limit, read_response, request  # noqa: E402
from resetting_clients import ResettingClients  # noqa: E402

# With these a server that is late with closing what was reset does not run out of descriptors.
OTHER_DESCRIPTORS = 1_000
CLIENT_CONNECTIONS_MAX = 5_000
SECONDS_TO_WARM_UP = 120
SECONDS_TO_LEAVE = 30
SAMPLES_PER_PART_LEAST = 5
SKIPPED = 77
UNWATCHED = 'quantum = "0ms"\n[hand_off]\nwatch = "off"\n'


def options():
    parser = argparse.ArgumentParser(description="See the head of the file.")
    parser.add_argument("program", help="umcg-httpd")
    parser.add_argument("--reactor", default="auto", help="io_uring or epoll (auto)")
    parser.add_argument("--servers", type=int, default=2, help="(2)")
    parser.add_argument("--connections", type=int, default=20_000, help="(20000)")
    parser.add_argument("--seconds", type=int, default=600, help="(600)")
    parser.add_argument("--turns", type=int, default=2_000, help="in a second, of all (2000)")
    parser.add_argument("--resets", type=int, default=10, help="in a hundred turns (10)")
    parser.add_argument("--unwatched", action="store_true",
                        help="no worker is preempted or loses its server: what a signal handler "
                        "leaves on stacks is not in it")
    parser.add_argument("--seed", type=int, default=1, help="of what the clients do (1)")
    return parser.parse_args()


def allowed(wanted):
    """How many connections one process may have here."""
    most = raise_descriptor_limit() - OTHER_DESCRIPTORS
    if most < wanted:
        print(f"{most} connections instead of {wanted}: the limit on open files")
    return min(most, wanted)


def shares(total):
    """For each process of clients its number of connections."""
    count = -(-total // CLIENT_CONNECTIONS_MAX)
    return [total // count + (number < total % count) for number in range(count)]


class Crowd:
    """The processes of clients."""

    def __init__(self, port, connections, given):
        self.given = given
        self.gate = multiprocessing.Barrier(len(shares(connections)) + 1)
        self.reports = []
        self.processes = []
        for number, count in enumerate(shares(connections)):
            here, there = multiprocessing.Pipe(duplex=False)
            turns = given.turns * count / connections
            child = multiprocessing.Process(target=self.live, args=(there, number, port, count,
                                                                    turns), daemon=True)
            child.start()
            there.close()
            self.reports.append(here)
            self.processes.append(child)

    def live(self, report, number, port, count, turns):
        """Of one process. Reports what it counted, or what went wrong."""
        try:
            clients = ResettingClients(f"127.0.0.{2 + number}", port, count,
                                       self.given.seed * 1000 + number)
            clients.warm_up()
            self.gate.wait(SECONDS_TO_WARM_UP)
            clients.live(time.monotonic() + self.given.seconds, turns, self.given.resets)
            clients.close()
            report.send((clients.answers, clients.resets, ""))
        except Exception as problem:  # whatever it is, it is the result
            self.gate.abort()
            report.send((0, 0, f"clients {number}: {problem!r}"))

    def wait_until_warm(self):
        try:
            self.gate.wait(SECONDS_TO_WARM_UP)
        except threading.BrokenBarrierError:
            pass  # outcome() says why

    def outcome(self):
        """Waits for all. What they counted together, and what went wrong."""
        counted = [report.recv() for report in self.reports]
        for child in self.processes:
            child.join()
        answers, resets, problems = zip(*counted)
        return sum(answers), sum(resets), [problem for problem in problems if problem]


def sample(server):
    pages = int(Path(f"/proc/{server.child.pid}/statm").read_text().split()[1])
    return Sample(server.descriptors(), pages * os.sysconf("SC_PAGE_SIZE"))


def watch(server, crowd, seconds):
    """Samples of the server until the clients have gone; each tenth of the time prints one."""
    pause = min(1, seconds / PARTS / SAMPLES_PER_PART_LEAST)
    start = time.monotonic()
    samples = []
    print(f"{'s':>6} {'descriptors':>12} {'KiB':>9} {'CPU s':>7}", flush=True)
    printed = 0
    while (passed := time.monotonic() - start) < seconds - pause:
        samples.append(sample(server))
        if passed >= printed * seconds / PARTS:
            printed += 1
            print(f"{passed:6.1f} {samples[-1].descriptors:12} "
                  f"{samples[-1].memory_bytes // 1024:9} {server.cpu_seconds():7.2f}", flush=True)
        # A process that has ended, or failed, has something to say.
        if select.select(crowd.reports, [], [], pause)[0]:
            break
    return samples


def sockets(server):
    """Other descriptors come and go: each kernel thread for workers that block has one."""
    count = 0
    folder = Path(f"/proc/{server.child.pid}/fd")
    for name in os.listdir(folder):
        try:
            count += os.readlink(folder / name).startswith("socket:")
        except FileNotFoundError:
            pass  # closed meanwhile
    return count


def sockets_left(server, before):
    """Waits until the server has no more than before, for some time. How many more it has."""
    until = time.monotonic() + SECONDS_TO_LEAVE
    while (now := sockets(server)) > before and time.monotonic() < until:
        select.select([], [], [], 0.05)
    return now - before


def start(given):
    """The server; none if this machine does not have the reactor."""
    try:
        return Httpd(given.program, "--servers", str(given.servers), "--reactor", given.reactor,
                     configuration=UNWATCHED if given.unwatched else "")
    except AssertionError as problem:
        if f"{given.reactor}: " not in str(problem):
            raise
        print(problem)
        return None


def run(given):
    connections = allowed(given.connections)
    started = start(given)
    if started is None:
        return SKIPPED
    with started as server:
        print(server.ready, end="")
        with server.connect() as first:
            first.sendall(request())
            read_response(first)
            before = sockets(server) - 1
        crowd = Crowd(server.port, connections, given)
        crowd.wait_until_warm()
        samples = watch(server, crowd, given.seconds)
        answers, resets, problems = crowd.outcome()
        left = sockets_left(server, before)
        if left:
            problems.append(f"{left} sockets are left when all clients have gone")
        server.terminate()
        status, complaints = server.wait()
    if status or complaints:
        problems.append(f"the server ends with {status} and says {complaints!r}")
    if not answers or not resets:
        problems.append("nothing happened")
    problems += findings(samples)
    print(f"{connections} connections, {answers} answers, {resets} resets")
    print("\n".join(f"FAILED: {problem}" for problem in problems) or "flat")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(run(options()))
