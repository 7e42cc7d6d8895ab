"""What this package refuses.

    UnsupportedPolicy   a policy document that is malformed, or says something this package does not evaluate
    InvalidRequest      a request that no AWS service would ask about

Neither is a denial: a denial is a `Decision`. Unknown is never skipped, so a policy either means what it says or is
refused.
"""


class UnsupportedPolicy(Exception):
    """The message names the policy and statement, and what in it is unknown or malformed."""


class InvalidRequest(Exception):
    """The message names the part of the request that cannot be evaluated."""
