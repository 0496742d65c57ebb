#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What misbehaving and too many clients do to the others: nothing that lasts. Clients that send a
byte now and then are told so and closed; more connections than there are descriptors wait, and are
served when others have gone.

Usage: overload_test.py PROGRAM
"""

import selectors
import socket
import sys
import time
import unittest

from httpd_under_test import (SECONDS_MAX, Httpd, is_whole, raise_descriptor_limit, read_response,
                              request)

PROGRAM = sys.argv.pop(1)
HEAD = (b"GET /plaintext HTTP/1.1\r\nHost: a\r\n" + b"X-Field: %s\r\n" % (b"x" * 4000) + b"\r\n")
BODY_HEAD = b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 4000\r\n\r\n"


class SlowClients:
    """Each sends the next byte of what it has to say at every step()."""

    def __init__(self, server, count, wanted, at_once):
        self.wanted = wanted[at_once:]
        self.sent = 0
        self.events = selectors.DefaultSelector()
        self.received = {}
        for _ in range(count):
            peer = server.connect()
            peer.sendall(wanted[:at_once])
            peer.setblocking(False)
            self.events.register(peer, selectors.EVENT_READ)
            self.received[peer] = b""

    def open(self):
        return bool(self.events.get_map())

    def step(self, seconds):
        """Sends a byte each and then looks at what comes for so long."""
        for key in list(self.events.get_map().values()):
            try:
                key.fileobj.send(self.wanted[self.sent:self.sent + 1])
            except OSError:
                pass  # what the server has said is still there to be read
        self.sent += 1
        until = time.monotonic() + seconds
        while self.open() and time.monotonic() < until:
            for key, _ in self.events.select(max(until - time.monotonic(), 0)):
                self.receive(key.fileobj)

    def receive(self, peer):
        try:
            part = peer.recv(65536)
        except ConnectionResetError:
            part = b""
        self.received[peer] += part
        if not part:
            self.events.unregister(peer)


class Overload(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.descriptors = raise_descriptor_limit()

    def expect_slow_clients_refused(self, wanted, at_once, configuration):
        count = 300
        with Httpd(PROGRAM, "--servers", "1", configuration=configuration) as server:
            slow = SlowClients(server, count, wanted, at_once)
            others = server.connect()
            longest = 0.0
            start = time.monotonic()
            while slow.open():
                self.assertLess(time.monotonic() - start, SECONDS_MAX, "they are still connected")
                slow.step(0.05)
                asked = time.monotonic()
                others.sendall(request())
                self.assertTrue(is_whole(read_response(others)))
                longest = max(longest, time.monotonic() - asked)
            lasted = time.monotonic() - start
            print(f"{count} slow clients: closed after {lasted:.2f} s; longest answer to others: "
                  f"{longest * 1000:.1f} ms")
            for received in slow.received.values():
                self.assertTrue(received.startswith(b"HTTP/1.1 408 "), received)
                self.assertTrue(is_whole(received), received)
                self.assertIn(b"\r\nConnection: close\r\n", received)
            self.assertLess(longest, 5)

    def test_a_head_byte_by_byte(self):
        self.expect_slow_clients_refused(HEAD, 1, '[limits]\nrequest_head_timeout = "1s"\n')

    def test_a_body_byte_by_byte(self):
        self.expect_slow_clients_refused(BODY_HEAD + b"x" * 4000, len(BODY_HEAD),
                                         '[limits]\nrequest_body_timeout = "1s"\n')

    def test_silent_clients_are_closed(self):
        with Httpd(PROGRAM, configuration='[limits]\nkeep_alive_timeout = "300ms"\n') as server:
            start = time.monotonic()
            silent = [server.connect() for _ in range(300)]
            for peer in silent:
                self.assertEqual(peer.recv(1), b"")
            self.assertGreaterEqual(time.monotonic() - start, 0.25)

    def test_clients_that_do_not_read_are_closed(self):
        """Its answers fill the buffers of both sides; then the server gives up."""
        with Httpd(PROGRAM, configuration='[limits]\nresponse_timeout = "300ms"\n') as server:
            deaf = server.connect()
            deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            body = b"x" * 1_000_000
            deaf.settimeout(SECONDS_MAX)
            with self.assertRaises((BrokenPipeError, ConnectionResetError)):
                while True:
                    deaf.sendall(b"POST /echo HTTP/1.1\r\nHost: a\r\n"
                                 b"Content-Length: 1000000\r\n\r\n")
                    deaf.sendall(body)
            with server.connect() as other:
                other.sendall(request())
                self.assertTrue(is_whole(read_response(other)))

    def test_connections_beyond_the_descriptors(self):
        allowed = 128
        wanted = 400
        with Httpd(PROGRAM, "--servers", "2", descriptors=allowed) as server:
            crowd = [server.connect() for _ in range(wanted)]
            for peer in crowd:
                peer.sendall(request())
            # The server is full, and does not burn its time on accepting what it cannot.
            first = crowd.pop(0)
            self.assertTrue(is_whole(read_response(first)))
            self.expect_calm(server)
            self.assertLessEqual(server.descriptors(), allowed)
            self.expect_all_served(crowd)
            with server.connect() as later:
                later.sendall(request())
                self.assertTrue(is_whole(read_response(later)))
            server.terminate()
            status, complaints = server.wait()
            self.assertEqual(status, 0)
            self.assertIn("cannot accept", complaints)
            self.assertLess(len(complaints.splitlines()), 20, complaints)

    def expect_all_served(self, crowd):
        """That each gets its answer, in whatever order, and makes room for another."""
        with selectors.DefaultSelector() as answered:
            for peer in crowd:
                answered.register(peer, selectors.EVENT_READ)
            while answered.get_map():
                ready = answered.select(SECONDS_MAX)
                self.assertTrue(ready, f"{len(answered.get_map())} clients are not served")
                for key, _ in ready:
                    self.assertTrue(is_whole(read_response(key.fileobj)))
                    answered.unregister(key.fileobj)
                    key.fileobj.close()

    def expect_calm(self, server):
        """That it uses less than a tenth of a CPU, in the best of a few tenths of a second."""
        used = []
        with selectors.DefaultSelector() as nothing:
            for _ in range(5):
                before = server.cpu_seconds()
                nothing.select(0.3)
                used.append(server.cpu_seconds() - before)
        self.assertLessEqual(min(used), 0.03)

    def test_connections_that_wait_too_long_are_closed(self):
        """While those that the server has are served on; and later ones are accepted again."""
        for reactor in ("io_uring", "epoll"):
            with Httpd(PROGRAM, "--servers", "1", "--reactor", reactor, descriptors=64) as server:
                held = [server.connect() for _ in range(64)]
                for peer in held:
                    peer.sendall(request())
                self.assertTrue(is_whole(read_response(held[0])))
                closed = held[-1]  # of those that found no descriptor
                self.assertEqual(self.read_to_end(closed), b"")
                held[0].sendall(request())
                self.assertTrue(is_whole(read_response(held[0])), "it was not served on")
                for peer in held:
                    peer.close()
                with server.connect() as later:
                    later.sendall(request())
                    self.assertTrue(is_whole(read_response(later)))
                server.terminate()
                status, complaints = server.wait()
                self.assertEqual(status, 0)
                self.assertIn("connections that waited", complaints)
                self.assertLess(len(complaints.splitlines()), 20, complaints)

    def read_to_end(self, peer):
        try:
            return peer.recv(65536)
        except ConnectionResetError:
            return b""

    def test_a_flood_that_goes_away_unserved(self):
        """Connections that are reset while they wait to be accepted, again and again."""
        with Httpd(PROGRAM, "--servers", "2", descriptors=128) as server:
            for _ in range(10):
                crowd = [server.connect() for _ in range(300)]
                for number, peer in enumerate(crowd):
                    if number % 2:
                        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                        b"\1\0\0\0" + b"\0\0\0\0")
                    peer.close()
            with server.connect() as later:
                later.sendall(request())
                self.assertTrue(is_whole(read_response(later)))
            server.terminate()
            self.assertEqual(server.wait()[0], 0)


if __name__ == "__main__":
    unittest.main()
