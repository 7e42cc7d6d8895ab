"""Loads MiniStack's stores and handlers, without its own HTTP application.

Importing this module loads the engine into this process: with authentication, one account, no saved state and no mail.
Services that are not served here stay unloaded until a template needs one. The engine's router (ninety services, admin
endpoints, other ports) is replaced by an empty module and cannot be reached.
"""

import importlib
import importlib.abc
import importlib.machinery
import logging
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import ModuleType
from typing import Any

ACCOUNT = "123456789012"
DEFAULT_REGION = "eu-west-1"

_SERVED = frozenset({"_dynamodb_keywords", "dynamodb", "cognito", "iam", "cloudformation"})

_ENVIRONMENT = {
    "AUTH": "true",
    "MINISTACK_ACCOUNT_ID": ACCOUNT,
    "MINISTACK_REGION": DEFAULT_REGION,
    "COGNITO_EMAIL_ENABLED": "false",
    "PERSIST_STATE": "0",
    # The engine writes signing keys to this directory if it can. Below a device it never can.
    "STATE_DIR": f"{os.devnull}/none",
}


class _LazyModule(ModuleType):
    """A module that runs its code at the first access to one of its names."""

    def __getattr__(self, name: str) -> Any:
        loader: importlib.abc.Loader | None = self.__dict__.get("_pending_loader")
        if loader is None or name.startswith("__"):
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        del self.__dict__["_pending_loader"]
        loader.exec_module(self)
        return getattr(self, name)


class _LazyLoader(importlib.abc.Loader):
    def __init__(self, loader: importlib.abc.Loader) -> None:
        self._loader = loader

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        return _LazyModule(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        module.__dict__["_pending_loader"] = self._loader


class _LazyFinder(importlib.abc.MetaPathFinder):
    """Finds the services that are loaded later. (`importlib.util.LazyLoader` would run them at the second import.)"""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        package, _, rest = fullname.partition("ministack.services.")
        if package or not rest or rest.partition(".")[0] in _SERVED:
            return None
        spec = importlib.machinery.PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = _LazyLoader(spec.loader)
        return spec


def _empty_application() -> ModuleType:
    application = ModuleType("ministack.app")
    application.__dict__.update(AUTH=True, _MAIN_LOOP=None)
    return application


def _load(name: str) -> Any:
    return importlib.import_module(f"ministack.{name}")


os.environ.update(_ENVIRONMENT)
sys.modules["ministack.app"] = _empty_application()
sys.meta_path.insert(0, _LazyFinder())
logging.getLogger().setLevel(logging.WARNING)

responses = _load("core.responses")
sigv4 = _load("core.sigv4")
dynamodb = _load("services.dynamodb")
cognito = _load("services.cognito")
iam = _load("services.iam")
cloudformation = _load("services.cloudformation")
provisioners = _load("services.cloudformation.provisioners")
stack_handlers = _load("services.cloudformation.handlers")
change_sets = _load("services.cloudformation.changesets")
stacks = _load("services.cloudformation.stacks")
s3 = _load("services.s3")


@contextmanager
def scope(region: str = DEFAULT_REGION) -> Iterator[None]:
    """The account and region of the engine's stores, for this task and the threads that it starts."""
    with responses.request_scope(ACCOUNT, region):
        yield


def region() -> str:
    return str(responses.get_region())


def around_resource(
    kind: str,
    *,
    read: Callable[[Mapping[str, Any]], dict[str, Any]] = dict,
    check: Callable[[Mapping[str, Any]], None] = lambda _: None,
    complete: Callable[[str, Mapping[str, Any]], None] = lambda *_: None,
) -> None:
    """Does more where a stack creates or updates a resource of this kind.

    Uses the properties as `read` returns them. `check` gets them before, and may raise ValueError; `complete` gets the
    physical id and them after.
    """
    handlers = provisioners._RESOURCE_HANDLERS[kind]
    engine_create, engine_update = handlers["create"], handlers["update"]

    def create(logical_id: str, properties: Mapping[str, Any], stack_name: str) -> Any:
        wanted = read(properties)
        check(wanted)
        created = engine_create(logical_id, wanted, stack_name)
        complete(created[0], wanted)
        return created

    def update(physical_id: str, old: Mapping[str, Any], new: Mapping[str, Any], *names: str) -> Any:
        wanted = read(new)
        check(wanted)
        updated = engine_update(physical_id, read(old), wanted, *names)
        complete(updated[0], wanted)
        return updated

    handlers.update(create=create, update=update)
