"""The notes of a release, which .ci/release_notes.py takes from the changelog."""

import runpy
from collections.abc import Callable
from importlib.metadata import version

import pytest

from unit_tests.test_metadata import ROOT

SCRIPT = runpy.run_path(str(ROOT / ".ci/release_notes.py"))
notes: Callable[[str, str, str], str] = SCRIPT["notes"]

SETUP = 'setup(\n    version="1.2.0",\n)'
CHANGELOG = """
| Version | Date | Pull Request | Subject |
|---|---|---|---|
| 1.2.0 | 2026-12-01 | [12](https://example.com/12) | Rows are read twice. Version 1.1.0 is gone |
| 1.1.0 | 2026-11-25 | | Something else |
"""


def test_the_notes_are_the_sentences_of_the_row_of_the_version() -> None:
    assert notes("v1.2.0", SETUP, CHANGELOG) == "- Rows are read twice\n- Version 1.1.0 is gone"


@pytest.mark.parametrize("tag", ["v1.1.0", "1.2.0", "v1.2.0-rc1", "v1.2"])
def test_a_tag_that_is_not_the_version_is_refused(tag: str) -> None:
    with pytest.raises(ValueError, match=r"setup\.py has the version 1\.2\.0"):
        notes(tag, SETUP, CHANGELOG)


def test_a_version_without_a_row_in_the_changelog_is_refused() -> None:
    with pytest.raises(ValueError, match=r"0 rows of the version 1\.2\.0"):
        notes("v1.2.0", SETUP, CHANGELOG.replace("1.2.0", "1.3.0"))


def test_this_version_has_notes() -> None:
    changelog = (ROOT / SCRIPT["CHANGELOG"]).read_text()
    package = version("airbyte-source-tyntec-sms")
    assert notes(f"v{package}", (ROOT / "setup.py").read_text(), changelog).startswith("- ")
