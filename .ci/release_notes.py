"""Prints the notes of a release, from the changelog.

It fails if the tag is not the version in setup.py.

python .ci/release_notes.py v0.2.0
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
CHANGELOG = "docs/integrations/sources/tyntec-sms.md"


def notes(tag: str, setup: str, changelog: str) -> str:
    """The subject of the release's row in the changelog, a line for each sentence.

    Raises:
        ValueError: if the tag is not "v" and the version in setup.py, or the changelog does not
            have exactly one row of that version.
    """
    (version,) = re.findall(r'^ +version="(.+)",$', setup, re.MULTILINE)
    if tag != f"v{version}":
        raise ValueError(f"The tag is {tag}, but setup.py has the version {version}.")
    rows = re.findall(rf"^\| *{re.escape(version)} *\|.*\|(.+)\|$", changelog, re.MULTILINE)
    if len(rows) != 1:
        raise ValueError(f"{CHANGELOG} has {len(rows)} rows of the version {version}, not one.")
    sentences = re.split(r"(?<=\.) +", rows[0].strip())
    return "\n".join(f"- {sentence.rstrip('.')}" for sentence in sentences)


if __name__ == "__main__":
    try:
        found = notes(sys.argv[1], (ROOT / "setup.py").read_text(), (ROOT / CHANGELOG).read_text())
    except ValueError as error:
        sys.exit(str(error))
    sys.stdout.write(found + "\n")
