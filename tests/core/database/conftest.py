"""Fixtures for the tests of the database."""

import pytest
from access_world import World, make_world

from core.database.session import Database


@pytest.fixture
def world(owner_database: Database) -> World:
    return make_world(owner_database)
