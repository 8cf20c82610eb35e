"""Writes the folder for a pull request to Airbyte's repository, and checks it.

    make submission
    make submission CATALOGUE=path/to/airbyte

The folder is build/airbyte, laid out as Airbyte's repository and made from this project alone.
With CATALOGUE, a checkout of Airbyte's repository, it keeps the icon of the catalogue, and the
versions of the earlier connector in the changelog, the migration guide and the metadata. The
checks run on a copy, in a new environment.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import textwrap
import venv
from importlib.metadata import metadata, requires
from pathlib import Path

import yaml
from packaging.requirements import Requirement

from tools.set_up import pip_settings

ROOT = Path(__file__).parent.parent
PACKAGE = "airbyte-source-tyntec-sms"
CONNECTOR = Path("airbyte-integrations/connectors/source-tyntec-sms")
PAGE = Path("docs/integrations/sources/tyntec-sms.md")
GUIDE = Path("docs/integrations/sources/tyntec-sms-migrations.md")
FOLDERS = ("integration_tests", "sandbox", "source_tyntec_sms", "unit_tests")
FILES = ("acceptance-test-config.yml", "icon.svg", "main.py", "metadata.yaml")
# Tests of files that stay here, such as the Dockerfile, the other pages and the tools.
OWN_TESTS = ("test_docs.py", "test_metadata.py", "test_release_notes.py", "test_submission.py")
FIELDS = ("Name", "Version", "Summary", "License", "Requires-Python")
CHECKS = (
    "lock --no-interaction",
    "check --lock",
    "install --quiet --with dev",
    "run pytest --quiet unit_tests",
    "run pytest --quiet integration_tests/test_airbyte_standards.py",
    "run pytest -qq --collect-only integration_tests",
)
PRINT_INDEX = (
    "from poetry.repositories.pypi_repository import PyPiRepository;"
    "print(PyPiRepository().authenticated_url)"
)
README = """\
# Tyntec SMS source connector

Syncs the delivery status of SMS that were sent through tyntec. The documentation for users is at
https://docs.airbyte.com/integrations/sources/tyntec-sms

    poetry install --with dev
    poetry run source-tyntec-sms spec
    poetry run pytest unit_tests integration_tests

The tests need no tyntec account. They run the connector against `sandbox`, a stand-in for the API.
"""
PYPROJECT = """\
[build-system]
requires = ["poetry-core>=1.0.0"]
build-backend = "poetry.core.masonry.api"

[tool.poetry]
version = {Version}
name = {Name}
description = {Summary}
authors = ["Airbyte <contact@airbyte.io>"]
license = {License}
readme = "README.md"
documentation = "https://docs.airbyte.com/integrations/sources/tyntec-sms"
homepage = "https://airbyte.com"
repository = "https://github.com/airbytehq/airbyte"
packages = [{{ include = "source_tyntec_sms" }}]

[tool.poetry.dependencies]
python = {Requires-Python}
{dependencies}

[tool.poetry.scripts]
source-tyntec-sms = "source_tyntec_sms.run:run"

[tool.poetry.group.dev.dependencies]
{tests}

[tool.poe]
include = ["${{POE_GIT_DIR}}/poe-tasks/poetry-connector-tasks.toml"]

{pytest}
"""


def pyproject() -> str:
    """This project's package, dependencies and options of pytest as tables of Poetry 1.8."""
    package = metadata(PACKAGE)
    tables = re.split(r"^(?=\[)", (ROOT / "pyproject.toml").read_text(), flags=re.MULTILINE)
    return PYPROJECT.format(
        **{key: json.dumps(package[key]) for key in FIELDS},
        dependencies=dependencies(),
        tests=dependencies("tests"),
        pytest="".join(each for each in tables if each.startswith("[tool.pytest.")).rstrip(),
    )


def dependencies(extra: str = "") -> str:
    """The requirements of the package, or of an `extra` of it, one line each."""
    return "\n".join(
        f"{required.name} = {json.dumps(str(required.specifier))}"
        for required in map(Requirement, requires(PACKAGE) or [])
        if (required.marker.evaluate({"extra": extra}) if required.marker else not extra)
    )


def write(target: Path, catalogue: Path | None) -> None:
    """Write the folder, with the entries of the earlier connector in `catalogue`."""
    new = target / CONNECTOR
    for folder in FOLDERS:
        ignored = shutil.ignore_patterns("__pycache__", *OWN_TESTS)
        shutil.copytree(ROOT / folder, new / folder, ignore=ignored)
    for file in FILES:
        shutil.copy(ROOT / file, new)
    (new / "README.md").write_text(README)
    (new / "pyproject.toml").write_text(pyproject())
    shutil.copytree(ROOT / PAGE.parent, target / PAGE.parent)
    if catalogue:
        shutil.copy(catalogue / CONNECTOR / "icon.svg", new)
        keep_changelog(target / PAGE, catalogue / PAGE)
        keep_guide(target / GUIDE, catalogue / GUIDE)
        keep_breaking_changes(new / "metadata.yaml", catalogue / CONNECTOR / "metadata.yaml")


def keep_changelog(new: Path, old: Path) -> None:
    """Add the rows of other versions in the `old` changelog below the last row of the `new`."""
    row = re.compile(r"^\| *(\d+\.\d+\.\d+) *\|.*\n", re.MULTILINE)
    page = new.read_text()
    rows = list(row.finditer(page))
    versions, end = {known[1] for known in rows}, rows[-1].end()
    earlier = (found[0] for found in row.finditer(old.read_text()) if found[1] not in versions)
    new.write_text(page[:end] + "".join(earlier) + page[end:])


def keep_guide(new: Path, old: Path) -> None:
    """Add the sections of other versions in the `old` migration guide below the `new` ones."""
    guide = new.read_text()
    sections = re.split(r"^(?=## Upgrading to )", old.read_text(), flags=re.MULTILINE)[1:]
    earlier = (text for text in sections if text.splitlines()[0] not in guide.splitlines())
    new.write_text("\n".join([guide, *earlier]))


def keep_breaking_changes(new: Path, old: Path) -> None:
    """Add the breaking changes of other versions in the `old` metadata to the `new`."""
    texts = (new.read_text(), old.read_text())
    known, earlier = (yaml.safe_load(text)["data"].get("releases", {}) for text in texts)
    changes = earlier.get("breakingChanges", {}).items()
    added = {key: change for key, change in changes if key not in known["breakingChanges"]}
    if added:
        lines = textwrap.indent(yaml.safe_dump(added, sort_keys=False), " " * 6)
        new.write_text(re.sub(r"(?<=breakingChanges:\n)", lambda _: lines, texts[0]))


def check(target: Path, poetry: Path) -> int:
    """Lock the dependencies and run the checks. Returns the exit code of the first that fails."""
    with tempfile.TemporaryDirectory() as folder:
        connector = Path(shutil.copytree(target, f"{folder}/airbyte")) / CONNECTOR
        venv.create(f"{folder}/venv")
        variables = {"VIRTUAL_ENV": f"{folder}/venv", "POETRY_PYPI_MIRROR_URL": index(poetry)}
        for arguments in CHECKS:
            print(f"--- poetry {arguments}", flush=True)
            words, environment = [str(poetry), *arguments.split()], {**os.environ, **variables}
            done = subprocess.run(words, cwd=connector, env=environment, check=False)
            if done.returncode:
                return done.returncode
        shutil.copy(connector / "poetry.lock", target / CONNECTOR)
    return 0


def index(poetry: Path) -> str:
    """The index of pip's settings, else PyPI. Poetry prefers a JSON API, which mirrors lack."""
    command = [str(poetry.with_name("python")), "-c", PRINT_INDEX]
    pypi = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    return pip_settings().get("UV_DEFAULT_INDEX", pypi)


def main(poetry: str, catalogue: str = "") -> int:
    """Write the folder and check it."""
    target = ROOT / "build/airbyte"
    shutil.rmtree(target, ignore_errors=True)
    write(target, Path(catalogue) if catalogue else None)
    print(f"Wrote {target.relative_to(ROOT)}.")
    if not catalogue:
        print("Without CATALOGUE, icon.svg is a stand-in, and the earlier versions are missing.")
    return check(target, Path(poetry).absolute())


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
