"""PyTensor's settings, changed for one thread alone.

``pytensor.config.change_flags`` changes the settings of the whole process. PyMC uses it too, even while a user defines a model.
If two threads are in such blocks at the same time, the last one to leave restores the value that the other had set, and the
setting stays changed. A change by ``settings`` is visible to its own thread alone.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import pytensor

from pp_mlekl.utils.shared_state import alone

_own: ContextVar[dict[str, Any] | None] = ContextVar("own", default=None)


class _ValueOfThread:
    """A mixin for PyTensor's parameters: their value ``val`` is that of the current thread where the thread has set one."""

    name: str

    @property
    def val(self) -> Any:
        own = _own.get() or {}
        if self.name in own:
            return own[self.name]
        return self.__dict__["val"]

    @val.setter
    def val(self, value: Any) -> None:
        own = _own.get() or {}
        if self.name in own:
            own[self.name] = value
        else:
            self.__dict__["val"] = value


@contextmanager
def settings(**values: Any) -> Iterator[None]:
    """Change settings of PyTensor within the block, for this thread alone.

    Parameters
    ----------
    **values
        Names of ``pytensor.config`` and their values.

    Examples
    --------
    >>> with settings(traceback__limit=0):
    ...     pytensor.config.traceback__limit
    0
    """
    for name in values:
        _give_values_to_threads(name)
    token = _own.set({**(_own.get() or {}), **values})
    try:
        yield
    finally:
        _own.reset(token)


def _give_values_to_threads(name: str) -> None:
    """Let a parameter of PyTensor have one value for each thread; does nothing the second time."""
    with alone():
        parameter = pytensor.config._config_var_dict[name]
        if not isinstance(parameter, _ValueOfThread):
            # Reading it sets the value for the process, if it is not set yet.
            getattr(pytensor.config, name)
            parameter.__class__ = type(type(parameter).__name__, (_ValueOfThread, type(parameter)), {})
