#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Checks layout (clang-format), code (clang-tidy) and scripts, and ends with "N passed, N failed".

clang-tidy looks again only at what has changed: a file, a header of ours below it, or the list of
checks. What was fine is remembered in build/lint. Most of its time goes into the headers of others,
so it gets several files of a folder at once, where these can be compiled as one.
"""

import concurrent.futures
import hashlib
import json
import os
import shlex
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from variants import BUILD, LOGS, ROOT, VARIANTS, set_up

sys.path.insert(0, str(ROOT / "tests/style"))
import tidy  # noqa: E402

FINE = BUILD / "lint"
TOGETHER = BUILD / "lint-together"
SECONDS_MAX = 15 * 60
FILE_SECONDS_MAX = 180
FILES_AT_ONCE = 8
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


@dataclass(frozen=True)
class Bundle:
    """Files of one folder that are compiled in the same way."""
    paths: tuple
    flags: tuple
    folder: str  # where the compiler runs

    def halves(self):
        middle = len(self.paths) // 2
        return (Bundle(self.paths[:middle], self.flags, self.folder),
                Bundle(self.paths[middle:], self.flags, self.folder))


def flags_of(command):
    """A command without what names the files."""
    kept = []
    words = iter(shlex.split(command)[1:])
    for word in words:
        if word in ("-o", "-MF", "-MQ"):
            next(words)
        elif word not in ("-c", "-MD") and not word.endswith(".cpp"):
            kept.append(word)
    # Of a target's own folder there is nothing to include.
    return tuple(word for word in kept if not word.endswith(".p"))


def bundles():
    """All of the library, the programs and the benchmarks. Tests get the compilers' warnings, the
    layout and the style; for clang-tidy they are too many."""
    LOGS.mkdir(parents=True, exist_ok=True)
    log = LOGS / "lint-setup.log"
    folder = BUILD / CLANG.name
    if set_up(CLANG, folder, log) != 0:
        sys.exit(log.read_text(errors="replace") + "0 passed, 1 failed")
    alike = {}
    for entry in json.loads((folder / "compile_commands.json").read_text()):
        path = Path(entry["directory"], entry["file"]).resolve()
        if not path.is_relative_to(ROOT) or path.suffix != ".cpp":
            continue
        name = path.relative_to(ROOT).as_posix()
        if not name.startswith("tests/"):
            key = (path.parent, flags_of(entry["command"]), entry["directory"])
            alike.setdefault(key, []).append(name)
    for (where, flags, directory), names in alike.items():
        # One with rules of its own holds programs.
        size = 1 if (where / ".clang-tidy").exists() else FILES_AT_ONCE
        for at in range(0, len(names), size):
            yield Bundle(tuple(names[at:at + size]), flags, directory)


def write_source(bundle):
    """A file that includes all of them."""
    lines = [f'#include "{ROOT / path}"  // NOLINT(bugprone-suspicious-include)\n'
             for path in bundle.paths]
    name = "-".join((*Path(bundle.paths[0]).parent.parts, Path(bundle.paths[0]).stem))
    source = TOGETHER / f"{name}-{len(bundle.paths)}.cpp"
    source.write_text("".join(lines))
    return source


def examine(bundle, end):
    """What clang-tidy says about each file. Those that cannot be one are looked at in halves, and
    so are those of which one is not fine: then it shows which."""
    left = end - time.monotonic()
    if left <= 0:
        return {path: f"{path}: not looked at, all of lint may take {SECONDS_MAX} s\n"
                for path in bundle.paths}
    source = write_source(bundle) if len(bundle.paths) > 1 else ROOT / bundle.paths[0]
    flags = (*bundle.flags, f"-working-directory={bundle.folder}")
    said = ""
    if len(bundle.paths) > 1:
        said = output_of(["clang++", *flags, "-w", "-fsyntax-only", str(source)])
    if not said:
        said = output_of(["clang-tidy", "--quiet", str(source), "--", *flags],
                         min(left, FILE_SECONDS_MAX))
    if not said or len(bundle.paths) == 1:
        return {path: said for path in bundle.paths}
    first, second = bundle.halves()
    return examine(first, end) | examine(second, end)


def code(tree):
    """What clang-tidy says about each file."""
    FINE.mkdir(parents=True, exist_ok=True)
    TOGETHER.mkdir(parents=True, exist_ok=True)
    end = time.monotonic() + SECONDS_MAX
    checks = "".join(file.text for file in tree.named(".clang-tidy"))

    def mark_of(bundle):
        how = checks + " ".join(bundle.flags)
        each = "".join(tree.fingerprint(path, how) for path in bundle.paths if path in tree.files)
        return FINE / hashlib.sha256(each.encode()).hexdigest()

    marks = {bundle: mark_of(bundle) for bundle in bundles()}
    for old in set(FINE.iterdir()) - set(marks.values()):
        old.unlink()
    said = {path: "" for bundle in marks for path in bundle.paths}
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        running = {bundle: pool.submit(examine, bundle, end)
                   for bundle, mark in marks.items() if not mark.exists()}
        for bundle, found in running.items():
            said.update(found.result())
            if not any(found.result().values()):
                marks[bundle].touch()
    return said


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
