"""Pasted and uploaded addresses, as people have them."""

from __future__ import annotations

import time

import pytest

from tenants.domain.errors import InvalidInput
from tenants.members.invitation_lines import MOST_LINES, NewInvitation, pasted, uploaded

N = NewInvitation


@pytest.mark.parametrize(
    ("text", "people"),
    [
        ("a@x.example", [N("a@x.example")]),
        ("a@x.example, b@x.example;c@x.example\nd@x.example\r\n\n e@x.example ",
         [N(f"{name}@x.example") for name in "abcde"]),
        ("a@x.example b@x.example", [N("a@x.example"), N("b@x.example")]),
        ("Ada Lovelace <ada@x.example>; <b@x.example>", [N("ada@x.example", "Ada Lovelace"), N("b@x.example")]),
        ('"Byron, Ada" <ada@x.example>, b@x.example', [N("ada@x.example", "Byron, Ada"), N("b@x.example")]),
        ("Byron, Ada <ada@x.example>; Babbage, Ch <ch@x.example>",
         [N("ada@x.example", "Byron, Ada"), N("ch@x.example", "Babbage, Ch")]),
        ("ada@x.example, Ada Lovelace, Editor", [N("ada@x.example", "Ada Lovelace", "Editor")]),
        ("ada@x.example\tAda Lovelace\teditor", [N("ada@x.example", "Ada Lovelace", "editor")]),
        ("ada@x.example; admin", [N("ada@x.example", "", "admin")]),
        ("Ada <ada@x.example>, admin", [N("ada@x.example", "Ada", "admin")]),
        ("Ada <ada@x.example>; mistyped", [N("ada@x.example", "Ada"), N("mistyped")]),
        ("ada+tag@x.example", [N("ada+tag@x.example")]),
        ("nobody", [N("nobody")]),
        ("no, body, here", [N("no, body, here")]),
        ("a@x.example, what, is, this", [N("a@x.example, what, is, this")]),
        ("oops, a@x.example, b@x.example", [N("oops"), N("a@x.example"), N("b@x.example")]),
        ("a@x.example\x00", [N("a@x.example\x00")]),
        ("a@x.example\u202e", [N("a@x.example\u202e")]),
    ],
)  # fmt: skip
def test_pasted_text_is_read_as_people_write_it(text: str, people: list[NewInvitation]) -> None:
    assert pasted(text) == people


@pytest.mark.parametrize(
    "one",
    [
        N("a@x.example"), N("a@x.example", "Ada"), N("a@x.example", "Byron, Ada", "editor"),
        N("a@x.example", "", "viewer"), N("no, body, here"), N("a@x.example", "Ada", "king"),
    ],
)  # fmt: skip
def test_a_line_that_stays_in_the_box_is_read_again_as_it_was(one: NewInvitation) -> None:
    assert pasted(one.as_line) == [one]


@pytest.mark.parametrize(
    "content",
    [
        b"ada@x.example,Ada,editor\nbob@x.example,,\n",
        b"Name;Role;E-mail\nAda;editor;ada@x.example\n;;bob@x.example\n",
        "\ufeffemail\tname\trole\nada@x.example\tAda\teditor\nbob@x.example\n".encode(),
        "E-mail address,Full name,Team,Role\r\nada@x.example,Ada,Maths,editor\r\nbob@x.example,,,\r\n".encode("utf-16"),
    ],
)  # fmt: skip
def test_a_csv_file_is_read_with_any_separator_and_header(content: bytes) -> None:
    assert uploaded(content) == [N("ada@x.example", "Ada", "editor"), N("bob@x.example")]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"\x89PNG\r\n\xff", "not text in UTF-8"),
        (b"\n \n", "at least one"),
        (b"email,name\n", "at least one"),
        (b"a@x.example\n" * 200_000, "larger than 2 MB"),
        (b'"' + b"a" * 200_000, "not valid CSV"),
    ],
)
def test_a_file_that_is_no_list_says_why(content: bytes, says: str) -> None:
    with pytest.raises(InvalidInput, match=says) as raised:
        uploaded(content)
    assert raised.value.field == "file"


def test_too_many_and_too_few_lines_are_refused_as_a_whole() -> None:
    assert len(pasted("a@x.example\n" * MOST_LINES)) == MOST_LINES
    for text, says in (("a@x.example\n" * (MOST_LINES + 1), "at most 5,000"), (" ,;\n", "at least one")):
        with pytest.raises(InvalidInput, match=says):
            pasted(text)


def test_a_line_of_brackets_that_are_never_closed_is_read_at_once() -> None:
    began = time.process_time()
    assert pasted("@" + "<" * 300_000)
    # Read again from each bracket, it takes a minute.
    assert time.process_time() - began < 5
