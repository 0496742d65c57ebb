# SPDX-License-Identifier: MIT
"""umcg-httpd as the end-to-end tests see it: started, asked, stopped, watched from outside."""

import os
import re
import resource
import signal
import socket
import subprocess
import tempfile
from pathlib import Path

SECONDS_MAX = 60
READY = re.compile(r"umcg-httpd listening on http://(\S+):(\d+)/ \(\S.*\)\n")
WITH_DESCRIPTORS = 'ulimit -n "$0" && exec "$@"'


def sanitizer_in(program):
    """The sanitizer that the program was built with: "thread", "address" or ""."""
    content = Path(program).read_bytes()
    for name, symbol in (("thread", b"__tsan_init"), ("address", b"__asan_init")):
        if symbol in content:
            return name
    return ""


def raise_descriptor_limit():
    """As many descriptors as this process may have. Returns how many those are."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


class Httpd:
    """A running umcg-httpd; the end of the block is its end."""

    def __init__(self, program, *options, configuration="", descriptors=None):
        self.folder = tempfile.TemporaryDirectory()
        file = Path(self.folder.name) / "httpd.toml"
        file.write_text(configuration)
        command = [program, "--config", str(file), "--listen", "127.0.0.1:0", *options]
        if descriptors:
            command = ["sh", "-c", WITH_DESCRIPTORS, str(descriptors), *command]
        self.child = subprocess.Popen(command, stdin=subprocess.DEVNULL, text=True,
                                      stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.ready = self.child.stdout.readline()
        found = READY.fullmatch(self.ready)
        if not found:
            self.child.kill()
            raise AssertionError(f"not ready: {self.ready!r} {self.child.communicate()[1]!r}")
        self.port = int(found.group(2))
        self.peers = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for peer in self.peers:
            peer.close()
        self.child.kill()
        self.child.communicate()
        self.folder.cleanup()

    def url(self, path="/plaintext"):
        return f"http://127.0.0.1:{self.port}{path}"

    def connect(self):
        """A connection, which is closed at the end of the block at the latest."""
        peer = socket.create_connection(("127.0.0.1", self.port), timeout=SECONDS_MAX)
        self.peers.append(peer)
        return peer

    def terminate(self):
        self.child.send_signal(signal.SIGTERM)

    def wait(self):
        """The exit status, and what it has complained of."""
        complaints = self.child.communicate(timeout=SECONDS_MAX)[1]
        return self.child.returncode, complaints

    def cpu_seconds(self):
        fields = Path(f"/proc/{self.child.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.child.pid}/fd"))


def request(path="/plaintext", *fields):
    lines = [f"GET {path} HTTP/1.1", "Host: 127.0.0.1", *fields]
    return "".join(line + "\r\n" for line in [*lines, ""]).encode()


def response_bytes(received):
    """How many bytes the first response in `received` has; None as long as its head is not all
    there."""
    head, separator, _ = received.partition(b"\r\n\r\n")
    if not separator:
        return None
    length = re.search(rb"\r\nContent-Length: (\d+)", head)
    return len(head) + len(separator) + (int(length.group(1)) if length else 0)


def is_whole(received):
    """Whether `received` is one response, complete, and nothing more."""
    return response_bytes(received) == len(received)


def read_response(peer):
    """All of one response; less, if the connection ends before."""
    received = b""
    while not is_whole(received):
        part = peer.recv(65536)
        if not part:
            break
        received += part
    return received


def read_to_end(peer):
    received = b""
    while part := peer.recv(65536):
        received += part
    return received
