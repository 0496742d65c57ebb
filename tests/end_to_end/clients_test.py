#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The clients that people use and measure with talk to umcg-httpd without one error: curl, wrk, hey
and h2load, with few connections and with a thousand, kept alive and not.

Usage: clients_test.py PROGRAM
"""

import re
import shutil
import subprocess
import sys
import unittest

from httpd_under_test import Httpd, raise_descriptor_limit

PROGRAM = sys.argv.pop(1)
LOAD_SECONDS = 2
CLIENT_SECONDS_MAX = 60
# (connections, whether they are kept alive)
LOADS = ((64, True), (64, False), (1000, True), (1000, False))
BODY = b"Hello, World!"


def run(command):
    """The output of a client that has to succeed."""
    if not shutil.which(command[0]):
        raise unittest.SkipTest(f"{command[0]} is not installed")
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False,
                          timeout=CLIENT_SECONDS_MAX)
    if done.returncode != 0:
        raise AssertionError(f"{' '.join(command)}: exit status {done.returncode}\n"
                             f"{done.stdout.decode()}{done.stderr.decode()}")
    return done.stdout


class Clients(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        raise_descriptor_limit()
        cls.server = Httpd(PROGRAM, "--servers", "2")
        cls.addClassCleanup(cls.server.__exit__)

    def tearDown(self):
        self.assertIsNone(self.server.child.poll(), "the server has ended")


class Curl(Clients):
    def test_one_request(self):
        self.assertEqual(run(["curl", "-sS", "--fail", self.server.url()]), BODY)

    def test_head(self):
        answer = run(["curl", "-sS", "--fail", "--head", self.server.url()])
        self.assertTrue(answer.startswith(b"HTTP/1.1 200 "), answer)
        self.assertIn(b"\r\nContent-Length: 13\r\n", answer)

    def test_bodies_both_ways(self):
        for fields in ([], ["-H", "Transfer-Encoding: chunked"]):
            answer = run(["curl", "-sS", "--fail", "--data-binary", "a" * 100_000, *fields,
                          self.server.url("/echo")])
            self.assertEqual(answer, b"a" * 100_000)

    def test_requests_share_a_connection(self):
        answer = run(["curl", "-sS", "--fail", "-w", "%{num_connects}\n", self.server.url(),
                      self.server.url("/json"), self.server.url("/hello/you")])
        self.assertEqual(re.findall(rb"([01])\n", answer), [b"1", b"0", b"0"])

    def test_many_at_once(self):
        for fields in ([], ["-H", "Connection: close"]):
            answer = run(["curl", "-sS", "--fail", "--no-progress-meter", "--parallel",
                          "--parallel-max", "64", "--parallel-immediate", *fields,
                          self.server.url("/plaintext?[1-2000]")])
            self.assertEqual(answer, BODY * 2000)


class Wrk(Clients):
    def test_load(self):
        for connections, keep_alive in LOADS:
            with self.subTest(connections=connections, keep_alive=keep_alive):
                close = [] if keep_alive else ["-H", "Connection: close"]
                out = run(["wrk", "-t", "1", "-c", str(connections), "-d", f"{LOAD_SECONDS}s",
                           "--timeout", "20s", *close, self.server.url()]).decode()
                self.assertNotIn("Socket errors", out)
                self.assertNotIn("Non-2xx", out)
                answered = int(re.search(r"(\d+) requests in", out).group(1))
                self.assertGreaterEqual(answered, connections, out)


class Hey(Clients):
    def test_load(self):
        for connections, keep_alive in LOADS:
            with self.subTest(connections=connections, keep_alive=keep_alive):
                close = [] if keep_alive else ["-disable-keepalive"]
                wanted = connections * 10
                out = run(["hey", "-c", str(connections), "-n", str(wanted), "-t", "20", *close,
                           self.server.url()]).decode()
                self.assertNotIn("Error distribution", out)
                statuses = re.findall(r"^\s*\[(\d+)\]\s+(\d+) responses", out, re.MULTILINE)
                self.assertEqual(statuses, [("200", str(wanted))], out)


class H2load(Clients):
    def test_load(self):
        for connections, keep_alive in LOADS:
            with self.subTest(connections=connections, keep_alive=keep_alive):
                close = [] if keep_alive else ["-H", "Connection: close"]
                wanted = connections * 10
                out = run(["h2load", "--h1", "-t", "1", "-c", str(connections), "-n", str(wanted),
                           *close, self.server.url()]).decode()
                self.assertIn(f"{wanted} done, {wanted} succeeded, 0 failed, 0 errored", out)
                self.assertIn(f"status codes: {wanted} 2xx, 0 3xx, 0 4xx, 0 5xx", out)


if __name__ == "__main__":
    unittest.main()
