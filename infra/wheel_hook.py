"""What the wheel holds beside the packages: the JSON Schemas, and a copy of the pytest plugin.

The schemas of events and results become `runstore/schemas`. The plugin's copy is a module of its own, which the entry
point names: pytest imports it at every start, and importing it from the package would import all of runstore.
"""

import runpy
import shutil
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class WheelHook(BuildHookInterface[Any]):
    """Makes these files, and removes them when the wheel is built."""

    PLUGIN_NAME = "custom"

    def initialize(self, _version: str, build_data: dict[str, Any]) -> None:
        """Name the files that the wheel holds beside the packages."""
        self._scratch = tempfile.TemporaryDirectory()
        scratch = Path(self._scratch.name)
        # By its path, because a build that is isolated from this folder cannot import it by its name.
        write = runpy.run_path(str(Path(self.root, "infra", "schemas.py")))["write"]
        for path in write(scratch):
            build_data["force_include"][str(path)] = f"runstore/schemas/{path.name}"
        # Copied, because hatchling puts no file into a wheel twice.
        plugin = shutil.copy(Path(self.root, "functions/runstore/testing/pytest_plugin.py"), scratch / "plugin.py")
        build_data["force_include"][str(plugin)] = "runstore_pytest_plugin.py"

    def finalize(self, _version: str, _build_data: dict[str, Any], _artifact: str) -> None:
        """Remove the files that were made."""
        self._scratch.cleanup()
