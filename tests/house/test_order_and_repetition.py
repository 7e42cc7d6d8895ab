"""Which tests begin, and which run again on PostgreSQL: all that can use the database, however they ask for it."""

from __future__ import annotations

import pytest

from portal.demo.world import World
from portal.environment import BASE
from tests.conftest import LONGEST
from tests.world.only_database import uses_database


def test_a_test_that_asks_for_the_database_runs_again(request: pytest.FixtureRequest, db: None) -> None:
    assert uses_database(request.node)


def test_one_whose_fixture_asks_for_it_runs_again(request: pytest.FixtureRequest, portal: World) -> None:
    assert uses_database(request.node)


@pytest.mark.django_db(transaction=True)
def test_one_whose_mark_asks_for_it_runs_again(request: pytest.FixtureRequest) -> None:
    assert uses_database(request.node)


def test_one_that_cannot_use_it_does_not(request: pytest.FixtureRequest) -> None:
    assert not uses_database(request.node)


def test_every_file_that_begins_is_there() -> None:
    assert [name for name in LONGEST if not (BASE / name).exists()] == []
