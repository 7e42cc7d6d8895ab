"""The demo's state in a directory: it is created once and continued later."""

from pathlib import Path
from typing import Any

import pytest

from emulator.client import seeding
from emulator.client.process import Emulator, start
from emulator.state.directory import KEPT_PASSWORD
from portal.demo.cast import ACME, ACME_OWNER, GLOBEX_OWNER
from portal.demo.processes import CannotRun
from portal.demo.running import open_world
from portal.demo.world import World

PORTAL = "http://localhost:8000"


def test_a_restart_keeps_the_demo_and_its_deletions(tmp_path: Path) -> None:
    messages: list[str] = []
    with start(state=tmp_path) as emulator:
        first = open_world(emulator, PORTAL, messages.append, state=tmp_path)
        _owners_rows(emulator, first).delete_item(TableName=first.outputs["TableName"], Key=_any_key(emulator, first))
        pools = seeding.clients(emulator.endpoint_url, emulator.root)("cognito-idp")
        gone = {"UserPoolId": first.outputs["UserPoolId"], "Username": GLOBEX_OWNER.email}
        pools.admin_delete_user(**gone)
        rows = _count(emulator, first)
    with start(state=tmp_path) as emulator:
        second = open_world(emulator, PORTAL, messages.append, state=tmp_path)
        assert second.password == first.password == (tmp_path / KEPT_PASSWORD).read_text()
        assert {**second.subs, GLOBEX_OWNER.email: first.subs[GLOBEX_OWNER.email]} == first.subs
        assert GLOBEX_OWNER.email not in second.subs
        apart = {"RECORDS_API_URL", "COGNITO_DOMAIN", "AWS_ENDPOINT_URL"}
        assert {name: value for name, value in second.settings.items() if name not in apart} == {
            name: value for name, value in first.settings.items() if name not in apart
        }
        for name in apart:
            assert second.settings[name].startswith(emulator.endpoint_url)
        assert _count(emulator, second) == rows
    assert messages.count("Creating people") == 1


def test_a_saved_demo_keeps_its_way_to_sign_up(tmp_path: Path) -> None:
    with start(state=tmp_path) as emulator:
        first = open_world(emulator, PORTAL, lambda _: None, state=tmp_path, sign_up="hosted-ui")
        assert first.settings["SIGN_UP"] == "hosted-ui"
        with pytest.raises(CannotRun, match="needs SIGN_UP=hosted-ui"):
            open_world(emulator, PORTAL, lambda _: None, state=tmp_path)
        again = open_world(emulator, PORTAL, lambda _: None, state=tmp_path, sign_up="hosted-ui")
        assert again.settings["SIGN_UP"] == "hosted-ui"


def _owners_rows(emulator: Emulator, world: World) -> Any:
    return seeding.clients(emulator.endpoint_url, world.credentials_of(ACME_OWNER))("dynamodb")


def _any_key(emulator: Emulator, world: World) -> dict[str, Any]:
    db = seeding.clients(emulator.endpoint_url, emulator.root)("dynamodb")
    values = {":pk": {"S": ACME.space.collection("orders")}}
    item = db.query(
        TableName=world.outputs["TableName"],
        KeyConditionExpression="pk = :pk",
        ExpressionAttributeValues=values,
        Limit=1,
    )["Items"][0]
    return {name: item[name] for name in ("pk", "sk")}


def _count(emulator: Emulator, world: World) -> int:
    db = seeding.clients(emulator.endpoint_url, emulator.root)("dynamodb")
    return int(db.describe_table(TableName=world.outputs["TableName"])["Table"]["ItemCount"])
