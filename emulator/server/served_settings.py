"""Which resource types and settings are served, which are accepted without effect, and which values are possible.

One table for templates and for the API, whose members have the same names. Whatever it does not list is refused by
name. Lists do not count in a path, and a path covers everything below it. An empty value asks for nothing.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Settings:
    """Of one resource type. `harmless` settings have no effect here, and nothing that a program sees depends on them.

    `only` has the possible values of a setting. `in_requests` are further members of the API's requests.
    """

    served: tuple[str, ...]
    harmless: tuple[str, ...] = ()
    only: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    in_requests: tuple[str, ...] = ()

    def covers(self, path: str, *, whole: bool = True, in_request: bool = False) -> bool:
        """`whole` is False for a part whose content is not known yet."""
        listed = (*self.served, *self.harmless, *(self.in_requests if in_request else ()))
        below = not whole and any(name.startswith(f"{path}.") for name in listed)
        return below or any(path == name or path.startswith(f"{name}.") for name in listed)

    def __str__(self) -> str:
        harmless = f" Accepted without effect: {', '.join(self.harmless)}." if self.harmless else ""
        return f"Served: {', '.join(self.served) or 'none'}.{harmless}"


class Unknown:
    """Stands for a value that is known only while the stack is made."""


class Either(list[Any]):
    """The two values that an undecided condition leaves."""


def problems_of(known: Settings, settings: Mapping[str, Any], *, in_request: bool = False) -> list[str]:
    """A sentence for each setting that is not served, and one that lists those that are."""
    found: dict[str, None] = {}
    for path, value in _leaves(settings, ""):
        if not known.covers(path, whole=not isinstance(value, Unknown), in_request=in_request):
            found[f"{path} is not served here."] = None
        elif path in known.only and not isinstance(value, Unknown) and _text(value) not in known.only[path]:
            found[f"{path} {_text(value)} is not served here, only {' and '.join(known.only[path])}."] = None
    return [*found, str(known)] if found else []


def _leaves(value: object, path: str) -> Iterator[tuple[str, object]]:
    if isinstance(value, Mapping):
        for name, part in value.items():
            yield from _leaves(part, f"{path}.{name}" if path else str(name))
    elif isinstance(value, list):
        for part in value:
            yield from _leaves(part, path)
    elif value not in (None, ""):
        yield path, value


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _paths(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_INDEX = "IndexName KeySchema Projection"
_TABLE = Settings(
    _paths(
        "TableName BillingMode AttributeDefinitions KeySchema DeletionProtectionEnabled Tags TimeToLiveSpecification"
        " PointInTimeRecoverySpecification"
        + "".join(f" {kind}.{name}" for kind in ("GlobalSecondaryIndexes", "LocalSecondaryIndexes")
                  for name in _INDEX.split())
    ),
    _paths(
        "ProvisionedThroughput OnDemandThroughput WarmThroughput TableClass SSESpecification.SSEEnabled"
        " SSESpecification.SSEType GlobalSecondaryIndexes.ProvisionedThroughput"
        " GlobalSecondaryIndexes.OnDemandThroughput GlobalSecondaryIndexes.WarmThroughput"
    ),
    {"StreamSpecification.StreamEnabled": ("false",)},
    _paths("GlobalSecondaryIndexUpdates SSESpecification.Enabled StreamSpecification.StreamEnabled"),
)  # fmt: skip

_USER_POOL = Settings(
    _paths(
        "UserPoolName Schema UsernameAttributes AliasAttributes UsernameConfiguration"
        " AutoVerifiedAttributes DeletionProtection MfaConfiguration EnabledMfas UserPoolTags"
        " UserAttributeUpdateSettings"
        " Policies.PasswordPolicy.MinimumLength Policies.PasswordPolicy.RequireLowercase"
        " Policies.PasswordPolicy.RequireUppercase Policies.PasswordPolicy.RequireNumbers"
        " Policies.PasswordPolicy.RequireSymbols Policies.PasswordPolicy.TemporaryPasswordValidityDays"
        " Policies.SignInPolicy.AllowedFirstAuthFactors IssuerConfiguration.Type"
        " EmailConfiguration.EmailSendingAccount EmailConfiguration.From EmailConfiguration.SourceArn"
        " EmailVerificationMessage EmailVerificationSubject AdminCreateUserConfig.AllowAdminCreateUserOnly"
        " AdminCreateUserConfig.InviteMessageTemplate.EmailMessage"
        " AdminCreateUserConfig.InviteMessageTemplate.EmailSubject"
        " VerificationMessageTemplate.DefaultEmailOption VerificationMessageTemplate.EmailMessage"
        " VerificationMessageTemplate.EmailSubject LambdaConfig.PreSignUp LambdaConfig.PostConfirmation"
        " LambdaConfig.CustomMessage LambdaConfig.PreTokenGeneration LambdaConfig.PreTokenGenerationConfig"
        " AccountRecoverySetting.RecoveryMechanisms"
    ),
    _paths(
        "UserPoolTier UserPoolAddOns.AdvancedSecurityMode EmailConfiguration.ReplyToEmailAddress"
        " EmailConfiguration.ConfigurationSet AdminCreateUserConfig.UnusedAccountValidityDays"
        " AdminCreateUserConfig.InviteMessageTemplate.SMSMessage VerificationMessageTemplate.SmsMessage"
        " SmsVerificationMessage SmsAuthenticationMessage"
    ),
    {
        "AutoVerifiedAttributes": ("email",),
        "AccountRecoverySetting.RecoveryMechanisms.Name": ("verified_email",),
        "EnabledMfas": ("SOFTWARE_TOKEN_MFA",),
        "IssuerConfiguration.Type": ("ORIGINAL",),
        "Policies.SignInPolicy.AllowedFirstAuthFactors": ("PASSWORD",),
        "VerificationMessageTemplate.DefaultEmailOption": ("CONFIRM_WITH_CODE",),
    },
    in_requests=_paths("UserPoolId PoolName"),
)

_CLIENT = Settings(
    _paths(
        "UserPoolId ClientName GenerateSecret ReadAttributes WriteAttributes ExplicitAuthFlows CallbackURLs"
        " LogoutURLs AllowedOAuthFlows AllowedOAuthScopes AllowedOAuthFlowsUserPoolClient SupportedIdentityProviders"
        " AccessTokenValidity IdTokenValidity RefreshTokenValidity TokenValidityUnits RefreshTokenRotation"
        " EnableTokenRevocation PreventUserExistenceErrors AuthSessionValidity"
    ),
    _paths("DefaultRedirectURI EnablePropagateAdditionalUserContextData"),
    {"AllowedOAuthFlows": ("code",), "SupportedIdentityProviders": ("COGNITO",)},
    in_requests=_paths("ClientId"),
)

_FUNCTION = Settings(
    _paths("FunctionName Handler Runtime Code Role Timeout MemorySize Environment.Variables"),
    _paths("Description LoggingConfig Architectures EphemeralStorage TracingConfig Tags"),
    {"Runtime": tuple(f"python3.{minor}" for minor in range(8, 15))},
)

# Resources of infra/portal.yaml. They are recorded, with everything in them, and nothing runs.
RECORDED = _paths(
    "AWS::CloudWatch::Alarm AWS::EC2::EIP AWS::EC2::InternetGateway AWS::EC2::NatGateway AWS::EC2::Route"
    " AWS::EC2::RouteTable AWS::EC2::SecurityGroup AWS::EC2::SecurityGroupIngress AWS::EC2::Subnet"
    " AWS::EC2::SubnetRouteTableAssociation AWS::EC2::VPC AWS::EC2::VPCGatewayAttachment AWS::ECS::Cluster"
    " AWS::ECS::Service AWS::ECS::TaskDefinition AWS::ElastiCache::ReplicationGroup AWS::ElastiCache::SubnetGroup"
    " AWS::ElasticLoadBalancingV2::Listener AWS::ElasticLoadBalancingV2::LoadBalancer"
    " AWS::ElasticLoadBalancingV2::TargetGroup AWS::Events::Rule AWS::Logs::LogGroup AWS::Logs::MetricFilter"
    " AWS::RDS::DBInstance AWS::RDS::DBParameterGroup AWS::RDS::DBSubnetGroup AWS::SNS::Subscription AWS::SNS::Topic"
    " AWS::SNS::TopicPolicy AWS::Scheduler::Schedule AWS::Scheduler::ScheduleGroup AWS::SecretsManager::Secret"
)

SERVED: Mapping[str, Settings] = {
    "AWS::ApiGatewayV2::Api": Settings(_paths("Name ProtocolType CorsConfiguration"), _paths("Description Tags")),
    "AWS::ApiGatewayV2::Integration": Settings(
        _paths("ApiId IntegrationType IntegrationUri PayloadFormatVersion"), _paths("Description IntegrationMethod")
    ),
    "AWS::ApiGatewayV2::Route": Settings(
        _paths("ApiId RouteKey AuthorizationType Target"), _paths("OperationName")
    ),
    "AWS::ApiGatewayV2::Stage": Settings(
        _paths("ApiId StageName AutoDeploy"), _paths("DefaultRouteSettings AccessLogSettings Description Tags")
    ),
    "AWS::Cognito::IdentityPool": Settings(
        _paths(
            "IdentityPoolName AllowUnauthenticatedIdentities AllowClassicFlow CognitoIdentityProviders IdentityPoolTags"
        ),
        only={"AllowClassicFlow": ("false",)},
        in_requests=_paths("IdentityPoolId"),
    ),
    "AWS::Cognito::IdentityPoolPrincipalTag": Settings(
        _paths("IdentityPoolId IdentityProviderName PrincipalTags UseDefaults")
    ),
    "AWS::Cognito::IdentityPoolRoleAttachment": Settings(_paths("IdentityPoolId Roles")),
    "AWS::Cognito::ManagedLoginBranding": Settings(
        _paths("UserPoolId ClientId"),
        _paths("UseCognitoProvidedValues Settings Assets ReturnMergedResources"),
    ),
    "AWS::Cognito::UserPool": _USER_POOL,
    "AWS::Cognito::UserPoolClient": _CLIENT,
    "AWS::Cognito::UserPoolDomain": Settings(_paths("UserPoolId Domain"), _paths("ManagedLoginVersion")),
    "AWS::Cognito::UserPoolGroup": Settings(_paths("UserPoolId GroupName Description"), _paths("Precedence")),
    "AWS::Cognito::UserPoolResourceServer": Settings(_paths("UserPoolId Identifier Name Scopes")),
    "AWS::Cognito::UserPoolRiskConfigurationAttachment": Settings(
        _paths("UserPoolId ClientId"), _paths("CompromisedCredentialsRiskConfiguration")
    ),
    "AWS::DynamoDB::Table": _TABLE,
    "AWS::IAM::ManagedPolicy": Settings(
        _paths("ManagedPolicyName Path PolicyDocument Roles Users Groups"), _paths("Description")
    ),
    "AWS::IAM::Policy": Settings(_paths("PolicyName PolicyDocument Roles Users Groups")),
    "AWS::IAM::Role": Settings(
        _paths(
            "RoleName Path AssumeRolePolicyDocument ManagedPolicyArns MaxSessionDuration PermissionsBoundary Policies"
            " Tags"
        ),
        _paths("Description"),
    ),
    "AWS::IAM::User": Settings(
        _paths("UserName Path Groups ManagedPolicyArns PermissionsBoundary Policies Tags")
    ),
    "AWS::Lambda::Function": _FUNCTION,
    "AWS::Lambda::Permission": Settings(_paths("FunctionName Action Principal SourceArn SourceAccount")),
    "AWS::S3::Bucket": Settings(
        _paths("BucketName"), _paths("BucketEncryption PublicAccessBlockConfiguration OwnershipControls Tags")
    ),
}  # fmt: skip
