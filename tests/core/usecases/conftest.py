"""What the tests of the use cases share."""

import pytest
from desk import Desk

from core.vocabulary import Role


@pytest.fixture
def reviewer(desk: Desk) -> str:
    """A quality-control technician's token."""
    return desk.hire(Role.QC_TECHNICIAN)
