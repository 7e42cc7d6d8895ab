"""The HTTP API called as a person: their own paths answer, every other one is refused by IAM."""

from __future__ import annotations

import json
from collections.abc import Callable

import boto3
import pytest
from botocore import UNSIGNED
from botocore.config import Config

from portal.demo.cast import ACME, ACME_OWNER, ACME_VIEWER, GLOBEX, OPERATOR, CastMember
from portal.demo.world import World
from tenants.aws.records_api import RecordsApi
from tenants.domain.credentials import Credentials
from tenants.domain.errors import Unreachable

OWN, OTHER = str(ACME.org_id), str(GLOBEX.org_id)
AsPerson = Callable[[CastMember], Credentials]


@pytest.fixture(scope="module")
def api(world: World) -> RecordsApi:
    return RecordsApi(world.settings["RECORDS_API_URL"], world.settings["AWS_REGION"])


@pytest.fixture(scope="module")
def as_person(world: World) -> AsPerson:
    def credentials(member: CastMember) -> Credentials:
        given = world.credentials_of(member)
        return Credentials(given.access_key_id, given.secret_access_key, given.session_token, expires_at=0)

    return credentials


@pytest.mark.parametrize("member", [ACME_OWNER, ACME_VIEWER], ids=lambda member: member.role)
def test_a_member_reads_their_own_profile(api: RecordsApi, as_person: AsPerson, member: CastMember) -> None:
    answer = api.get(as_person(member), f"/{OWN}/profile")
    assert (answer.status, answer.allowed) == (200, True)
    told = json.loads(answer.body)
    assert (told["org"], told["role"]) == (OWN, member.role)


@pytest.mark.parametrize(
    "path",
    [
        f"/{OTHER}/profile", f"/{OTHER}/{OWN}/profile", f"//{OWN}/profile", f"/{OWN.upper()}/profile",
        f"/{OWN}%2fprofile", f"/{OWN}%2Fprofile/x", f"/%2f{OWN}/profile", f"/{OTHER}/../{OWN}/profile", f"/{OWN}", "/",
        f"/.%2f{OWN}/profile", f"/{OWN} /profile".replace(" ", "%20"), "/PUBLIC/profile",
    ],
)  # fmt: skip
def test_every_other_path_is_refused(api: RecordsApi, as_person: AsPerson, path: str) -> None:
    answer = api.get(as_person(ACME_OWNER), path)
    assert (answer.status, answer.allowed) in {(403, False), (404, False)}
    assert OTHER not in answer.body


def test_somebody_without_an_organisation_has_no_path(api: RecordsApi, as_person: AsPerson) -> None:
    for path in (f"/{OWN}/profile", "//profile", "/profile"):
        assert not api.get(as_person(OPERATOR), path).allowed


def test_a_guest_has_no_path(api: RecordsApi, world: World) -> None:
    where = {"endpoint_url": world.emulator.endpoint_url, "region_name": world.settings["AWS_REGION"]}
    identities = boto3.client("cognito-identity", config=Config(signature_version=UNSIGNED), **where)
    identity = identities.get_id(IdentityPoolId=world.settings["COGNITO_IDENTITY_POOL_ID"])["IdentityId"]
    given = identities.get_credentials_for_identity(IdentityId=identity)["Credentials"]
    guest = Credentials(given["AccessKeyId"], given["SecretKey"], given["SessionToken"], expires_at=0)
    for path in (f"/{OWN}/profile", "/PUBLIC/profile", "//profile"):
        assert api.get(guest, path).status == 403


def test_an_api_that_is_away_is_said_to_be(as_person: AsPerson) -> None:
    away = RecordsApi("http://127.0.0.1:9", "eu-west-1")
    with pytest.raises(Unreachable):
        away.get(as_person(ACME_OWNER), f"/{OWN}/profile")
