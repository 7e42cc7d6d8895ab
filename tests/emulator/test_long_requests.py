"""Requests that are refused for their length cost little before that."""

from typing import Any

import pytest

from emulator import engine
from emulator.access import dynamodb_requests
from emulator.expressions.errors import Invalid
from emulator.expressions.legacy import attribute_updates, attributes_to_get
from emulator.expressions.lexer import Token, tokens_of
from emulator.expressions.updates import apply_update
from emulator.tables.tags import check_tags
from tests.emulator.deviations import allow, as_user
from tests.emulator.world import Stack, refusal


@pytest.mark.parametrize(
    ("operation", "slot"),
    [("DeleteItem", "ConditionExpression"), ("Query", "KeyConditionExpression"), ("Scan", "FilterExpression")],
)
def test_authorization_reads_no_more_of_an_expression_than_can_run(
    monkeypatch: pytest.MonkeyPatch, operation: str, slot: str
) -> None:
    read: list[int] = []

    def recorded(text: str) -> list[Token]:
        read.append(len(text))
        return tokens_of(text)

    monkeypatch.setattr(dynamodb_requests, "tokens_of", recorded)
    with engine.scope("eu-west-1"):
        dynamodb_requests.checks_for(operation, {"TableName": "long", slot: "a = :v AND " * 10_000})
    assert read
    assert max(read) <= 4096


class Name(str):
    """Counts comparisons of names."""

    compared = 0
    __hash__ = str.__hash__

    def __eq__(self, other: object) -> bool:
        Name.compared += 1
        return str.__eq__(self, other)


@pytest.fixture
def many_names(monkeypatch: pytest.MonkeyPatch) -> list[Name]:
    monkeypatch.setattr(Name, "compared", 0)
    return [Name(f"a{number}") for number in range(1000)]


def test_many_attributes_to_get_are_not_compared_with_each_other(many_names: list[Name]) -> None:
    assert len(attributes_to_get(many_names).paths) == 1000
    assert Name.compared < 100_000


def test_many_updates_are_not_compared_with_each_other(many_names: list[Name]) -> None:
    update = attribute_updates({name: {"Value": {"S": "x"}} for name in many_names})
    assert len(apply_update(update, {}, legacy=True)) == 1000
    assert Name.compared < 100_000


def test_many_tags_are_not_compared_with_each_other(many_names: list[Name]) -> None:
    with pytest.raises(Invalid, match="Number of Tags"):
        check_tags([{"Key": name, "Value": "x"} for name in many_names])
    assert Name.compared < 100_000


@pytest.mark.parametrize("asks", ["root", "user"])
@pytest.mark.parametrize("text", ["a=1 AND " * 1100 + "a=1", "(" * 3000 + "a=1" + ")" * 3000], ids=["long", "deep"])
def test_a_statement_that_is_too_long_or_too_deep_is_refused(stack: Stack, asks: str, text: str) -> None:
    rows: Any = stack.root("dynamodb") if asks == "root" else as_user(stack, "dynamodb", allow("dynamodb:*"))
    error = refusal(rows.execute_statement, Statement=f'SELECT * FROM "{stack.table}" WHERE {text}')
    assert (error["code"], error["status"]) == ("ValidationException", 400)


@pytest.mark.parametrize(("operation", "action"), [("TransactWriteItems", "Delete"), ("TransactGetItems", "Get")])
@pytest.mark.parametrize("asks", ["root", "user"])
def test_a_transaction_of_too_many_members_is_refused_for_that(
    stack: Stack, operation: str, action: str, asks: str
) -> None:
    rows: Any = stack.root("dynamodb") if asks == "root" else as_user(stack, "dynamodb", allow("dynamodb:ListTables"))
    members = [
        {action: {"TableName": stack.table, "Key": {"pk": {"S": f"p{n}"}, "sk": {"S": "s"}}}} for n in range(101)
    ]
    call = rows.transact_write_items if operation == "TransactWriteItems" else rows.transact_get_items
    error = refusal(call, TransactItems=members)
    assert error["code"] == "ValidationException"
    assert error["message"].endswith("Member must have length less than or equal to 100")
