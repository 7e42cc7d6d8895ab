"""Keys, addresses and ids: valid ones, and refused ones."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenants.domain.errors import InvalidInput, Misconfigured
from tenants.domain.keys import PUBLIC_SPACE, USUAL_KEYS, checked_partition_key, checked_record_key, own_space
from tenants.domain.org_id import OrgId
from tenants.domain.values import Item
from tenants.organisation.record_addresses import from_segment, to_segment

ORG = "a0c3e000-0000-4000-8000-0000000000ac"


def test_an_org_id_is_a_canonical_lower_case_uuid() -> None:
    assert str(OrgId(ORG)) == ORG


@pytest.mark.parametrize(
    "text", ["", "PUBLIC", ORG.upper(), ORG + " ", ORG[:-1], "{" + ORG + "}", ORG.replace("-", ""), ORG + "\n", "*"]
)
def test_anything_else_is_no_org_id_and_is_not_repaired(text: str) -> None:
    with pytest.raises(InvalidInput):
        OrgId(text)


def test_rows_of_an_organisation_share_its_prefix() -> None:
    space = own_space(OrgId(ORG))
    assert space.catalogue == f"{ORG}#"
    assert space.collection("orders") == f"{ORG}#orders"
    assert PUBLIC_SPACE.collection("news") == "PUBLIC#news"


def test_the_catalogue_cannot_be_reached_as_a_collection() -> None:
    with pytest.raises(InvalidInput):
        own_space(OrgId(ORG)).collection("")


@given(name=st.text(min_size=1, max_size=200))
def test_every_collection_key_stays_inside_the_organisation(name: str) -> None:
    try:
        key = own_space(OrgId(ORG)).collection(name)
    except InvalidInput:
        return
    assert key.startswith(f"{ORG}#")


def test_keys_have_the_lengths_dynamodb_allows_in_bytes() -> None:
    assert checked_record_key("é" * 512)
    with pytest.raises(InvalidInput, match="1024 bytes; this one has 1025"):
        checked_record_key("é" * 512 + "a")
    with pytest.raises(InvalidInput, match="2049"):
        checked_partition_key("a" * 2049)


@pytest.mark.parametrize("item", [{"pk": {"S": "a"}, "sk": {"N": "1"}}, {"pk": {"S": "a"}, "sk": {"B": b"1"}}, {}])
def test_a_table_whose_key_is_no_text_is_said_to_be_misconfigured(item: Item) -> None:
    with pytest.raises(Misconfigured) as refused:
        USUAL_KEYS.sort_key(item)
    assert "“sk” is no text" in refused.value.for_log


def test_a_lone_surrogate_is_not_a_key() -> None:
    with pytest.raises(InvalidInput, match="not valid text"):
        checked_record_key("\ud800")


@given(key=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60))
def test_every_key_has_exactly_one_address_that_survives_browsers(key: str) -> None:
    segment = to_segment(key)
    assert from_segment(segment) == key
    assert "/" not in segment
    assert "%" not in segment
    assert segment.strip(".") != ""


@pytest.mark.parametrize("segment", ["~", "~b3JkZXJz", "a/b", "..", "~!!", "~_w"])
def test_a_second_spelling_of_an_address_is_refused(segment: str) -> None:
    with pytest.raises(ValueError, match=r"not an address|not base64url"):
        from_segment(segment)
