# SPDX-License-Identifier: MIT
"""How many requests a server has answered, read from the kernel's TCP counters while it serves.

wrk reports one total for its whole run, connecting included. Every answer has the same size, so the
bytes that the clients have acknowledged say how many answers arrived in any interval, and how many
connections are being served. Uses the sock_diag netlink family (what `ss -ti` uses), which needs no
privilege.
"""

import errno
import socket
import struct
from dataclasses import dataclass

NETLINK_SOCK_DIAG = 4
SOCK_DIAG_BY_FAMILY = 20
NLM_F_REQUEST_DUMP = 0x1 | 0x300
NLMSG_ERROR = 2
NLMSG_DONE = 3
TCP_ESTABLISHED_STATES = 1 << 1
INET_DIAG_INFO = 2
MESSAGE_HEADER = struct.Struct("=IHHII")
DIAG_REQUEST = struct.Struct("=BBBxI")
SOCKET_ID = struct.Struct(">HH16s16s4s8s")
DIAG_MESSAGE_BYTES = 72
ATTRIBUTE_HEADER = struct.Struct("=HH")
BYTES_ACKED_OFFSET = 120  # in struct tcp_info, since Linux 4.1


@dataclass(frozen=True)
class Acknowledged:
    connections: int  # established, as the server's side sees it
    served: int  # those which have got at least one whole answer
    total_bytes: int


def dump_request(port):
    body = DIAG_REQUEST.pack(socket.AF_INET, socket.IPPROTO_TCP, 1 << (INET_DIAG_INFO - 1),
                             TCP_ESTABLISHED_STATES)
    body += SOCKET_ID.pack(port, 0, bytes(16), bytes(16), bytes(4), b"\xff" * 8)
    size = MESSAGE_HEADER.size + len(body)
    return MESSAGE_HEADER.pack(size, SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST_DUMP, 1, 0) + body


def bytes_acked(message):
    """Of one inet_diag_msg with its attributes; None without a tcp_info that is long enough."""
    position = DIAG_MESSAGE_BYTES
    while position + ATTRIBUTE_HEADER.size <= len(message):
        size, kind = ATTRIBUTE_HEADER.unpack_from(message, position)
        if size < ATTRIBUTE_HEADER.size:
            return None
        if kind == INET_DIAG_INFO:
            info = message[position + ATTRIBUTE_HEADER.size:position + size]
            counter = info[BYTES_ACKED_OFFSET:BYTES_ACKED_OFFSET + 8]
            return struct.unpack("=Q", counter)[0] if len(counter) == 8 else None
        position += (size + 3) & ~3
    return None


def messages(datagram):
    """(type, body) of each netlink message."""
    position = 0
    while position + MESSAGE_HEADER.size <= len(datagram):
        size, kind = MESSAGE_HEADER.unpack_from(datagram, position)[:2]
        if size < MESSAGE_HEADER.size:
            return
        yield kind, datagram[position + MESSAGE_HEADER.size:position + size]
        position += (size + 3) & ~3


def acknowledged(port, answer_bytes):
    """Sums up all connections of the server on `port`. Raises OSError where the kernel does not
    tell."""
    connections = served = total = 0
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_SOCK_DIAG) as diag:
        diag.settimeout(10)
        diag.send(dump_request(port))
        while True:
            for kind, body in messages(memoryview(diag.recv(1 << 16))):
                if kind == NLMSG_DONE:
                    return Acknowledged(connections, served, total)
                if kind == NLMSG_ERROR:
                    code = -struct.unpack_from("=i", body)[0]
                    raise OSError(code, f"sock_diag: {errno.errorcode.get(code, code)}")
                count = bytes_acked(body)
                if count is None:
                    raise OSError(errno.ENOTSUP, "sock_diag: no tcp_info")
                connections += 1
                served += count >= answer_bytes
                total += count
