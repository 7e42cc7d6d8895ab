"""The settings that an organisation's own people change, and saving several of them at once.

Each is changed by the use case that operators' steps call. A form carries what each field began with. So a field that
nobody touched overwrites nothing, and one that somebody else changed meanwhile is not overwritten unseen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction

from tenants.audit import audit_refusals
from tenants.audit.actions import Action
from tenants.domain.actor import Actor
from tenants.domain.errors import InvalidInput, NotAllowed
from tenants.domain.steps import Field
from tenants.domain.tenant_permissions import TenantAction
from tenants.domain.texts import trimmed
from tenants.lifecycle import details
from tenants.lifecycle.metadata import fingerprint, problems_by_key
from tenants.lifecycle.metadata_form import MetadataField, as_text, form_field, metadata_fields, read_value
from tenants.lifecycle.rights import why_not
from tenants.lifecycle.steps import CONTACT_FIELD, DOMAINS_FIELD, NAME_FIELD, SLUG_FIELD
from tenants.members.allowed_domains import as_lines
from tenants.models import Tenant

Texts = Mapping[str, str]
_May = TenantAction
_MOST_QUOTED = 200
_FOR_OPERATORS = "Something that only operators can change does not fit the schema. Ask them to mend it."


@dataclass(frozen=True, slots=True)
class Setting:
    """`now` is its text. `why_not` says why this person cannot change it, "" where they can."""

    field: Field
    now: str
    why_not: str
    metadata: MetadataField | None = None


@dataclass(slots=True)
class Saved:
    """`changed` are labels. With `problems`, by the names of fields, or one `about_all`, nothing was changed.

    `is_outdated`: somebody else changed one of the fields meanwhile.
    """

    changed: list[str] = field(default_factory=list)
    problems: dict[str, str] = field(default_factory=dict)
    about_all: str = ""
    is_outdated: bool = False

    @property
    def is_refused(self) -> bool:
        return bool(self.problems or self.about_all)


def settings_of(tenant: Tenant, by: Actor) -> list[Setting]:
    plain = [Setting(one, _text_of(tenant, one), why_not(by, may, tenant=tenant)) for one, may, _ in _PLAIN]
    no_metadata = why_not(by, _May.CHANGE_METADATA, tenant=tenant)
    notes = [
        Setting(form_field(one), as_text(one, tenant.metadata), one.why or no_metadata, one)
        for one in metadata_fields()
    ]
    return [*plain, *notes]


def change_settings(tenant: Tenant, *, typed: Texts, began: Texts, by: Actor) -> Saved:
    """Saves every field that differs from what it `began` with, or none. Raises NotAllowed, NotNow.

    A field that is missing in `typed` or in `began` stays as it is.
    """
    saved = Saved()
    wanted = {name: _cleaned(text) for name, text in typed.items() if _cleaned(text) != _cleaned(began.get(name, text))}
    try:
        _change_settings(tenant, wanted=wanted, began=began, saved=saved, by=by)
    except InvalidInput:
        saved.changed.clear()
    return saved


# The audit trail keeps the name of this function with a refusal.
@audit_refusals(Action.TENANT_REFUSED)
def _change_settings(tenant: Tenant, *, wanted: Texts, began: Texts, saved: Saved, by: Actor) -> None:
    """Raises InvalidInput with the first problem, so that nothing is changed; all of them are in `saved`."""
    with transaction.atomic():
        tenant = Tenant.objects.locked(tenant)
        differing = list(_still_differing(settings_of(tenant, by), wanted=wanted, began=began, saved=saved))
        for one in differing:
            if one.metadata is None:
                with _noting(saved, one.field.name):
                    tenant = _change(tenant, one.field.name, wanted[one.field.name], by)
        _change_metadata(tenant, [one for one in differing if one.metadata], wanted=wanted, saved=saved, by=by)
        if saved.is_refused:
            name = next(iter(saved.problems), "")
            raise InvalidInput(saved.problems.get(name) or saved.about_all, field=name)
        saved.changed += [one.field.label for one in differing]


def _still_differing(settings: Sequence[Setting], *, wanted: Texts, began: Texts, saved: Saved) -> Iterator[Setting]:
    """Those to change. One that somebody else has changed meanwhile, to something else, is a problem.

    Raises NotAllowed: no form has such a field.
    """
    for one in settings:
        name = one.field.name
        if name not in wanted or wanted[name] == _cleaned(one.now):
            continue
        if one.why_not:
            raise NotAllowed(one.why_not)
        if _cleaned(one.now) == _cleaned(began[name]):
            yield one
        else:
            saved.problems[name] = _meanwhile(one)
            saved.is_outdated = True


def _change(tenant: Tenant, name: str, text: str, by: Actor) -> Tenant:
    return next(change for one, _, change in _PLAIN if one.name == name)(tenant, text, by)


@contextmanager
def _noting(saved: Saved, name: str) -> Iterator[None]:
    """Keeps the problem, and goes on: the person should hear of all of them.

    One with anything but the field of this `name` is kept as one with the whole form. A page shows no other.
    """
    try:
        with transaction.atomic():
            yield
    except InvalidInput as problem:
        if name and problem.field == name:
            saved.problems[name] = problem.message
        else:
            saved.about_all = saved.about_all or problem.message


def _change_metadata(tenant: Tenant, settings: Sequence[Setting], *, wanted: Texts, saved: Saved, by: Actor) -> None:
    """All keys at once: the schema may ask for several together."""
    fields = [one.metadata for one in settings if one.metadata]
    metadata = dict(tenant.metadata)
    for one in fields:
        with _noting(saved, one.name):
            _put(metadata, one, read_value(one, wanted[one.name]))
    if not fields or any(one.name in saved.problems for one in fields):
        return
    by_key = {one.key: one.name for one in metadata_fields() if not one.why}
    for key, problem in problems_by_key(metadata).items():
        if key in by_key:
            saved.problems.setdefault(by_key[key], problem)
        else:
            saved.about_all = _FOR_OPERATORS if key else problem
    if not saved.is_refused:
        # What is wrong with all of them together is about none of these fields, such as too many characters.
        with _noting(saved, ""):
            over = fingerprint(tenant.metadata)
            details.change_metadata(tenant, metadata=metadata, over=over, by=by)


def _put(metadata: dict[str, Any], one: MetadataField, value: Any) -> None:
    if value is None:
        metadata.pop(one.key, None)
    else:
        metadata[one.key] = value


def _cleaned(text: str) -> str:
    """As it is compared: a browser sends other line ends than it was given."""
    return trimmed(text.replace("\r\n", "\n"))


def _meanwhile(one: Setting) -> str:
    now = dict(one.field.choices()).get(one.now, one.now) if one.field.widget == "choice" else one.now
    short = now if len(now) <= _MOST_QUOTED else f"{now[: _MOST_QUOTED - 1]}…"
    said = f"changed this to “{', '.join(short.splitlines())}”" if short else "emptied this"
    return f"Somebody else {said} meanwhile, so nothing was saved. What you typed stays here: save again to replace it."


def _text_of(tenant: Tenant, one: Field) -> str:
    value = getattr(tenant, one.name)
    return as_lines(value) if isinstance(value, list) else str(value)


_Change = Callable[[Tenant, str, Actor], Tenant]
_PLAIN: tuple[tuple[Field, TenantAction, _Change], ...] = (
    (NAME_FIELD, _May.RENAME, lambda tenant, text, by: details.rename(tenant, name=text, by=by)),
    (SLUG_FIELD, _May.CHANGE_SLUG, lambda tenant, text, by: details.change_slug(tenant, slug=text, by=by)),
    (CONTACT_FIELD, _May.CHANGE_CONTACT, lambda tenant, text, by: details.change_contact(tenant, contact=text, by=by)),
    (
        DOMAINS_FIELD,
        _May.CHANGE_DOMAINS,
        lambda tenant, text, by: details.change_invitation_domains(tenant, domains=text, by=by),
    ),
)
