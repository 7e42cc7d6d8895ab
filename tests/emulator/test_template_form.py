"""Templates: a form, a reference or a type that AWS does not have is refused before anything is made."""

import json
import secrets
from typing import Any

import pytest
from botocore.exceptions import ClientError

from emulator.client.process import Emulator
from tests.emulator.test_templates import TABLE, make, refusal
from tests.emulator.world import client

THING: dict[str, Any] = {"Type": "AWS::DynamoDB::Table", "Properties": TABLE}


def refused(emulator: Emulator, template: dict[str, Any], **request: Any) -> str:
    """The text of CreateStack's refusal. No stack may remain."""
    name, stacks = f"t{secrets.token_hex(4)}", client(emulator, "cloudformation", emulator.root)
    with pytest.raises(ClientError) as failure:
        stacks.create_stack(StackName=name, TemplateBody=json.dumps(template), **request)
    with pytest.raises(ClientError):
        stacks.describe_stacks(StackName=name)
    assert failure.value.response["Error"]["Code"] == "ValidationError"
    return str(failure.value.response["Error"]["Message"])


def template(resource: dict[str, Any] | None = None, **sections: Any) -> dict[str, Any]:
    return {"Resources": {"Thing": {**THING, **(resource or {})}}, **sections}


@pytest.mark.parametrize(
    ("properties", "text"),
    [
        ({"TableName": ["rows"]}, "#/TableName: expected type: String, found: JSONArray"),
        ({"KeySchema": "pk"}, "#/KeySchema: expected type: JSONArray, found: String"),
        ({"KeySchema": {"Ref": "AWS::NoValue"}}, "#: required key [KeySchema] not found"),
        ({"KeySchema": [{"AttributeName": "pk"}]}, "#/KeySchema/0: required key [KeyType] not found"),
        ({"Tags": [{"Key": "a", "Value": "b", "Nonsense": 1}]}, "#/Tags/0: extraneous key [Nonsense]"),
        ({"BillingMode": "FREE"}, "#/BillingMode: FREE is not a valid enum value, only PAY_PER_REQUEST, PROVISIONED"),
        ({"DeletionProtectionEnabled": "maybe"}, "expected type: Boolean, found: String"),
        ({"OnDemandThroughput": {"MaxReadRequestUnits": "many"}}, "expected type: Integer, found: String"),
        ({"BillingMode": {"Fn::If": ["Always", "FREE", "x"]}}, "FREE is not a valid enum value"),
        ({"BillingMode": {"Fn::FindInMap": ["Modes", "a", "b"]}}, "FREE is not a valid enum value"),
    ],
)
def test_a_property_of_the_wrong_type_is_refused(emulator: Emulator, properties: dict[str, Any], text: str) -> None:
    sections = {"Conditions": {"Always": {"Fn::Equals": ["a", "a"]}}, "Mappings": {"Modes": {"a": {"b": "FREE"}}}}
    found = refusal(emulator, "AWS::DynamoDB::Table", {**TABLE, **properties}, **sections)
    assert "Properties validation failed for resource Thing with message: [" in found
    assert text in found


def test_texts_count_as_the_numbers_and_booleans_that_they_spell(emulator: Emulator) -> None:
    limits = {"DeletionProtectionEnabled": "false", "OnDemandThroughput": {"MaxReadRequestUnits": "5"}}
    make(emulator, "AWS::DynamoDB::Table", {**TABLE, **limits})


@pytest.mark.parametrize(
    ("attributes", "text"),
    [
        ({"DependsOn": "Nobody"}, "Unresolved resource dependencies [Nobody] in the Resources block"),
        ({"Condition": "Nobody"}, "Unresolved condition dependency Nobody in the Resources block"),
        ({"Nonsense": 1}, "Invalid template resource property 'Nonsense'"),
        ({"CreationPolicy": {"ResourceSignal": {"Count": 1}}}, "CreationPolicy of Thing is not served here"),
        ({"UpdatePolicy": {"UseOnlineResharding": True}}, "UpdatePolicy of Thing is not served here"),
        ({"DeletionPolicy": "Snapshot"}, "DeletionPolicy of Thing must be one of Delete, Retain"),
        ({"Properties": {**TABLE, "TableName": None}}, "[/Resources/Thing/Properties/TableName] 'null' values"),
        ({"Properties": {**TABLE, "TableName": {"Ref": "Nobody"}}}, "Unresolved resource dependencies [Nobody]"),
        ({"Properties": {**TABLE, "TableName": {"Fn::Sub": "${Nobody.Arn}"}}}, "resource dependencies [Nobody]"),
        ({"Properties": {**TABLE, "TableName": {"Fn::GetAtt": "Nobody.Arn"}}}, "references undefined resource Nobody"),
        ({"Properties": {**TABLE, "TableName": {"Fn::If": ["Nobody", "a", "b"]}}}, "condition dependency Nobody"),
        ({"Properties": {**TABLE, "TableName": {"Fn::Nonsense": "a"}}}, "Fn::Nonsense is not served here"),
        ({"Properties": {**TABLE, "TableName": {"Fn::Transform": {"Name": "M"}}}}, "Fn::Transform is not served here"),
        ({"Properties": {**TABLE, "TableName": {"Ref": "Thing"}}}, "Circular dependency between resources: [Thing]"),
    ],
)
def test_a_resource_that_cannot_be_made_as_written_is_refused(
    emulator: Emulator, attributes: dict[str, Any], text: str
) -> None:
    assert text in refused(emulator, template(attributes))


@pytest.mark.parametrize(
    ("sections", "text"),
    [
        ({"Nonsense": {}}, "Invalid template property or properties [Nonsense]"),
        ({"Hooks": {}}, "Hooks are not served here"),
        ({"Transform": "AWS::Serverless-2016-10-31"}, "AWS::Serverless-2016-10-31 is not served here"),
        ({"Transform": ["AWS::LanguageExtensions", "Mine"]}, "The transform Mine is not served here"),
        ({"AWSTemplateFormatVersion": "2011-01-01"}, "unsupported value for AWSTemplateFormatVersion"),
        ({"Description": ["a"]}, "Description must be a String"),
        ({"Mappings": {"M": {"a": "b"}}}, "Every Mappings attribute must be a String or a List"),
        ({"Outputs": {"O": {}}}, "Every Outputs member must contain a Value object"),
        ({"Outputs": {"O": {"Value": {"Ref": "Nobody"}}}}, "[Nobody] in the Outputs block"),
        ({"Outputs": {"O-1": {"Value": "a"}}}, "Output name O-1 is non alphanumeric"),
        ({"Parameters": {"P": {"Type": "Strin", "Default": "a"}}}, "The parameter type Strin of P is not served"),
        ({"Parameters": {"P": {"Default": "a"}}}, "Every Parameters object must contain a Type member"),
        ({"Parameters": {"P": {"Type": "String", "Nonsense": 1}}}, "Invalid template parameter property 'Nonsense'"),
        ({"Conditions": {"C": {"Condition": "C"}}}, "Circular dependency between conditions: [C]"),
        ({"Conditions": {"C": {"Condition": "D"}}}, "Unresolved condition dependency D in the Conditions block"),
        ({"Conditions": {"C": {"Fn::Nonsense": []}}}, "must be a condition function"),
        ({"Conditions": {"C": {"Fn::Equals": [{"Ref": "Thing"}, "a"]}}}, "Cannot reference resources"),
    ],
)  # fmt: skip
def test_a_section_that_aws_does_not_have_is_refused(emulator: Emulator, sections: dict[str, Any], text: str) -> None:
    assert text in refused(emulator, template(**sections))


def test_a_template_without_resources_is_refused(emulator: Emulator) -> None:
    assert "At least one Resources member must be defined." in refused(emulator, {"Resources": {}})


def test_a_circle_of_resources_is_refused(emulator: Emulator) -> None:
    circle = {"Resources": {"A": {**THING, "DependsOn": "B"}, "B": {**THING, "DependsOn": ["A"]}}}
    assert refused(emulator, circle) == "Circular dependency between resources: [A, B]"


def test_a_parameter_that_the_template_does_not_have_is_refused(emulator: Emulator) -> None:
    given = [{"ParameterKey": "Nobody", "ParameterValue": "a"}]
    assert refused(emulator, template(), Parameters=given) == "Parameters: [Nobody] do not exist in the template"


def test_an_output_of_a_resource_that_is_not_made_is_refused(emulator: Emulator) -> None:
    sections = {"Conditions": {"Never": {"Fn::Equals": ["a", "b"]}}, "Outputs": {"Name": {"Value": {"Ref": "Thing"}}}}
    assert "[Thing] in the Outputs block" in refused(emulator, template({"Condition": "Never"}, **sections))


@pytest.mark.parametrize(
    "value",
    [
        {"Ref": "AWS::Region"},
        {"Fn::FindInMap": ["Places", "here", "name"]},
        {"Fn::Join": ["-", ["eu", "west", "1"]]},
        {"Fn::Sub": "${AWS::Region}"},
        {"Fn::Select": [0, ["eu-west-1"]]},
    ],
)
def test_functions_in_a_condition_are_evaluated(emulator: Emulator, value: dict[str, Any]) -> None:
    sections = {
        "Mappings": {"Places": {"here": {"name": "eu-west-1"}}},
        "Conditions": {"Here": {"Fn::Equals": [value, "eu-west-1"]}},
        "Outputs": {"Found": {"Value": "yes", "Condition": "Here"}},
    }
    assert make(emulator, "AWS::DynamoDB::Table", TABLE, **sections) == {"Found": "yes"}


def test_possible_values_that_look_like_booleans_are_texts(emulator: Emulator) -> None:
    switch = {"Type": "String", "AllowedValues": [True, False], "Default": True}
    outputs = {"Switch": {"Value": {"Ref": "Switch"}}}
    made = make(emulator, "AWS::DynamoDB::Table", TABLE, Parameters={"Switch": switch}, Outputs=outputs)
    assert made == {"Switch": "true"}


def test_an_update_that_is_refused_leaves_the_stack_as_it_was(emulator: Emulator) -> None:
    name, stacks = f"t{secrets.token_hex(4)}", client(emulator, "cloudformation", emulator.root)
    stacks.create_stack(StackName=name, TemplateBody=json.dumps(template()))
    stacks.get_waiter("stack_create_complete").wait(StackName=name, WaiterConfig={"Delay": 1})
    before = stacks.get_template(StackName=name)["TemplateBody"]
    streamed = {"Properties": {**TABLE, "StreamSpecification": {"StreamViewType": "KEYS_ONLY"}}}
    request = {"StackName": name, "TemplateBody": json.dumps(template(streamed))}
    for call in (stacks.update_stack, lambda **one: stacks.create_change_set(ChangeSetName="c", **one)):
        with pytest.raises(ClientError, match=r"StreamSpecification\.StreamViewType is not served"):
            call(**request)
    assert stacks.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"] == "CREATE_COMPLETE"
    assert stacks.get_template(StackName=name)["TemplateBody"] == before
    assert stacks.list_change_sets(StackName=name)["Summaries"] == []
