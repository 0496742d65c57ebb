# SPDX-License-Identifier: MIT
"""HTTPS beside nginx's and Asio's: what a request on a kept connection costs, what a full
handshake costs, what an idle connection occupies. In each round each measurement runs all servers
one after the other, each started afresh, and the next round starts with another server.
"""

import contextlib
import re
import socket
import ssl
import statistics
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from runner import procfs, servers, wrk
from runner.children import Child, ChildFailed, pinned

NGINX_TLS = """ ssl;
        ssl_certificate {0}/{1}.pem;
        ssl_certificate_key {0}/{1}.key;
        ssl_protocols TLSv1.2 TLSv1.3"""
KEYS = {"ecdsa": ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"], "rsa": ["rsa:2048"]}
CONNECTIONS = 64
HANDSHAKERS = 4  # clients at once


@dataclass(frozen=True)
class Measurement:
    name: str
    unit: str
    key: str  # of KEYS


REQUESTS = Measurement("request, kept connection, c=64", "us of CPU", "ecdsa")
HANDSHAKES = (Measurement("full handshake, ECDSA P-256", "us of CPU", "ecdsa"),
              Measurement("full handshake, RSA 2048", "us of CPU", "rsa"))
IDLE = Measurement("idle connection", "bytes resident", "ecdsa")
MEASUREMENTS = (REQUESTS, *HANDSHAKES, IDLE)


def asio_ssl(build_directory):
    """Asio's own stream over TLS, without a framework around it."""
    program = Path(build_directory).resolve() / "loadtest/asio_tls_server"
    return servers.Server("asio-ssl", "callbacks on asio::ssl::stream", str(program))


def make_certificates(folder):
    """Self-signed ones; nobody verifies them."""
    for name, key in KEYS.items():
        subprocess.run(["openssl", "req", "-x509", "-newkey", *key, "-nodes", "-days", "2",
                        "-subj", "/CN=127.0.0.1", "-keyout", f"{folder}/{name}.key", "-out",
                        f"{folder}/{name}.pem"], check=True, capture_output=True)


def command(server, port, key, folder):
    words = server.command(port, folder)
    if server.name == "nginx":
        file = Path(folder) / "nginx.conf"
        listen = f"listen 127.0.0.1:{port} backlog=4096"
        file.write_text(file.read_text().replace(listen,
                                                 listen + NGINX_TLS.format(folder, key)))
        return words
    return [*words, "--tls-certificate", f"{folder}/{key}.pem", "--tls-key", f"{folder}/{key}.key"]


def connect(port):
    careless = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    careless.check_hostname = False
    careless.verify_mode = ssl.CERT_NONE
    return careless.wrap_socket(socket.create_connection(("127.0.0.1", port), timeout=10))


def wait_until_ready(child, port, seconds=10):
    deadline = time.monotonic() + seconds
    while True:
        child.check_alive()
        try:
            with connect(port) as peer:
                answer = servers.get(peer, port)
                break
        except OSError as error:
            if time.monotonic() > deadline:
                raise child.failure(f"not ready after {seconds} s ({error})") from None
            time.sleep(0.02)
    if answer.body != servers.PLAINTEXT_BODY:
        raise child.failure(f"answers /plaintext by {answer.body!r}")


@contextlib.contextmanager
def running(server, key, folder):
    """(port, pid of the process that serves)"""
    port = servers.free_port()
    with Child(pinned(command(server, port, key, folder), servers.SERVER_CPU),
               directory=folder) as child:
        wait_until_ready(child, port)
        workers = procfs.children(child.pid)
        yield port, workers[0] if server.name == "nginx" and workers else child.pid
        child.check_alive()


def measure_requests(port, pid, seconds):
    """CPU time of the server for each request of the whole run, connecting included: 64 handshakes
    are nothing beside what follows."""
    load = ["wrk", "--threads", "1", "--connections", str(CONNECTIONS), "--duration",
            f"{seconds}s", "--timeout", "30s", "--latency",
            f"https://127.0.0.1:{port}/plaintext"]
    before = procfs.cpu_seconds(pid)
    done = subprocess.run(pinned(load, servers.LOAD_CPU), capture_output=True, text=True,
                          check=False, timeout=seconds + 60)
    used = procfs.cpu_seconds(pid) - before
    summary = wrk.parse(done.stdout)
    if summary.bad_statuses or summary.requests == 0:
        raise ChildFailed(f"{summary.requests} requests, {summary.bad_statuses} not 2xx")
    return used / summary.requests * 1e6


def measure_handshakes(port, pid, seconds):
    """CPU time of the server for each connection of clients that resume no session (wrk does)."""
    client = ["openssl", "s_time", "-connect", f"127.0.0.1:{port}", "-new", "-time", str(seconds)]
    before = procfs.cpu_seconds(pid)
    with contextlib.ExitStack() as held:
        clients = [held.enter_context(Child(pinned(client, servers.LOAD_CPU)))
                   for _ in range(HANDSHAKERS)]
        for each in clients:
            each.running.wait(seconds + 60)
        texts = [each.text() for each in clients]
    used = procfs.cpu_seconds(pid) - before
    made = sum(int(re.search(r"^(\d+) connections in \d+ real", text, re.MULTILINE).group(1))
               for text in texts)
    return used / made * 1e6


def measure_idle(port, pid, connections):
    with connect(port) as peer:
        servers.get(peer, port)
    time.sleep(0.2)
    before = procfs.resident_bytes(pid)
    with contextlib.ExitStack() as held:
        for _ in range(connections):
            peer = held.enter_context(connect(port))
            servers.get(peer, port)
        time.sleep(1)
        return (procfs.resident_bytes(pid) - before) / connections


def measure(measurement, server, settings):
    with tempfile.TemporaryDirectory(prefix="umcg-bench-") as folder:
        make_certificates(folder)
        with running(server, measurement.key, folder) as (port, pid):
            if measurement is IDLE:
                return measure_idle(port, pid, settings.connections)
            if measurement is REQUESTS:
                return measure_requests(port, pid, settings.seconds)
            return measure_handshakes(port, pid, settings.seconds)


def table(figures, chosen):
    """Medians with the range of the rounds, and the ratio to nginx inside of each round."""
    lines = []
    for measurement in MEASUREMENTS:
        lines += [f"{measurement.name} ({measurement.unit})"]
        reference = figures.get((measurement.name, "nginx"), [])
        for server in chosen:
            values = figures[measurement.name, server.name]
            text = (f"  {server.name:<12} {statistics.median(values):10.1f}  "
                    f"({min(values):.1f} to {max(values):.1f})")
            if reference and server.name != "nginx":
                ratios = [own / other for own, other in zip(values, reference)]
                text += (f"   / nginx {statistics.median(ratios):.3f} "
                         f"({min(ratios):.3f} to {max(ratios):.3f})")
            lines.append(text)
    return "\n".join(lines)


def run(settings, chosen, say):
    figures = {}
    for number in range(settings.rounds):
        order = chosen[number % len(chosen):] + chosen[:number % len(chosen)]
        for measurement in MEASUREMENTS:
            for server in order:
                value = measure(measurement, server, settings)
                figures.setdefault((measurement.name, server.name), []).append(value)
                say(f"round {number + 1}  {server.name:<12} {value:10.1f} {measurement.unit}, "
                    f"{measurement.name}")
    return table(figures, chosen)
