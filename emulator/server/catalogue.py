"""Lists what is served. `python -m emulator.server.catalogue` prints the two tables in docs/local-aws.md."""

import ast
import inspect
import textwrap
from collections.abc import Callable, Iterable

from emulator import engine
from emulator.access import sts
from emulator.cognito.user_pool import ADDED, SELF_SERVICE
from emulator.server import patches, s3
from emulator.server.operations import DYNAMODB_HANDLERS, IDENTITY_OPERATIONS, NOT_SIMULATED
from emulator.server.served_settings import SERVED, Settings


def served_operations() -> dict[str, list[str]]:
    """Sorted operations by service. The patches must have been applied."""
    operations: dict[str, Iterable[str]] = {
        "DynamoDB": DYNAMODB_HANDLERS,
        "Cognito user pools": _routed_operations(engine.cognito._dispatch_idp) | SELF_SERVICE | ADDED,
        "Cognito identity pools": IDENTITY_OPERATIONS & _routed_operations(engine.cognito._dispatch_identity),
        "IAM": engine.iam._IAM_HANDLERS.keys() - NOT_SIMULATED,
        "STS": sts.OPERATIONS,
        "S3": [operation.name for operation in s3.OPERATIONS.values()],
        "CloudFormation": engine.cloudformation._ACTION_HANDLERS.keys(),
    }
    return {service: sorted(names) for service, names in operations.items()}


def table() -> str:
    rows = [f"| {service} | {', '.join(names)} |" for service, names in served_operations().items()]
    return "\n".join(["| Service | Operations |", "|---|---|", *rows])


def settings_table() -> str:
    """What a template may have. Requests of the API have the same members and a few more."""
    rows = [
        f"| {kind.removeprefix('AWS::')} | {_names(known.served)} | {_names(known.harmless)} | {_limits(known)} |"
        for kind, known in sorted(SERVED.items())
    ]
    return "\n".join(["| Type | With effect | Without effect | Only |", "|---|---|---|---|", *rows])


def _names(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))


def _limits(known: Settings) -> str:
    return ", ".join(f"{path}: {' or '.join(values)}" for path, values in sorted(known.only.items()))


def _routed_operations(dispatch: Callable[..., object]) -> frozenset[str]:
    """The operation names in the engine's dispatcher, which has one dictionary of handlers."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(dispatch)))
    dictionary = next(node for node in ast.walk(tree) if isinstance(node, ast.Dict))
    return frozenset(str(ast.literal_eval(key)) for key in dictionary.keys if key is not None)


if __name__ == "__main__":
    patches.apply_all()
    print(table(), settings_table(), sep="\n\n")
