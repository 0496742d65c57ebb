# SPDX-License-Identifier: MIT
"""Keep-alive clients some of which reset their connections, at once replaced by others."""

import collections
import random
import select
import socket
import struct
import time

from httpd_under_test import is_whole, request

EVENTS_MAX = 1024
LINGER_NOT = struct.pack("ii", 1, 0)
SECONDS_TO_CONNECT = 60
SECONDS_TO_ANSWER = 60
# A reset comes so long after the request, which by then has a handler that sleeps.
RESET_DELAY_SECONDS = 0.02
PLAIN = request("/plaintext")
SLOW = request("/sleep?ms=100")
WAYS_TO_RESET = ("idle", "in a head", "asked", "in a handler")


class Connection:
    def __init__(self, peer):
        self.peer = peer
        self.asked_at = None  # while it waits for an answer
        self.received = b""


class ResettingClients:
    """`count` connections from `address` to the port; each has one request under way at most."""

    def __init__(self, address, port, count, seed):
        self.address = address
        self.port = port
        self.random = random.Random(seed)
        self.ready = select.epoll()
        self.connections = {}
        self.turns = collections.deque()  # descriptors, by when it is their turn
        self.doomed = collections.deque()  # (when, connection), by when it is reset
        self.answers = 0
        self.resets = 0
        for _ in range(count):
            self.connect()

    def connect(self):
        peer = socket.socket()
        peer.setsockopt(socket.IPPROTO_IP, socket.IP_BIND_ADDRESS_NO_PORT, 1)
        peer.bind((self.address, 0))
        peer.settimeout(SECONDS_TO_CONNECT)
        peer.connect(("127.0.0.1", self.port))
        peer.setblocking(False)
        self.ready.register(peer, select.EPOLLIN)
        self.connections[peer.fileno()] = Connection(peer)
        self.turns.append(peer.fileno())

    def warm_up(self):
        """Every worker of the server goes the long ways once: what it needs for them, it keeps."""
        for way in WAYS_TO_RESET:
            for one in list(self.connections.values()):
                self.ask(one, SLOW)
                self.receive_some(0)
            while any(one.asked_at for one in self.connections.values()):
                self.receive_some(SECONDS_TO_ANSWER)
            for one in list(self.connections.values()):
                self.begin_reset(one, way)
            while self.doomed:
                self.receive_some(RESET_DELAY_SECONDS)
        self.turns = collections.deque(self.connections)
        self.answers = self.resets = 0

    def receive_some(self, seconds_max):
        self.reset_doomed(time.monotonic())
        for fd, _ in self.ready.poll(seconds_max, EVENTS_MAX):
            self.receive(fd)

    def live(self, until, turns_per_second, resets_per_hundred):
        """Goes on until then. An answer that is wrong or does not come raises AssertionError."""
        start = time.monotonic()
        made = 0
        while (now := time.monotonic()) < until:
            due = int((now - start) * turns_per_second)
            for _ in range(min(due - made, EVENTS_MAX)):
                self.take_turn(resets_per_hundred)
            made = due
            self.receive_some(1 / turns_per_second)

    def take_turn(self, resets_per_hundred):
        fd = self.turns.popleft()
        one = self.connections[fd]
        if one.asked_at is not None:
            return self.wait_on(fd, one)
        if self.random.randrange(100) < resets_per_hundred:
            return self.begin_reset(one, self.random.choice(WAYS_TO_RESET))
        self.ask(one, PLAIN)
        self.turns.append(fd)
        return None

    def wait_on(self, fd, one):
        """For clients, too, have to wait for a CPU."""
        if time.monotonic() > one.asked_at + SECONDS_TO_ANSWER:
            raise AssertionError(f"no answer, only {one.received!r}")
        self.turns.append(fd)

    @staticmethod
    def ask(one, what):
        if one.peer.send(what) != len(what):
            raise AssertionError("a request did not fit into the socket's buffer")
        one.asked_at = time.monotonic()
        one.received = b""

    def begin_reset(self, one, way):
        if way == "in a head":
            one.peer.send(PLAIN[:self.random.randrange(1, len(PLAIN) - 1)])
        elif way == "asked":
            one.peer.send(PLAIN)
        elif way == "in a handler":
            self.ask(one, SLOW)
            self.doomed.append((time.monotonic() + RESET_DELAY_SECONDS, one))
            return
        self.reset(one)

    def reset_doomed(self, now):
        while self.doomed and self.doomed[0][0] <= now:
            self.reset(self.doomed.popleft()[1])

    def reset(self, one):
        """The peer sees ECONNRESET. Another connection takes its place."""
        del self.connections[one.peer.fileno()]
        one.peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_NOT)
        one.peer.close()
        self.resets += 1
        self.connect()

    def receive(self, fd):
        one = self.connections.get(fd)
        if one is None:
            return
        try:
            part = one.peer.recv(65536)
        except BlockingIOError:
            return  # of a connection before that had its number
        one.received += part
        if not part or one.asked_at is None:
            raise AssertionError(f"the server ends a connection, or adds {one.received!r}")
        if is_whole(one.received):
            if not one.received.startswith(b"HTTP/1.1 200 OK\r\n"):
                raise AssertionError(f"refused: {one.received!r}")
            one.asked_at = None
            self.answers += 1

    def close(self):
        for one in self.connections.values():
            one.peer.close()
        self.ready.close()
