"""JSON text and numbers, beside what the contract suite shows through a store."""

import itertools
import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runstore.errors import InvalidValueError, ValueTooLargeError
from runstore.model.values import decode, decode_list, decode_number, encode, encode_list, encode_number

LIMIT = 350_000
ANY_TEXT = st.text(st.characters(exclude_categories=()))  # lone surrogates too
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(ANY_TEXT, inner, max_size=5),
    max_leaves=8,
)


@given(ANY_JSON)
def test_text_decodes_to_an_equal_value(value: Any) -> None:
    """Any JSON value is equal to what its text decodes to, and the text can be stored: it is UTF-8."""
    text, size = encode(value, "value", LIMIT)
    assert decode(text) == value
    assert len(text.encode()) == size


@given(ANY_JSON)
def test_text_is_compact(value: Any) -> None:
    """The text has no byte that it could do without, beyond the choice of escapes."""
    text, _ = encode(value, "value", LIMIT)
    assert json.dumps(json.loads(text), ensure_ascii=True, separators=(",", ":")) == json.dumps(
        value, separators=(",", ":")
    )
    assert len(text) <= len(json.dumps(value, separators=(",", ":")))


@given(st.lists(ANY_JSON, max_size=4))
@settings(max_examples=40)
def test_many_texts_decode_as_one_list(elements: list[Any]) -> None:
    """A list decodes in one parse to what its elements were."""
    assert decode_list(text for text, _ in encode_list(elements, "items", LIMIT)) == elements


@pytest.mark.parametrize(
    ("value", "size"), [("", 2), ("ß", 4), ("🧾", 6), ("\ud800", 8), ("\n", 4), ("\x00", 8), ([1, 2], 5), ({"a": 1}, 7)]
)
def test_bytes_are_those_of_the_stored_text(value: Any, size: int) -> None:
    """Characters beyond ASCII count as they are kept, lone surrogates as their escapes; the limit is exact."""
    assert encode(value, "value", size)[1] == size
    with pytest.raises(ValueTooLargeError):
        encode(value, "value", size - 1)


@given(st.integers() | st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_in_dynamodb_s_form_is_the_same_number(value: float) -> None:
    """What DynamoDB's numbers hold comes back equal; what they do not hold is not given to them."""
    text = encode_number(value)
    if text is not None:
        assert decode_number(text) == value
        digits = Decimal(text).as_tuple()
        assert len(digits.digits) <= 38 or set(digits.digits[38:]) == {0}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"), (-0.0, "0"), (5, "5"), (-5, "-5"), (5.0, "5"), (0.1, "0.1"), (1e23, "99999999999999991611392"),
        (10**37, "1" + "0" * 37), (10**38, "1E+38"), (10**125, "1E+125"), (10**126, None),
        (1e-130, "1E-130"), (1e-131, None),
        (10**38 - 1, "9" * 38), (10**38 + 1, None), (10**40, "1E+40"), (5e-324, None), (10**5_000, None),
    ],
    ids=itertools.count(),
)  # fmt: skip
def test_numbers_that_fit(value: float, text: str | None) -> None:
    """38 digits, and magnitudes from 1E-130 to 9.99E+125."""
    assert encode_number(value) == text


@given(st.decimals(allow_nan=False, allow_infinity=False, places=3, min_value=-(10**9), max_value=10**9))
def test_decimals_come_back_as_the_nearest_float(number: Decimal) -> None:
    """A counter's value is an int if it is whole, else the float that is written the same way."""
    value = decode_number(str(number))
    assert value == (int(number) if number == int(number) else float(str(number)))
    assert isinstance(value, int) == (number == int(number))


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ({"a": {"b": [0, object()]}}, "value.a.b[1]"),
        ([[object()]], "value[0][0]"),
        ({"not an identifier": object()}, "value['not an identifier']"),
        ({"": object()}, "value['']"),
        ({1: object()}, "value['1']"),
        (object(), "value"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_path_can_be_read(value: Any, path: str) -> None:
    """The path to the offender is written as one would in Python."""
    with pytest.raises(InvalidValueError) as caught:
        encode(value, "value", LIMIT)
    assert str(caught.value).startswith(f"{path} must be a string, a number, true")


def test_the_first_offender_is_named() -> None:
    """Of several offenders the first in the order of the text is named."""
    with pytest.raises(InvalidValueError, match=r"^value\.a\[0\] must be .*; got an object"):
        encode({"a": [object(), object()], "b": object()}, "value", LIMIT)
