"""E-mail addresses of people, in the one spelling that is stored, sent to AWS and compared."""

from __future__ import annotations

import email_validator
from email_validator import EmailNotValidError, validate_email

from tenants.domain import texts
from tenants.domain.errors import InvalidInput
from tenants.models import MOST_EMAIL, Person
from tenants.sign_in.standing import forget_standing

# RFC 5321 allows 254, but the address is the user name in Cognito, which has at most 128:
# https://docs.aws.amazon.com/cognito-user-identity-pools/latest/APIReference/API_AdminCreateUser.html
MOST_CHARACTERS = 128
_MOST_BEFORE_THE_AT = 64

# Domains of laptops, tests and company networks. Its documentation says to take out of this list what one accepts.
for _name in {"local", "localhost", "test"} & set(email_validator.SPECIAL_USE_DOMAIN_NAMES):
    email_validator.SPECIAL_USE_DOMAIN_NAMES.remove(_name)


def address(text: str) -> str:
    """The address in small letters, its domain in ASCII (punycode). Raises InvalidInput with the field "email".

    The user pool ignores case, so all spellings of an address are one person's. Before the @ only unquoted ASCII is
    accepted: Amazon SES, which sends for Cognito, delivers to nothing else, and addresses that differ in an accent are
    different mailboxes. Does not ask DNS or whether the mailbox exists. `domain.texts.readable_address` is for pages.
    """
    typed = texts.trimmed(text)
    _check_shape(typed)
    try:
        checked = _validated(typed)
    except EmailNotValidError as error:
        raise _invalid(_what_to_do(typed)) from error
    stored = (checked.ascii_email or "").lower()
    if not stored or len(stored) > MOST_CHARACTERS:
        raise _too_long()
    return stored


def address_to_find(text: str) -> str:
    """As it is stored, of an address that somebody looks for; case-folded where it is only a part of one."""
    try:
        return address(text)
    except InvalidInput:
        return texts.trimmed(text).casefold()


def give_address(person: Person, seen: str) -> None:
    """Their address as Cognito has it, to somebody without one, unless another person has it."""
    email = seen.casefold()[:MOST_EMAIL]
    if email and not person.email and not Person.objects.filter(email=email).exists():
        Person.objects.filter(pk=person.pk).update(email=email)
        forget_standing(person.pk)


def _check_shape(typed: str) -> None:
    """What people get wrong most, and what is too long to be worth a closer look."""
    if not typed:
        raise _invalid("Enter an e-mail address.")
    if len(typed) > 4 * MOST_CHARACTERS:
        raise _too_long()
    texts.check_visible(typed, "email")
    if "<" in typed or '"' in typed or "(" in typed:
        raise _invalid("Enter only the address, without a name, quotes or brackets, such as ada@example.com.")
    if typed.count("@") != 1:
        raise _invalid("Enter an e-mail address with one @.")
    if typed.index("@") > _MOST_BEFORE_THE_AT:
        raise _invalid(f"An e-mail address has at most {_MOST_BEFORE_THE_AT} characters before the @.")


def _validated(typed: str) -> email_validator.ValidatedEmail:
    return validate_email(
        typed,
        check_deliverability=False,
        allow_smtputf8=False,
        allow_quoted_local=False,
        allow_domain_literal=False,
        allow_display_name=False,
        globally_deliverable=True,
    )


def _what_to_do(typed: str) -> str:
    local, _, domain = typed.partition("@")
    try:
        _validated(f"{local}@example.com")
    except EmailNotValidError:
        return "Before the @, use only letters from a to z, digits, signs, and single dots between them."
    unreachable = next((name for name in email_validator.SPECIAL_USE_DOMAIN_NAMES if _ends_with(domain, name)), "")
    if unreachable:
        return f"No mail arrives at addresses that end with {unreachable}. Enter another address."
    return "After the @, enter a domain such as example.com."


def _ends_with(domain: str, name: str) -> bool:
    return f".{domain.lower()}".endswith(f".{name}")


def _invalid(message: str) -> InvalidInput:
    return InvalidInput(message, field="email")


def _too_long() -> InvalidInput:
    return _invalid(f"Enter an e-mail address with at most {MOST_CHARACTERS} characters.")
