"""Texts that people type: honest names pass unchanged, and invisible characters are refused."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenants.domain import texts
from tenants.domain.errors import InvalidInput

HONEST_NAMES = [
    "Acme",
    "O’Brien & Söhne GmbH",
    "Société Générale",
    "Trần Thị Ngọc Ánh",
    "شركة النور",
    "می‌خواهم",  # Persian, which is written with the non-joiner
    "חברת אור",
    "北京字节跳动科技有限公司",
    "クリーク・アンド・リバー社",
    "葛󠄀城市",  # a variation selector chooses the form of the first letter
    "भारतीय रिज़र्व बैंक",
    "क्‍ष",  # Hindi, with a joiner
    "ශ්‍රී ලංකා",  # Sinhala cannot be written without one
    "അവന്‍",  # Malayalam, a joiner at the end
    "ไทยพาณิชย์",
    "སྒྲུབ",
    "Ὀδυσσεύς",
    "Iñtërnâtiônàlizætiøn",
    "🚀 Rockets",
    "👩‍👩‍👧‍👦",
    "👩🏽‍🚀",
    "🏳️‍🌈",
    "1️⃣ First",
    "7",
    "=SUM(A1)",  # harmless here: the CSV export escapes it
    "<b>Acme</b>",  # harmless here: templates escape it
]

HIDDEN = {
    "a right-to-left override": "Acme\u202egnp.exe",
    "a left-to-right isolate": "Ac\u2066me",
    "a left-to-right mark": "Ac\u200eme",
    "a right-to-left mark": "Ac\u200fme",
    "an Arabic letter mark": "Ac\u061cme",
    "a zero-width space": "Ac\u200bme",
    "a joiner between Latin letters": "Ac\u200dme",
    "a non-joiner between Latin letters": "Ac\u200cme",
    "a joiner between Chinese letters": "北\u200d京",
    "a joiner at the start": "\u200dAcme",
    "an emoji's joiner with nothing to join": "👩\u200d",
    "two joiners together": "क्\u200d\u200dष",
    "a word joiner": "Ac\u2060me",
    "a byte order mark": "Ac\ufeffme",
    "a soft hyphen": "Ac\u00adme",
    "a tag character": "Ac\U000e0041me",
    "NUL": "Ac\x00me",
    "escape": "Ac\x1b[31mme",
    "unit separator": "Ac\x1fme",
    "delete": "Ac\x7fme",
    "a private letter": "Ac\ue000me",
    "an unassigned character": "Ac\u0378me",
    "no character at all": "Ac\uffffme",
    "half of a surrogate pair": "Ac\ud800me",
    "a blank Hangul filler": "\u3164",
    "a blank Braille pattern": "\u2800",
    "a grapheme joiner": "Ac\u034fme",
    "what a broken decoding leaves": "Ac\ufffdme",
    "an accent at the start": "\u0301Acme",
    "an accent on a space": "Acme \u0301Ltd",
    "accents piled up": "Z" + "\u0335\u0322\u0321\u0327" + "algo",
}

NAMES = st.text(max_size=130) | st.text(alphabet="a \t\u00e9\u0301\u200d\u200c\u202e\u094d\u0915👩\n", max_size=20)


@pytest.mark.parametrize("name", HONEST_NAMES)
def test_an_honest_name_is_kept_as_it_is_written(name: str) -> None:
    assert texts.display_name(name, field="name") == unicodedata.normalize("NFC", name)


@pytest.mark.parametrize("name", HIDDEN.values(), ids=HIDDEN.keys())
def test_invisible_characters_are_refused_in_names_and_reasons(name: str) -> None:
    for read in (lambda: texts.display_name(name, field="owner"), lambda: texts.reason(name, field="owner")):
        with pytest.raises(InvalidInput, match="place") as refused:
            read()
        assert refused.value.field == "owner"
        refused.value.message.encode()  # can be displayed: does not contain the character itself


@pytest.mark.parametrize("name", ["Acme\nLtd", "Acme\r\nLtd", "Acme\vLtd", "Acme\u2028Ltd", "Acme\u2029Ltd", "A\x85b"])
def test_a_name_is_a_single_line(name: str) -> None:
    with pytest.raises(InvalidInput, match="single line"):
        texts.display_name(name, field="name")


@pytest.mark.parametrize("name", ["", " ", "\n", "\u00a0\u3000", "\t"])
def test_white_space_alone_is_no_name(name: str) -> None:
    with pytest.raises(InvalidInput, match="Enter a name"):
        texts.display_name(name, field="name")


def test_white_space_of_every_width_becomes_one_space() -> None:
    assert texts.display_name("  Acme\u00a0 \u3000\tLtd \n", field="name") == "Acme Ltd"


def test_two_spellings_of_one_letter_are_one_name() -> None:
    assert texts.display_name("Cafe\u0301", field="name") == texts.display_name("Caf\u00e9", field="name")


def test_a_name_has_a_longest_length() -> None:
    assert texts.display_name("é" * 120, field="name")
    with pytest.raises(InvalidInput, match="at most 120 characters; this one has 121"):
        texts.display_name("e" * 121, field="name")
    with pytest.raises(InvalidInput, match="at most 5 characters"):
        texts.display_name("a" + "\u0301" * 5_000_000, field="name", most=5)


@given(text=NAMES)
def test_an_accepted_name_is_accepted_again_unchanged(text: str) -> None:
    try:
        name = texts.display_name(text, field="name")
    except InvalidInput:
        return
    assert texts.display_name(name, field="name") == name
    assert 0 < len(name) <= 120
    assert name.isprintable() or any(joiner in name for joiner in "\u200c\u200d")
    name.encode()


def test_a_reason_keeps_its_lines() -> None:
    assert texts.reason("  Unpaid  since May.\r\n\r\nAsk\tbilling.\r ") == "Unpaid since May.\n\nAsk billing."


@pytest.mark.parametrize("text", ["", " \n ", "x" * 501])
def test_an_empty_or_too_long_reason_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="reason") as refused:
        texts.reason(text)
    assert refused.value.field == "reason"


@given(text=NAMES)
def test_an_accepted_reason_is_accepted_again_unchanged(text: str) -> None:
    try:
        reason = texts.reason(text)
    except InvalidInput:
        return
    assert texts.reason(reason) == reason


@pytest.mark.parametrize("text", ["acme", "a", "7", "a-b-c", "a" * 40, "0" * 40])
def test_a_slug_is_small_letters_digits_and_single_hyphens(text: str) -> None:
    assert texts.slug(text) == text
    assert texts.slug(f" {text.upper()}\n") == text


@pytest.mark.parametrize(
    "text",
    ["", " ", "-a", "a-", "a--b", "xn--80ak6aa92e", "a" * 41, "a b", "a_b", "a.b", "a/b", "ä", "а", "\u212a", "a\nb"],
)
def test_anything_else_is_no_slug(text: str) -> None:
    with pytest.raises(InvalidInput, match="short name") as refused:
        texts.slug(text)
    assert refused.value.field == "slug"


@pytest.mark.parametrize("text", ["operators", "ADMIN", "api", "oidc", "records", "public", "www", "static"])
def test_a_reserved_word_is_no_slug(text: str) -> None:
    with pytest.raises(InvalidInput, match="is reserved"):
        texts.slug(text)


@pytest.mark.parametrize(
    ("name", "suggested"),
    [
        ("Acme Ltd.", "acme-ltd"),
        ("Société Générale", "societe-generale"),
        ("Straße & Øre", "strasse-ore"),
        ("Trần", "tran"),
        ("Łódź", "lodz"),
        ("ＡＣＭＥ", "acme"),
        ("北京", "my-org"),
        ("🚀", "my-org"),
        ("Admin", "admin-org"),
        ("a" * 29 + " b", "a" * 29),
        ("--", "my-org"),
    ],
)
def test_a_slug_is_suggested_from_a_name(name: str, suggested: str) -> None:
    assert texts.slug_from(name) == suggested


@given(name=st.text())
def test_every_suggestion_is_a_slug(name: str) -> None:
    suggested = texts.slug_from(name)
    assert texts.slug(suggested) == suggested
    assert texts.slug(f"{suggested}-999999") == f"{suggested}-999999"


@pytest.mark.parametrize("text", ["en", "en-gb", "pt-br", "zh-hant", "zh-hant-tw", "es-419", "haw"])
def test_a_language_is_a_code(text: str) -> None:
    assert texts.language(f" {text.upper()} ") == text


@pytest.mark.parametrize("text", ["", "e", "english", "en_GB", "en-", "en gb", "en\ngb", "../en", "рт", "en-gb-x-y"])
def test_anything_else_is_no_language(text: str) -> None:
    with pytest.raises(InvalidInput, match="code") as refused:
        texts.language(text)
    assert refused.value.field == "language"
