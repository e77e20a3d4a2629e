"""Warnings as an attribute of a Dataset or DataTree: a JSON list, which every file format gives back unchanged."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

# How the previous release joined warnings.
_FORMER_SEPARATOR = " | "


def warnings_attribute(warnings: Iterable[str]) -> str:
    """The value of ``attrs["warnings"]``; each warning stands in it once.

    Examples
    --------
    >>> warnings_attribute(["few draws", "few draws", "a heavy tail"])
    '["few draws", "a heavy tail"]'
    """
    return json.dumps(list(dict.fromkeys(warnings)), ensure_ascii=False)


def read_warnings(attributes: Mapping[Any, Any]) -> tuple[str, ...]:
    """The warnings among the attributes of a Dataset or DataTree; none where there is no such attribute.

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
