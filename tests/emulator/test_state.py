"""State in a directory: it survives a restart, however the process ended, and a bad directory is refused."""

import json
import os
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests
from botocore.exceptions import BotoCoreError, ClientError

from emulator.client.process import Emulator, EmulatorFailed, RootKey, start
from tests.emulator.test_http_api import call
from tests.emulator.world import ACME, ACME_OWNER, GLOBEX, Stack, build, claims, client, key, refusal, row

_SAVE_SECONDS = 1.0


@contextmanager
def running(directory: Path, **options: Any) -> Iterator[Emulator]:
    with start(state=directory, **options) as emulator:
        yield emulator


def kill(emulator: Emulator) -> None:
    os.kill(emulator.pid, signal.SIGKILL)
    emulator.stop()


def again(emulator: Emulator, stack: Stack) -> Stack:
    """The same stack in another process."""
    return Stack(emulator, stack.outputs)


def test_a_restart_keeps_all_state(tmp_path: Path) -> None:
    directory = tmp_path / "state"
    with running(directory) as first:
        stack = build(first, name="portal", PortalPrincipal="arn:aws:iam::123456789012:root")
        tokens = stack.tokens(ACME_OWNER)
        credentials = stack.exchange(tokens.id_token)
        stack.dynamodb(ACME_OWNER).put_item(TableName=stack.table, Item=row(ACME, "mine", n={"N": "1.50"}))
        keys = requests.get(f"{first.endpoint_url}/{stack.pool_id}/.well-known/jwks.json", timeout=5).json()
        role = _role_session(stack)
        users = _users(stack)
        root = first.root
        invited = {"UserPoolId": stack.pool_id, "Username": "invited@acme.example"}
        email = [{"Name": "email", "Value": "invited@acme.example"}]
        stack.root("cognito-idp").admin_create_user(**invited, UserAttributes=email)
        mails = _mails(first)
        stack.root("cognito-idp").admin_delete_user(**invited)
    with running(directory) as second:
        later = again(second, stack)
        assert second.root == root
        assert later.secret() == stack.secret()
        assert _users(later) == users
        assert mails
        assert _mails(second) == mails
        found = requests.get(f"{second.endpoint_url}/{stack.pool_id}/.well-known/jwks.json", timeout=5).json()
        assert found == keys
        # Credentials that were issued before the restart, of a person and of a role.
        db = client(second, "dynamodb", credentials)
        assert db.get_item(TableName=stack.table, Key=key(ACME, "mine"))["Item"]["n"] == {"N": "1.5"}
        assert refusal(db.get_item, TableName=stack.table, Key=key(GLOBEX))["code"] == "AccessDeniedException"
        assert "assumed-role" in client(second, "sts", role).get_caller_identity()["Arn"]
        # The person keeps the identity, and an earlier token is still valid.
        assert later.exchange(tokens.id_token).identity_id == credentials.identity_id
        assert claims(_refresh(later, tokens.refresh_token))["sub"] == claims(tokens.id_token)["sub"]
        stacks = later.root("cloudformation").describe_stacks(StackName="portal")["Stacks"]
        later.outputs = {output["OutputKey"]: output["OutputValue"] for output in stacks[0]["Outputs"]}
        assert call(later, credentials, f"/{ACME}/profile")[0] == 200
        assert later.root("cloudformation").describe_stacks(StackName="portal")["Stacks"][0]["StackStatus"]
        counted = later.root("dynamodb").describe_table(TableName=stack.table)["Table"]["ItemCount"]
        assert counted == 10


def test_a_browser_stays_signed_in_after_a_restart(tmp_path: Path) -> None:
    with running(tmp_path / "state") as first:
        stack = build(first, name="portal")
        browser = _sign_in(stack)
        kept = {cookie.name: cookie.value for cookie in browser.cookies}
    with running(tmp_path / "state") as second:
        answer = requests.get(
            f"{second.endpoint_url}/oauth2/authorize", params=_query(stack), cookies=kept, timeout=5,
            allow_redirects=False,
        )  # fmt: skip
        assert "code=" in answer.headers["Location"]


def test_a_killed_process_loses_at_most_a_second(tmp_path: Path) -> None:
    directory = tmp_path / "state"
    with running(directory) as first:
        stack = build(first, name="portal")
        db = stack.dynamodb(ACME_OWNER)
        answered: list[tuple[float, int]] = []

        def write() -> None:
            for number in range(100_000):
                try:
                    _write_pair(db, stack.table, number)
                except (BotoCoreError, ClientError):
                    return
                answered.append((time.monotonic(), number))

        writer = threading.Thread(target=write)
        writer.start()
        time.sleep(2.5)
        kill(first)
        ended = time.monotonic()
        writer.join()
    safe = {number for when, number in answered if when < ended - _SAVE_SECONDS}
    assert len(safe) > 50
    with running(directory) as second:
        rows = again(second, stack).dynamodb(ACME_OWNER)
        kept = _saved_numbers(rows, stack.table, "left"), _saved_numbers(rows, stack.table, "right")
        assert safe <= kept[0]
        # Two rows of one transaction: both or neither.
        assert kept[0] == kept[1]


def test_deleted_data_stays_deleted_after_a_restart(tmp_path: Path) -> None:
    with running(tmp_path / "state") as first:
        stack = build(first, name="portal")
        db = stack.dynamodb(ACME_OWNER)
        time.sleep(1)
        db.delete_item(TableName=stack.table, Key=key(ACME, "0"))
        person = stack.newcomer()
        time.sleep(1)
        stack.root("cognito-idp").admin_delete_user(UserPoolId=stack.pool_id, Username=person.email)
        stack.root("dynamodb").create_table(
            TableName="other",
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        stack.root("dynamodb").put_item(TableName="other", Item={"pk": {"S": "a"}})
        time.sleep(1)
        stack.root("dynamodb").delete_table(TableName="other")
        time.sleep(1)
        kill(first)
    assert not _entries(tmp_path / "state", '%"a"%', "rows:%")
    with running(tmp_path / "state") as second:
        later = again(second, stack)
        assert "Item" not in later.dynamodb(ACME_OWNER).get_item(TableName=stack.table, Key=key(ACME, "0"))
        assert person.email not in str(_users(later))
        assert later.root("dynamodb").list_tables()["TableNames"] == [stack.table]


def test_a_transaction_with_expressions_survives_a_restart(tmp_path: Path) -> None:
    one = {"Key": {"pk": {"S": "a"}}, "TableName": "counts"}
    more = {"UpdateExpression": "ADD n :one", "ExpressionAttributeValues": {":one": {"N": "1"}}}
    checked = {"TableName": "counts", "Key": {"pk": {"S": "b"}}, "ConditionExpression": "attribute_not_exists(pk)"}
    request = {
        "ClientRequestToken": "once",
        "TransactItems": [{"Update": {**one, **more}}, {"ConditionCheck": checked}],
    }
    with running(tmp_path) as first:
        db = client(first, "dynamodb", first.root)
        keys = {"AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}]}
        schema = [{"AttributeName": "pk", "KeyType": "HASH"}]
        db.create_table(TableName="counts", BillingMode="PAY_PER_REQUEST", KeySchema=schema, **keys)
        db.transact_write_items(**request)
    with running(tmp_path) as second:
        db = client(second, "dynamodb", second.root)
        db.transact_write_items(**request)
        assert db.get_item(**one)["Item"]["n"] == {"N": "1"}


def test_a_cancelled_transaction_of_statements_saves_nothing(tmp_path: Path) -> None:
    with running(tmp_path / "state") as first:
        stack = build(first, name="portal")
        insert = f"INSERT INTO \"{stack.table}\" VALUE {{'pk': '{ACME}#orders', 'sk': ?}}"
        statements = [{"Statement": insert, "Parameters": [{"S": sk}]} for sk in ("new", "0")]
        root = stack.root("dynamodb")
        assert (
            refusal(root.execute_transaction, TransactStatements=statements)["code"] == "TransactionCanceledException"
        )
        time.sleep(1)
        kill(first)
    with running(tmp_path / "state") as second:
        assert again(second, stack).root("dynamodb").scan(TableName=stack.table, Select="COUNT")["Count"] == 9


def test_nothing_is_written_while_nothing_changes(tmp_path: Path) -> None:
    with running(tmp_path / "state") as emulator:
        stack = build(emulator, name="portal")
        db = stack.dynamodb(ACME_OWNER)
        time.sleep(1)
        before = _file_stats(tmp_path / "state")
        for _ in range(20):
            db.get_item(TableName=stack.table, Key=key(ACME))
        time.sleep(1)
        assert _file_stats(tmp_path / "state") == before


# ── The directory ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_only_its_owner_can_read_the_directory(tmp_path: Path) -> None:
    with running(tmp_path / "state"):
        assert stat.S_IMODE((tmp_path / "state").stat().st_mode) == 0o700
        modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in (tmp_path / "state").iterdir()}
        assert set(modes) >= {"state.sqlite3", "root-key.json", "emulator.lock"}
        assert set(modes.values()) == {0o600}


def test_a_directory_is_used_by_one_emulator_at_a_time(tmp_path: Path) -> None:
    with running(tmp_path / "one") as first, running(tmp_path / "two") as second:
        assert first.endpoint_url != second.endpoint_url
        with pytest.raises(EmulatorFailed) as refused, running(tmp_path / "one"):
            pass
        assert str(refused.value) == f"Another emulator is running on {tmp_path / 'one'}."
        assert first.running


def test_reset_deletes_all_state(tmp_path: Path) -> None:
    with running(tmp_path / "state") as first:
        build(first, name="portal")
        root = first.root
    with running(tmp_path / "state", reset=True) as second:
        assert second.root != root
        assert client(second, "dynamodb", second.root).list_tables()["TableNames"] == []


@pytest.mark.parametrize(("name", "value"), [("format", "0"), ("engine", "1.0.0")])
def test_state_of_another_version_is_refused(tmp_path: Path, name: str, value: str) -> None:
    with running(tmp_path):
        pass
    with closing(sqlite3.connect(tmp_path / "state.sqlite3")) as entries, entries:
        entries.execute("UPDATE about SET value = ? WHERE name = ?", (value, name))
    with pytest.raises(EmulatorFailed, match=r"^The state in .*; --reset begins anew\.$"), running(tmp_path):
        pass
    with running(tmp_path, reset=True) as emulator:
        assert emulator.running


def test_an_unreadable_state_file_gives_a_one_line_error(tmp_path: Path) -> None:
    with running(tmp_path):
        pass
    (tmp_path / "state.sqlite3").write_bytes(b"something else entirely" * 400)
    with pytest.raises(EmulatorFailed, match=r"^The state in .* cannot be read .*--reset begins anew\.$"):
        start(state=tmp_path)


def test_a_directory_with_other_files_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("Dear")
    for reset in (False, True):
        with pytest.raises(EmulatorFailed, match="is not empty and holds no emulator's state"):
            start(state=tmp_path, reset=reset)
    assert [file.name for file in tmp_path.iterdir()] == ["letter.txt"]


def test_a_given_root_key_is_stored(tmp_path: Path) -> None:
    given = RootKey("AKIAGIVEN", "a-secret-of-some-length")
    with running(tmp_path, root=given) as first:
        assert first.root == given
    with running(tmp_path) as second:
        assert second.root == given


def test_the_command_line_needs_no_root_key_with_a_directory(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("EMULATOR_ROOT")}
    process = subprocess.Popen(
        [sys.executable, "-m", "emulator", "--port", "0", "--state", str(tmp_path / "s")],
        cwd=Path(__file__).resolve().parents[2], env=environment, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert process.stdout is not None
    with process.stdout:
        assert "endpoint" in json.loads(process.stdout.readline())
    process.terminate()
    assert process.wait(10) == 0
    assert json.loads((tmp_path / "s" / "root-key.json").read_text())["access_key_id"].startswith("AKIA")


def test_reset_without_a_directory_is_refused() -> None:
    with pytest.raises(EmulatorFailed, match="--reset needs --state"):
        start(reset=True)


# ── Helpers ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _write_pair(db: Any, table: str, number: int) -> None:
    items = [{"Put": {"TableName": table, "Item": _row_key(side, number)}} for side in ("left", "right")]
    db.transact_write_items(TransactItems=items)


def _row_key(side: str, number: int) -> dict[str, Any]:
    return {"pk": {"S": f"{ACME}#{side}"}, "sk": {"S": f"{number:06d}"}}


def _saved_numbers(db: Any, table: str, side: str) -> set[int]:
    values = {":pk": {"S": f"{ACME}#{side}"}}
    pages = db.get_paginator("query").paginate(
        TableName=table, KeyConditionExpression="pk = :pk", ExpressionAttributeValues=values
    )
    return {int(item["sk"]["S"]) for page in pages for item in page["Items"]}


def _users(stack: Stack) -> list[dict[str, Any]]:
    users: list[dict[str, Any]] = stack.root("cognito-idp").list_users(UserPoolId=stack.pool_id)["Users"]
    return users


def _mails(emulator: Emulator) -> list[Any]:
    mails: list[Any] = requests.get(f"{emulator.endpoint_url}/mailbox.json", timeout=5).json()["mails"]
    return mails


def _role_session(stack: Stack) -> Any:
    answer = stack.root("sts").assume_role(RoleArn=stack.outputs["PortalRoleArn"], RoleSessionName="portal")
    given = answer["Credentials"]
    return _Keys(given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"])


class _Keys:
    def __init__(self, access_key_id: str, secret_access_key: str, session_token: str) -> None:
        self.access_key_id, self.secret_access_key, self.session_token = access_key_id, secret_access_key, session_token


def _refresh(stack: Stack, token: str) -> str:
    answer = requests.post(
        f"{stack.emulator.endpoint_url}/oauth2/token",
        data={"grant_type": "refresh_token", "refresh_token": token},
        auth=(stack.client_id, stack.secret()),
        timeout=5,
    )
    return str(answer.json()["id_token"])


def _query(stack: Stack) -> dict[str, str]:
    redirect = "http://localhost:8000/oidc/callback/"
    return {"client_id": stack.client_id, "response_type": "code", "scope": "openid", "redirect_uri": redirect}


def _sign_in(stack: Stack) -> requests.Session:
    from emulator.client.sign_in import fill_in
    from tests.emulator.world import PASSWORD, REDIRECT

    browser = requests.Session()
    page = browser.get(f"{stack.emulator.endpoint_url}/oauth2/authorize", params=_query(stack), timeout=5)
    fill_in(browser, page, {"username": ACME_OWNER.email, "password": PASSWORD}, REDIRECT)
    return browser


def _file_stats(directory: Path) -> list[tuple[str, int, int]]:
    stats = ((file.name, file.stat()) for file in sorted(directory.iterdir()))
    return [(name, found.st_size, found.st_mtime_ns) for name, found in stats]


def _entries(directory: Path, key_like: str, store_like: str) -> list[Any]:
    with closing(sqlite3.connect(directory / "state.sqlite3")) as entries:
        return entries.execute(
            "SELECT * FROM entries WHERE key LIKE ? AND store LIKE ?", (key_like, store_like)
        ).fetchall()
