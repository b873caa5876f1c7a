"""Orders for the example workflow: reading the user's own, or making a large one."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

DEFAULT_ORDER: Final = Path(__file__).with_name("order.json")
DEFAULT_DELAY: Final = 10
MOST_ITEMS: Final = 1_700  # 14 history events a branch; a Standard execution has 25,000
MOST_BYTES: Final = 262_144  # of a Step Functions state


class OrderError(Exception):
    """The order cannot be used; one line that says what is wrong and what is allowed."""


def read_order(path: Path) -> dict[str, Any]:
    """Return the order in a JSON file.

    Raises:
        OrderError: The file is missing, is not JSON, or is not an order.
    """
    try:
        order = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise OrderError(f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:  # also text that is not UTF-8
        raise OrderError(f"{path} is not JSON: {error}") from error
    fault = next(faults(order), None)
    if fault:
        raise OrderError(
            f'{path} is not an order: {fault}; an order is {{"customer": {{"id"}}, "line_items": [{{"id"}}]}}'
        )
    return {"customer": order["customer"], "line_items": order["line_items"], "delaySeconds": delay_of(order)}


def make_order(items: int) -> dict[str, Any]:
    """Return an order with so many line items, each of which waits one second.

    Raises:
        OrderError: The number is not one that an execution can take.
    """
    if not 1 <= items <= MOST_ITEMS:
        raise OrderError(f"ITEMS must be 1 to {MOST_ITEMS:,}, as many as fit one execution; got {items}")
    line_items = [{"id": f"item-{number:04}"} for number in range(1, items + 1)]
    return {"customer": {"id": "C-1024"}, "line_items": line_items, "delaySeconds": 1}


def delay_of(order: dict[str, Any]) -> int:
    """Return how many seconds each branch waits."""
    delay: int = order.get("delaySeconds", DEFAULT_DELAY)
    return delay


def faults(order: Any) -> Iterator[str]:
    """Yield what keeps a document from being an order, the first fault first; each is looked for when asked."""
    if not isinstance(order, dict):
        yield f"it is {kind_of(order)}, not an object"
        return
    customer, items = order.get("customer"), order.get("line_items")
    if not isinstance(customer, dict) or not is_id(customer.get("id")):
        yield "customer.id must be a string or a number"
    if not isinstance(items, list) or not items:
        yield "line_items must be a list of at least one item"
        return
    if len(items) > MOST_ITEMS:
        yield f"{len(items):,} line items are more than the {MOST_ITEMS:,} that fit one execution"
    for index, item in enumerate(items):
        if not isinstance(item, dict) or not is_id(item.get("id")):
            yield f"line_items[{index}].id must be a string or a number"
    delay = order.get("delaySeconds", DEFAULT_DELAY)
    if isinstance(delay, bool) or not isinstance(delay, int) or delay < 0:
        yield "delaySeconds must be a whole number of 0 or more"
    if len(json.dumps(order).encode()) > MOST_BYTES:
        yield f"it is larger than the {MOST_BYTES:,} bytes of a Step Functions state"


def is_id(value: Any) -> bool:
    """Return whether a value can identify something: a string or a number."""
    return isinstance(value, str | int | float) and not isinstance(value, bool)


def kind_of(value: Any) -> str:
    """Return what JSON calls a value."""
    names = {list: "a list", str: "a string", bool: "true or false", int: "a number", float: "a number"}
    return names.get(type(value), "null")
