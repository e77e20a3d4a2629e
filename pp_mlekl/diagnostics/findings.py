"""What is found out about a result, in words."""

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
        What it is about.
    text
        In sentences.
    judged
        False where it says that something could not be judged, so that nothing is known to be right.
    """

    level: str
    topic: str
    text: str
    judged: bool = True


def finding(level: str, topic: str, text: str) -> Finding:
    """A finding that judges."""
    return Finding(level=level, topic=topic, text=text)


def not_judged(topic: str, text: str) -> Finding:
    """A finding that something could not be judged."""
    return Finding(level="caution", topic=topic, text=text, judged=False)


def some(names: Iterable[object]) -> str:
    """The first names, and how many more there are."""
    listed = list(names)
    more = f" and {len(listed) - 4} more" if len(listed) > 4 else ""
    return ", ".join(str(n) for n in listed[:4]) + more
