"""The platform's notes about a tenant: any JSON that fits the schema, kept as written, and refused at its place."""

from __future__ import annotations

from typing import Any

import pytest

from tenants.audit.actions import Action
from tenants.domain.errors import InvalidInput, Misconfigured
from tenants.domain.tenant_state import TenantState
from tenants.lifecycle.details import change_metadata
from tenants.lifecycle.metadata import MOST_CHARACTERS, read_metadata
from tenants.models import Tenant
from tests.world.stage import SOMEBODY
from tests.world.use_cases import refused, tenant_in


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "not JSON. Look at line 1, column 2"),
        ('{\n"a": 1,\n}', "line 3|line 2"),
        ("[1]", "a JSON object"),
        ('"a"', "a JSON object"),
        ('{"a": NaN}', "“NaN” is no number"),
        ('{"a": -Infinity}', "“-Infinity” is no number"),
        ('{"a": 1, "a": 2}', "“a” is there twice"),
        (f'{{"a": {"9" * 5000}}}', "too many digits"),
        ('{"a": ' * 3000 + "1" + "}" * 3000, "at most 20 levels deep"),
        ('{"a": "' + "x" * 2 * MOST_CHARACTERS + '"}', "at most 20,000 characters"),
    ],
)
def test_metadata_that_is_no_json_says_where_it_goes_wrong(text: str, says: str) -> None:
    with pytest.raises(InvalidInput, match=says) as told:
        read_metadata(text)
    assert told.value.field == "metadata"
    assert len(told.value.message) < 200


def test_no_metadata_is_an_empty_object() -> None:
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
        ({"a\x00b": 1}, "a character that cannot be kept at “a.x00b”"),
        ({"contract": {"number": "1\x00"}}, "a character that cannot be kept at “contract/number”"),
        ({"contract": {"number": "\ud800"}}, "a character that cannot be kept"),
        ({"seats": [1e999]}, "“inf” at “seats/0” is no number"),
        ({"seats": [object()]}, "something that JSON does not know at “seats/0”"),
        ({"note": "é" * MOST_CHARACTERS}, "at most 20,000 characters"),
    ],
)
def test_metadata_that_breaks_its_schema_is_refused_at_its_place_and_never_shown_whole(
    settings: Any, metadata: dict[str, Any], says: str
) -> None:
    settings.TENANT_METADATA_SCHEMA = SCHEMA
    tenant = tenant_in(TenantState.SUSPENDED)
    with refused(InvalidInput, says, recorded_as=Action.TENANT_REFUSED) as told:
        change_metadata(tenant, metadata=metadata, by=SOMEBODY)
    assert len(told.value.message) < 420
    assert told.value.message.isprintable()


@pytest.mark.django_db
def test_metadata_that_fits_is_kept_as_it_was_written(settings: Any) -> None:
    settings.TENANT_METADATA_SCHEMA = SCHEMA
    metadata = read_metadata('{"contract": {"number": "2026-14"}, "seats": [3, 123456789012345678901234567890]}')
    change_metadata(tenant_in(TenantState.ACTIVE), metadata=metadata, by=SOMEBODY)
    assert Tenant.objects.get().metadata == metadata


@pytest.mark.django_db
@pytest.mark.parametrize("schema", [{"$ref": "http://127.0.0.1:1/x"}, {"properties": {"a": {"pattern": "("}}}])
def test_a_schema_that_cannot_be_gone_by_is_the_operators_matter(settings: Any, schema: dict[str, Any]) -> None:
    tenant = tenant_in(TenantState.ACTIVE)
    settings.TENANT_METADATA_SCHEMA = schema
    with pytest.raises(Misconfigured) as told:
        change_metadata(tenant, metadata={"a": "b"}, by=SOMEBODY)
    assert "TENANT_METADATA_SCHEMA" in told.value.why
