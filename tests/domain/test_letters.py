"""What letters look like: honest names are not odd, and names that can be taken for each other have one skeleton."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenants.domain.letters import oddity, skeleton
from tests.domain.test_texts import HONEST_NAMES

NOT_ODD = [
    *HONEST_NAMES,
    "Яндекс",
    "Почта России №1",
    "Ελληνικά Πετρέλαια",
    "ソニーSony株式会社",
    "삼성전자 Samsung 三星",
    "ㄅㄆㄇ Acme 北京",
    "Łódź & Øre, 2.0 (Straße)",
    "ＡＣＭＥ",
    "Ⅷ",
    "---",
    "",
]


@pytest.mark.parametrize("name", NOT_ODD)
def test_an_honest_name_is_not_odd(name: str) -> None:
    assert oddity(name) == ""


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("Аcme", "Mixes Latin and Cyrillic letters: “А” looks like “A”."),
        ("Acme Рус", "Mixes Latin and Cyrillic letters: “Р” looks like “P”."),
        ("Αcme", "Mixes Latin and Greek letters: “Α” looks like “A”."),
        ("Acme ไทย", "Mixes Latin and Thai letters."),
        ("Яндекс 北京", "Mixes Cyrillic and Han letters."),
        ("Aаα", "Mixes Latin, Cyrillic and Greek letters: “а” looks like “a”."),
        ("АСМЕ", "Looks like “ACME”, but is written in Cyrillic letters."),
        ("АСМЕ 24", "Looks like “ACME 24”, but is written in Cyrillic letters."),
        ("𝐀𝐜𝐦𝐞", "Looks like “Acme”, but is written in mathematical letters."),
    ],
)
def test_mixed_scripts_and_likenesses_are_said_in_words(name: str, says: str) -> None:
    assert oddity(name) == says


@pytest.mark.parametrize(
    "name",
    [
        "ACME", "acme", "Acmé", "A.c.m.e", " Ac me ", "Аcme", "АСМЕ", "Acrne", "ａｃｍｅ", "𝐀𝐜𝐦𝐞", "ⓐⓒⓜⓔ", "Ꭺᴄme",
    ],
)  # fmt: skip
def test_names_that_look_like_acme_have_its_skeleton(name: str) -> None:
    assert skeleton(name) == skeleton("Acme")


@pytest.mark.parametrize(("one", "other"), [("Initech", "lnitech"), ("G00gle", "Google"), ("Vvater 1", "Water l")])
def test_digits_and_pairs_of_letters_are_taken_for_others(one: str, other: str) -> None:
    assert skeleton(one) == skeleton(other)


@pytest.mark.parametrize(
    ("one", "other"), [("Acme", "Acne"), ("भारत", "भरत"), ("北京", "東京"), ("Acme 2", "Acme 3"), ("🚀", "🚁")]
)
def test_names_that_differ_have_different_skeletons(one: str, other: str) -> None:
    assert skeleton(one) != skeleton(other)


@given(name=st.text(max_size=40))
def test_every_text_has_a_skeleton_whatever_its_case(name: str) -> None:
    assert skeleton(name) == skeleton(f" {name}. ")
    oddity(name)
