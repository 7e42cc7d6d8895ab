"""The fast parser and botocore's own have the same output for every input."""

import base64
import json
from typing import Any

import botocore.session
from botocore.parsers import JSONParser
from hypothesis import given
from hypothesis import strategies as st

from tenants.aws.attribute_values import AttributeValueParser

SHAPES = botocore.session.Session().get_service_model("dynamodb")

binary = st.binary(max_size=12).map(lambda content: base64.b64encode(content).decode())
scalar = st.one_of(
    st.text(max_size=8).map(lambda text: {"S": text}),
    st.integers().map(lambda number: {"N": str(number)}),
    binary.map(lambda content: {"B": content}),
    st.booleans().map(lambda truth: {"BOOL": truth}),
    st.just({"NULL": True}),
    st.lists(st.text(max_size=4), max_size=3).map(lambda texts: {"SS": texts}),
    st.lists(st.integers().map(str), max_size=3).map(lambda numbers: {"NS": numbers}),
    st.lists(binary, max_size=3).map(lambda contents: {"BS": contents}),
)
value = st.recursive(
    scalar,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda parts: {"L": parts}),
        st.dictionaries(st.text(max_size=4), inner, max_size=3).map(lambda parts: {"M": parts}),
    ),
    max_leaves=8,
)
# No server should send these, but the two parsers must agree on them too.
odd = st.sampled_from([{}, {"S": None}, {"S": "a", "N": None}, {"N": "1", "S": "a"}, {"NEW": "?"}, {"M": {"a": {}}}])
item = st.dictionaries(st.text(max_size=6), st.one_of(value, value, value, odd), max_size=4)


def parsed(parser: JSONParser, operation: str, body: dict[str, Any]) -> Any:
    response = {"status_code": 200, "headers": {}, "body": json.dumps(body).encode()}
    return parser.parse(response, SHAPES.operation_model(operation).output_shape)


@given(items=st.lists(item, max_size=3), last=st.one_of(st.none(), item))
def test_a_query_is_parsed_as_botocore_parses_it(items: list[Any], last: Any) -> None:
    body = {"Items": items, "Count": len(items), "ScannedCount": 9, "LastEvaluatedKey": last, "Unknown": 1}
    assert parsed(AttributeValueParser(), "Query", body) == parsed(JSONParser(), "Query", body)


@given(found=item)
def test_the_other_operations_are_parsed_as_botocore_parses_them(found: Any) -> None:
    for operation, body in {
        "GetItem": {"Item": found, "ConsumedCapacity": {"TableName": "t", "CapacityUnits": 0.5}},
        "BatchGetItem": {"Responses": {"t": [found]}, "UnprocessedKeys": {"t": {"Keys": [found]}}},
        "UpdateItem": {"Attributes": found},
        "TransactGetItems": {"Responses": [{"Item": found}]},
        "DescribeTable": {"Table": {"TableName": "t", "CreationDateTime": 1.5}},
    }.items():
        assert parsed(AttributeValueParser(), operation, body) == parsed(JSONParser(), operation, body)
