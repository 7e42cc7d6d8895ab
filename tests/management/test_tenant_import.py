"""`manage.py tenant import`: a file is checked whole, imported once however often it is run, and reported."""

from __future__ import annotations

import csv
import io
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from portal.environment import BASE
from tenants.audit.actions import Action
from tenants.domain.roles import Role
from tenants.domain.tenant_state import TenantState
from tenants.lifecycle.details import rename
from tenants.management import tenant_import
from tenants.members.sign_up import NewSignUp, ask
from tenants.models import AuditEvent, Member, Person, Provisioning, SignUp, Tenant
from tests.world.portal_process import migrated
from tests.world.stage import SOMEBODY
from tests.world.use_cases import last_entry, tenant_in

HEADER = "external_id,name,owner_email,owner_name,slug,plan,metadata\n"
THREE = HEADER + (
    "crm-1,Initech,bill@initech.example,Bill,,,\n"
    'crm-2,"Umbrella, Inc.",Alice@Umbrella.example,,umbrella,team,"{""contract"": 7}"\n'
    "crm-3,Initech,peter@other.example,Peter,,,\n"
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "tenants.csv"


def run(file: Path, text: str | bytes, *options: str) -> tuple[int, str, str]:
    """Writes the file and imports it. Returns exit code, standard output, and standard error with the refusal."""
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    out, err = io.StringIO(), io.StringIO()
    try:
        call_command("tenant", "import", str(file), *options, stdout=out, stderr=err)
    except CommandError as error:
        return error.returncode, out.getvalue(), f"{err.getvalue()}{error}"
    except SystemExit as ended:
        return int(ended.code or 0), out.getvalue(), err.getvalue()
    return 0, out.getvalue(), err.getvalue()


def report_of(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(path.read_text())))


def rows() -> list[Any]:
    return [list(model.objects.order_by("pk").values()) for model in (Tenant, Person, Member, AuditEvent)]


@pytest.mark.django_db
def test_a_pending_sign_up_of_an_owner_gives_way(file: Path) -> None:
    new = NewSignUp("Initech", "Bill", "bill@initech.example")
    assert ask(new, client="192.0.2.1") is None
    run(file, THREE)
    # The worker deletes the user of the sign-up, which would be in the owner's way for seven days.
    assert SignUp.objects.get().expires_at < timezone.now()
    assert Member.objects.get(person__email=new.email).due_at > timezone.now()


@pytest.mark.django_db
def test_a_file_becomes_tenants_with_their_owners(file: Path) -> None:
    code, out, _ = run(file, THREE)
    assert (code, out.strip()) == (0, "Done: 3 created.")
    tenants = Tenant.objects.order_by("external_id")
    assert [(one.external_id, one.name, one.slug, one.plan, one.state) for one in tenants] == [
        ("crm-1", "Initech", "initech", "free", "pending"),
        ("crm-2", "Umbrella, Inc.", "umbrella", "team", "pending"),
        ("crm-3", "Initech", "initech-2", "free", "pending"),
    ]
    assert tenants[1].metadata == {"contract": 7}
    assert tenants[2].name_warning == "initech has the same name."
    owners = Member.objects.select_related("person").order_by("tenant__external_id")
    assert [(one.person.email, one.person.name, one.role, one.provisioning) for one in owners] == [
        ("bill@initech.example", "Bill", Role.OWNER, Provisioning.DUE),
        ("alice@umbrella.example", "", Role.OWNER, Provisioning.DUE),
        ("peter@other.example", "Peter", Role.OWNER, Provisioning.DUE),
    ]
    assert all(owner.mail_invitation for owner in owners)


@pytest.mark.django_db
def test_every_import_is_recorded_like_a_creation(file: Path) -> None:
    before = last_entry()
    run(file, THREE)
    entries = AuditEvent.objects.filter(seq__gt=before).order_by("seq")
    assert [entry.action for entry in entries] == [Action.TENANT_CREATED, Action.MEMBER_ADDED] * 3
    assert entries[2].after["external_id"] == "crm-2"
    assert {entry.actor for entry in entries} == {"command"}
    call_command("verify_audit", stdout=io.StringIO(), stderr=io.StringIO())


@pytest.mark.django_db
def test_json_lines_say_the_same(file: Path) -> None:
    file = file.with_suffix(".jsonl")
    lines = [
        {"external_id": "crm-1", "name": "Initech", "owner_email": "bill@initech.example", "slug": None},
        {"external_id": "crm-2", "name": "北京", "owner_email": "li@b.example", "metadata": {"contract": 7}},
        {"external_id": "crm-3", "name": "Umbrella", "owner_email": "al@u.example", "metadata": '{"contract": 8}'},
    ]
    assert run(file, "\n\n".join(json.dumps(line) for line in lines))[0] == 0
    assert list(Tenant.objects.order_by("external_id").values_list("slug", "metadata")) == [
        ("initech", {}),
        ("my-org", {"contract": 7}),
        ("umbrella", {"contract": 8}),
    ]


@pytest.mark.django_db
def test_a_file_is_read_from_standard_input_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(THREE.encode())))
    call_command("tenant", "import", "-", "--format", "csv", stdout=io.StringIO())
    assert Tenant.objects.count() == 3


@pytest.mark.django_db
@pytest.mark.parametrize(
    "text",
    [
        "\ufeff" + THREE,
        THREE.replace("\n", "\r\n"),
        THREE.replace(",Bill,", ',"Bill",') + "\n\n,,,,,,\n",
        THREE.replace("external_id,name", " External_ID , NAME "),
        THREE.rstrip("\n"),
    ],
    ids=["byte order mark", "CRLF", "empty lines", "spelling of the header", "no last line end"],
)
def test_files_of_spreadsheets_are_read(file: Path, text: str) -> None:
    assert run(file, text)[0] == 0
    assert Tenant.objects.count() == 3


@pytest.mark.django_db
def test_a_second_run_changes_nothing(file: Path) -> None:
    run(file, THREE)
    before = rows()
    code, out, _ = run(file, THREE)
    assert (code, out.strip()) == (0, "Done: 3 unchanged.")
    assert rows() == before


@pytest.mark.django_db
def test_what_differs_is_reported_and_left(file: Path, tmp_path: Path) -> None:
    run(file, THREE)
    rename(Tenant.objects.get(external_id="crm-1"), name="Initrode", by=SOMEBODY)
    before, changed = rows(), THREE.replace("Alice@", "eve@").replace("team", "business").replace("7}", "8}")
    code, out, _ = run(file, changed, "--report", str(tmp_path / "report.csv"))
    assert (code, out.splitlines()[0]) == (3, "Done: 1 unchanged, 2 differs.")
    reported = report_of(tmp_path / "report.csv")
    assert [(line["result"], line["why"]) for line in reported] == [
        ("differs", "its name is “Initrode”"),
        ("differs", "its plan is “team”, its metadata are others, eve@umbrella.example is no member of it"),
        ("unchanged", ""),
    ]
    assert rows() == before


@pytest.mark.django_db
def test_owners_of_other_organisations_fail_and_the_others_go_on(file: Path, tmp_path: Path) -> None:
    tenant_in(TenantState.ACTIVE, name="Umbrella", domain="umbrella.example")
    text = THREE.replace("bill@initech", "OWNER@umbrella")
    code, out, _ = run(file, text, "--json", "--report", str(tmp_path / "report.jsonl"))
    assert code == 3
    assert json.loads(out) == {
        "dry_run": False, "lines": 3, "created": 1, "unchanged": 0, "differs": 0, "failed": 2,
    }  # fmt: skip
    reported = [json.loads(line) for line in (tmp_path / "report.jsonl").read_text().splitlines()]
    assert [(line["line"], line["result"], line["why"]) for line in reported] == [
        (2, "failed", "owner@umbrella.example belongs to somebody who is in another organisation."),
        (3, "failed", "The short name “umbrella” is taken."),
        (4, "created", ""),
    ]
    assert reported[2]["org_id"] == str(Tenant.objects.get(external_id="crm-3").org_id)


@pytest.mark.django_db
def test_somebody_who_is_in_no_organisation_is_found_again(file: Path) -> None:
    person = Person.objects.create(email="bill@initech.example", name="Old")
    assert run(file, THREE)[0] == 0
    person.refresh_from_db()
    assert (person.name, person.memberships.get().role) == ("Bill", Role.OWNER)


@pytest.mark.django_db
def test_a_dry_run_says_what_would_happen_and_changes_nothing(file: Path, tmp_path: Path) -> None:
    before = rows()
    code, out, _ = run(file, THREE, "--dry-run", "--report", str(tmp_path / "report.csv"))
    assert (code, out.splitlines()[0]) == (0, "Nothing is done. This would happen: 3 created.")
    assert rows() == before
    assert "crm-3,created" in (tmp_path / "report.csv").read_text()


@pytest.mark.django_db
def test_short_names_agree_between_dry_run_and_run(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tenant_import, "_AT_ONCE", 2)
    text = (
        HEADER + "".join(f"crm-{n},Initech,o{n}@i.example,,,,\n" for n in range(5)) + "x,B,b@i.example,,initech-3,,\n"
    )
    slugs = []
    for option in ("--dry-run", "--json"):
        assert run(file, text, option, "--report", str(tmp_path / "report.csv"))[0] == 0
        slugs.append([line["slug"] for line in report_of(tmp_path / "report.csv")])
    assert slugs[0] == slugs[1] == ["initech", "initech-2", "initech-4", "initech-5", "initech-6", "initech-3"]


@pytest.mark.django_db
def test_nobody_is_mailed_where_that_is_asked(file: Path) -> None:
    run(file, THREE, "--no-mail")
    assert not Member.objects.filter(mail_invitation=True).exists()


@pytest.mark.django_db
def test_all_problems_are_said_at_once_with_their_lines_and_change_nothing(file: Path, tmp_path: Path) -> None:
    before = rows()
    text = HEADER + (
        "crm-1,Initech,bill@initech.example,,,,\n"
        ",Init\u202eech,bill,,a b,gold,{\n"
        'crm-3,"Two\nlines",b@i.example,,,,\n'
        "crm-4,Four,d@i.example,,,\n"
        "crm-1,Five,BILL@initech.example,,,,\n"
        "crm-6,Six,six@i.example,Bi\x00ll,operators,,\n"
    )
    code, _, err = run(file, text, "--report", str(tmp_path / "report.csv"))
    assert code == 1
    assert err.splitlines()[-1] == "The file has 12 problems. Nothing was changed."
    for expected in (
        "Line 3, external_id: Enter the organisation’s id in the system that it comes from.",
        "Line 3, name: The character at place 5 is invisible or unusable (U+202E).",
        "Line 3, owner_email: Enter an e-mail address with one @.",
        "Line 3, slug: A short name has at most 40 small letters",
        "Line 3, plan: There is no plan “gold”.",
        "Line 3, metadata: This is not JSON.",
        "Line 4, name: Enter the name on a single line.",
        "Line 6: This line has 6 columns, but the header has 7.",
        "Line 7, external_id: Line 2 has “crm-1” too. Each may be there once.",
        "Line 7, owner_email: Line 2 has “bill@initech.example” too.",
        "Line 8, owner_name: The character at place 3 is invisible or unusable (U+0000).",
        "Line 8, slug: The short name “operators” is reserved",
    ):
        assert expected in err
    assert rows() == before
    assert list(tmp_path.iterdir()) == [file]


BROKEN = {
    "empty": (b"", "Line 1: The file is empty. Its first line names the columns"),
    "Latin-1": ((HEADER + "1,Söhne,a@b.example,,,,\n").encode("latin-1"), "Line 2: This is not text in UTF-8."),
    "UTF-16": (THREE.encode("utf-16"), "Line 1: This is not text in UTF-8."),
    "semicolons": (THREE.replace(",", ";").encode(), "Line 1: The columns are not separated by commas."),
    "unknown column": (b"external_id,nam,owner_email\n", "Line 1: Unknown column “nam”."),
    "column twice": (b"external_id,name,owner_email,name\n", "Line 1: The column “name” is there twice."),
    "missing column": (b"external_id,name\n", "Line 1: The column “owner_email” is missing."),
    "open quotation": (HEADER.encode() + b'1,"Acme,a@b.example,,,,\n2,B,b@b.example,,,,\n', "Line 2: A quotation mark"),
    "quotation inside": (HEADER.encode() + b'1,"Ac"me,a@b.example,,,,\n', "Line 2: After a text in quotation marks"),
    "carriage returns": (THREE.replace("\n", "\r").encode(), "Save the file with line feeds."),
    "endless line": (b"x" * 300_000, "Line 1: This line has more than 200,000 bytes."),
}


@pytest.mark.django_db
@pytest.mark.parametrize("case", BROKEN)
def test_a_file_that_cannot_be_read_is_told_how_to_save_it(file: Path, case: str) -> None:
    content, says = BROKEN[case]
    code, _, err = run(file, content)
    assert code == 1
    assert says in err
    assert "Nothing was changed." in err
    assert not Tenant.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("{", "Line 1: This is not JSON. Look at column 2"),
        ("[1]", "Line 1: A line is a JSON object"),
        ('{"external_id": 17}', "Line 1, external_id: Write it as text, in quotation marks."),
        ('{"external_id": "1", "external_id": "2"}', "Line 1: A name is there twice."),
        ('{"id": "1"}', "Line 1: Unknown name “id”."),
        ('{"metadata": [1]}', "Line 1, metadata: Metadata is a JSON object"),
        ("[" * 100_000, "Line 1: This JSON cannot be read: arrays and objects are nested more than 21 levels deep."),
        ('{"metadata": ' + '{"a": ' * 21 + "}" * 22, "more than 21 levels deep"),
        ('{"metadata": {"a": NaN}}', "Line 1, metadata: “nan” at “a” is not a number in JSON."),
        ('{"external_id": "\\ud800"}', "Line 1, external_id: The character at place 1 is invisible or unusable"),
        ('{"external_id": "' + "x" * 121 + '"}', "Line 1, external_id: An external id has at most 120 characters."),
        ("{}", "Line 1, owner_email: Enter an e-mail address."),
    ],
    ids=lambda text: text[:20],
)
def test_wrong_json_lines_are_said_in_words(file: Path, line: str, says: str) -> None:
    code, _, err = run(file.with_suffix(".jsonl"), line)
    assert code == 1
    assert says in err


@pytest.mark.django_db
def test_problems_are_printed_as_json_where_that_is_asked(file: Path) -> None:
    code, out, _ = run(file, HEADER + "1,A,a,,,,\n", "--json")
    assert code == 1
    (problem,) = json.loads(out)["problems"]
    assert (problem["line"], problem["column"]) == (2, "owner_email")


@pytest.mark.django_db
def test_a_format_that_nobody_said_is_asked_for(tmp_path: Path) -> None:
    assert run(tmp_path / "tenants.txt", THREE)[2] == "Say with --format whether this is csv or jsonl."


@pytest.mark.django_db
def test_a_file_that_is_missing_is_said(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"none\.csv: No such file"):
        call_command("tenant", "import", str(tmp_path / "none.csv"))


@pytest.mark.django_db
def test_a_report_never_begins_a_formula(file: Path, tmp_path: Path) -> None:
    run(file, HEADER + "=cmd(),Initech,bill@initech.example,,,,\n", "--report", str(tmp_path / "report.csv"))
    assert "2,'=cmd(),created" in (tmp_path / "report.csv").read_text()


@pytest.mark.django_db
def test_a_batch_costs_few_queries(file: Path) -> None:
    text = HEADER + "".join(f"crm-{n},C{n},o{n}@c.example,,,,\n" for n in range(150))
    with CaptureQueriesContext(connection) as asked:
        assert run(file, text)[0] == 0
    # How many rows fit into one INSERT depends on the database and on how wide a row is.
    inserts = sum(query["sql"].startswith("INSERT") for query in asked)
    assert len(asked) - inserts < 14
    assert inserts < 21


def environment(database: str) -> dict[str, str]:
    placeholders = dict(
        line.split("=", 1)
        for line in (BASE / ".ci" / "deploy.env").read_text().splitlines()
        if "=" in line and not line.startswith("#")
    )
    return {**os.environ, **placeholders, "DATABASE_URL": database, "DJANGO_SETTINGS_MODULE": "portal.settings"}


def test_an_import_that_is_killed_is_finished_by_running_it_again(tmp_path: Path) -> None:
    """On a database of its own: each run is a process, and the first five are killed."""
    lines = 1_500
    file, report = tmp_path / "tenants.csv", tmp_path / "report.csv"
    file.write_text(HEADER + "".join(f"crm-{n},Company,o{n}@c.example,Olga,,,\n" for n in range(lines)))
    settings = environment(f"sqlite:///{tmp_path / 'portal.sqlite3'}")
    manage = [sys.executable, str(BASE / "manage.py")]
    (tmp_path / "portal.sqlite3").write_bytes(migrated())
    command = [*manage, "tenant", "import", str(file), "--report", str(report), "--json"]

    def imported() -> int:
        code = "import django; django.setup(); from tenants.models import Tenant; print(Tenant.objects.count())"
        return int(subprocess.check_output([sys.executable, "-c", code], env=settings, cwd=BASE))

    def size() -> int:
        return sum(path.stat().st_size for path in tmp_path.glob("portal.sqlite3*"))

    for _ in range(5):
        before, until = size(), time.monotonic() + 60
        with subprocess.Popen(command, env=settings, cwd=BASE, stdout=subprocess.DEVNULL) as process:
            while size() == before and process.poll() is None and time.monotonic() < until:
                time.sleep(0.005)
            time.sleep(random.uniform(0, 0.1))
            process.send_signal(signal.SIGKILL)
        assert not report.exists()
    assert 0 < imported() < lines

    done = subprocess.run(command, env=settings, cwd=BASE, capture_output=True, text=True, check=True)
    summary = json.loads(done.stdout)
    assert summary["created"] + summary["unchanged"] == lines
    reported = [line["external_id"] for line in report_of(report)]
    assert (len(reported), len(set(reported)), imported()) == (lines, lines, lines)
    subprocess.run([*manage, "verify_audit"], env=settings, cwd=BASE, check=True, stdout=subprocess.DEVNULL)
