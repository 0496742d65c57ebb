# SPDX-License-Identifier: MIT
"""The servers that are compared: how each is started, when it is ready, and what it answers."""

import contextlib
import random
import shutil
import socket
import time
from dataclasses import dataclass, field
from pathlib import Path

from runner import procfs
from runner.children import Child, ChildFailed, pinned

LOADTEST = Path(__file__).resolve().parent.parent
SERVER_CPU = 0
LOAD_CPU = 1
PLAINTEXT_BODY = b"Hello, World!"


@dataclass(frozen=True)
class Server:
    name: str
    title: str
    program: str
    arguments: tuple = ()
    version_command: tuple = ()

    def command(self, port, directory):
        if self.name == "nginx":
            text = (LOADTEST / "nginx.conf").read_text().replace("@PORT@", str(port))
            (Path(directory) / "nginx.conf").write_text(text)
            return [self.program, "-p", str(directory), "-e", "stderr", "-c", "nginx.conf"]
        return [self.program, "--listen", f"127.0.0.1:{port}", *self.arguments]

    def missing(self):
        """Why it cannot be started, or an empty string."""
        if shutil.which(self.program):
            return ""
        if self.name == "nginx":
            return "nginx is not installed (Debian package nginx-light)"
        return f"{self.program} is not built"


DEFAULT_SERVERS = ("umcg-httpd", "umcg-epoll", "raw_server", "nginx")


def known_servers(build_directory):
    """All servers by name, the default ones and the variants that answer a question of their
    own."""
    build_directory = Path(build_directory).resolve()
    umcg = str(build_directory / "apps/httpd/umcg-httpd")
    raw = str(build_directory / "loadtest/raw_server")
    nginx = shutil.which("nginx") or "/usr/sbin/nginx"
    version = (umcg, "--version")
    servers = [
        Server("umcg-httpd", "umcg-httpd", umcg,
               ("--servers", "1", "--reactor", "io_uring"), version),
        Server("raw_server", "raw_server", raw),
        Server("nginx", "nginx", nginx, version_command=(nginx, "-v")),
        Server("umcg-epoll", "umcg-httpd, epoll reactor", umcg,
               ("--servers", "1", "--reactor", "epoll"), version),
        Server("umcg-unwatched", "umcg-httpd, blocks go unnoticed", umcg,
               ("--servers", "1", "--reactor", "io_uring",
                "--config", str(LOADTEST / "unwatched.toml")), version),
        Server("umcg-futex", "umcg-httpd, futex kernel half", umcg,
               ("--servers", "1", "--kernel", "futex"), version),
    ]
    for turn_around in ("linked", "unlinked", "separate"):
        servers.append(Server(f"raw-{turn_around}", f"raw_server, {turn_around}", raw,
                              (f"--{turn_around}",)))
        servers.append(Server(f"raw-{turn_around}-poll", f"raw_server, {turn_around}, poll first",
                              raw, (f"--{turn_around}", "--poll-first")))
    return {server.name: server for server in servers}


@dataclass(frozen=True)
class Answer:
    """What one GET brings; its size is what turns acknowledged bytes into answers."""

    status_line: str
    fields: dict = field(default_factory=dict)
    total_bytes: int = 0
    body: bytes = b""


@dataclass(frozen=True)
class Running:
    server: Server
    child: Child
    pid: int  # of the process that serves: nginx's worker, not its master
    port: int
    answer: Answer

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}/plaintext"


def free_port():
    """Below the ports that the kernel gives to clients, so that no client of an earlier run can be
    in the way."""
    for _ in range(200):
        port = random.randrange(20000, 32000)
        with socket.socket() as probe:
            with contextlib.suppress(OSError):
                probe.bind(("127.0.0.1", port))
                return port
    raise ChildFailed("no free port between 20000 and 32000")


def read_answer(peer):
    """Reads one response with a Content-Length from a connected socket."""
    received = b""
    while b"\r\n\r\n" not in received:
        part = peer.recv(4096)
        if not part:
            raise ChildFailed(f"connection closed after {received!r}")
        received += part
    head = received.partition(b"\r\n\r\n")[0]
    status_line, *lines = head.decode("latin-1").split("\r\n")
    fields = dict(line.split(": ", 1) for line in lines)
    total = len(head) + 4 + int(fields.get("Content-Length", 0))
    while len(received) < total:
        part = peer.recv(4096)
        if not part:
            raise ChildFailed("connection closed inside of a body")
        received += part
    return Answer(status_line, fields, total, received[len(head) + 4:])


def get(peer, port):
    """One request, byte for byte what wrk sends."""
    peer.sendall(f"GET /plaintext HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
    return read_answer(peer)


def wait_until_ready(child, port, seconds=10):
    deadline = time.monotonic() + seconds
    while True:
        child.check_alive()
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=2) as peer:
                answer = get(peer, port)
                break
        except OSError as error:
            if time.monotonic() > deadline:
                raise child.failure(f"not ready after {seconds} s ({error})") from None
            time.sleep(0.02)
    if not answer.status_line.startswith("HTTP/1.1 200 ") or answer.body != PLAINTEXT_BODY:
        raise child.failure(f"answers /plaintext by {answer.status_line!r} {answer.body!r}")
    return answer


@contextlib.contextmanager
def running(server, directory, cpu=SERVER_CPU):
    """A freshly started server that answers. Stopping it cleanly is part of the deal: a bad end
    raises ChildFailed."""
    port = free_port()
    with Child(pinned(server.command(port, directory), cpu), directory=directory) as child:
        answer = wait_until_ready(child, port)
        workers = procfs.children(child.pid)
        pid = workers[0] if server.name == "nginx" and workers else child.pid
        yield Running(server, child, pid, port, answer)
        child.check_alive()
        status = child.stop()
        if status != 0:
            raise child.failure(f"ended with status {status} when asked to stop")


def fairness_notes(answers):
    """Differences between the answers that are compared, each as a sentence; `answers` by server
    name."""
    notes = []
    umcg, raw = answers.get("umcg-httpd"), answers.get("raw_server")
    if umcg and raw:
        if umcg.total_bytes != raw.total_bytes:
            notes.append(f"NOT FAIR: umcg-httpd answers {umcg.total_bytes} bytes, "
                         f"raw_server {raw.total_bytes}")
        if set(umcg.fields) != set(raw.fields):
            notes.append(f"NOT FAIR: umcg-httpd answers {sorted(umcg.fields)}, "
                         f"raw_server {sorted(raw.fields)}")
    for name in sorted(answers):
        notes.append(f"{name}: {answers[name].total_bytes} bytes, "
                     f"{', '.join(answers[name].fields)}")
    return notes
