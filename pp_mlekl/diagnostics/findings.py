"""Findings: statements about a result, each with a level."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One observation about a result.

    Parameters
    ----------
    level
        ``"ok"``, ``"caution"`` or ``"problem"``.
    topic
        The aspect that was examined, such as ``"convergence"``.
    text
        One or more sentences.
    judged
        False where the aspect could not be assessed.
    """

    level: str
    topic: str
    text: str
    judged: bool = True


def finding(level: str, topic: str, text: str) -> Finding:
    """A finding about an aspect that was assessed."""
    return Finding(level=level, topic=topic, text=text)


def not_judged(topic: str, text: str) -> Finding:
    """A finding that an aspect could not be assessed."""
    return Finding(level="caution", topic=topic, text=text, judged=False)


def some(names: Iterable[object]) -> str:
    """The first names, and how many more there are."""
    listed = list(names)
    more = f" and {len(listed) - 4} more" if len(listed) > 4 else ""
    return ", ".join(str(n) for n in listed[:4]) + more
