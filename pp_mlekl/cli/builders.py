"""Models named on the command line: ``module:function`` or ``file.py:function``."""

import importlib
import importlib.util
import sys
from collections.abc import Callable
from difflib import get_close_matches
from pathlib import Path
from types import ModuleType
from typing import Any

from pp_mlekl.cli.errors import FAILED, WRONG_USE, stop


def load_builder(name: str) -> Callable[..., Any]:
    """The function that a name such as ``models.eight_schools:build`` or ``my_model.py:build`` stands for."""
    module_name, _, function_name = name.partition(":")
    module = _load_module(module_name)
    function_name = function_name or "build"
    builder = getattr(module, function_name, None)
    if not callable(builder):
        known = [n for n, v in vars(module).items() if callable(v) and not n.startswith("_")]
        near = get_close_matches(function_name, known, n=3) or known[:5]
        stop(f"{module_name} has no function {function_name!r}; it has {', '.join(near)}.", WRONG_USE)
    return builder


def build_model(builder: Callable[..., Any], name: str) -> Any:
    """Call a builder; what it raises is reported in one line with its place."""
    from pp_mlekl.pymc_model.validation import is_model

    try:
        model = builder()
    except Exception as error:  # The user's own code may raise anything.
        place = _last_place(error)
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
        stop(f"{name} raised {type(error).__name__} on import: {error} ({_last_place(error)})", FAILED)


def _near_module(name: str) -> str:
    from pp_mlekl.cli.gallery import gallery_modules

    near = get_close_matches(name, gallery_modules(), n=1)
    return f" Did you mean {near[0]}?" if near else ""


def _last_place(error: BaseException) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return f"{Path(trace.tb_frame.f_code.co_filename).name}, line {trace.tb_lineno}" if trace else "unknown place"
