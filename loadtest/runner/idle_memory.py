# SPDX-License-Identifier: MIT
"""Resident memory per idle connection: keep-alive connections that have each been served once and
now wait.

Only the server process's own pages count. The kernel's part (sockets, pending io_uring operations)
is not in it.
"""

import contextlib
import socket
import time

from runner import procfs
from runner.servers import get

IDLE_SECONDS = 3


def measure(running, connections):
    """Bytes per connection, and what they were computed from."""
    with open_connection(running.port) as peer:
        get(peer, running.port)
    time.sleep(0.2)
    before = procfs.resident_bytes(running.pid)
    with contextlib.ExitStack() as held:
        for _ in range(connections):
            peer = held.enter_context(open_connection(running.port))
            get(peer, running.port)
        time.sleep(IDLE_SECONDS)
        running.child.check_alive()
        after = procfs.resident_bytes(running.pid)
        cpu = procfs.cpu_seconds(running.pid)
        time.sleep(1)
        idle_cpu = procfs.cpu_seconds(running.pid) - cpu
    return {
        "connections": connections,
        "resident_before_bytes": before,
        "resident_after_bytes": after,
        "bytes_per_connection": round((after - before) / connections, 1),
        "idle_cpu_ms_per_second": round(idle_cpu * 1000, 3),
    }


def open_connection(port):
    return socket.create_connection(("127.0.0.1", port), timeout=10)
