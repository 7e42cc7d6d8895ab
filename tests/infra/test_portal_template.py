"""infra/portal.yaml deploys beside the first stack, with its defaults and every parameter, and keeps secrets apart."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from emulator.client.deploy import DeployFailed, deploy
from emulator.client.process import Emulator, start
from portal.environment import BASE, SETTINGS
from portal.setting_checks import metrics_tokens, secret_key, token_keys
from portal.template import RUNNING, TEMPLATE, read_both, read_template, role_documents
from tests.emulator.world import Stack

TEXT = RUNNING.read_text()
SECOND = read_template(TEXT)
RESOURCES = SECOND["Resources"]
PARAMETERS = SECOND["Parameters"]
ARN = "arn:aws:{}:eu-west-1:123456789012:{}"
NEEDED = {
    "PortalUrl": "https://portal.example.com",
    "CertificateArn": ARN.format("acm", "certificate/0-1"),
    "ImageDigest": f"sha256:{'0' * 64}",
    "LoginClientSecretArn": ARN.format("secretsmanager", "secret:login-client-AbCdEf"),
}
OTHERS = {
    "ExportBucket": "portal-exports",
    "ImageRepository": "example/portal",
    "MailUrlSecretArn": ARN.format("secretsmanager", "secret:mail-url-AbCdEf"),
    "MailFrom": "Acme Portal <no-reply@example.com>",
    "SupportContact": "help@example.com",
    "WebTasks": "3",
    "WorkerTasks": "1",
    "VpcId": "vpc-0123456789abcdef0",
    "PublicSubnets": "subnet-0123456789abcdef0,subnet-0123456789abcdef1",
    "PrivateSubnets": "subnet-0123456789abcdef2,subnet-0123456789abcdef3",
    "VisitorCidr": "192.0.2.0/24",
    "AccessLogBucket": "portal-access-log",
    "HighAvailability": "false",
    "DatabaseClass": "db.m7g.large",
    "DatabaseGigabytes": "100",
    "BackupDays": "35",
    "CacheClass": "cache.m7g.large",
    "LogDays": "365",
    "DeletionProtection": "false",
    "AlarmEmail": "alarms@example.com",
}
WEB_SECRETS = {"DJANGO_SECRET_KEY", "TOKEN_ENCRYPTION_KEYS", "COGNITO_CLIENT_SECRET", "METRICS_TOKEN"}


@pytest.fixture(scope="module")
def first() -> Iterator[Stack]:
    with start() as running:
        given = {"DeletionProtection": "false", "BrowserReads": "true"}
        yield Stack(running, deploy(running.endpoint_url, running.root, template=TEMPLATE, parameters=given))


def run_beside(first: Stack, name: str, **parameters: str) -> dict[str, str]:
    outputs = {key: value for key, value in first.outputs.items() if key in PARAMETERS}
    emulator: Emulator = first.emulator
    given = {**outputs, **NEEDED, **parameters}
    return deploy(emulator.endpoint_url, emulator.root, template=RUNNING, stack_name=name, parameters=given)


@pytest.mark.parametrize("given", [{}, OTHERS, {"HighAvailability": "false", "ExportBucket": "exports"}])
def test_it_deploys_beside_the_first_stack_and_again(first: Stack, given: dict[str, str]) -> None:
    name = f"running-{len(given)}"
    outputs = run_beside(first, name, **given)
    assert outputs["PrivateSubnetIds"].count(",") == 1
    assert run_beside(first, name, **given | {"ImageDigest": f"sha256:{'1' * 64}"}).keys() == outputs.keys()


def test_every_parameter_is_tried_or_an_output_of_the_first_stack(first: Stack) -> None:
    assert PARAMETERS.keys() == {*NEEDED, *OTHERS, *(PARAMETERS.keys() & first.outputs.keys())}


@pytest.mark.parametrize("left_out", ["PublicSubnets", "PrivateSubnets"])
def test_half_a_network_is_refused(first: Stack, left_out: str) -> None:
    given = {**OTHERS, left_out: ""}
    with pytest.raises(DeployFailed, match="give PublicSubnets and PrivateSubnets too"):
        run_beside(first, "half", **given)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PortalUrl", "http://portal.example.com"),
        ("ImageDigest", "latest"),
        ("PrivateSubnets", "subnet-0123456789abcdef0"),
        ("LoginClientSecretArn", ARN.format("secretsmanager", "secret:*")),
        ("LogDays", "1"),
    ],
)
def test_a_malformed_parameter_is_refused(first: Stack, name: str, value: str) -> None:
    with pytest.raises(DeployFailed, match=name):
        run_beside(first, "malformed", **{name: value})


def test_it_fits_into_one_request() -> None:
    assert len(TEXT.encode()) <= 51_200


# ── Secrets ──────────────────────────────────────────────────────────────────────────────────────────────────────


def containers() -> dict[str, dict[str, Any]]:
    tasks = [one["Properties"] for one in RESOURCES.values() if one["Type"] == "AWS::ECS::TaskDefinition"]
    return {one["Name"]: one for task in tasks for one in task["ContainerDefinitions"]}


def named(container: dict[str, Any]) -> dict[str, Any]:
    """Its secrets by the name of the setting."""
    plain = [one["If"][1] if "If" in one else one for one in container["Secrets"]]
    return {one["Name"]: one["ValueFrom"]["Ref"] for one in plain}


@pytest.mark.parametrize("name", ["web", "migrate", "worker", "closing"])
def test_each_container_has_the_settings_it_needs(name: str) -> None:
    container = containers()[name]
    plain = {one["Name"]: one["Value"] for one in container["Environment"]}
    given = {*plain, *named(container)}
    required = {setting for setting, about in SETTINGS.items() if about[1] is None}
    assert given <= SETTINGS.keys()
    assert required - given <= (set() if name == "web" else WEB_SECRETS)
    assert not plain.keys() & {*WEB_SECRETS, "DATABASE_URL", "CACHE_URL", "EMAIL_URL"}
    assert ("TRUSTED_PROXIES" in plain) is (name == "web")


def test_only_the_web_server_gets_its_secrets() -> None:
    assert set(named(containers()["migrate"])) == {"DATABASE_URL", "CACHE_URL"}
    assert set(named(containers()["worker"])) == {"DATABASE_URL", "CACHE_URL", "EMAIL_URL"}
    assert set(named(containers()["closing"])) == {"DATABASE_URL", "CACHE_URL"}
    assert set(named(containers()["web"])) == {"DATABASE_URL", "CACHE_URL", *WEB_SECRETS}


@pytest.mark.parametrize(
    ("role", "names"),
    [
        ("WebExecutionRole", ["web", "migrate"]),
        ("WorkerExecutionRole", ["worker"]),
        ("ClosingExecutionRole", ["closing"]),
    ],
)
def test_an_execution_role_reads_exactly_the_secrets_of_its_task(role: str, names: list[str]) -> None:
    read = set()
    for document in role_documents(read_both(), role).values():
        for statement in document["Statement"]:
            if statement["Action"] == "secretsmanager:GetSecretValue":
                found = statement["Resource"]
                read |= set([found] if isinstance(found, str) else found)
    secrets = {secret for name in names for secret in named(containers()[name]).values()}
    assert {one.rpartition("/")[2] for one in read} == secrets


def test_the_secrets_that_it_makes_are_ones_that_the_portal_takes(first: Stack) -> None:
    outputs = run_beside(first, "secrets")
    assert outputs["MetricsTokenArn"].startswith(ARN.format("secretsmanager", "secret:"))
    lengths = {
        name: one["Properties"]["GenerateSecretString"]
        for name, one in RESOURCES.items()
        if "GenerateSecretString" in one.get("Properties", {})
    }
    assert all(
        about["ExcludePunctuation"] == "true" or about["ExcludePunctuation"] is True for about in lengths.values()
    )
    letters = "Ab1Cd2Ef3Gh4Ij5Kl6Mn7Op8Qr9St0UvWxYzaBcDeFgHiJkLmNoPqRsTuVwXyZ01234"
    secret_key(letters[: int(lengths["SecretKey"]["PasswordLength"])])
    metrics_tokens(letters[: int(lengths["MetricsToken"]["PasswordLength"])])
    assert RESOURCES["TokenKeys"]["Properties"]["SecretString"]["Sub"].endswith("}}=")
    seed = letters[: int(lengths["TokenKeySeed"]["PasswordLength"])]
    assert [len(key) for key in token_keys(f"{seed}=")] == [32]


# ── Who may do what ──────────────────────────────────────────────────────────────────────────────────────────────


def test_the_web_has_no_role_and_each_job_its_own() -> None:
    tasks = {name: RESOURCES[name]["Properties"] for name in ("WebTask", "WorkerTask", "ClosingTask")}
    roles = {name: task.get("TaskRoleArn", {}).get("Ref") for name, task in tasks.items()}
    assert roles == {"WebTask": None, "WorkerTask": "PortalRoleArn", "ClosingTask": "ClosingJobRoleArn"}
    assert len({task["ExecutionRoleArn"]["GetAtt"] for task in tasks.values()}) == 3


def test_every_container_has_a_read_only_root_and_no_capabilities() -> None:
    for container in containers().values():
        assert container["ReadonlyRootFilesystem"] == "true" or container["ReadonlyRootFilesystem"] is True
        assert container["LinuxParameters"]["Capabilities"] == {"Drop": ["ALL"]}
        assert container["MountPoints"] == [{"SourceVolume": "scratch", "ContainerPath": "/tmp"}]
    for service in ("WebService", "WorkerService"):
        assert RESOURCES[service]["Properties"]["EnableExecuteCommand"] in (False, "false")


def test_the_web_follows_the_migration_and_the_jobs_follow_the_web() -> None:
    assert containers()["web"]["DependsOn"] == [{"ContainerName": "migrate", "Condition": "SUCCESS"}]
    assert "WebService" in RESOURCES["WorkerService"]["DependsOn"]
    assert RESOURCES["ClosingSchedule"]["DependsOn"] == "WebService"


def test_the_health_check_is_the_images_own() -> None:
    text = (BASE / "Containerfile").read_text()
    command = containers()["web"]["HealthCheck"]["Command"]
    assert command[0] == "CMD"
    assert f"CMD {str(command[1:]).replace(chr(39), chr(34))}" in text
    assert RESOURCES["WebTargets"]["Properties"]["HealthCheckPath"] == "/livez"


# ── TLS and the network ──────────────────────────────────────────────────────────────────────────────────────────


def test_database_and_cache_are_reached_over_verified_tls_only() -> None:
    texts = {name: RESOURCES[name]["Properties"]["SecretString"]["Sub"] for name in ("DatabaseUrl", "CacheUrl")}
    assert "?sslmode=verify-full&sslrootcert=/" in texts["DatabaseUrl"]
    assert texts["CacheUrl"].startswith("rediss://:{{resolve:")
    assert RESOURCES["DatabaseParameters"]["Properties"]["Parameters"] == {"rds.force_ssl": "1"}
    assert RESOURCES["Cache"]["Properties"]["TransitEncryptionMode"] == "required"
    assert RESOURCES["Database"]["DeletionPolicy"] == RESOURCES["Database"]["UpdateReplacePolicy"] == "Snapshot"


def test_nothing_but_the_load_balancer_can_be_reached_from_outside() -> None:
    rules = [
        (one["Properties"]["GroupId"]["Ref"], one["Properties"]["SourceSecurityGroupId"]["Ref"])
        for one in RESOURCES.values()
        if one["Type"] == "AWS::EC2::SecurityGroupIngress"
    ]
    assert sorted(rules) == [
        ("CacheGroup", "JobsGroup"), ("CacheGroup", "WebGroup"), ("DatabaseGroup", "JobsGroup"),
        ("DatabaseGroup", "WebGroup"), ("WebGroup", "LoadBalancerGroup"),
    ]  # fmt: skip
    open_ones = [name for name, one in RESOURCES.items() if "SecurityGroupIngress" in one.get("Properties", {})]
    assert open_ones == ["LoadBalancerGroup"]
    assert len(re.findall("AssignPublicIp: DISABLED", TEXT)) == 3
    assert "ENABLED" not in TEXT.replace("DISABLED", "")


# ── Alarms ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_every_line_that_an_alarm_counts_is_one_that_the_portal_logs() -> None:
    logged = "\n".join(path.read_text() for path in (BASE / "tenants").rglob("*.py"))
    checks = (BASE / "tenants" / "health" / "readiness.py").read_text()
    patterns = [
        one["Properties"]["FilterPattern"] for one in RESOURCES.values() if one["Type"].endswith("MetricFilter")
    ]
    for message in {found for pattern in patterns for found in re.findall(r'\$\.message = "([^"]+)"', pattern)}:
        assert re.search(rf'_log\.\w+\("{message}"', logged), message
    for check in {found for pattern in patterns for found in re.findall(r'\$\.check = "([^"]+)"', pattern)}:
        assert f'"{check}": ' in checks, check


def test_every_alarm_reaches_the_topic() -> None:
    alarms = [one["Properties"] for one in RESOURCES.values() if one["Type"] == "AWS::CloudWatch::Alarm"]
    assert len(alarms) > 10
    assert all(alarm["AlarmActions"] == [{"Ref": "Alarms"}] for alarm in alarms)
    assert RESOURCES["WorkerMissingAlarm"]["Properties"]["TreatMissingData"] == "breaching"
    assert RESOURCES["ClosingFailed"]["Properties"]["Targets"] == [{"Id": "alarms", "Arn": {"Ref": "Alarms"}}]


def test_the_access_log_is_said_to_hold_keys_of_links() -> None:
    """A load balancer of AWS writes whole addresses, and cannot leave out their paths."""
    assert "keys of links in mails" in PARAMETERS["AccessLogBucket"]["Description"]
    for name in ("fargate.md", "logs.md", "security/operation.md"):
        text = (BASE / "docs" / name).read_text("utf-8")
        (line,) = [line for line in text.splitlines() if "`AccessLogBucket`" in line]
        assert re.search(r"\bkeys of links\b|keys of recovery and reopening links", line), name
        assert "are not logged" not in line
