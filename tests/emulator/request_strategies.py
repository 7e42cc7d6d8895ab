"""Strange requests to DynamoDB, to find one that is checked as one thing and run as another.

These are strategies for hypothesis. They make `Sent` requests, ready to be signed.
"""

import json
from collections.abc import Callable
from functools import cache
from typing import Any

from hypothesis import strategies as st

from tests.emulator.ambiguous_requests import AMBIGUOUS_REQUESTS, Sent
from tests.emulator.world import ACME, GLOBEX, REGION

Data = dict[str, Any]

THINGS = "things-of-all"
INDEX = "by-owner"
_ARN = f"arn:aws:dynamodb:{REGION}:123456789012:table/"
_ORGS = [ACME, GLOBEX, "PUBLIC", ACME.upper(), f"{ACME}0", ACME[:-1], "", "*", f" {ACME}", f"{ACME}\x00"]
_COLLECTIONS = ["orders", "orders", "", f"orders#{GLOBEX}#orders"]
_ODD_VALUES: list[Any] = [
    None,
    5,
    "text",
    [],
    {},
    {"N": "5"},
    {"N": "05.0"},
    {"B": "MTE="},
    {"SS": ["a"]},
    {"NULL": True},
]


@st.composite
def requests_for(draw: st.DrawFn, table: str, family: str) -> Sent:
    operation, data = draw(_calls(table, family))
    plain, target = json.dumps(data), f"DynamoDB_20120810.{operation}"
    if draw(st.sampled_from([True] * 4 + [False])):
        return Sent(target, plain.encode())
    return AMBIGUOUS_REQUESTS[draw(st.sampled_from(sorted(AMBIGUOUS_REQUESTS)))](target, plain)


# ── Parts ───────────────────────────────────────────────────────────────────────────────────────────────────────────

partitions = st.builds("{}#{}".format, st.sampled_from(_ORGS), st.sampled_from(_COLLECTIONS))
foreign = st.just(f"{GLOBEX}#orders")
own = st.just(f"{ACME}#orders")
texts = st.one_of(own, foreign, foreign, partitions)
sort_keys = st.one_of(st.integers(3, 99).map(str), st.sampled_from(["0", "1", "2", ""]), st.integers(3, 99).map(str))


def _odd(value: str) -> st.SearchStrategy[Any]:
    """The same text with other types, with several types, or with a misspelt type."""
    mixed = [{"S": f"{ACME}#orders", "N": value}, {"N": "1", "S": value}, {"s": value}, {"S": value, "X": 1}]
    return st.sampled_from([*mixed, {"S": [value]}, {"M": {"S": {"S": value}}}, {"L": [{"S": value}]}, *_ODD_VALUES])


attributes = texts.flatmap(lambda text: st.one_of(*[st.just({"S": text})] * 4, _odd(text)))
names = st.sampled_from(["pk", "pk", "pk", "#k", "#o", "sk", "owner", "PK", "pk ", "pk.x", "(pk)"])


@st.composite
def keys(draw: st.DrawFn) -> Any:
    if draw(st.sampled_from([True, True, False])):
        return {"pk": {"S": f"{ACME}#orders"}, "sk": {"S": draw(sort_keys)}}
    key: Data = {"pk": draw(attributes), "sk": {"S": draw(sort_keys)}}
    match draw(st.sampled_from(["as it is"] * 6 + ["more", "less", "capitals", "twice", "none"])):
        case "more":
            key["owner"] = draw(attributes)
        case "less":
            del key["sk"]
        case "capitals":
            key = {"PK": key["pk"], "SK": key["sk"]}
        case "twice":
            key["PK"] = {"S": draw(foreign)}
        case "none":
            return draw(st.sampled_from([None, [], "pk", [key]]))
    return key


def _maybe(**members: st.SearchStrategy[Any]) -> st.SearchStrategy[Data]:
    return st.fixed_dictionaries({}, optional=members)


_ALIASES: Data = {"#k": "pk", "#o": "owner", "#s": "sk", "#p": "pk"}
# The value to write, which is mostly another tenant's key.
_wanted = st.one_of(*[st.just({"S": f"{GLOBEX}#orders"})] * 2, attributes)
_VALUES = st.fixed_dictionaries({":v": _wanted, ":own": own.map(lambda text: {"S": text})})
_CONDITIONS = st.sampled_from([
    "attribute_exists(pk)", "attribute_not_exists(pk)", "#k = :v", "pk = :v OR pk <> :v", "begins_with(pk, :own)",
    "NOT pk = :v", "size(pk) > :v", "secret = :v", "((pk = :v))", "pk = ", "contains(#k, :v)", "#undefined = :v",
])  # fmt: skip
_UPDATES = st.sampled_from([
    "SET pk = :v", "SET #k = :v", "SET v = :v", "SET a.b = :v, #p = :v", "SET v = :v, #p = :v", "REMOVE pk",
    "ADD pk :v", "DELETE #k :v",
    "SET v = pk", "SET v = if_not_exists(pk, :v), pk = :v", "SET owner = :v", "REMOVE v SET pk = :v", "set #k=:v",
    "SET v = list_append(#k, :v)", "SET sk = :v", "SET pk[0] = :v", "SET", "",
])  # fmt: skip
_RETURNS = st.sampled_from(["NONE", "ALL_OLD", "ALL_NEW", "UPDATED_OLD", "UPDATED_NEW", "all_old", 1])
_SHOWN = _maybe(
    ReturnValues=_RETURNS,
    ReturnValuesOnConditionCheckFailure=st.sampled_from(["ALL_OLD", "NONE", "X"]),
    ReturnConsumedCapacity=st.sampled_from(["TOTAL", "INDEXES", "NONE"]),
)
_LEGACY = st.builds(
    lambda name, value, operator: {name: {"ComparisonOperator": operator, "AttributeValueList": [value]}},
    st.sampled_from(["pk", "pk", "sk", "#k", "owner"]),
    attributes,
    st.sampled_from(["EQ", "EQ", "EQ", "NE", "GT", "BEGINS_WITH", "NOT_NULL", "IN"]),
)
_EXPRESSIONS = _maybe(
    ConditionExpression=_CONDITIONS, ExpressionAttributeNames=st.just(_ALIASES), ExpressionAttributeValues=_VALUES
)
_CONDITION = st.one_of(
    st.just({}),
    _EXPRESSIONS,
    st.builds(lambda value: {"Expected": {"pk": {"Value": value}}}, attributes),
    st.builds(lambda condition: {"Expected": condition, "ConditionalOperator": "OR"}, _LEGACY),
)
_PROJECTION = _maybe(
    ProjectionExpression=st.sampled_from(["pk", "#k", "secret", "#k.x", "pk, secret", ""]),
    AttributesToGet=st.just(["pk", "secret"]),
    ExpressionAttributeNames=st.just({"#k": "pk"}),
    Select=st.sampled_from(["COUNT", "ALL_ATTRIBUTES", "SPECIFIC_ATTRIBUTES", None, "X"]),
    ConsistentRead=st.sampled_from([True, "true"]),
)


def _tables(table: str) -> st.SearchStrategy[Any]:
    strange = [
        THINGS, _ARN + THINGS, _ARN + table, f"{_ARN}{table}/index/{INDEX}", table.upper(), f"{table} ",
        f"{_ARN.replace(REGION, 'us-east-1')}{table}", f"{_ARN.replace('123456789012', '999999999999')}{table}",
        f"{_ARN.upper()}{table}", f"{_ARN}*", "*", "", None, 7, f"{table}\n", f"arn:aws:dynamodb:::table/{table}",
    ]  # fmt: skip
    return st.sampled_from([table] * 5 * len(strange) + strange)


# ── Calls ───────────────────────────────────────────────────────────────────────────────────────────────────────────

Call = tuple[str, Any]


@cache
def _calls(table: str, family: str) -> st.SearchStrategy[Call]:
    return FAMILIES[family](_statement_tables(table) if family == "statements" else _tables(table))


def _together(*parts: st.SearchStrategy[Data]) -> st.SearchStrategy[Data]:
    return st.tuples(*parts).map(lambda several: {name: value for part in several for name, value in part.items()})


def _on(tables: st.SearchStrategy[Any], **members: st.SearchStrategy[Any]) -> st.SearchStrategy[Data]:
    return st.fixed_dictionaries({"TableName": tables, **members})


_ITEMS = st.builds(
    lambda key, more: {**key, **more} if isinstance(key, dict) else key,
    keys(),
    _maybe(owner=attributes, v=attributes, pk=attributes),
)
_UPDATE = st.one_of(
    st.builds(
        lambda text, values: {
            "UpdateExpression": text,
            "ExpressionAttributeNames": {name: _ALIASES[name] for name in _ALIASES if name in text},
            "ExpressionAttributeValues": {name: values[name] for name in values if name in text},
        },
        _UPDATES,
        _VALUES,
    ).map(lambda update: {name: value for name, value in update.items() if value}),
    st.builds(
        lambda name, action, value: {"AttributeUpdates": {name: {"Action": action, "Value": value}}},
        st.sampled_from(["v", "pk", "pk", "sk", "owner"]),
        st.sampled_from(["PUT", "PUT", "ADD", "DELETE"]),
        _wanted,
    ),
)


def _item_calls(tables: st.SearchStrategy[Any]) -> st.SearchStrategy[Call]:
    by_key = _on(tables, Key=keys())
    return st.one_of(
        st.tuples(st.just("GetItem"), _together(by_key, _PROJECTION)),
        st.tuples(st.just("DeleteItem"), _together(by_key, _CONDITION, _SHOWN)),
        st.tuples(st.just("PutItem"), _together(_on(tables, Item=_ITEMS), _CONDITION, _SHOWN)),
        st.tuples(st.just("UpdateItem"), _together(by_key, _UPDATE, _SHOWN)),
    )


_KEY_CONDITIONS = st.builds(
    lambda form, name, value: {
        "KeyConditionExpression": form.replace("{}", name),
        "ExpressionAttributeNames": {"#k": "pk", "#o": "owner"},
        "ExpressionAttributeValues": {":v": value, ":own": {"S": f"{ACME}#orders"}, ":s": {"S": "0"}},
    },
    st.sampled_from([
        "{} = :v", ":v = {}", "{}=:v", "({} = :v)", "{} = :own AND pk = :v", "pk = :v AND {} = :own",
        "{} = :v OR pk = :v",
        "{} = :v AND sk > :s", "begins_with({}, :v)", "{} BETWEEN :own AND :v", "NOT {} = :v", "{} IN (:own, :v)",
        "{} <> :v", "{} = :own OR {} = :v", "sk = :s AND {} = :v", "{} = :v AND sk BETWEEN :s AND :s",
        "{} =  :undefined",
    ]),
    names,
    attributes,
)  # fmt: skip


def _reads(tables: st.SearchStrategy[Any]) -> st.SearchStrategy[Call]:
    page = _maybe(
        ExclusiveStartKey=keys(),
        Limit=st.sampled_from([1, 2, "1", -1]),
        IndexName=st.sampled_from([INDEX, INDEX, "", None, "*", f"{INDEX}/../..", 3]),
        FilterExpression=_CONDITIONS,
        QueryFilter=_LEGACY,
        ScanIndexForward=st.booleans(),
    )
    condition = st.one_of(_KEY_CONDITIONS, st.builds(lambda legacy: {"KeyConditions": legacy}, _LEGACY))
    both = _together(_KEY_CONDITIONS, st.builds(lambda legacy: {"KeyConditions": legacy}, _LEGACY))
    return st.one_of(
        st.tuples(st.just("Query"), _together(_on(tables), condition)),
        st.tuples(st.just("Query"), _together(_on(tables), page, _PROJECTION, st.one_of(condition, condition, both))),
        st.tuples(st.just("Scan"), _together(_on(tables), page, _PROJECTION)),
    )


def _batches(tables: st.SearchStrategy[Any]) -> st.SearchStrategy[Call]:
    put, delete = st.builds(lambda item: {"PutRequest": {"Item": item}}, _ITEMS), st.builds(
        lambda key: {"DeleteRequest": {"Key": key}}, keys()
    )  # fmt: skip
    both = st.builds(lambda one, other: {**one, **other}, put, delete)
    written = st.lists(st.one_of(put, delete, put, delete, both), min_size=1, max_size=3)
    read = _together(st.fixed_dictionaries({"Keys": st.lists(keys(), min_size=1, max_size=3)}), _PROJECTION)
    named = tables.map(str)
    return st.one_of(
        st.tuples(st.just("BatchGetItem"), st.dictionaries(named, read, min_size=1, max_size=2).map(_request_items)),
        st.tuples(
            st.just("BatchWriteItem"), st.dictionaries(named, written, min_size=1, max_size=2).map(_request_items)
        ),
    )


def _request_items(items: Data) -> Data:
    return {"RequestItems": items}


def _transactions(tables: st.SearchStrategy[Any]) -> st.SearchStrategy[Call]:
    by_key = _on(tables, Key=keys())
    members = {
        "Put": _together(_on(tables, Item=_ITEMS), _CONDITION),
        "Update": _together(by_key, _UPDATE),
        "Delete": _together(by_key, _CONDITION, _SHOWN),
        "ConditionCheck": _together(by_key, _EXPRESSIONS, _SHOWN),
    }
    one = st.one_of([st.fixed_dictionaries({kind: members[kind]}) for kind in [*members, "Update"]])
    two = st.fixed_dictionaries({"Put": members["Put"], "Delete": members["Delete"]})
    token = _maybe(ClientRequestToken=st.sampled_from(["token-1", "token-2"]))
    get = st.fixed_dictionaries({"Get": _together(by_key, _PROJECTION)})
    written = st.fixed_dictionaries({"TransactItems": st.lists(st.one_of(*[one] * 9, two), min_size=1, max_size=2)})
    read = st.fixed_dictionaries({"TransactItems": st.lists(get, max_size=2)})
    return st.one_of(
        st.tuples(st.just("TransactWriteItems"), _together(written, token)),
        st.tuples(st.just("TransactGetItems"), read),
    )


def _statement_tables(table: str) -> st.SearchStrategy[Any]:
    strange = [table, f'"{table}"."{INDEX}"', f'"{THINGS}"."{INDEX}"', f'"{_ARN}{table}"', THINGS]
    return st.sampled_from([f'"{table}"'] * 5 + strange)


def _statements(sources: st.SearchStrategy[Any]) -> st.SearchStrategy[Call]:
    wheres = st.sampled_from([
        "", " WHERE pk = '{}'", " WHERE pk IN ['{}', '{}']", " WHERE pk = '{}' OR 1 = 1", " WHERE \"pk\" = ?",
        " WHERE pk = '{}' -- AND sk = '0'", " WHERE pk = '{}' /* */ AND sk = '0'", " WHERE NOT pk = '{}'",
        " WHERE begins_with(pk, '{}')", " WHERE pk = '{}' AND (sk = '0' OR sk = '1')", " WHERE pk = '{}''s'",
    ])  # fmt: skip
    heads = st.sampled_from(["SELECT * FROM {}", "SELECT secret FROM {}", "DELETE FROM {}", "UPDATE {} SET pk = 'x'"])
    select = st.builds(
        lambda head, source, where, text: (head.format(source) + where.replace("{}", text)),
        heads, sources, wheres, st.one_of(own, foreign),
    )  # fmt: skip
    insert = st.builds(
        lambda source, text: f"INSERT INTO {source} VALUE {{'pk': '{text}', 'sk': 'new'}}", sources, texts
    )
    one = st.builds(
        lambda text, value: {"Statement": text, "Parameters": [value]} if "?" in text else {"Statement": text},
        st.one_of(select, insert),
        attributes,
    )
    several = st.lists(one, min_size=1, max_size=2)
    return st.one_of(
        st.tuples(st.just("ExecuteStatement"), one),
        st.tuples(st.just("BatchExecuteStatement"), several.map(lambda list_: {"Statements": list_})),
        st.tuples(st.just("ExecuteTransaction"), several.map(lambda list_: {"TransactStatements": list_})),
    )


def _whole_table_calls(tables: st.SearchStrategy[Any]) -> st.SearchStrategy[Call]:
    operations = [
        "DescribeTable", "ListTables", "DeleteTable", "UpdateTable", "CreateBackup", "ExportTableToPointInTime",
        "RestoreTableToPointInTime", "UpdateTimeToLive", "TagResource", "PutResourcePolicy", "SearchVectors", "scan",
    ]  # fmt: skip
    return st.tuples(st.sampled_from(operations), _on(tables, TableArn=tables, ResourceArn=tables))


FAMILIES: dict[str, Callable[[st.SearchStrategy[Any]], st.SearchStrategy[Call]]] = {
    "single items": _item_calls,
    "reads of many": _reads,
    "batches": _batches,
    "transactions": _transactions,
    "statements": _statements,
    "whole tables": _whole_table_calls,
}
