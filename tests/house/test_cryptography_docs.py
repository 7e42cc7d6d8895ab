"""docs/cryptography.md against the code: each file that hashes, encrypts or draws numbers is on it."""

from __future__ import annotations

import ast
from pathlib import Path

from portal.environment import BASE

TEXT = (BASE / "docs" / "cryptography.md").read_text()
ROOMS = ("tenants", "portal", "infra")
_PRIMITIVES = {"hashlib", "hmac", "cryptography", "random"}
_WEAK = {"md5", "sha1", "DES", "ARC4", "ECB", "PKCS1v15"}


def files() -> list[Path]:
    found = [path for room in ROOMS for path in (BASE / room).rglob("*.py") if "demo" not in path.parts]
    assert len(found) > 100
    return found


def imported(path: Path) -> set[str]:
    """The first parts of the names of all modules that a file imports."""
    nodes = list(ast.walk(ast.parse(path.read_text())))
    plain = {alias.name.partition(".")[0] for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    return plain | {(node.module or "").partition(".")[0] for node in nodes if isinstance(node, ast.ImportFrom)}


def test_every_file_with_a_primitive_is_on_the_page() -> None:
    using = {str(path.relative_to(BASE)) for path in files() if imported(path) & _PRIMITIVES}
    assert {path for path in using if f"`{path}`" not in TEXT} == set()


def test_a_file_on_the_page_uses_one() -> None:
    named = {path for path in files() if f"`{path.relative_to(BASE)}`" in TEXT}
    without = {str(path.relative_to(BASE)) for path in named if not imported(path) & {*_PRIMITIVES, "jwt"}}
    assert without == set()


def test_no_weak_algorithm_is_called() -> None:
    for path in files():
        nodes = ast.walk(ast.parse(path.read_text()))
        called = {node.attr for node in nodes if isinstance(node, ast.Attribute)}
        assert called & _WEAK == set(), path


def test_random_draws_waiting_times_only() -> None:
    """`random` can be guessed. Only its `uniform` is allowed, and no file that makes keys has it."""
    for path in files():
        nodes = list(ast.walk(ast.parse(path.read_text())))
        uses = {
            node.attr
            for node in nodes
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "random"
        }
        assert uses <= {"uniform", "random"}, path
        assert not any(isinstance(node, ast.ImportFrom) and node.module == "random" for node in nodes), path
