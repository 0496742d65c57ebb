#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs umcg-httpd as its user does: options, configuration, requests, signals, exit status.

Usage: program_test.py PROGRAM CONFIGURATION_FILE
"""

import concurrent.futures
import http.client
import re
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

PROGRAM, CONFIGURATION = sys.argv[1:3]
# Whoever starts this in the background of a shell has the two ignored, and so would the servers.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGQUIT, signal.SIG_DFL)

SECONDS_MAX = 20
READY = re.compile(r"umcg-httpd listening on http://(\S+):(\d+)/ \(\S.*\)\n")


# LeakSanitizer looks for the kernel thread of every thread; contexts have none.
NO_KERNEL_THREAD = re.compile(r"==\d+==Running thread \d+ was not suspended\..*\n")


def run(*options):
    """For what ends by itself."""
    told = subprocess.run([PROGRAM, *options], stdin=subprocess.DEVNULL, text=True,
                          capture_output=True, check=False, timeout=SECONDS_MAX)
    told.stderr = NO_KERNEL_THREAD.sub("", told.stderr)
    return told


class Server:
    """One that runs, and does so no longer when the block ends."""

    def __init__(self, *options):
        self.child = subprocess.Popen([PROGRAM, *options], stdin=subprocess.DEVNULL, text=True,
                                      stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.ready = self.child.stdout.readline()
        found = READY.fullmatch(self.ready)
        if not found:
            self.child.kill()
            raise AssertionError(f"not ready: {self.ready!r} {self.child.communicate()[1]!r}")
        self.host, self.port = found.group(1), int(found.group(2))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.child.kill()
        self.child.communicate()

    def connect(self):
        return http.client.HTTPConnection(self.host.strip("[]"), self.port, timeout=SECONDS_MAX)

    def ask(self, path, method="GET", body=None, **fields):
        connection = self.connect()
        try:
            connection.request(method, path, body, fields)
            reply = connection.getresponse()
            return reply.status, reply.getheader("Content-Type"), reply.read()
        finally:
            connection.close()

    def end(self, number):
        """The exit status after a signal, and what was printed after the line with the URL."""
        self.child.send_signal(number)
        return self.ended()

    def ended(self):
        out, err = self.child.communicate(timeout=SECONDS_MAX)
        return self.child.returncode, out, NO_KERNEL_THREAD.sub("", err)


class Requests(unittest.TestCase):
    def test_every_route(self):
        text = "text/plain; charset=utf-8"
        with Server("--listen", "127.0.0.1:0", "--servers", "2") as server:
            self.assertEqual(server.ask("/plaintext"), (200, text, b"Hello, World!"))
            self.assertEqual(server.ask("/json"),
                             (200, "application/json", b'{"message":"Hello, World!"}'))
            self.assertEqual(server.ask("/hello/you"), (200, text, b"Hello, you!\n"))
            self.assertEqual(server.ask("/sleep?ms=1"), (200, text, b"Slept for 1 ms.\n"))
            self.assertEqual(server.ask("/sleep?ms=60001")[0], 400)
            self.assertEqual(server.ask("/echo", "POST", b"a\0b", **{"Content-Type": "x/y"}),
                             (200, "x/y", b"a\0b"))
            status, kind, page = server.ask("/")
            self.assertEqual((status, kind), (200, text))
            self.assertIn(b"/plaintext", page)
            self.assertEqual(server.ask("/nothing")[0], 404)
            self.assertEqual(server.ask("/echo")[0], 405)
            self.assertEqual(server.end(signal.SIGTERM), (0, "", ""))

    def test_a_sleeping_request_holds_up_nobody(self):
        with Server("--listen", "127.0.0.1:0", "--servers", "1") as server:
            begin = time.monotonic()
            with concurrent.futures.ThreadPoolExecutor(40) as pool:
                replies = list(pool.map(server.ask, ["/sleep?ms=500"] * 40))
            seconds = time.monotonic() - begin
            self.assertEqual({reply[0] for reply in replies}, {200})
            self.assertGreaterEqual(seconds, 0.5)
            self.assertLess(seconds, 10)  # 20 one after the other

    def test_the_descriptor_limit_is_raised(self):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(256, hard), hard))
        try:
            with Server("--listen", "127.0.0.1:0", "--servers", "1") as server:
                limits = Path(f"/proc/{server.child.pid}/limits").read_text()
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        now = re.search(r"^Max open files +(\S+) +(\S+)", limits, re.MULTILINE)
        self.assertEqual(now.group(1), now.group(2))


class Proxies(unittest.TestCase):
    HEADER = b"PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\n"

    def reply_to(self, header, *lines):
        """What comes back for the header and a request; nothing: the connection was closed."""
        with tempfile.NamedTemporaryFile("w", suffix=".toml") as file:
            file.write("\n".join(("[proxy]", "header_timeout = '100ms'", *lines)))
            file.flush()
            with Server("--listen", "127.0.0.1:0", "--servers", "1", "--config",
                        file.name) as server, \
                 socket.create_connection((server.host, server.port), SECONDS_MAX) as connection:
                received = b""
                try:
                    connection.sendall(header + b"GET /plaintext HTTP/1.0\r\n\r\n")
                    while data := connection.recv(4096):
                        received += data
                except ConnectionResetError:
                    pass
                return received

    def test_one_that_is_trusted_has_to_send_its_header(self):
        trusted = "trusted = ['10.0.0.0/8', '127.0.0.1']"
        self.assertIn(b"Hello, World!", self.reply_to(self.HEADER, trusted))
        self.assertEqual(self.reply_to(b"", trusted), b"")

    def test_others_are_refused_or_pass(self):
        trusted = "trusted = '10.0.0.0/8'"
        self.assertEqual(self.reply_to(self.HEADER, trusted), b"")
        self.assertEqual(self.reply_to(b"", trusted), b"")
        self.assertIn(b"Hello, World!", self.reply_to(b"", trusted, "others = 'pass'"))
        self.assertIn(b"400 ", self.reply_to(self.HEADER, trusted, "others = 'pass'"))

    def test_without_one_a_header_is_a_bad_request(self):
        self.assertIn(b"400 ", self.reply_to(self.HEADER))


class Signals(unittest.TestCase):
    def test_both_end_it(self):
        for number in signal.SIGTERM, signal.SIGINT:
            with Server("--listen", "127.0.0.1:0", "--servers", "1") as server:
                self.assertEqual(server.end(number), (0, "", ""))

    def test_a_request_that_has_begun_is_answered(self):
        with Server("--listen", "127.0.0.1:0", "--servers", "1") as server:
            with socket.create_connection((server.host, server.port), SECONDS_MAX) as connection:
                connection.sendall(b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n"
                                   b"Expect: 100-continue\r\n\r\n")
                self.assertIn(b"100 Continue", connection.recv(4096))
                server.child.send_signal(signal.SIGTERM)
                self.wait_until_refused(server)
                connection.sendall(b"late")
                received = b""
                while data := connection.recv(4096):
                    received += data
            self.assertTrue(received.startswith(b"HTTP/1.1 200 OK\r\n"), received)
            self.assertTrue(received.endswith(b"\r\n\r\nlate"), received)
            self.assertEqual(server.ended(), (0, "", ""))

    def dump_of(self, server):
        server.child.send_signal(signal.SIGQUIT)
        lines = []
        for line in server.child.stderr:
            lines.append(line)
            if line == "=== umcg: end ===\n":
                break
        return "".join(lines)

    def test_one_shows_what_its_workers_do(self):
        with Server("--listen", "127.0.0.1:0", "--servers", "1") as server:
            with socket.create_connection((server.host, server.port), SECONDS_MAX) as connection:
                connection.sendall(b"GET /plaintext HTTP/1.1\r\nHost: a\r\n\r\n")
                self.assertIn(b"200 OK", connection.recv(4096))
                end = time.monotonic() + SECONDS_MAX
                while '"connection": send, receive on fd ' not in (dump := self.dump_of(server)):
                    self.assertLess(time.monotonic(), end, dump)
            self.assertIn("=== umcg: 2 workers ===", dump)
            self.assertIn('"accept": accept on fd ', dump)
            self.assertIn("serve_connection", dump)
            self.assertRegex(dump, r"\d+ switches")
            self.assertEqual(server.ask("/plaintext")[0], 200)
            self.assertEqual(server.end(signal.SIGTERM), (0, "", ""))

    def test_that_one_can_be_left_alone(self):
        with tempfile.NamedTemporaryFile("w", suffix=".toml") as file:
            file.write("dump_signal = 'none'\n")
            file.flush()
            with Server("--listen", "127.0.0.1:0", "--config", file.name) as server:
                status, _, err = server.end(signal.SIGQUIT)
        self.assertEqual((status, err), (-signal.SIGQUIT, ""))

    def wait_until_refused(self, server):
        end = time.monotonic() + SECONDS_MAX
        while time.monotonic() < end:
            try:
                socket.create_connection((server.host, server.port), SECONDS_MAX).close()
            except ConnectionRefusedError:
                return
            except ConnectionResetError:
                continue  # it was in the queue
        self.fail("still accepts connections after SIGTERM")


class Options(unittest.TestCase):
    def test_help_and_version(self):
        told = run("--help")
        self.assertEqual((told.returncode, told.stderr), (0, ""))
        for word in ("--listen", "--servers", "--config", "--kernel", "--reactor", "--check",
                     "--version", "127.0.0.1:8080", "usermode", "io_uring", "Exit status"):
            self.assertIn(word, told.stdout)
        self.assertLessEqual(max(map(len, told.stdout.splitlines())), 100)
        told = run("--version")
        self.assertEqual((told.returncode, told.stderr), (0, ""))
        self.assertRegex(told.stdout, r"\Aumcg-httpd \d+\.\d+\.\d+\n\Z")

    def test_wrong_options(self):
        for options, words in (
                (["--servers", "two"],
                 'umcg-httpd: --servers: "two" is not a whole number (0 to 256); '),
                (["--servers", "257"], "umcg-httpd: --servers: 257 is out of range (0 to 256); "),
                (["--servers"], "umcg-httpd: --servers: "),
                (["--listen", "localhost:80"],
                 'umcg-httpd: --listen: "localhost:80" is not an address and a port '),
                (["--listen", ":1", "--listen", ":2"], "umcg-httpd: --listen: "),
                (["--kernel", "linux"], 'umcg-httpd: --kernel: "linux" is not a choice '),
                (["--reactor", ""], 'umcg-httpd: --reactor: "" is not a choice '),
                (["--unheard-of"], "umcg-httpd: "),
                (["unheard-of"], "umcg-httpd: "),
                (["--check=3"], "umcg-httpd: ")):
            with self.subTest(options):
                told = run(*options)
                self.assertEqual((told.returncode, told.stdout), (2, ""))
                self.assertTrue(told.stderr.startswith(words), told.stderr)
                self.assertTrue(told.stderr.endswith("; see umcg-httpd --help\n"), told.stderr)
                self.assertEqual(told.stderr.count("\n"), 1)

    def test_a_port_in_use(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            where = f"127.0.0.1:{taken.getsockname()[1]}"
            told = run("--listen", where, "--servers", "1")
        self.assertEqual((told.returncode, told.stdout), (1, ""))
        self.assertRegex(told.stderr, rf"\A[^\n]*{where}[^\n]*Address already in use[^\n]*\n\Z")


class Configuration(unittest.TestCase):
    def write(self, text):
        file = tempfile.NamedTemporaryFile("w", suffix=".toml")
        self.addCleanup(file.close)
        file.write(text)
        file.flush()
        return file.name

    def test_the_shipped_one_is_the_default(self):
        told = run("--config", CONFIGURATION, "--check")
        self.assertEqual((told.returncode, told.stderr), (0, ""))
        self.assertEqual(told.stdout, run("--check").stdout)

    def test_options_win_over_the_file(self):
        path = self.write('listen = "127.0.0.1:1"\nservers = 7\nkernel = "futex"\n')
        told = run("--servers", "2", "--check", "--config", path)
        self.assertEqual((told.returncode, told.stderr), (0, ""))
        self.assertIn('listen = "127.0.0.1:1"\nservers = 2\nkernel = "futex"\n', told.stdout)
        again = run("--check", "--config", self.write(told.stdout))
        self.assertEqual(again.stdout, told.stdout)

    def test_a_bad_file_is_refused(self):
        path = self.write('servers = 300\n\nlisen = ":80"\n')
        for options in ([], ["--check"]):
            told = run("--config", path, *options)
            self.assertEqual((told.returncode, told.stdout), (1, ""))
            self.assertEqual(told.stderr, f"{path}:1: servers: 300 is out of range (0 to 256)\n"
                                          f"{path}:3: lisen: unknown key; did you mean listen?\n")

    def test_a_missing_file_is_refused(self):
        told = run("--config", "/nowhere/httpd.toml")
        self.assertEqual((told.returncode, told.stdout), (1, ""))
        self.assertEqual(told.stderr,
                         "/nowhere/httpd.toml: cannot be read: No such file or directory\n")

    def test_it_is_used(self):
        path = self.write('listen = "[::1]:0"\nserver_name = "configured"\n'
                          '[limits]\nbody_size = "4B"\n')
        with Server("--config", path, "--servers", "1") as server:
            self.assertEqual(server.host, "[::1]")
            self.assertEqual(server.ask("/echo", "POST", b"1234")[0], 200)
            self.assertEqual(server.ask("/echo", "POST", b"12345")[0], 413)
            connection = server.connect()
            connection.request("GET", "/plaintext")
            self.assertEqual(connection.getresponse().getheader("Server"), "configured")
            connection.close()
            self.assertEqual(server.end(signal.SIGTERM), (0, "", ""))


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
