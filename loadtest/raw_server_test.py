# SPDX-License-Identifier: MIT

"""The lower bound must be a correct server: python3 raw_server_test.py PATH/raw_server"""

import functools
import os
import re
import resource
import socket
import subprocess
import sys
import unittest

REQUEST = b"GET /plaintext HTTP/1.1\r\nHost: test\r\n\r\n"
LONG_REQUEST = REQUEST.replace(b"test", b"another.name")
PROGRAM = "raw_server"
TURN_AROUNDS = ("--linked", "--unlinked", "--separate")


def receive_exactly(peer, count):
    parts = []
    while count > 0:
        part = peer.recv(min(count, 65536))
        if not part:
            break
        parts.append(part)
        count -= len(part)
    return b"".join(parts)


class RunningServer:
    """One server on a port of the kernel's choice; leaving the block stops it and checks that it
    ended cleanly."""

    def __init__(self, *options):
        self.options = options

    def __enter__(self):
        command = [PROGRAM, "--listen", "127.0.0.1:0", *self.options]
        self.child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        url = self.child.stdout.readline()
        self.port = int(re.fullmatch(r"http://127\.0\.0\.1:(\d+)/\n", url).group(1))
        with self.connect() as peer:
            peer.sendall(REQUEST)
            self.answer = peer.recv(4096)
        return self

    def connect(self, receive_buffer=None):
        peer = socket.socket()
        peer.settimeout(10)
        if receive_buffer:
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        peer.connect(("127.0.0.1", self.port))
        return peer

    def __exit__(self, kind, error, trace):
        self.child.terminate()
        status = self.child.wait(timeout=10)
        self.child.stdout.close()
        if kind is None and status != 0:
            raise AssertionError(f"raw_server ended with {status}")


def for_each_turn_around(test):
    """Calls a test method with one fresh server after the other."""

    @functools.wraps(test)
    def repeated(self):
        for option in TURN_AROUNDS:
            with self.subTest(turn_around=option), RunningServer(option) as server:
                test(self, server)

    return repeated


class RawServerTest(unittest.TestCase):
    def test_answer_is_a_complete_response(self):
        with RunningServer() as server:
            head, body = server.answer.split(b"\r\n\r\n")
            self.assertTrue(head.startswith(b"HTTP/1.1 200 OK\r\n"))
            self.assertIn(b"\r\nContent-Length: 13", head)
            self.assertRegex(head, rb"\r\nDate: \w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT")
            self.assertEqual(body, b"Hello, World!")

    @for_each_turn_around
    def test_request_split_at_every_byte_after_a_batch(self, server):
        """The answers to the batch show that the server has seen the first part of the split
        request too."""
        with server.connect() as peer:
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for batch in (1, 20, 70):
                for cut in range(1, len(REQUEST)):
                    peer.sendall(LONG_REQUEST * batch + REQUEST[:cut])
                    expected = server.answer * batch
                    self.assertEqual(receive_exactly(peer, len(expected)), expected)
                    peer.sendall(REQUEST[cut:])
                    self.assertEqual(receive_exactly(peer, len(server.answer)), server.answer)

    @for_each_turn_around
    def test_client_that_reads_late_gets_every_answer(self, server):
        """Fills the socket's buffers in both directions, so that sends become partial."""
        with server.connect(receive_buffer=4096) as peer:
            sent = self.send_until_full(peer)
            self.assertGreater(sent, 10_000)
            whole = sent // len(REQUEST)
            expected = server.answer * whole
            self.assertEqual(receive_exactly(peer, len(expected)), expected)
            peer.sendall(REQUEST[sent % len(REQUEST):] + REQUEST)
            rest = server.answer * (2 if sent % len(REQUEST) else 1)
            self.assertEqual(receive_exactly(peer, len(rest)), rest)

    def send_until_full(self, peer):
        sent = 0
        peer.settimeout(0.5)
        try:
            while True:
                sent += peer.send(REQUEST * 100)
        except TimeoutError:
            peer.settimeout(10)
            return sent

    @for_each_turn_around
    def test_client_that_vanishes_with_answers_in_flight_harms_nobody(self, server):
        for _ in range(20):
            with server.connect(receive_buffer=4096) as peer:
                peer.setblocking(False)
                try:
                    while True:
                        peer.send(REQUEST * 1000)
                except BlockingIOError:
                    pass
        with server.connect() as peer:
            peer.sendall(REQUEST)
            self.assertEqual(receive_exactly(peer, len(server.answer)), server.answer)

    @for_each_turn_around
    def test_request_without_end_is_refused(self, server):
        with server.connect() as peer:
            peer.sendall(b"x" * 2048)
            self.assertEqual(peer.recv(1), b"")

    @for_each_turn_around
    def test_connections_are_closed_when_the_client_closes(self, server):
        for _ in range(200):
            with server.connect() as peer:
                peer.sendall(REQUEST)
                receive_exactly(peer, len(server.answer))
        with server.connect() as peer:
            peer.sendall(REQUEST)
            receive_exactly(peer, len(server.answer))
            self.assertLess(open_descriptors(server.child.pid), 20)


def open_descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


if __name__ == "__main__":
    if len(sys.argv) > 1:
        PROGRAM = sys.argv.pop(1)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    unittest.main()
