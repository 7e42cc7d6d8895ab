"""What a browser is told to forget at a sign-out, and what it keeps meanwhile."""

from __future__ import annotations

from django.test import Client


def test_a_sign_out_clears_pages_and_storage(client: Client, db: None) -> None:
    answer = client.post("/oidc/logout/")
    assert answer["Clear-Site-Data"] == '"cache", "storage"'


def test_no_other_page_clears_anything(client: Client, db: None) -> None:
    for address in ("/", "/livez", "/nothing-is-here"):
        assert "Clear-Site-Data" not in client.get(address).headers


def test_plain_texts_name_their_character_set(client: Client, db: None) -> None:
    for address in ("/livez", "/metrics"):
        assert client.get(address)["Content-Type"].endswith("charset=utf-8"), address
