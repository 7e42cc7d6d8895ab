"""Which tokens the verifier accepts and refuses, with real keys and signatures."""

from __future__ import annotations

import json
import time
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from tenants.aws.id_tokens import REFETCH_SECONDS, IdTokenVerifier, SigningKeys
from tenants.domain.errors import SignInFailed

ISSUER, CLIENT = "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_AbCdEf123", "client-1"
KEY, OTHER_KEY = (rsa.generate_private_key(65537, 2048) for _ in range(2))


def public(key: rsa.RSAPrivateKey, kid: str) -> jwt.PyJWK:
    made = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key()))
    return jwt.PyJWK({**made, "kid": kid, "alg": "RS256", "use": "sig"})


class Pool:
    """The user pool's keys; counts the fetches."""

    def __init__(self) -> None:
        self.keys, self.fetches, self.now = {"k1": public(KEY, "k1")}, 0, 1000.0

    def fetch(self, _: str) -> dict[str, jwt.PyJWK]:
        self.fetches += 1
        return dict(self.keys)


@pytest.fixture
def pool() -> Pool:
    return Pool()


@pytest.fixture
def verifier(pool: Pool) -> IdTokenVerifier:
    return IdTokenVerifier(ISSUER, CLIENT, SigningKeys("http://keys", fetch=pool.fetch, clock=lambda: pool.now))


def claims(**changes: Any) -> dict[str, Any]:
    """`iat` and `exp` are given in seconds from now."""
    now = int(time.time())
    changes = {
        name: now + value if name in {"iat", "exp"} and value is not None else value for name, value in changes.items()
    }
    made = {
        "iss": ISSUER, "aud": CLIENT, "sub": "s", "token_use": "id", "iat": now, "exp": now + 600, "nonce": "n",
        "email": "owner@acme.example", "custom:org": "a0c3e000-0000-4000-8000-0000000000ac", "custom:role": "owner",
    }  # fmt: skip
    return {name: value for name, value in {**made, **changes}.items() if value is not None}


def token(*, key: rsa.RSAPrivateKey = KEY, kid: str = "k1", **changes: Any) -> str:
    return jwt.encode(claims(**changes), key, algorithm="RS256", headers={"kid": kid})


def test_a_good_token_becomes_claims(verifier: IdTokenVerifier) -> None:
    made = verifier.verify(token(), nonce="n")
    assert (made.sub, made.email, made.role) == ("s", "owner@acme.example", "owner")
    assert made.org == "a0c3e000-0000-4000-8000-0000000000ac"


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"aud": "another-client"}, "InvalidAudience"),
        ({"aud": None}, "MissingRequiredClaim"),
        ({"iss": ISSUER + "x"}, "InvalidIssuer"),
        ({"iss": None}, "MissingRequiredClaim"),
        ({"exp": None}, "MissingRequiredClaim"),
        ({"exp": -31}, "ExpiredSignature"),
        ({"iat": 300}, "ImmatureSignature"),
        ({"sub": None}, "MissingRequiredClaim"),
        ({"token_use": "access"}, "not an ID token"),
        ({"token_use": None}, "not an ID token"),
        ({"nonce": "other"}, "nonce"),
        ({"nonce": None}, "nonce"),
        ({"nonce": ["n"]}, "nonce"),
    ],
)
def test_a_token_with_a_wrong_claim_is_refused(verifier: IdTokenVerifier, changes: dict[str, Any], why: str) -> None:
    with pytest.raises(SignInFailed) as refused:
        verifier.verify(token(**changes), nonce="n")
    assert why in refused.value.why


@pytest.mark.parametrize(
    "forged",
    [
        token(key=OTHER_KEY),
        token()[:-4] + "AAAA",
        jwt.encode(claims(), "secret" * 8, algorithm="HS256", headers={"kid": "k1"}),
        jwt.encode(claims(), None, algorithm="none", headers={"kid": "k1"}),
        jwt.encode(claims(), KEY, algorithm="RS512", headers={"kid": "k1"}),
        jwt.encode(claims(), KEY, algorithm="RS256"),
        "garbage",
        "",
        "a.b.c",
    ],
)
def test_a_token_that_is_not_signed_by_the_pool_is_refused(verifier: IdTokenVerifier, forged: str) -> None:
    with pytest.raises(SignInFailed):
        verifier.verify(forged, nonce="n")


def test_clocks_may_differ_by_half_a_minute(verifier: IdTokenVerifier) -> None:
    assert verifier.verify(token(exp=-20, iat=20))


def test_keys_are_fetched_once_for_any_number_of_logins(verifier: IdTokenVerifier, pool: Pool) -> None:
    for _ in range(5):
        verifier.verify(token())
    assert pool.fetches == 1


def test_an_unknown_key_id_is_looked_up_once_in_half_a_minute(verifier: IdTokenVerifier, pool: Pool) -> None:
    verifier.verify(token())
    for _ in range(20):
        with pytest.raises(SignInFailed, match="sign-in again"):
            verifier.verify(token(key=OTHER_KEY, kid="k2"))
    assert pool.fetches == 1
    pool.keys["k2"] = public(OTHER_KEY, "k2")
    pool.now += REFETCH_SECONDS
    assert verifier.verify(token(key=OTHER_KEY, kid="k2"))
    assert pool.fetches == 2


def test_a_refused_token_is_not_repeated_in_the_error(verifier: IdTokenVerifier) -> None:
    forged = token(key=OTHER_KEY)
    with pytest.raises(SignInFailed) as refused:
        verifier.verify(forged, nonce="n")
    assert forged not in refused.value.why + str(refused.value)
