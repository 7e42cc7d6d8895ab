"""What AWS checks of the operations with PartiQL statements before it reads a statement."""

from collections.abc import Callable, Iterable, Mapping
from contextvars import ContextVar
from typing import Any

from emulator.access.partiql import check_length
from emulator.expressions.errors import Invalid
from emulator.rows.preparation import Answer, Data, Run, refusal, wrap

Members = Iterable[tuple[str, Mapping[str, Any]]]

# A batch runs its members as the engine's single statements, with empty lists for lists that were not given.
_RUNNING: ContextVar[bool] = ContextVar("running_statements", default=False)


def apply() -> None:
    wrap("_execute_statement", _checked(lambda data: [("parameters", data)]))
    wrap("_batch_execute_statement", _checked(lambda data: _members(data, "Statements", "statements")))
    wrap("_execute_transaction", _checked(lambda data: _members(data, "TransactStatements", "transactStatements")))


def _members(data: Data, name: str, path: str) -> Members:
    for place, member in enumerate(data.get(name) or (), 1):
        yield f"{path}.{place}.member.parameters", member


def _checked(members: Callable[[Data], Members]) -> Callable[[Data, Run], Answer]:
    def wrapper(data: Data, run: Run) -> Answer:
        if _RUNNING.get():
            return run(data)
        for path, member in members(data):
            check_length(member.get("Statement"))
            if member.get("Parameters") == []:
                constraint = "failed to satisfy constraint: Member must have length greater than or equal to 1"
                return refusal(Invalid(f"1 validation error detected: Value '[]' at '{path}' {constraint}"))
        token = _RUNNING.set(True)
        try:
            return run(data)
        finally:
            _RUNNING.reset(token)

    return wrapper
