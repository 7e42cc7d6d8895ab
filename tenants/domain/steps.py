"""A step: something that can be done to a tenant or to a member, as data that every door reads.

A page makes a form of it, a command its arguments; both say the same sentences before it is done.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tenants.domain import texts
from tenants.domain.actor import Actor, ActorKind
from tenants.domain.errors import InvalidInput, NotNow
from tenants.domain.permissions import MAKES_NOBODY

# What was typed, by the names of the fields. A terminal adds options that no page has.
Typed = Mapping[str, Any]
Choices = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Field:
    """Something to fill in. `widget` is text, lines, code, email, exact (a word to repeat), choice or hidden.

    `autocomplete` is what a browser may fill in, by its name in HTML.
    `choices` returns (value, label) pairs. `value` is what a form begins with, `error` what is wrong with it.
    `check` raises InvalidInput for a text that the use case would refuse too. A form with several problems shows all
    of them by it; the use case, which stops at the first, stays the one that decides.
    """

    name: str
    label: str
    hint: str = ""
    widget: str = "text"
    choices: Callable[[], Choices] = tuple
    check: Callable[[str], object] = lambda _: None
    value: str = ""
    error: str = ""
    optional: bool = False
    autocomplete: str = "off"


WHY = Field("reason", "Reason", "Kept in the audit trail.", widget="lines", check=texts.reason)
WHY_OPTIONAL = replace(WHY, optional=True)


def _nothing(*_: Any) -> tuple[str, ...]:
    return ()


def operators_may(_: Any, by: Actor) -> str:
    """The `allowed` of what is done to tenants."""
    people = (ActorKind.OPERATOR, ActorKind.BREAK_GLASS, ActorKind.TERMINAL)
    return "" if by.kind in people else "Only operators can do this."


def signed_in_operators_may(_: Any, by: Actor) -> str:
    """The `allowed` of what lets people in who never were: break-glass access cannot do it."""
    return MAKES_NOBODY if by.kind == ActorKind.BREAK_GLASS else operators_may(_, by)


@dataclass(frozen=True, slots=True)
class Step:
    """`name` is the last part of its address and the word for it at a terminal; `help` describes it there.

    All callables get the subject: the tenant or the member that the step is taken with, None for one that is not there
    yet. `does` is the use case; it gets what was typed and who typed it, and returns what is there afterwards.
    `expects` says what will happen, a sentence each, before it is done. `then` gets what `does` returned in a dry run
    and says what only that shows. `done` gets the same after it was really done.
    `prevented` says why it cannot be done now, "" where it can. `values` are what the fields begin with.
    `made_before` returns what the same person has just made with the same typed values, None if there is no such thing.
    `allowed` says why somebody may not take it, "" where they may. `grave` steps cannot simply be taken back,
    `confirm` is what has to be typed before it is done, on a page and at a terminal.
    """

    name: str
    verb: str
    help: str
    heading: Callable[[Any], str]
    does: Callable[[Any, Typed, Actor], Any]
    done: Callable[[Any], str]
    expects: Callable[[Any, Typed], Sequence[str]]
    then: Callable[[Any], Sequence[str]] = _nothing
    prevented: Callable[[Any], str] = lambda _: ""
    fields: tuple[Field, ...] = (WHY_OPTIONAL,)
    values: Callable[[Any], Mapping[str, str]] = lambda _: {}
    made_before: Callable[[Any, Typed, Actor], Any] = lambda *_: None
    allowed: Callable[[Any, Actor], str] = operators_may
    grave: bool = False
    confirm: Callable[[Any], str] | None = None


def confirmation(step: Step, subject: Any) -> tuple[Field, ...]:
    """The field for what has to be typed, where the step asks for it."""
    return (confirm_field(step.name, step.confirm(subject)),) if step.confirm else ()


def confirm_field(name: str, word: str) -> Field:
    return Field("confirm", f"Type {word} to {name} it", widget="exact")


def check_confirmed(typed: str, word: str) -> None:
    """Raises InvalidInput."""
    if typed != word:
        raise InvalidInput(f"Type {word}, exactly as it is written here. Nothing was changed.", field="confirm")


def problems_in(fields: Sequence[Field], typed: Typed) -> list[InvalidInput]:
    """What the fields' own checks refuse, in the fields' order. An optional field may stay empty."""
    found = []
    for field in fields:
        try:
            if typed[field.name] or not field.optional:
                field.check(typed[field.name])
        except InvalidInput as problem:
            found.append(InvalidInput(problem.message, field=field.name))
    return found


def possible_steps(steps: Sequence[Step], subject: Any, by: Actor) -> list[Step]:
    """Those that can be taken now, by somebody who may."""
    return [step for step in steps if not step.allowed(subject, by) and not step.prevented(subject)]


def refused_steps(steps: Sequence[Step], subject: Any, by: Actor) -> list[tuple[str, str]]:
    """Those that could be taken now, but not by them: the verbs, joined, with the reason that they share."""
    verbs: dict[str, list[str]] = {}
    for step in steps:
        if (why := step.allowed(subject, by)) and not step.prevented(subject):
            verbs.setdefault(why, []).append(step.verb)
    return [(", ".join(names), why) for why, names in verbs.items()]


def verbs_prevented(steps: Sequence[Step], subject: Any, by: Actor, *, why: str) -> str:
    """The verbs of those that this alone prevents, joined; "" where there are none, or no reason."""
    return ", ".join(
        step.verb for step in steps if why and not step.allowed(subject, by) and step.prevented(subject) == why
    )


def with_reason(use_case: Callable[..., Any]) -> Callable[[Any, Typed, Actor], Any]:
    """For a use case that needs to know nothing else but why."""
    return lambda subject, typed, by: use_case(subject, why=typed["reason"], by=by)


def refusal_of(check: Callable[[], object]) -> str:
    """The message of the NotNow that a use case's own check raises, "" where it raises none."""
    try:
        check()
    except NotNow as refusal:
        return refusal.message
    return ""
