"""The part of S3 that exports need: who may write and read which files, and what is not served."""

import hashlib
import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
import requests
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials as SigningKey

from tests.emulator.test_principals import Key
from tests.emulator.world import REGION, Stack, refusal

BUCKET = "exports-of-tests"


def s3_client(stack: Stack, key: Any, **config: Any) -> Any:
    return boto3.client(
        "s3",
        endpoint_url=stack.emulator.endpoint_url,
        region_name=REGION,
        aws_access_key_id=key.access_key_id,
        aws_secret_access_key=key.secret_access_key,
        aws_session_token=getattr(key, "session_token", None),
        config=Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}, **config),
    )


@pytest.fixture(scope="module")
def root(stack: Stack) -> Any:
    client = s3_client(stack, stack.emulator.root)
    client.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
    return client


@pytest.fixture(scope="module")
def writer(stack: Stack, root: Any) -> Iterator[Any]:
    """A user who may write and read files under one prefix, and nothing else."""
    iam = stack.root("iam")
    iam.create_user(UserName="writer")
    beneath = f"arn:aws:s3:::{BUCKET}/mine/*"
    allowed = {"Effect": "Allow", "Action": ["s3:PutObject", "s3:GetObject"], "Resource": beneath}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
    iam.put_user_policy(UserName="writer", PolicyName="files", PolicyDocument=policy)
    made = iam.create_access_key(UserName="writer")["AccessKey"]
    return s3_client(stack, Key(made["AccessKeyId"], made["SecretAccessKey"]))


def test_a_file_is_read_as_it_was_written(root: Any) -> None:
    body = bytes(range(256)) * 40
    root.put_object(Bucket=BUCKET, Key="empty", Body=b"")
    assert root.get_object(Bucket=BUCKET, Key="empty")["Body"].read() == b""
    for key in ("a/b/c.jsonl", "Grüße & more/ü.json", "a+b/ c"):
        root.put_object(Bucket=BUCKET, Key=key, Body=body)
        assert root.get_object(Bucket=BUCKET, Key=key)["Body"].read() == body
        assert root.head_object(Bucket=BUCKET, Key=key)["ContentLength"] == len(body)
    found = root.list_objects_v2(Bucket=BUCKET, Prefix="a/")["Contents"]
    assert [entry["Key"] for entry in found] == ["a/b/c.jsonl"]
    root.head_bucket(Bucket=BUCKET)


def test_a_deleted_file_is_not_found(root: Any) -> None:
    root.put_object(Bucket=BUCKET, Key="gone", Body=b"x")
    root.delete_object(Bucket=BUCKET, Key="gone")
    assert refusal(root.get_object, Bucket=BUCKET, Key="gone")["code"] == "NoSuchKey"
    assert refusal(root.head_object, Bucket=BUCKET, Key="gone")["code"] == "404"


def test_iam_decides_who_writes_and_reads_files(writer: Any) -> None:
    writer.put_object(Bucket=BUCKET, Key="mine/1", Body=b"x")
    assert writer.get_object(Bucket=BUCKET, Key="mine/1")["Body"].read() == b"x"
    denied = refusal(writer.put_object, Bucket=BUCKET, Key="yours/1", Body=b"x")
    assert (denied["code"], denied["status"]) == ("AccessDenied", 403)
    assert f"arn:aws:s3:::{BUCKET}/yours/1" in denied["message"]
    for call, more in (
        (writer.list_objects_v2, {}),
        (writer.delete_object, {"Key": "mine/1"}),
        (writer.get_object, {"Key": "a/b/c.jsonl"}),
    ):
        assert refusal(call, Bucket=BUCKET, **more)["code"] == "AccessDenied"
    assert refusal(writer.create_bucket, Bucket="another-bucket")["code"] == "AccessDenied"


def test_without_list_permission_a_missing_file_is_denied(writer: Any) -> None:
    assert refusal(writer.get_object, Bucket=BUCKET, Key="mine/missing")["code"] == "AccessDenied"


def test_a_missing_bucket_is_reported_to_everybody(root: Any, writer: Any) -> None:
    for client in (root, writer):
        error = refusal(client.put_object, Bucket="nobodys-bucket", Key="x", Body=b"x")
        assert (error["code"], error["status"]) == ("NoSuchBucket", 404)


def test_a_signature_covers_the_body_and_the_key(stack: Stack, root: Any) -> None:
    key, address = stack.emulator.root, f"{stack.emulator.endpoint_url}/{BUCKET}/signed"
    request = AWSRequest("PUT", address, data=b"mine")
    S3SigV4Auth(SigningKey(key.access_key_id, key.secret_access_key), "s3", REGION).add_auth(request)
    assert request.headers["X-Amz-Content-SHA256"] == hashlib.sha256(b"mine").hexdigest()
    headers = dict(request.headers)
    assert requests.put(address, data=b"mine", headers=headers, timeout=5).status_code == 200
    assert requests.put(address, data=b"other", headers=headers, timeout=5).status_code == 403
    elsewhere = address.replace("signed", "another")
    assert "SignatureDoesNotMatch" in requests.put(elsewhere, data=b"mine", headers=headers, timeout=5).text
    assert requests.get(address, timeout=5).status_code == 404


@pytest.mark.parametrize("known", ["test", "AKIAIOSFODNN7EXAMPLE"])
def test_well_known_keys_are_refused(stack: Stack, root: Any, known: str) -> None:
    error = refusal(s3_client(stack, Key(known, "test")).list_objects_v2, Bucket=BUCKET)
    assert (error["code"], error["status"]) == ("InvalidAccessKeyId", 403)


@pytest.mark.parametrize(
    ("operation", "more"),
    [
        ("copy_object", {"Key": "b", "CopySource": f"{BUCKET}/a"}),
        ("put_object", {"Key": "b", "Body": b"", "ACL": "public-read"}),
        ("put_object", {"Key": "b", "Body": b"", "Tagging": "a=b"}),
        ("get_object", {"Key": "b", "ResponseContentType": "text/html"}),
        ("create_multipart_upload", {"Key": "b"}),
        ("put_bucket_policy", {"Policy": "{}"}),
        ("get_bucket_policy", {}),
        ("list_objects", {}),
        ("list_object_versions", {}),
        ("put_object", {"Key": "a*b", "Body": b""}),
    ],
)
def test_unsupported_operations_are_refused_even_to_root(root: Any, operation: str, more: dict[str, Any]) -> None:
    error = refusal(getattr(root, operation), Bucket=BUCKET, **more)
    assert (error["code"], error["status"]) == ("NotImplemented", 501)


def test_a_fault_uses_s3s_error_codes(stack: Stack, root: Any) -> None:
    switch = f"{stack.emulator.endpoint_url}/_emulator/faults"
    secret = {"X-Emulator-Root-Secret": stack.emulator.root.secret_access_key}
    requests.post(switch, json={"operation": "S3.*", "fault": "throttling"}, headers=secret, timeout=5)
    error = refusal(root.put_object, Bucket=BUCKET, Key="late", Body=b"x")
    assert (error["code"], error["status"]) == ("SlowDown", 503)
    root.put_object(Bucket=BUCKET, Key="late", Body=b"x")
