"""The functions of expressions: where each may stand, and with how many operands."""

from typing import Final

CONDITIONS: Final = {
    "attribute_exists": 1,
    "attribute_not_exists": 1,
    "attribute_type": 2,
    "begins_with": 2,
    "contains": 2,
}
OPERANDS: Final = {"size": 1}
UPDATES: Final = {"if_not_exists": 2, "list_append": 2}
ALL: Final = {**CONDITIONS, **OPERANDS, **UPDATES}


def misplaced_function(name: str, slot: str, *, as_condition: bool = False, is_nested: bool = False) -> str:
    """The refusal of a function that may not stand there; empty where it may."""
    if name not in ALL:
        return f"Invalid function name; function: {name}"
    if slot == "UpdateExpression" and name not in UPDATES:
        return f"The function is not allowed in an update expression; function: {name}"
    if slot == "UpdateExpression":
        return _misused(name) if name == "list_append" and is_nested else ""
    if name in UPDATES:
        return f"The function is not allowed in a condition expression; function: {name}"
    if (name in CONDITIONS) is as_condition:
        return ""
    return _misused(name)


def _misused(name: str) -> str:
    return f"The function is not allowed to be used this way in an expression; function: {name}"


def wrong_count(name: str, count: int) -> str:
    if count == ALL[name]:
        return ""
    return (
        "Incorrect number of operands for operator or function; "
        f"operator or function: {name}, number of operands: {count}"
    )
