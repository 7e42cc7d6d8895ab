"""The client's part of Cognito's SRP sign-in, after "User pool authentication flow" and the SDKs' published code."""

import base64
import hashlib
import hmac
import secrets
from datetime import UTC, datetime
from typing import Any

# The 3072-bit group of RFC 5054.
_PRIME = int(
    "FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74020BBEA63B139B22514A08798E3404DDEF9519B3CD3A431B"
    "302B0A6DF25F14374FE1356D6D51C245E485B576625E7EC6F44C42E9A637ED6B0BFF5CB6F406B7EDEE386BFB5A899FA5AE9F24117C4B1FE6"
    "49286651ECE45B3DC2007CB8A163BF0598DA48361C55D39A69163FA8FD24CF5F83655D23DCA3AD961C62F356208552BB9ED529077096966D"
    "670C354E4ABC9804F1746C08CA18217C32905E462E36CE3BE39E772C180E86039B2783A2EC07A28FB5C55DF06F4C52C9DE2BCBF695581718"
    "3995497CEA956AE515D2261898FA051015728E5A8AAAC42DAD33170D04507A33A85521ABDF1CBA64ECFB850458DBEF0A8AEA71575D060C7D"
    "B3970F85A6E1E4C7ABF5AE8CDB0933D71E8C94E04A25619DCEE3D2261AD2EE6BF12FFA06D98A0864D87602733EC86A64521F2B18177B200C"
    "BBE117577A615D6C770988C0BAD946E208E24FA074E5AB3143DB5BFCE0FD108E4B82D120A93AD2CAFFFFFFFFFFFFFFFF",
    16,
)
_GENERATOR = 2


def srp_sign_in(api: Any, *, client_id: str, pool_id: str, email: str, password: str) -> dict[str, Any]:
    """Returns the answer of RespondToAuthChallenge. Raises botocore's ClientError for a refusal."""
    ours = secrets.randbits(1024)
    public = pow(_GENERATOR, ours, _PRIME)
    asked = api.initiate_auth(
        ClientId=client_id, AuthFlow="USER_SRP_AUTH", AuthParameters={"USERNAME": email, "SRP_A": f"{public:x}"}
    )["ChallengeParameters"]
    name, block = asked["USER_ID_FOR_SRP"], asked["SECRET_BLOCK"]
    key = _key(ours, public, asked, f"{pool_id.partition('_')[2]}{name}:{password}")
    now = datetime.now(UTC)
    moment = f"{now:%a %b} {now.day} {now:%H:%M:%S UTC %Y}"
    signed = f"{pool_id.partition('_')[2]}{name}".encode() + base64.b64decode(block) + moment.encode()
    answer: dict[str, Any] = api.respond_to_auth_challenge(
        ClientId=client_id,
        ChallengeName="PASSWORD_VERIFIER",
        ChallengeResponses={
            "USERNAME": name,
            "PASSWORD_CLAIM_SECRET_BLOCK": block,
            "PASSWORD_CLAIM_SIGNATURE": base64.b64encode(hmac.digest(key, signed, "sha256")).decode(),
            "TIMESTAMP": moment,
        },
    )
    return answer


def _key(ours: int, public: int, asked: dict[str, str], identity: str) -> bytes:
    theirs, salt = int(asked["SRP_B"], 16), int(asked["SALT"], 16)
    multiplier = _number(_bytes(_PRIME) + _bytes(_GENERATOR))
    scramble = _number(_bytes(public) + _bytes(theirs))
    secret = _number(_bytes(salt) + hashlib.sha256(identity.encode()).digest())
    base = (theirs - multiplier * pow(_GENERATOR, secret, _PRIME)) % _PRIME
    shared = pow(base, ours + scramble * secret, _PRIME)
    extracted = hmac.digest(_bytes(scramble), _bytes(shared), "sha256")
    return hmac.digest(extracted, b"Caldera Derived Key\x01", "sha256")[:16]


def _number(data: bytes) -> int:
    return int.from_bytes(hashlib.sha256(data).digest(), "big")


def _bytes(number: int) -> bytes:
    """Adds a zero byte if the first bit is set, as in a signed number."""
    return number.to_bytes(number.bit_length() // 8 + 1, "big")
