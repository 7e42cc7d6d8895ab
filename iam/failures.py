"""The exceptions of this package.

    UnsupportedPolicy   a policy document that is malformed, or uses something that is not evaluated here
    InvalidRequest      a request that no AWS service would make

Neither is a denial; a denial is a `Decision`. Unknown elements are never skipped: a policy is evaluated as written, or
refused.
"""


class UnsupportedPolicy(Exception):
    """The message names the policy, the statement, and its unknown or malformed part."""


class InvalidRequest(Exception):
    """The message names the part of the request that cannot be evaluated."""
