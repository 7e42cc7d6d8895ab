"""The product's template without its guards: no Null conditions, no Deny, and Scan and PartiQL allowed."""

from typing import Any

import yaml


class _Tag(yaml.YAMLObject):
    """A CloudFormation short form, which is kept unchanged."""

    def __init__(self, name: str, node: yaml.Node) -> None:
        self.name, self.node = name, node


class _Loader(yaml.SafeLoader):
    pass


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True


_Loader.add_multi_constructor("!", lambda loader, suffix, node: _Tag(suffix, node))
_Dumper.add_representer(_Tag, lambda dumper, tag: tag.node)


def unguarded_template(template: str) -> str:
    document = yaml.load(template, Loader=_Loader)
    resources = document["Resources"]
    for policy in resources["TenantRole"]["Properties"]["Policies"]:
        _remove_guards(policy["PolicyDocument"])
    _remove_guards(resources["TenantBoundary"]["Properties"]["PolicyDocument"])
    return yaml.dump(document, Dumper=_Dumper, sort_keys=False)


def _remove_guards(policy: dict[str, Any]) -> None:
    kept = [statement for statement in policy["Statement"] if statement["Effect"] == "Allow"]
    for statement in kept:
        statement["Action"] = [*statement["Action"], "dynamodb:Scan", "dynamodb:PartiQLSelect"]
        statement["Condition"].pop("Null")
    policy["Statement"] = kept
