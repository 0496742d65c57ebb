# SPDX-License-Identifier: MIT
"""The whole bench: which runs there are, in which order, and what becomes of their figures.

The order makes the comparison fair: in each round each scenario runs all servers one after the
other, each started afresh, and the next round starts with another server.
"""

import datetime
import itertools
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass

from runner import figures, idle_memory, load, procfs, servers, system_calls
from runner.children import ChildFailed
from runner.wrk import SCENARIOS

IDLE = "idle"
DISTURBED = 0.05  # share of the server's CPU that others may use before a run is reported


@dataclass(frozen=True)
class Settings:
    seconds: float
    rounds: int
    scenarios: tuple
    servers: tuple
    idle_connections: int
    nice: int
    command: str


@dataclass(frozen=True)
class Run:
    kind: str  # load, system calls, idle
    round: int
    scenario: str
    server: servers.Server
    expected_seconds: float


def rotated(items, by):
    items = list(items)
    return items[by % len(items):] + items[:by % len(items)]


def plan(settings, counter):
    """All runs in their order."""
    loads = [name for name in settings.scenarios if name != IDLE]
    runs = []
    for number in range(settings.rounds):
        for scenario, server in itertools.product(loads, rotated(settings.servers, number)):
            start_up = 1 + SCENARIOS[scenario].connections / 5000
            runs.append(Run("load", number, scenario, server, settings.seconds + start_up))
    if counter:
        for scenario, server in itertools.product(loads, settings.servers):
            runs.append(Run("system calls", 0, scenario, server, min(1, settings.seconds) + 1.5))
    if IDLE in settings.scenarios:
        for number in range(min(settings.rounds, 3)):
            for server in rotated(settings.servers, number):
                runs.append(Run("idle", number, IDLE, server, 6))
    return runs


class Progress:
    """One line a run on standard error, with the time that is left."""

    def __init__(self, runs):
        self.runs = runs
        self.done = 0
        self.started = time.monotonic()

    def left(self):
        expected = sum(run.expected_seconds for run in self.runs[self.done:])
        passed = sum(run.expected_seconds for run in self.runs[:self.done])
        pace = (time.monotonic() - self.started) / passed if passed else 1
        return expected * pace

    def finished(self, run, outcome):
        self.done += 1
        minutes, seconds = divmod(round(self.left()), 60)
        print(f"[{self.done:3}/{len(self.runs)}] round {run.round + 1}  {run.scenario:<9}  "
              f"{run.server.name:<10}  {outcome}; {minutes}:{seconds:02} left",
              file=sys.stderr, flush=True)


class Suite:
    def __init__(self, settings):
        self.settings = settings
        self.machine = procfs.machine()  # before the load, which would be in its figures
        self.counter, reason = system_calls.available_counter()
        self.runs = plan(settings, self.counter)
        self.load_runs = []
        self.idle_runs = []
        self.calls = {}
        self.answers = {}
        self.failures = []
        self.notes = []
        if not self.counter:
            self.notes.append(f"system calls were not measured: {reason}")
        elif reason:
            self.notes.append(f"system calls were counted by {self.counter}: {reason}")

    def run(self):
        progress = Progress(self.runs)
        for run in self.runs:
            try:
                outcome = self.perform(run)
            except (ChildFailed, OSError, ValueError) as error:
                self.failures.append(f"round {run.round + 1}, {run.scenario}, {run.server.name}, "
                                     f"{run.kind}: {error}")
                outcome = f"FAILED: {error}"
            progress.finished(run, outcome)
        return self.results()

    def perform(self, run):
        with tempfile.TemporaryDirectory(prefix="umcg-bench-") as directory:
            with servers.running(run.server, directory) as running:
                self.answers[run.server.name] = running.answer
                return {"load": self.perform_load, "system calls": self.perform_system_calls,
                        "idle": self.perform_idle}[run.kind](run, running)

    def perform_load(self, run, running):
        measured = load.measure(running, SCENARIOS[run.scenario], self.settings.seconds)
        self.load_runs.append({"round": run.round, "scenario": run.scenario,
                               "server": run.server.name, **measured})
        if measured["socket_errors"] or measured["bad_statuses"]:
            self.failures.append(
                f"round {run.round + 1}, {run.scenario}, {run.server.name}: "
                f"{measured['socket_errors']} socket errors, "
                f"{measured['bad_statuses']} answers that were not 2xx")
        disturbed = ""
        if measured["server_cpu_disturbed"] > DISTURBED:
            disturbed = f", DISTURBED {measured['server_cpu_disturbed'] * 100:.0f} %"
        return (f"{measured['requests_per_second']:>9,.0f} req/s, "
                f"{measured['cpu_us']:.2f} us CPU{disturbed}")

    def perform_system_calls(self, run, running):
        value = system_calls.measure(running, SCENARIOS[run.scenario],
                                     min(1, self.settings.seconds), self.counter)
        self.calls.setdefault(run.scenario, {})[run.server.name] = round(value, 4)
        return f"{value:.3f} system calls per request"

    def perform_idle(self, run, running):
        measured = idle_memory.measure(running, self.settings.idle_connections)
        self.idle_runs.append({"round": run.round, "server": run.server.name, **measured})
        return f"{measured['bytes_per_connection']:,.0f} bytes per idle connection"

    def disturbance_notes(self):
        disturbed = [run for run in self.load_runs if run["server_cpu_disturbed"] > DISTURBED]
        if not disturbed:
            return []
        worst = max(run["server_cpu_disturbed"] for run in disturbed)
        return [f"{len(disturbed)} of {len(self.load_runs)} runs shared the server's CPU with "
                f"others for more than {DISTURBED * 100:.0f} % of the time (worst "
                f"{worst * 100:.0f} %): quiet the machine before quoting these figures"]

    def results(self):
        return {
            "schema": 1,
            "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
            "machine": self.machine,
            "versions": versions(self.settings.servers),
            "settings": {
                "command": self.settings.command,
                "seconds": self.settings.seconds,
                "rounds": self.settings.rounds,
                "idle_connections": self.settings.idle_connections,
                "nice": self.settings.nice,
                "server_cpu": servers.SERVER_CPU,
                "load_cpu": servers.LOAD_CPU,
                "system_call_counter": self.counter or "none",
            },
            "scenarios": [vars(SCENARIOS[name]) for name in self.settings.scenarios
                          if name in SCENARIOS],
            "servers": [{"name": server.name, "title": server.title,
                         "command": [server.program, *server.arguments]}
                        for server in self.settings.servers],
            "figures": figures.all_figures(self.load_runs, self.idle_runs),
            "system_calls": self.calls,
            "notes": [*servers.fairness_notes(self.answers), *self.disturbance_notes(),
                      *self.notes],
            "failures": self.failures,
            "load_runs": self.load_runs,
            "idle_runs": self.idle_runs,
        }


def versions(chosen):
    known = {"wrk": procfs.first_line(["wrk", "-v"]),
             "liburing": procfs.first_line(["pkg-config", "--modversion", "liburing"]),
             "python": sys.version.split()[0],
             "umcg commit": commit()}
    for server in chosen:
        if server.version_command:
            known[server.name] = procfs.first_line(list(server.version_command))
    return known


def commit():
    command = ["git", "-C", str(servers.LOADTEST), "describe", "--always", "--dirty"]
    try:
        return subprocess.run(command, capture_output=True, text=True).stdout.strip() or "unknown"
    except OSError:
        return "unknown"
