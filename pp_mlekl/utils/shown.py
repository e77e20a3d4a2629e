"""Values in messages."""

import inspect
from typing import Any

# Longer values are shown by their types.
_LONGEST = 60


def shown(value: Any) -> str:
    """A value in one line for messages, or its type where it does not fit.

    Examples
    --------
    >>> shown(3.5), shown("x" * 100), shown(int)
    ('3.5', 'a value of type str', 'the class int')
    """
    if inspect.isclass(value):
        return f"the class {value.__name__}"
    text = repr(value)
    plain = (
        isinstance(value, str | bytes | bool | int | float | complex | list | tuple | dict | set | None)
        or "numpy" in type(value).__module__
    )
    if plain and len(text) <= _LONGEST and "\n" not in text:
        return text
    return f"a value of type {type(value).__name__}"
