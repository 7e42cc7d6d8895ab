"""Creates many users at once for measurements, as AdminCreateUser would, without a call and a password for each."""

from collections.abc import Mapping
from typing import Any

from emulator.cognito.attributes import check_creation
from emulator.cognito.pools import attributes_of, find_pool, find_user
from emulator.cognito.users import check_name, new_user
from emulator.wire import AwsError


def create_users(data: object) -> list[str]:
    """Returns the subs.

    `data` has `user_pool_id` and `people`: for each person the attributes by name, including `email`.

    No mail is sent and no trigger runs. Raises ValueError at the first person that cannot be created; those created
    before remain.
    """
    if not isinstance(data, dict) or set(data) != {"user_pool_id", "people"} or not isinstance(data["people"], list):
        raise ValueError("The body must have user_pool_id and people.")
    pool = find_pool(str(data["user_pool_id"]))
    if pool is None:
        raise ValueError("The user pool does not exist.")
    try:
        return [_create(pool, attributes) for attributes in data["people"]]
    except AwsError as failure:
        raise ValueError(str(failure)) from failure


def _create(pool: dict[str, Any], wanted: Mapping[str, Any]) -> str:
    if not isinstance(wanted, dict) or not all(isinstance(part, str) for pair in wanted.items() for part in pair):
        raise ValueError("A person's attributes must be text.")
    username = wanted.get("email", "")
    attributes = check_name(pool, username, wanted)
    check_creation(pool, attributes, client=None)
    if find_user(pool, username) is not None:
        raise ValueError(f"{username} already exists.")
    user = new_user(pool, username, attributes, status="FORCE_CHANGE_PASSWORD", password="")
    pool["_users"][user["Username"]] = user
    pool["EstimatedNumberOfUsers"] = len(pool["_users"])
    return attributes_of(user)["sub"]
