"""Breaks of the package, made on purpose: text of one module is replaced when it is imported."""

import importlib.abc
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType

from typing_extensions import override

_PACKAGE = Path(__file__).parents[1] / "functions" / "runstore"


@dataclass(frozen=True)
class Mutant:
    """A break: the module, the text that stands in it exactly once, and what stands there instead."""

    module: str
    old: str
    new: str

    def occurrences(self) -> int:
        """Return how often the text stands in the module's file."""
        return _PACKAGE.joinpath(*self.module.split(".")).with_suffix(".py").read_text("utf-8").count(self.old)


def install(mutant: Mutant) -> None:
    """Let this process import the package with a break. None of it may have been imported."""
    if imported := [name for name in sys.modules if name.startswith("runstore.")]:
        raise SystemExit(f"a break must be made before the package is imported; {imported} are there")
    sys.meta_path.insert(0, _Finder(mutant))


class _Loader(SourceFileLoader):
    """Loads a module of the package with its break."""

    mutant: Mutant

    @override
    def get_code(self, fullname: str) -> CodeType:
        source = self.get_data(self.path).decode()
        if source.count(self.mutant.old) != 1:
            raise SystemExit(f"{self.path} does not hold exactly once: {self.mutant.old}")
        return compile(source.replace(self.mutant.old, self.mutant.new), self.path, "exec")


@dataclass
class _Finder(importlib.abc.MetaPathFinder):
    mutant: Mutant

    @override
    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != f"runstore.{self.mutant.module}":
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.origin is not None:
            spec.loader = _Loader(fullname, spec.origin)
            spec.loader.mutant = self.mutant
        return spec
