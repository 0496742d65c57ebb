#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""SIGTERM under load: every request that has begun is answered in full, idle connections are closed
without a word, and the program ends with status 0.

Usage: shutdown_test.py PROGRAM
"""

import concurrent.futures
import shutil
import socket
import subprocess
import sys
import threading
import time
import unittest

from httpd_under_test import (SECONDS_MAX, Httpd, is_whole, raise_descriptor_limit, read_response,
                              read_to_end, request)

PROGRAM = sys.argv.pop(1)


def ask_until_closed(port, path, started):
    """Asks again and again on one connection. Returns how many responses came in full, and what
    came after the last of them: nothing, if the server keeps its word."""
    answered = 0
    with socket.create_connection(("127.0.0.1", port), timeout=SECONDS_MAX) as peer:
        while True:
            try:
                peer.sendall(request(path))
                started.release()
                received = read_response(peer)
            except (ConnectionResetError, BrokenPipeError):
                # The request met a connection that was closing: it had not begun.
                return answered, b""
            if not is_whole(received):
                return answered, received
            answered += 1
            if b"\r\nConnection: close\r\n" in received:
                return answered, read_to_end(peer)


class Shutdown(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        raise_descriptor_limit()

    def expect_clean_end(self, server):
        server.terminate()
        self.assertEqual(server.wait(), (0, ""))

    def test_without_connections(self):
        with Httpd(PROGRAM) as server:
            self.expect_clean_end(server)

    def test_idle_connections_are_closed_at_once(self):
        with Httpd(PROGRAM, "--servers", "2") as server:
            unused = [server.connect() for _ in range(50)]
            used = [server.connect() for _ in range(50)]
            for peer in used:
                peer.sendall(request())
                self.assertTrue(is_whole(read_response(peer)))
            start = time.monotonic()
            self.expect_clean_end(server)
            self.assertLess(time.monotonic() - start, 5, "it waited for its drain timeout")
            for peer in unused + used:
                self.assertEqual(peer.recv(1), b"")

    def test_requests_that_have_begun_are_answered(self):
        """Sleeping in a handler, with half a head, and with half a body."""
        with Httpd(PROGRAM, "--servers", "2") as server:
            sleeping = [server.connect() for _ in range(200)]
            for peer in sleeping:
                peer.sendall(request("/sleep?ms=2000"))
            head = request("/plaintext")
            half_head = server.connect()
            half_head.sendall(head[:20])
            half_body = server.connect()
            half_body.sendall(b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 8\r\n\r\nhalf")
            idle = server.connect()
            # When this one is answered the others have begun, unless the machine is very slow.
            idle.sendall(request("/sleep?ms=500"))
            self.assertTrue(is_whole(read_response(idle)))
            server.terminate()
            self.assertEqual(idle.recv(1), b"")  # which says that the server drains
            half_head.sendall(head[20:])
            half_body.sendall(b"body")
            answers = [read_to_end(peer) for peer in [*sleeping, half_head, half_body]]
            self.assertEqual(server.wait(), (0, ""))
            for answer in answers:
                self.assertTrue(answer.startswith(b"HTTP/1.1 200 OK\r\n"), answer)
                self.assertTrue(is_whole(answer), answer)
                self.assertIn(b"\r\nConnection: close\r\n", answer)
            self.assertTrue(answers[-1].endswith(b"\r\n\r\nhalfbody"))

    def test_under_load(self):
        """No response is cut off, whatever the moment at which the signal meets its connection."""
        for path in ("/plaintext", "/sleep?ms=5"):
            with self.subTest(path=path), Httpd(PROGRAM, "--servers", "2") as server:
                started = threading.Semaphore(0)
                with concurrent.futures.ThreadPoolExecutor(40) as pool:
                    clients = [pool.submit(ask_until_closed, server.port, path, started)
                               for _ in range(40)]
                    for _ in range(2000):
                        self.assertTrue(started.acquire(timeout=SECONDS_MAX))
                    self.expect_clean_end(server)
                    results = [client.result(SECONDS_MAX) for client in clients]
                self.assertEqual([rest for _, rest in results if rest], [])
                self.assertGreater(sum(answered for answered, _ in results), 1900)

    def test_under_the_load_of_wrk(self):
        if not shutil.which("wrk"):
            self.skipTest("wrk is not installed")
        with Httpd(PROGRAM, "--servers", "2") as server:
            load = subprocess.Popen(["wrk", "-t", "1", "-c", "1000", "-d", "30s", server.url()],
                                    stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            try:
                with server.connect() as peer:
                    for _ in range(100):  # the load is there
                        peer.sendall(request())
                        self.assertTrue(is_whole(read_response(peer)))
                self.expect_clean_end(server)
            finally:
                load.kill()
                load.wait()

    def test_a_handler_that_takes_too_long_is_ended(self):
        with Httpd(PROGRAM, configuration='drain_timeout = "200ms"\n') as server:
            with server.connect() as peer:
                peer.sendall(request("/sleep?ms=2000"))
                with server.connect() as later:
                    later.sendall(request("/sleep?ms=100"))
                    read_response(later)
                self.expect_clean_end(server)
                self.assertEqual(read_to_end(peer), b"")


if __name__ == "__main__":
    unittest.main()
