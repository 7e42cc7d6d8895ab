"""Conditions and updates are compared with a second, much smaller reading of AWS's rules on the same trees."""

from collections.abc import Callable, Iterable
from decimal import Context, Decimal
from operator import eq, ge, gt, le, lt, ne
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as some

from emulator.expressions.errors import Invalid
from emulator.expressions.requests import WRITE
from tests.expressions.requests import Item, Value, condition_holds, request, updated

Tree = tuple[Any, ...]  # ("name", "a"), ("value", {"N": "1"}), or an operator followed by trees

EXACT = Context(prec=600, Emax=9999, Emin=-9999)
COMPARED: dict[str, Callable[[Any, Any], bool]] = {"=": eq, "<>": ne, "<": lt, "<=": le, ">": gt, ">=": ge}
NAMES = ("a", "b", "c", "m.x", "l[0]", "l[7]", "zz")
number_texts = some.sampled_from(["0", "-1", "1.0", "10", "1e2", "9.9e125", "1e-130", "9" * 38, "0.1", "-0"])
texts = some.sampled_from(["", "a", "ab", "b", "é"])
scalars = number_texts.map(lambda text: {"N": text}) | texts.map(lambda text: {"S": text})
values = scalars | some.sampled_from([
    {"BOOL": True}, {"NULL": True}, {"SS": ["a", "b"]}, {"SS": ["b", "a"]}, {"NS": ["1", "10"]}, {"NS": ["1e1", "1"]},
    {"L": [{"N": "1"}]}, {"L": []}, {"M": {"x": {"N": "1.00"}}}, {"B": "YQ=="},
])  # fmt: skip
items = some.fixed_dictionaries(
    {},
    optional=dict.fromkeys("abc", values)
    | {"m": some.just({"M": {"x": {"N": "1"}}}), "l": some.just({"L": [{"S": "a"}]})},
)
names = some.sampled_from(NAMES).map(lambda name: ("name", name))
operands = names | values.map(lambda value: ("value", value))
ordered = names | scalars.map(lambda value: ("value", value))
comparisons = some.tuples(some.sampled_from(["=", "<>"]), names, operands) | some.tuples(
    some.sampled_from(["<", "<=", ">", ">="]), names, ordered
)
within = some.tuples(some.just("IN"), names, some.lists(operands, min_size=1, max_size=3))
present = some.tuples(some.sampled_from(["attribute_exists", "attribute_not_exists"]), names)
leaves = (comparisons | within).filter(lambda tree: tree[1] not in (tree[2], *tree[2])) | present
conditions = some.recursive(
    leaves,
    lambda inner: some.tuples(some.sampled_from(["AND", "OR"]), inner, inner) | some.tuples(some.just("NOT"), inner),
    max_leaves=6,
)


# ── The oracle ──────────────────────────────────────────────────────────────────────────────────────────────────────


def plain(value: Value) -> Any:
    """Two values are equal for AWS if these are."""
    [(kind, content)] = value.items()
    match kind:
        case "N":
            return (kind, Decimal(content))
        case "NS":
            return (kind, frozenset(map(Decimal, content)))
        case "SS" | "BS":
            return (kind, frozenset(content))
        case "L":
            return (kind, [plain(member) for member in content])
        case "M":
            return (kind, {name: plain(member) for name, member in content.items()})
    return (kind, content.encode() if kind == "S" else content)


def found(tree: Tree, item: Item) -> Any:
    if tree[0] == "value":
        return plain(tree[1])
    head, part = tree[1][:1], tree[1][1:]
    value: Any = item.get(tree[1] if not part.startswith((".", "[")) else head)
    if value is not None and part == ".x":
        value = value["M"]["x"]
    elif value is not None and part.startswith("["):
        value = value["L"][0] if part == "[0]" else None
    return None if value is None else plain(value)


def expected(tree: Tree, item: Item) -> bool:
    match tree:
        case ("AND", left, right):
            return expected(left, item) and expected(right, item)
        case ("OR", left, right):
            return expected(left, item) or expected(right, item)
        case ("NOT", inner):
            return not expected(inner, item)
        case ("attribute_exists", name):
            return found(name, item) is not None
        case ("attribute_not_exists", name):
            return found(name, item) is None
        case ("IN", name, candidates):
            return any(expected(("=", name, each), item) for each in candidates)
    left, right = found(tree[1], item), found(tree[2], item)
    if left is None or right is None:
        return bool(tree[0] == "<>")
    if tree[0] in ("=", "<>"):
        return COMPARED[tree[0]](left, right)
    comparable = left[0] == right[0] and left[0] in ("S", "N", "B")
    return comparable and COMPARED[tree[0]](left[1], right[1])


def spelled(tree: Tree, given_values: dict[str, Value], *, plainly: bool = True) -> str:
    """With `plainly` as the grammar needs it, otherwise with other case, spaces and parentheses."""
    match tree:
        case ("name", name):
            return str(name)
        case ("value", value):
            given_values[f":v{len(given_values)}"] = value
            return f":v{len(given_values) - 1}"
        case ("NOT", inner):
            return f"{'NOT' if plainly else 'not'} ({spelled(inner, given_values, plainly=plainly)})"
        case ("AND" | "OR", left, right):
            word = tree[0] if plainly else f" {tree[0].lower()}\n"
            sides = (spelled(side, given_values, plainly=plainly) for side in (left, right))
            return f" {word} ".join(f"({side})" for side in sides)
        case ("IN", name, candidates):
            shown = ", ".join(spelled(each, given_values) for each in candidates)
            return f"{spelled(name, given_values)} IN ({shown})"
        case (function, name):
            return f"{function}({spelled(name, given_values)})"
    gap = " " if plainly else ""
    return f"{spelled(tree[1], given_values)}{gap}{tree[0]}{gap}{spelled(tree[2], given_values)}"


# ── What is compared ────────────────────────────────────────────────────────────────────────────────────────────────


@settings(max_examples=300, deadline=None)
@given(conditions, items)
def test_conditions_hold_as_the_oracle_says(tree: Tree, item: Item) -> None:
    given_values: dict[str, Value] = {}
    text = spelled(tree, given_values)
    assert condition_holds(text, item, given_values) == expected(tree, item)


@settings(max_examples=150, deadline=None)
@given(conditions)
def test_spelling_does_not_change_what_is_read(tree: Tree) -> None:
    read = []
    for plainly in (True, False):
        given_values: dict[str, Value] = {}
        text = spelled(tree, given_values, plainly=plainly)
        read.append(request(WRITE, given_values, ConditionExpression=text).condition)
    assert read[0] == read[1]


@settings(max_examples=200, deadline=None)
@given(number_texts, number_texts, some.sampled_from(["SET a = a + :v", "SET a = a - :v", "ADD a :v"]))
def test_sums_are_exact_or_refused(first: str, second: str, expression: str) -> None:
    left, right = Decimal(first), Decimal(second)
    total = EXACT.subtract(left, right) if "-" in expression else EXACT.add(left, right)
    shortest = EXACT.normalize(total)
    fits = len(shortest.as_tuple().digits) <= 38 and (not total or -130 <= shortest.adjusted() <= 125)
    item = {"a": {"N": first}}
    try:
        changed = updated(expression, item, {":v": {"N": second}})
    except Invalid:
        assert not fits
        assert item == {"a": {"N": first}}
    else:
        assert fits
        assert changed["a"] == {"N": format(abs(shortest) if not total else shortest, "f")}


def members(kind: str, *choices: str) -> Any:
    return some.lists(some.sampled_from(choices), min_size=1, unique=True).map(lambda chosen: {kind: chosen})


@settings(max_examples=150, deadline=None)
@given(
    *[members("SS", "", "a", "b", "c") | members("NS", "1", "2.5", "-3", "1e3")] * 2,
    some.sampled_from(["ADD", "DELETE"]),
)
def test_sets_are_united_and_subtracted(old: Value, new: Value, clause: str) -> None:
    [(kind, before)], [(other, given_members)] = old.items(), new.items()
    try:
        changed = updated(f"{clause} a :v", {"a": old}, {":v": new})
    except Invalid:
        assert kind != other
        return
    assert kind == other
    as_keys: Callable[[Iterable[str]], set[Any]] = lambda each: set(map(Decimal, each) if kind == "NS" else each)  # noqa: E731
    united, left = as_keys(before) | as_keys(given_members), as_keys(before) - as_keys(given_members)
    wanted = united if clause == "ADD" else left
    assert as_keys(changed["a"][kind] if "a" in changed else []) == wanted
