"""Atomic writes of files and folders, which replace only what this package wrote.

The content is made in memory. It is written under a temporary name in the target's folder, flushed to the disk and
renamed, so that a full disk, an error or an interrupt leaves the old file as it was. Two writers of one target never share
a temporary name. Only empty files, empty folders and those with this package's mark are replaced.
"""

import errno
import os
import re
import secrets
import shutil
import signal
import tempfile
import threading
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from glob import escape
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

try:
    import fcntl
except ImportError:  # Windows has no such locks, but does not remove a file in use, which also protects it.
    fcntl = None  # type: ignore[assignment]

AnyPath = str | os.PathLike[str]
IsOurs = Callable[[Path], bool]

# A comment in HTML and in Markdown.
MARK = "<!-- Written by pp_mlekl, which replaces this file when it writes it again. -->"

# In bytes. File systems allow 255; extensions, numbers and what a browser adds to a download need some of them.
_LONGEST_NAME = 120
# Windows reserves these names for devices, with any extension.
_DEVICES = {"con", "prn", "aux", "nul", *(f"{port}{i}" for port in ("com", "lpt") for i in range(10))}


def write_text(path: AnyPath, text: str) -> Path:
    """Write a page of HTML or Markdown with this package's mark, so that a later run may replace it.

    Raises
    ------
    ValueError
        If the path is a folder or a file that this package did not write.
    OSError
        If the file cannot be written, for example on a full disk; the error names the path.
    """
    content = f"{text.rstrip()}\n{MARK}\n".encode(errors="replace")
    return write_bytes(path, content, is_ours=has_mark)


def has_mark(path: Path) -> bool:
    """Whether a file is a page that ``write_text`` wrote."""
    return MARK.encode() in path.read_bytes()


def write_bytes(path: AnyPath, content: bytes, *, is_ours: IsOurs) -> Path:
    """Write a file; ``is_ours`` says whether an existing file may be replaced. Raises as ``write_text``."""
    target = check_file(path, is_ours)
    with _beside(target, path, Path.touch) as part:
        _flushed(part, content, "wb")
        if target.exists():
            shutil.copymode(target, part)
        os.replace(part, target)
    return Path(path)


def write_folder(path: AnyPath, files: Mapping[str, bytes], *, is_ours: IsOurs) -> Path:
    """Write a folder of files, named relative to it; an existing folder stays until the new one is complete.

    Raises as ``write_text``.
    """
    target = check_folder(path, is_ours)
    for name in files:
        if Path(name).is_absolute() or not set(Path(name).parts).isdisjoint(("..", "")):
            raise ValueError(f"{name!r} cannot be the name of a file in {path}; give the variable another name.")
    with _beside(target, path, Path.mkdir) as part:
        for name, content in files.items():
            file = part / name
            file.parent.mkdir(parents=True, exist_ok=True)
            # Mode "x" refuses an existing file: two names may be one file on a file system that ignores case.
            _flushed(file, content, "xb")
        with locked(target.parent):
            _check_own_folder(target, path, is_ours)
            _exchange(part, target)
    return Path(path)


def check_file(path: AnyPath, is_ours: IsOurs) -> Path:
    """Resolve links in a path and check that the file is new, empty or written by this package.

    Raises
    ------
    ValueError, OSError
        As ``write_text``.
    """
    target = _real(path)
    if target.is_symlink():
        raise ValueError(f"{path} is a link to itself; name a file to write.")
    if target.is_dir():
        raise ValueError(f"{path} is a folder; name a file in it, such as {Path(path) / 'result'}.")
    if target.exists():
        if not target.is_file():
            raise ValueError(f"{path} is no regular file; name a file to write.")
        if not os.access(target, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), os.fspath(path))
        if target.stat().st_size and not is_ours(target):
            raise ValueError(f"{path} was not written by pp_mlekl and is kept; name another file, or move it away.")
    return target


def check_folder(path: AnyPath, is_ours: IsOurs) -> Path:
    """Resolve links in a path and check that the folder is new, empty or written by this package."""
    target = _real(path)
    # The lock waits for another process that is replacing the folder.
    with locked(target.parent):
        _check_own_folder(target, path, is_ours)
    return target


def _check_own_folder(target: Path, path: AnyPath, is_ours: IsOurs) -> None:
    if target.is_symlink():
        raise ValueError(f"{path} is a link to itself; name a folder to write.")
    if target.exists():
        if not target.is_dir():
            raise ValueError(f"{path} is a file; name a folder to write, or move it away.")
        if any(target.iterdir()) and not is_ours(target):
            raise ValueError(f"{path} was not written by pp_mlekl and is kept; name another folder, or move it away.")


def restored(path: AnyPath) -> Path:
    """The path with links resolved; a folder that a killed process had moved aside is put back first."""
    target = _real(path)
    if not target.exists() and target.parent.is_dir():
        _tidied(target, wait=True)
    return target


def writable_folder(folder: Path) -> Path:
    """The folder, which is made if it does not exist.

    Raises
    ------
    ValueError
        If nothing can be written there.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except OSError as error:
        raise ValueError(
            f"Nothing can be written to {folder} ({error.strerror or error}); name a folder that you may write to."
        ) from error


def check_page_target(path: AnyPath) -> None:
    """Raise as ``write_text`` would, before anything is computed; make the page's folder if it does not exist."""
    writable_folder(check_file(path, has_mark).parent)


def file_names(names: Sequence[str], taken: Sequence[str] = ()) -> list[str]:
    """A file name without extension for each name: readable, valid on every file system, and unique.

    Names that differ only in case or in the encoding of accents count as equal, as on some file systems.

    Parameters
    ----------
    names
        Any text.
    taken
        File names that are in use already.

    Examples
    --------
    >>> file_names(["Eight schools", "eight/schools", "..", "index"], taken=["index"])
    ['Eight-schools', 'eight-schools-2', 'page', 'index-2']
    """
    used = {_folded(name) for name in taken} | _DEVICES
    found = []
    for name in names:
        stem = _shortened("-".join(re.findall(r"\w+", _normal(name))), _LONGEST_NAME) or "page"
        new, number = stem, 1
        while _folded(new) in used:
            number += 1
            new = f"{stem}-{number}"
        used.add(_folded(new))
        found.append(new)
    return found


def _normal(name: str) -> str:
    return unicodedata.normalize("NFKC", name.encode(errors="replace").decode())


def _folded(name: str) -> str:
    return _normal(name).casefold()


def _shortened(text: str, most: int) -> str:
    return text.encode()[:most].decode(errors="ignore").rstrip("-")


def _real(path: AnyPath) -> Path:
    """A path with its links resolved: the file that a link points to is replaced, not the link."""
    text = os.fspath(path)
    if "\0" in text:
        raise ValueError(f"A path must not have the character NUL, got {text!r}; leave it out.")
    if text.endswith(("/", os.sep)) or Path(text).name in ("", ".."):
        raise ValueError(f"{text!r} is a folder; name a file in it, such as {str(Path(text) / 'result')!r}.")
    return Path(os.path.realpath(text))


@contextmanager
def _beside(target: Path, given: AnyPath, make: Callable[[Path], None]) -> Iterator[Path]:
    """A new file or folder beside a target, removed at the end unless it was renamed; errors name the path as given."""
    target.parent.mkdir(parents=True, exist_ok=True)
    _tidied(target)
    part = target.with_name(f"{_prefix(target)}{secrets.token_hex(8)}.part")
    try:
        with signals_held_back(), ExitStack() as stack:
            try:
                # ``_tidied`` holds the folder's lock, so it never sees a part before its writer has locked it.
                with locked(target.parent):
                    make(part)
                    stack.enter_context(locked(part))
                yield part
            finally:
                _discarded(part)
    except OSError as error:
        if error.errno is None:
            raise
        raise OSError(error.errno, error.strerror, os.fspath(given)) from error


def _prefix(target: Path) -> str:
    # Shortened, because the name itself may have the greatest length that the file system allows.
    return f".{_shortened(target.name, _LONGEST_NAME)}.{sha256(os.fsencode(target.name)).hexdigest()[:8]}."


@contextmanager
def signals_held_back() -> Iterator[None]:
    """Delay SIGINT and SIGTERM until the block has ended; only the main thread receives signals."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []
    replaced: list[tuple[signal.Signals, Any]] = []
    try:
        # SIGINT is the first signal to be replaced and the last to be restored.
        for number in (signal.SIGINT, signal.SIGTERM):
            if (handler := signal.getsignal(number)) is not None:
                replaced.insert(0, (number, handler))
                signal.signal(number, lambda received, _: came.append(received))
        yield
    finally:
        for number, handler in replaced:
            signal.signal(number, handler)
        for received in sorted(set(came), reverse=True):
            signal.raise_signal(received)


@contextmanager
def locked(path: Path, *, wait: bool = True) -> Iterator[bool]:
    """Lock a file or folder and yield whether this process holds the lock; False if the system has no locks.

    The system releases the locks of killed processes.
    """
    if fcntl is None:
        yield False
        return
    try:
        opened = os.open(path, os.O_RDONLY)
    except OSError:
        yield False
        return
    try:
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            holds = True
        except OSError:
            holds = False
        yield holds
    finally:
        # Unlocked explicitly, because a child process may have inherited the open file and with it the lock.
        with suppress(OSError):
            fcntl.flock(opened, fcntl.LOCK_UN)
        os.close(opened)


def _tidied(target: Path, *, wait: bool = False) -> None:
    """Remove the temporary files of killed writers of this target, and put back a folder that one had moved aside."""
    with locked(target.parent, wait=wait) as alone:
        for leftover in target.parent.glob(f"{escape(_prefix(target))}*") if alone else ():
            if leftover.suffix == ".old" and not target.exists():
                leftover.rename(target)
                continue
            # The file is not found if its writer has just renamed it.
            with suppress(FileNotFoundError), locked(leftover, wait=False) as dead:
                if dead:
                    _discarded(leftover)


def _discarded(part: Path) -> None:
    if part.is_dir():
        shutil.rmtree(part)
    part.unlink(missing_ok=True)


def _flushed(file: Path, content: bytes, mode: Literal["wb", "xb"]) -> None:
    with file.open(mode) as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())


def _exchange(part: Path, target: Path) -> None:
    """Replace an old folder by a new one; the old one is removed last."""
    old = part.with_suffix(".old")
    replaces = target.exists()
    if replaces:
        target.rename(old)
    try:
        part.rename(target)
    except BaseException:
        if replaces:
            old.rename(target)
        raise
    if replaces:
        # ``_tidied`` may put back a folder named .old, so a folder has this name only while it is complete.
        old.rename(part)
        shutil.rmtree(part)
