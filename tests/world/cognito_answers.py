"""What Cognito answers when it refuses or fails: code, text, and how far the failure reaches."""

from __future__ import annotations

ANSWERS = [
    ("UsernameExistsException", "An account with the given email already exists.", "member"),
    ("AliasExistsException", "An account with the email already exists.", "member"),
    ("UserNotFoundException", "User does not exist.", "member"),
    ("NotAuthorizedException", "User is disabled.", "member"),
    ("NotAuthorizedException", "SignUp is not permitted for this user pool", "systemic"),
    ("UserNotConfirmedException", "User is not confirmed.", "member"),
    ("CodeMismatchException", "Invalid verification code provided, please try again.", "member"),
    ("ExpiredCodeException", "Invalid code provided, please request a code again.", "member"),
    ("LimitExceededException", "Attempt limit exceeded, please try after some time.", "passing"),
    ("TooManyRequestsException", "Rate exceeded", "passing"),
    ("InvalidPasswordException", "Password did not conform with policy: Password not long enough", "member"),
    ("InvalidParameterException", "user.custom:org: Attribute cannot be updated.", "member"),
    ("ResourceNotFoundException", "User pool eu-west-1_gone does not exist.", "systemic"),
    ("UnsupportedUserStateException", "Resend not possible.", "member"),
    ("PreconditionNotMetException", "A precondition is not met.", "member"),
    ("CodeDeliveryFailureException", "Unable to deliver the message.", "member"),
    ("UserLambdaValidationException", "PreSignUp failed with error no.", "member"),
    ("UnexpectedLambdaException", "PreSignUp failed.", "systemic"),
    ("InvalidLambdaResponseException", "Unrecognizable lambda output", "systemic"),
    ("InvalidSmsRoleAccessPolicyException", "Role does not have permission to publish with SNS", "systemic"),
    ("InvalidSmsRoleTrustRelationshipException", "Role does not have a trust relationship", "systemic"),
    ("UserImportInProgressException", "An import is in progress.", "passing"),
    ("ConcurrentModificationException", "Two at the same time.", "passing"),
    ("InternalErrorException", "Internal error.", "passing"),
    ("ExpiredTokenException", "The security token included in the request is expired", "systemic"),
    ("AccessDeniedException", "User: x is not authorized to perform: y", "systemic"),
    ("BrandNewException", "Surprise.", "systemic"),
]
