# SPDX-License-Identifier: MIT
"""Thousands of keep-alive clients on one thread: all connect, all ask, all wait for answers."""

import select
import socket
import time

from httpd_under_test import is_whole, response_bytes

EVENTS_MAX = 1024


class Clients:
    """`count` connections, each of which has one request under way at most."""

    def __init__(self, port, count, seconds_max):
        self.until = time.monotonic() + seconds_max
        self.port = port
        self.ready = select.epoll()
        self.peers = {}
        self.received = {}
        while len(self.peers) < count:
            self.connect_some(min(count - len(self.peers), EVENTS_MAX))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for peer in self.peers.values():
            peer.close()
        self.ready.close()

    def seconds_left(self):
        return max(self.until - time.monotonic(), 0)

    def connect_some(self, count):
        """Not more at once than the listener's queue holds."""
        begun = set()
        for _ in range(count):
            peer = socket.socket()
            peer.setblocking(False)
            peer.connect_ex(("127.0.0.1", self.port))
            self.ready.register(peer, select.EPOLLOUT)
            self.peers[peer.fileno()] = peer
            begun.add(peer.fileno())
        while begun:
            for fd, _ in self.next_events("connect"):
                error = self.peers[fd].getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                if error:
                    raise AssertionError(f"connection {len(self.peers)}: error {error}")
                self.ready.modify(fd, select.EPOLLIN)
                begun.remove(fd)

    def next_events(self, wish):
        events = self.ready.poll(self.seconds_left(), EVENTS_MAX)
        if not events:
            raise AssertionError(f"too late to {wish}")
        return events

    def ask(self, request):
        """Every client sends `request`. Returns how long it took until the last one had all of its
        response, and the responses."""
        start = time.monotonic()
        self.received = dict.fromkeys(self.peers, b"")
        for peer in self.peers.values():
            if peer.send(request) != len(request):
                raise AssertionError("a request did not fit into the socket's buffer")
        waiting = len(self.peers)
        while waiting:
            for fd, _ in self.next_events(f"see {waiting} of {len(self.peers)} responses"):
                waiting -= self.receive(fd)
        return time.monotonic() - start, list(self.received.values())

    def receive(self, fd):
        """Whether that completes the response of the client."""
        part = self.peers[fd].recv(65536)
        received = self.received[fd] + part
        if not part or len(received) > (response_bytes(received) or len(received)):
            raise AssertionError(f"connection ended or has too much: {received!r}")
        self.received[fd] = received
        return is_whole(received)
