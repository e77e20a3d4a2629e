"""Models named on the command line: ``module:function`` or ``file.py:function``."""

import importlib
import importlib.util
import sys
from collections.abc import Callable
from difflib import get_close_matches
from inspect import isfunction
from pathlib import Path
from types import ModuleType
from typing import Any

from pp_mlekl.cli.errors import FAILED, WRONG_USE, place_of, stop

_MOST_NAMES = 12


def load_builder(name: str) -> Callable[..., Any]:
    """The function that a name such as ``radon`` (of the gallery), ``my_package.models:build`` or ``my_model.py:build`` means.

    A module or package of that name in the working folder comes before the gallery's.
    """
    module_name, _, function_name = name.partition(":")
    module = _load_module(f"pp_mlekl.gallery.{module_name}" if _of_gallery(module_name) else module_name)
    function_name = function_name or "build"
    builder = getattr(module, function_name, None)
    if not callable(builder):
        stop(f"{module_name} has no function {function_name!r}; {_functions(module, function_name)}", WRONG_USE)
    return builder


def _functions(module: ModuleType, wanted: str) -> str:
    """The functions that a module makes itself, and those with names near the wanted one."""
    own = [
        n
        for n, v in vars(module).items()
        if isfunction(v) and v.__module__ == module.__name__ and not n.startswith("_")
    ]
    near = get_close_matches(wanted, own, n=1)
    hint = f" Did you mean {near[0]}?" if near else ""
    more = f" and {len(own) - _MOST_NAMES} more" if len(own) > _MOST_NAMES else ""
    return f"it has {', '.join(own[:_MOST_NAMES]) or 'none'}{more}.{hint}"


def build_model(builder: Callable[..., Any], name: str) -> Any:
    """Call a builder; what it raises is reported in one line with its place."""
    from pp_mlekl.pymc_model.validation import is_model

    try:
        model = builder()
    except Exception as error:  # The user's own code may raise anything.
        place = place_of(error)
        stop(f"{name} raised {type(error).__name__}: {error} ({place})", FAILED)
    if not is_model(model):
        stop(f"{name} returned {type(model).__name__}, not a pymc.Model; let it return the model.", WRONG_USE)
    return model


def _load_module(name: str) -> ModuleType:
    sys.path.insert(0, str(Path.cwd()))
    spec = None
    if name.endswith(".py"):
        path = Path(name)
        if not path.is_file():
            stop(f"There is no file {name}.", WRONG_USE)
        spec = importlib.util.spec_from_file_location(path.stem, path)
        if spec is None or spec.loader is None:
            stop(f"{name} cannot be loaded as a Python module.", WRONG_USE)
        module = importlib.util.module_from_spec(spec)
        sys.modules[path.stem] = module
        sys.path.insert(0, str(path.resolve().parent))
    try:
        if spec is None or spec.loader is None:
            return importlib.import_module(name)
        spec.loader.exec_module(module)
        return module
    except ModuleNotFoundError as error:
        if error.name is not None and (name == error.name or name.startswith(error.name + ".")):
            stop(f"There is no module {name!r}; `pp-mlekl list` shows the gallery.{_near_module(name)}", WRONG_USE)
        stop(f"{name} needs the package {error.name}, which is not installed.", WRONG_USE)
    except Exception as error:  # The user's own code may raise anything.
        stop(f"{name} raised {type(error).__name__} on import: {error} ({place_of(error)})", FAILED)


def _of_gallery(name: str) -> bool:
    from pp_mlekl.cli.gallery import gallery_modules

    return name in gallery_modules() and not Path(f"{name}.py").exists() and not Path(name).is_dir()


def _near_module(name: str) -> str:
    from pp_mlekl.cli.gallery import gallery_modules

    near = get_close_matches(name.rpartition(".")[2], gallery_modules(), n=1)
    return f" Did you mean {near[0]}?" if near else ""
