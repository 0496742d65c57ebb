#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Installs the library, builds the README's program as a user would, and asks it for an answer.

Usage: install_test.py BUILD_FOLDER SOURCE_FOLDER
"""

import http.client
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

BUILD, SOURCE = (Path(argument) for argument in sys.argv[1:3])


def run(command, **options):
    done = subprocess.run(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          check=False, **options)
    if done.returncode != 0:
        raise AssertionError(f"{command}: exit status {done.returncode}\n{done.stdout}")
    return done.stdout


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


class Installed(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.root = Path(folder.name)
        run(["meson", "install", "-C", str(BUILD), "--no-rebuild", "--destdir", folder.name])
        description = next(cls.root.rglob("umcg.pc"))
        cls.libraries = description.parent.parent
        cls.environment = {**os.environ, "PKG_CONFIG_PATH": str(description.parent),
                           "LD_LIBRARY_PATH": str(cls.libraries)}

    def test_program_with_the_shared_library(self):
        program = self.build("$(pkg-config --cflags --libs umcg)")
        self.assertIn("libumcg.so", run(["ldd", str(program)], env=self.environment))
        self.serve(program)

    def test_program_with_the_static_library(self):
        program = self.build("$(pkg-config --cflags --libs --static umcg | "
                             "sed 's/-lumcg/-l:libumcg.a/')")
        self.assertNotIn("libumcg.so", run(["ldd", str(program)], env=self.environment))
        self.serve(program)

    def test_only_public_headers_and_libraries(self):
        names = {path.name for path in self.root.rglob("*") if path.is_file()}
        strange = {name for name in names
                   if not re.search(r"\.(h|hpp|ipp)$|^libumcg\.(a|so[.\d]*)$|^umcg\.pc$", name)}
        self.assertEqual(strange, set())

    def build(self, flags):
        """The line of the README, but for the port: another test may have 8080."""
        self.port = free_port()
        text = (SOURCE / "apps/hello/main.cpp").read_text()
        folder = self.root / self.id()
        folder.mkdir()
        (folder / "main.cpp").write_text(text.replace("127.0.0.1:8080", f"127.0.0.1:{self.port}"))
        run(["bash", "-c", f"g++ -std=c++20 main.cpp {flags}"], cwd=folder, env=self.environment)
        return folder / "a.out"

    def serve(self, program):
        child = subprocess.Popen([str(program)], env=self.environment)
        try:
            self.assertEqual(self.answer(child), "Hello, you!\n")
            child.send_signal(signal.SIGTERM)
            self.assertEqual(child.wait(20), 0)
        finally:
            child.kill()
            child.wait()

    def answer(self, child):
        """Asks until the program listens."""
        while child.poll() is None:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
            try:
                connection.request("GET", "/hello/you")
                return connection.getresponse().read().decode()
            except ConnectionRefusedError:
                continue
            finally:
                connection.close()
        self.fail(f"the program ended with {child.returncode}")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
