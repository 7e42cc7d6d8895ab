"""What AWS has below each served property of a template: members, types, and possible values.

`property_types.py` reads it. After a name: `text`, `int`, `number`, `bool`, `any`, `A|B` for one of these texts,
`[...]` for a list, `<...>` for a map with any names, `{...}` for an object. `!` marks a name that must be there.
A function's code is not looked into: in a template that is not packaged yet it is a path.
"""

from collections.abc import Mapping

SHAPES: Mapping[str, str] = {
    "AWS::ApiGatewayV2::Api": """
        CorsConfiguration {AllowCredentials bool AllowHeaders [text] AllowMethods [text] AllowOrigins [text]
            ExposeHeaders [text] MaxAge int}
        Description text
        Name text
        ProtocolType HTTP|WEBSOCKET
        Tags <text>
    """,
    "AWS::ApiGatewayV2::Integration": """
        ApiId! text
        Description text
        IntegrationMethod text
        IntegrationType! text
        IntegrationUri text
        PayloadFormatVersion text
    """,
    "AWS::ApiGatewayV2::Route": """
        ApiId! text
        AuthorizationType text
        OperationName text
        RouteKey! text
        Target text
    """,
    "AWS::ApiGatewayV2::Stage": """
        AccessLogSettings {DestinationArn text Format text}
        ApiId! text
        AutoDeploy bool
        DefaultRouteSettings {DataTraceEnabled bool DetailedMetricsEnabled bool LoggingLevel text
            ThrottlingBurstLimit int ThrottlingRateLimit number}
        Description text
        StageName! text
        Tags <text>
    """,
    "AWS::Cognito::IdentityPool": """
        AllowClassicFlow bool
        AllowUnauthenticatedIdentities! bool
        CognitoIdentityProviders [{ClientId! text ProviderName! text ServerSideTokenCheck bool}]
        IdentityPoolName text
        IdentityPoolTags [{Key! text Value! text}]
    """,
    "AWS::Cognito::IdentityPoolPrincipalTag": """
        IdentityPoolId! text
        IdentityProviderName! text
        PrincipalTags <text>
        UseDefaults bool
    """,
    "AWS::Cognito::IdentityPoolRoleAttachment": """
        IdentityPoolId! text
        Roles <text>
    """,
    "AWS::Cognito::ManagedLoginBranding": """
        Assets [any]
        ClientId text
        ReturnMergedResources bool
        Settings any
        UseCognitoProvidedValues bool
        UserPoolId! text
    """,
    "AWS::Cognito::UserPool": """
        AccountRecoverySetting {RecoveryMechanisms [{Name admin_only|verified_email|verified_phone_number
            Priority int}]}
        AdminCreateUserConfig {AllowAdminCreateUserOnly bool InviteMessageTemplate {EmailMessage text
            EmailSubject text SMSMessage text} UnusedAccountValidityDays int}
        AliasAttributes [email|phone_number|preferred_username]
        AutoVerifiedAttributes [email|phone_number]
        DeletionProtection ACTIVE|INACTIVE
        EmailConfiguration {ConfigurationSet text EmailSendingAccount COGNITO_DEFAULT|DEVELOPER From text
            ReplyToEmailAddress text SourceArn text}
        EmailVerificationMessage text
        EmailVerificationSubject text
        EnabledMfas [SMS_MFA|SOFTWARE_TOKEN_MFA|EMAIL_OTP]
        IssuerConfiguration {Type ORIGINAL|UPDATED}
        LambdaConfig {CustomMessage text PostConfirmation text PreSignUp text PreTokenGeneration text
            PreTokenGenerationConfig {LambdaArn text LambdaVersion V1_0|V2_0|V3_0}}
        MfaConfiguration OFF|ON|OPTIONAL
        Policies {PasswordPolicy {MinimumLength int RequireLowercase bool RequireNumbers bool RequireSymbols
            bool RequireUppercase bool TemporaryPasswordValidityDays int} SignInPolicy {AllowedFirstAuthFactors
            [EMAIL_OTP|PASSWORD|SMS_OTP|SOFTWARE_TOKEN|WEB_AUTHN]}}
        Schema [{AttributeDataType Boolean|DateTime|Number|String DeveloperOnlyAttribute bool Mutable bool Name
            text NumberAttributeConstraints {MaxValue text MinValue text} Required bool
            StringAttributeConstraints {MaxLength text MinLength text}}]
        SmsAuthenticationMessage text
        SmsVerificationMessage text
        UserAttributeUpdateSettings {AttributesRequireVerificationBeforeUpdate! [email|phone_number]}
        UserPoolAddOns {AdvancedSecurityMode AUDIT|ENFORCED|OFF}
        UserPoolName text
        UserPoolTags <text>
        UserPoolTier LITE|ESSENTIALS|PLUS
        UsernameAttributes [email|phone_number]
        UsernameConfiguration {CaseSensitive bool}
        VerificationMessageTemplate {DefaultEmailOption CONFIRM_WITH_CODE|CONFIRM_WITH_LINK EmailMessage text
            EmailSubject text SmsMessage text}
    """,
    "AWS::Cognito::UserPoolClient": """
        AccessTokenValidity int
        AllowedOAuthFlows [client_credentials|code|implicit]
        AllowedOAuthFlowsUserPoolClient bool
        AllowedOAuthScopes [text]
        AuthSessionValidity int
        CallbackURLs [text]
        ClientName text
        DefaultRedirectURI text
        EnablePropagateAdditionalUserContextData bool
        EnableTokenRevocation bool
        ExplicitAuthFlows
            [text]
        GenerateSecret bool
        IdTokenValidity int
        LogoutURLs [text]
        PreventUserExistenceErrors ENABLED|LEGACY
        ReadAttributes [text]
        RefreshTokenRotation {Feature ENABLED|DISABLED RetryGracePeriodSeconds int}
        RefreshTokenValidity int
        SupportedIdentityProviders [text]
        TokenValidityUnits {AccessToken days|hours|minutes|seconds IdToken days|hours|minutes|seconds
            RefreshToken days|hours|minutes|seconds}
        UserPoolId! text
        WriteAttributes [text]
    """,
    "AWS::Cognito::UserPoolDomain": """
        Domain! text
        ManagedLoginVersion int
        UserPoolId! text
    """,
    "AWS::Cognito::UserPoolGroup": """
        Description text
        GroupName text
        Precedence int
        UserPoolId! text
    """,
    "AWS::Cognito::UserPoolResourceServer": """
        Identifier! text
        Name! text
        Scopes [{ScopeDescription! text ScopeName! text}]
        UserPoolId! text
    """,
    "AWS::Cognito::UserPoolRiskConfigurationAttachment": """
        ClientId! text
        CompromisedCredentialsRiskConfiguration {Actions! {EventAction! text} EventFilter [text]}
        UserPoolId! text
    """,
    "AWS::DynamoDB::Table": """
        AttributeDefinitions [{AttributeName! text AttributeType! B|N|S}]
        BillingMode PAY_PER_REQUEST|PROVISIONED
        DeletionProtectionEnabled bool
        GlobalSecondaryIndexes [{IndexName! text KeySchema! [{AttributeName! text KeyType! HASH|RANGE}]
            OnDemandThroughput {MaxReadRequestUnits int MaxWriteRequestUnits int} Projection! {NonKeyAttributes
            [text] ProjectionType ALL|INCLUDE|KEYS_ONLY} ProvisionedThroughput {ReadCapacityUnits! int
            WriteCapacityUnits! int} WarmThroughput {ReadUnitsPerSecond int WriteUnitsPerSecond int}}]
        KeySchema! [{AttributeName! text KeyType! HASH|RANGE}]
        LocalSecondaryIndexes [{IndexName! text KeySchema! [{AttributeName! text KeyType! HASH|RANGE}]
            Projection! {NonKeyAttributes [text] ProjectionType ALL|INCLUDE|KEYS_ONLY}}]
        OnDemandThroughput {MaxReadRequestUnits int MaxWriteRequestUnits int}
        PointInTimeRecoverySpecification {PointInTimeRecoveryEnabled bool RecoveryPeriodInDays int}
        ProvisionedThroughput {ReadCapacityUnits! int WriteCapacityUnits! int}
        SSESpecification {SSEEnabled! bool SSEType KMS}
        TableClass STANDARD|STANDARD_INFREQUENT_ACCESS
        TableName text
        Tags [{Key! text Value! text}]
        TimeToLiveSpecification {AttributeName text Enabled! bool}
        WarmThroughput {ReadUnitsPerSecond int WriteUnitsPerSecond int}
    """,
    "AWS::IAM::ManagedPolicy": """
        Description text
        Groups [text]
        ManagedPolicyName text
        Path text
        PolicyDocument! any
        Roles [text]
        Users [text]
    """,
    "AWS::IAM::Policy": """
        Groups [text]
        PolicyDocument! any
        PolicyName! text
        Roles [text]
        Users [text]
    """,
    "AWS::IAM::Role": """
        AssumeRolePolicyDocument! any
        Description text
        ManagedPolicyArns [text]
        MaxSessionDuration int
        Path text
        PermissionsBoundary text
        Policies [{PolicyDocument! any PolicyName! text}]
        RoleName text
        Tags [{Key! text Value! text}]
    """,
    "AWS::IAM::User": """
        Groups [text]
        ManagedPolicyArns [text]
        Path text
        PermissionsBoundary text
        Policies [{PolicyDocument! any PolicyName! text}]
        Tags [{Key! text Value! text}]
        UserName text
    """,
    "AWS::Lambda::Function": """
        Architectures [x86_64|arm64]
        Code! any
        Description text
        Environment {Variables <text>}
        EphemeralStorage {Size! int}
        FunctionName text
        Handler text
        LoggingConfig {ApplicationLogLevel TRACE|DEBUG|INFO|WARN|ERROR|FATAL LogFormat Text|JSON LogGroup text
            SystemLogLevel DEBUG|INFO|WARN}
        MemorySize int
        Role! text
        Runtime text
        Tags [{Key! text Value text}]
        Timeout int
        TracingConfig {Mode Active|PassThrough}
    """,
    "AWS::Lambda::Permission": """
        Action! text
        FunctionName! text
        Principal! text
        SourceAccount text
        SourceArn text
    """,
    "AWS::S3::Bucket": """
        BucketEncryption any
        BucketName text
        OwnershipControls any
        PublicAccessBlockConfiguration {BlockPublicAcls bool BlockPublicPolicy bool IgnorePublicAcls bool
            RestrictPublicBuckets bool}
        Tags [{Key! text Value! text}]
    """,
}
