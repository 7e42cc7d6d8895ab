"""Declaring a collection that an application writes without an entry in the catalogue.

From then on it is listed, exported and purged like the others. The entry is written with the owner's own credentials.
"""

from __future__ import annotations

from dataclasses import dataclass

from tenants.audit import record
from tenants.audit.actions import Action
from tenants.domain.errors import InvalidInput, RecordChanged
from tenants.domain.keys import DELETED, MAX_SORT_KEY_BYTES
from tenants.domain.record_edits import checked_description
from tenants.records.editing import Editing
from tenants.sign_in.sessions import SignedIn


@dataclass(frozen=True, slots=True)
class Declaring:
    editing: Editing

    def declare(self, who: SignedIn, name: str, description: str) -> None:
        """`name` exactly as the application writes it, after the `#`.

        Raises InvalidInput, whose `field` is name or description: for a collection without a record too, since that is
        a name that is mistyped. Raises what the calls to AWS do.
        """
        _check_name(name)
        about = checked_description(description)
        partition = _partition_key(who, name)
        if self.editing.records.is_empty(who, partition):
            raise InvalidInput(
                "There is no record with this collection’s key. Write the name exactly as the application does: "
                "capitals, spaces and all.",
                field="name",
            )
        try:
            self.editing.write_entry(who, who.space, name, about)
        except RecordChanged as error:
            raise InvalidInput("This collection is in the list already.", field="name") from error
        record(Action.COLLECTION_DECLARED, by=who.actor, org=who.org, target=name)


def _check_name(name: str) -> None:
    if not name:
        raise InvalidInput("Enter the collection’s name.", field="name")
    if name == DELETED:
        raise InvalidInput("The portal keeps deleted records under this name. It cannot be declared.", field="name")
    try:
        size = len(name.encode())
    except UnicodeEncodeError as error:
        raise InvalidInput("This name is not valid text.", field="name") from error
    # The catalogue has it as a sort key, which is shorter than a partition key.
    if size > MAX_SORT_KEY_BYTES:
        raise InvalidInput(
            f"A collection’s name has at most {MAX_SORT_KEY_BYTES} bytes; this one has {size}.", field="name"
        )


def _partition_key(who: SignedIn, name: str) -> str:
    try:
        return who.space.collection(name)
    except InvalidInput as problem:
        raise InvalidInput(problem.message, field="name") from problem
