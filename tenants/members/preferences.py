"""How pages look to a person: kept with the person, so that it is the same in every browser of theirs."""

from __future__ import annotations

from tenants.domain.time_zones import is_time_zone
from tenants.models import Person, Theme
from tenants.sign_in.standing import forget_standing


def wrong_preferences(*, theme: str, time_zone: str) -> dict[str, str]:
    """What is wrong with them, by field; empty if nothing is."""
    wrong = {}
    if theme not in ("", *Theme.values):
        wrong["theme"] = "Choose light, dark, or as your system."
    if time_zone and not is_time_zone(time_zone):
        wrong["time_zone"] = "Choose a time zone from the list."
    return wrong


def set_preferences(person_id: int, *, theme: str, time_zone: str) -> None:
    """Expects what `wrong_preferences` finds nothing wrong with. Takes effect on their next request."""
    Person.objects.filter(pk=person_id).update(theme=theme, time_zone=time_zone)
    forget_standing(person_id)
