"""What AWS's answer to a key or a path means, in two lines, a comparison and a sentence. Pure.

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
    "So IAM lets you read public rows only."
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
            return _allowed_key(tried)
        case "path", True, _:
            return Meaning(
                "Allowed: the API answered",
                "IAM let your call through.",
                "The path begins with your org id, so your credentials may call it.",
            )
        case "pk", _, True:
            return _refused(tried.text, owner_of(tried.text), org, thing="key", begins="", ends="#")
        case "path", _, True:
            return _refused(tried.text, owner_of_path(tried.text), org, thing="path", begins="/", ends="/")
        case "path", _, _:
            return Meaning(
                f"The API answered {tried.status}", "IAM let your call through.", "The API has no such path for you."
            )
    return Meaning("AWS did not accept this key", "No row was read.", "The answer below says what is wrong with it.")


def _allowed_key(tried: Tried) -> Meaning:
    if owner_of(tried.text) == PUBLIC:
        why = "The key begins with PUBLIC#. Everybody who signs in can read such rows."
    else:
        why = "The key begins with the tag org of your credentials, so IAM lets you read its rows."
    return Meaning("AWS allowed this key", _rows_in_words(tried.rows), why)


def _rows_in_words(rows: int) -> str:
    if not rows:
        return "There are no rows with this key."
    return f"AWS sent {rows} row{'' if rows == 1 else 's'}. This page asks for five at most."


def _refused(text: str, owner: str, org: str, *, thing: str, begins: str, ends: str) -> Meaning:
    heading = f"AWS refused this {thing}"
    if not org:
        return Meaning(heading, "Nothing was read.", _NO_TAG)
    is_public = owner == PUBLIC
    if is_public or text.startswith(f"{begins}{org}{ends}"):
        start = f"{begins}{PUBLIC}{ends}" if is_public else "your org id"
        result = f"The {thing} begins with {start}, so another rule refused it. Nothing was read."
        why = "AWS’s answer below names the rule. After a suspension it can take a minute until AWS allows you again."
        return Meaning(heading, result, why)
    whose = f"It does not begin with your org id and {ends}"
    if owner not in {org, _NOBODYS}:
        whose = "It begins with another org id than yours"
    asked = begins + start_of(text.removeprefix(begins), end=ends)
    return Meaning(
        heading,
        f"{whose}. Nothing was read.",
        f"IAM compared the start of the {thing} with the tag org of your credentials. "
        "They differ, so IAM refused. The portal compared nothing before it asked.",
        side_by_side(asked, f"{begins}{org}{ends}"),
    )
