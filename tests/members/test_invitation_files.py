"""Names of uploaded files: what cannot be a list of people is refused before it is read."""

from __future__ import annotations

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from portal.demo.cast import ACME_OWNER
from tenants.domain.errors import InvalidInput
from tenants.members.invitation_lines import check_file_name
from tests.world.fixtures import Browser


@pytest.mark.parametrize("name", ["people.csv", "PEOPLE.CSV", "people.tsv", "people.txt", "a.b.csv"])
def test_a_text_file_is_accepted(name: str) -> None:
    check_file_name(name)


@pytest.mark.parametrize(
    "name", ["people.xlsx", "people.csv.exe", "people", "", ".csv/../x.html", "csv", "people.csv "]
)
def test_another_kind_of_file_is_refused(name: str) -> None:
    with pytest.raises(InvalidInput, match="ends with") as refused:
        check_file_name(name)
    assert refused.value.field == "file"


def test_the_page_reads_no_other_kind_of_file(browser: Browser) -> None:
    browser.sign_in(ACME_OWNER)
    file = SimpleUploadedFile("people.html", b"ada@example.com")
    answer = browser.post("/members/invite/", {"people": "", "role": "viewer", "file": file})
    assert answer.status_code == 400
    assert "Choose a file whose name ends with" in answer.content.decode()
