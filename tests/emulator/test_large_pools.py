"""A pool with many users: finding one does not scan the others, and listings stay complete during changes."""

import secrets
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from emulator.client.process import Emulator
from emulator.cognito.user_index import Record, UserIndex
from tests.emulator.world import ACME, Stack, refusal

MANY = 250


class CountedUsers(dict[str, Record]):
    """Counts how many users were read, one by one or all at once."""

    looked_at = 0

    def __getitem__(self, name: str) -> Record:
        self.looked_at += 1
        return super().__getitem__(name)

    def get(self, name: str, default: Any = None) -> Any:
        self.looked_at += 1
        return super().get(name, default)

    def values(self) -> Any:
        self.looked_at += len(self)
        return super().values()


def user(name: str, **attributes: str) -> Record:
    return {"Username": name, "Attributes": [{"Name": kind, "Value": value} for kind, value in attributes.items()]}


def pool_of(count: int) -> Record:
    users = CountedUsers(
        {f"u{number:06}": user(f"u{number:06}", email=f"p{number}@x.example") for number in range(count)}
    )
    return {"Id": "eu-west-1_many", "UsernameAttributes": ["email"], "_users": users}


def add(pool: Record, name: str, email: str) -> Record:
    pool["_users"][name] = user(name, email=email)
    made: Record = pool["_users"][name]
    return made


def test_finding_a_user_does_not_scan_the_pool() -> None:
    pool = pool_of(5000)
    index = UserIndex(pool)
    assert index.find("nobody@x.example") is None
    pool["_users"].looked_at = 0
    for number in range(100):
        assert index.find(f"P{number}@X.example")["Username"] == f"u{number:06}"  # type: ignore[index]
        assert index.find(f"nobody{number}@x.example") is None
        add(pool, f"v{number}", f"new{number}@x.example")
        assert index.find(f"new{number}@x.example") is not None
    assert pool["_users"].looked_at < 100 * 20


def test_a_page_reads_only_the_users_it_shows() -> None:
    pool = pool_of(5000)
    index = UserIndex(pool)
    index.find("nobody")
    pool["_users"].looked_at = 0
    following = index.after("u004000")
    assert [next(following)["Username"] for _ in range(60)] == [f"u{number:06}" for number in range(4001, 4061)]
    assert pool["_users"].looked_at < 70


def test_deleted_users_are_skipped_only_once() -> None:
    pool = pool_of(20_000)
    index = UserIndex(pool)
    index.find("nobody")
    for number in range(19_990):
        del pool["_users"][f"u{number:06}"]
    assert len(list(index.after(""))) == 10
    pool["_users"].looked_at = 0
    assert len(list(index.after(""))) == 10
    assert pool["_users"].looked_at < 50


ACTS = st.lists(
    st.tuples(st.sampled_from(["add", "delete", "again", "rename", "look"]), st.integers(0, 6), st.integers(0, 4))
)


@given(acts=ACTS, case_matters=st.booleans())
def test_the_index_finds_what_a_full_scan_would_find(acts: list[tuple[str, int, int]], *, case_matters: bool) -> None:
    pool: Record = {**pool_of(0), "UsernameConfiguration": {"CaseSensitive": case_matters}}
    index, users = UserIndex(pool), pool["_users"]
    for act, which, address in acts:
        name, email = f"u{which}", f"{'Pp'[which % 2]}{address}@x.example"
        if act == "add" and name not in users:
            add(pool, name, email)
        elif act in ("delete", "again") and name in users:
            del users[name]
            if act == "again":
                add(pool, name, email)
        elif act == "rename" and name in users:
            users[name]["Attributes"] = [{"Name": "email", "Value": email}]
            index.add_names(users[name])
        else:
            index.find(email)
    assert [found["Username"] for found in index.after("")] == sorted(users)
    for spelling in (f"{letter}{address}@x.example" for letter in "Pp" for address in range(5)):
        emails = {found["Username"]: found["Attributes"][0]["Value"] for found in users.values()}
        wanted = {
            name
            for name, email in emails.items()
            if (email == spelling if case_matters else email.casefold() == spelling.casefold())
        }
        found = index.find(spelling)
        assert found is None if not wanted else found is not None and found["Username"] in wanted


# ── Over HTTP ───────────────────────────────────────────────────────────────────────────────────────────────────────


def create_users(emulator: Emulator, pool_id: str, people: list[dict[str, str]]) -> requests.Response:
    return requests.post(
        f"{emulator.endpoint_url}/_emulator/people",
        headers={"X-Emulator-Root-Secret": emulator.root.secret_access_key},
        json={"user_pool_id": pool_id, "people": people},
        timeout=30,
    )


def attributes_of(number: int) -> dict[str, str]:
    return {"email": f"p{number}@many.example", "email_verified": "true", "custom:org": ACME}


@pytest.fixture
def large_pool(stack: Stack) -> Iterator[str]:
    """A separate pool with many users."""
    api = stack.root("cognito-idp")
    pool_id = api.create_user_pool(
        PoolName=f"many-{secrets.token_hex(4)}",
        UsernameAttributes=["email"],
        UsernameConfiguration={"CaseSensitive": False},
        Schema=[{"Name": "org", "AttributeDataType": "String", "Mutable": False}],
    )["UserPool"]["Id"]
    made = create_users(stack.emulator, pool_id, [attributes_of(number) for number in range(MANY)])
    assert (made.status_code, len(set(made.json()))) == (200, MANY)
    yield pool_id
    api.delete_user_pool(UserPoolId=pool_id)


def pages(stack: Stack, pool_id: str, **more: Any) -> Iterator[list[dict[str, Any]]]:
    token: dict[str, str] = {}
    while True:
        answer = stack.root("cognito-idp").list_users(UserPoolId=pool_id, **more, **token)
        yield answer["Users"]
        if "PaginationToken" not in answer:
            return
        token = {"PaginationToken": answer["PaginationToken"]}


def email_of(listed: dict[str, Any]) -> str:
    return str({entry["Name"]: entry["Value"] for entry in listed["Attributes"]}.get("email"))


def test_bulk_users_are_like_other_users(stack: Stack, large_pool: str) -> None:
    api = stack.root("cognito-idp")
    found = api.admin_get_user(UserPoolId=large_pool, Username="P7@many.example")
    assert found["UserStatus"] == "FORCE_CHANGE_PASSWORD"
    assert found["Username"] == {entry["Name"]: entry["Value"] for entry in found["UserAttributes"]}["sub"]
    twice = refusal(api.admin_create_user, UserPoolId=large_pool, Username="p7@MANY.example", MessageAction="SUPPRESS")
    assert twice["code"] == "UsernameExistsException"


@pytest.mark.parametrize(
    "people",
    [[{"email": "nobody"}], [{"email": "a@b.example", "custom:x": "y"}], [{"email": 7}], ["a"], [attributes_of(0)]],
)
def test_a_bulk_user_must_be_valid(stack: Stack, large_pool: str, people: Any) -> None:
    assert create_users(stack.emulator, large_pool, people).status_code == 400


def test_listing_finds_each_user_once_while_others_change(stack: Stack, large_pool: str) -> None:
    api, met = stack.root("cognito-idp"), list[str]()
    for number, page in enumerate(pages(stack, large_pool, Limit=60)):
        assert len(page) <= 60
        met += [email_of(listed) for listed in page]
        gone = page[0]["Username"]
        api.admin_delete_user(UserPoolId=large_pool, Username=gone)
        create_users(stack.emulator, large_pool, [attributes_of(1000 + number)])
    assert len(met) == len(set(met))
    assert {f"p{number}@many.example" for number in range(MANY)} <= set(met)


def test_a_listing_continues_after_a_deleted_user(stack: Stack, large_pool: str) -> None:
    api = stack.root("cognito-idp")
    first = api.list_users(UserPoolId=large_pool, Limit=1)
    whole = [listed["Username"] for page in pages(stack, large_pool) for listed in page]
    api.admin_delete_user(UserPoolId=large_pool, Username=first["Users"][0]["Username"])
    second = api.list_users(UserPoolId=large_pool, Limit=1, PaginationToken=first["PaginationToken"])
    assert second["Users"][0]["Username"] == whole[1]


def test_a_pagination_token_works_only_for_its_pool_and_filter(stack: Stack, large_pool: str) -> None:
    listing = stack.root("cognito-idp").list_users
    token = listing(UserPoolId=large_pool, Limit=1)["PaginationToken"]
    others = listing(UserPoolId=stack.pool_id, Limit=1)["PaginationToken"]
    for more in (
        {"PaginationToken": others},
        {"PaginationToken": token, "Filter": 'status = "Enabled"'},
        *({"PaginationToken": forged} for forged in ("60", "x", "e30=", "WzFd", "é", token[:-8])),
    ):
        assert refusal(listing, UserPoolId=large_pool, **more)["code"] == "InvalidParameterException"


@pytest.mark.parametrize("limit", [-1, 61, 100_000])
def test_a_page_has_at_most_sixty_users(stack: Stack, limit: int) -> None:
    error = refusal(stack.root("cognito-idp").list_users, UserPoolId=stack.pool_id, Limit=limit)
    assert error["code"] == "InvalidParameterException"


@pytest.mark.parametrize(
    ("condition", "count"),
    [
        ('email = "P7@many.example"', 1),
        ('"email" = "p7@many.example"', 1),
        ('email ^= "p7"', 11),
        ('email = "p7"', 0),
        ('status = "Enabled"', MANY),
        ('status = "enabled"', 0),
        ('cognito:user_status = "FORCE_CHANGE_PASSWORD"', MANY),
        ('sub = "nobody"', 0),
        ('email = "p7\\"@many.example"', 0),
    ],
)
def test_a_filter_finds_users_by_searchable_attributes(
    stack: Stack, large_pool: str, condition: str, count: int
) -> None:
    found = [listed for page in pages(stack, large_pool, Filter=condition) for listed in page]
    assert len(found) == count


@pytest.mark.parametrize(
    "condition", ["email", 'email != "x"', 'email = "x" or email = "y"', 'nickname = "x"', 'email = "x', "email = x"]
)
def test_a_malformed_filter_is_refused(stack: Stack, condition: str) -> None:
    error = refusal(stack.root("cognito-idp").list_users, UserPoolId=stack.pool_id, Filter=condition)
    assert error["code"] == "InvalidParameterException"


def test_only_the_requested_attributes_are_listed(stack: Stack, large_pool: str) -> None:
    page = next(pages(stack, large_pool, AttributesToGet=["custom:org"]))
    assert {entry["Name"] for listed in page for entry in listed["Attributes"]} == {"custom:org"}
