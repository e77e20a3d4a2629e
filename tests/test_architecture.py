"""The layers of the package: imports point downwards, without circles."""

from importlinter.cli import lint_imports


def test_imports_keep_the_contracts(root, monkeypatch):
    monkeypatch.chdir(root)
    assert lint_imports(no_cache=True) == 0
