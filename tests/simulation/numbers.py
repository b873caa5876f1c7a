"""DynamoDB's type N: 38 significant digits, magnitudes from 1E-130 to 9.99...E+125, and its one way to write each."""

import re
from decimal import Context, Decimal, Inexact, InvalidOperation
from functools import lru_cache
from typing import Any

_EXACT = Context(prec=38, traps=[Inexact, InvalidOperation])
_FORM = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


class NotANumberError(ValueError):
    """DynamoDB would answer ValidationException."""


@lru_cache(maxsize=65536)
def number(text: str) -> Decimal | int:
    """Return the number that `text` stands for."""
    if len(text) <= 20 and text.isascii() and text.isdigit():
        return int(text)
    if not _FORM.fullmatch(text):
        raise NotANumberError(f"A value provided cannot be converted into a number: {text!r}")
    return _fitting(Decimal(text))


def written(value: Decimal | int) -> str:
    """Return `value` as DynamoDB hands it out: without exponent, leading or trailing zeros."""
    return str(value) if isinstance(value, int) else f"{_fitting(value):f}"


def add(left: dict[str, Any], right: dict[str, Any], sign: int = 1) -> dict[str, Any]:
    """Return the sum (or the difference) of two numbers, as attribute values."""
    if "N" not in left or "N" not in right:
        raise NotANumberError("An operand in the update expression has an incorrect data type")
    a, b = number(left["N"]), number(right["N"])
    if isinstance(a, int) and isinstance(b, int):  # both below 10**20
        return {"N": str(a + sign * b)}
    try:
        return {"N": written((_EXACT.add if sign > 0 else _EXACT.subtract)(Decimal(a), Decimal(b)))}
    except Inexact:
        raise NotANumberError("DynamoDB only supports precision up to 38 digits") from None


def _fitting(value: Decimal) -> Decimal:
    try:
        value = value.normalize(_EXACT)
    except Inexact:
        raise NotANumberError("DynamoDB only supports precision up to 38 digits") from None
    if not value:
        return Decimal(0)
    if not -130 <= value.adjusted() <= 125:
        raise NotANumberError("Number overflow or underflow")
    return value
