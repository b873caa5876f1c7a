"""Runs that only the table knows: found by reading all of it, which is done only when it is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from runstore import clock
from runstore.model.items import FIRST_USER_KEY, UNIT_SEPARATOR
from runstore_inspector import words
from runstore_inspector.problems import AWS_FAILURES
from runstore_inspector.reading import UNIT_BYTES, wire_bytes

if TYPE_CHECKING:
    from runstore_inspector.connection import Connection

_PRICE = 0.125  # US dollars for a million read units on demand in us-east-1


@dataclass(slots=True)
class Stored:
    """What the table holds of one run."""

    id: str
    keys: int = 0
    items: int = 0
    size: int = 0
    expires_at: int | None = None


def estimate(connection: Connection) -> str:
    """Return in words what reading the whole table costs. DynamoDB counts a table's bytes every six hours."""
    try:
        table: Any = connection.dynamodb.describe_table(TableName=connection.table.rpartition("/")[2])["Table"]
    except AWS_FAILURES:
        return "what that costs is not known: half a read unit per 4 KB (the permission dynamodb:DescribeTable tells)"
    size = table.get("TableSizeBytes") or 0
    units = size / UNIT_BYTES / 2
    return (
        f"about {words.size(size)} when DynamoDB last counted: {words.units(units)} read units, "
        f"{units * _PRICE / 1e6:.4f} USD on demand"
    )


def scan(connection: Connection) -> list[Stored]:
    """Read the whole table and return its runs, those that were written to last at the head.

    Not consistent, at half the price: what was written in the last second may be missing.
    """
    found: dict[str, Stored] = {}
    now = clock.now()
    pages = connection.dynamodb.get_paginator("scan").paginate(TableName=connection.table)
    for page in pages:
        for item in page["Items"]:
            wire: Any = item
            run = found.setdefault(wire["run_id"]["S"], Stored(wire["run_id"]["S"]))
            key, expires_at = wire["key"]["S"], int(wire.get("expires_at", {}).get("N", 0))
            run.items += 1
            run.size += wire_bytes(wire)
            run.keys += key >= FIRST_USER_KEY and UNIT_SEPARATOR not in key and not 0 < expires_at <= now
            run.expires_at = max(run.expires_at or 0, expires_at)
    return sorted(found.values(), key=lambda run: (-(run.expires_at or 0), run.id))
