"""Which definitions of tables CreateTable refuses, and with which words."""

from typing import Any

import pytest

from tests.emulator.definitions import attributes, index, keys, table, units
from tests.emulator.test_expressions import message
from tests.emulator.world import refusal

INVALID = "One or more parameter values were invalid: "
LONG = "n" * 256
AT_MOST_255 = "Member must have length less than or equal to 255"
G, L = "GlobalSecondaryIndexes", "LocalSecondaryIndexes"


def projected(kind: str | None, *names: str) -> dict[str, Any]:
    return {"Projection": {"ProjectionType": kind, "NonKeyAttributes": list(names)}} if names else {
        "Projection": {"ProjectionType": kind} if kind else {}
    }  # fmt: skip


def one(found: str) -> str:
    return f"1 validation error detected: Value {found}"


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "no name": (table("p", TableName=None), "The parameter 'TableName' is required but was not present in the request"),
    "a short name": (
        table("p", TableName="ab"),
        one("'ab' at 'tableName' failed to satisfy constraint: Member must have length greater than or equal to 3"),
    ),
    "a name with a space": (
        table("p", TableName="a b"),
        one("'a b' at 'tableName' failed to satisfy constraint: "
            "Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+"),
    ),
    "no key": (
        table("p", KeySchema=None),
        one("null at 'keySchema' failed to satisfy constraint: Member must not be null"),
    ),
    "no attributes": (
        table("p", AttributeDefinitions=None),
        one("null at 'attributeDefinitions' failed to satisfy constraint: Member must not be null"),
    ),
    "a key of three attributes": (
        table("p", "c", "d"),
        one("'[KeySchemaElement(attributeName=p, keyType=HASH), KeySchemaElement(attributeName=c, keyType=RANGE), "
            "KeySchemaElement(attributeName=d, keyType=RANGE)]' at 'keySchema' failed to satisfy constraint: "
            "Member must have length less than or equal to 2"),
    ),
    "a long name of a key attribute": (
        table(LONG),
        (f"2 validation errors detected: Value '{LONG}' at 'attributeDefinitions.1.member.attributeName' failed to "
        f"satisfy constraint: {AT_MOST_255}; Value '{LONG}' at 'keySchema.1.member.attributeName' failed to satisfy "
        f"constraint: {AT_MOST_255}"),
    ),
    "an attribute type that no key has": (
        table("p", AttributeDefinitions=attributes("p", kind="BOOL")),
        one("'BOOL' at 'attributeDefinitions.1.member.attributeType' failed to satisfy constraint: "
            "Member must satisfy enum value set: [B, N, S]"),
    ),
    "two partition keys": (
        table("p", "C"),
        "Invalid KeySchema: The second KeySchemaElement is not a RANGE key type",
    ),
    "a sort key first": (
        table("p", "c", KeySchema=keys("p", "c")[::-1]),
        "Invalid KeySchema: The first KeySchemaElement is not a HASH key type",
    ),
    "one attribute as both keys": (
        table("p", "p", defined=("p", "c")),
        "Both the Hash Key and the Range Key element in the KeySchema have the same name",
    ),
    "an attribute defined twice": (table("p", defined=("p", "p")), "Attribute Name is duplicated: p"),
    "fewer definitions than keys": (
        table("p", "c", defined=("p",)),
        "Invalid KeySchema: Some index key attribute have no definition",
    ),
    "another definition": (
        table("p", defined=("q",)),
        (f"{INVALID}Some index key attributes are not defined in AttributeDefinitions. "
        "Keys: [p], AttributeDefinitions: [q]"),
    ),
    "a spare definition": (
        table("p", defined=("p", "q")),
        (f"{INVALID}Number of attributes in KeySchema does not exactly match number of attributes defined in "
        "AttributeDefinitions"),
    ),
    "a spare definition beside indexes": (
        table("p", defined=("p", "x", "q"), **{G: [index("by-x", "x")]}),
        f"{INVALID}Some AttributeDefinitions are not used. AttributeDefinitions: [p, x, q], keys used: [x, p]",
    ),
    "an index key without definition": (
        table("p", **{G: [index("by-x", "x")]}),
        (f"{INVALID}Some index key attributes are not defined in AttributeDefinitions. "
        "Keys: [x], AttributeDefinitions: [p]"),
    ),
    "no global index": (table("p", **{G: []}), f"{INVALID}List of GlobalSecondaryIndexes is empty"),
    "no local index": (table("p", "c", **{L: []}), f"{INVALID}List of LocalSecondaryIndexes is empty"),
    "21 global indexes": (
        table("p", **{G: [index(f"by-{number}", "p") for number in range(21)]}),
        f"{INVALID}GlobalSecondaryIndex count exceeds the per-table limit of 20",
    ),
    "6 local indexes": (
        table("p", "c", **{L: [index(f"by-{number}", "p", "c") for number in range(6)]}),
        f"{INVALID}Number of LocalSecondaryIndexes exceeds per-table limit of 5",
    ),
    "a name of two indexes": (
        table("p", "c", **{G: [index("same", "p")], L: [index("same", "p", "c")]}),
        f"{INVALID}Duplicate index name: same",
    ),
    "a local index of a table without a sort key": (
        table("p", **{L: [index("local", "p")]}),
        f"{INVALID}Table KeySchema does not have a range key, which is required when specifying a LocalSecondaryIndex",
    ),
    "a local index without a sort key": (
        table("p", "c", **{L: [index("local", "p")]}),
        f"{INVALID}Index KeySchema does not have a range key for index: local",
    ),
    "a local index of another partition": (
        table("p", "c", **{L: [index("local", "c", "p")]}),
        (f"{INVALID}Index KeySchema does not have the same leading hash key as table KeySchema for index: local. "
        "index hash key: c, table hash key: p"),
    ),
    "five HASH attributes": (
        table("p", defined=("p", *"ABCDE"), **{G: [index("many", *"ABCDE")]}),
        f"{INVALID}The KeySchema exceeds the maximum allowed number of HASH key attributes",
    ),
    "five RANGE attributes": (
        table("p", defined=("p", *"abcde"), **{G: [index("many", "p", *"abcde")]}),
        f"{INVALID}The KeySchema exceeds the maximum allowed number of RANGE key attributes",
    ),
    "a HASH attribute after a RANGE attribute": (
        table("p", defined=("p", "a", "B"), **{G: [index("mixed", "p", "a", "B")]}),
        f"{INVALID}All HASH key attributes must precede RANGE key attributes in the KeySchema",
    ),
    "an attribute twice in a key": (
        table("p", defined=("p", "a"), **{G: [index("twice", "p", "a", "a")]}),
        "The KeySchema contains multiple key attributes with the same name",
    ),
    "an index of RANGE attributes only": (
        table("p", **{G: [{**index("range", "p"), "KeySchema": [{"AttributeName": "p", "KeyType": "RANGE"}]}]}),
        "Invalid KeySchema: The first KeySchemaElement is not a HASH key type",
    ),
    "no projection": (
        table("p", **{G: [{"IndexName": "all", "KeySchema": keys("p")}]}),
        one("null at 'globalSecondaryIndexes.1.member.projection' failed to satisfy constraint: "
            "Member must not be null"),
    ),
    "no type of projection": (
        table("p", **{G: [index("all", "p", **projected(None))]}),
        f"{INVALID}Unknown ProjectionType: null",
    ),
    "an unknown type of projection": (
        table("p", **{G: [index("all", "p", **projected("all"))]}),
        one("'all' at 'globalSecondaryIndexes.1.member.projection.projectionType' failed to satisfy constraint: "
            "Member must satisfy enum value set: [ALL, INCLUDE, KEYS_ONLY]"),
    ),
    "attributes beside all": (
        table("p", **{G: [index("all", "p", **projected("ALL", "a"))]}),
        f"{INVALID}ProjectionType is ALL, but NonKeyAttributes is specified",
    ),
    "attributes beside keys only": (
        table("p", "c", **{L: [index("keys", "p", "c", **projected("KEYS_ONLY", "a"))]}),
        f"{INVALID}ProjectionType is KEYS_ONLY, but NonKeyAttributes is specified",
    ),
    "nothing included": (
        table("p", **{G: [index("include", "p", **projected("INCLUDE"))]}),
        f"{INVALID}ProjectionType is INCLUDE, but NonKeyAttributes is not specified",
    ),
    "an attribute included twice": (
        table("p", **{G: [index("include", "p", **projected("INCLUDE", "a", "b", "a"))]}),
        f"{INVALID}Duplicate element in NonKeyAttributes: a",
    ),
    "101 attributes included": (
        table("p", **{G: [index(f"by-{number}", "p", **projected("INCLUDE", *(f"a{each}" for each in range(17))))
                          for number in range(6)]}),
        f"{INVALID}The total number of NonKeyAttributes of all indexes exceeds the limit of 100",
    ),
    "a long name included": (
        table("p", **{G: [index("include", "p", **projected("INCLUDE", LONG))]}),
        one(f"'[{LONG}]' at 'globalSecondaryIndexes.1.member.projection.nonKeyAttributes' failed to satisfy "
            f"constraint: Member must satisfy constraint: [{AT_MOST_255}, Member must have length greater than or "
            "equal to 1]"),
    ),
    "a short name of an index": (
        table("p", **{G: [index("ab", "p")]}),
        one("'ab' at 'globalSecondaryIndexes.1.member.indexName' failed to satisfy constraint: "
            "Member must have length greater than or equal to 3"),
    ),
    "an unknown billing mode": (
        table("p", BillingMode="FREE"),
        one("'FREE' at 'billingMode' failed to satisfy constraint: "
            "Member must satisfy enum value set: [PROVISIONED, PAY_PER_REQUEST]"),
    ),
    "units on demand": (
        table("p", ProvisionedThroughput=units(1, 1)),
        (f"{INVALID}Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is "
        "PAY_PER_REQUEST"),
    ),
    "no units": (
        table("p", BillingMode=None),
        f"{INVALID}ReadCapacityUnits and WriteCapacityUnits must both be specified when BillingMode is PROVISIONED",
    ),
    "zero units": (
        table("p", BillingMode=None, ProvisionedThroughput=units(0, 1)),
        one("'0' at 'provisionedThroughput.readCapacityUnits' failed to satisfy constraint: "
            "Member must have value greater than or equal to 1"),
    ),
    "units of an index on demand": (
        table("p", **{G: [index("all", "p", ProvisionedThroughput=units(1, 1))]}),
        f"{INVALID}ProvisionedThroughput should not be specified for index: all when BillingMode is PAY_PER_REQUEST",
    ),
    "an index without units": (
        table("p", BillingMode=None, ProvisionedThroughput=units(1, 1), **{G: [index("all", "p")]}),
        f"{INVALID}ProvisionedThroughput is not specified for index: all",
    ),
    "a maximum beside units": (
        table("p", BillingMode=None, ProvisionedThroughput=units(1, 1), OnDemandThroughput={"MaxReadRequestUnits": 9}),
        (f"{INVALID}MaxReadRequestUnits for OnDemandThroughput cannot be specified when the table BillingMode is "
        "PROVISIONED"),
    ),
    "an unknown class": (
        table("p", TableClass="COLD"),
        ("Invalid table-class parameter provided. Please try again with a valid table-class value: "
        "[STANDARD, STANDARD_INFREQUENT_ACCESS]."),
    ),
    "a kind of encryption that is off": (
        table("p", SSESpecification={"Enabled": False, "SSEType": "KMS"}),
        f"{INVALID}SSEType can not be specified if Enabled is false",
    ),
    "an encryption that does not exist": (
        table("p", SSESpecification={"Enabled": True, "SSEType": "AES256"}),
        f"{INVALID}SSEType AES256 is not supported",
    ),
    "a reserved tag": (
        table("p", Tags=[{"Key": "aws:x", "Value": "y"}]),
        "Tag Key cannot be prefixed with aws:, Key: aws:x",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_a_definition_is_refused_in_words(tables: Any, case: str) -> None:
    request, text = REFUSED[case]
    assert message(tables.create_table, **request) == text
    assert "defined" not in tables.list_tables()["TableNames"]


ACCEPTED: dict[str, dict[str, Any]] = {
    "four and four key attributes": table(
        "p", defined=("p", *"ABCDefgh"), **{G: [index("many", *"ABCDefgh")]}
    ),
    "the table's key in an index": table("p", "c", defined=("p", "c", "x"), **{G: [index("by-x", "x", "p", "c")]}),
    "an index like the table": table("p", "c", **{G: [index("defined", "p", "c")], L: [index("local", "p", "c")]}),
    "a key attribute included": table("p", **{G: [index("all", "p", **projected("INCLUDE", "p"))]}),
    "20 attributes included in each of 5 indexes": table(
        "p", **{G: [index(f"by-{number}", "p", **projected("INCLUDE", *(f"a{each}" for each in range(20))))
                    for number in range(5)]},
    ),
    "names of 255 bytes": table("n" * 255, **{G: [index("i" * 255, "n" * 255)]}),
    "no tags": table("p", Tags=[]),
    "units": table("p", BillingMode=None, ProvisionedThroughput=units(1, 1),
                   **{G: [index("all", "p", ProvisionedThroughput=units(1, 1))]}),
}  # fmt: skip


@pytest.mark.parametrize("case", ACCEPTED)
def test_a_definition_is_accepted(tables: Any, case: str) -> None:
    tables.create_table(**ACCEPTED[case])
    described = tables.describe_table(TableName="defined")["Table"]
    tables.delete_table(TableName="defined")
    assert described["KeySchema"] == ACCEPTED[case]["KeySchema"]
    wanted = {each["IndexName"]: each["KeySchema"] for each in ACCEPTED[case].get(G, [])}
    assert {each["IndexName"]: each["KeySchema"] for each in described.get(G, [])} == wanted


def test_a_table_that_exists_is_in_use_unless_the_definition_is_wrong(tables: Any) -> None:
    tables.create_table(**table("p"))
    again = refusal(tables.create_table, **table("p", "c"))
    wrong = refusal(tables.create_table, **table("p", defined=("q",)))
    tables.delete_table(TableName="defined")
    assert (again["code"], again["message"]) == ("ResourceInUseException", "Table already exists: defined")
    assert wrong["code"] == "ValidationException"


def test_an_arn_names_a_table(tables: Any) -> None:
    arn = tables.create_table(**table("p"))["TableDescription"]["TableArn"]
    assert tables.describe_table(TableName=arn)["Table"]["TableName"] == "defined"
    assert refusal(tables.create_table, **table("p", TableName=arn))["code"] == "ResourceInUseException"
    elsewhere = arn.replace("eu-west-1", "us-east-1")
    assert message(tables.describe_table, TableName=elsewhere) == (
        f"1 validation error detected: Invalid AWS region in '{elsewhere}'"
    )
    assert message(tables.describe_table, TableName=f"{arn}/index/x") == (
        f"1 validation error detected: Invalid resource type in '{arn}/index/x'"
    )
    tables.delete_table(TableName=arn)
    missing = refusal(tables.delete_table, TableName=arn)
    assert missing["message"] == "Requested resource not found: Table: defined not found"
    tables.create_table(**table("p", TableName=arn))
    tables.delete_table(TableName="defined")
