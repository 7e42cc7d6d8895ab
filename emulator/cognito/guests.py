"""The session policy that limits guests of an identity pool, whatever the guest role allows.

See "IAM roles" in the Cognito Developer Guide. Only the inline policy is listed here; AWS's managed one adds no service
that is served here. It allows DynamoDB, so only the guest role's own policy limits access to rows.
"""

from iam import parse_policy

_SERVICES = (
    "cloudwatch", "logs", "dynamodb", "kinesis", "mobileanalytics", "s3", "ses", "sns", "sqs", "lambda",
    "machinelearning", "execute-api", "iot", "gamelift", "cognito-identity", "cognito-idp", "lex", "polly",
    "comprehend", "translate", "transcribe", "rekognition", "mobiletargeting", "firehose", "appsync",
    "personalize", "cognito-sync", "codewhisperer", "sdb",
)  # fmt: skip
_SINGLE = ("sagemaker:InvokeEndpoint", "textract:DetectDocumentText", "textract:AnalyzeDocument")

SESSION_POLICIES = (
    parse_policy(
        {
            "Version": "2012-10-17",
            "Statement": [
                {"Effect": "Allow", "Action": [*(f"{name}:*" for name in _SERVICES), *_SINGLE], "Resource": "*"}
            ],
        },
        name="guests of an identity pool",
    ),
)
