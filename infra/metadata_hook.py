"""The part of the wheel's metadata that depends on where the repository lives.

The build reads the repository's address from REPOSITORY_URL, as release.yml sets it. The package's page then links to
it, and relative links of the README lead there. Without an address the README stays as it is and no link is made.
"""

import os
import re
from pathlib import Path
from typing import Any, Final

from hatchling.metadata.plugin.interface import MetadataHookInterface

_LINK: Final = re.compile(r"""(?P<before>\]\(|(?:src|href)=")(?!\w+:|#)(?P<path>[^)\s"]+)""")


class RepositoryHook(MetadataHookInterface):
    """Fills in the README and the URLs of the project."""

    PLUGIN_NAME = "custom"

    def update(self, metadata: dict[str, Any]) -> None:
        """Fill in what pyproject.toml names as dynamic."""
        readme = Path(self.root, "README.md").read_text("utf-8")
        if address := os.environ.get("REPOSITORY_URL"):
            readme = absolute(readme, address, metadata["version"])
            metadata["urls"] = {
                "Homepage": address,
                "Changelog": f"{address}/blob/HEAD/CHANGELOG.md",
                "Issues": f"{address}/issues",
            }
        metadata["readme"] = {"content-type": "text/markdown", "text": readme}


def absolute(text: str, address: str, version: str) -> str:
    """Return a document whose relative links lead to the files of a version; pictures lead to the files themselves."""

    def link(found: re.Match[str]) -> str:
        picture = found["path"].endswith((".svg", ".png"))
        return f"{found['before']}{address}/{'raw' if picture else 'blob'}/v{version}/{found['path']}"

    return _LINK.sub(link, text)
