"""The short way to a signature makes the one that botocore makes."""

from __future__ import annotations

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import ReadOnlyCredentials
from hypothesis import given
from hypothesis import strategies as st

from tenants.aws.signature import sign_post

word = st.text("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+/=-._", min_size=1, max_size=40)


@given(
    body=st.binary(max_size=200),
    key_id=word,
    secret=st.text(max_size=40),
    token=st.one_of(st.none(), word),
    target=word,
    host=st.sampled_from(["dynamodb.eu-west-1.amazonaws.com", "127.0.0.1:4566", "[::1]:4566", "localhost"]),
    scheme=st.sampled_from(["http", "https"]),
)
def test_it_is_the_one_of_botocore(
    body: bytes, key_id: str, secret: str, token: str | None, target: str, host: str, scheme: str
) -> None:
    credentials = ReadOnlyCredentials(key_id, secret, token, None)
    headers = {"X-Amz-Target": target, "Content-Type": "application/x-amz-json-1.0"}
    by_botocore = AWSRequest("POST", f"{scheme}://{host}/", headers=headers, data=body)
    signed: dict[str, str] = {}
    # Again if a second begins between the two.
    while not signed or signed["X-Amz-Date"] != by_botocore.headers["X-Amz-Date"]:
        SigV4Auth(credentials, "dynamodb", "eu-west-1").add_auth(by_botocore)
        signed = sign_post({**headers, "Host": host}, body, credentials, region="eu-west-1", service="dynamodb")
    assert signed.pop("Host") == host
    assert signed == dict(by_botocore.headers.items())
