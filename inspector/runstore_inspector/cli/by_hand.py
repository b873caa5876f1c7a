"""Changing a run by hand: the operations of the package, with the same checks as everywhere."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import click

from runstore.aws_lambda.reading import find_range
from runstore_inspector import executions, sending, words
from runstore_inspector.cli.options import Session, subcommand
from runstore_inspector.problems import NotFoundError, UsageError, one_line

if TYPE_CHECKING:
    from runstore import JSON, RunStore

_NEGATIVE = {"ignore_unknown_options": True}  # so that -5 is a value, not an option
_TOKEN = click.option(
    "--token", metavar="TEXT", help="Names this operation: repeated with the same token, it counts once."
)
_TEXT = click.option("--text", "is_text", is_flag=True, help="Take the value as text, also if it looks like JSON.")


def parsed(given: str, *, is_text: bool) -> JSON:
    """Return the value that an argument stands for."""
    text = sys.stdin.read() if given == "-" else given
    if is_text:
        return text.removesuffix("\n") if given == "-" else text
    try:
        value: JSON = json.loads(text)
    except ValueError as error:
        if given == "-" or text.lstrip()[:1] in {"{", "[", '"'}:
            raise UsageError(f"the value must be JSON; {error}. To store it as text, pass --text") from error
        return text
    except RecursionError as error:
        raise UsageError("the value is nested too deeply") from error
    return value


def writable(session: Session, run: str) -> RunStore:
    """Return the store of a run that is written to; one that nothing is known of begins with this write."""
    found = executions.look_up(session.connection, run)
    if found is None:
        session.note(f"runstore: {one_line(run)} is new: there was no such run before")
    return session.connection.store(found.id if found else run)


def answer(session: Session, result: dict[str, Any], text: str) -> None:
    """Print an operation's result."""
    if session.as_json:
        session.document(result)
    else:
        click.echo(text)


@subcommand("get")
@click.argument("run")
@click.argument("key")
@click.option("--start", type=click.IntRange(0), help="Only a list's elements from this index on.")
@click.option("--limit", type=click.IntRange(0), help="At most so many of a list's elements.")
def get(session: Session, run: str, key: str, start: int | None, limit: int | None) -> None:
    """Print a key's value as JSON. Exit code 1 when the key is not set."""
    store = session.connection.store(executions.find(session.connection, run).id)
    if start is None and limit is None:
        found, value = store.find(key)
    else:
        found, value = find_range(store, key, start or 0, limit, max_bytes=None)
    if not found:
        raise NotFoundError(f"the key {one_line(key)} is not set in the run {one_line(run)}")
    if session.as_json:
        session.document({"key": key, "value": value})
    else:
        click.echo(_printable(json.dumps(value, ensure_ascii=False, indent=2 if session.terminal else None)))


def _printable(text: str) -> str:
    """Escape what could steer a terminal; JSON has escaped the rest."""
    return "".join(
        character if character.isprintable() or character == "\n" else json.dumps(character)[1:-1] for character in text
    )


@subcommand("set", context_settings=_NEGATIVE)
@click.argument("run")
@click.argument("key")
@click.argument("value")
@_TEXT
def set_value(session: Session, run: str, key: str, value: str, *, is_text: bool) -> None:
    """Set a key to a value, whatever it held before.

    VALUE is JSON; anything that cannot be meant as JSON is text; - reads it from standard input.
    """
    writable(session, run).set(key, parsed(value, is_text=is_text))
    answer(session, {"key": key}, f"{one_line(key)} is set")


@subcommand("push", context_settings=_NEGATIVE)
@click.argument("run")
@click.argument("key")
@click.argument("item")
@_TOKEN
@_TEXT
def push(session: Session, run: str, key: str, item: str, token: str | None, *, is_text: bool) -> None:
    """Append an item to a list and print its length.

    ITEM is JSON; anything that cannot be meant as JSON is text; - reads it from standard input.
    """
    length = writable(session, run).push(key, parsed(item, is_text=is_text), token=token)
    answer(session, {"key": key, "length": length}, f"{length}")


@subcommand("increment", context_settings=_NEGATIVE)
@click.argument("run")
@click.argument("key")
@click.argument("delta", default="1")
@_TOKEN
def increment(session: Session, run: str, key: str, delta: str, token: str | None) -> None:
    """Add DELTA (1 if left out) to a counter and print its new value."""
    amount: Any = parsed(delta, is_text=False)
    if isinstance(amount, bool) or not isinstance(amount, (int, float)):
        raise UsageError(f"DELTA must be a number; got {words.shortened(one_line(delta), 60)}")
    value = writable(session, run).increment(key, amount, token=token)
    answer(session, {"key": key, "value": value}, f"{value}")


@subcommand("delete")
@click.argument("run")
@click.argument("key")
@click.option("--yes", is_flag=True, help="Do not ask.")
def delete(session: Session, run: str, key: str, *, yes: bool) -> None:
    """Remove a key. On a terminal it asks first."""
    store = session.connection.store(executions.find(session.connection, run).id)
    confirm(session, f"Delete the key {one_line(key)} of the run {one_line(run)}?", yes=yes)
    store.delete(key)
    answer(session, {"key": key}, f"{one_line(key)} is deleted")


@subcommand("complete")
@click.argument("run")
@click.option("--yes", is_flag=True, help="Do not ask.")
def complete(session: Session, run: str, *, yes: bool) -> None:
    """Delete everything of a run that has ended. On a terminal it asks first."""
    found = executions.find(session.connection, run)
    running = found.execution is not None and found.execution.running
    warning = " Its execution is still running." if running else ""
    confirm(session, f"Delete everything of the run {one_line(found.id)}?{warning}", yes=yes)
    deleted = session.connection.store(found.id).complete()
    answer(session, {"runId": found.id, "deleted": deleted}, f"{words.count(deleted, 'item')} deleted")


@subcommand("send", context_settings=_NEGATIVE)
@click.argument("token")
@click.argument("body", required=False)
@_TEXT
def send(session: Session, token: str, body: str | None, *, is_text: bool) -> None:
    """Send an event to a workflow step that waits for it.

    BODY is JSON; anything that cannot be meant as JSON is text; - reads it from standard input. Without one it is null.
    """
    result = sending.send(session.connection, token, None if body is None else parsed(body, is_text=is_text))
    text = (
        "the event is accepted" if result.get("accepted") else "the wait has had an event before: this one is not used"
    )
    answer(session, result, text)


def confirm(session: Session, question: str, *, yes: bool) -> None:
    """Ask a person, if there is one, and end the command on anything but a yes."""
    if not yes and session.may_ask and not click.confirm(question, default=False):
        click.echo("nothing was changed", err=True)
        sys.exit(0)


COMMANDS = (get, set_value, push, increment, delete, send, complete)
