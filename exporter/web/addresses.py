"""Listen addresses and their sockets."""

import errno
import socket
from collections.abc import Sequence
from typing import Any, Final

DELIVERY: Final = 30.0
"""Seconds that what was sent may wait for a client to take it; after that its connection is gone."""

_BACKLOG: Final = 1024  # connections that the system keeps until they are accepted
_RECEIVED: Final = 16 * 1024  # bytes of requests that the system holds, and we read at once
_NOT_HERE: Final = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)


_ATTEMPTS: Final = 10  # to find a free port that all addresses of a name can have


def bind(address: str) -> list[socket.socket]:
    """Return listening sockets for ``host:port``, ``:port`` (all addresses) or ``[::1]:port``.

    A name has one for each of its addresses, ``[::]`` takes IPv4 too where the system can. Takes as long as a
    lookup. Raises ValueError where the address is none, OSError where it can't be had.
    """
    host, port = split_address(address)
    try:
        listeners = _listeners(host, port)
    except OSError as error:
        reason = str(error.strerror).partition(" (while")[0]  # what follows repeats the address
        raise OSError(error.errno, f"can't listen on {address}: {reason}") from error
    # Connections inherit these. Without the latter a client that never reads would keep one for good, with
    # all that waits to be sent on it.
    for listener in listeners:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVED)
        if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(DELIVERY * 1000))
    return listeners


def _listeners(host: str, port: int) -> list[socket.socket]:
    if host in ("", "::") and socket.has_dualstack_ipv6():
        everywhere = ("", port)
        return [
            socket.create_server(everywhere, family=socket.AF_INET6, backlog=_BACKLOG, dualstack_ipv6=True)
        ]
    if not host:
        return [socket.create_server(("", port), backlog=_BACKLOG)]
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    # In the order of the lookup, each once. A whole address names the interface of a link-local one, too.
    places = list(dict.fromkeys((family, whole) for family, _, _, _, whole in found))
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            return _on_one_port(places, port)
        except OSError as error:
            # Port 0 is any that is free, but at one address it may not be.
            if port or error.errno != errno.EADDRINUSE or attempt == _ATTEMPTS:
                raise
    raise AssertionError


def _on_one_port(places: Sequence[tuple[int, tuple[Any, ...]]], port: int) -> list[socket.socket]:
    listeners: list[socket.socket] = []
    missing: OSError | None = None
    try:
        for family, whole in places:
            try:
                listener = socket.create_server((whole[0], port, *whole[2:]), family=family, backlog=_BACKLOG)
            except OSError as error:
                if error.errno not in _NOT_HERE:
                    raise
                missing = error  # of a name's addresses this machine needn't have each
            else:
                listeners.append(listener)
                port = listener.getsockname()[1]
    except OSError:
        for listener in listeners:
            listener.close()
        raise
    if not listeners and missing:
        raise missing
    return listeners


def shown_address(listener: socket.socket) -> str:
    """Return where a socket listens, as host:port or [address]:port, a link-local one with its interface."""
    host, port, *more = listener.getsockname()
    interface = f"%{socket.if_indextoname(more[1])}" if more and more[1] else ""
    return f"[{host}{interface}]:{port}" if ":" in host else f"{host}:{port}"


def split_address(address: str) -> tuple[str, int]:
    """Return host (empty for all) and port of a listen address. Raises ValueError where it is none."""
    host, colon, port = address.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        colon = ""
    if (
        not (colon and _can_be_looked_up(host))
        or not (port.isascii() and port.isdigit())
        or len(port) > 5
        or int(port) > 65535
    ):
        raise ValueError(f"must be host:port, :port or [address]:port, got {address}")
    return host, int(port)


def _can_be_looked_up(host: str) -> bool:
    try:
        host.encode("idna")  # as the lookup does, whose error is another kind
    except UnicodeError:
        return False
    return True


def reachable(address: str) -> str:
    """Return an address as it stands in a URL that can be opened on this machine."""
    host, _, port = address.rpartition(":")
    if host in ("0.0.0.0", "[::]"):  # noqa: S104 - nothing is bound
        return f"localhost:{port}"
    return address.replace("%", "%25")  # RFC 6874: the interface of a link-local address
