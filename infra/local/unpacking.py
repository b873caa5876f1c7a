"""Where a function finds its bundle (Lambda's /var/task) and its layers (/opt): one unpacked copy of each."""

from __future__ import annotations

import hashlib
import io
import threading
import zipfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


class Unpacker:
    """Unpacks archives into folders that all processes with the same archives share."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()

    def unpack(self, archives: Sequence[bytes]) -> Path:
        """Return a folder with the archives' files. Where several have a file, the last one's counts, as in /opt.

        Raises:
            zipfile.BadZipFile: An archive is not a zip file.
        """
        digest = hashlib.sha256()
        for archive in archives:
            digest.update(hashlib.sha256(archive).digest())
        target = self._folder / digest.hexdigest()[:16]
        with self._lock:
            if not target.exists():
                unfinished = target.with_suffix(".part")
                unfinished.mkdir(parents=True, exist_ok=True)
                for archive in archives:
                    with zipfile.ZipFile(io.BytesIO(archive)) as files:
                        files.extractall(unfinished)
                unfinished.rename(target)
        return target
