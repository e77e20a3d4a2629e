"""The layers of the package: imports point downwards, without circles."""

import subprocess
import sys

CHECK = "from importlinter.cli import lint_imports; raise SystemExit(lint_imports(no_cache=True))"


def test_imports_keep_the_contracts(root):
    # In a process of its own: it disables the loggers of all other packages.
    result = subprocess.run([sys.executable, "-c", CHECK], cwd=root, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout
