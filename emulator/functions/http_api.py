"""HTTP APIs of a template (API Gateway v2): their resources, and the route of a request.

Supports Lambda proxy integrations with payload 2.0, routes that are open or need IAM, and the stage `$default`.
Everything else is refused when it is deployed. Follows "Working with routes for HTTP APIs" in the API Gateway Developer
Guide.
"""

import re
import secrets
import string
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import unquote

from emulator import engine
from emulator.functions import lambdas

PREFIX = "/_apis/"
STAGE = "$default"
_LETTERS = string.ascii_lowercase + string.digits
_FUNCTION = re.compile(r"(?:arn:aws:apigateway:[\w-]+:lambda:path/2015-03-31/functions/)?"
                       r"(arn:aws:lambda:[\w-]+:\d{12}:function:[\w-]+)(?:/invocations)?", re.ASCII)  # fmt: skip
_KEY = re.compile(r"(ANY|GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS) (/\S*)")
_ENDPOINT = re.compile(rf"http://localhost:\d+(?={PREFIX})")

Props = Mapping[str, Any]
Created = tuple[str, dict[str, Any]]
Authorization = Literal["NONE", "AWS_IAM"]


@dataclass(frozen=True, slots=True)
class Route:
    """`target` is the id of an integration."""

    key: str
    authorization: Authorization
    target: str


@dataclass(frozen=True, slots=True)
class Cors:
    """Which pages of other origins may read answers. `max_age` is in seconds, None where it was not given."""

    origins: tuple[str, ...]
    methods: tuple[str, ...]
    headers: tuple[str, ...]
    exposed: tuple[str, ...]
    credentials: bool
    max_age: int | None

    def allows(self, origin: str) -> bool:
        return origin in self.origins or "*" in self.origins


@dataclass
class Api:
    """`integrations` maps ids to functions' ARNs. An API without the stage is not served.

    `cors` is None where the template configures none.
    """

    id: str
    region: str
    name: str
    routes: dict[str, Route] = field(default_factory=dict)
    integrations: dict[str, str] = field(default_factory=dict)
    has_stage: bool = False
    cors: Cors | None = None

    def arn(self, method: str, path: str) -> str:
        """The resource of `execute-api:Invoke`: the requested path, never the route."""
        return f"arn:aws:execute-api:{self.region}:{engine.ACCOUNT}:{self.id}/{STAGE}/{method}/{path.removeprefix('/')}"


@dataclass(frozen=True, slots=True)
class RouteMatch:
    route: Route
    function_arn: str
    parameters: Mapping[str, str]


apis: dict[str, Api] = {}


def match_route(api: Api, method: str, path: str) -> RouteMatch | None:
    """The most specific route wins: fixed parts before variables, variables before `{proxy+}`, a method before ANY."""
    best: tuple[list[int], Route, dict[str, str]] | None = None
    for route in api.routes.values():
        found = _match(route, method, path)
        if found is not None and (best is None or found[0] < best[0]):
            best = (found[0], route, found[1])
    if best is None or not api.has_stage:
        return None
    return RouteMatch(best[1], api.integrations[best[1].target], best[2])


def _match(route: Route, method: str, path: str) -> tuple[list[int], dict[str, str]] | None:
    """Returns a rank for each part (lower is more specific) and the path parameters. None if nothing matches."""
    if route.key == STAGE:
        return [9], {}
    wanted, _, template = route.key.partition(" ")
    if wanted not in ("ANY", method):
        return None
    parts, given = template.split("/")[1:], path.split("/")[1:]
    ranks: list[int] = []
    parameters: dict[str, str] = {}
    for number, part in enumerate(parts):
        if part.endswith("+}"):
            rest = "/".join(given[number:])
            return ([*ranks, 2, wanted == "ANY"], {**parameters, part[1:-2]: unquote(rest)}) if rest else None
        if number >= len(given):
            return None
        if part.startswith("{"):
            parameters[part[1:-1]] = unquote(given[number])
        elif part != given[number]:
            return None
        ranks.append(int(part.startswith("{")))
    return ([*ranks, wanted == "ANY"], parameters) if len(parts) == len(given) else None


# ── Resources of a template ─────────────────────────────────────────────────────────────────────────────────────────


def endpoint(api_id: str) -> str:
    return f"{lambdas.runtime_context.endpoint_url}{PREFIX}{api_id}"


def make_api(name: str, props: Mapping[str, Any]) -> Api:
    if props.get("ProtocolType") != "HTTP":
        raise ValueError("Only APIs with the protocol HTTP are emulated.")
    api = Api(_new_id(10), engine.region(), str(props.get("Name") or name), cors=read_cors(props))
    apis[api.id] = api
    return api


def read_cors(props: Props) -> Cors | None:
    """Raises ValueError for credentials together with any origin, which AWS refuses too."""
    given = props.get("CorsConfiguration")
    if not given:
        return None
    listed = (given.get(name) or () for name in ("AllowOrigins", "AllowMethods", "AllowHeaders", "ExposeHeaders"))
    origins, methods, headers, exposed = (tuple(str(item) for item in items) for items in listed)
    credentials, age = str(given.get("AllowCredentials")).lower() == "true", given.get("MaxAge")
    if credentials and "*" in origins:
        raise ValueError("CORS with credentials needs origins that are named.")
    return Cors(origins, methods, headers, exposed, credentials, None if age is None else int(age))


def put_integration(integration_id: str | None, props: Mapping[str, Any]) -> str:
    found = _FUNCTION.fullmatch(str(props.get("IntegrationUri", "")))
    if props.get("IntegrationType") != "AWS_PROXY" or str(props.get("PayloadFormatVersion")) != "2.0" or not found:
        raise ValueError("Only Lambda integrations with payload format 2.0 are emulated.")
    chosen = integration_id or _new_id(7)
    _api(props).integrations[chosen] = found[1]
    return chosen


def put_route(route_id: str | None, props: Mapping[str, Any]) -> str:
    api, key = _api(props), str(props.get("RouteKey", ""))
    target = str(props.get("Target", "")).removeprefix("integrations/")
    authorization: Authorization = "AWS_IAM" if props.get("AuthorizationType") == "AWS_IAM" else "NONE"
    if key != STAGE and not _KEY.fullmatch(key):
        raise ValueError(f"{key} is not a route key.")
    if target not in api.integrations or props.get("AuthorizationType", "NONE") != authorization:
        raise ValueError(f"The route {key} has an unknown target or an authorization type that is not emulated.")
    if any(route.key == key and known != route_id for known, route in api.routes.items()):
        raise ValueError(f"Route with key {key} already exists for this API.")
    chosen = route_id or _new_id(7)
    api.routes[chosen] = Route(key, authorization, target)
    return chosen


def put_stage(props: Mapping[str, Any]) -> str:
    if props.get("StageName") != STAGE or str(props.get("AutoDeploy")).lower() != "true":
        raise ValueError(f"Only the stage {STAGE} with AutoDeploy is emulated.")
    _api(props).has_stage = True
    return STAGE


def delete_resource(kind: str, physical_id: str, props: Mapping[str, Any]) -> None:
    """`kind` is the last part of the resource's type."""
    api = apis.get(physical_id if kind == "Api" else str(props.get("ApiId")))
    if api is None:
        return
    if kind == "Api":
        del apis[api.id]
    elif kind == "Stage":
        api.has_stage = False
    else:
        (api.routes if kind == "Route" else api.integrations).pop(physical_id, None)


def register_resources() -> None:
    """Lets the engine's stacks create these resources here."""
    engine.provisioners._RESOURCE_HANDLERS.update({
        "AWS::ApiGatewayV2::Api": {"create": _create_api, "update": _update_api, "delete": _delete_handler("Api")},
        "AWS::ApiGatewayV2::Integration": _handlers("Integration", put_integration),
        "AWS::ApiGatewayV2::Route": _handlers("Route", put_route),
        "AWS::ApiGatewayV2::Stage": _handlers("Stage", lambda _, props: put_stage(props)),
    })  # fmt: skip


def _create_api(logical_id: str, props: Props, stack_name: str) -> Created:
    api = make_api(f"{stack_name}-{logical_id}", props)
    return _update_api(api.id, {}, props, stack_name)


def _update_api(physical_id: str, _old: Props, new: Props, _stack_name: str) -> Created:
    apis[physical_id].cors = read_cors(new)
    return physical_id, {"ApiId": physical_id, "ApiEndpoint": endpoint(physical_id)}


def _handlers(kind: str, put: Callable[[str | None, Props], str]) -> dict[str, Callable[..., Any]]:
    def create(_logical_id: str, props: Props, _stack_name: str) -> Created:
        return put(None, props), {}

    def update(physical_id: str, _old: Props, new: Props, _stack_name: str) -> Created:
        return put(physical_id, new), {}

    return {"create": create, "update": update, "delete": _delete_handler(kind)}


def _delete_handler(kind: str) -> Callable[[str, Props], None]:
    return lambda physical_id, props: delete_resource(kind, physical_id, props)


def update_endpoints() -> None:
    """Puts the current port into the stacks' outputs. A restored emulator may run on another port."""
    for _, stack in engine.cloudformation._stacks.all_items():
        for output in stack.get("Outputs") or []:
            value = output.get("OutputValue")
            if isinstance(value, str):
                output["OutputValue"] = _ENDPOINT.sub(lambdas.runtime_context.endpoint_url, value)


def _api(props: Mapping[str, Any]) -> Api:
    api = apis.get(str(props.get("ApiId")))
    if api is None:
        raise ValueError(f"Invalid API identifier specified {props.get('ApiId')}")
    return api


def _new_id(length: int) -> str:
    return "".join(secrets.choice(_LETTERS) for _ in range(length))
