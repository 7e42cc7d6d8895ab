"""Expressions are refused with AWS's words, whatever the item is."""

from typing import Any

import pytest

from tests.expressions.requests import condition_holds, number, projected_by, refusal_of, searched, text, updated

V = {":v": number(1)}
S = {":v": text("x")}
TYPE = "Incorrect operand type for operator or function;"


@pytest.mark.parametrize(
    ("expression", "values", "refusal"),
    [
        (" ", None, "The expression can not be empty;"),
        ("a = ", None, 'Syntax error; token: "<EOF>", near: "= "'),
        ("a", None, 'Syntax error; token: "<EOF>", near: "a"'),
        ("a == :v", V, 'Syntax error; token: "=", near: "== :v"'),
        ("a = :v b", V, 'Syntax error; token: "b", near: ":v b"'),
        ("_a = :v", V, 'Syntax error; token: "_", near: "_a"'),
        ("a = 5", None, 'Syntax error; token: "5", near: "= 5"'),
        ("a = :v AND", V, 'Syntax error; token: "<EOF>", near: "AND"'),
        ("(a = :v", V, 'Syntax error; token: "<EOF>", near: ":v"'),
        ("a = :v)", V, 'Syntax error; token: ")", near: ":v)"'),
        ("a IN ()", None, 'Syntax error; token: ")", near: "()"'),
        ("a[:v] = :v", V, 'Syntax error; token: ":v", near: "[:v]"'),
        ("a.:v = :v", V, 'Syntax error; token: ":v", near: ".:v ="'),
        ("a $ :v", V, 'Syntax error; token: "$", near: "a $ :v"'),
        ("((a = :v))", V, "The expression has redundant parentheses;"),
        ("((a)) = :v", V, "The expression has redundant parentheses;"),
        ("a = ((:v))", V, "The expression has redundant parentheses;"),
        ("total = :v", V, "Attribute name is a reserved keyword; reserved keyword: total"),
        ("a.Size = :v", V, "Attribute name is a reserved keyword; reserved keyword: Size"),
        ("a[2147483648] = :v", V, "List index is not within the allowable range; index: [2147483648]"),
        ("dog(a)", None, "Invalid function name; function: dog"),
        ("a = Size(b)", None, "Invalid function name; function: Size"),
        ("size(a)", None, "The function is not allowed to be used this way in an expression; function: size"),
        (
            "a = contains(b, :v)",
            V,
            "The function is not allowed to be used this way in an expression; function: contains",
        ),
        (
            "attribute_exists(size(a))",
            None,
            "Operator or function requires a document path; operator or function: attribute_exists",
        ),
        ("a = list_append(b, :v)", V, "The function is not allowed in a condition expression; function: list_append"),
        (
            "begins_with(a)",
            None,
            (
                "Incorrect number of operands for operator or function; operator or function: begins_with, "
                "number of operands: 1"
            ),
        ),
        (
            "#a = :v",
            V,
            "An expression attribute name used in the document path is not defined; attribute name: #a",
        ),
        ("a = :w", V, "An expression attribute value used in expression is not defined; attribute value: :w"),
        ("a < :v", {":v": {"M": {}}}, f"{TYPE} operator or function: <, operand type: M"),
        ("a BETWEEN :v AND :v", {":v": {"BOOL": True}}, f"{TYPE} operator or function: BETWEEN, operand type: BOOL"),
        ("begins_with(a, :v)", V, f"{TYPE} operator or function: begins_with, operand type: N"),
        ("size(:v) = :v", V, f"{TYPE} operator or function: size, operand type: N"),
        (
            "attribute_type(a, :v)",
            {":v": text("DOG")},
            "Invalid attribute type name found; type: DOG, valid types: {B,NULL,SS,BOOL,L,BS,N,NS,S,M}",
        ),
        ("attribute_type(a, :v)", V, f"{TYPE} operator or function: attribute_type, operand type: N"),
        (
            "a = a",
            None,
            (
                "The first operand must be distinct from the remaining operands for this operator or function; "
                "operator: =, first operand: [a]"
            ),
        ),
        (
            "a.b[1] IN (:v, a.b[1])",
            V,
            (
                "The first operand must be distinct from the remaining operands for this operator or function; "
                "operator: IN, first operand: [a, b, [1]]"
            ),
        ),
        (
            "a BETWEEN :v AND :w",
            {":v": number(2), ":w": number(1)},
            (
                "The BETWEEN operator requires upper bound to be greater than or equal to lower bound; lower bound "
                "operand: AttributeValue: {N:2}, upper bound operand: AttributeValue: {N:1}"
            ),
        ),
        (
            "a BETWEEN :v AND :w",
            {":v": number(2), ":w": text("3")},
            (
                "The BETWEEN operator requires same data type for lower and upper bounds; lower bound "
                "operand: AttributeValue: {N:2}, upper bound operand: AttributeValue: {S:3}"
            ),
        ),
        (
            f"a IN ({', '.join([':v'] * 101)})",
            V,
            "The IN operator is provided with too many operands; number of operands: 101",
        ),
        ("x" * 4097, None, "Expression size has exceeded the maximum allowed size; expression size: 4097"),
        ("NOT " * 300 + "a = :v", V, "The expression contains too many operators; operator count: 301"),
        ("a" + ".a" * 32 + " = :v", V, "The document path has too many nesting levels; nesting levels: 33"),
        ("(" * 4000, None, 'Syntax error; token: "<EOF>", near: "("'),
        ("a < " + "f(" * 1300 + "b" + ")" * 1300, None, "Invalid function name; function: f"),
    ],
)
def test_a_condition_is_refused(expression: str, values: Any, refusal: str) -> None:
    assert refusal_of(condition_holds, expression, {}, values) == f"Invalid ConditionExpression: {refusal}"


@pytest.mark.parametrize("condition", ["a<:v " + "or (a<:v " * 149 + ")" * 149, f"a IN ({', '.join([':v'] * 100)})"])
def test_conditions_within_the_limits_are_accepted(condition: str) -> None:
    assert condition_holds(condition, {"a": number(1)}, V) == ("IN" in condition)


@pytest.mark.parametrize(
    ("expression", "values", "refusal"),
    [
        ("", None, "The expression can not be empty;"),
        ("foo a", None, 'Syntax error; token: "foo", near: "foo a"'),
        ("SET a = :v,", V, 'Syntax error; token: "<EOF>", near: ","'),
        ("SET a", None, 'Syntax error; token: "<EOF>", near: "a"'),
        ("SET a = b + c + d", None, 'Syntax error; token: "+", near: "c + d"'),
        ("ADD a b", None, 'Syntax error; token: "b", near: "a b"'),
        ("REMOVE a :v", V, 'Syntax error; token: ":v", near: "a :v"'),
        ("SET a = :v SET b = :v", V, 'The "SET" section can only be used once in an update expression;'),
        ("REMOVE a ADD b :v REMOVE c", V, 'The "REMOVE" section can only be used once in an update expression;'),
        ("SET name = :v", V, "Attribute name is a reserved keyword; reserved keyword: name"),
        ("SET a = dog(b)", None, "Invalid function name; function: dog"),
        ("SET a = size(b)", None, "The function is not allowed in an update expression; function: size"),
        (
            "SET a = list_append(list_append(a, b), c)",
            None,
            "The function is not allowed to be used this way in an expression; function: list_append",
        ),
        (
            "SET a = if_not_exists(:v, :v)",
            V,
            "Operator or function requires a document path; operator or function: if_not_exists",
        ),
        (
            "SET a = if_not_exists(b)",
            None,
            (
                "Incorrect number of operands for operator or function; operator or function: if_not_exists, "
                "number of operands: 1"
            ),
        ),
        ("SET a = b + :v", S, f"{TYPE} operator or function: +, operand type: S"),
        ("SET a = :v - b", S, f"{TYPE} operator or function: -, operand type: S"),
        ("SET a = list_append(b, :v)", S, f"{TYPE} operator or function: list_append, operand type: S"),
        ("ADD a :v", S, f"{TYPE} operator: ADD, operand type: STRING, typeSet: ALLOWED_FOR_ADD_OPERAND"),
        ("DELETE a :v", V, f"{TYPE} operator: DELETE, operand type: NUMBER, typeSet: ALLOWED_FOR_DELETE_OPERAND"),
        *(
            (
                expression,
                V,
                (
                    f"Two document paths {problem} with each other; must remove or rewrite one of these paths; "
                    f"path one: {one}, path two: {two}"
                ),
            )
            for expression, problem, one, two in (
                ("SET a = :v, a = :v", "overlap", "[a]", "[a]"),
                ("SET m = :v, m.b = :v", "overlap", "[m]", "[m, b]"),
                ("SET l = :v, l[0] = :v", "overlap", "[l]", "[l, [0]]"),
                ("SET m.b = :v REMOVE m", "overlap", "[m, b]", "[m]"),
                ("SET a.b = :v, a[0] = :v", "conflict", "[a, b]", "[a, [0]]"),
            )
        ),
    ],
)
def test_an_update_is_refused(expression: str, values: Any, refusal: str) -> None:
    assert refusal_of(updated, expression, {}, values) == f"Invalid UpdateExpression: {refusal}"


def test_functions_nested_very_deeply_are_refused_with_a_reason() -> None:
    deep = "SET a = " + "if_not_exists(a, " * 200 + ":v" + ")" * 200
    assert "nested more than" in refusal_of(updated, deep, {}, {":v": {"N": "1"}})


@pytest.mark.parametrize(
    ("expression", "refusal"),
    [
        ("", "The expression can not be empty;"),
        ("a,", 'Syntax error; token: "<EOF>", near: ","'),
        ("a b", 'Syntax error; token: "b", near: "a b"'),
        ("a.b, a[1]", "conflict"),
        ("a.b, a", "overlap"),
        ("a, b, a", "overlap"),
        ("a, status", "Attribute name is a reserved keyword; reserved keyword: status"),
        ("a[01]", 'Syntax error; token: "1", near: "01]"'),
    ],
)
def test_a_projection_is_refused(expression: str, refusal: str) -> None:
    assert refusal in refusal_of(projected_by, expression)


@pytest.mark.parametrize(
    ("expression", "refusal"),
    [
        ("pk = :p OR sk = :v", "Invalid operator used in KeyConditionExpression: OR"),
        ("NOT pk = :p AND sk = :v", "Invalid operator used in KeyConditionExpression: NOT"),
        ("pk = :p AND sk <> :v", "Invalid operator used in KeyConditionExpression: <>"),
        ("pk = :p AND sk IN (:v)", "Invalid operator used in KeyConditionExpression: IN"),
        ("pk = :p AND contains(sk, :v)", "Invalid operator used in KeyConditionExpression: contains"),
        (
            "pk = :p AND attribute_exists(sk) AND sk = :v",
            "Invalid operator used in KeyConditionExpression: attribute_exists",
        ),
        ("pk = :p AND size(sk) = :v", "KeyConditionExpressions cannot contain nested operations"),
        ("pk = :p AND sk.x = :v", "KeyConditionExpressions cannot have conditions on nested attributes"),
        (
            "pk = :p AND sk = zz AND sk = :v",
            "Invalid condition in KeyConditionExpression: Multiple attribute names used in one condition",
        ),
        (
            "pk = :p AND sk > :v AND sk < :v",
            "Invalid KeyConditionExpression: KeyConditionExpressions must only contain one condition per key",
        ),
        ("sk = :v AND zz = :p", "Query condition missed key schema element: pk"),
        ("pk = :p AND zz = :v", "Query condition missed key schema element: sk"),
        ("pk > :p AND sk = :v", "Query key condition not supported"),
        (
            "pk = :v AND sk = :p",
            "One or more parameter values were invalid: Condition parameter type does not match schema type",
        ),
        (
            "pk = :p AND begins_with(sk, :v)",
            f"Invalid KeyConditionExpression: {TYPE} operator or function: begins_with, operand type: N",
        ),
    ],
)
def test_a_key_condition_is_refused(expression: str, refusal: str) -> None:
    assert refusal_of(searched, expression, {":p": text("x"), ":v": number(1)}) == refusal


@pytest.mark.parametrize("filtered", ["pk = :v", "NOT sk = :v", "contains(pk, :v) OR a = :v"])
def test_a_querys_filter_has_no_key_attributes(filtered: str) -> None:
    values = {":p": text("x"), ":v": number(1)}
    assert refusal_of(searched, "pk = :p", values, FilterExpression=filtered).startswith(
        "Filter Expression can only contain non-primary key attributes: Primary key attribute: "
    )
