"""The frame of the attacks: what one is, when it has failed, and the table of all.

An attack tries to make the program lose data, run code that nobody named, or fail with anything but one line. Each has a
folder of its own. Files in ``place.users`` at the moment of ``place.keep()`` are the user's: they must be the same afterwards.
"""

import hashlib
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

# What a user can be told in one line; anything else is a bug.
REFUSALS = (ValueError, TypeError, OSError, ImportError)


class Lost(AssertionError):
    """A file of the user's has changed, or something half written is left."""


class Executed(AssertionError):
    """Code ran, or would run in a browser, that nobody named."""


@dataclass(kw_only=True)
class Place:
    """Where an attack is made.

    Parameters
    ----------
    folder
        Empty at first.
    given
        Results that take long to compute and that all attacks share; they are not changed.
    """

    folder: Path
    given: Any
    kept: dict[str, str] = field(default_factory=dict)

    @property
    def trap(self) -> Path:
        """A file that only code which nobody named would make."""
        return self.folder.with_name(f"{self.folder.name}.executed")

    def keep(self) -> None:
        """What is in the folder now is the user's."""
        self.kept = fingerprints(self.folder)

    def refused(self, call: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
        """The call raises what a user can be told in one line."""
        try:
            call(*args, **kwargs)
        except REFUSALS as error:
            if not str(error) or "\n" in str(error):
                raise AssertionError(f"not one line: {error!r}") from error
        else:
            raise AssertionError("not refused")

    def check(self) -> None:
        """Raise where something was lost or executed."""
        if self.trap.exists():
            raise Executed(self.trap.read_text())
        now = fingerprints(self.folder)
        if changed := [name for name, content in self.kept.items() if now.get(name) != content]:
            raise Lost(f"changed: {', '.join(changed)}")
        if left := [name for name in now if name.endswith((".part", ".old")) and name not in self.kept]:
            raise Lost(f"left: {', '.join(left)}")


@dataclass(frozen=True, kw_only=True)
class Attack:
    """One attack: a kind, a name, and the function that makes it."""

    kind: str
    name: str
    make: Callable[[Place], None]


ATTACKS: list[Attack] = []


def attack(kind: str, cases: Iterable[Any] = ((),)) -> Callable[[Callable], Callable]:
    """Register a function as an attack of a kind, once for each case, which is passed after the place."""

    def register(function: Callable) -> Callable:
        for case in cases:
            arguments = case if isinstance(case, tuple) else (case,)
            name = " ".join([function.__name__, *(_short(a) for a in arguments)])

            def make(place: Place, arguments: tuple = arguments) -> None:
                function(place, *arguments)

            ATTACKS.append(Attack(kind=kind, name=name, make=make))
        return function

    return register


def _short(argument: Any) -> str:
    return argument.__name__ if callable(argument) else ascii(argument)[:60]


def outcome(one: Attack, folder: Path, given: Any) -> tuple[str, str]:
    """``"held"``, ``"lost"``, ``"executed"`` or ``"error"``, and the reason; the folder is removed."""
    folder.mkdir()
    place = Place(folder=folder, given=given)
    try:
        one.make(place)
        place.check()
    except Lost as error:
        return "lost", str(error)
    except Executed as error:
        return "executed", str(error)
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        return "error", f"{type(error).__name__}: {error}"
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        place.trap.unlink(missing_ok=True)
    return "held", ""


def make_all(attacks: Iterable[Attack], folder: Path, given: Any) -> pd.DataFrame:
    """Make attacks one after the other: a row for each, with ``kind``, ``name``, ``outcome`` and ``reason``."""
    rows = []
    for number, one in enumerate(attacks):
        found, reason = outcome(one, folder / f"{number}", given)
        rows.append({"kind": one.kind, "name": one.name, "outcome": found, "reason": reason})
    return pd.DataFrame(rows, columns=["kind", "name", "outcome", "reason"])


def table(found: pd.DataFrame) -> str:
    """How many attacks of each kind were made, and how many did harm, as Markdown."""
    counts = pd.crosstab(found["kind"], found["outcome"]).reindex(found["kind"].unique())
    columns = ["lost", "executed", "error"]
    lines = ["| kind | attacks | data lost | code executed | not one line |", "| --- | ---: | ---: | ---: | ---: |"]
    for kind, row in counts.iterrows():
        lines.append(" | ".join([f"| {kind}", str(row.sum()), *(str(row.get(c, 0)) for c in columns)]) + " |")
    total = [str(len(found)), *(str((found["outcome"] == c).sum()) for c in columns)]
    return "\n".join([*lines, f"| **all** | {' | '.join(total)} |"])


def fingerprints(folder: Path) -> dict[str, str]:
    """Every path below a folder with what it is: a hash of its content, or where it points to."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink():
            found[name] = f"link to {path.readlink()}"
        elif path.is_file():
            found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
        else:
            found[name] = "folder"
    return found
