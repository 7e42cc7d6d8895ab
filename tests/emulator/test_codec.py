"""What is kept comes back as it was, types included; what is not ours is not read."""

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
def test_a_value_comes_back_with_its_types(value: Any) -> None:
    again = decode(encode(value))
    assert (again, repr(again)) == (value, repr(value)) or again == value
    assert type(again) is type(value)


def test_containers_of_the_library_come_back_as_themselves() -> None:
    counted, recent = Counter({("a", "b"): 2}), deque([1, 2], maxlen=3)
    assert type(decode(encode(counted))) is Counter
    assert decode(encode(counted)) == counted
    assert decode(encode(recent)).maxlen == 3
    assert decode(encode({"price": Decimal("1.50")}))["price"].as_tuple() == Decimal("1.50").as_tuple()


def test_a_dataclass_of_the_package_comes_back() -> None:
    mail = Mail("1", "a@b.example", "c", "subject", "body", "kind", 1.5)
    assert decode(encode([mail])) == [mail]


def test_a_policy_decides_as_before() -> None:
    document = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:Get*", "Resource": "*"}]}
    policy = decode(encode(parse_policy(document, name="p")))
    assert decide(Request("s3:GetObject", "arn:aws:s3:::b/k", {}), identity=[policy]).allowed
    assert not decide(Request("s3:PutObject", "arn:aws:s3:::b/k", {}), identity=[policy]).allowed


def test_a_signing_key_comes_back() -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    assert decode(encode(key)).private_numbers() == key.private_numbers()


def test_what_is_not_ours_cannot_be_kept() -> None:
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
def test_what_is_not_ours_is_not_read(text: str) -> None:
    with pytest.raises(UnreadableState):
        decode(text)
