"""Argument names and positions of the previous release, which still work and warn."""

import functools
import inspect
import warnings
from collections.abc import Callable, Mapping, Sequence


def deprecated_arguments[**P, R](
    *,
    renamed: Mapping[str, str] | None = None,
    positional: Sequence[str] = (),
    types: Mapping[str, type | tuple[type, ...]] | None = None,
    mappings: Sequence[str] = (),
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Accept the arguments of the previous release with a ``DeprecationWarning``.

    Parameters
    ----------
    renamed
        Maps previous keywords to current ones.
    positional
        The parameters, by their current names, that the previous release accepted by position, in that order.
    types
        If another parameter now has the position of a parameter of ``positional``: the types of values that are still
        passed on to the previous parameter.
    mappings
        Keywords that take mappings, in whose place the previous release took lists.

    Examples
    --------
    >>> @deprecated_arguments(renamed={"prob": "ci_prob"}, positional=("table", "ci_prob"))
    ... def bounds(table, *, ci_prob=0.95):
    ...     return ci_prob
    >>> with warnings.catch_warnings(record=True, action="always") as caught:
    ...     bounds("a", prob=0.5), bounds("a", 0.8)
    (0.5, 0.8)
    >>> [str(w.message) for w in caught]
    ['bounds: prob= is deprecated, use ci_prob=.', 'bounds: pass ci_prob= by name; by position it is deprecated.']
    """
    renamed, types = renamed or {}, types or {}

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        parameters = inspect.signature(function).parameters.values()
        current = [p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]
        name = function.__name__

        def moved(place: int, value: object) -> bool:
            if place >= len(current):
                return True
            parameter = positional[place]
            return parameter != current[place] and isinstance(value, types[parameter])

        @functools.wraps(function)
        def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
            # Python's own TypeError refuses more values than were ever allowed.
            known = args if len(args) <= len(positional) else ()
            first = next((i for i, value in enumerate(known) if moved(i, value)), len(args))
            today: dict[str, object] = {}
            for parameter, value in zip(positional[first:], args[first:], strict=False):
                warnings.warn(
                    f"{name}: pass {parameter}= by name; by position it is deprecated.",
                    DeprecationWarning,
                    stacklevel=2,
                )
                today[parameter] = value
            for keyword, value in kwargs.items():
                parameter = renamed.get(keyword, keyword)
                if parameter != keyword:
                    warnings.warn(
                        f"{name}: {keyword}= is deprecated, use {parameter}=.", DeprecationWarning, stacklevel=2
                    )
                if parameter in today:
                    raise TypeError(f"{name}() got several values for {parameter!r}; give it once.")
                if parameter in mappings and isinstance(value, list | tuple):
                    warnings.warn(
                        f"{name}: {parameter}= is a mapping from names; a list is deprecated.",
                        DeprecationWarning,
                        stacklevel=2,
                    )
                    value = {str(number): entry for number, entry in enumerate(value)}
                today[parameter] = value
            return function(*args[:first], **today)  # type: ignore[arg-type]

        return wrapper

    return decorate
