"""Which tokens the verifier accepts and refuses, with real keys and signatures."""

from __future__ import annotations

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from tenants.aws.id_tokens import IdTokenVerifier
from tenants.aws.signing_keys import FAILED_SECONDS, MOST_WAITING, REFETCH_SECONDS, SigningKeys
from tenants.domain.errors import SignInFailed, Unreachable

ISSUER, CLIENT = "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_AbCdEf123", "client-1"
KEY, OTHER_KEY = (rsa.generate_private_key(65537, 2048) for _ in range(2))


def public(key: rsa.RSAPrivateKey, kid: str) -> jwt.PyJWK:
    made = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key()))
    return jwt.PyJWK({**made, "kid": kid, "alg": "RS256", "use": "sig"})


class Pool:
    """The user pool's keys; counts the fetches."""

    def __init__(self) -> None:
        self.keys, self.fetches, self.now = {"k1": public(KEY, "k1")}, 0, 1000.0

    def pause(self, seconds: float) -> None:
        self.now += seconds

    def fetch(self, _: str) -> dict[str, jwt.PyJWK]:
        self.fetches += 1
        return dict(self.keys)


@pytest.fixture
def pool() -> Pool:
    return Pool()


@pytest.fixture
def verifier(pool: Pool) -> IdTokenVerifier:
    keys = SigningKeys("http://keys", fetch=pool.fetch, clock=lambda: pool.now, pause=pool.pause)
    return IdTokenVerifier(ISSUER, CLIENT, keys)


def claims(**changes: Any) -> dict[str, Any]:
    """`iat` and `exp` are given in seconds from now."""
    now = int(time.time())
    changes = {
        name: now + value if name in {"iat", "exp", "nbf"} and value is not None else value
        for name, value in changes.items()
    }
    made = {
        "iss": ISSUER, "aud": CLIENT, "sub": "s", "token_use": "id", "iat": now, "exp": now + 600, "nonce": "n",
        "email": "owner@acme.example", "email_verified": True,
        "custom:org": "a0c3e000-0000-4000-8000-0000000000ac", "custom:role": "owner",
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
        ({"aud": "another-client"}, "another client"),
        ({"aud": None}, "another client"),
        ({"aud": [CLIENT, "another-client"]}, "another client"),
        ({"aud": []}, "another client"),
        ({"aud": {CLIENT: 1}}, "another client"),
        ({"azp": "another-client"}, "another client"),
        ({"azp": [CLIENT]}, "another client"),
        ({"azp": ""}, "another client"),
        ({"iss": ISSUER + "x"}, "another user pool"),
        ({"iss": None}, "another user pool"),
        ({"exp": None}, "whole numbers"),
        ({"iat": None}, "whole numbers"),
        ({"exp": -31}, "expired"),
        ({"exp": 24 * 3600 + 1}, "longer"),
        ({"iat": 300}, "not valid yet"),
        ({"nbf": 300}, "not valid yet"),
        ({"iat": -24 * 3600}, "longer"),
        ({"iat": 20, "exp": 10}, "longer"),
        ({"sub": None}, "names nobody"),
        ({"sub": ""}, "names nobody"),
        ({"sub": 5}, "not text"),
        ({"email": ["a@b.example"]}, "not text"),
        ({"custom:org": {}}, "not text"),
        ({"custom:role": True}, "not text"),
        ({"token_use": "access"}, "not an ID token"),
        ({"token_use": None}, "not an ID token"),
        ({"nonce": "other"}, "nonce"),
        ({"nonce": None}, "nonce"),
        ({"nonce": ["n"]}, "not text"),
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
    assert verifier.verify(token(exp=-20, iat=-600))
    assert verifier.verify(token(iat=20))


@pytest.mark.parametrize("verified", [False, None, "false", "True", 1, "yes", ["true"]])
def test_an_address_that_is_not_verified_is_no_address(verifier: IdTokenVerifier, verified: Any) -> None:
    assert verifier.verify(token(email_verified=verified)).email == ""


@pytest.mark.parametrize("audience", [CLIENT, [CLIENT]])
def test_a_token_for_this_client_alone_is_accepted(verifier: IdTokenVerifier, audience: Any) -> None:
    assert verifier.verify(token(aud=audience, azp=CLIENT)).email == "owner@acme.example"


def test_keys_are_fetched_once_for_any_number_of_logins(verifier: IdTokenVerifier, pool: Pool) -> None:
    for _ in range(5):
        verifier.verify(token())
    assert pool.fetches == 1


def test_an_unknown_key_id_is_looked_up_once_in_half_a_minute(verifier: IdTokenVerifier, pool: Pool) -> None:
    verifier.verify(token())
    began = pool.now
    for number in range(20):
        with pytest.raises(SignInFailed, match="sign-in again"):
            verifier.verify(token(key=OTHER_KEY, kid=f"made up {number}"))
    assert pool.now - began == 20 * REFETCH_SECONDS
    assert pool.fetches == 21


def test_keys_rotated_just_after_a_fetch_are_waited_for(verifier: IdTokenVerifier, pool: Pool) -> None:
    verifier.verify(token())
    pool.keys = {"k2": public(OTHER_KEY, "k2")}
    pool.now += 1
    began = pool.now
    assert verifier.verify(token(key=OTHER_KEY, kid="k2"))
    assert (pool.now - began, pool.fetches) == (REFETCH_SECONDS - 1, 2)


def test_unknown_key_ids_make_only_some_threads_wait(pool: Pool) -> None:
    enough, waiting = threading.Event(), threading.Semaphore(0)

    def pause(_: float) -> None:
        waiting.release()
        assert enough.wait(60)

    keys = SigningKeys("http://keys", fetch=pool.fetch, clock=lambda: pool.now, pause=pause)
    verifier = IdTokenVerifier(ISSUER, CLIENT, keys)
    verifier.verify(token())
    with ThreadPoolExecutor(MOST_WAITING) as threads:
        made_up = [threads.submit(keys.find, f"made up {number}") for number in range(MOST_WAITING)]
        for _ in made_up:
            assert waiting.acquire(timeout=60)
        with pytest.raises(Unreachable) as told:
            keys.find("one more")
        assert 0 < told.value.retry_after <= REFETCH_SECONDS + 1
        assert verifier.verify(token())
        pool.now += REFETCH_SECONDS
        enough.set()
    assert [future.result() for future in made_up] == [None] * MOST_WAITING
    assert pool.fetches == 2


def test_those_who_wait_for_keys_hear_of_one_failure(pool: Pool) -> None:
    def fail(_: str) -> dict[str, jwt.PyJWK]:
        pool.fetches += 1
        time.sleep(0.2)
        raise Unreachable("Sign-in (Cognito)", "away")

    keys = SigningKeys("http://keys", fetch=fail, clock=lambda: pool.now)
    with ThreadPoolExecutor(8) as threads:
        failed = [future.exception() for future in [threads.submit(keys.find, "k1") for _ in range(8)]]
    assert {type(error) for error in failed} == {Unreachable}
    assert pool.fetches == 1
    pool.now += FAILED_SECONDS
    with pytest.raises(Unreachable):
        keys.find("k1")
    assert pool.fetches == 2


def test_a_refused_token_is_not_repeated_in_the_error(verifier: IdTokenVerifier) -> None:
    forged = token(key=OTHER_KEY)
    with pytest.raises(SignInFailed) as refused:
        verifier.verify(forged, nonce="n")
    assert forged not in refused.value.why + str(refused.value)
