"""Tests skip what a machine lacks in one way, which fails on a build machine."""

import ast
from pathlib import Path

import pytest
from requirements import needs_packages, require_package

TESTS = Path(__file__).parent
MODULES = sorted(TESTS.rglob("test_*.py"))
MISSING = "stream_sep_has_no_such_package"


def test_missing_package_skips_and_names_the_extra(monkeypatch):
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match=rf"needs {MISSING}: run: .*\[effects\]") as skipped:
        require_package(MISSING, "effects")
    assert skipped.value.allow_module_level
    assert needs_packages("effects", "pytest", MISSING).args == (True,)


def test_missing_package_fails_on_a_build_machine(monkeypatch):
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match=MISSING):
        require_package(MISSING, "effects")
    assert needs_packages("effects", MISSING).args == (False,)


def test_installed_package_is_returned():
    assert require_package("pytest", "dev") is pytest
    assert needs_packages("dev", "pytest").args == (False,)


def test_no_module_skips_in_a_way_of_its_own():
    own = [path.name for path in MODULES if path != Path(__file__) and _skips_by_itself(path.read_text("utf-8"))]
    assert own == []


def _skips_by_itself(source):
    return any(words in source for words in ("importorskip(", 'environ.get("CI")', "allow_module_level"))


def test_only_requirements_stand_between_imports():
    others = {path.name: _between_imports(ast.parse(path.read_text("utf-8")).body[1:]) for path in MODULES}
    assert {name: found for name, found in others.items() if found} == {}


def _between_imports(body):
    last = max((at for at, node in enumerate(body) if isinstance(node, ast.Import | ast.ImportFrom)), default=0)
    return [ast.unparse(node) for node in body[:last] if not _is_import_or_requirement(node)]


def _is_import_or_requirement(node):
    if isinstance(node, ast.Import | ast.ImportFrom):
        return True
    call = getattr(node, "value", None)
    return isinstance(call, ast.Call) and getattr(call.func, "id", "") == "require_package"
