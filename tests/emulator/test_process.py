"""Starting, stopping, ports, faults, counters, and the check of the engine."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import requests

from emulator.client.deploy import DeployFailed, deploy
from emulator.client.process import Emulator, EmulatorFailed, start
from emulator.server.engine_signatures import PARAMETERS
from tests.emulator.world import ACME, ACME_OWNER, Stack, key, refusal

_ROOT = Path(__file__).resolve().parents[2]


def control(stack: Stack, method: str, what: str, secret: str | None = None, **fault: object) -> requests.Response:
    headers = {"X-Emulator-Root-Secret": stack.emulator.root.secret_access_key if secret is None else secret}
    return requests.request(
        method, f"{stack.emulator.endpoint_url}/_emulator/{what}", headers=headers, json=fault or None, timeout=10
    )


@pytest.fixture
def faults(stack: Stack) -> Iterator[Stack]:
    yield stack
    control(stack, "DELETE", "faults")


def test_a_taken_port_gives_a_one_line_error(emulator: Emulator) -> None:
    port = int(emulator.endpoint_url.rpartition(":")[2])
    with pytest.raises(EmulatorFailed) as failure:
        start(port=port)
    assert str(failure.value) == f"Port {port} is taken. Give --port or EMULATOR_PORT another."


def test_a_port_taken_on_one_address_counts_as_taken() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(EmulatorFailed, match="is taken"):
            start(port=taken.getsockname()[1])


@pytest.mark.parametrize("port", ["65536", "-1", "http"])
def test_a_port_that_is_none_is_refused_in_a_line(port: str) -> None:
    command = [sys.executable, "-m", "emulator", f"--port={port}"]
    refused = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, timeout=30, check=False)
    assert refused.returncode == 2
    assert refused.stderr.splitlines()[-1].endswith(f"'{port}' is not a number from 0 to 65535")


def test_only_two_loopback_ports_are_open(stack: Stack) -> None:
    ports = {int(stack.emulator.endpoint_url.rpartition(":")[2]), stack.emulator.smtp_port}
    listening = [entry.laddr for entry in psutil.Process(stack.emulator.pid).net_connections("inet") if not entry.raddr]
    assert listening
    assert {(entry.ip in ("127.0.0.1", "::1"), entry.port) for entry in listening} == {(True, port) for port in ports}


def test_the_emulator_stops_with_its_parent() -> None:
    program = (
        "import os; from emulator.client.process import start; "
        "e = start(); print(e.pid, flush=True); os.kill(os.getpid(), 9)"
    )
    killed = subprocess.run([sys.executable, "-c", program], cwd=_ROOT, capture_output=True, timeout=30, check=False)
    _wait_for_exit(int(killed.stdout))


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_the_emulator_quietly(how: signal.Signals) -> None:
    keys = {"EMULATOR_ROOT_ACCESS_KEY_ID": "AKIAROOT", "EMULATOR_ROOT_SECRET_ACCESS_KEY": "a-secret-of-some-length"}
    process = subprocess.Popen(
        [sys.executable, "-m", "emulator", "--port", "0"],
        cwd=_ROOT,
        env={**os.environ, **keys},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert b"endpoint" in process.stdout.readline()
    process.send_signal(how)
    output = process.communicate(timeout=10)
    assert (process.returncode, *output) == (0, b"", b"")


def test_the_emulator_needs_a_root_key_to_start() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "emulator", "--port", "0"], cwd=_ROOT, capture_output=True, timeout=30, check=False
    )
    assert ended.returncode == 1
    assert b"EMULATOR_ROOT_SECRET_ACCESS_KEY" in ended.stderr


def test_the_root_secret_is_not_in_a_repr(emulator: Emulator) -> None:
    assert emulator.root.secret_access_key not in repr(emulator)


def test_two_emulators_run_side_by_side(stack: Stack) -> None:
    with start() as other:
        assert other.endpoint_url != stack.emulator.endpoint_url
        with pytest.raises(DeployFailed, match="InvalidClientTokenId"):
            deploy(other.endpoint_url, stack.emulator.root, template="{}")
    assert not other.running


def test_a_failed_stack_names_the_resource_and_the_reason(stack: Stack) -> None:
    domain = {"Type": "AWS::Cognito::UserPoolDomain", "Properties": {"UserPoolId": "eu-west-1_none", "Domain": "d"}}
    template = json.dumps({"Resources": {"Pool": domain}})
    with pytest.raises(DeployFailed, match=r"Pool: .*none"):
        deploy(stack.emulator.endpoint_url, stack.emulator.root, template=template, stack_name="broken")


def test_deploying_again_returns_the_same_outputs(loose_stack: Stack) -> None:
    stacks = loose_stack.root("cloudformation")
    text = stacks.get_template(StackName="loose")["TemplateBody"]
    assert isinstance(text, str)
    parameters = {"DeletionProtection": "false", "DomainPrefix": "loose"}
    root = loose_stack.emulator.root
    again = deploy(loose_stack.emulator.endpoint_url, root, template=text, stack_name="loose", parameters=parameters)
    assert again == loose_stack.outputs


def test_the_table_has_expiry_and_recovery_enabled(stack: Stack) -> None:
    db = stack.root("dynamodb")
    expiry = db.describe_time_to_live(TableName=stack.table)["TimeToLiveDescription"]
    assert expiry == {"TimeToLiveStatus": "ENABLED", "AttributeName": "_expires_at"}
    backups = db.describe_continuous_backups(TableName=stack.table)["ContinuousBackupsDescription"]
    assert backups["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"] == "ENABLED"


def test_only_a_template_with_sse_encrypts_with_kms(stack: Stack) -> None:
    db = stack.root("dynamodb")
    assert "SSEDescription" not in db.describe_table(TableName=stack.table)["Table"]
    table = {
        "TableName": "with-a-key",
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
        "SSESpecification": {"SSEEnabled": True},
    }
    template = json.dumps({"Resources": {"Table": {"Type": "AWS::DynamoDB::Table", "Properties": table}}})
    deploy(stack.emulator.endpoint_url, stack.emulator.root, template=template, stack_name="with-a-key")
    assert db.describe_table(TableName="with-a-key")["Table"]["SSEDescription"]["Status"] == "ENABLED"


# ── Faults and counters ─────────────────────────────────────────────────────────────────────────────────────────────


def test_a_fault_happens_as_often_as_its_count(faults: Stack) -> None:
    db = faults.dynamodb(ACME_OWNER)
    code = "ProvisionedThroughputExceededException"
    assert control(faults, "POST", "faults", operation="DynamoDB.GetItem", code=code, count=2).status_code == 204
    for _ in range(2):
        assert refusal(db.get_item, TableName=faults.table, Key=key(ACME)) == {
            "code": code,
            "message": "A test switched this fault on.",
            "status": 400,
        }
    assert db.get_item(TableName=faults.table, Key=key(ACME))["Item"]


def test_a_fault_can_be_a_server_error(faults: Stack) -> None:
    control(faults, "POST", "faults", operation="DynamoDB.GetItem", code="InternalServerError", status=500)
    error = refusal(faults.dynamodb(ACME_OWNER).get_item, TableName=faults.table, Key=key(ACME))
    assert error["status"] == 500


def test_a_fault_can_delay_the_answer(faults: Stack) -> None:
    control(faults, "POST", "faults", operation="DynamoDB.GetItem", delay_seconds=0.3)
    started = time.monotonic()
    assert faults.dynamodb(ACME_OWNER).get_item(TableName=faults.table, Key=key(ACME))["Item"]
    assert time.monotonic() - started > 0.3


def test_a_fault_can_close_the_connection(faults: Stack) -> None:
    control(faults, "POST", "faults", operation="oauth2.token", drop=True)
    with pytest.raises(requests.ConnectionError):
        requests.post(f"{faults.emulator.endpoint_url}/oauth2/token", data={}, timeout=10)


def test_faults_affect_token_endpoint_and_identity_pool(faults: Stack) -> None:
    control(faults, "POST", "faults", operation="oauth2.token", code="temporarily_unavailable", status=503)
    answer = requests.post(f"{faults.emulator.endpoint_url}/oauth2/token", data={}, timeout=10)
    assert (answer.status_code, answer.json()) == (503, {"error": "temporarily_unavailable"})
    token = faults.tokens(ACME_OWNER).id_token
    control(faults, "POST", "faults", operation="CognitoIdentity.GetId", code="TooManyRequestsException")
    with pytest.raises(Exception, match="TooManyRequestsException"):
        faults.exchange(token)


def test_calls_are_counted_by_operation(faults: Stack) -> None:
    db = faults.dynamodb(ACME_OWNER)
    control(faults, "DELETE", "calls")
    for _ in range(3):
        db.get_item(TableName=faults.table, Key=key(ACME))
    assert control(faults, "GET", "calls").json() == {"DynamoDB.GetItem": 3}


def test_faults_need_the_root_secret(stack: Stack) -> None:
    for secret in ("", "guessed", stack.emulator.root.access_key_id):
        assert control(stack, "POST", "faults", secret, operation="DynamoDB.GetItem", drop=True).status_code == 403
        assert control(stack, "GET", "calls", secret).status_code == 403


def test_a_fault_with_unknown_members_is_refused(stack: Stack) -> None:
    for fault in ({"operation": 1}, {"operation": "a", "often": 3}, {"operation": "a", "count": "many"}, {"code": "x"}):
        assert control(stack, "POST", "faults", **fault).status_code == 400


# ── The engine ──────────────────────────────────────────────────────────────────────────────────────────────────────

_CHECK_PROGRAM = """
from importlib.metadata import version
from emulator.server import patches
ours = version("ministack")
for installed, parameters in (
    (ours, patches.PARAMETERS),
    ("1.6.0", {}),
    (ours, {"dynamodb._gone": "data"}),
    (ours, {"dynamodb._query": "data caller"}),
):
    try:
        print(patches.check(installed, parameters))
    except patches.WrongEngine as failure:
        print(failure)
"""


def test_an_engine_with_other_version_or_signatures_is_refused() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _CHECK_PROGRAM], cwd=_ROOT, capture_output=True, timeout=30, check=True
    )
    assert done.stdout.decode().splitlines() == [
        "None",
        "MiniStack 1.5.33 is needed, 1.6.0 is installed.",
        "MiniStack 1.5.33 has no dynamodb._gone.",
        "dynamodb._query of MiniStack 1.5.33 is (data), not (data caller).",
    ]


def test_every_used_name_of_the_engine_is_checked() -> None:
    use = re.compile(r"engine\.(responses|sigv4|dynamodb|cognito|iam|cloudformation|provisioners)\.(\w+)")
    sources = (path.read_text("utf-8") for path in (_ROOT / "emulator").rglob("*.py"))
    used = {".".join(found) for source in sources for found in use.findall(source)}
    assert used <= PARAMETERS.keys()


_EXPIRY_PROGRAM = """
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from emulator.access.principals import Root, Secret, Sessions
from emulator.access.signing import Keyring
from emulator.wire import AwsError, Incoming

sessions = Sessions()
role = {"Arn": "arn:aws:iam::123456789012:role/r", "RoleId": "AROA"}
for seconds in (60, -1):
    session = sessions.open(role, name="s", seconds=seconds, tags={})
    key = Credentials(session.key.access_key_id, session.key.secret_access_key, session.token)
    request = AWSRequest("POST", "http://localhost/", data=b"{}")
    SigV4Auth(key, "dynamodb", "eu-west-1").add_auth(request)
    headers = {"host": "localhost", **{name.lower(): value for name, value in request.headers.items()}}
    try:
        keyring = Keyring(Root(Secret("AKIAROOT", "secret")), sessions)
        print(keyring.authenticate(Incoming("POST", "/", headers, b"{}"), service="dynamodb").arn)
    except AwsError as failure:
        print(failure)
"""


def test_expired_credentials_are_refused() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _EXPIRY_PROGRAM], cwd=_ROOT, capture_output=True, timeout=30, check=True
    )
    assert done.stdout.decode().splitlines() == [
        "arn:aws:sts::123456789012:assumed-role/r/s",
        "ExpiredToken: The security token included in the request is expired",
    ]


def _wait_for_exit(pid: int) -> None:
    deadline = time.monotonic() + 10
    while psutil.pid_exists(pid):
        assert time.monotonic() < deadline, "The process is still running."
        time.sleep(0.05)
