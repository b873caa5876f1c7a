"""What a workflow class declares: its steps and their options, checked when the class is defined."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeVar, overload

from runstore.workflow.durations import seconds, shown
from runstore.workflow.errors import InvalidActionError, InvalidDelayError, WorkflowDefinitionError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

START = "start"
COMPLETE_HOOK, ERROR_HOOK = "on_workflow_complete", "on_workflow_error"
MAX_ATTEMPTS = 50
MAX_TIMEOUT = 900  # seconds: no Lambda function runs longer
_HOOKS = {COMPLETE_HOOK: ("api",), ERROR_HOOK: ("error", "api")}
_HOOK_PREFIX = "on_workflow_"
_STEP_ARGUMENTS = ("data", "headers", "api")
_MARK = "__runstore_step__"

_Step = TypeVar("_Step", bound="Callable[..., Any]")


@dataclass(frozen=True, slots=True)
class StepOptions:
    """How a step is run: see `step`."""

    attempts: int = 3
    timeout: int = MAX_TIMEOUT
    backoff: float = 2.0
    on_failure: str | None = None

    def wait_after(self, attempt: int) -> float:
        """Return the seconds between the failure of an attempt (from 1) and the next one."""
        return min(self.backoff * 2.0 ** (attempt - 1), 86_400.0)


@overload
def step(function: _Step, /) -> _Step: ...
@overload
def step(
    *, attempts: int = ..., timeout: float | str = ..., backoff: float | str = ..., on_failure: str | None = ...
) -> Callable[[_Step], _Step]: ...
def step(
    function: _Step | None = None,
    /,
    *,
    attempts: int = 3,
    timeout: float | str = MAX_TIMEOUT,
    backoff: float | str = 2.0,
    on_failure: str | None = None,
) -> _Step | Callable[[_Step], _Step]:
    """Change how a step is run; a step without this decorator has the defaults.

    Args:
        function: The step, when the decorator is used without arguments.
        attempts: How often the step may fail before it has failed for good, 1 to 50. An attempt whose end is unknown
            (Lambda lost the answer, DynamoDB did not accept the outcome) is repeated under the same number, so even
            with 1 the step's code may run more than once. Invocations that Lambda refuses are not attempts.
        timeout: How long one attempt may take: whole seconds or text such as "2 min", 1 second to 15 minutes. A Lambda
            function that runs longer is not stopped, and the next attempt may run beside it. The attempt that ends
            first counts, with what it has scheduled.
        backoff: Seconds, or text such as "30 sec", before the second attempt; doubled before each further one, at most
            a day.
        on_failure: The name of a step of the class that runs, once, when this step has failed for good: after its last
            attempt or a PermanentError. The branch goes on from there, and the run does not fail. Its `data` is
            `{"error": {"name", "message"}, "action", "step_id", "attempts", "data"}`, where the inner `data` is what
            this step was given; no limit of size applies to it. It has attempts of its own.

    Raises:
        WorkflowDefinitionError: An option is out of its bounds. Whether `on_failure` names a step is checked when the
            class is defined; steps whose `on_failure` leads back to themselves are refused.

    Example:
        ```python
        @step(attempts=5, timeout="1 min", backoff=10, on_failure="note_failure")
        def charge_card(self, data, headers, api): ...
        ```
    """
    options = _options(attempts, timeout, backoff, on_failure)

    def mark(step_function: _Step) -> _Step:
        setattr(step_function, _MARK, options)
        return step_function

    return mark if function is None else mark(function)


def _options(attempts: Any, timeout: Any, backoff: Any, on_failure: Any) -> StepOptions:
    if isinstance(attempts, bool) or not isinstance(attempts, int) or not 1 <= attempts <= MAX_ATTEMPTS:
        raise WorkflowDefinitionError(
            f"attempts must be a whole number from 1 to {MAX_ATTEMPTS}; got {shown(attempts)}"
        )
    try:
        limit, pause = seconds(timeout, "timeout", "1 second to 15 minutes"), seconds(backoff, "backoff")
    except InvalidDelayError as failure:
        raise WorkflowDefinitionError(str(failure)) from failure
    if not 1 <= limit <= MAX_TIMEOUT or limit != int(limit):
        raise WorkflowDefinitionError(f"timeout must be 1 to {MAX_TIMEOUT} whole seconds; got {shown(timeout)}")
    if on_failure is not None and not isinstance(on_failure, str):
        raise WorkflowDefinitionError(f"on_failure must be the name of a step; got {type(on_failure).__name__}")
    return StepOptions(attempts, int(limit), pause, None if on_failure is None else str.__str__(on_failure))


@dataclass(frozen=True, slots=True)
class Definition:
    """The steps of one workflow class, `start` among them."""

    name: str
    steps: Mapping[str, StepOptions]

    def check_action(self, action: Any, name: str = "action") -> str:
        """Return the plain name of a step that can be scheduled, or raise InvalidActionError, which lists the steps."""
        if isinstance(action, str):
            plain = str.__str__(action)  # an enum's member is text, and formats as something else
            if plain in self.steps and plain != START:
                return plain
            shown = f"{plain!r:.100}"
        else:
            shown = "null" if action is None else type(action).__name__
        names = ", ".join(sorted(set(self.steps) - {START})) or "none, because it has only start"
        raise InvalidActionError(f"{name} must be a step of {self.name} other than start ({names}); got {shown}")


def inspect_workflow(cls: type, base: type) -> Definition:
    """Return what a workflow class declares, or raise WorkflowDefinitionError, which names class and method."""
    steps: dict[str, StepOptions] = {}
    for name in dir(cls):
        member = inspect.getattr_static(cls, name)
        inherited = getattr(base, name, None) is not None and inspect.getattr_static(base, name) is member
        if problem := None if inherited else _problem_with_name(name, member, base):
            raise WorkflowDefinitionError(f"{cls.__name__}.{name} {problem}")
        if name in _HOOKS:
            _check_function(cls, name, member, _HOOKS[name])
        elif _is_marked(member) or (inspect.isfunction(member) and not inherited and not name.startswith("_")):
            _check_function(cls, name, member, _STEP_ARGUMENTS)
            steps[name] = getattr(member, _MARK, StepOptions())
    try:
        inspect.signature(cls).bind()
    except TypeError as failure:
        raise WorkflowDefinitionError(
            f"{cls.__name__}.__init__ must be callable without arguments, because every step runs in a new "
            f"{cls.__name__}(); it has required arguments: give them defaults"
        ) from failure
    if START not in steps:
        raise WorkflowDefinitionError(
            f"{cls.__name__} must have a method start(self, data, headers, api), where every run begins; it has none"
        )
    definition = Definition(cls.__name__, MappingProxyType(steps))
    _check_handlers(definition)
    return definition


def _check_handlers(definition: Definition) -> None:
    """Raise WorkflowDefinitionError for an `on_failure` that names no step, or that leads back to its own step."""
    for name, options in definition.steps.items():
        if options.on_failure is None:
            continue
        where = f"{definition.name}.{name}: on_failure"
        try:
            definition.check_action(options.on_failure, where)
        except InvalidActionError as failure:
            raise WorkflowDefinitionError(str(failure)) from failure
        path: list[str] = [name]
        following: str | None = options.on_failure
        while following is not None and following not in path:
            path.append(following)
            following = definition.steps.get(following, StepOptions()).on_failure
        if following == name:
            circle = " -> ".join([*path, name])
            raise WorkflowDefinitionError(f"{where} must not lead back to its own step; got {circle}")


def _is_marked(member: object) -> bool:
    return hasattr(member, _MARK) or hasattr(getattr(member, "__wrapped__", None), _MARK)  # a static method's function


def _problem_with_name(name: str, member: object, base: type) -> str | None:
    marked = _is_marked(member)
    if name in _HOOKS:
        return "is a hook, not a step: remove @step" if marked else None
    if name.startswith("_"):
        return "is private, and steps are public: rename it" if marked else None
    if hasattr(base, name):
        return "hides a member that Workflow itself needs: rename it"
    for hook in _HOOKS:
        if name.replace("_", "").lower() == hook.replace("_", ""):
            return f"is not a hook: the hook's name is {hook}"
    if name.startswith(_HOOK_PREFIX):
        return f"is named like a hook; the hooks are {' and '.join(_HOOKS)}"
    return None


def _check_function(cls: type, name: str, member: object, arguments: tuple[str, ...]) -> None:
    where, advice = f"{cls.__name__}.{name}", f"write def {name}(self, {', '.join(arguments)})"
    if name != START and name not in _HOOKS:
        advice += " or, if it is not a step, begin its name with _"
    if not inspect.isfunction(member):
        raise WorkflowDefinitionError(f"{where} must be a plain method: {advice}")
    for function in (member, inspect.unwrap(member)):  # what functools.wraps hides is what would run
        if (
            inspect.iscoroutinefunction(function)
            or inspect.isgeneratorfunction(function)
            or inspect.isasyncgenfunction(function)
        ):
            raise WorkflowDefinitionError(
                f"{where} must not be asynchronous or a generator: it would never run; {advice}"
            )
    try:
        inspect.signature(member).bind(None, *arguments)
    except TypeError as failure:
        raise WorkflowDefinitionError(
            f"{where} must be callable as {name}({', '.join(arguments)}); its arguments differ: {advice}"
        ) from failure
