"""Parses policy documents into statements that can be evaluated many times.

An unknown or malformed element is refused with the statement's name, never skipped. Does not check AWS's size limits,
whether services, actions or keys exist, or that session policies have complete ARNs. Follows "Grammar of the IAM JSON
policy language" in the IAM User Guide.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from iam.conditions import parse_conditions
from iam.failures import UnsupportedPolicy
from iam.nesting import check_nesting
from iam.operators import ARN_SEGMENTS
from iam.patterns import Template, parse_pattern, parse_template
from iam.principals import parse_principal
from iam.statements import ActionElement, Effect, Part, ResourceElement, Statement, StatementRef

Document = Mapping[str, object]

_VERSIONS = ("2008-10-17", "2012-10-17")
_POLICY_ELEMENTS = {"Version", "Id", "Statement"}
_IDENTITY_ELEMENTS = {"Sid", "Effect", "Action", "NotAction", "Resource", "NotResource", "Condition"}
_TRUST_ELEMENTS = {"Sid", "Effect", "Principal", "Action", "Condition"}
_SID = re.compile(r"[A-Za-z0-9]*")
_ACTION = re.compile(r"\*|(\*|[\w-]+):[\w*?.-]+", re.ASCII)
_ARN_HEAD = re.compile(r"arn:[\w*?-]+:[\w-]+(:.*)?", re.ASCII | re.DOTALL)
# A policy has seven levels, a case of `python -m iam` three more.
_DEEPEST = 32
_FOREIGN_CHARACTER = re.compile("[^\t\n\r\u0020-\u00ff]")


@dataclass(frozen=True, slots=True)
class Policy:
    """A parsed policy: immutable, and safe to share between threads. `kind` says how it may be used."""

    name: str
    kind: Literal["identity", "trust"]
    statements: tuple[Statement, ...]
    document: Document | str = field(default="", compare=False, repr=False)


def parse_policy(document: Document | str, *, name: str = "") -> Policy:
    """Parses an identity policy, a permissions boundary or a session policy; all three have the same form.

    `name` is used in explanations. Raises `UnsupportedPolicy`.
    """
    return _parse(document, name=name, kind="identity")


def parse_trust_policy(document: Document | str, *, name: str = "") -> Policy:
    """Parses a role's trust policy: each statement has a Principal and no Resource. Raises `UnsupportedPolicy`."""
    return _parse(document, name=name, kind="trust")


def load_json(text: str | bytes) -> object:
    """Loads JSON, and refuses an object with a duplicate key, or deep nesting. Raises `ValueError`."""
    text = text if isinstance(text, str) else text.decode("utf-8-sig")
    check_nesting(text, deepest=_DEEPEST)
    return json.loads(text, object_pairs_hook=_without_duplicates)


def _without_duplicates(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f'the key "{twice}" is given twice in one object')
    return found


def _parse(document: Document | str, *, name: str, kind: Literal["identity", "trust"]) -> Policy:
    try:
        parsed = _object("the document", _load(document))
        return Policy(name, kind, tuple(_parse_statements(parsed, name, kind)), document)
    except UnsupportedPolicy as problem:
        raise UnsupportedPolicy(f"{name or 'policy'}: {problem}") from problem


def _load(document: Document | str) -> object:
    if not isinstance(document, str):
        return document
    try:
        return load_json(document)
    except ValueError as problem:
        raise UnsupportedPolicy(f"not a JSON document: {problem}") from problem


def _parse_statements(document: Document, name: str, kind: str) -> Iterable[Statement]:
    _refuse_unknown(document, _POLICY_ELEMENTS)
    variables = _version(document) == "2012-10-17"
    given = document.get("Statement")
    several = given if isinstance(given, list | tuple) else [given]
    if not several:
        raise UnsupportedPolicy("there is no statement")
    sids: set[str] = set()
    for number, statement in enumerate(several, 1):
        try:
            parsed = _parse_statement(_object("the statement", statement), name, number, kind, variables=variables)
            _refuse_duplicate(parsed.ref.sid, sids)
        except UnsupportedPolicy as problem:
            raise UnsupportedPolicy(f"statement {_address(statement, number)}: {problem}") from problem
        yield parsed


def _address(statement: object, number: int) -> str:
    sid = statement.get("Sid") if isinstance(statement, Mapping) else None
    return f"{number} ({sid})" if sid else str(number)


def _version(document: Document) -> str:
    version = document.get("Version", "2008-10-17")
    if version not in _VERSIONS:
        raise UnsupportedPolicy(f"unknown Version {version!r}")
    return str(version)


def _refuse_duplicate(sid: str, sids: set[str]) -> None:
    if sid in sids:
        raise UnsupportedPolicy("the Sid is not unique in the policy")
    sids.update({sid} - {""})


def _parse_statement(statement: Document, name: str, number: int, kind: str, *, variables: bool) -> Statement:
    _refuse_unknown(statement, _TRUST_ELEMENTS if kind == "trust" else _IDENTITY_ELEMENTS)
    _refuse_foreign_characters(statement)
    parts: list[Part] = [_parse_action(statement)]
    if kind == "trust":
        parts.append(parse_principal(_require(statement, "Principal")))
        _refuse_other_services(parts[0])
    else:
        parts.append(_parse_resource(statement, variables=variables))
    parts += parse_conditions(statement.get("Condition", {}), variables=variables)
    return Statement(StatementRef(name, _sid(statement), number), _effect(statement), tuple(parts))


def _sid(statement: Document) -> str:
    sid = statement.get("Sid", "")
    if not isinstance(sid, str) or not _SID.fullmatch(sid):
        raise UnsupportedPolicy(f"Sid {sid!r} is not made of letters and digits")
    return sid


def _effect(statement: Document) -> Effect:
    effect = _require(statement, "Effect")
    if effect not in ("Allow", "Deny"):
        raise UnsupportedPolicy(f"unknown Effect {effect!r}")
    return Effect(effect)


def _parse_action(statement: Document) -> ActionElement:
    element, written = _one_of(statement, "Action", "NotAction")
    for action in written:
        if not _ACTION.fullmatch(action):
            raise UnsupportedPolicy(f'{element} "{action}" is not of the form service:Action')
    folded = [action.lower() for action in written]
    plain = frozenset(action for action in folded if not set("*?") & set(action))
    patterns = tuple(parse_pattern(action) for action in folded if action not in plain)
    return ActionElement(element == "NotAction", written, plain, patterns)


def _refuse_other_services(action: Part) -> None:
    for written in action.written if isinstance(action, ActionElement) else ():
        if written != "*" and not written.lower().startswith("sts:"):
            raise UnsupportedPolicy(f'Action "{written}" is not an action of sts')


def _parse_resource(statement: Document, *, variables: bool) -> ResourceElement:
    element, written = _one_of(statement, "Resource", "NotResource")
    templates = tuple(_parse_arn(element, arn, variables=variables) for arn in written)
    return ResourceElement(element == "NotResource", templates)


def _parse_arn(element: str, written: str, *, variables: bool) -> Template:
    if written == "*":
        return parse_template(written, variables=variables)
    if not _ARN_HEAD.fullmatch(written):
        raise UnsupportedPolicy(f'{element} "{written}" is neither an ARN nor "*"')
    head, variable, _ = written.partition("${")
    if variables and variable and head.count(":") < ARN_SEGMENTS - 1:
        raise UnsupportedPolicy(f'{element} "{written}" has a policy variable before the fifth colon')
    # AWS completes an ARN of fewer than six segments with wildcards ("Identify AWS resources with ARNs").
    missing = max(0, ARN_SEGMENTS - 1 - written.count(":"))
    return parse_template(written + ":*" * missing, variables=variables)


def _one_of(statement: Document, element: str, negation: str) -> tuple[str, tuple[str, ...]]:
    given = [name for name in (element, negation) if name in statement]
    if len(given) != 1:
        raise UnsupportedPolicy(f"exactly one of {element} and {negation} is needed")
    return given[0], _strings(given[0], statement[given[0]])


def _strings(element: str, value: object) -> tuple[str, ...]:
    several = value if isinstance(value, list | tuple) else [value]
    if not several or not all(isinstance(text, str) for text in several):
        raise UnsupportedPolicy(f"{element} is neither text nor a list of text")
    return tuple(several)


def _require(statement: Document, element: str) -> object:
    if element not in statement:
        raise UnsupportedPolicy(f"{element} is missing")
    return statement[element]


def _object(what: str, value: object) -> Document:
    if not isinstance(value, Mapping):
        raise UnsupportedPolicy(f"{what} is not an object")
    return value


def _refuse_unknown(given: Document, known: set[str]) -> None:
    unknown = [key for key in given if key not in known]
    if unknown:
        raise UnsupportedPolicy(f"{unknown[0]!r} is not an element of this kind of policy")


def _refuse_foreign_characters(statement: Document) -> None:
    try:
        foreign = _FOREIGN_CHARACTER.search(json.dumps(statement, ensure_ascii=False))
    except (TypeError, RecursionError) as problem:
        raise UnsupportedPolicy(f"not a JSON document: {problem}") from problem
    if foreign:
        raise UnsupportedPolicy(f"the character {foreign.group()!r} may not stand in a policy")
