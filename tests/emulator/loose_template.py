"""The product's template with its guards off: Null conditions gone, Scan and PartiQL allowed, the Deny removed."""

from typing import Any

import yaml


class _Tag(yaml.YAMLObject):
    """A CloudFormation short form, carried through unread."""

    def __init__(self, name: str, node: yaml.Node) -> None:
        self.name, self.node = name, node


class _Loader(yaml.SafeLoader):
    pass


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True


_Loader.add_multi_constructor("!", lambda loader, suffix, node: _Tag(suffix, node))
_Dumper.add_representer(_Tag, lambda dumper, tag: tag.node)


def loosened(template: str) -> str:
    document = yaml.load(template, Loader=_Loader)
    resources = document["Resources"]
    for policy in resources["TenantRole"]["Properties"]["Policies"]:
        _loosen(policy["PolicyDocument"])
    _loosen(resources["TenantBoundary"]["Properties"]["PolicyDocument"])
    return yaml.dump(document, Dumper=_Dumper, sort_keys=False)


def _loosen(policy: dict[str, Any]) -> None:
    kept = [statement for statement in policy["Statement"] if statement["Effect"] == "Allow"]
    for statement in kept:
        statement["Action"] = [*statement["Action"], "dynamodb:Scan", "dynamodb:PartiQLSelect"]
        statement["Condition"].pop("Null")
    policy["Statement"] = kept
