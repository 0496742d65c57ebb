# SPDX-License-Identifier: MIT
"""The load generator: its command line and what it prints."""

import re
from dataclasses import dataclass
from pathlib import Path

PIPELINED_SCRIPT = Path(__file__).resolve().parent.parent / "pipelined.lua"
MICROSECONDS = {"us": 1, "ms": 1e3, "s": 1e6, "m": 60e6, "h": 3600e6}


@dataclass(frozen=True)
class Scenario:
    name: str
    title: str
    connections: int
    depth: int = 1  # requests sent at once on one connection

    @property
    def settle_seconds(self):
        """Allowed until every connection has been served once."""
        return 10 + self.connections / 500


SCENARIOS = {
    scenario.name: scenario
    for scenario in (
        Scenario("c1", "1 connection", 1),
        Scenario("c64", "64 connections", 64),
        Scenario("c1000", "1,000 connections", 1000),
        Scenario("c10000", "10,000 connections", 10000),
        Scenario("pipelined", "64 connections, pipelined 16 deep", 64, depth=16),
    )
}


@dataclass(frozen=True)
class Summary:
    requests: int
    seconds: float
    requests_per_second: float
    p50_us: float
    p99_us: float
    socket_errors: int
    bad_statuses: int

    @property
    def errors(self):
        return self.socket_errors + self.bad_statuses


def command(scenario, url, seconds_max, program="wrk"):
    words = [program, "--threads", "1", "--connections", str(scenario.connections), "--duration",
             f"{seconds_max}s", "--timeout", "30s", "--latency"]
    if scenario.depth > 1:
        words += ["--script", str(PIPELINED_SCRIPT)]
    words.append(url)
    if scenario.depth > 1:
        words += ["--", str(scenario.depth)]
    return words


def microseconds(text):
    number, unit = re.fullmatch(r"([\d.]+)(us|ms|s|m|h)", text).groups()
    return float(number) * MICROSECONDS[unit]


def parse(text):
    """Raises ValueError when something that wrk always prints is missing."""
    total = re.search(r"^\s*(\d+) requests in ([\d.]+\w+),", text, re.MULTILINE)
    rate = re.search(r"^Requests/sec:\s+([\d.]+)$", text, re.MULTILINE)
    p50 = re.search(r"^\s+50%\s+(\S+)\s*$", text, re.MULTILINE)
    p99 = re.search(r"^\s+99%\s+(\S+)\s*$", text, re.MULTILINE)
    if not (total and rate and p50 and p99):
        raise ValueError("wrk printed no summary:\n" + text)
    sockets = re.search(
        r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", text)
    statuses = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
    return Summary(
        requests=int(total.group(1)),
        seconds=microseconds(total.group(2)) / 1e6,
        requests_per_second=float(rate.group(1)),
        p50_us=microseconds(p50.group(1)),
        p99_us=microseconds(p99.group(1)),
        socket_errors=sum(int(count) for count in sockets.groups()) if sockets else 0,
        bad_statuses=int(statuses.group(1)) if statuses else 0,
    )
