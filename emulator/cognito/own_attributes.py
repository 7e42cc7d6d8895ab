"""People change their own attributes through the API, and confirm addresses with codes.

If the pool requires it (AttributesRequireVerificationBeforeUpdate), a new address takes effect only after its code is
entered. Otherwise it takes effect at once, unverified.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from emulator.cognito.accounts import delivery_details
from emulator.cognito.attempts import Attempts
from emulator.cognito.attributes import check_update
from emulator.cognito.codes import Purpose, check_code, new_code, use_code
from emulator.cognito.mail import Mailer
from emulator.cognito.pools import Client, Record, attributes_of
from emulator.cognito.users import check_alias_free, set_attributes
from emulator.wire import AwsError

Metadata = Mapping[str, str] | None
_VERIFIABLE: dict[str, Purpose] = {"email": "email", "phone_number": "phone_number"}


@dataclass
class OwnAttributes:
    """Every method raises `AwsError` with the API's error."""

    mailer: Mailer
    attempts: Attempts

    async def update(
        self, client: Client, user: Record, values: Mapping[str, str], *, metadata: Metadata = None
    ) -> list[dict[str, str]]:
        """Returns where codes were sent for the addresses that must be verified."""
        check_update(client.pool, values, client=client)
        check_alias_free(client.pool, user, values)
        present = attributes_of(user)
        pending = pending_verification(client.pool, user, values)
        changed = [name for name in _VERIFIABLE if name in values and values[name] != present.get(name)]
        unproved = {f"{name}_verified": "false" for name in changed if name not in pending and values[name]}
        set_attributes(user, {**{name: value for name, value in values.items() if name not in pending}, **unproved})
        verified = client.pool.get("AutoVerifiedAttributes") or []
        asked = [name for name in changed if values[name] and (name in pending or name in verified)]
        pool = client.pool
        return [
            await self.request_verification(client, pool, user, name, values[name], metadata=metadata) for name in asked
        ]

    async def request_verification(
        self,
        client: Client | None,
        pool: Record,
        user: Record,
        name: str,
        address: str,
        *,
        metadata: Metadata = None,
    ) -> dict[str, str]:
        user.setdefault("_proposed", {})[name] = address
        code = new_code(user, _VERIFIABLE[name])
        if name == "email":
            await self.mailer.send_code(client, pool, user, code, "update-attribute", to=address, metadata=metadata)
        return delivery_details(address, name)

    async def send_code(self, client: Client, user: Record, name: str, *, metadata: Metadata = None) -> dict[str, str]:
        """GetUserAttributeVerificationCode."""
        address = user.get("_proposed", {}).get(name) or attributes_of(user).get(name)
        if name not in _VERIFIABLE or not address:
            raise AwsError("InvalidParameterException", f"Invalid attribute name provided: {name}")
        self.attempts.count_use("GetUserAttributeVerificationCode", client.pool_id, user["Username"])
        code = new_code(user, _VERIFIABLE[name])
        if name == "email":
            pool = client.pool
            await self.mailer.send_code(client, pool, user, code, "verify-attribute", to=address, metadata=metadata)
        return delivery_details(address, name)

    def verify(self, client: Client, user: Record, name: str, code: str) -> None:
        """VerifyUserAttribute."""
        if name not in _VERIFIABLE:
            raise AwsError("InvalidParameterException", f"Invalid attribute name provided: {name}")
        self.attempts.count_use("VerifyUserAttribute", client.pool_id, user["Username"])
        check_code(user, _VERIFIABLE[name], code)
        check_alias_free(client.pool, user, user.get("_proposed", {}))
        use_code(user, _VERIFIABLE[name])
        self.attempts.reset("VerifyUserAttribute", client.pool_id, user["Username"])
        proposed = user.get("_proposed", {}).pop(name, None)
        set_attributes(user, {**({name: proposed} if proposed else {}), f"{name}_verified": "true"})


def pending_verification(pool: Record, user: Record, values: Mapping[str, str]) -> set[str]:
    """The names of new addresses in `values` that must be verified before they take effect."""
    settings = pool.get("UserAttributeUpdateSettings") or {}
    first = settings.get("AttributesRequireVerificationBeforeUpdate") or []
    present = attributes_of(user)
    return {name for name in first if values.get(name) and values[name] != present.get(name)}


def discard_proposed_address(user: Record, name: str) -> None:
    """Discards a proposed address and its code."""
    user.get("_proposed", {}).pop(name, None)
    if name in _VERIFIABLE:
        use_code(user, _VERIFIABLE[name])
