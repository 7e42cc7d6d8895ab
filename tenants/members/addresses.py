"""E-mail addresses of people, in the one spelling that is stored, sent to AWS and compared."""

from __future__ import annotations

from tenants.domain import texts


def address(text: str) -> str:
    """The address in small letters, its domain in ASCII. Raises InvalidInput with the field "email"."""
    return texts.email_address(text)
