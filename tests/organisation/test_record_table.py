"""The rows of a table are HTML without a template, so every text of a record has to be escaped."""

from __future__ import annotations

from tenants.domain.keys import USUAL_KEYS
from tenants.organisation.record_addresses import to_segment
from tenants.organisation.record_table import MOST_COLUMNS, RowSteps, record_rows

SCRIPT = '<script>alert("1")</script>'


def test_text_of_a_record_never_becomes_markup() -> None:
    items = [{"pk": {"S": "p"}, "sk": {"S": SCRIPT}, "text": {"S": SCRIPT}, "tags": {"SS": [SCRIPT]}}]
    made = record_rows(items, USUAL_KEYS, lambda key: f"/records/{key}/")
    assert "<script" not in made.html
    assert made.html.count("&lt;script&gt;") == 4
    assert 'href="/records/&lt;script&gt;alert(&quot;' in made.html


def test_columns_are_in_order_of_appearance_without_bookkeeping() -> None:
    items = [
        {"pk": {"S": "p"}, "sk": {"S": "1"}, "b": {"S": "x"}, "_version": {"N": "1"}},
        {"pk": {"S": "p"}, "sk": {"S": "2"}, "a": {"S": "y"}, "b": {"S": "z"}},
    ]
    made = record_rows(items, USUAL_KEYS, str)
    assert list(made.columns) == ["b", "a"]
    assert made.html.count('class="absent"') == 1


def test_columns_that_do_not_fit_are_counted() -> None:
    wide = {f"n{place}": {"N": str(place)} for place in range(MOST_COLUMNS + 3)}
    made = record_rows([{"pk": {"S": "p"}, "sk": {"S": "1"}, **wide}], USUAL_KEYS, str)
    assert (len(made.columns), list(made.left_out)) == (MOST_COLUMNS, ["n6", "n7", "n8"])


def test_an_attribute_may_have_an_empty_name() -> None:
    assert record_rows([{"pk": {"S": "p"}, "sk": {"S": "1"}, "": {"S": "x"}}], USUAL_KEYS, str).html


def test_a_row_leads_to_what_may_be_done_with_it() -> None:
    item = {"pk": {"S": "p"}, "sk": {"S": "a/b"}}
    made = record_rows([item], USUAL_KEYS, str, steps=RowSteps("/change/", "/delete/"))
    assert 'href="/change/~YS9i/" aria-label="Edit a/b"' in made.html
    assert 'href="/delete/~YS9i/" aria-label="Delete a/b"' in made.html
    assert "Edit" not in record_rows([item], USUAL_KEYS, str).html


def test_columns_may_be_chosen_and_rows_ticked() -> None:
    items = [{"pk": {"S": "p"}, "sk": {"S": SCRIPT}, "a": {"S": "x"}, "b": {"N": "1"}, "_version": {"N": "7"}}]
    made = record_rows(items, USUAL_KEYS, str, columns=["_version", "b"], steps=RowSteps("/change/", "/delete/"))
    assert (list(made.columns), list(made.left_out)) == (["_version", "b"], ["a"])
    assert made.kinds == {"a": "S", "b": "N"}
    assert f'name="chosen" value="{to_segment(SCRIPT)}" aria-label="Select &lt;script&gt;' in made.html
    assert "<script" not in made.html
