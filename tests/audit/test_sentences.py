"""The sentences of the audit trail: every action has one, whatever else an entry holds."""

from __future__ import annotations

import ast
from string import Formatter
from typing import Any

import pytest

from portal.environment import BASE
from tenants.audit.actions import Action
from tenants.audit.sentences import SENTENCES, EntryFacts, SentencePart, plain_text, sentence


def text_of(
    action: str, *, actor: str = "sub", who: str = "ada@acme.example", target: str = "Acme", **sides: Any
) -> str:
    return plain_text(sentence(EntryFacts(action, actor, who, target, sides.get("before", {}), sides.get("after", {}))))


def test_every_action_has_a_sentence_that_needs_only_actor_and_target() -> None:
    assert set(SENTENCES) == set(Action)
    for action in Action:
        text = text_of(action)
        assert text.endswith(".")
        assert text[0].isupper() or text.startswith("ada@")
        assert "?" not in text, "the last choice must need only what every entry has"
        assert "{" not in text


@pytest.mark.parametrize("action", Action)
def test_a_complete_entry_uses_the_first_sentence(action: Action) -> None:
    fields = {name for _, name, _, _ in Formatter().parse(SENTENCES[action][0]) if name}
    before = {name.removeprefix("before."): "this" for name in fields if name.startswith("before.")}
    after = {name.removeprefix("after."): "that" for name in fields if name.startswith("after.")}
    after |= {"asked": "suspend", "rows": 5, "found": {"role": 2}, "metadata": {"a": 1}, "asked_for": "x"}
    text = text_of(action, before={**before, "metadata": {}}, after=after)
    literal = "".join(words for words, *_ in Formatter().parse(SENTENCES[action][0])).split()
    assert all(word in text for word in literal)
    assert "?" not in text


@pytest.mark.parametrize(
    ("action", "sides", "text"),
    [
        (Action.TENANT_RENAMED, {"before": {"name": "A"}, "after": {"name": "B"}}, "ada@acme.example renamed A to B."),
        (
            Action.TENANT_RENAMED,
            {"before": {"slug": "a"}, "after": {"slug": "b"}},
            "ada@acme.example changed the short name of Acme from a to b.",
        ),
        (
            Action.TENANT_METADATA_CHANGED,
            {"before": {"metadata": {"a": 1, "b": 2}}, "after": {"metadata": {"b": 3, "c": 4}}},
            "ada@acme.example changed the metadata of Acme: a, b, c.",
        ),
        (
            Action.TENANT_CLOSING,
            {"after": {"purge_after": "2026-12-05T09:30:00.000000+00:00"}},
            "ada@acme.example began to close Acme. It can be reopened until 5 December 2026, 09:30 UTC.",
        ),
        (Action.TENANT_PURGED, {"after": {"rows": 1}}, "ada@acme.example deleted 1 record of Acme."),
        (Action.TENANT_PURGED, {"after": {"rows": 12345}}, "ada@acme.example deleted 12,345 records of Acme."),
        (
            Action.MEMBER_PROVISIONED,
            {"after": {"changes": ["set the role to editor", "sign out everywhere"]}},
            "Done in Cognito for Acme: set the role to editor, sign out everywhere.",
        ),
        (
            Action.TENANT_REFUSED,
            {"after": {"asked": "change_plan", "refusal": "NotNow"}},
            "ada@acme.example tried to change the plan of Acme: refused.",
        ),
        (
            Action.RECONCILED,
            {"after": {"found": {"role": 1, "enabled": 2}, "repaired": 0}},
            "ada@acme.example compared Acme with Cognito: 3 differences, 0 repaired.",
        ),
    ],
)
def test_sentences_say_what_changed(action: Action, sides: dict[str, Any], text: str) -> None:
    assert text_of(action, **sides) == text


def recorded_use_cases() -> set[str]:
    """The names of all whose refusals are recorded."""
    found = set()
    for path in (BASE / "tenants").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.FunctionDef):
                decorators = (ast.unparse(decorator).lstrip("_") for decorator in node.decorator_list)
                found |= {node.name for text in decorators if text.startswith("audit_refusals")}
    return found


def test_a_refused_use_case_is_told_with_a_verb_and_not_with_its_name() -> None:
    names = recorded_use_cases()
    assert {"suspend", "reset_mfa", "_close"} <= names
    # These names are verbs as they stand.
    for name in (one for one in names - {"sign_out", "close_for_good"} if "_" in one):
        text = text_of(Action.MEMBER_REFUSED, after={"asked": name})
        assert f"tried to {name.replace('_', ' ')} " not in text, name
    reset = text_of(Action.MEMBER_REFUSED, after={"asked": "reset_mfa"})
    assert reset == "ada@acme.example tried to reset the second factor of Acme: refused."


def test_programs_are_named_by_their_kind() -> None:
    assert text_of(Action.TENANT_REACTIVATED, actor="worker", who="provisioning").startswith("The worker reactivated")
    assert text_of(Action.REFUSED, actor="visitor", who="nobody signed in").startswith(
        "Somebody who is not signed in was"
    )
    assert text_of(Action.SIGNED_OUT, who="").startswith("sub signed out")


def test_an_unknown_action_is_shown_as_it_is() -> None:
    assert text_of("tenant.teleported") == "ada@acme.example: tenant.teleported, Acme."
    assert text_of("tenant.teleported", target="") == "ada@acme.example: tenant.teleported."


@pytest.mark.parametrize("odd", [None, True, 1.5, [], {}, [None, {"a": []}], {"a": "b"}, "2026-99-99T00:00"])
def test_an_entry_with_odd_values_has_a_sentence(odd: Any) -> None:
    values = dict.fromkeys(("name", "plan", "slug", "role", "rows", "found", "changes", "metadata", "asked"), odd)
    for action in Action:
        assert text_of(action, before=values, after=values)


def test_names_are_parts_of_their_own() -> None:
    text = sentence(EntryFacts(Action.TENANT_SUSPENDED, "sub", "Ada", "חברת הצפון {who}", {}, {}))
    assert text[:3] == (
        SentencePart("Ada", is_name=True),
        SentencePart(" suspended "),
        SentencePart("חברת הצפון {who}", is_name=True),
    )
