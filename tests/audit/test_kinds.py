"""The kinds of entries in words: each action once, in a group."""

from __future__ import annotations

from tenants.audit.actions import Action
from tenants.audit.kinds import GROUPS, OWN_GROUPS, actions_of, kind_in_words


def test_each_action_is_in_one_group_in_words_of_its_own() -> None:
    listed = [action for group in GROUPS for action, _ in group.kinds]
    assert sorted(listed) == sorted(Action)
    for group in GROUPS:
        labels = [label for _, label in group.kinds]
        assert len(set(labels)) == len(labels)
        assert all(label[0].isupper() and "." not in label for label in labels)


# Actions that may be listed under "Other", each with the reason why no group is right for it.
MAY_BE_OTHER: dict[Action, str] = {}


def test_no_action_is_left_to_the_group_of_others_without_a_reason() -> None:
    others = {action for group in GROUPS if group.name == "other" for action, _ in group.kinds}
    assert others == set(MAY_BE_OTHER)


def test_a_group_stands_for_all_of_its_actions() -> None:
    assert set(actions_of("sign-in")) == {
        Action.SIGNED_IN,
        Action.SIGNED_OUT,
        Action.SIGN_IN_FAILED,
        Action.CREDENTIALS_TAKEN,
    }
    assert actions_of("member.removed") == (Action.MEMBER_REMOVED,)
    assert actions_of("weather") == ()
    assert kind_in_words("member.removed") == "Members: Removed"
    assert kind_in_words("members") == "Members"


def test_an_organisation_chooses_among_what_its_trail_can_hold() -> None:
    assert not actions_of("platform", OWN_GROUPS)
    assert not actions_of(Action.BREAK_GLASS_USED, OWN_GROUPS)
    assert actions_of(Action.AUDIT_EXPORTED, OWN_GROUPS) == (Action.AUDIT_EXPORTED,)
