"""A fast response parser for DynamoDB's AttributeValue.

botocore walks its service model for every attribute of every item, which takes most of the time of a Query. On the
wire, an attribute value already has the structure that botocore returns, except for base64 in binary values. So this
parser passes values through. Its output equals botocore's own; a property test compares the two.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from botocore.parsers import ResponseParser, ResponseParserFactory

_AS_IS = {"S": str, "N": str, "BOOL": bool, "NULL": bool}


if TYPE_CHECKING:

    class _JSONParser(ResponseParser):
        """The stubs omit the methods that a parser overrides."""

        def _handle_structure(self, shape: Any, value: Any) -> Any: ...
        def _handle_map(self, shape: Any, value: Any) -> Any: ...

else:
    from botocore.parsers import JSONParser as _JSONParser


class AttributeValueParser(_JSONParser):
    def _handle_structure(self, shape: Any, value: Any) -> Any:
        if shape.name == "AttributeValue":
            return self._attribute_value(shape, value)
        return super()._handle_structure(shape, value)

    def _handle_map(self, shape: Any, value: Any) -> Any:
        if shape.value.name != "AttributeValue":
            return super()._handle_map(shape, value)
        result = value
        for name, part in value.items():
            if type(part) is dict and len(part) == 1:
                ((kind, content),) = part.items()
                if type(content) is _AS_IS.get(kind):
                    continue
            # Copies an item only if it has something to decode.
            result = dict(value) if result is value else result
            result[name] = self._attribute_value(shape.value, part)
        return result

    def _attribute_value(self, shape: Any, value: Any) -> Any:
        if type(value) is dict and len(value) == 1:
            ((kind, content),) = value.items()
            if type(content) is _AS_IS.get(kind):
                return value
            decoded = _decoded(self, shape, kind, content)
            if decoded is not None:
                return {kind: decoded}
        # Leaves anything unusual to botocore.
        return super()._handle_structure(shape, value)


def _decoded(parser: AttributeValueParser, shape: Any, kind: str, content: Any) -> Any:
    """The content of a map, list, set or binary value; None if it does not have exactly that form."""
    if kind == "M" and type(content) is dict:
        return {name: parser._attribute_value(shape, part) for name, part in content.items()}
    if type(content) is list:
        if kind == "L":
            return [parser._attribute_value(shape, part) for part in content]
        if kind in {"SS", "NS"} and all(type(part) is str for part in content):
            return content
    return base64.b64decode(content) if kind == "B" and type(content) is str else None


class AttributeValueParserFactory(ResponseParserFactory):
    def create_parser(self, protocol_name: str) -> ResponseParser:
        if protocol_name == "json":
            return AttributeValueParser()
        return super().create_parser(protocol_name)
