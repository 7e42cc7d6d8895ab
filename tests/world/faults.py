"""The emulator's switches for tests: how often an operation was called, and faults on demand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import requests

from emulator.client.process import Emulator


@dataclass(frozen=True)
class Switches:
    emulator: Emulator

    def calls(self) -> Mapping[str, int]:
        """How often each operation, such as `DynamoDB.Query`, was called since `forget`."""
        answer: Mapping[str, int] = self._send("GET", "calls").json()
        return answer

    def forget(self) -> None:
        self._send("DELETE", "calls")

    def fail(self, operation: str, **fault: Any) -> None:
        """`fault` is what the emulator takes, such as `code`, `message`, `status`, `count`, `delay_seconds`, `drop`."""
        self._send("POST", "faults", {"operation": operation, **fault})

    def mend(self) -> None:
        self._send("DELETE", "faults")
        self._send("DELETE", "listing")

    def hold_listing_back(self, pool_id: str) -> None:
        """Until `mend` or `show_listing`, ListUsers shows the pool as it is now."""
        self._send("POST", "listing", {"user_pool_id": pool_id})

    def show_listing(self) -> None:
        self._send("DELETE", "listing")

    def move_clock(self, seconds: float) -> None:
        """AWS's, that of signatures as well: from now on it is ahead of the computer's by this much."""
        self._send("POST", "clock", {"offset_seconds": seconds, "signatures": True})

    def _send(self, method: str, what: str, body: Any = None) -> requests.Response:
        response = requests.request(
            method,
            f"{self.emulator.endpoint_url}/_emulator/{what}",
            json=body,
            headers={"X-Emulator-Root-Secret": self.emulator.root.secret_access_key},
            timeout=60,
        )
        response.raise_for_status()
        return response
