"""What a room of `tenants` offers to the other rooms. Everything else in it may change without a look elsewhere."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest

from portal.environment import BASE
from tenants import audit, models

# By module, or by a name in one. Tests and `portal` may import anything.
DOORS = {
    "aws": "directory export_store failures id_tokens identity_pool pools principal_tags records_api "
    "records_table records_writes signing_keys suspension_policy table_trials tagged_credentials tenant_rows "
    "token_endpoint",
    "audit": f"{' '.join(audit.__all__)} actions activity activity_filter chain.Point csv kinds "
    "own_verification reading retention timeline verification",
    "drift": "deployment lockout reach repair run schedule walk.Listener",
    "health": "blockers glance overview worker_metrics",
    "lifecycle": "closing details imports metadata own_closing own_settings preview rights search steps suspension "
    "suspension_list transitions wiring",
    "mail": "outbox",
    "management": "",
    "members": "account_steps addresses allowed_domains in_cognito invitation_lines invitation_state invitations "
    "joining made_before open_recovery preferences recovery rights roster second_factor sign_up steps",
    "models": f"{' '.join(models.__all__)} keyset",
    "operators": "urls",
    "organisation": "urls",
    "pages": "bulk day_range lists refusals routes step_pages",
    "provisioning": "attempt dispatcher.Tally dispatcher.Tools halt one_member pace queue results.Outcome sign_ups "
    "wiring worker",
    "isolation": "explain permissions wiring",
    "records": "bulk declaring deleting editing reading trying wiring",
    "sign_in": "access break_glass endings federation.Federation handing_out idle.end_idle "
    "own_sessions sealing.CannotOpen sessions.SignedIn "
    "standing views.sign_out wiring",
}
OPEN = {"domain", "limits"}


def is_offered(thing: str, *, to: str) -> bool:
    """Both are dotted names below `tenants`: what is imported, and the module that imports it."""
    room, _, name = thing.partition(".")
    if room in OPEN or room == to.partition(".")[0]:
        return True
    if f"{name}.".startswith("clients."):
        return room == "aws" and to.endswith(".wiring")
    return any(f"{name}.".startswith(f"{offered}.") for offered in DOORS[room].split())


def imports(package: str = "tenants") -> Iterator[tuple[str, str]]:
    """(module of the package, thing of `tenants`), both as dotted names without what they begin with."""
    for path in sorted((BASE / package).rglob("*.py")):
        module = ".".join(path.relative_to(BASE / package).with_suffix("").parts)
        for node in ast.walk(ast.parse(path.read_text())):
            for thing in imported_by(node):
                if thing.startswith("tenants.") and not module.startswith("migrations."):
                    yield module, thing.removeprefix("tenants.")


def imported_by(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [f"{node.module}.{alias.name}" for alias in node.names] if isinstance(node, ast.ImportFrom) else []


def test_rooms_import_each_other_through_their_doors_only() -> None:
    found = list(imports())
    assert len(found) > 500
    assert [(module, thing) for module, thing in found if not is_offered(thing, to=module)] == []


def test_portal_makes_clients_of_aws_for_its_commands_only() -> None:
    makers = {module for module, thing in imports("portal") if f"{thing}.".startswith("aws.clients.")}
    assert makers == {"demo.reading", "management.commands.stack_env"}


def test_every_room_has_a_door() -> None:
    rooms = {path.parent.name for path in (BASE / "tenants").glob("*/__init__.py")}
    assert rooms - OPEN - {"migrations"} == set(DOORS)


@pytest.mark.parametrize(
    ("module", "thing", "offered"),
    [
        ("organisation.home", "sign_in.sealing.Sealer", False),
        ("organisation.home", "sign_in.sessions.person_for", False),
        ("organisation.home", "sign_in.sessions.SignedIn", True),
        ("sign_in.views", "sign_in.sealing.Sealer", True),
        ("drift.run", "models.tenants.Tenant", False),
        ("records.reading", "aws.clients.records_client", False),
        ("records.wiring", "aws.clients.records_client", True),
    ],
)
def test_a_door_lets_through_what_it_names(module: str, thing: str, offered: bool) -> None:
    assert is_offered(thing, to=module) == offered
