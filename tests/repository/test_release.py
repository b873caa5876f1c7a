"""What a release takes of what `make build` makes."""

from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
JOBS: dict[str, Any] = yaml.safe_load((ROOT / ".github" / "workflows" / "release.yml").read_text("utf-8"))["jobs"]
PACKAGES = ["dist/runstore-1.2.3-py3-none-any.whl", "dist/runstore-1.2.3.tar.gz"]
ARCHIVES = ["dist/functions.zip", "dist/layer.zip"]


def steps(job: str, action: str) -> list[dict[str, Any]]:
    """Return what a job gives to each use of an action."""
    return [step.get("with", {}) for step in JOBS[job]["steps"] if step.get("uses", "").startswith(action)]


def uploaded(names: str) -> set[str]:
    """Return which of the built files are in the artifacts whose names match."""
    uploads = [each for each in steps("build", "actions/upload-artifact") if fnmatch(each["name"], names)]
    patterns = [pattern for each in uploads for pattern in each["path"].split()]
    return {file for file in PACKAGES + ARCHIVES if any(fnmatch(file, pattern) for pattern in patterns)}


def test_the_index_gets_packages_alone() -> None:
    """The folder that is published holds the wheel and the source, because any other file fails the upload."""
    (download,) = steps("publish", "actions/download-artifact")
    assert uploaded(download["name"]) == set(PACKAGES)
    assert steps("publish", "pypa/gh-action-pypi-publish")[0].get("packages-dir", "dist/") == download["path"]


def test_a_release_has_everything_that_was_built() -> None:
    """Who deploys with Terraform finds the archives beside the packages."""
    (download,) = steps("release", "actions/download-artifact")
    assert uploaded(download["pattern"]) == {*PACKAGES, *ARCHIVES}
