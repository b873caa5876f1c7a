"""The records of waits for events: the event, and the task tokens that wait for it.

Both sides write first and read afterwards, so the second sees what the first wrote:

    branch     write the task token, then read the event     an event that is there ends the wait at once
    sender     write the event, then read the task tokens    every token that is there is woken

The event is one conditional write, and so is a time-out in its place: whichever is first counts. A waiter's record and
the event are separate items, because a task token can have 2,048 characters, which each write would pay for.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from base64 import b64decode, b64encode
from dataclasses import dataclass
from typing import TYPE_CHECKING

from runstore.model.expressions import ABSENT
from runstore.workflow.run_record import key_of, number, patiently

if TYPE_CHECKING:
    from typing import Any

    from runstore.dynamodb.table import Table
    from runstore.model.items import Wire

_LAST = "\x7f"  # sorts after every digest
_BASE = 127


@dataclass(frozen=True, slots=True)
class Event:
    """What ended a wait: an event with a body, or a time-out."""

    timed_out: bool
    body: Any = None
    owner: str = ""


@dataclass(frozen=True, slots=True)
class Waiter:
    """A task token of Step Functions that waits, until `deadline` in epoch seconds."""

    task: str
    deadline: float


class WaitRecords:
    """The records of one wait of a run. Each method is one request; reads are consistent."""

    def __init__(self, table: Table, step_id: str, wait: str) -> None:
        self._table = table
        self._event, self._task = key_of("wait", step_id, wait, "event"), key_of("wait", step_id, wait, "task", "")

    def event(self) -> Event | None:
        """Return what has ended the wait, if anything has."""
        return _event(self._table.get_raw(self._event))

    def add_waiter(self, task: str, deadline: float) -> None:
        """Register a task token."""
        key = self._task + hashlib.blake2b(task.encode(), digest_size=12).hexdigest()
        attributes = _packed(task) | {"deadline": number(deadline)}
        patiently(self._table.put, self._table.put_request(key, attributes))

    def waiters(self) -> list[Waiter]:
        """Return the task tokens that have been registered. One request for a megabyte of them."""
        wires = self._table.query(self._task, self._task + _LAST)
        return [Waiter(_unpacked(wire), float(wire["deadline"]["N"])) for wire in wires]

    def send(self, body: str, now: float) -> tuple[bool, Event]:
        """Write an event; return whether it is the one that counts, and the one that does."""
        owner = secrets.token_urlsafe(9)  # a repetition by the transport meets its own record
        attributes = {"body": {"S": body}, "sent": number(now), "owner": {"S": owner}}
        event = self._end(attributes)
        return event.owner == owner, event

    def time_out(self, now: float) -> Event:
        """End the wait by a time-out, unless an event has come; return what has ended it."""
        return self._end({"timed_out": number(now)})

    def _end(self, attributes: dict[str, Any]) -> Event:
        done, found = patiently(self._table.put, self._table.put_request(self._event, attributes, ABSENT))
        event = _event(attributes if done else found)
        return event or Event(timed_out=True)  # deleted between the refusal and the reading: the run is over


def _event(wire: Wire | None) -> Event | None:
    if wire is None:
        return None
    if "timed_out" in wire:
        return Event(timed_out=True)
    return Event(timed_out=False, body=json.loads(wire["body"]["S"]), owner=wire["owner"]["S"])


def _packed(task: str) -> dict[str, Any]:
    """Return a task token as attributes.

    AWS's are base64, which wastes a quarter of each byte. Written with 127 characters of one byte each, a token of
    2,048 characters takes 1,759, and its record two write units instead of three.
    """
    try:
        content = b64decode(task, validate=True)
    except ValueError:
        content = b""
    if not content or b64encode(content).decode() != task:
        return {"task": {"S": task}}
    rest, characters = int.from_bytes(b"\1" + content, "big"), []
    while rest:
        rest, digit = divmod(rest, _BASE)
        characters.append(chr(digit + 1))
    return {"packed": {"S": "".join(characters)}}


def _unpacked(wire: Wire) -> str:
    if "task" in wire:
        return str(wire["task"]["S"])
    total = 0
    for character in reversed(wire["packed"]["S"]):
        total = total * _BASE + ord(character) - 1
    return b64encode(total.to_bytes((total.bit_length() + 7) // 8, "big")[1:]).decode()
