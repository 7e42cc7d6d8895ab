"""Tags of tables: keys, values, their number, and the ARNs that they may be for."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from tests.emulator.definitions import index, table
from tests.emulator.test_expressions import message
from tests.emulator.world import refusal

INVALID = "One or more parameter values were invalid: "
TOO_MANY = "Number of Tags exceed the current limit for the provided ResourceArn"


@pytest.fixture
def arn(tables: Any) -> Iterator[str]:
    request = table("p", TableName="tagged", GlobalSecondaryIndexes=[index("all", "p")])
    yield tables.create_table(**request)["TableDescription"]["TableArn"]
    tables.delete_table(TableName="tagged")


def tags(**values: str) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in values.items()]


def listed(tables: Any, arn: str) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in tables.list_tags_of_resource(ResourceArn=arn)["Tags"]}


REFUSED: dict[str, tuple[list[dict[str, str]], str]] = {
    "none": ([], "Atleast one Tag needs to be provided as Input."),
    "an empty key": ([{"Key": "", "Value": "x"}], "The Tag Key provided is invalid, Key: "),
    "no key": ([{"Value": "x"}], "The Tag Key provided is invalid, Key: null"),
    "no value": ([{"Key": "x"}], "The Tag Value provided is invalid, Value: null"),
    "a long key": ([{"Key": "k" * 129, "Value": ""}], f"The Tag Key provided is invalid, Key: {'k' * 129}"),
    "a long value": ([{"Key": "k", "Value": "v" * 257}], f"The Tag Value provided is invalid, Value: {'v' * 257}"),
    "a reserved key": (
        [*tags(good="x"), {"Key": "aws:x", "Value": ""}],
        "Tag Key cannot be prefixed with aws:, Key: aws:x",
    ),
    "a key twice": (
        [{"Key": "k", "Value": "1"}, {"Key": "k", "Value": "2"}],
        "Duplicate Tag Keys provided as input: Duplicate Tag Key found k",
    ),
    "51 tags": ([{"Key": str(number), "Value": ""} for number in range(51)], TOO_MANY),
    **{
        f"the sign {sign}": ([{"Key": "k", "Value": sign}], f"The Tag Value provided is invalid, Value: {sign}")
        for sign in ("#", ",", "%", "'", "(", "&", "*", "~", "\U0001f511")
    },
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_a_tag_is_refused_and_none_is_applied(tables: Any, arn: str, case: str) -> None:
    wanted, text = REFUSED[case]
    assert message(tables.tag_resource, ResourceArn=arn, Tags=wanted) == text
    assert listed(tables, arn) == {}
    if wanted:
        assert message(tables.create_table, **table("p", TableName="never-made", Tags=wanted)) == text
        assert "never-made" not in tables.list_tables()["TableNames"]


def test_tags_are_kept_and_replaced(tables: Any, arn: str) -> None:
    first = {"k" * 128: "v" * 256, "empty": "", "Ключ 表\u3000x": "a+b-c=d.e_f:g/h@i"}
    tables.tag_resource(ResourceArn=arn, Tags=tags(**first))
    assert listed(tables, arn) == first
    tables.tag_resource(ResourceArn=arn, Tags=tags(empty="full"))
    assert listed(tables, arn) == {**first, "empty": "full"}
    tables.untag_resource(ResourceArn=arn, TagKeys=["empty", "unknown"])
    assert listed(tables, arn).keys() == first.keys() - {"empty"}


def test_fifty_tags_are_the_most(tables: Any, arn: str) -> None:
    tables.tag_resource(ResourceArn=arn, Tags=tags(**{str(number): "" for number in range(50)}))
    tables.tag_resource(ResourceArn=arn, Tags=tags(**{str(number): "new" for number in range(50)}))
    assert message(tables.tag_resource, ResourceArn=arn, Tags=tags(**{"0": "x", "more": "x"})) == TOO_MANY
    answer = tables.list_tags_of_resource(ResourceArn=arn, NextToken="anything")
    assert len(answer["Tags"]) == 50
    assert "NextToken" not in answer


@pytest.mark.parametrize(
    ("keys", "text"),
    [
        ([], "Atleast one Tag Key needs to be provided as Input."),
        ([""], "The Tag Key provided is invalid, Key: "),
        (["k" * 129], f"The Tag Key provided is invalid, Key: {'k' * 129}"),
        ([str(number) for number in range(51)], TOO_MANY),
    ],
)
def test_keys_to_untag_are_checked(tables: Any, arn: str, keys: list[str], text: str) -> None:
    assert message(tables.untag_resource, ResourceArn=arn, TagKeys=keys) == text


@pytest.mark.parametrize(
    ("found", "text"),
    [
        ("tagged", f"{INVALID}ARNs must start with 'arn:': tagged"),
        ("arn:aws:s3:::tagged", f"{INVALID}Provided Arn is not a DynamoDB resource arn: arn:aws:s3:::tagged"),
        ("{arn}/index/all", (f"{INVALID}Invalid resource arn provided, only table or stream is accepted. "
         "Provided resource arn: {arn}/index/all")),
        ("{other}", "Invalid TableArn: Invalid ResourceArn provided as input {other}"),
    ],
)  # fmt: skip
def test_an_arn_of_no_table_is_refused(tables: Any, arn: str, found: str, text: str) -> None:
    names = {"arn": arn, "other": arn.replace("eu-west-1", "us-east-1")}
    given, expected = found.format(**names), text.format(**names)
    assert message(tables.tag_resource, ResourceArn=given, Tags=tags(k="v")) == expected
    assert message(tables.untag_resource, ResourceArn=given, TagKeys=["k"]) == expected
    assert message(tables.list_tags_of_resource, ResourceArn=given) == expected


def test_tags_of_an_unknown_table_are_not_found(tables: Any, arn: str) -> None:
    for call, more in (
        (tables.tag_resource, {"Tags": tags(k="v")}),
        (tables.untag_resource, {"TagKeys": ["k"]}),
        (tables.list_tags_of_resource, {}),
    ):
        refused = refusal(call, ResourceArn=f"{arn}x", **more)
        assert refused["code"] == "ResourceNotFoundException"
        assert refused["message"] == f"Requested resource not found: ResourceArn: {arn}x not found"


def test_missing_members_are_named(tables: Any, arn: str) -> None:
    null = "failed to satisfy constraint: Member must not be null"
    assert message(tables.tag_resource, ResourceArn=arn) == f"1 validation error detected: Value null at 'tags' {null}"
    assert message(tables.list_tags_of_resource) == f"1 validation error detected: Value null at 'resourceArn' {null}"


def test_tags_written_at_once_are_all_kept(tables: Any, arn: str) -> None:
    names = [f"at-once-{number}" for number in range(8)]
    writers = [
        threading.Thread(target=tables.tag_resource, kwargs={"ResourceArn": arn, "Tags": tags(**{name: "x"})})
        for name in names
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert listed(tables, arn).keys() == set(names)
