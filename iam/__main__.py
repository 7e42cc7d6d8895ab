"""Decides cases offline: reads a JSON object from each line of standard input, and prints a decision for each line.

It only reads lines, names the policies by their position, calls `iam.decide`, and prints.
"""

import argparse
import json
import sys
from collections.abc import Mapping

from iam import Decision, InvalidRequest, Policy, Request, UnsupportedPolicy, decide, parse_policy
from iam.policy import load_json

_DESCRIPTION = """\
Decides what IAM policies allow, and says why.

Each line of standard input is a JSON object:
  id         anything; repeated in the answer
  identity   a list of policy documents: the identity policies
  boundary   optional, a list of policy documents: the permissions boundary
  session    optional, a list of policy documents: the session policies
  request    {"action": "service:Action", "resource": ARN, "context": {key: text or list of texts}}
and may have the notes expect, because, note and sentence, which are ignored.

Each answer is a JSON object on a line, in the same order:
  {"id", "decision": "Allowed" | "ExplicitlyDenied" | "ImplicitlyDenied", "because"}
or {"id", "error"} for a line that cannot be decided. The exit code is 0, or 2 when there was an error.
"""
_CASE_KEYS = {"id", "identity", "boundary", "session", "request"}
_NOTES = {"expect", "because", "note", "sentence"}
_REQUEST_KEYS = {"action", "resource", "context"}


class BadCase(Exception):
    """The line is not a case. The message says what is wrong with it."""


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m iam", description=_DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.parse_args()
    code = 0
    for line in sys.stdin.buffer:
        if line.strip():
            answer = _answer(line)
            print(json.dumps(answer, ensure_ascii=True), flush=True)
            code = 2 if "error" in answer else code
    return code


def _answer(line: bytes) -> dict[str, object]:
    case: Mapping[str, object] = {}
    try:
        case = _object("the line", _load(line))
        decision = _decide(case)
    except (BadCase, InvalidRequest, UnsupportedPolicy) as problem:
        return {"id": case.get("id"), "error": str(problem)}
    return {"id": case.get("id"), "decision": decision.outcome.value, "because": decision.because}


def _load(line: bytes) -> object:
    try:
        return load_json(line)
    except ValueError as problem:
        raise BadCase(f"not a line of JSON: {problem}") from problem


def _decide(case: Mapping[str, object]) -> Decision:
    _refuse_unknown(case, _CASE_KEYS | _NOTES)
    identity = _policies(case, "identity")
    if identity is None:
        raise BadCase("identity is missing")
    return decide(
        _request(case.get("request")),
        identity=identity,
        boundary=_policies(case, "boundary"),
        session=_policies(case, "session"),
    )


def _policies(case: Mapping[str, object], layer: str) -> list[Policy] | None:
    documents = case.get(layer)
    if documents is None:
        return None
    if not isinstance(documents, list):
        raise BadCase(f"{layer} is not a list of policy documents")
    return [parse_policy(document, name=f"{layer} policy {number}") for number, document in enumerate(documents, 1)]


def _request(given: object) -> Request:
    request = _object("request", given)
    _refuse_unknown(request, _REQUEST_KEYS)
    # Request checks the types of its arguments, which come straight from the JSON.
    return Request(request.get("action"), request.get("resource"), request.get("context", {}))  # type: ignore[arg-type]


def _object(what: str, value: object) -> Mapping[str, object]:
    if not isinstance(value, dict):
        raise BadCase(f"{what} is not an object")
    return value


def _refuse_unknown(given: Mapping[str, object], known: set[str]) -> None:
    unknown = sorted(set(given) - known)
    if unknown:
        raise BadCase(f"unknown key {unknown[0]!r}")


if __name__ == "__main__":
    sys.exit(main())
