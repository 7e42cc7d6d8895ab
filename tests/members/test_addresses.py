"""E-mail addresses: one spelling for all that are the same, and a sentence for what is none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenants.domain.errors import InvalidInput
from tenants.domain.texts import readable_address
from tenants.members.addresses import address as address_of
from tenants.members.addresses import address_to_find


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("ada@acme.example", "ada@acme.example"),
        (" Ada.Lovelace+x@ACME.Example\n", "ada.lovelace+x@acme.example"),
        ("o'brien@acme.example", "o'brien@acme.example"),
        ("ada@bücher.example", "ada@xn--bcher-kva.example"),
        ("ada@BU\u0308CHER.example", "ada@xn--bcher-kva.example"),
        ("ada@xn--bcher-kva.example", "ada@xn--bcher-kva.example"),
        ("ada@例え.テスト", "ada@xn--r8jz45g.xn--zckzah"),
        ("ada@straße.example", "ada@xn--strae-oqa.example"),
        ("ada@почта.example", "ada@xn--80a1acny.example"),
        ("ada+" + "t" * 60 + "@acme.example", "ada+" + "t" * 60 + "@acme.example"),
        ("ada@acme.test", "ada@acme.test"),
        ("ada@laptop.local", "ada@laptop.local"),
        ("ada@portal.localhost", "ada@portal.localhost"),
        ("\u00a0ada@acme.example\u3000", "ada@acme.example"),
        ("ada@münchen。example", "ada@xn--mnchen-3ya.example"),
        ("a@b.co", "a@b.co"),
        (f"{'a' * 64}@acme.example", f"{'a' * 64}@acme.example"),
        (f"{'a' * 64}@{'b' * 55}.example", f"{'a' * 64}@{'b' * 55}.example"),
    ],
)
def test_an_address_is_stored_in_one_spelling(text: str, stored: str) -> None:
    assert address_of(text) == stored
    assert address_of(stored) == stored


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "ada", "@acme.example", "ada@", "ada@acme", "a@b@acme.example", "ada@@acme.example",
        ".ada@acme.example", "ada.@acme.example", "a..da@acme.example", "a da@acme.example", "ada@ac me.example",
        "ada\x00@acme.example", "ada\n@acme.example", "ada@acme.example\nbcc: x", "\u202eada@acme.example",
        "ada@ac\u200bme..example", "ada@acme\u202e.example", "ada@.acme.example", "ada@acme.example.",
        "ada@acme..example",
        "ada@-acme.example", "ada@acme-.example", "ada@ac_me.example", "ada@127.0.0.1", "ada@[127.0.0.1]",
        '"ada"@acme.example', "Ada <ada@acme.example>", "ada,b@acme.example", "ada@acme.example,b@acme.example",
        "ada\\@acme.example", "\u212aate@acme.example", "adá@acme.example", "аda@acme.example", "ada＠acme.example",
        "ada@xn--straße.example", "ada@ab--c.example", "ada@xn--.example", f"{'a' * 65}@acme.example",
        f"ada@{'a' * 64}.example",
        f"{'a' * 64}@{'b' * 56}.example", "ada@" + "é" * 70 + ".example", "\ud800@acme.example",
        "ada@\ud800.example", "a" * 1_000_000,
    ],
)  # fmt: skip
def test_anything_else_is_no_address(text: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        address_of(text)
    assert refused.value.field == "email"
    refused.value.message.encode()


@given(local=st.text(max_size=10), domain=st.text(max_size=12), tail=st.sampled_from(["example", "EXAMPLE", "テスト"]))
def test_an_accepted_address_is_plain_and_stays_unchanged(local: str, domain: str, tail: str) -> None:
    try:
        address = address_of(f"{local}@{domain}.{tail}")
    except InvalidInput:
        return
    assert address.isascii()
    assert address.isprintable()
    assert not set(address) & set(' "\\<>,;:()[]')
    assert address == address.casefold() == address_of(address) == address_of(address.upper())


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("  ", "Enter an e-mail address."),
        ("ada", "Enter an e-mail address with one @."),
        ("ada@b@acme.example", "Enter an e-mail address with one @."),
        ("ada＠acme.example", "Enter an e-mail address with one @."),
        ("Ada <ada@acme.example>", "Enter only the address"),
        ('"ada"@acme.example', "Enter only the address"),
        ("ada(home)@acme.example", "Enter only the address"),
        ("adá@acme.example", "Before the @, use only letters from a to z"),
        ("a..da@acme.example", "single dots"),
        ("@acme.example", "Before the @"),
        ("a" * 65 + "@acme.example", "at most 64 characters before the @"),
        ("ada@acme", "enter a domain such as example.com"),
        ("ada@[127.0.0.1]", "enter a domain such as example.com"),
        ("ada@acme.invalid", "No mail arrives at addresses that end with invalid"),
        ("ada@service.onion", "No mail arrives at addresses that end with onion"),
        ("ada@" + "a." * 80 + "example", "at most 128 characters"),
        ("a" * 60 + "@" + "b." * 90 + "example", "at most 128 characters"),
        ("ada\x00@acme.example", r"place 4 is invisible or unusable \(U\+0000\)"),
        ("\x1fada@acme.example", r"U\+001F"),
        ("ada@acme\u202e.example", r"U\+202E"),
        ("ada@acme.example\u200b", r"U\+200B"),
    ],
)
def test_a_refused_address_is_told_what_to_do(text: str, says: str) -> None:
    with pytest.raises(InvalidInput, match=says) as refused:
        address_of(text)
    assert refused.value.field == "email"
    assert refused.value.message.isprintable()


@pytest.mark.parametrize(
    ("stored", "read"),
    [
        ("ada@acme.example", "ada@acme.example"),
        ("ada@xn--bcher-kva.example", "ada@bücher.example"),
        ("ada@mail.xn--r8jz45g.xn--zckzah", "ada@mail.例え.テスト"),
        ("ada@xn--80a1acny.example", "ada@почта.example"),
        # All of its letters look like Latin ones, or some are: it could be taken for another domain.
        ("ada@xn--80ak6aa92e.example", "ada@xn--80ak6aa92e.example"),
        ("ada@xn--cme-5cd.example", "ada@xn--cme-5cd.example"),
        ("ada@xn--99999999999.example", "ada@xn--99999999999.example"),
        ("xn--bcher-kva@acme.example", "xn--bcher-kva@acme.example"),
        ("", ""),
    ],
)
def test_a_domain_is_read_in_its_own_letters_where_that_misleads_nobody(stored: str, read: str) -> None:
    assert readable_address(stored) == read


def test_an_address_is_found_in_any_spelling() -> None:
    assert address_to_find("Ada@BÜCHER.example") == "ada@xn--bcher-kva.example"
    assert address_to_find(" ADA@ac") == "ada@ac"
