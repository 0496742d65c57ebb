# SPDX-License-Identifier: MIT
"""The ways in which umcg has to build, and how one of them is built.

Usage: variants.py NAME [TARGET...]

All output goes to build/logs; a failure shows its end.
"""

import os
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import results

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build"
LOGS = BUILD / "logs"

BUILD_SECONDS_MAX = 20 * 60

GCC = {"CC": "gcc", "CXX": "g++"}
CLANG = {"CC": "clang", "CXX": "clang++"}
# Line tables are all that a sanitizer's report needs, and half of the time to build.
SANITIZED = ("-Db_lundef=false", "-Ddefault_library=static", "-Doptimization=1", "-Ddebug=false",
             "-Dcpp_args=-gline-tables-only")


@dataclass(frozen=True)
class Variant:
    name: str
    about: str
    compiler: dict
    options: tuple = ()
    time_factor: int = 1  # how much longer than in a release build a test may take


VARIANTS = (
    Variant("release", "gcc -O2", GCC),
    Variant("lto", "gcc -O3 -flto", GCC, ("-Db_lto=true", "-Doptimization=3"), 2),
    # The tests get the same warnings in asan and tsan.
    Variant("thread-safety", "clang -Wthread-safety -Werror", CLANG,
            ("-Ddefault_library=static", "-Ddebug=false", "-Dtests=false")),
    Variant("asan", "clang, AddressSanitizer and UndefinedBehaviorSanitizer", CLANG,
            ("-Db_sanitize=address,undefined", "-Dfuzz=true", *SANITIZED), 4),
    Variant("tsan", "clang, ThreadSanitizer", CLANG, ("-Db_sanitize=thread", *SANITIZED), 8),
    Variant("aarch64", "lower layers, cross-built, under qemu-user", {},
            ("--cross-file", str(ROOT / "cross/aarch64.ini"), "-Dlayers=kernel"), 8),
)


def say(text):
    print(text, flush=True)


def end_children_when_terminated():
    """Lets SIGTERM end this program as an exception does, by way of every `finally`."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))


def run(command, log, seconds_max, environment=None):
    """Runs a command with its output going to the log. Returns its exit status."""
    with open(log, "ab") as out:
        child = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=out,
                                 stderr=subprocess.STDOUT, start_new_session=True,
                                 env={**os.environ, **(environment or {})})
        try:
            return child.wait(seconds_max)
        except subprocess.TimeoutExpired:
            out.write(f"\n{command[0]} did not end within {seconds_max} s\n".encode())
            return 1
        finally:
            if child.poll() is None:
                os.killpg(child.pid, signal.SIGKILL)
                child.wait()


def set_up(variant, folder, log):
    """Configures the build folder, once for each set of options."""
    stamp = folder / "options.txt"
    wanted = repr((variant.compiler, variant.options))
    if stamp.exists() and stamp.read_text() == wanted and (folder / "build.ninja").exists():
        return 0
    command = ["meson", "setup", *variant.options, str(folder)]
    if (folder / "meson-private/coredata.dat").exists():
        command.append("--wipe")
    else:  # what a set-up leaves behind that failed, for want of a compiler say, cannot be wiped
        shutil.rmtree(folder, ignore_errors=True)
    status = run(command, log, BUILD_SECONDS_MAX, variant.compiler)
    if status == 0:
        stamp.write_text(wanted)
    return status


def build(variant, targets=()):
    """Returns what a build that failed says, or None."""
    folder = BUILD / variant.name
    LOGS.mkdir(parents=True, exist_ok=True)
    log = LOGS / f"{variant.name}-build.log"
    log.unlink(missing_ok=True)
    status = set_up(variant, folder, log)
    if status == 0:
        status = run(["ninja", "-C", str(folder), *targets], log, BUILD_SECONDS_MAX)
    return None if status == 0 else first_failure(log.read_text(errors="replace"))


def first_failure(said):
    """The output of ninja from the first command that failed, as much of it as will be shown."""
    start = max(said.find("FAILED: "), 0)
    return "\n".join(said[start:].splitlines()[:results.TAIL_LINES]) if start else said


def main():
    end_children_when_terminated()
    name, *targets = sys.argv[1:]
    variant = next(variant for variant in VARIANTS if variant.name == name)
    if not (BUILD / name / "build.ninja").exists():
        say(f"Building umcg ({variant.about}). The first time takes a minute or two.")
    broken = build(variant, targets)
    if broken is not None:
        say(results.tail(broken))
        say(f"The build failed; all of its output is in {LOGS / (name + '-build.log')}")
    return 1 if broken is not None else 0


if __name__ == "__main__":
    sys.exit(main())
