#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Checks layout (clang-format), code (clang-tidy) and scripts, and ends with "N passed, N failed".

clang-tidy looks again only at what has changed: a file, a header of ours below it, or the list of
checks. What was fine is remembered in build/lint.
"""

import concurrent.futures
import json
import os
import subprocess
import sys
import time
from pathlib import Path

from variants import BUILD, LOGS, ROOT, VARIANTS, set_up

sys.path.insert(0, str(ROOT / "tests/style"))
import tidy  # noqa: E402

FINE = BUILD / "lint"
SECONDS_MAX = 15 * 60
FILE_SECONDS_MAX = 180
CLANG = next(variant for variant in VARIANTS if variant.name == "thread-safety")


def output_of(command, seconds_max=FILE_SECONDS_MAX):
    """What a failing command says; "" if it ends well."""
    try:
        done = subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
                              timeout=seconds_max)
    except subprocess.TimeoutExpired:
        return f"{command[0]} did not end within {seconds_max:.0f} s"
    return done.stdout or "fails without a word" if done.returncode else ""


def layout(tree):
    files = [file.path for file in tree.files.values() if file.is_cpp]
    return output_of(["clang-format", "--dry-run", "-Werror", *files])


def bash_syntax(tree):
    scripts = [file.path for file in tree.files.values()
               if file.text.startswith(("#!/usr/bin/env bash", "#!/bin/bash", "#!/bin/sh"))]
    return "".join(output_of(["bash", "-n", script]) for script in scripts)


def python_syntax(tree):
    said = []
    for file in tree.files.values():
        try:
            if file.is_python:
                compile(file.text, file.path, "exec")
        except SyntaxError as error:
            said.append(str(error))
    return "\n".join(said)


def commands():
    """How each file is compiled by clang: of the library, the programs and the benchmarks. Tests
    get the compilers' warnings, the layout and the style; for clang-tidy they are too many."""
    LOGS.mkdir(parents=True, exist_ok=True)
    log = LOGS / "lint-setup.log"
    folder = BUILD / CLANG.name
    if set_up(CLANG, folder, log) != 0:
        sys.exit(log.read_text(errors="replace") + "0 passed, 1 failed")
    found = {}
    for entry in json.loads((folder / "compile_commands.json").read_text()):
        path = Path(entry["directory"], entry["file"]).resolve()
        if path.is_relative_to(ROOT) and path.suffix == ".cpp":
            found[path.relative_to(ROOT).as_posix()] = entry["command"]
    return {path: command for path, command in found.items() if not path.startswith("tests/")}


def examine(path, mark, end):
    """Runs clang-tidy over one file and leaves a mark if it is fine."""
    left = end - time.monotonic()
    if left <= 0:
        return f"{path}: not looked at, all of lint may take {SECONDS_MAX} s\n"
    command = ["clang-tidy", "--quiet", "-p", str(BUILD / CLANG.name), path]
    said = output_of(command, min(left, FILE_SECONDS_MAX))
    if not said:
        mark.touch()
    return said


def code(tree):
    """What clang-tidy says about each file."""
    FINE.mkdir(parents=True, exist_ok=True)
    end = time.monotonic() + SECONDS_MAX
    checks = tree.files[".clang-tidy"].text
    marks = {path: FINE / tree.fingerprint(path, checks + command)
             for path, command in commands().items() if path in tree.files}
    for old in set(FINE.iterdir()) - set(marks.values()):
        old.unlink()
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        running = {path: pool.submit(examine, path, mark, end)
                   for path, mark in marks.items() if not mark.exists()}
        return {path: running[path].result() if path in running else "" for path in marks}


def main():
    tree = tidy.read_tree(ROOT)
    said = {"clang-format": layout(tree), "bash -n": bash_syntax(tree),
            "python": python_syntax(tree)}
    said.update({f"clang-tidy {path}": text for path, text in code(tree).items()})
    failed = {name: text for name, text in said.items() if text}
    for name, text in failed.items():
        print(f"{name}:\n{text}")
    print("".join(f"FAILED: {name}\n" for name in failed), end="")
    print(f"{len(said) - len(failed)} passed, {len(failed)} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
