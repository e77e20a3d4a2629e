"""Warnings as an attribute of a Dataset or DataTree: a JSON list, which every file format stores unchanged."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

# The previous release joined warnings by this text.
_FORMER_SEPARATOR = " | "


def warnings_attribute(warnings: Iterable[str]) -> str:
    """The value of ``attrs["warnings"]``, without duplicates.

    Examples
    --------
    >>> warnings_attribute(["few draws", "few draws", "a heavy tail"])
    '["few draws", "a heavy tail"]'
    """
    return json.dumps(list(dict.fromkeys(warnings)), ensure_ascii=False)


def read_warnings(attributes: Mapping[Any, Any]) -> tuple[str, ...]:
    """The warnings among the attributes of a Dataset or DataTree; empty if there is no such attribute.

    Examples
    --------
    >>> read_warnings({"warnings": '["few draws", "a heavy tail"]'})
    ('few draws', 'a heavy tail')
    >>> read_warnings({})
    ()
    """
    found = attributes.get("warnings", "[]")
    if not isinstance(found, str):
        return tuple(found)
    if found.startswith("["):
        return tuple(json.loads(found))
    return tuple(part for part in found.split(_FORMER_SEPARATOR) if part)
