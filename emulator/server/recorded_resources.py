"""Resources of a stack that are recorded and never run (networks, tasks, databases, caches), and secrets.

The engine lacks some of them, and would start containers for others if it found Docker. Their attributes are invented.
"""

import string
from collections.abc import Callable, Mapping
from typing import Any

from emulator import engine

Props = Mapping[str, Any]
Created = tuple[str, dict[str, Any]]

# type -> its attributes. `{id}` is the physical id.
_ATTRIBUTES = {
    "AWS::EC2::EIP": {"AllocationId": "eipalloc-{id}", "PublicIp": "192.0.2.1"},
    "AWS::EC2::NatGateway": {"NatGatewayId": "nat-{id}"},
    "AWS::EC2::SecurityGroupIngress": {"Id": "sgr-{id}"},
    "AWS::ECS::Service": {"Name": "{id}", "ServiceArn": "arn:aws:ecs:{region}:{account}:service/{id}"},
    "AWS::ElastiCache::ReplicationGroup": {
        "PrimaryEndPoint.Address": "master.{id}.cache.example.com",
        "PrimaryEndPoint.Port": "6379",
    },
    "AWS::ElastiCache::SubnetGroup": {},
    "AWS::RDS::DBSubnetGroup": {},
    "AWS::RDS::DBInstance": {"Endpoint.Address": "{id}.rds.example.com", "Endpoint.Port": "5432"},
}


def register_recorded() -> None:
    """Replaces the engine's own handlers of these types, if it has any."""
    for kind, attributes in _ATTRIBUTES.items():
        engine.provisioners._RESOURCE_HANDLERS[kind] = _handlers(attributes)


def register_secrets() -> None:
    engine_create = engine.provisioners._RESOURCE_HANDLERS[_SECRET]["create"]

    def create(logical_id: str, props: Props, stack_name: str) -> Created:
        _, attributes = engine_create(logical_id, _without_punctuation(props), stack_name)
        return attributes["Arn"], {"Id": attributes["Arn"]}

    def update(physical_id: str, old: Props, new: Props, _stack_name: str) -> Created:
        if old.get("SecretString") != new.get("SecretString"):
            raise ValueError("A secret whose text changes is not served here.")
        return physical_id, {"Id": physical_id}

    def delete(physical_id: str, _props: Props) -> None:
        secrets = engine.provisioners._sm._secrets
        for name in [name for name, secret in secrets.items() if secret["ARN"] == physical_id]:
            del secrets[name]

    engine.provisioners._RESOURCE_HANDLERS[_SECRET] = {"create": create, "update": update, "delete": delete}


_SECRET = "AWS::SecretsManager::Secret"  # noqa: S105 - the name of a type


def _without_punctuation(props: Props) -> dict[str, Any]:
    generate = props.get("GenerateSecretString", {})
    if str(generate.get("ExcludePunctuation")).lower() != "true":
        return dict(props)
    return {**props, "GenerateSecretString": {**generate, "ExcludeCharacters": string.punctuation}}


def _handlers(attributes: Mapping[str, str]) -> dict[str, Callable[..., Any]]:
    def create(logical_id: str, _props: Props, stack_name: str) -> Created:
        return _recorded(f"{stack_name}-{logical_id}".lower()[:60], attributes)

    def update(physical_id: str, _old: Props, _new: Props, _stack_name: str) -> Created:
        return _recorded(physical_id, attributes)

    def delete(_physical_id: str, _props: Props) -> None:
        pass

    return {"create": create, "update": update, "delete": delete}


def _recorded(physical_id: str, attributes: Mapping[str, str]) -> Created:
    known = {"id": physical_id, "region": engine.region(), "account": engine.ACCOUNT}
    return physical_id, {name: text.format(**known) for name, text in attributes.items()}
