#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What ./dev does about packages, on machines that are made up: dpkg-query, apt-get, id and the
builder are replaced by scripts that write down how they were called."""

import os
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
LOGGED = '#!/bin/bash\necho "$(basename "$0") $*" >>"$CALLS"\n'
# Says of each package that it is installed, but for those in MISSING. A package of which nothing is
# known makes dpkg-query fail, as those do that were never installed.
DPKG_QUERY = """#!/bin/bash
status=0
for name in "${@:3}"; do
  if [[ " $MISSING " == *" $name "* ]]; then status=1; else echo "$name installed"; fi
done
exit $status
"""


class Machine:
    """A copy of ./dev with a PATH of its own."""

    def __init__(self, folder):
        self.root = Path(folder)
        self.calls = self.root / "calls"
        self.programs = self.root / "programs"
        self.programs.mkdir()
        for name in ("dev", "packages.txt"):
            shutil.copy(ROOT / name, self.root / name)
        for name in ("apt-get", "python3", "service", "update-rc.d"):
            self.program(name, LOGGED)
        self.program("dpkg-query", DPKG_QUERY)

    def program(self, name, text):
        (self.programs / name).write_text(text)
        (self.programs / name).chmod(0o755)

    def dev(self, *arguments, missing=(), user=0):
        self.program("id", f"#!/bin/bash\necho {user}\n")
        self.calls.write_text("")
        environment = {"PATH": f"{self.programs}:{os.environ['PATH']}", "CALLS": str(self.calls),
                       "MISSING": " ".join(missing)}
        return subprocess.run([str(self.root / "dev"), *arguments], env=environment, text=True,
                              capture_output=True, stdin=subprocess.DEVNULL, check=False)

    def called(self, program):
        return [line.split()[1:] for line in self.calls.read_text().splitlines()
                if line.split()[0] == program]


def group(*names):
    lines = (line.split() for line in (ROOT / "packages.txt").read_text().splitlines())
    return sorted({line[1] for line in lines if line and line[0] in names})


class SetUp(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.machine = Machine(folder.name)

    def test_says_and_does_nothing_when_all_is_there(self):
        done = self.machine.dev("build")
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))
        self.assertEqual(self.machine.called("apt-get"), [])
        self.assertEqual(self.machine.called("python3"), [[".ci/variants.py", "release"]])

    def test_root_installs_what_is_missing_and_says_so(self):
        done = self.machine.dev("build", missing=["meson", "liburing-dev", "wrk"])
        self.assertEqual(done.returncode, 0)
        self.assertIn("liburing-dev meson", done.stdout)
        update, install = self.machine.called("apt-get")
        self.assertEqual(update, ["update"])
        self.assertEqual(install[-2:], ["liburing-dev", "meson"])
        self.assertIn("install", install)
        self.assertNotIn("wrk", install)
        self.assertEqual(len(self.machine.called("python3")), 1)

    def test_fresh_machine(self):
        done = self.machine.dev("test", missing=group("build", "test", "variants", "bench"))
        self.assertEqual(done.returncode, 0)
        install = self.machine.called("apt-get")[1]
        wanted = group("build", "test", "variants")
        self.assertEqual(install[-len(wanted):], wanted)
        self.assertNotIn("nginx-light", install)
        self.assertEqual(self.machine.called("python3"), [[".ci/test.py"]])

    def test_quick_tests_need_no_second_compiler(self):
        self.machine.dev("test", "--quick", missing=["clang", "qemu-user"])
        self.assertEqual(self.machine.called("apt-get"), [])
        self.assertEqual(self.machine.called("python3"), [[".ci/test.py", "--quick"]])

    def test_without_root_names_the_line_to_run(self):
        done = self.machine.dev("demo", missing=["ninja-build", "g++"], user=1000)
        self.assertEqual(done.returncode, 1)
        line = "apt-get install --yes --no-install-recommends g++ ninja-build"
        self.assertEqual(done.stderr.splitlines()[-1], line)
        self.assertEqual(self.machine.called("apt-get"), [])
        self.assertEqual(self.machine.called("python3"), [])

    def test_failing_installation_ends_it(self):
        self.machine.program("apt-get", LOGGED + "echo no network\nexit 100\n")
        done = self.machine.dev("build", missing=["meson"])
        self.assertEqual(done.returncode, 1)
        self.assertIn("no network", done.stdout)
        self.assertEqual(self.machine.called("python3"), [])

    def test_nginx_of_the_package_does_not_keep_running(self):
        self.machine.dev("bench", missing=["nginx-light"])
        self.assertEqual(self.machine.called("service"), [["nginx", "stop"]])
        self.assertEqual(self.machine.called("update-rc.d"), [["nginx", "disable"]])

    def test_unknown_command(self):
        done = self.machine.dev("tset")
        self.assertEqual(done.returncode, 2)
        self.assertIn("no command 'tset'", done.stderr)


if __name__ == "__main__":
    unittest.main()
