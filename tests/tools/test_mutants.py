"""The list of the mutation run is whole: each change can be made, and each test is there."""

import ast
import importlib.util
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def load():
    path = ROOT / "tools" / "mutants" / "__main__.py"
    spec = importlib.util.spec_from_file_location("mutants", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules["mutants"] = module  # as dataclasses look their annotations up there
    spec.loader.exec_module(module)
    return module


TOOL = load()
MUTANTS = TOOL.read_mutants()


def functions_in(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def test_list_is_long_and_without_doubles():
    assert len(MUTANTS) >= 40
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS)


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_change_can_be_made_and_its_test_is_there(mutant):
    text = (ROOT / mutant.file).read_text(encoding="utf-8")
    changed = TOOL.mutated(text, mutant)
    if mutant.file.endswith(".py"):
        ast.parse(changed)
    assert changed != text
    path, _, name = mutant.test.partition("::")
    assert (ROOT / path).is_file()
    assert not name or name.partition("[")[0] in functions_in(ROOT / path)


def test_verdict_separates_tests_that_detect_a_mutant_from_those_that_do_not():
    assert [TOOL.verdict(code) for code in (1, 0, 2, 4, 5)] == ["seen", "NOT SEEN", *["BROKEN"] * 3]


def test_change_that_stands_there_twice_is_refused():
    mutant = TOOL.Mutant("twice", "a.py", "a", "b", "test")
    with pytest.raises(ValueError, match="2 times"):
        TOOL.mutated("a a", mutant)
