"""The fields of the forms, and what is wrong with what was typed into them.

A field that has a problem says it above its input, and is described by it. The summary of a page lists all problems.
"""

import html
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from string import Template


@dataclass(frozen=True, slots=True)
class Problem:
    """`field` is the name of a field, "" where the problem is about the form as a whole."""

    message: str
    field: str = ""


@dataclass(frozen=True, slots=True)
class Field:
    """`attributes` are HTML; every field is required. `missing` is what to do where nothing is typed.

    Where `has_rules`, the hint is the pool's rules for passwords.
    """

    name: str
    label: str
    attributes: str
    missing: str
    hint: str = ""
    value: str = ""
    has_rules: bool = False


_CODE = 'type="text" inputmode="numeric" autocomplete="one-time-code" pattern="[0-9]{6}" maxlength="6"'
USERNAME = Field(
    "username",
    "E-mail address",
    'type="email" inputmode="email" autocomplete="username" autocapitalize="none" spellcheck="false"',
    "Enter your e-mail address.",
)
PASSWORD = Field("password", "Password", 'type="password" autocomplete="current-password"', "Enter your password.")
CODE = Field("code", "Code", _CODE, "Enter the six digits of the code.")
NEW_PASSWORD = Field(
    "new_password",
    "New password",
    'type="password" autocomplete="new-password"',
    "Enter a new password.",
    has_rules=True,
)
FIRST_PASSWORD = replace(NEW_PASSWORD, name="password", label="Password", missing="Enter a password.")
CONFIRM_PASSWORD = Field(
    "confirm_password",
    "New password again",
    'type="password" autocomplete="new-password"',
    "Enter the new password again.",
)
CONFIRM_FIRST_PASSWORD = replace(CONFIRM_PASSWORD, label="Password again", missing="Enter the password again.")

SIGN_IN = (USERNAME, PASSWORD)
CHOOSE_PASSWORD = (NEW_PASSWORD, CONFIRM_PASSWORD)
ENROL = (replace(CODE, hint="Six digits. A new code appears every 30 seconds."),)
SECOND_FACTOR = (replace(CODE, hint="Six digits. A new code appears every 30 seconds, and each one works once."),)
CONFIRM = (USERNAME, replace(CODE, hint="The six digits in the mail. Valid for 24 hours."))
FORGOT = (USERNAME,)
RESET = (USERNAME, replace(CODE, hint="The six digits in the mail. Valid for one hour."), *CHOOSE_PASSWORD)


def sign_up_fields(more: Mapping[str, str]) -> tuple[Field, ...]:
    """`more` are the further attributes that the pool requires, and what was typed."""
    email = replace(USERNAME, hint="We will mail a code to confirm this address.")
    others = (_attribute_field(name, value) for name, value in more.items())
    return email, *others, FIRST_PASSWORD, CONFIRM_FIRST_PASSWORD


def _attribute_field(name: str, value: str) -> Field:
    label = name.replace("_", " ").capitalize()
    attributes = f'type="text" autocomplete="{html.escape(name.replace("_", "-"))}"'
    return Field(name, label, attributes, f"Enter your {label.lower()}.", value=value)


def new_password_problems(errors: Sequence[str], form: Mapping[str, str], *, name: str) -> list[Problem]:
    """`errors` are those of the password typed into the field `name`. Nothing typed is not a problem here."""
    password, again = form.get(name, ""), form.get("confirm_password", "")
    problems = [Problem(f"{error}.", name) for error in errors] if password else []
    if password and again and password != again:
        problems.append(Problem("The two passwords are different.", "confirm_password"))
    return problems


def missing_values(fields: Iterable[Field], form: Mapping[str, str]) -> list[Problem]:
    return [Problem(field.missing, field.name) for field in fields if not form.get(field.name, "").strip()]


def render_fields(template: str, fields: Sequence[Field], problems: Sequence[Problem]) -> str:
    return "".join(
        _render(template, field, [one.message for one in problems if one.field == field.name]) for field in fields
    )


def _render(template: str, field: Field, messages: Sequence[str]) -> str:
    parts = ""
    described = []
    for ending, text in (("hint", field.hint), ("problem", " ".join(messages))):
        if text:
            described.append(f"{field.name}-{ending}")
            parts += f'<p class="{ending}" id="{described[-1]}">{html.escape(text)}</p>\n'
    extra = ' aria-invalid="true"' if messages else ""
    if described:
        extra += f' aria-describedby="{" ".join(described)}"'
    if field.value:
        extra += f' value="{html.escape(field.value)}"'
    return Template(template).substitute(
        name=html.escape(field.name),
        label=html.escape(field.label),
        parts=parts,
        attributes=f"{field.attributes}{extra}",
    )
