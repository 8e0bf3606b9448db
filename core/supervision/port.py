"""Finding a TCP port that nobody listens on."""

import socket

from core.errors import ServerError

PORTS_TRIED = 50


def next_free_port(host: str, first: int) -> int:
    """The first free port from ``first`` on.

    Raises
    ------
    ServerError
        ``host`` is not an address of this machine, or fifty ports in a row are taken.
    """
    for port in range(first, min(first + PORTS_TRIED, 65536)):
        if _is_free(host, port):
            return port
    raise ServerError(
        f"Every port from {first} to {first + PORTS_TRIED - 1} is taken.", remedy="Name another with --port."
    )


def _is_free(host: str, port: int) -> bool:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except socket.gaierror as error:
        raise ServerError(
            f"{host} is not an address.", remedy="Use 127.0.0.1, 0.0.0.0 or a name of this machine."
        ) from error
    with socket.socket(family, kind, protocol) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a port just given up is free
        try:
            probe.bind(address)
        except OSError:
            return False
    return True
