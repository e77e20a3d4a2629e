"""Imports of a user's code: modules beside it are found, and all changes of state are undone."""

import contextlib
import site
import sys
import warnings
from collections.abc import Iterator
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np


class LocalImports(MetaPathFinder):
    """The modules of one folder, importable while its code runs.

    The standard library and installed packages go before modules of the same name in the folder, so that a file called
    ``json.py`` or ``numpy.py`` shadows nothing. The modules found here leave ``sys.modules`` when the code has run and
    come back when it runs again, so that two folders may both have a ``helper.py``.

    Parameters
    ----------
    folder
        Where the modules are.
    """

    def __init__(self, folder: Path):
        self._folder = str(folder)
        self._modules: dict[str, ModuleType] = {}
        self._found: set[str] = set()

    def find_spec(self, fullname: str, path: Any = None, target: ModuleType | None = None) -> ModuleSpec | None:
        """The folder's module of a top-level name, unless an installed module has that name."""
        if path is not None or fullname in sys.stdlib_module_names or PathFinder.find_spec(fullname, _installed()):
            return None
        spec = PathFinder.find_spec(fullname, [self._folder])
        if spec is None or (spec.origin is None and PathFinder.find_spec(fullname)):
            # As everywhere in Python, a folder without __init__.py goes behind every other module.
            return None
        self._found.add(fullname)
        return spec

    def add(self, module: ModuleType) -> None:
        """Register a module that was loaded in another way as one of the folder's."""
        self._found.add(module.__name__)
        self._modules[module.__name__] = module

    @property
    def modules(self) -> list[ModuleType]:
        """The modules of the folder that were imported so far."""
        return list(self._modules.values())

    @contextlib.contextmanager
    def active(self) -> Iterator[None]:
        """Run code of the folder; import paths, modules, folder, warnings and NumPy's error handling are restored."""
        path, before = list(sys.path), dict(sys.modules)
        sys.modules.update(self._modules)
        sys.meta_path.insert(0, self)
        try:
            with contextlib.chdir(Path.cwd()), warnings.catch_warnings(), np.errstate():
                yield
        finally:
            sys.meta_path.remove(self)
            sys.path[:] = path
            local = [name for name in sys.modules if name.partition(".")[0] in self._found]
            self._modules |= {name: sys.modules.pop(name) for name in local}
            sys.modules.update(before)


def _installed() -> list[str]:
    return [*site.getsitepackages(), site.getusersitepackages()]
