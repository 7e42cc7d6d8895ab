"""Saved values are restored with their types. Text that is not ours cannot be decoded."""

from collections import Counter, deque
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given
from hypothesis import strategies as st

from emulator.cognito.mailbox import Mail
from emulator.state.codec import UnreadableState, decode, encode
from iam import Request, decide, parse_policy

_KEYS = st.text() | st.integers() | st.tuples(st.text(), st.integers()) | st.booleans()
_LEAVES = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary()
    | st.decimals(allow_nan=False) | st.sets(_KEYS) | st.frozensets(st.text())
    | st.just(datetime(2026, 1, 2, tzinfo=UTC))
)  # fmt: skip
VALUES = st.recursive(
    _LEAVES,
    lambda parts: (
        st.lists(parts) | st.dictionaries(_KEYS, parts) | st.tuples(parts, parts)
        | st.dictionaries(st.sampled_from(["~", "is", "a"]), parts)
    ),
)  # fmt: skip


@given(VALUES)
def test_a_value_is_restored_with_its_types(value: Any) -> None:
    again = decode(encode(value))
    assert (again, repr(again)) == (value, repr(value)) or again == value
    assert type(again) is type(value)


def test_standard_library_containers_keep_their_types() -> None:
    counted, recent = Counter({("a", "b"): 2}), deque([1, 2], maxlen=3)
    assert type(decode(encode(counted))) is Counter
    assert decode(encode(counted)) == counted
    assert decode(encode(recent)).maxlen == 3
    assert decode(encode({"price": Decimal("1.50")}))["price"].as_tuple() == Decimal("1.50").as_tuple()


def test_a_dataclass_of_the_package_is_restored() -> None:
    mail = Mail("1", "a@b.example", "c", "subject", "body", "kind", 1.5)
    assert decode(encode([mail])) == [mail]


def test_a_restored_policy_decides_as_before() -> None:
    document = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:Get*", "Resource": "*"}]}
    policy = decode(encode(parse_policy(document, name="p")))
    assert decide(Request("s3:GetObject", "arn:aws:s3:::b/k", {}), identity=[policy]).allowed
    assert not decide(Request("s3:PutObject", "arn:aws:s3:::b/k", {}), identity=[policy]).allowed


def test_a_signing_key_is_restored() -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    assert decode(encode(key)).private_numbers() == key.private_numbers()


def test_other_objects_cannot_be_encoded() -> None:
    for value in (object(), print, open, 1j):
        with pytest.raises(TypeError):
            encode(value)


@pytest.mark.parametrize(
    "text",
    [
        "", "{", '{"~": "os:system", "is": {}}', '{"~": "emulator.client.process:start", "is": {}}',
        '{"~": "emulator.wire:Nothing", "is": {}}',
        '{"~": "emulator.nowhere:Mail", "is": {}}', '{"~": "emulator.cognito.mailbox:Mail", "is": {"id": "1"}}',
        '{"~": "tuple"}',
        '{"~": "emulator/../os:system", "is": {}}', '{"~": ["tuple"], "is": []}',
    ],
)  # fmt: skip
def test_other_text_cannot_be_decoded(text: str) -> None:
    with pytest.raises(UnreadableState):
        decode(text)
