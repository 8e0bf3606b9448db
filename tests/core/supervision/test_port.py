"""A taken port is passed over."""

import socket

import pytest

from core.errors import ServerError
from core.supervision.port import next_free_port


def test_the_next_port_is_taken_where_the_first_is_not_free():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        first = taken.getsockname()[1]
        assert next_free_port("127.0.0.1", first) > first


def test_a_free_port_is_used_as_it_is():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    assert next_free_port("127.0.0.1", port) == port


def test_a_host_that_is_no_address_is_named():
    with pytest.raises(ServerError, match=r"no-such-host\.invalid is not an address"):
        next_free_port("no-such-host.invalid", 8501)
