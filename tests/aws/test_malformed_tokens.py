"""Tokens, signing keys and JSON of every shape: they are refused, and nothing but our own refusal comes out."""

from __future__ import annotations

import base64
import json
import time
from contextlib import suppress
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tenants.aws.id_tokens import IdTokenVerifier
from tenants.aws.signing_keys import SigningKeys, usable_keys
from tenants.domain.claims import Claims
from tenants.domain.errors import SignInFailed
from tenants.domain.strict_json import NotStrict, read_json

ISSUER, CLIENT = "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_AbCdEf123", "client-1"
KEY = rsa.generate_private_key(65537, 2048)
WEAK = rsa.generate_private_key(65537, 1024)
JWK = {**json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(KEY.public_key())), "kid": "k1", "alg": "RS256", "use": "sig"}
JWK.pop("key_ops")

VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.integers(min_value=2**64, max_value=2**5000),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
CLAIMS = ("sub", "iss", "aud", "azp", "exp", "iat", "nbf", "nonce", "token_use", "email", "email_verified", "name",
          "custom:org", "custom:role", "auth_time", "jti")  # fmt: skip
HEADERS = ("alg", "kid", "typ", "crit", "b64", "zip", "jku", "jwk", "x5c")


def verifier(keys: dict[str, jwt.PyJWK] | None = None) -> IdTokenVerifier:
    found = usable_keys({"keys": [JWK]}) if keys is None else keys
    return IdTokenVerifier(ISSUER, CLIENT, SigningKeys("http://keys", fetch=lambda _: found, pause=lambda _: None))


def good_claims() -> dict[str, Any]:
    now = int(time.time())
    return {
        "iss": ISSUER, "aud": CLIENT, "sub": "s", "token_use": "id", "iat": now, "exp": now + 600, "nonce": "n",
        "email": "owner@acme.example", "email_verified": True, "custom:role": "owner",
    }  # fmt: skip


def part(text: bytes) -> str:
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode()


def signed(header: bytes, payload: bytes) -> str:
    """With the pool's own key, so that only the content can be wrong."""
    signer, text = jwt.algorithms.RSAAlgorithm(jwt.algorithms.RSAAlgorithm.SHA256), f"{part(header)}.{part(payload)}"
    return f"{text}.{part(signer.sign(text.encode(), KEY))}"


def as_token(header: dict[str, Any] | None = None, **claims: Any) -> str:
    made = {"kid": "k1", "alg": "RS256", **(header or {})}
    return signed(json.dumps(made).encode(), json.dumps({**good_claims(), **claims}).encode())


def refused(token: str) -> str:
    with pytest.raises(SignInFailed) as refusal:
        verifier().verify(token, nonce="n")
    return refusal.value.why


def test_the_signer_of_these_tests_makes_good_tokens() -> None:
    assert verifier().verify(as_token(), nonce="n").role == "owner"


@given(claims=st.dictionaries(st.sampled_from(CLAIMS), VALUES, max_size=4))
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_claims_of_any_type_are_read_or_refused(claims: dict[str, Any]) -> None:
    with suppress(SignInFailed):
        assert isinstance(verifier().verify(as_token(**claims), nonce="n"), Claims)


@given(header=st.dictionaries(st.sampled_from(HEADERS), VALUES, max_size=3))
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_headers_of_any_type_are_read_or_refused(header: dict[str, Any]) -> None:
    with suppress(SignInFailed):
        assert isinstance(verifier().verify(as_token(header), nonce="n"), Claims)


@given(header=st.binary(max_size=60) | VALUES, payload=st.binary(max_size=60) | VALUES)
@settings(max_examples=200, deadline=None)
def test_signed_bytes_that_are_no_token_are_refused(header: Any, payload: Any) -> None:
    parts = [value if isinstance(value, bytes) else json.dumps(value).encode() for value in (header, payload)]
    refused(signed(*parts))


@given(token=st.text() | st.text(alphabet="ab.-_=/+é\x00"))
@settings(max_examples=200, deadline=None)
def test_text_that_is_no_token_is_refused(token: str) -> None:
    refused(token)


def with_claims(more: str) -> str:
    text = json.dumps(good_claims())
    return signed(b'{"kid": "k1", "alg": "RS256"}', f"{text[:-1]}, {more}}}".encode())


@pytest.mark.parametrize(
    "more",
    [
        '"sub": "another"', '"exp": 9999999999', '"x": 1, "x": 1', '"x": {"y": 1, "y": 2}', '"\\u0073ub": "another"',
        '"x": NaN', '"x": Infinity', '"x": -Infinity', '"x": "\\ud800"', '"\\udfff": 1', '"x": ["\\ud800a"]',
        '"name": "a\\u0000b"', f'"x": {"1" * 10_000}', f'"x": {"[" * 20_000}{"]" * 20_000}', f'"x": {"[" * 40_000}',
    ],
)  # fmt: skip
def test_a_payload_that_can_be_read_in_two_ways_is_refused(more: str) -> None:
    assert refused(with_claims(more)) in {"the token cannot be read", "what Cognito gave is not a token"}


@pytest.mark.parametrize(
    "number", ["1.5e9", "1e400", "-1e400", "true", '"9"', "[9]", "null", "1795893070.5", "-5", "9" * 400]
)
@pytest.mark.parametrize("name", ["exp", "iat", "nbf"])
def test_a_time_that_no_user_pool_gives_is_refused(name: str, number: str) -> None:
    others = {other: value for other, value in good_claims().items() if other != name}
    payload = f'{json.dumps(others)[:-1]}, "{name}": {number}}}'
    if (name, number) != ("nbf", "-5"):
        refused(signed(b'{"kid": "k1", "alg": "RS256"}', payload.encode()))


@pytest.mark.parametrize(
    "header",
    [
        '{"kid": "k1", "alg": "RS256", "alg": "none"}', '{"kid": "k1", "kid": "k2", "alg": "RS256"}',
        '{"kid": "k1", "alg": "RS256", "crit": ["exp"], "exp": 1}', '{"kid": "k1", "alg": "RS256", "crit": []}',
        '{"kid": "k1", "alg": "RS256", "b64": false}', '{"kid": "k1", "alg": "RS256", "b64": true}',
        '{"kid": "k1", "alg": "none"}', '{"kid": "k1", "alg": "rs256"}', '{"kid": "k1", "alg": ["RS256"]}',
        '{"kid": "k1"}', '{"alg": "RS256"}', '{"kid": 1, "alg": "RS256"}', '{"kid": ["k1"], "alg": "RS256"}',
        '{"kid": null, "alg": "RS256"}', '{"kid": "", "alg": "RS256"}', '{"kid": "\\ud800", "alg": "RS256"}',
        f'{{"kid": "{"k" * 1_000_000}", "alg": "RS256"}}', f'{{"kid": "{"k" * 300}", "alg": "RS256"}}', "[]", "1", "",
    ],
)  # fmt: skip
def test_a_header_that_is_not_cognitos_is_refused(header: str) -> None:
    refused(signed(header.encode(), json.dumps(good_claims()).encode()))


@pytest.mark.parametrize(
    "token",
    [
        "",
        ".",
        "..",
        "a.b",
        "a.b.c.d",
        "é.b.c",
        "a.b.c\n",
        " a.b.c",
        "a=.b.c",
        "a.b.",
        "a" * 5_000_000,
        "a.b.\ud800",
        "A.A.A",
    ],
    ids=range(13),
)
def test_what_is_no_token_is_refused(token: str) -> None:
    refused(token)


def key(**changes: Any) -> dict[str, Any]:
    return {name: value for name, value in {**JWK, **changes}.items() if value is not None}


def numbers_of(made: rsa.RSAPrivateKey) -> dict[str, str]:
    public = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(made.public_key()))
    return {"n": public["n"], "e": public["e"]}


@pytest.mark.parametrize("usable", [key(), key(use=None), key(alg=None), key(key_ops=["verify"]), key(d="AQAB")])
def test_a_key_for_checking_signatures_is_used(usable: dict[str, Any]) -> None:
    assert verifier(dict(usable_keys({"keys": [usable]}))).verify(as_token(), nonce="n")


@pytest.mark.parametrize(
    "unusable",
    [
        key(use="enc"), key(use=["sig"]), key(use=""), key(key_ops=["sign"]), key(key_ops=[]), key(key_ops="verify"),
        key(key_ops={"verify": 1}), key(alg="RS512"), key(alg="RSA-OAEP"), key(alg=["RS256"]), key(alg=""),
        key(kty="EC"), key(kty=["RSA"]), key(kid=None), key(kid=1), key(kid=["k1"]), key(kid={}), key(kid=""),
        key(kid="k" * 1_000_000),
        key(n=None), key(n=1), key(n=""), key(n="é"), key(n="A"), key(n="AQAB"), key(n=["x"]), key(e=None), key(e=1),
        key(e=""), key(e="AQ"), key(e="Ag"), key(e="AQAA"), key(e="A" * 100), key(e=JWK["n"]), key(n="_" * 1_400),
        key(n=part(b"\xff" * 1025)), key(n=part(b"\xff" * 100_000)), key(**numbers_of(WEAK)),
        None, 5, "k1", [], [key()], {}, True,
    ],
    ids=range(45),
)  # fmt: skip
def test_a_key_for_something_else_or_of_odd_shape_is_not_used(unusable: Any) -> None:
    assert not usable_keys({"keys": [unusable]})
    # And it keeps no other key from being used.
    assert set(usable_keys({"keys": [unusable, key(kid="k2")]})) == {"k2"}


def test_an_id_that_two_keys_have_names_neither() -> None:
    assert not usable_keys({"keys": [key(), key(**numbers_of(rsa.generate_private_key(65537, 2048)))]})


@pytest.mark.parametrize("key_set", [{}, {"keys": None}, {"keys": {}}, {"keys": "k1"}, {"keys": 1}, {"Keys": []}])
def test_what_is_no_set_of_keys_is_refused(key_set: dict[str, Any]) -> None:
    with pytest.raises(NotStrict):
        usable_keys(key_set)


ODD_KEYS = st.dictionaries(
    st.sampled_from(("kty", "kid", "n", "e", "alg", "use", "key_ops")),
    VALUES | st.sampled_from(("RSA", "RS256", "sig", "k1", "AQAB", JWK["n"])),
    max_size=7,
)


@given(entries=st.lists(VALUES | ODD_KEYS, max_size=3))
@settings(max_examples=300, deadline=None)
def test_key_sets_of_any_shape_give_usable_keys_alone(entries: list[Any]) -> None:
    for found in usable_keys({"keys": entries}).values():
        assert found.key.key_size >= 2048


@given(text=st.binary() | VALUES.map(lambda value: json.dumps(value).encode()))
@settings(max_examples=300, deadline=None)
def test_json_is_read_or_refused(text: bytes) -> None:
    with suppress(NotStrict):
        json.dumps(read_json(text), ensure_ascii=False).encode()


@pytest.mark.parametrize("text", ["[" * 200_000, '{"a":' * 200_000, "1" * 10_000, "-" + "1" * 10_000, "\ufeff{}"])
def test_json_too_deep_or_too_long_for_python_is_refused(text: str) -> None:
    with pytest.raises(NotStrict):
        read_json(text.encode())
