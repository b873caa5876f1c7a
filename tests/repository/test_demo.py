"""The parts of the demo that need no stack: orders and prices."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from infra.local.cost import Usage
from infra.local.demo import parse
from infra.local.examples import EXAMPLES
from infra.local.orders import DEFAULT_ORDER, MOST_ITEMS, OrderError, make_order, read_order

ITEM = {"id": "a"}


def written(folder: Path, order: Any) -> Path:
    """Return a file that holds a document as JSON."""
    path = folder / "order.json"
    path.write_text(json.dumps(order), encoding="utf-8")
    return path


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_is_named_as_in_the_template_or_as_its_file(name: str) -> None:
    """`order_workflow` is the name that `ls functions` shows."""
    file = re.sub("(?<!^)(?=[A-Z])", "_", name).lower()
    assert parse(["--workflow", file]).workflow == parse(["--workflow", name]).workflow == name


def test_the_order_of_the_repository_is_one() -> None:
    """The default input is a valid order with several line items."""
    assert len(read_order(DEFAULT_ORDER)["line_items"]) > 1


def test_an_order_waits_as_long_as_the_document_unless_it_says_otherwise(tmp_path: Path) -> None:
    """An order may leave out delaySeconds, which is ten then; fields that no order has are left out."""
    order = {"customer": {"id": 7}, "line_items": [ITEM], "note": "x"}
    assert read_order(written(tmp_path, order)) == {"customer": {"id": 7}, "line_items": [ITEM], "delaySeconds": 10}
    assert read_order(written(tmp_path, order | {"delaySeconds": 0}))["delaySeconds"] == 0


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"customer": None}, "customer.id must be"),
        ({"customer": {"id": True}}, "customer.id must be"),
        ({"customer": {"id": None}}, "customer.id must be"),
        ({"line_items": {}}, "line_items must be a list"),
        ({"line_items": [ITEM, {}]}, "line_items[1].id must be"),
        ({"line_items": [ITEM, 5]}, "line_items[1].id must be"),
        ({"line_items": [ITEM] * (MOST_ITEMS + 1)}, "1,701 line items are more than the 1,700"),
        ({"line_items": [{"id": "x" * 262_144}]}, "larger than the 262,144 bytes"),
        ({"delaySeconds": -1}, "delaySeconds must be"),
        ({"delaySeconds": 1.5}, "delaySeconds must be"),
        ({"delaySeconds": True}, "delaySeconds must be"),
    ],
)
def test_a_document_that_is_no_order_says_what_is_wrong(tmp_path: Path, change: dict[str, Any], fault: str) -> None:
    """The first fault of an order is named in one line with the file."""
    path = written(tmp_path, {"customer": {"id": 1}, "line_items": [ITEM]} | change)
    with pytest.raises(OrderError) as raised:
        read_order(path)
    message = str(raised.value)
    assert message.startswith(f"{path} is not an order: ")
    assert fault in message
    assert "\n" not in message


def test_a_made_up_order_has_so_many_different_items() -> None:
    """ITEMS=500 makes 500 line items with ids of their own; 0 and too many are refused."""
    assert len({item["id"] for item in make_order(500)["line_items"]}) == 500
    for impossible in (-1, 0, MOST_ITEMS + 1):
        with pytest.raises(OrderError):
            make_order(impossible)


def test_the_price_follows_the_units() -> None:
    """A million write units and two million read units cost what the price list says."""
    usage = Usage.of(
        [
            {"operation": "UpdateItem", "write_units": 1_000_000, "read_units": 0},
            {"operation": "GetItem", "write_units": 0, "read_units": 2_000_000},
            {"operation": "UpdateItem", "write_units": 0, "read_units": 0},
        ]
    )
    assert usage.requests == 3
    assert usage.operations == {"UpdateItem": 2, "GetItem": 1}
    assert usage.dollars == pytest.approx(0.625 + 0.25)
