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

# Ends only if a worker that waits for a std::mutex gives its one server to the mutex's owner:
# nobody watches for workers that block.
LOCKS = """
#include <condition_variable>
#include <mutex>
#include <umcg/group.hpp>
#include <umcg/posix.hpp>
int main() {
  if (umcg::posix_locks_problem() != nullptr) return 1;
  umcg::group on = umcg::group::start({.servers = 1, .hand_off = {.watch = "off"}});
  std::mutex guards;
  std::condition_variable changed;
  int turns = 0;
  for (int i = 0; i < 20; ++i) {
    on.spawn([&] {
      std::unique_lock lock(guards);
      umcg::yield();
      ++turns;
      changed.notify_all();
      changed.wait(lock, [&] { return turns == 20; });
    }).detach();
  }
  on.stop();
  return turns == 20 ? 0 : 2;
}
"""


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

    def test_program_that_opts_in(self):
        program = self.compile(LOCKS, "$(pkg-config --cflags --libs umcg-posix)")
        self.assertIn("libumcg-posix.so", run(["ldd", str(program)], env=self.environment))
        run([str(program)], env=self.environment, timeout=60)

    def test_program_that_opts_in_with_the_static_libraries(self):
        program = self.compile(LOCKS, "$(pkg-config --cflags --libs --static umcg-posix | "
                               "sed 's/-lumcg-posix/-l:libumcg-posix.a/; "
                               "s/-lumcg /-l:libumcg.a /')")
        self.assertNotIn("libumcg", run(["ldd", str(program)], env=self.environment))
        run([str(program)], env=self.environment, timeout=60)

    def test_program_that_is_made_to_opt_in(self):
        unaware = re.sub(r".*posix.*\n", "", LOCKS)
        program = self.compile(unaware, "$(pkg-config --cflags --libs umcg)")
        library = next(self.root.rglob("libumcg-posix.so"))
        run([str(program)], env={**self.environment, "LD_PRELOAD": str(library)}, timeout=60)

    def test_only_public_headers_and_libraries(self):
        names = {path.name for path in self.root.rglob("*") if path.is_file()}
        strange = {name for name in names
                   if not re.search(r"\.(h|hpp|ipp)$|^libumcg(-posix)?\.(a|so[.\d]*)$"
                                   r"|^umcg(-posix)?\.pc$"
                                    r"|^libumcg\.so\.[\d.]+-gdb\.py$", name)}
        self.assertEqual(strange, set())

    def test_debuggers_extension(self):
        extension = next(self.root.rglob("*-gdb.py"))
        library = next(self.root.rglob(extension.name.removesuffix("-gdb.py")))
        folder = str(library.parent).removeprefix(str(self.root))
        self.assertTrue(str(extension.parent).endswith("share/gdb/auto-load" + folder), extension)

    def build(self, flags):
        """The line of the README, but for the port: another test may have 8080."""
        self.port = free_port()
        text = (SOURCE / "apps/hello/main.cpp").read_text()
        return self.compile(text.replace("127.0.0.1:8080", f"127.0.0.1:{self.port}"), flags)

    def compile(self, text, flags):
        folder = self.root / self.id()
        folder.mkdir()
        (folder / "main.cpp").write_text(text)
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
