# SPDX-License-Identifier: MIT
"""The rule that each public header compiles alone: as C++20, and as C11 too if it ends in .h."""

import concurrent.futures
import os
import subprocess

WARNINGS = ["-fsyntax-only", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-Iinclude"]
CPP = ["g++", "-std=c++20", "-x", "c++", *WARNINGS, "-"]
C = ["gcc", "-std=c11", "-x", "c", *WARNINGS, "-"]
COMPILERS = {".hpp": [CPP], ".h": [C, CPP]}
FINE = "build/style"  # what was fine is remembered here


def complaint(root, command, header):
    """The first error of the compiler, or None."""
    name = header.path.removeprefix("include/")
    done = subprocess.run(command, cwd=root, input=f'#include "{name}"\n', text=True,
                          capture_output=True, check=False)
    if done.returncode == 0:
        return None
    errors = [line for line in done.stderr.splitlines() if "error:" in line]
    return f"{command[0]}: " + (errors or done.stderr.splitlines() or ["fails"])[0]


def examine(tree, header, mark):
    said = [complaint(tree.root, command, header) for command in COMPILERS[header.suffix]]
    if not any(said):
        mark.touch()
    return [header.finding(1, "compiles-alone", text) for text in said if text]


def compile_alone(tree):
    fine = tree.root / FINE
    fine.mkdir(parents=True, exist_ok=True)
    headers = [file for file in tree.files.values()
               if file.path.startswith("include/") and file.suffix in COMPILERS]
    marks = {header: fine / tree.fingerprint(header.path, repr((C, CPP))) for header in headers}
    for old in set(fine.iterdir()) - set(marks.values()):
        old.unlink()
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        running = [pool.submit(examine, tree, header, mark)
                   for header, mark in marks.items() if not mark.exists()]
        for examined in running:
            yield from examined.result()


RULES = (compile_alone,)
