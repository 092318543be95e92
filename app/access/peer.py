"""Finds the user whose program is at the other end of a local connection.

The kernel knows the user of each local socket. NETLINK_SOCK_DIAG looks one socket up in 20 µs; without it,
/proc/net/tcp lists them all (some ms), in the same columns.
"""

import os
import socket
import struct
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

Address = IPv4Address | IPv6Address
End = tuple[Address, int]

ROOT_UID = 0
OVERFLOW_UID = 65534  # stands for all users unknown in this user namespace
OPEN = {1, 4, 5}  # ESTABLISHED, FIN_WAIT1 and FIN_WAIT2: a client that has finished sending may still read its response
NETLINK_SOCK_DIAG, SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST, NLMSG_ERROR = 4, 20, 1, 2
REQUEST = struct.Struct("=IHHIIBBBxI")  # nlmsghdr and the beginning of inet_diag_req_v2
ANSWER = struct.Struct("=IHHIIBB2x48s12xII")  # nlmsghdr, inet_diag_msg: family, state, id, …, uid, inode
ANY_COOKIE = b"\xff" * 8


def end(address: tuple[Any, ...]) -> End:
    """An address of `getpeername()`; IPv4-mapped addresses are converted to IPv4."""
    host = ip_address(str(address[0]).partition("%")[0])
    return (getattr(host, "ipv4_mapped", None) or host), int(address[1])


def user_of_peer(connection: Any) -> int | None:
    """The uid of the program at the other end; None: on another machine, closed, or unknown."""
    try:
        peer, local = end(connection.getpeername()), end(connection.getsockname())
    except (OSError, ValueError, IndexError, TypeError, AttributeError):
        return None
    if not peer[0].is_loopback:
        return None
    for look_up in (ask_kernel, read_tables):
        try:
            uid = look_up(peer, local)
        except OSError:
            continue
        return None if uid == OVERFLOW_UID else uid
    return None


def forms(peer: End, local: End) -> Iterator[tuple[int, End, End]]:
    """The possible address pairs of the peer's own socket: a program may reach an IPv4 address through an
    IPv6 socket.
    """
    if peer[0].version == local[0].version == 4:
        yield socket.AF_INET, peer, local
        yield socket.AF_INET6, mapped(peer), mapped(local)
    elif peer[0].version == local[0].version == 6:
        yield socket.AF_INET6, peer, local


def mapped(end: End) -> End:
    return IPv6Address(b"\0" * 10 + b"\xff\xff" + end[0].packed), end[1]


def ask_kernel(peer: End, local: End) -> int | None:
    """Ask the kernel (sock_diag) for the uid of the program at the other end of a local connection.

    Raises:
        OSError: the kernel does not support it.
    """
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, NETLINK_SOCK_DIAG) as kernel:
        kernel.settimeout(1)
        for family, source, target in forms(peer, local):
            name = struct.pack(
                "!HH16s16s", source[1], target[1], source[0].packed.ljust(16, b"\0"), target[0].packed.ljust(16, b"\0")
            ) + struct.pack("=I", 0)
            size = REQUEST.size + len(name) + len(ANY_COOKIE)
            request = (family, socket.IPPROTO_TCP, 0, sum(1 << state for state in OPEN))
            head = REQUEST.pack(size, SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST, 1, 0, *request)
            kernel.send(head + name + ANY_COOKIE)
            data = kernel.recv(4096)
            kind = struct.unpack_from("=H", data, 4)[0]
            if kind == NLMSG_ERROR:
                if struct.unpack_from("=i", data, 16)[0] != -2:  # ENOENT: no such socket
                    raise OSError("no answer of sock_diag")
                continue
            _, _, _, _, _, _, state, source_address, uid, inode = ANSWER.unpack_from(data)
            # a closed socket has inode 0 and uid 0, whoever owned it
            if source_address[:4] == name[:4] and state in OPEN and inode:
                return int(uid)
    return None


def read_tables(peer: End, local: End) -> int | None:
    """The uid from /proc/net/tcp and tcp6."""
    for family, source, target in forms(peer, local):
        table = Path("/proc/net/tcp" if family == socket.AF_INET else "/proc/net/tcp6")
        names = hexadecimal(source), hexadecimal(target)
        for line in table.read_text().splitlines()[1:] if table.exists() else ():
            columns = line.split()
            if tuple(columns[1:3]) == names and int(columns[3], 16) in OPEN and columns[9] != "0":
                return int(columns[7])
    return None


def hexadecimal(end: End) -> str:
    """An address in the notation of /proc/net/tcp: four bytes each as a native integer, then the port."""
    packed = end[0].packed
    words = (struct.unpack_from("=I", packed, offset)[0] for offset in range(0, len(packed), 4))
    return "".join(f"{word:08X}" for word in words) + f":{end[1]:04X}"


_users: WeakKeyDictionary[Any, int | None] = WeakKeyDictionary()


def is_server_user(connection: Any) -> bool:
    """Whether the server's own user, or root, is at the other end. Checked once per connection."""
    if connection is None:
        return False
    if connection not in _users:
        _users[connection] = user_of_peer(connection)
    return _users[connection] in {os.geteuid(), ROOT_UID}
