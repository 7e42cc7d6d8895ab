"""The platform's notes about a tenant: JSON that fits the schema is kept as written, other JSON is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tenants.audit.actions import Action
from tenants.domain.errors import InvalidInput, Misconfigured
from tenants.domain.tenant_state import TenantState
from tenants.lifecycle.details import change_metadata
from tenants.lifecycle.metadata import MOST_CHARACTERS, check_metadata, read_metadata
from tenants.models import Tenant
from tests.world.stage import SOMEBODY
from tests.world.use_cases import assert_refused, tenant_in


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "not JSON. Look at line 1, column 2"),
        ('{\n"a": 1,\n}', "line 3|line 2"),
        ("[1]", "a JSON object"),
        ('"a"', "a JSON object"),
        ('{"a": NaN}', "“NaN” is not a number"),
        ('{"a": -Infinity}', "“-Infinity” is not a number"),
        ('{"a": 1, "a": 2}', "“a” is there twice"),
        (f'{{"a": {"9" * 5000}}}', "too many digits"),
        ('{"a": ' * 21 + "1" + "}" * 21, "at most 20 levels deep"),
        ('{"a": ' * 600 + "1" + "}" * 600, "at most 20 levels deep"),
        ('{"a": ' * 3000 + "not JSON", "at most 20 levels deep"),
        ('{"a": "' + "x" * 2 * MOST_CHARACTERS + '"}', "at most 20,000 characters"),
    ],
)
def test_a_text_that_is_not_json_is_refused_with_its_place(text: str, says: str) -> None:
    with pytest.raises(InvalidInput, match=says) as raised:
        read_metadata(text)
    assert raised.value.field == "metadata"
    assert len(raised.value.message) < 200


def test_text_and_values_have_the_same_limit_of_levels() -> None:
    text = '{"a": ' * 20 + "1" + "}" * 20
    assert check_metadata(read_metadata(text)) == json.loads(text)
    deeper = '{"a": ' * 20 + "[]" + "}" * 20
    for check in (read_metadata, lambda text: check_metadata(json.loads(text))):
        with pytest.raises(InvalidInput, match="at most 20 levels deep"):
            check(deeper)


def test_an_empty_text_is_an_empty_object() -> None:
    assert read_metadata(" ") == read_metadata("{}") == {}


SCHEMA = {
    "type": "object",
    "properties": {
        "contract": {"type": "object", "properties": {"number": {"type": "string", "pattern": "^[0-9-]+$"}}},
        "seats": {"type": "array", "items": {"type": "integer"}},
        "note": {"type": "string", "enum": ["x" * 300, "y"]},
    },
    "additionalProperties": False,
}


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("metadata", "says"),
    [
        ({"contract": {"number": 14}}, "at “contract/number”: 14 is not of type 'string'"),
        ({"contract": {"number": "fourteen"}}, "at “contract/number”: 'fourteen' does not match"),
        ({"seats": [1, 2, "three"]}, "at “seats/2”: 'three' is not of type 'integer'"),
        ({"colour": "red"}, "its schema: Additional properties are not allowed \\('colour' was unexpected\\)"),
        ({"note": "z" * 5000}, "at “note”: it breaks the rule “enum”, which is"),
        ({f"{number}-{'x' * 90}": 1 for number in range(40)}, "it breaks the rule “additionalProperties”"),
        ({"a\x00b": 1}, "a character that cannot be stored at “a.x00b”"),
        ({"contract": {"number": "1\x00"}}, "a character that cannot be stored at “contract/number”"),
        ({"contract": {"number": "\ud800"}}, "a character that cannot be stored"),
        ({"seats": [1e999]}, "“inf” at “seats/0” is not a number"),
        ({"seats": [object()]}, "a value that JSON does not know at “seats/0”"),
        ({"note": "é" * MOST_CHARACTERS}, "at most 20,000 characters"),
    ],
)
def test_metadata_that_break_the_schema_are_refused_with_their_place(
    settings: Any, metadata: dict[str, Any], says: str
) -> None:
    settings.TENANT_METADATA_SCHEMA = SCHEMA
    tenant = tenant_in(TenantState.SUSPENDED)
    with assert_refused(InvalidInput, says, recorded_as=Action.TENANT_REFUSED) as raised:
        change_metadata(tenant, metadata=metadata, by=SOMEBODY)
    assert len(raised.value.message) < 420
    assert raised.value.message.isprintable()


@pytest.mark.django_db
def test_metadata_that_fit_are_kept_as_written(settings: Any) -> None:
    settings.TENANT_METADATA_SCHEMA = SCHEMA
    metadata = read_metadata('{"contract": {"number": "2026-14"}, "seats": [3, 123456789012345678901234567890]}')
    change_metadata(tenant_in(TenantState.ACTIVE), metadata=metadata, by=SOMEBODY)
    assert Tenant.objects.get().metadata == metadata


@pytest.mark.django_db
@pytest.mark.parametrize(
    "schema", [{"$ref": "http://127.0.0.1:1/x"}, {"properties": {"a": {"pattern": "("}}}, {"$ref": "#"}]
)
def test_a_schema_that_cannot_be_used_is_a_configuration_error(settings: Any, schema: dict[str, Any]) -> None:
    tenant = tenant_in(TenantState.ACTIVE)
    settings.TENANT_METADATA_SCHEMA = schema
    with pytest.raises(Misconfigured) as raised:
        change_metadata(tenant, metadata={"a": "b"}, by=SOMEBODY)
    assert "TENANT_METADATA_SCHEMA" in raised.value.why
