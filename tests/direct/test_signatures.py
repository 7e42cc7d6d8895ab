"""The signatures that a page makes, compared with botocore's over hundreds of generated requests."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

pytestmark = [pytest.mark.browser, pytest.mark.enable_socket]

TIME = "20261128T120000Z"
HOSTS = ("dynamodb.eu-west-1.amazonaws.com", "localhost:4566", "abc.execute-api.eu-west-1.amazonaws.com")
TEXTS = (
    "orders", "Bestellungen für Köln", "Заказы", "طلبات", "注文書", "📦🧾", "e\u0301 n\u0303", "a/b", "a b", " a ",
    "a+b",
    "50%", "%2F", "", "*", "!'()*", "~-._", "a=b&c", "?#", "x;y,z", '"quoted"', "\\", "[]{}|^`<>", "\t", "İß", "\u200d",
)  # fmt: skip
BLANKS = ("plain", "  two  blanks  ", "\ttab\tand more\t", "a,  b,c", "", "trailing   ")
SIGN_ALL = """async ({module, cases}) => {
  const { sign } = await import(module);
  return Promise.all(cases.map((one) => sign(one.request, one.credentials, {...one.place, at: new Date(one.at)})));
}"""


def text(chance: random.Random) -> str:
    return "".join(chance.choice(TEXTS) for _ in range(chance.randint(1, 3)))


def case(chance: random.Random) -> dict[str, Any]:
    segments = [text(chance) for _ in range(chance.randint(0, 4))]
    query = [[text(chance), text(chance)] for _ in range(chance.randint(0, 5))]
    # A name more than once, with values in no order.
    query += [[query[0][0], chance.choice(TEXTS)] for _ in range(2)] if query else []
    chance.shuffle(query)
    names = ["Content-Type", "X-Amz-Target", "X-Custom", "accept"]
    return {
        "request": {
            "method": chance.choice(("GET", "POST", "PUT", "PATCH", "DELETE")),
            "host": chance.choice(HOSTS),
            "path": "/" + "/".join(quote(segment, safe="") for segment in segments) + chance.choice(("", "", "/")),
            "query": query,
            "headers": {name: chance.choice(BLANKS) for name in chance.sample(names, chance.randint(0, 4))},
            "body": chance.choice(("", json.dumps({"Key": text(chance)}, ensure_ascii=False), text(chance) * 50)),
        },
        "credentials": {
            "accessKeyId": "ASIAEXAMPLE",
            "secretAccessKey": f"secret/{chance.random()}+",
            "sessionToken": chance.choice(("", "a/session+token==")),
        },
        "place": {
            "service": chance.choice(("dynamodb", "execute-api", "cognito-identity")),
            "region": chance.choice(("eu-west-1", "us-gov-west-1")),
        },
        "at": "2026-11-28T12:00:00.789Z",
    }


def cases() -> Iterator[dict[str, Any]]:
    chance = random.Random(20261128)
    for _ in range(600):
        yield case(chance)
    for path in ("/", "//", "/a//b/", "/./a/../b", "/a/b/..", "/..", "/a/."):
        one = case(chance)
        yield {**one, "request": {**one["request"], "path": path}}
    # Sorted by name and only then by value: "-" comes before "=".
    one = case(chance)
    yield {
        **one,
        "request": {**one["request"], "query": [["a-b", "1"], ["a", "2"], ["a", "10"], ["A", ""], ["ä", "z"]]},
    }


def botocores(one: dict[str, Any]) -> dict[str, str]:
    request, held = one["request"], one["credentials"]
    query = "&".join(f"{quote(name, safe='-_.~')}={quote(value, safe='-_.~')}" for name, value in request["query"])
    url = f"https://{request['host']}{request['path']}{'?' + query if query else ''}"
    made = AWSRequest(request["method"], url, headers=dict(request["headers"]), data=request["body"].encode())
    made.headers["X-Amz-Date"] = made.context["timestamp"] = TIME
    if held["sessionToken"]:
        made.headers["X-Amz-Security-Token"] = held["sessionToken"]
    keys = Credentials(held["accessKeyId"], held["secretAccessKey"], held["sessionToken"] or None)
    auth = SigV4Auth(keys, one["place"]["service"], one["place"]["region"])
    signature = auth.signature(auth.string_to_sign(made, auth.canonical_request(made)), made)
    names = auth.signed_headers(auth.headers_to_sign(made))
    scope = f"{TIME[:8]}/{one['place']['region']}/{one['place']['service']}/aws4_request"
    key = f"Credential=ASIAEXAMPLE/{scope}"
    return {
        "authorization": f"AWS4-HMAC-SHA256 {key}, SignedHeaders={names}, Signature={signature}",
        "x-amz-date": TIME,
    }


@pytest.fixture(scope="module")
def bare_page(chromium: Any, assets: str) -> Iterator[Any]:
    context = chromium.new_context()
    page = context.new_page()
    page.goto(f"{assets}/favicon.svg")
    yield page
    context.close()


def test_hundreds_of_requests_are_signed_as_botocore_signs_them(bare_page: Any, assets: str) -> None:
    generated = list(cases())
    signed = bare_page.evaluate(SIGN_ALL, {"module": f"{assets}/aws-direct.js", "cases": generated})
    assert len(signed) == len(generated) > 600
    for one, headers in zip(generated, signed, strict=True):
        expected = botocores(one)
        assert {name: headers[name] for name in expected} == expected, one


def test_the_session_token_is_sent_and_the_secret_is_not(bare_page: Any, assets: str) -> None:
    one = case(random.Random(1))
    one["credentials"]["sessionToken"] = "the token"
    [headers] = bare_page.evaluate(SIGN_ALL, {"module": f"{assets}/aws-direct.js", "cases": [one]})
    assert headers["x-amz-security-token"] == "the token"
    assert one["credentials"]["secretAccessKey"] not in json.dumps(headers)
    assert "host" not in headers


@pytest.mark.parametrize("key", [*filter(None, TEXTS), ".", "..", "ORD-2026-0001", "~x", "a~x", "…"])
def test_a_page_writes_keys_into_addresses_as_the_portal_does(bare_page: Any, assets: str, key: str) -> None:
    from tenants.organisation.record_addresses import to_segment

    both = """async ({module, key}) => {
      const { toSegment, fromSegment } = await import(module);
      return [toSegment(key), fromSegment(toSegment(key))];
    }"""
    assert bare_page.evaluate(both, {"module": f"{assets}/record-reader.js", "key": key}) == [to_segment(key), key]


@pytest.mark.parametrize("segment", ["~", "~b3JkZXJz", "a b", "~!!!", "~_w", ""])
def test_what_the_portal_would_not_write_names_no_key(bare_page: Any, assets: str, segment: str) -> None:
    read = "async ({module, segment}) => (await import(module)).fromSegment(segment)"
    assert bare_page.evaluate(read, {"module": f"{assets}/record-reader.js", "segment": segment}) == ""


def test_a_call_of_the_http_api_is_signed_for_its_path(bare_page: Any, assets: str) -> None:
    sent: list[Any] = []

    def answered(route: Any) -> None:
        sent.append(route.request)
        route.fulfill(json={"role": "owner"}, headers={"access-control-allow-origin": "*"})

    bare_page.route("https://api.example/**", answered)
    call = """async (module) => {
      const { callApi } = await import(module), heard = [];
      const aws = {region: 'eu-west-1', tell: (exchange) => heard.push(exchange)};
      const held = {accessKeyId: 'ASIAEXAMPLE', secretAccessKey: 'secret', sessionToken: 'token', tags: {org: 'o'}};
      const answer = await callApi(aws, held, {url: 'https://api.example/stage', segments: ['an org', 'a/b'],
                                               query: [['x', 'ü']]});
      return {data: answer.data, heard};
    }"""
    answer = bare_page.evaluate(call, f"{assets}/aws-direct.js")
    assert answer["data"] == {"role": "owner"}
    [heard] = answer["heard"]
    assert (heard["method"], heard["host"], heard["status"], heard["tags"]) == ("GET", "api.example", 200, {"org": "o"})
    assert "secret" not in json.dumps(heard)
    [request] = sent
    assert request.url == "https://api.example/stage/an%20org/a%2Fb?x=%C3%BC"
    made = AWSRequest("GET", request.url)
    made.headers["X-Amz-Date"] = made.context["timestamp"] = request.headers["x-amz-date"]
    made.headers["X-Amz-Security-Token"] = "token"
    auth = SigV4Auth(Credentials("ASIAEXAMPLE", "secret", "token"), "execute-api", "eu-west-1")
    signature = auth.signature(auth.string_to_sign(made, auth.canonical_request(made)), made)
    assert request.headers["authorization"].endswith(f"Signature={signature}")
