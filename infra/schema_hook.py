"""Puts the JSON Schemas of events and results into the wheel, as `runstore/schemas`."""

import runpy
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class SchemaHook(BuildHookInterface[Any]):
    """Makes the schemas from the entry points, and removes them when the wheel is built."""

    PLUGIN_NAME = "custom"

    def initialize(self, _version: str, build_data: dict[str, Any]) -> None:
        """Name the files that the wheel holds beside the package."""
        self._scratch = tempfile.TemporaryDirectory()
        # By its path, because a build that is isolated from this folder cannot import it by its name.
        write = runpy.run_path(str(Path(self.root, "infra", "schemas.py")))["write"]
        for path in write(Path(self._scratch.name)):
            build_data["force_include"][str(path)] = f"runstore/schemas/{path.name}"

    def finalize(self, _version: str, _build_data: dict[str, Any], _artifact: str) -> None:
        """Remove the files that were made."""
        self._scratch.cleanup()
