"""Measure the README's figures on this machine and write them into it: no figure there is typed by hand.

Needs nothing for the bench; give folders of songs with known stems (see ``stream-sep evaluate``) for the scores.
"""

import argparse
import re
import subprocess
import sys
from pathlib import Path

README = Path(__file__).parent.parent / "README.md"
MARKS = re.compile(r"(<!-- figures -->\n).*(<!-- /figures -->)", re.DOTALL)


def output_of(*arguments: str) -> str:
    """Return what ``stream-sep`` prints."""
    command = [sys.executable, "-m", "stream_sep", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def main() -> None:
    """Run the measurements and rewrite the section between the marks."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="*", help="NAME=FOLDER of songs to score")
    parser.add_argument("--seconds", default="60", help="length of the paced run")
    arguments = parser.parse_args()
    parts = ["```\n" + output_of("bench", "--seconds", arguments.seconds) + "\n```"]
    for pair in arguments.folders:
        name, _, folder = pair.partition("=")
        parts.append(f"SDR in dB of `bands`, streamed, {name}:\n\n" + output_of("evaluate", folder))
    figures = "\n\n".join(parts) + "\n"
    README.write_text(MARKS.sub(lambda marks: marks[1] + figures + marks[2], README.read_text()))


if __name__ == "__main__":
    main()
