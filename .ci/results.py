# SPDX-License-Identifier: MIT
"""Counts what a run of tests did, test case by test case, and keeps what the failed ones said.

A test program that dies, times out or reports nothing counts as a failure, never as silence.
"""

import json
import re
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass, field
from pathlib import Path

LAST_LINE = re.compile(r"(\d+) passed, (\d+) failed(?:, (\d+) skipped)?\Z")
UNITTEST = re.compile(r"^Ran (\d+) tests? in [\d.]+s\n\n(?:OK|FAILED)(?: \((.*)\))?\Z",
                      re.MULTILINE)
TAIL_LINES = 60


@dataclass
class Results:
    passed: int = 0
    failed: int = 0
    skipped: int = 0
    skip_reasons: list = field(default_factory=list)
    failures: list = field(default_factory=list)  # (name, output)

    def add(self, other):
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped
        self.skip_reasons += other.skip_reasons
        self.failures += other.failures

    def __str__(self):
        counts = f"{self.passed} passed, {self.failed} failed"
        return counts + (f", {self.skipped} skipped" if self.skipped else "")


def failure(name, output):
    return Results(failed=1, failures=[(name, output)])


def tail(output, lines=TAIL_LINES):
    kept = output.rstrip().splitlines()[-lines:]
    return "\n".join("    " + line for line in kept)


def counts_in(output):
    """What a program's last lines count: "N passed, N failed" or the end of Python's unittest."""
    output = output.rstrip()
    plain = LAST_LINE.search(output)
    if plain:
        return Results(*(int(number or 0) for number in plain.groups()))
    unittest = UNITTEST.search(output)
    if not unittest:
        return None
    other = dict(re.findall(r"(\w+)=(\d+)", unittest.group(2) or ""))
    failed = sum(int(other.get(kind, 0)) for kind in ("failures", "errors"))
    skipped = int(other.get("skipped", 0))
    return Results(int(unittest.group(1)) - failed - skipped, failed, skipped)


def from_program(name, returncode, output):
    """The result of a program that counts for itself."""
    results = counts_in(output)
    if results is None:
        return failure(name, output + f"\n(no count in the last lines, exit status {returncode})")
    if returncode != 0:
        results.failed = max(results.failed, 1)
    if results.failed:
        results.failures.append((name, output))
    return results


def from_googletest(path):
    """The counts of one GoogleTest report, or None when there is none or it was cut off."""
    try:
        cases = ElementTree.parse(path).getroot().iter("testcase")
    except (FileNotFoundError, ElementTree.ParseError):
        return None
    results = Results()
    for case in cases:
        name = f"{case.get('classname')}.{case.get('name')}"
        skip = case.find("skipped")
        said = [each.get("message") or "" for each in case.iter("failure")]
        if said:
            results.failed += 1
            results.failures.append((name, "\n".join(said)))
        elif skip is not None:
            results.skipped += 1
            reason = (skip.get("message") or "no reason given").strip().splitlines()
            results.skip_reasons.append(f"{name}: {reason[-1]}")
        elif case.get("status") == "run":
            results.passed += 1
        else:
            results.skipped += 1
            results.skip_reasons.append(f"{name}: disabled")
    return results


def from_record(record, build_folder):
    """The result of one test program as Meson wrote it down."""
    name = record["name"].split(" / ")[-1]
    output = (record.get("stdout") or "") + (record.get("stderr") or "")
    if record["result"] == "SKIP":
        last = output.strip().splitlines()[-1:] or ["no reason given"]
        return Results(skipped=1, skip_reasons=[f"{name}: {last[0]}"])
    results = from_googletest(build_folder / f"{name}.xml")
    if results is None:
        results = counts_in(output) or Results(passed=1 if record["result"] == "OK" else 0)
    results.failures = [(f"{name}: {case}", said) for case, said in results.failures]
    if (record["result"] != "OK" or results.failed) and not results.failures:
        results.failed = max(results.failed, 1)
        results.failures.append((f"{name} ({record['result']})", output))
    return results


def from_meson(build_folder: Path):
    """The results of the last `meson test` in this folder."""
    results = Results()
    log = build_folder / "meson-logs" / "testlog.json"
    lines = log.read_text(errors="replace").splitlines() if log.exists() else []
    for line in lines:
        results.add(from_record(json.loads(line), build_folder))
    if results.passed + results.failed + results.skipped == 0:
        return failure("no test ran", "")
    return results


def forget(build_folder: Path):
    """Removes the reports of an earlier run, so that a crash cannot pass with an old one."""
    for report in [*build_folder.glob("*.xml"), build_folder / "meson-logs" / "testlog.json"]:
        report.unlink(missing_ok=True)
