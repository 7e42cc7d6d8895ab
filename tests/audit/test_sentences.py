"""What entries of the audit trail say to a person: every action has its words, whatever else an entry holds."""

from __future__ import annotations

from string import Formatter
from typing import Any

import pytest

from tenants.audit.actions import Action
from tenants.audit.sentences import SENTENCES, EntryFacts, SentencePart, plain_text, sentence


def told(action: str, *, actor: str = "sub", who: str = "ada@acme.example", target: str = "Acme", **sides: Any) -> str:
    return plain_text(sentence(EntryFacts(action, actor, who, target, sides.get("before", {}), sides.get("after", {}))))


def test_every_action_has_a_sentence_that_needs_only_actor_and_target() -> None:
    assert set(SENTENCES) == set(Action)
    for action in Action:
        said = told(action)
        assert said.endswith(".")
        assert said[0].isupper() or said.startswith("ada@")
        assert "?" not in said, "the last choice must do with what every entry has"
        assert "{" not in said


@pytest.mark.parametrize("action", Action)
def test_a_complete_entry_uses_the_first_sentence(action: Action) -> None:
    fields = {name for _, name, _, _ in Formatter().parse(SENTENCES[action][0]) if name}
    before = {name.removeprefix("before."): "this" for name in fields if name.startswith("before.")}
    after = {name.removeprefix("after."): "that" for name in fields if name.startswith("after.")}
    after |= {"asked": "suspend", "rows": 5, "found": {"role": 2}, "metadata": {"a": 1}}
    said = told(action, before={**before, "metadata": {}}, after=after)
    literal = "".join(text for text, *_ in Formatter().parse(SENTENCES[action][0])).split()
    assert all(word in said for word in literal)
    assert "?" not in said


@pytest.mark.parametrize(
    ("action", "sides", "said"),
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
            "ada@acme.example wanted to change the plan of Acme, and was told no.",
        ),
        (
            Action.RECONCILED,
            {"after": {"found": {"role": 1, "enabled": 2}, "repaired": 0}},
            "ada@acme.example compared Acme with Cognito: 3 differences, 0 repaired.",
        ),
    ],
)
def test_sentences_say_what_changed(action: Action, sides: dict[str, Any], said: str) -> None:
    assert told(action, **sides) == said


def test_programs_are_named_by_their_kind() -> None:
    assert told(Action.TENANT_REACTIVATED, actor="worker", who="provisioning").startswith("The worker reactivated")
    assert told(Action.REFUSED, actor="visitor", who="nobody signed in").startswith("Somebody who is not signed in was")
    assert told(Action.SIGNED_OUT, who="").startswith("sub signed out")


def test_an_unknown_action_is_shown_as_it_is() -> None:
    assert told("tenant.teleported") == "ada@acme.example: tenant.teleported, Acme."
    assert told("tenant.teleported", target="") == "ada@acme.example: tenant.teleported."


@pytest.mark.parametrize("odd", [None, True, 1.5, [], {}, [None, {"a": []}], {"a": "b"}, "2026-99-99T00:00"])
def test_an_entry_with_odd_values_has_a_sentence(odd: Any) -> None:
    values = dict.fromkeys(("name", "plan", "slug", "role", "rows", "found", "changes", "metadata", "asked"), odd)
    for action in Action:
        assert told(action, before=values, after=values)


def test_names_are_parts_of_their_own() -> None:
    said = sentence(EntryFacts(Action.TENANT_SUSPENDED, "sub", "Ada", "חברת הצפון {who}", {}, {}))
    assert said[:3] == (
        SentencePart("Ada", is_name=True),
        SentencePart(" suspended "),
        SentencePart("חברת הצפון {who}", is_name=True),
    )
