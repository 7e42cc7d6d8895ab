"""What UpdateItem counts for the text of an update, beside the item, towards the limit of 400 KB.

AWS does not document this. The numbers were measured by others: 3 for the update, 19 for each SET and ADD, 1 for each
REMOVE and DELETE, and what their paths and operands cost.
"""

from typing import Final

from emulator.expressions.paths import find
from emulator.expressions.sizes import text_size, value_size
from emulator.expressions.syntax import Action, Arithmetic, Call, Literal, Operand, Path, Update
from emulator.expressions.values import SETS, Item, Value, keys_of, member_key, type_of

_UPDATE, _WRITE, _REMOVAL = 3, 19, 1
_STEP, _READ, _READ_STEP = 4, 1, 14
_OPERATORS: Final = {"+": 34, "-": 37, "if_not_exists": 39, "list_append": 37}


def update_charge(update: Update, item: Item) -> int:
    return _UPDATE + sum(_action_charge(action, item) for action in update.actions)


def _action_charge(action: Action, item: Item) -> int:
    first, *rest = action.path.parts
    target = _part(first) + sum(_STEP + _part(part) for part in rest)
    if action.clause in ("REMOVE", "DELETE") or action.operand is None:
        return _REMOVAL + target
    if action.clause == "ADD" and isinstance(action.operand, Literal) and isinstance(action.path, Path):
        return _WRITE + target + value_size(_new_members(find(action.path, item), action.operand.value))
    return _WRITE + target + _operand_charge(action.operand)


def _operand_charge(operand: Operand) -> int:
    match operand:
        case Literal(value):
            return value_size(value)
        case Call(name, arguments):
            return _OPERATORS.get(name, 0) + sum(map(_operand_charge, arguments))
        case Arithmetic(sign, left, right):
            return _OPERATORS[sign] + _operand_charge(left) + _operand_charge(right)
        case Path(parts):
            return _READ + sum(_READ_STEP + _part(part) for part in parts)
        case _:
            return 0


def _new_members(old: Value | None, added: Value) -> Value:
    kind = type_of(added)
    if old is None or kind not in SETS or kind not in old:
        return added
    known = keys_of(kind, old)
    return {kind: [member for member in added[kind] if member_key(kind, member) not in known]}


def _part(part: str | int) -> int:
    return text_size(str(part))
