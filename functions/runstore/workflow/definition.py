"""What a workflow class declares: its steps and their options, checked when the class is defined."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeVar, overload

from runstore.workflow.durations import seconds
from runstore.workflow.errors import InvalidActionError, InvalidDelayError, WorkflowDefinitionError

if TYPE_CHECKING:
    from typing import Any

START = "start"
COMPLETE_HOOK, ERROR_HOOK = "on_workflow_complete", "on_workflow_error"
MAX_ATTEMPTS = 50
MAX_TIMEOUT = 900  # seconds: no Lambda function runs longer
_HOOKS = {COMPLETE_HOOK: ("api",), ERROR_HOOK: ("error", "api")}
_HOOK_PREFIX = "on_workflow_"
_STEP_TAKES = ("data", "headers", "api")
_MARK = "__runstore_step__"

_Step = TypeVar("_Step", bound="Callable[..., Any]")


@dataclass(frozen=True, slots=True)
class StepOptions:
    """How a step is run: see `step`."""

    attempts: int = 3
    timeout: int = MAX_TIMEOUT
    backoff: float = 2.0

    def wait_after(self, attempt: int) -> float:
        """Return the seconds between the failure of an attempt (from 1) and the next one."""
        return min(self.backoff * 2.0 ** (attempt - 1), 86_400.0)


@overload
def step(function: _Step, /) -> _Step: ...
@overload
def step(
    *, attempts: int = ..., timeout: float | str = ..., backoff: float | str = ...
) -> Callable[[_Step], _Step]: ...
def step(
    function: _Step | None = None,
    /,
    *,
    attempts: int = 3,
    timeout: float | str = MAX_TIMEOUT,
    backoff: float | str = 2.0,
) -> _Step | Callable[[_Step], _Step]:
    """Change how a step is run; a step without this decorator has the defaults.

    Args:
        function: The step, when the decorator is used without arguments.
        attempts: How often the step may fail before the workflow does, 1 to 50. An attempt of which nobody knows how it
            ended (Lambda lost its answer, DynamoDB did not take its outcome) is repeated under the same number, so
            that also with 1 the step's code may run more than once. Invocations that Lambda refuses are no attempts.
        timeout: How long one attempt may take: whole seconds or text such as "2 min", 1 second to 15 minutes. A Lambda
            function that runs longer than this is not stopped while the next attempt begins. Of both, the first to
            end is the one that counts, with what it has scheduled.
        backoff: Seconds, or text such as "30 sec", before the second attempt; doubled before each further one, at most
            a day.

    Raises:
        WorkflowDefinitionError: An option is out of its bounds.

    Example:
        ```python
        @step(attempts=5, timeout="1 min", backoff=10)
        def charge_card(self, data, headers, api): ...
        ```
    """
    options = _options(attempts, timeout, backoff)

    def mark(step_function: _Step) -> _Step:
        setattr(step_function, _MARK, options)
        return step_function

    return mark if function is None else mark(function)


def _options(attempts: "Any", timeout: "Any", backoff: "Any") -> StepOptions:
    if isinstance(attempts, bool) or not isinstance(attempts, int) or not 1 <= attempts <= MAX_ATTEMPTS:
        raise WorkflowDefinitionError(f"attempts is {attempts!r}: it takes a whole number from 1 to {MAX_ATTEMPTS}")
    try:
        limit, pause = seconds(timeout, "timeout"), seconds(backoff, "backoff")
    except InvalidDelayError as failure:
        raise WorkflowDefinitionError(str(failure)) from failure
    if not 1 <= limit <= MAX_TIMEOUT or limit != int(limit):
        raise WorkflowDefinitionError(f"timeout is {timeout!r}: it takes 1 to {MAX_TIMEOUT} whole seconds")
    return StepOptions(attempts, int(limit), pause)


@dataclass(frozen=True, slots=True)
class Definition:
    """The steps of one workflow class, `start` among them."""

    name: str
    steps: Mapping[str, StepOptions]

    def check_action(self, action: "Any") -> str:
        """Return `action` if a step can schedule it, or raise InvalidActionError, which names the steps."""
        if isinstance(action, str) and action in self.steps and action != START:
            return action
        names = ", ".join(sorted(set(self.steps) - {START})) or "none: the class has no step beside start"
        shown = f"{action!r:.100}" if isinstance(action, str) else f"of type {type(action).__name__}"
        raise InvalidActionError(f"action is {shown}: the steps of {self.name} that can be scheduled are {names}")


def read(cls: type, base: type) -> Definition:
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
            _check_function(cls, name, member, _STEP_TAKES)
            steps[name] = getattr(member, _MARK, StepOptions())
    try:
        inspect.signature(cls).bind()
    except TypeError as failure:
        raise WorkflowDefinitionError(
            f"{cls.__name__}.__init__ has required arguments, and every step runs in a new {cls.__name__}(): give them "
            "defaults"
        ) from failure
    if START not in steps:
        raise WorkflowDefinitionError(
            f"{cls.__name__} has no method start(self, data, headers, api): every run begins there"
        )
    return Definition(cls.__name__, MappingProxyType(steps))


def _is_marked(member: object) -> bool:
    return hasattr(member, _MARK) or hasattr(getattr(member, "__wrapped__", None), _MARK)  # a static method's function


def _problem_with_name(name: str, member: object, base: type) -> str | None:
    marked = _is_marked(member)
    if name in _HOOKS:
        return "is a hook, not a step: take @step away" if marked else None
    if name.startswith("_"):
        return "is private, and steps are public: rename it" if marked else None
    if hasattr(base, name):
        return "hides what Workflow itself needs: rename it"
    for hook in _HOOKS:
        if name.replace("_", "").lower() == hook.replace("_", ""):
            return f"is no hook: the hook is called {hook}"
    if name.startswith(_HOOK_PREFIX):
        return f"is named like a hook; the hooks are {' and '.join(_HOOKS)}"
    return None


def _check_function(cls: type, name: str, member: object, takes: tuple[str, ...]) -> None:
    where, call = f"{cls.__name__}.{name}", f"def {name}(self, {', '.join(takes)})"
    if name != START and name not in _HOOKS:
        call += " or, if it is no step, begin its name with _"
    if not inspect.isfunction(member):
        raise WorkflowDefinitionError(f"{where} is no plain method: write {call}")
    if inspect.iscoroutinefunction(member) or inspect.isgeneratorfunction(member) or inspect.isasyncgenfunction(member):
        raise WorkflowDefinitionError(f"{where} is asynchronous or a generator and would never run: write {call}")
    try:
        inspect.signature(member).bind(None, *takes)
    except TypeError as failure:
        raise WorkflowDefinitionError(
            f"{where} cannot be called as {name}({', '.join(takes)}): write {call}"
        ) from failure
