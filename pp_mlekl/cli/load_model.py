"""Models named on the command line: ``module:function`` or ``file.py:function``."""

import importlib
import importlib.util
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from functools import update_wrapper
from inspect import Parameter, cleandoc, getdoc, isfunction, signature, unwrap
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from pp_mlekl.cli.errors import FAILED, WRONG_USE, Stopped, one_line, place_of, stop
from pp_mlekl.cli.gallery import gallery_modules
from pp_mlekl.cli.local_imports import LocalImports

if TYPE_CHECKING:
    import pymc as pm

_MOST_NAMES = 12


@dataclass(frozen=True, kw_only=True)
class Builder:
    """A function that returns a model, as named on the command line.

    Parameters
    ----------
    name
        Its name there.
    function
        What returns the model.
    module
        The module of this name.
    imports
        What the module may import from its folder.
    """

    name: str
    function: Callable[..., Any]
    module: ModuleType
    imports: LocalImports

    def build(self, data: Any = None, **arguments: Any) -> "pm.Model":
        """The model; an exception of the builder becomes one line with its place.

        Parameters
        ----------
        data
            Handed to the function as ``data``, or as its first argument if it has none of that name; not at all if None.
        **arguments
            Further arguments of the function.
        """
        from pp_mlekl.pymc_model.validation import is_model

        named = arguments if data is None else {self._data_argument: data, **arguments}
        missing = [
            p.name for p in signature(self.function).parameters.values() if _is_required(p) and p.name not in named
        ]
        if data is None and missing == [self._data_argument]:
            stop(
                f"{self.name} needs {missing[0]!r}: pass --data FILE (.csv, .parquet, .nc), or name the file as data in a "
                "report's TOML.",
                WRONG_USE,
            )
        try:
            signature(self.function).bind(**named)
        except TypeError as error:
            stop(f"{self.name} takes other arguments: {error}.", WRONG_USE)
        with _running(self.name, self.imports):
            model = self.function(**named)
        if not is_model(model):
            stop(f"{self.name} returned {type(model).__name__}, not a pymc.Model; let it return the model.", WRONG_USE)
        return model

    def own_data(self, **arguments: Any) -> "tuple[LocalFunction, LocalFunction]":
        """The builder as a function of a data set, and the module's ``simulate``; other processes can run both.

        Parameters
        ----------
        **arguments
            Further arguments of the builder.
        """
        simulate, name, function = self.simulate(), self._data_argument, self.function
        try:
            signature(function).bind(**{name: None}, **arguments)
        except TypeError as error:
            stop(f"{self.name} must take the data set that simulate returns: {error}.", WRONG_USE)

        def build(data: Any) -> Any:
            return function(**{name: data}, **arguments)

        return LocalFunction(build, self.imports), simulate

    def simulate(self) -> "LocalFunction":
        """The module's function ``simulate``."""
        found = self._attribute("simulate")
        if not callable(found):
            stop(f"The module of {self.name} has no function simulate(n, truth, random_seed).", WRONG_USE)
        return LocalFunction(found, self.imports)

    @property
    def _data_argument(self) -> str:
        names = list(signature(self.function).parameters)
        return "data" if "data" in names or not names else names[0]

    @property
    def about(self) -> str:
        """What the function and then the module say of themselves, without reStructuredText's marks."""
        own = getdoc(self.function) if isfunction(unwrap(self.function)) else None
        # Up to the first section of a numpydoc docstring.
        description = re.split(r"\n\n?[^\n]+\n-{3,}", own or "")[0]
        texts = [description, cleandoc(str(self._attribute("__doc__") or ""))]
        return "\n\n".join(text for text in texts if text).replace("``", "")

    @property
    def sources(self) -> dict[str, bytes]:
        """The files of the module and of the modules beside it that it uses, by the modules' names."""
        found: dict[str, bytes] = {}
        waiting = [self.module, *self.imports.modules]
        while waiting:
            module = waiting.pop()
            if module.__name__ in found or not getattr(module, "__file__", None):
                continue
            found[module.__name__] = Path(str(module.__file__)).read_bytes()
            waiting += [m for m in _used_by(module) if m.__package__ and m.__package__ == self.module.__package__]
        return found

    @property
    def truth(self) -> Any:
        """The module's ``TRUTH``; None where it has none."""
        return self._attribute("TRUTH")

    def _attribute(self, name: str) -> Any:
        value = getattr(self.module, name, None)
        # A function may be imported from where its truth and its description are.
        return getattr(unwrap(self.function), "__globals__", {}).get(name) if value is None else value


def _is_required(parameter: Parameter) -> bool:
    return parameter.default is Parameter.empty and parameter.kind not in (
        Parameter.VAR_POSITIONAL,
        Parameter.VAR_KEYWORD,
    )


class LocalFunction:
    """A user's function that finds the modules beside it whenever it runs.

    Parameters
    ----------
    function
        The function.
    imports
        What its module may import from its folder.
    """

    def __init__(self, function: Callable[..., Any], imports: LocalImports):
        update_wrapper(self, function)
        self._function, self._imports = function, imports

    def __call__(self, *arguments: Any) -> Any:
        """Call the function."""
        with self._imports.active():
            return self._function(*arguments)


def load_builder(name: str) -> Builder:
    """The builder that a name such as ``radon`` (of the gallery), ``my_package.models:build`` or ``my_model.py:build`` means.

    Only the module that is named is run, and what it imports itself. A module or package of the working folder comes
    before the gallery's.
    """
    module_name, _, function_name = name.partition(":")
    module, imports = _load_module(f"pp_mlekl.gallery.{module_name}" if _of_gallery(module_name) else module_name)
    function_name = function_name or "build"
    function = getattr(module, function_name, None)
    if not callable(function):
        stop(f"{module_name} has no function {function_name!r}; {_functions(module, function_name)}", WRONG_USE)
    return Builder(name=name, function=function, module=module, imports=imports)


def _used_by(module: ModuleType) -> list[ModuleType]:
    """Modules that a module has imported, or from which it has functions or classes."""
    values = list(vars(module).values())
    homes = [sys.modules.get(str(getattr(value, "__module__", None))) for value in values]
    return [m for m in (*values, *homes) if isinstance(m, ModuleType)]


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


@contextmanager
def _running(name: str, imports: LocalImports, when: str = "") -> Iterator[None]:
    """Run a user's code: any exception, also SystemExit, is its failure; only an interrupt passes."""
    try:
        with imports.active():
            yield
    except (KeyboardInterrupt, Stopped):
        raise
    except ModuleNotFoundError as error:
        stop(f"{name} needs the package {error.name or error}, which is not installed.", WRONG_USE)
    except BaseException as error:
        stop(f"{name} raised {one_line(error)} ({place_of(error)}){when}.", FAILED)


def _load_module(name: str) -> tuple[ModuleType, LocalImports]:
    if name.endswith(".py"):
        return _load_file(name)
    if not all(part.isidentifier() for part in name.split(".")):
        stop(f"{name!r} is no name of a module; write module:function or file.py:function.", WRONG_USE)
    imports = LocalImports(Path.cwd())
    with _running(name, imports, " on import"):
        try:
            return importlib.import_module(name), imports
        except ModuleNotFoundError as error:
            if error.name is None or not f"{name}.".startswith(f"{error.name}."):
                raise
            near = get_close_matches(name.rpartition(".")[2], gallery_modules(), n=1)
            hint = f" Did you mean {near[0]}?" if near else ""
            stop(f"There is no module {name!r}; `pp-mlekl list` shows the gallery.{hint}", WRONG_USE)


def _load_file(name: str) -> tuple[ModuleType, LocalImports]:
    path = Path(name).resolve()
    if not path.is_file():
        stop(f"There is no file {name}.", WRONG_USE)
    # A name of its own, for the file may be called as another module is.
    spec = importlib.util.spec_from_file_location(f"_builder_{path.stem}", path)
    if spec is None or spec.loader is None:
        stop(f"{name} cannot be loaded as a Python module.", WRONG_USE)
    module = importlib.util.module_from_spec(spec)
    imports = LocalImports(path.parent)
    imports.add(module)
    with _running(name, imports, " on import"):
        spec.loader.exec_module(module)
    return module, imports


def _of_gallery(name: str) -> bool:
    return name in gallery_modules() and not Path(f"{name}.py").exists() and not Path(name).is_dir()
