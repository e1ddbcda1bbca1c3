"""Listen addresses and their sockets."""

import socket
from typing import Final

DELIVERY: Final = 30.0
"""Seconds that what was sent may wait for a client to take it; after that its connection is gone."""


def bind(address: str) -> socket.socket:
    """Return a listening socket for ``host:port``, ``:port`` (all addresses) or ``[::1]:port``.

    Raises ValueError where the address is none, OSError where it can't be had.
    """
    host, port = split_address(address)
    try:
        listener = _listener(host, port)
    except OSError as error:
        reason = str(error.strerror).partition(" (while")[0]  # what follows repeats the address
        raise OSError(error.errno, f"can't listen on {address}: {reason}") from error
    # Connections inherit it. Without it a client that never reads would keep one for good, with all that
    # waits to be sent on it.
    if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(DELIVERY * 1000))
    return listener


def _listener(host: str, port: int) -> socket.socket:
    if host:
        info = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        return socket.create_server(info[4][:2], family=info[0], backlog=1024)
    if socket.has_dualstack_ipv6():
        return socket.create_server(("", port), family=socket.AF_INET6, backlog=1024, dualstack_ipv6=True)
    return socket.create_server(("", port), backlog=1024)


def shown_address(listener: socket.socket) -> str:
    """Return where a socket listens, as host:port or [address]:port."""
    host, port = listener.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


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
    """Return an address as it can be opened on this machine."""
    host, _, port = address.rpartition(":")
    return f"localhost:{port}" if host in ("0.0.0.0", "[::]") else address  # noqa: S104 - nothing is bound
