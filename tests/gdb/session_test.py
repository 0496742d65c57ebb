#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Looks at workers with gdb, in a program that runs and in its core file.

Usage: session_test.py PROGRAM EXTENSION
"""

import resource
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

PROGRAM, EXTENSION = (str(Path(name).resolve()) for name in sys.argv[1:3])
SECONDS_MAX = 50
FIND = "python number = {worker.name(): worker.number for worker in workers()}"


def gdb(*commands, arguments=()):
    """What a session says."""
    script = []
    for command in (f"source {EXTENSION}", "set pagination off", "set confirm off", *commands):
        script += ["-ex", command]
    done = subprocess.run(["gdb", "-batch", "-nx", *script, PROGRAM, *arguments],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False, timeout=SECONDS_MAX)
    return done.stdout


def of(name, command):
    return f'python gdb.execute(f"worker {{number[\'{name}\']}} {command}")'


LOOK = ("info workers", FIND, "echo --- parked\\n", of("parked", "bt"), "echo --- local\\n",
        of("parked", "frame function parks_here"), "echo --- spinner\\n", of("spinner", "bt"),
        "echo --- all\\n", "worker apply all bt 3", "echo --- after\\n", "bt 1")


class Session(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.live = gdb("break everything_is_there", "run", *LOOK, "continue")

    def check(self, said):
        listed, parked, local, spinner, everyone, after = said.split("--- ")
        self.assertRegex(listed, r'\d+ +"parked" +mutex 0x[0-9a-f]+ +-\n', said)
        self.assertRegex(listed, r'\d+ +"spinner" +runs +\d+\n', said)
        self.assertRegex(parked, r"#\d+ .*umcg::sync::mutex::lock_slowly \(", said)
        self.assertRegex(parked, r"#\d+ .*parks_here \(held=.*, parameter=", said)
        self.assertIn("created_worker_main", parked, said)
        self.assertNotIn("everything_is_there", parked, said)
        self.assertRegex(parked, r"^parked\n#0 ", said)
        self.assertIn("workers_to_look_at.cpp", local, said)
        # Maybe below what is inlined there.
        self.assertRegex(spinner, r"#[0-2] .*spins_here", said)
        self.assertRegex(everyone, r'Worker \d+ "parked", mutex(.|\n)*#0 (.|\n)*#2 ', said)
        self.assertRegex(everyone, r'Worker \d+ "spinner", runs(.|\n)*spins_here', said)
        self.assertRegex(after, r"#[01] .*(everything_is_there|raise|pthread_kill)", said)

    def test_live(self):
        self.check(self.live)

    def test_program_goes_on_unharmed(self):
        self.assertIn("exited normally", self.live)

    # The kernel's core file, not that of gdb's generate-core-file: gdb leaves mappings out that it
    # cannot read from end to end, as those with guard pages of MADV_GUARD_INSTALL.
    def test_core(self):
        pattern = Path("/proc/sys/kernel/core_pattern").read_text(encoding="ascii").strip()
        if "/" in pattern or "|" in pattern:
            self.skipTest(f"core files go elsewhere: {pattern}")
        with tempfile.TemporaryDirectory() as folder:
            def allow_core():
                _, most = resource.getrlimit(resource.RLIMIT_CORE)
                resource.setrlimit(resource.RLIMIT_CORE, (most, most))

            subprocess.run([PROGRAM, "abort"], cwd=folder, preexec_fn=allow_core, check=False,
                           stderr=subprocess.DEVNULL, timeout=SECONDS_MAX)
            cores = list(Path(folder).iterdir())
            if not cores:
                self.skipTest("no core file came")
            self.check(gdb(f"core-file {cores[0]}", *LOOK))

    def test_a_worker_that_is_none(self):
        said = gdb("break everything_is_there", "run", "worker 12345 bt", "worker bt", "kill")
        self.assertIn("No worker 12345.", said)
        self.assertIn("worker N COMMAND", said)

    def test_without_a_program(self):
        self.assertIn("No workers.", gdb("info workers"))


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
