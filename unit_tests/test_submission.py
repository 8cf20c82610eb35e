"""The folder for Airbyte's repository."""

import re
from importlib.metadata import metadata
from pathlib import Path

import pytest
import yaml

from tools.submission import CONNECTOR, GUIDE, PACKAGE, PAGE, write

CHANGELOG = """\
| Version | Date | Pull Request | Subject |
|:---|:---|:---|:---|
| 1.0.0 | 2027-01-02 | [9](https://example.com) | Known |
| 0.3.0   | 2026-01-02 | [8](https://example.com) | Fewer streams |
| 0.2.25 | 2025-01-02 | [7](https://example.com) | Dependencies |
"""
SECTIONS = "# Guide\n\n## Upgrading to 1.0.0\n\nKnown\n\n## Upgrading to 0.3.0\n\nDo nothing.\n"
METADATA = "data: {releases: {breakingChanges: {1.0.0: known, 0.3.0: {message: 'a \\1: b'}}}}"


@pytest.fixture
def catalogue(tmp_path: Path) -> Path:
    """A checkout of Airbyte's repository with versions 0.2.25, 0.3.0 and another 1.0.0."""
    folder = tmp_path / "catalogue"
    (folder / CONNECTOR).mkdir(parents=True)
    (folder / PAGE.parent).mkdir(parents=True)
    (folder / PAGE).write_text(CHANGELOG)
    (folder / GUIDE).write_text(SECTIONS)
    (folder / CONNECTOR / "metadata.yaml").write_text(METADATA)
    (folder / CONNECTOR / "icon.svg").write_text("<svg>theirs</svg>")
    return folder


def test_earlier_versions_and_icon_are_kept(catalogue: Path, tmp_path: Path) -> None:
    write(tmp_path, catalogue)
    page, guide = (tmp_path / PAGE).read_text(), (tmp_path / GUIDE).read_text()
    entry = yaml.safe_load((tmp_path / CONNECTOR / "metadata.yaml").read_text())["data"]
    assert re.findall(r"^\| *(\d[\d.]+)", page, re.MULTILINE)[-3:] == ["1.0.0", "0.3.0", "0.2.25"]
    assert re.findall(r"^## Upgrading to (.*)", guide, re.MULTILINE) == ["1.0.0", "0.3.0"]
    assert "Known" not in page + guide
    assert entry["releases"]["breakingChanges"]["0.3.0"] == {"message": "a \\1: b"}
    assert entry["releases"]["breakingChanges"]["1.0.0"]["deadlineAction"] == "disable"
    assert (tmp_path / CONNECTOR / "icon.svg").read_text() == "<svg>theirs</svg>"


def test_poetry_has_the_version_and_requirements(tmp_path: Path) -> None:
    write(tmp_path, None)
    table = (tmp_path / CONNECTOR / "pyproject.toml").read_text()
    runtime, _, tests = table.partition("[tool.poetry.group.dev.dependencies]")
    assert f'version = "{metadata(PACKAGE)["Version"]}"' in runtime
    assert "airbyte-cdk = " in runtime
    assert "pytest = " in tests.partition("[tool.poe]")[0]
    assert "pytest = " not in runtime
