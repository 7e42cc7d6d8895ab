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
        """By operation, such as `DynamoDB.Query`, since `forget`."""
        answer: Mapping[str, int] = self._ask("GET", "calls").json()
        return answer

    def forget(self) -> None:
        self._ask("DELETE", "calls")

    def fail(self, operation: str, **fault: Any) -> None:
        """As the emulator has it: `code`, `status`, `count`, `delay_seconds`, `drop`."""
        self._ask("POST", "faults", {"operation": operation, **fault})

    def mend(self) -> None:
        self._ask("DELETE", "faults")

    def move_clock(self, seconds: float) -> None:
        """AWS's, that of signatures as well: from now on it is ahead of the computer's by this much."""
        self._ask("POST", "clock", {"offset_seconds": seconds, "signatures": True})

    def _ask(self, method: str, what: str, body: Any = None) -> requests.Response:
        response = requests.request(
            method,
            f"{self.emulator.endpoint_url}/_emulator/{what}",
            json=body,
            headers={"X-Emulator-Root-Secret": self.emulator.root.secret_access_key},
            timeout=5,
        )
        response.raise_for_status()
        return response
