"""The people and organisations of the demo and the tests, with their first records. Always the same ids and rows."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from tenants.domain.keys import PUBLIC_SPACE, Space, own_space
from tenants.domain.org_id import OrgId
from tenants.domain.roles import Role
from tenants.domain.values import AttributeValue, Item


@dataclass(frozen=True, slots=True)
class Organisation:
    org_id: OrgId
    name: str
    slug: str

    @property
    def space(self) -> Space:
        return own_space(self.org_id)


@dataclass(frozen=True, slots=True)
class CastMember:
    """`organisation` is None for the operator."""

    email: str
    name: str
    role: Role
    organisation: Organisation | None

    @property
    def org(self) -> str:
        return str(self.organisation.org_id) if self.organisation else ""


ACME = Organisation(OrgId("a0c3e000-0000-4000-8000-0000000000ac"), "Acme Ltd", "acme")
GLOBEX = Organisation(OrgId("610be000-0000-4000-8000-00000000006b"), "Globex Corporation", "globex")

OPERATOR = CastMember("operator@platform.example", "Olive Operator", Role.OPERATOR, None)
ACME_OWNER = CastMember("owner@acme.example", "Ada Acme", Role.OWNER, ACME)
ACME_EDITOR = CastMember("editor@acme.example", "Edgar Acme", Role.EDITOR, ACME)
ACME_VIEWER = CastMember("viewer@acme.example", "Vera Acme", Role.VIEWER, ACME)
GLOBEX_OWNER = CastMember("owner@globex.example", "Gus Globex", Role.OWNER, GLOBEX)

CAST = (OPERATOR, ACME_OWNER, ACME_EDITOR, ACME_VIEWER, GLOBEX_OWNER)

_FIRST_DAY = datetime(2026, 1, 5, 9, tzinfo=UTC)


def rows_written_by(member: CastMember) -> list[Item]:
    """The rows that this person writes: an owner those of the organisation, the operator the public ones."""
    if member.organisation is not None:
        return list(_organisation_rows(member.organisation))
    return list(_collection_rows(PUBLIC_SPACE, "news", "News of the platform", _news()))


def _organisation_rows(organisation: Organisation) -> Iterator[Item]:
    space, chance = organisation.space, random.Random(organisation.org_id.value)  # noqa: S311 - a story, not a secret
    orders, products = (260, 48) if organisation == ACME else (190, 31)
    yield from _collection_rows(space, "orders", "Orders, with the person and the total", _orders(chance, orders))
    yield from _collection_rows(space, "products", "Products for sale", _products(chance, products))
    yield from _collection_rows(space, "invoices", "An invoice for each shipped order", _invoices(chance, orders // 3))
    yield from _collection_rows(space, "samples", "A record with every type of DynamoDB", _samples())


def _collection_rows(
    space: Space, name: str, description: str, records: Iterator[tuple[str, dict[str, AttributeValue]]]
) -> Iterator[Item]:
    yield {"pk": _text(space.catalogue), "sk": _text(name), "description": _text(description)}
    for key, attributes in records:
        yield {
            "pk": _text(space.collection(name)),
            "sk": _text(key),
            **attributes,
            "_version": _number(1),
            "_updated_at": _text(_FIRST_DAY.isoformat()),
        }


def _orders(chance: random.Random, count: int) -> Iterator[tuple[str, dict[str, AttributeValue]]]:
    people = ["Nadia Okafor", "Liam Byrne", "Mei Tanaka", "Søren Lund", "Inés Duarte", "Tomáš Novák"]
    for place in range(count):
        ordered = _FIRST_DAY + timedelta(hours=7 * place + chance.randint(0, 6))
        yield (
            f"ORD-{ordered:%Y}-{place + 1:04d}",
            {
                "ordered_by": _text(chance.choice(people)),
                "ordered_on": _text(f"{ordered:%Y-%m-%d}"),
                "status": _text(chance.choice(["open", "packed", "shipped", "shipped", "delivered"])),
                "items": _number(chance.randint(1, 9)),
                "total": _number(f"{chance.randint(500, 90_000) / 100:.2f}"),
                "currency": _text("EUR"),
            },
        )


def _products(chance: random.Random, count: int) -> Iterator[tuple[str, dict[str, AttributeValue]]]:
    things = ["Anvil", "Rocket skates", "Magnet", "Spring", "Catapult", "Paint", "Rope", "Bird seed"]
    for place in range(count):
        yield (
            f"SKU-{1000 + place * 7}",
            {
                "name": _text(f"{things[place % len(things)]} {chance.choice(['S', 'M', 'L', 'XL'])}"),
                "price": _number(f"{chance.randint(199, 49_900) / 100:.2f}"),
                "in_stock": {"BOOL": chance.random() > 0.2},
                "tags": {"SS": sorted(chance.sample(["heavy", "fragile", "new", "classic", "outdoor"], 2))},
            },
        )


def _invoices(chance: random.Random, count: int) -> Iterator[tuple[str, dict[str, AttributeValue]]]:
    for place in range(count):
        yield (
            f"INV-{place + 1:05d}",
            {
                "amount": _number(f"{chance.randint(500, 90_000) / 100:.2f}"),
                "due_on": _text(f"{_FIRST_DAY + timedelta(days=place + 30):%Y-%m-%d}"),
                "paid": {"BOOL": chance.random() > 0.3},
            },
        )


def _samples() -> Iterator[tuple[str, dict[str, AttributeValue]]]:
    yield (
        "every-type",
        {
            "text": _text("Grüße, 世界, مرحبا"),
            "empty_text": _text(""),
            "long_number": _number("12345678901234567890123.456"),
            "binary": {"B": bytes(range(48))},
            "yes": {"BOOL": True},
            "nothing": {"NULL": True},
            "texts": {"SS": ["amber", "blue", "<b>not bold</b>"]},
            "numbers": {"NS": ["-1", "0.5", "3"]},
            "binaries": {"BS": [b"\x00\x01", b"\xff"]},
            "list": {"L": [_text("first"), _number(2), {"L": [{"BOOL": False}]}]},
            "map": {
                "M": {"street": _text("1 Long Road"), "geo": {"M": {"lat": _number("53.35"), "lon": _number("-6.26")}}}
            },
        },
    )
    yield ("a key / with a slash", {"note": _text("Every key that DynamoDB accepts has an address in the portal.")})
    yield ("..", {"note": _text("This one has an address too.")})


def _news() -> Iterator[tuple[str, dict[str, AttributeValue]]]:
    for place in range(32):
        day = _FIRST_DAY + timedelta(days=9 * place)
        yield (
            f"{day:%Y-%m-%d}",
            {
                "title": _text(f"Platform news, issue {place + 1}"),
                "body": _text("Keys of public records begin with PUBLIC#. Everybody can read them."),
            },
        )


def _text(text: str) -> AttributeValue:
    return {"S": text}


def _number(number: int | str) -> AttributeValue:
    return {"N": str(number)}
