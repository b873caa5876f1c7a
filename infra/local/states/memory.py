"""What a redrive needs to know of an execution: where each branch was, and what the finished ones came to."""

from __future__ import annotations

import copy
import threading
from typing import Any, NamedTuple

Path = tuple[Any, ...]


class Position(NamedTuple):
    """The state that a branch has entered last."""

    state: str
    document: Any
    variables: dict[str, Any]


class Memory:
    """The positions and outputs of one execution's branches, by their paths. The execution's own path is empty."""

    def __init__(self) -> None:
        self.definition: dict[str, Any] | None = None
        self.outputs: dict[Path, Any] = {}
        self._positions: dict[Path, Position] = {}
        self._lock = threading.Lock()
        self._resuming: set[Path] = set()
        self._kept: set[Path] = set()

    def enter(self, path: Path, state: str, document: Any, ctx: dict[str, Any]) -> None:
        """Note that a branch enters a state."""
        with self._lock:
            self._positions[path] = Position(state, document, dict(ctx["variables"]))

    def resume(self, path: Path, start_at: str, document: Any, ctx: dict[str, Any]) -> tuple[str, Any]:
        """Return where a branch begins: at its first state, or after a redrive at the one that it was in."""
        with self._lock:
            if path not in self._resuming:
                return start_at, document
            self._resuming.discard(path)
            position = self._positions[path]
        ctx["variables"] = copy.deepcopy(position.variables)
        return position.state, position.document

    def begin_branches(self, path: Path) -> None:
        """Forget what branches of an earlier attempt of a state came to, unless a redrive goes on with them."""
        with self._lock:
            if path in self._kept:
                self._kept.discard(path)
                return
            for remembered in (self.outputs, self._positions):
                for old in [each for each in remembered if each[: len(path)] == path]:
                    del remembered[old]
            self._resuming = {each for each in self._resuming if each[: len(path)] != path}

    def prepare_redrive(self) -> None:
        """Let every branch that has no output begin where it was."""
        with self._lock:
            self._resuming = set(self._positions)
            self._kept = {(*path, position.state) for path, position in self._positions.items()}
