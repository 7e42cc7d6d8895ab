"""The checker of documented AWS commands: what AWS would refuse is refused, the rest is understood as the CLI does."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from tests.world.aws_cli import parse
from tests.world.aws_queries import WrongCommand

RIGHT = {
    "sts get-caller-identity --query Account --output text": {},
    "dynamodb describe-table --table-name rows --query Table.TableStatus": {"TableName": "rows"},
    "dynamodb update-table --table-name rows --no-deletion-protection-enabled": {
        "TableName": "rows",
        "DeletionProtectionEnabled": False,
    },
    "dynamodb update-continuous-backups --table-name rows "
    "--point-in-time-recovery-specification PointInTimeRecoveryEnabled=true": {
        "TableName": "rows",
        "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True},
    },
    "cognito-idp list-users --user-pool-id p --max-items 3": {"UserPoolId": "p"},
    "cognito-idp admin-create-user --user-pool-id p --username a@b.example "
    "--user-attributes Name=email,Value=a@b.example Name=custom:org,Value=1": {
        "UserPoolId": "p",
        "Username": "a@b.example",
        "UserAttributes": [{"Name": "email", "Value": "a@b.example"}, {"Name": "custom:org", "Value": "1"}],
    },
    'iam simulate-principal-policy --policy-source-arn arn:aws:iam::1:role/x --action-names "dynamodb:Scan" '
    "iam:PassRole --context-entries ContextKeyName=aws:PrincipalTag/org,ContextKeyValues=[a,b],ContextKeyType=string": {
        "PolicySourceArn": "arn:aws:iam::1:role/x",
        "ActionNames": ["dynamodb:Scan", "iam:PassRole"],
        "ContextEntries": [
            {"ContextKeyName": "aws:PrincipalTag/org", "ContextKeyValues": ["a", "b"], "ContextKeyType": "string"}
        ],
    },
    "s3api put-public-access-block --bucket b --public-access-block-configuration "
    "BlockPublicAcls=true,IgnorePublicAcls=true,BlockPublicPolicy=true,RestrictPublicBuckets=true": {
        "Bucket": "b",
        "PublicAccessBlockConfiguration": {
            "BlockPublicAcls": True,
            "IgnorePublicAcls": True,
            "BlockPublicPolicy": True,
            "RestrictPublicBuckets": True,
        },
    },
}
ALSO_RIGHT = (
    "cloudformation describe-stacks --stack-name p --query \"Stacks[0].Outputs[?OutputKey=='TableName'].OutputValue\"",
    "cognito-idp describe-user-pool --user-pool-id p --query 'UserPool.[DeletionProtection, MfaConfiguration]'",
    "iam list-policy-versions --policy-arn arn:aws:iam::1:policy/x --query 'Versions[?IsDefaultVersion].VersionId|[0]'",
    "cloudformation deploy --stack-name x --template-file y --parameter-overrides A=b 'C=d e'",
    "cloudformation wait stack-update-complete --stack-name x",
    "cloudformation list-change-sets --stack-name x --query 'sort_by(Summaries, &CreationTime)[-1].ChangeSetName'",
    "sns subscribe --topic-arn x --protocol email --notification-endpoint you@example.com",
    "cognito-identity get-principal-tag-attribute-map --identity-pool-id a --identity-provider-name c",
    "logs tail /aws/lambda/x --since 1h",
    "s3api get-object --bucket b --key k file.json",
)
WRONG = {
    "dynamodb describe-tables --table-name rows": "no operation",
    "dynamo describe-table --table-name rows": "no service",
    "s3 put-bucket-versioning --bucket b": "no service",
    "dynamodb describe-table --table rows": "has no --table",
    "dynamodb describe-table": "Missing required",
    "dynamodb describe-table --table-name": "needs a value",
    "dynamodb describe-table --table-name rows more --region": "needs one value",
    "dynamodb describe-table --table-name rows --query Table.Status": "has no Status",
    "cloudformation describe-stacks --query Stacks[?StackNames=='x']": "has no StackNames",
    "cloudformation describe-stacks --query Stacks[].[StackName,Statuses]": "has no Statuses",
    "cloudformation list-change-sets --stack-name x --query 'sort_by(Summaries, &Created)'": "has no Created",
    "dynamodb describe-table --table-name rows --query Table[": "cannot be read",
    "dynamodb describe-table --table-name rows --output texts": "no output",
    "dynamodb create-backup --table-name rows": "BackupName",
    "dynamodb wait table-exist --table-name rows": "cannot wait",
    "cognito-idp update-user-pool --user-pool-id p --deletion-protection ON": "not one of ACTIVE",
    "dynamodb update-continuous-backups --table-name rows --point-in-time-recovery-specification Enabled=true": (
        "has no Enabled"
    ),
    "iam create-policy-version --policy-arn arn:aws:iam::1:policy/x --policy-document file://not-there.json": "no file",
    "cloudformation deploy --stack-name x --template-file y --parameters A=b": "has no --parameters",
    "cloudformation deploy --template-file y": "--stack-name",
    "s3api get-object --bucket b --key k": "no file for the answer",
    "sts get-caller-identity now": "unexpected",
}


@pytest.mark.parametrize("command", RIGHT)
def test_a_right_command_is_the_call_that_it_makes(command: str, tmp_path: Path) -> None:
    assert parse(shlex.split(command), folder=tmp_path).parameters == RIGHT[command]


@pytest.mark.parametrize("command", ALSO_RIGHT)
def test_queries_waiters_and_the_clis_own_commands_are_understood(command: str, tmp_path: Path) -> None:
    parse(shlex.split(command), folder=tmp_path)


@pytest.mark.parametrize("command", WRONG)
def test_a_command_that_aws_would_refuse_is_refused(command: str, tmp_path: Path) -> None:
    with pytest.raises(WrongCommand) as refused:
        parse(shlex.split(command), folder=tmp_path)
    assert WRONG[command] in str(refused.value)


def test_a_command_that_is_only_mentioned_may_lack_options(tmp_path: Path) -> None:
    assert parse(["dynamodb", "describe-table"], folder=tmp_path, is_whole=False).parameters == {}
    with pytest.raises(WrongCommand):
        parse(["dynamodb", "describe-tables"], folder=tmp_path, is_whole=False)
