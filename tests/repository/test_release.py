"""What a release takes of what `make build` makes, and how documents say that the package is installed."""

import re
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
import yaml

from infra import installation, package
from infra.metadata_hook import RepositoryHook

ROOT = Path(__file__).parents[2]
JOBS: dict[str, Any] = yaml.safe_load((ROOT / ".github" / "workflows" / "release.yml").read_text("utf-8"))["jobs"]
PACKAGES = ["dist/runstore-1.2.3-py3-none-any.whl", "dist/runstore-1.2.3.tar.gz"]
ARCHIVES = ["dist/functions.zip", "dist/layer.zip", "dist/terraform-module.zip", "dist/SHA256SUMS"]


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


def test_everything_that_was_built_is_attested() -> None:
    """The provenance covers each file that the checksums name, after they have been checked."""
    (download,) = steps("attest", "actions/download-artifact")
    assert uploaded(download["pattern"]) == {*PACKAGES, *ARCHIVES}
    assert steps("attest", "actions/attest") == [{"subject-checksums": "dist/SHA256SUMS"}]
    assert JOBS["publish"]["needs"] == "attest"


def test_the_checksums_are_of_all_other_files(tmp_path: Path) -> None:
    """One line for each file, in the form that sha256sum reads."""
    (tmp_path / "b.zip").write_bytes(b"b")
    (tmp_path / "a.whl").write_bytes(b"a")
    (tmp_path / package.CHECKSUMS).write_text("old")
    assert package.checksums(tmp_path).splitlines() == [
        "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb  a.whl",
        "3e23e8160039594a33894f6564e1b1348bbd7a0088d42c4acb73eeaed59c009d  b.zip",
    ]


def test_a_job_with_a_right_runs_no_code_of_the_repository() -> None:
    """What can sign, publish or write neither checks the repository out nor runs make."""
    privileged = {name: job for name, job in JOBS.items() if set(job["permissions"].values()) & {"write"}}
    assert privileged.keys() == {"attest", "publish", "release"}
    for job in privileged.values():
        assert not [
            step for step in job["steps"] if "checkout" in step.get("uses", "") or "make" in step.get("run", "")
        ]


def test_documents_say_how_the_package_is_installed_now() -> None:
    """Each document has the commands that the one switch asks for; the README has one."""
    texts = {path.name: path.read_text("utf-8") for path in installation.documents()}
    assert not [name for name, text in texts.items() if installation.written(text) != text], "run make format"
    assert "<!-- install -->" in texts["README.md"]
    marks = {name: re.findall(r"<!-- (/?)install\b[^>]*-->", text) for name, text in texts.items()}
    assert not [name for name, found in marks.items() if found != ["", "/"] * (len(found) // 2)]


@pytest.mark.parametrize(
    ("published", "extras", "command"),
    [
        (True, None, "pip install runstore"),
        (True, "handlers,inspector", "pip install 'runstore[handlers,inspector]'"),
        (False, None, 'make build && pip install "$(echo dist/runstore-*.whl)"    # not on the package index yet'),
        (
            False,
            "handlers",
            'make build && pip install "$(echo dist/runstore-*.whl)[handlers]"    # not on the package index yet',
        ),
    ],
)
def test_the_switch_writes_the_command(published: bool, extras: str | None, command: str) -> None:  # noqa: FBT001
    """Before the first release it is a build of one's own, then the index; an extra is named so that pip takes it."""
    mark = f"<!-- install {extras} -->" if extras else "<!-- install -->"
    text = installation.written(f"a\n{mark}\nold\n<!-- /install -->\nb", published=published)
    assert text == f"a\n{mark}\n```console\n{command}\n```\n<!-- /install -->\nb"
    assert installation.written(text, published=published) == text


def test_the_package_s_page_links_to_the_repository(monkeypatch: pytest.MonkeyPatch) -> None:
    """Relative links of the README lead to the released version's files; without an address nothing is made up."""
    metadata: dict[str, Any] = {"version": "1.2.3"}
    monkeypatch.delenv("REPOSITORY_URL", raising=False)
    RepositoryHook(str(ROOT), {}).update(metadata)
    assert metadata["readme"]["text"] == (ROOT / "README.md").read_text("utf-8")
    assert "urls" not in metadata
    monkeypatch.setenv("REPOSITORY_URL", "https://host/owner/name")
    RepositoryHook(str(ROOT), {}).update(metadata)
    links = re.findall(r"\]\(([^)]+)\)", metadata["readme"]["text"])
    assert "https://host/owner/name/blob/v1.2.3/docs/deployment.md" in links
    assert not [link for link in links if not link.startswith(("https://", "#"))]
    assert all(url.startswith("https://host/owner/name") for url in metadata["urls"].values())
