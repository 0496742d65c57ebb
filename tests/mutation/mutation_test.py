# SPDX-License-Identifier: MIT
"""Shows that the contract's tests can fail: breaks libumcg in one place after the other
(mutants.py), builds the simulated contract of it and expects a test to fail.

  mutation_test.py [NAME...]    all mutants, or those with these names

`./dev test mutation` runs it; it takes about eight minutes. Ends with "N passed, N failed".
"""

import argparse
import concurrent.futures
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from mutants import MUTANTS

ROOT = Path(__file__).resolve().parent.parent.parent
LIBRARY = ("src/base/assert.cpp", "src/base/timer_wheel.cpp", "src/kernel/futex/futex_half.cpp")
TESTS = ("harness", "kernel_half_test", "library_test", "main", "operating_system_test",
         "serving_test", "simulated_world", "simulation_test", "swap_test")
FORCED = "tests/contract/interleaved_atomic.hpp"
FLAGS = ("-std=c++20", "-O1", "-g1", "-pthread", "-DGTEST_HAS_PTHREAD=1")
SEEDS = 60
SECONDS_MAX = 30


def compiler(tree):
    return ["g++", *FLAGS, *(f"-I{tree / folder}" for folder in ("include", "src", "tests"))]


def sources(tree):
    return [*(tree / name for name in LIBRARY), *sorted(tree.glob("src/libumcg/*.cpp")),
            *(tree / f"tests/contract/{name}.cpp" for name in TESTS)]


def compile_one(tree, source, objects):
    target = objects / (source.name + ".o")
    command = [*compiler(tree), "-include", str(tree / FORCED), "-c", str(source),
               "-o", str(target)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stderr if done.returncode else ""


def build(tree, pool, prepared=None, changed=()):
    """Compiles into tree/objects what a change can reach; the rest comes from `prepared`."""
    objects = tree / "objects"
    objects.mkdir()
    reached = sources(tree)
    if prepared is not None and all(name.endswith(".cpp") for name in changed):
        reached = [source for source in reached if str(source.relative_to(tree)) in changed]
    elif prepared is not None:
        reached = [source for source in reached if source.parent.name != "contract"
                   or source.stem in ("kernel_half_test", "simulated_world",
                                      "simulation_test")]
    said = "".join(pool.map(lambda source: compile_one(tree, source, objects), reached))
    if said:
        return said
    linked = [str(path) for path in objects.iterdir()]
    if prepared is not None:
        linked += [str(path) for path in (prepared / "objects").iterdir()
                   if not (objects / path.name).exists()]
    else:
        command = [*compiler(tree), "-c", str(tree / "tests/contract/simulation.cpp"),
                   "-o", str(objects / "simulation.cpp.o")]
        subprocess.run(command, check=True)
        linked.append(str(objects / "simulation.cpp.o"))
    command = ["g++", "-pthread", *linked, "-lgtest", "-o", str(tree / "contract")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stderr


def copy_tree(to):
    for name in ("include", "src", "tests/contract"):
        shutil.copytree(ROOT / name, to / name)
    shutil.copy(ROOT / "tests/sanitizer.hpp", to / "tests/sanitizer.hpp")
    # Precompiled: what every file includes first is most of its compilation.
    subprocess.run([*compiler(to), "-w", "-x", "c++-header", str(to / FORCED)], check=True)


def mutate(tree, mutant):
    for name, old, new in mutant.changes:
        path = tree / name
        text = path.read_text()
        if text.count(old) != 1:
            return f"{name} has {text.count(old)} places for the change, not one"
        path.write_text(text.replace(old, new))
    return ""


def first_failure(output):
    for line in output.splitlines():
        if line.startswith("[  FAILED  ]"):
            return line.split()[3]
    started = [line.split()[3] for line in output.splitlines() if line.startswith("[ RUN")]
    return (started or ["nothing"])[-1]


def run_contract(tree, tests):
    """The name of the test that fails, or nothing."""
    command = [str(tree / "contract"), "--seeds", str(SEEDS), f"--gtest_filter={tests}",
               "--gtest_throw_on_failure=0", "--gtest_fail_fast"]
    # Stops with the first seed that fails.
    for first in range(1, SEEDS + 1, 4):
        command[1:5] = ["--seed", str(first), "--seeds", "4"]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False,
                                  errors="replace", timeout=SECONDS_MAX)
        except subprocess.TimeoutExpired as late:
            output = (late.stdout or b"").decode(errors="replace")
            return first_failure(output) + f" does not end with seeds {first} to {first + 3}"
        if done.returncode != 0:
            return first_failure(done.stdout) + f" with seeds {first} to {first + 3}"
    return ""


def examine(mutant, prepared, pool):
    with tempfile.TemporaryDirectory(prefix="umcg-mutant-") as folder:
        tree = Path(folder)
        for name in ("include", "src", "tests"):
            shutil.copytree(prepared / name, tree / name)
        problem = mutate(tree, mutant)
        if problem:
            return False, problem
        problem = build(tree, pool, prepared, tuple(name for name, _, _ in mutant.changes))
        if problem:
            return False, "does not build:\n" + problem
        killer = run_contract(tree, mutant.tests)
        return bool(killer), killer or f"SURVIVES {SEEDS} seeds"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="mutants; default: all")
    names = parser.parse_args().names
    unknown = set(names) - {mutant.name for mutant in MUTANTS}
    if unknown:
        parser.error(f"no mutant {', '.join(sorted(unknown))}")
    chosen = [mutant for mutant in MUTANTS if not names or mutant.name in names]
    failed = 0
    with tempfile.TemporaryDirectory(prefix="umcg-mutation-") as folder, \
            concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        prepared = Path(folder)
        copy_tree(prepared)
        problem = build(prepared, pool)
        if not problem and run_contract(prepared, "*"):
            problem = "the contract fails without any change"
        if problem:
            print(problem + "\n0 passed, 1 failed")
            return 1
        for mutant in chosen:
            started = time.monotonic()
            killed, said = examine(mutant, prepared, pool)
            failed += not killed
            print(f"{'ok    ' if killed else 'FAILED'} {mutant.name}: {said} "
                  f"({time.monotonic() - started:.0f} s)\n         without: {mutant.lacks}",
                  flush=True)
    print(f"{len(chosen) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
