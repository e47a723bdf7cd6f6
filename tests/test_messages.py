"""Messages of errors are plain English: phrases that users stumbled over do not come back."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
UNIDIOMATIC = re.compile(
    r"(?<!here )\b(?:is|are) no (?!longer\b)|\bmakes? no sense\b|\bholds? no\b|\btaken? (?:it )?away\b"
)
"""'X is no file' for 'X is not a file', and the like."""


def messages(path):
    """Yield every message that a file raises, with ``{}`` for inserted values."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        name = getattr(node.func, "id", getattr(node.func, "attr", "")) if isinstance(node, ast.Call) else ""
        if name.endswith(("Error", "Problem")):
            for argument in ast.walk(node):
                if isinstance(argument, ast.JoinedStr):
                    texts = (part.value if isinstance(part, ast.Constant) else "{}" for part in argument.values)
                    yield argument.lineno, "".join(map(str, texts))
                elif isinstance(argument, ast.Constant) and isinstance(argument.value, str):
                    yield argument.lineno, argument.value


def test_messages_have_no_phrase_that_users_stumbled_over():
    found = [
        f"{path.relative_to(ROOT)}:{line} {text}"
        for package in ("stream_sep", "bridge")
        for path in sorted((ROOT / package).rglob("*.py"))
        for line, text in messages(path)
        if UNIDIOMATIC.search(text)
    ]
    assert found == []


def test_the_search_finds_such_phrases():
    assert UNIDIOMATIC.search("song.txt is no folder")
    assert UNIDIOMATIC.search("the file holds no sound")
    assert not UNIDIOMATIC.search("there is no stem 'x'")
    assert not UNIDIOMATIC.search("job 3 is no longer attempt 1")


def raw_system_errors(path):
    """Line of every f-string that has a caught `OSError` as it is, with its number and path."""
    for handler in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(handler, ast.ExceptHandler) and handler.name and "OSError" in ast.unparse(handler.type):
            for part in ast.walk(handler):
                if isinstance(part, ast.FormattedValue) and ast.unparse(part.value) == handler.name:
                    yield part.lineno


def test_messages_have_the_reason_of_a_system_error_without_its_number():
    found = [
        f"{path.relative_to(ROOT)}:{line}"
        for package in ("stream_sep", "bridge")
        for path in sorted((ROOT / package).rglob("*.py"))
        for line in raw_system_errors(path)
    ]
    assert found == []


def test_the_search_finds_a_raw_system_error(tmp_path):
    file = tmp_path / "bad.py"
    file.write_text('try:\n    pass\nexcept (ValueError, OSError) as error:\n    print(f"no: {error}")\n')
    assert list(raw_system_errors(file)) == [4]
