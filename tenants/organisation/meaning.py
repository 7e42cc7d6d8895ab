"""What AWS's answer to a call or a path means, in two lines, a comparison and a sentence. Pure.

It explains an answer and decides nothing: which keys a person may use is IAM's decision.
"""

from __future__ import annotations

from dataclasses import dataclass

from tenants.domain.keys import PUBLIC, owner_of, owner_of_path
from tenants.organisation.side_by_side import SideBySide, side_by_side, start_of
from tenants.organisation.tried import Tried

_NOBODYS = owner_of("")
_NO_TAG = (
    "Your credentials have no tag org, because you do not belong to an organisation. "
    "So IAM lets you reach public rows only."
)


@dataclass(frozen=True, slots=True)
class Meaning:
    """`beside` is there where a difference explains the answer."""

    heading: str
    result: str
    why: str
    beside: SideBySide | None = None


def meaning_of(tried: Tried, *, org: str) -> Meaning:
    """`org` is the tag on the person's credentials, "" for none."""
    match tried.field, tried.allowed, tried.is_refused:
        case "pk", True, _:
            return _allowed_write(tried) if tried.kind.writes else _allowed_read(tried)
        case "path", True, _:
            return Meaning(
                "Allowed: the API answered",
                "IAM let your call through.",
                "The path begins with your org id, so your credentials may call it.",
            )
        case "pk", _, True if tried.verdict.denied_by_statement:
            return _refused_by_statement(tried)
        case "pk", _, True:
            return _refused(tried, owner_of(tried.text), org, thing="key", begins="", ends="#")
        case "path", _, True:
            return _refused(tried, owner_of_path(tried.text), org, thing="path", begins="/", ends="/")
        case "path", _, _:
            return Meaning(
                f"The API answered {tried.status}", "IAM let your call through.", "The API has no such path for you."
            )
    return Meaning("AWS did not accept this key", "No row was read.", "The answer below says what is wrong with it.")


def _allowed_read(tried: Tried) -> Meaning:
    if not tried.kind.of_a_partition:
        return Meaning(
            "AWS allowed this", f"AWS counted {tried.rows} of the table’s rows.", "IAM let your call through."
        )
    if owner_of(tried.text) == PUBLIC:
        why = "The key begins with PUBLIC#. Everybody who signs in can read such rows."
    else:
        why = "The key begins with the tag org of your credentials, so IAM lets you read its rows."
    return Meaning("AWS allowed this key", _rows_in_words(tried), why)


def _allowed_write(tried: Tried) -> Meaning:
    return Meaning(
        "AWS allowed this write, and nothing was changed",
        "IAM let the call through. It had a condition that no record can meet, so DynamoDB wrote nothing.",
        f"The answer {tried.code} below is the failed condition.",
    )


def _refused_by_statement(tried: Tried) -> Meaning:
    return Meaning(
        f"AWS refused {tried.operation}",
        "Nothing was read or changed.",
        f"The statement {tried.verdict.statement} of the policy denies this, whatever the key.",
    )


def _rows_in_words(tried: Tried) -> str:
    rows = tried.rows
    if tried.kind.of_a_record:
        return "AWS sent the record." if rows else "There is no record with these keys."
    if not rows:
        return "There are no rows with this key."
    return f"AWS sent {rows} row{'' if rows == 1 else 's'}. This page asks for five at most."


def _refused(tried: Tried, owner: str, org: str, *, thing: str, begins: str, ends: str) -> Meaning:
    heading, text = f"AWS refused this {thing}", tried.text
    nothing = "Nothing was changed." if tried.field == "pk" and tried.kind.writes else "Nothing was read."
    is_public = owner == PUBLIC
    if is_public or (org and text.startswith(f"{begins}{org}{ends}")):
        start = f"{begins}{PUBLIC}{ends}" if is_public else "your org id"
        return Meaning(
            heading, f"The {thing} begins with {start}, so another rule refused it. {nothing}", _other_rule(tried)
        )
    if not org:
        return Meaning(heading, nothing, _NO_TAG)
    whose = f"It does not begin with your org id and {ends}"
    if owner not in {org, _NOBODYS}:
        whose = "It begins with another org id than yours"
    asked = begins + start_of(text.removeprefix(begins), end=ends)
    return Meaning(
        heading,
        f"{whose}. {nothing}",
        f"IAM compared the start of the {thing} with the tag org of your credentials. "
        "They differ, so IAM refused. The portal compared nothing before it asked.",
        side_by_side(asked, f"{begins}{org}{ends}"),
    )


def _other_rule(tried: Tried) -> str:
    if tried.field == "pk" and not tried.verdict.allowed:
        return (
            f"No statement of the policy allows {tried.operation} on such rows with the tag role of your credentials."
        )
    return "AWS’s answer below names the rule. After a suspension it can take a minute until AWS allows you again."
