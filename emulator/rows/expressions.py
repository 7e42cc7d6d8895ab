"""Refuses invalid expressions of reads before a row is read. AWS does so even if the request finds no row.

The engine tests these expressions only on the rows that it finds. It accepts every operator in a condition on keys, and
in batches, transactions and malformed paths its test ends in an exception.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from emulator import engine

Data = dict[str, Any]
Answer = tuple[int, dict[str, str], bytes]
# Returns the text of the refusal, or None for a valid expression.
Check = Callable[[str], str | None]

_RESERVED = "Invalid UpdateExpression: Attribute name is a reserved keyword;"
_TOKEN = re.compile(r"\s*(?:(?P<number>\d+)\b|(?P<name>#?\w+)|(?P<sign>\S))", re.ASCII)
# What a projection may continue with: (what is read next, kind of token or sign) to what is read after it.
_PROJECTION_STEPS = {
    ("path", "name"): "end",
    ("path", "number"): "end",
    ("end", "."): "path",
    ("end", ","): "path",
    ("end", "["): "index",
    ("index", "number"): "bracket",
    ("bracket", "]"): "end",
}
_ONLY_IN_FILTERS = ("attribute_exists", "attribute_not_exists", "attribute_type", "contains")


def refuse_in_single_reads() -> None:
    """Wraps GetItem and Scan."""
    for name in ("_get_item", "_scan"):
        _check_before(name, lambda data: _expression_error(data))


def refuse_in_queries() -> None:
    _check_before("_query", lambda data: _expression_error(data, KeyConditionExpression=_key_condition_error))


def refuse_in_batches() -> None:
    _check_before("_batch_get_item", lambda data: _first_error((data.get("RequestItems") or {}).values()))


def refuse_in_transactions() -> None:
    _check_before(
        "_transact_get_items",
        lambda data: _first_error(member.get("Get") or {} for member in data.get("TransactItems") or []),
    )


def name_conditions() -> None:
    """Names the right expression when a condition contains a reserved word."""
    evaluate: Callable[..., Any] = engine.dynamodb._evaluate_condition

    def evaluate_condition(
        expr: str, item: Data, attr_values: Data, attr_names: Data, slot: str = "ConditionExpression"
    ) -> Any:
        try:
            return evaluate(expr, item, attr_values, attr_names, slot)
        except ValueError as failure:
            raise ValueError(_rename(str(failure), slot)) from failure

    engine.dynamodb._evaluate_condition = evaluate_condition


def _check_before(name: str, check: Callable[[Data], Answer | None]) -> None:
    run: Callable[[Data], Answer] = getattr(engine.dynamodb, name)

    def checked_run(data: Data) -> Answer:
        return check(data) or run(data)

    setattr(engine.dynamodb, name, checked_run)


def _first_error(parts: Iterable[Data]) -> Answer | None:
    """The parts of a batch or transaction. The engine does not check their names either."""
    for part in parts:
        error = _expression_error(part) or _names_error(part) or engine.dynamodb._projection_overlap_response(part)
        if error:
            return error
    return None


def _names_error(part: Data) -> Answer | None:
    error: Answer | None = engine.dynamodb._validate_expression_attrs(part, ("ProjectionExpression",), "bare")
    return error


def _expression_error(data: Mapping[str, Any], **more: Check) -> Answer | None:
    checks: dict[str, Check] = {"FilterExpression": _filter_error, "ProjectionExpression": _projection_error, **more}
    for name, check in checks.items():
        if name in data and (text := check(data[name])):
            answer: Answer = engine.dynamodb.error_response_json("ValidationException", text, 400)
            return answer
    return None


# ── Conditions ──────────────────────────────────────────────────────────────────────────────────────────────────────


def _filter_error(expression: str) -> str | None:
    return _condition_error(expression, "FilterExpression")


def _key_condition_error(expression: str) -> str | None:
    if error := _condition_error(expression, "KeyConditionExpression"):
        return error
    operator = _foreign_operator(engine.dynamodb._tokenize(expression))
    return f"Invalid operator used in KeyConditionExpression: {operator}" if operator else None


def _condition_error(expression: str, slot: str) -> str | None:
    if not expression.strip():
        return f"Invalid {slot}: The expression can not be empty;"
    reserved = engine.dynamodb._check_reserved_keyword_usage(engine.dynamodb._tokenize(expression))
    syntax: str | None = engine.dynamodb._condition_syntax_error(expression, slot)
    return _rename(reserved, slot) if reserved else syntax


def _foreign_operator(tokens: list[tuple[str, str]]) -> str | None:
    """An operator or function that a condition on keys may not have. The weakest binding operator comes first."""
    words = [text.upper() for kind, text in tokens if kind in ("IDENT", "NE")]
    functions = [text for kind, text in tokens if kind == "IDENT" and text in _ONLY_IN_FILTERS]
    return next((word for word in ("OR", "NOT", "IN", "<>") if word in words), None) or next(iter(functions), None)


def _rename(text: str, slot: str) -> str:
    return text.replace("UpdateExpression", slot, 1) if text.startswith(_RESERVED) else text


# ── Projections ─────────────────────────────────────────────────────────────────────────────────────────────────────


def _projection_error(expression: str) -> str | None:
    if not expression.strip():
        return "Invalid ProjectionExpression: The expression can not be empty;"
    reserved: str | None = engine.dynamodb._validate_projection_expression_syntax(expression)
    return _projection_syntax_error(expression) or reserved


def _projection_syntax_error(expression: str) -> str | None:
    """Names the token where a path cannot continue, and the text from the token before it to the one after it."""
    tokens, reading = list(_TOKEN.finditer(expression)), "path"
    for place, token in enumerate(tokens):
        kind = str(token.lastgroup)
        reading = _PROJECTION_STEPS.get((reading, token["sign"] or kind), "")
        if not reading:
            return _syntax_text(expression, tokens, place)
    return None if reading == "end" else _syntax_text(expression, tokens, len(tokens))


def _syntax_text(expression: str, tokens: list[re.Match[str]], place: int) -> str:
    near = tokens[max(place - 1, 0) : place + 2]
    token = tokens[place][0].strip() if place < len(tokens) else "<EOF>"
    text = expression[near[0].start() : near[-1].end()].strip()
    return f'Invalid ProjectionExpression: Syntax error; token: "{token}", near: "{text}"'
