"""A run in JSON for programs, and in tables for people."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from runstore import clock
from runstore_inspector import executions, words
from runstore_inspector.cli.tables import STATUS_STYLES, Column, print_table
from runstore_inspector.overview import REDACTED
from runstore_inspector.problems import one_line

if TYPE_CHECKING:
    from runstore_inspector.cli.options import Session
    from runstore_inspector.executions import Execution
    from runstore_inspector.overview import Overview
    from runstore_inspector.reading import Key, Keys
    from runstore_inspector.steps import Step, Wait

_PREVIEW, _PIPED_PREVIEW = 160, 2_000  # characters of a value
_LABEL = 11


# ---------------------------------------------------------------------------------------------- JSON


def execution(run: Execution) -> dict[str, Any]:
    """Return an execution."""
    return {
        "run": run.arn,
        "name": run.name,
        "machine": run.machine_arn,
        "status": run.status,
        "started": words.iso(run.started),
        "stopped": words.iso(run.stopped),
        "seconds": round(run.seconds, 3),
        "redrives": run.redrives,
    }


def summary(keys: Keys) -> dict[str, Any]:
    """Return how many keys a run has, and how large they are; `complete` tells whether all were read."""
    return {
        "keys": len(keys.keys),
        "bytes": keys.size,
        "complete": keys.following is None,
        "expiresAt": words.iso(keys.expires_at),
    }


def key(shown: Key) -> dict[str, Any]:
    """Return a key; a list's `value` has the elements of its first item in the table alone. A hidden key has none."""
    found: dict[str, Any] = {"key": shown.name, "kind": shown.kind}
    if shown.hidden:
        found |= {"length": shown.length} if shown.kind == "list" else {}
    elif shown.kind == "list":
        elements = json.loads(f"[{','.join(shown.first)}]")
        found |= {"value": elements, "length": shown.length, "complete": len(elements) == shown.length}
    else:
        found["value"] = json.loads(shown.text)
    return found | {"bytes": shown.size, "exact": shown.exact, "expiresAt": words.iso(shown.expires_at)}


def run(view: Overview) -> dict[str, Any]:
    """Return all that is known of a run."""
    document: dict[str, Any] = {"run": view.run.id, "name": view.run.name, "status": view.status}
    if view.run.execution is not None:
        document |= execution(view.run.execution)
        document |= {"error": view.run.execution.error, "cause": view.run.execution.cause}
    document["keys"] = [key(each) for each in view.keys.keys]
    document["following"] = view.keys.following
    if view.workflow is not None:
        document["steps"] = [step(each) for each in view.workflow.steps]
        document["waits"] = [wait(each) for each in view.workflow.waits]
        document["stepsComplete"] = not view.workflow.unread
    return document


def step(shown: Step) -> dict[str, Any]:
    """Return a step."""
    return {
        "id": shown.id,
        "action": shown.action,
        "status": shown.status,
        "role": shown.role,
        "attempts": shown.attempts,
        "due": words.iso(shown.due),
        "began": words.iso(shown.began),
        "ended": words.iso(shown.ended),
        "error": shown.error or None,
        "message": shown.message or None,
        "payloadBytes": shown.payload_bytes,
    }


def wait(shown: Wait) -> dict[str, Any]:
    """Return a wait."""
    return {
        "stepId": shown.step_id,
        "action": shown.action,
        "askedBy": shown.asked_by,
        "deadline": words.iso(shown.deadline),
        "onTimeout": shown.on_timeout,
    }


# ---------------------------------------------------------------------------------------------- for people


def print_run(session: Session, view: Overview) -> None:
    """Print a run."""
    for label, text in facts(view):
        print_fact(session, label, text)
    if view.workflow is not None:
        print_steps(session, view)
    click.echo()
    if view.keys.keys:
        print_table(session, KEY_COLUMNS, [key_row(each, terminal=session.terminal) for each in view.keys.keys])
    else:
        click.echo("It holds no keys." if view.status != "SUCCEEDED" else "Its keys are deleted: it has ended.")
    if view.keys.following is not None:
        more = f"runstore show {view.run.name} --prefix ..."
        session.note(f"there are more keys, from {one_line(view.keys.following)} on: narrow them with {more}")


def facts(view: Overview) -> list[tuple[str, str]]:
    """Return what is known of a run as a whole, label by label."""
    found = [("run", view.run.id), ("status", view.status)]
    shown = view.run.execution
    if shown is not None:
        found.append(("machine", shown.machine))
        found.append(("started", f"{words.moment(shown.started)}, {words.age(clock.now() - shown.started)} ago"))
        found.append(("runs for" if shown.running else "took", words.duration(shown.seconds)))
        if shown.redrives:
            found.append(("redriven", words.count(shown.redrives, "time")))
        if shown.error:
            found.append(("error", f"{shown.error}: {words.explained(shown.cause or '')[0]}".rstrip(": ")))
        found.append(("console", executions.console_link(shown.arn)))
    elif view.run.unasked:
        found.append(("status of", f"its execution is not known: {view.run.unasked}"))
    if view.keys.expires_at is not None:
        found.append(("expires", words.moment(view.keys.expires_at)))
    return found


def print_fact(session: Session, label: str, text: str) -> None:
    """Print one line of facts."""
    styled = text if not session.terminal else click.style(one_line(text), **_click_style(text))
    click.echo(f"{label:<{_LABEL}}{styled if session.terminal else one_line(text)}")


def _click_style(text: str) -> dict[str, Any]:
    style = STATUS_STYLES.get(text, "")
    return {"fg": style.split()[-1], "bold": "bold" in style} if style else {}


KEY_COLUMNS = (
    Column("key"),
    Column("kind"),
    Column("size", number=True),
    Column("value", cut=True),
)


def key_row(shown: Key, *, terminal: bool) -> tuple[str, ...]:
    """Return a key as a table's row."""
    kind = f"list of {shown.length:,}" if shown.kind == "list" else "counter" if shown.kind == "number" else "value"
    characters = _PREVIEW if terminal else _PIPED_PREVIEW
    return shown.name, kind, words.size(shown.size, exact=shown.exact), words.shortened(preview(shown), characters)


def preview(shown: Key) -> str:
    """Return the beginning of what a key holds, as JSON."""
    if shown.hidden:
        return REDACTED
    if shown.kind != "list":
        return shown.text
    more = ",…" if shown.length > len(shown.first) else ""
    return f"[{','.join(shown.first)}{more}]" if shown.first else "[…]" if shown.length else "[]"


STEP_COLUMNS = (
    Column("step"),
    Column("action"),
    Column("status"),
    Column("attempts", number=True),
    Column("took", number=True),
    Column("error", wrap=True),
)


def print_steps(session: Session, view: Overview) -> None:
    """Print the steps of a workflow class and what it waits for."""
    workflow = view.workflow
    if workflow is None:
        return
    click.echo()
    if workflow.steps:
        print_table(session, STEP_COLUMNS, [step_row(each) for each in workflow.steps])
    for each in workflow.waits:
        until = f"until {words.moment(each.deadline)}, which step {each.asked_by} asked for"
        click.echo(one_line(f"{each.action} (step {each.step_id}) waits for an event {until}"))
    if workflow.unread:
        session.note("it has too many steps to read them unasked: see them with --all-steps")


def step_row(shown: Step) -> tuple[str, ...]:
    """Return a step as a table's row."""
    took = "" if shown.began is None else words.duration((shown.ended or clock.now()) - shown.began)
    error = f"{shown.error}: {shown.message}" if shown.error else ""
    action = "  " * shown.depth + shown.action + ("" if shown.role == "step" else f" ({shown.role})")
    return shown.id, action, shown.status, f"{shown.attempts or ''}", took, words.shortened(error, 300)


def print_key(session: Session, shown: Key, value: Any, start: int) -> None:
    """Print one key."""
    print_fact(session, "key", shown.name)
    print_fact(session, "kind", key_row(shown, terminal=True)[1])
    print_fact(session, "size", words.size(shown.size, exact=shown.exact))
    print_fact(session, "expires", words.moment(shown.expires_at))
    if shown.hidden:
        print_fact(session, "value", REDACTED)
        return
    if shown.kind == "list":
        print_fact(session, "elements", f"{start:,} to {start + len(value):,} of {shown.length:,}")
    click.echo()
    text = json.dumps(value, ensure_ascii=False, indent=2 if session.terminal else None)
    for line in text.split("\n"):
        click.echo("".join(each if each.isprintable() else json.dumps(each)[1:-1] for each in line))
