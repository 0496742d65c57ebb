# SPDX-License-Identifier: MIT
"""Builds umcg in every way that has to work and runs the tests of each: `./dev test`.

Ends with one line for all variants, "N passed, N failed", and keeps all output in build/logs.
"""

import argparse
import fnmatch
import os
import subprocess
import sys
import time
from pathlib import Path

import results
from variants import BUILD, LOGS, VARIANTS, build, end_children_when_terminated, run, say

TEST_SECONDS_MAX = 15 * 60
# The usual size of the area in which the kernel places mappings at random. Clang 14's sanitizers
# expect no more.
RANDOM_BITS_USUAL = 28

CHECKS = {
    "style": ("tests/style/results_test.py", "tests/style/dev_test.py",
              "tests/style/tidy_test.py", "tests/style/tidy.py"),
    "lint": (".ci/lint.py",),
    "mutation": ("tests/mutation/mutation_test.py",),
}
# Only when asked for: they take long and say little that the others do not. What thread-safety
# would say, lint says, and of the tests the builds for the sanitizers.
ON_REQUEST = {"lto", "mutation", "thread-safety"}


def sanitizer_environment():
    return {
        "ASAN_OPTIONS": "abort_on_error=1:detect_stack_use_after_return=0",
        "TSAN_OPTIONS": "halt_on_error=1:second_deadlock_stack=1",
        "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1",
    }


def wrapper(variant):
    """Without random placement where the kernel spreads mappings wider than the sanitizers know."""
    bits = Path("/proc/sys/vm/mmap_rnd_bits")
    sanitized = any("b_sanitize" in option for option in variant.options)
    if not sanitized or not bits.exists() or int(bits.read_text()) <= RANDOM_BITS_USUAL:
        return []
    possible = subprocess.run(["setarch", "-R", "true"], capture_output=True, check=False)
    return ["--wrapper", "setarch -R"] if possible.returncode == 0 else []


def test_names(folder, pattern):
    listed = subprocess.run(["meson", "test", "-C", str(folder), "--list"], text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
    names = [line.split(" / ")[-1].strip() for line in listed.stdout.splitlines()]
    return [name for name in names if fnmatch.fnmatch(name, f"*{pattern}*")]


def test(variant, folder, pattern):
    names = test_names(folder, pattern) if pattern else []
    if pattern and not names:
        return results.Results()
    results.forget(folder)
    command = ["meson", "test", "-C", str(folder), "--no-rebuild", "-t", str(variant.time_factor),
               "--num-processes", str(os.cpu_count() or 1), *wrapper(variant), *names]
    log = LOGS / f"{variant.name}-test.log"
    log.unlink(missing_ok=True)
    status = run(command, log, TEST_SECONDS_MAX, sanitizer_environment())
    outcome = results.from_meson(folder)
    if status != 0 and outcome.failed == 0:
        outcome.add(results.failure("meson test", log.read_text(errors="replace")))
    return outcome


def has_tests(variant):
    return "-Dtests=false" not in variant.options


def run_variant(variant, pattern):
    folder = BUILD / variant.name
    started = time.monotonic()
    say(f"{variant.name}: {variant.about}: building")
    broken = build(variant)
    built = time.monotonic()
    if broken is not None:
        say(f"{variant.name}: does not build, after {built - started:.0f} s")
        return results.failure(f"{variant.name}: build", broken)
    outcome = test(variant, folder, pattern) if has_tests(variant) else results.Results(passed=1)
    say(f"{variant.name}: {outcome} (build {built - started:.0f} s, "
        f"tests {time.monotonic() - built:.0f} s)")
    return outcome


def run_check(name):
    """Runs scripts that count for themselves."""
    outcome = results.Results()
    started = time.monotonic()
    say(f"{name}: checking")
    log = LOGS / f"{name}.log"
    log.unlink(missing_ok=True)
    for script in CHECKS[name]:
        begin = log.stat().st_size if log.exists() else 0
        status = run([sys.executable, script], log, TEST_SECONDS_MAX)
        output = log.read_bytes()[begin:].decode(errors="replace")
        outcome.add(results.from_program(script, status, output))
    say(f"{name}: {outcome} ({time.monotonic() - started:.0f} s)")
    return outcome


def report(name, outcome):
    for reason in sorted(set(outcome.skip_reasons)):
        say(f"  skipped: {reason}")
    for failed, output in outcome.failures:
        say(f"  FAILED in {name}: {failed}")
        say(results.tail(output))


def arguments():
    names = [*CHECKS, *(variant.name for variant in VARIANTS)]
    usual = [name for name in names if name not in ON_REQUEST]
    parser = argparse.ArgumentParser(prog="./dev test", description="Builds and runs the tests.",
                                     epilog="Logs are in build/logs. GTEST_FILTER chooses test "
                                     "cases, --filter test programs.")
    parser.add_argument("variants", nargs="*", metavar="VARIANT", default=[],
                        help="default: all of " + ", ".join(usual) + "; on request "
                        + ", ".join(sorted(ON_REQUEST)))
    parser.add_argument("--quick", action="store_true", help="only the release build")
    parser.add_argument("--filter", metavar="TEXT", default="",
                        help="only test programs with TEXT (may hold * and ?) in their names")
    chosen = parser.parse_args()
    unknown = set(chosen.variants) - set(names)
    if unknown:
        parser.error(f"unknown variant {', '.join(sorted(unknown))}; known: {', '.join(names)}")
    if chosen.quick:
        chosen.variants = ["release"]
    if chosen.filter and not chosen.variants:
        chosen.variants = [variant.name for variant in VARIANTS if has_tests(variant)]
    chosen.variants = chosen.variants or usual
    return chosen


def main():
    end_children_when_terminated()
    chosen = arguments()
    LOGS.mkdir(parents=True, exist_ok=True)
    known = {variant.name: variant for variant in VARIANTS}
    total = results.Results()
    for name in chosen.variants:
        variant = known.get(name)
        outcome = run_variant(variant, chosen.filter) if variant else run_check(name)
        report(name, outcome)
        total.add(outcome)
    if total.passed + total.failed + total.skipped == 0:
        total.add(results.failure(f"no test program has '{chosen.filter}' in its name", ""))
        report("all variants", total)
    for failed, _ in total.failures:
        say(f"FAILED: {failed}")
    say(str(total))
    return 1 if total.failed else 0


if __name__ == "__main__":
    sys.exit(main())
