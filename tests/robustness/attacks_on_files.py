"""Attacks on files: targets that are not ours, interrupts, full disks, writers at the same time, damage."""

import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from attack import Lost, Place, attack, fingerprints

import pp_mlekl as mk
from pp_mlekl.report.page import write_index
from pp_mlekl.utils.files import file_names, write_text
from pp_mlekl.utils.tree_storage import read_tree, write_tree


def save(place: Place, path: Any) -> None:
    """A comparison to NetCDF or Zarr."""
    place.given.comparison.save(path)


def to_html(place: Place, path: Any) -> None:
    """A comparison's page."""
    place.given.comparison.to_html(path)


def to_markdown(place: Place, path: Any) -> None:
    """A comparison as Markdown."""
    place.given.comparison.to_markdown(path)


def models_to_html(place: Place, path: Any) -> None:
    """The page of several models."""
    place.given.models.to_html(path)


def proof_to_html(place: Place, path: Any) -> None:
    """A proof's page."""
    place.given.proof.to_html(path)


def index(place: Place, path: Any) -> None:
    """An index of pages."""
    write_index([], path)


def store(place: Place, path: Any) -> None:
    """A study's store."""
    place.given.study(store=path)


WRITERS = (save, to_html, to_markdown, models_to_html, proof_to_html, index, store)


def users_files(folder: Path) -> None:
    """What a user may have: notes, data, folders, links, files of zeros."""
    (folder / "notes.txt").write_text("mine")
    (folder / "page.html").write_text("<p>mine</p>")
    (folder / "page.md").write_text("# mine")
    (folder / "zeros.nc").write_bytes(bytes(5000))
    xr.Dataset({"a": 1}).to_netcdf(folder / "data.nc", engine="h5netcdf")
    xr.Dataset({"a": 1}, attrs={"pp_mlekl_version": "0.1.0"}).to_netcdf(folder / "marked.nc", engine="h5netcdf")
    for name in ("results", "data.zarr"):
        (folder / name / "deep").mkdir(parents=True)
        (folder / name / "deep" / "notes.txt").write_text("mine")
    (folder / "data.zarr" / "zarr.json").write_text('{"zarr_format": 3, "node_type": "group", "attributes": {}}')
    (folder / "link.html").symlink_to("notes.txt")
    (folder / "link.zarr").symlink_to("results")


TARGETS = (
    "notes.txt", "page.html", "page.md", "zeros.nc", "data.nc", "marked.nc", "results", "results/", "data.zarr",
    "link.html", "link.zarr", ".", "..", "results/..", "results/deep/../..", "notes.txt/page.html", "new/", "",
)  # fmt: skip


@attack("targets that are not ours", [(writer, target) for writer in WRITERS for target in TARGETS])
def written_over(place: Place, writer: Callable, target: str) -> None:
    """Whatever is written where the user has something is refused."""
    users_files(place.folder)
    place.keep()
    outside = fingerprints(place.folder.parent)
    place.refused(writer, place, f"{place.folder}/{target}" if target else "")
    if fingerprints(place.folder.parent) != outside:
        raise Lost("something changed beside the folder")


@attack(
    "targets that are not ours", [(writer, target) for writer in WRITERS for target in ("fifo", "/dev/null", "loop")]
)
def no_regular_file(place: Place, writer: Callable, target: str) -> None:
    """Pipes and devices are not replaced, links in a circle not followed."""
    os.mkfifo(place.folder / "fifo")
    (place.folder / "loop").symlink_to("loop")
    before = os.stat("/dev/null")
    place.refused(writer, place, place.folder / target)
    if os.stat("/dev/null") != before:
        raise Lost("/dev/null was replaced")


@attack("targets that are not ours", ["notes.txt", "extra/zarr.json", "posterior/notes.txt"])
def added_to_zarr(place: Place, name: str) -> None:
    """A file that the user puts into our Zarr store keeps the store from being replaced."""
    target = place.folder / "c.zarr"
    save(place, target)
    (target / name).parent.mkdir(exist_ok=True)
    (target / name).write_text("mine")
    place.keep()
    place.refused(save, place, target)


@attack("targets that are not ours", ["study.nc", "study.zarr"])
def other_content(place: Place, name: str) -> None:
    """A comparison does not replace a study, nor a study a comparison."""
    store(place, place.folder / name)
    place.keep()
    place.refused(save, place, place.folder / name)
    save(place, place.folder / f"c{name}")
    place.keep()
    place.refused(store, place, place.folder / f"c{name}")


CHANGED_SETTINGS = (
    {"sizes": [6]}, {"sizes": [5, 6]}, {"replicates": 11}, {"random_seed": 2}, {"random_seed": None}, {"ci_prob": 0.9},
    {"estimators": ["map"]}, {"estimators": ["mle", "map"]}, {"truth": {"mu": 1.0 + 1e-9}},
)  # fmt: skip


@attack("another study in the store", [(c, kind) for c in CHANGED_SETTINGS for kind in ("nc", "zarr")])
def another_study(place: Place, changed: dict[str, Any], kind: str) -> None:
    """A study with other settings is refused; the same is read, not computed."""
    path = place.folder / f"study.{kind}"
    first = place.given.study(store=path)
    place.keep()
    place.refused(place.given.study, store=path, **changed)
    again = place.given.study(store=path, progress=lambda _: (_ for _ in ()).throw(AssertionError("computed again")))
    if not again.identical(first):
        raise Lost("the study is another one after it was read")


NAMES = (
    ["index"], ["INDEX", "index"], ["..", "."], ["a/b", "a\\b", "a b"], ["x" * 400, "x" * 401], ["é", "e\u0301"],
    ["ß", "ss", "SS"], ["con", "NUL", "aux"], [""] * 5, ["日本", "語"], ["\ud800", "\0"], ["-rf", "--help"], ["~", "$HOME"],
    ["a.html", "a"], ["K", "K", "k"], ["<img src=x onerror=alert(1)>"], ["index-2", "index", "index"], ["💥", "💥"],
    ["a\nb", "a\tb"], ["％2e％2e"],
)  # fmt: skip


@attack("names of pages", [(names,) for names in NAMES])
def page_names(place: Place, names: list[str]) -> None:
    """Each page has a file of its own, in the folder, on file systems that ignore case too."""
    found = file_names(names, taken=["index"])
    write_text(place.folder / "index.html", "index")
    for name in found:
        write_text(place.folder / f"{name}.html", name)
    written = {path.name.casefold() for path in place.folder.rglob("*")}
    if len(written) != len(names) + 1 or any(len(os.fsencode(name)) > 200 for name in written):
        raise Lost(f"pages {written} for {names}")
    if (place.folder / "index.html").read_text().splitlines()[0] != "index":
        raise Lost("the index was written over")


# Four formats, each as a function of the path and of which content is to be written.
def _page(path: Path, which: int) -> None:
    write_text(path, str(which) * 300_000)


def _tree(path: Path, which: int) -> None:
    write_tree(
        xr.DataTree.from_dict({"g": xr.Dataset({"a": ("x", np.random.default_rng(which).normal(size=30_000))})}),
        path,
        "comparison",
    )


FORMATS = {"page.html": _page, "page.md": _page, "tree.nc": _tree, "tree.zarr": _tree}


def content_of(path: Path) -> dict[str, str]:
    """What is at a path, as hashes; empty where there is nothing."""
    return {name: found for name, found in fingerprints(path.parent).items() if name.split("/")[0] == path.name}


def in_child(function: Callable[[], None]) -> int:
    """Run a function in a forked process and return how it ended: its exit status, or minus a signal's number."""
    child = os.fork()
    if not child:
        status = 3
        try:
            signal.signal(signal.SIGINT, signal.default_int_handler)
            function()
            status = 0
        except KeyboardInterrupt:
            status = 130
        except OSError:
            status = 1
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


MOMENTS = [
    (name, number, moment)
    for name in FORMATS
    for number, count in ((signal.SIGINT, 8), (signal.SIGTERM, 8), (signal.SIGKILL, 6))
    for moment in range(count)
]


@attack("interrupts at random moments", [(name, int(number), moment) for name, number, moment in MOMENTS])
def interrupted(place: Place, name: str, number: int, moment: int) -> None:
    """What is there after a signal is whole, old or new; nothing half written is left, or the next writer removes it."""
    path, write = place.folder / name, FORMATS[name]
    wholes = []
    for which in (0, 1):
        write(path, which)
        wholes.append(content_of(path))
    seconds = random.Random(f"{name} {number} {moment}").uniform(0.001, 0.08)

    def writing() -> None:
        signal.signal(signal.SIGALRM, lambda *_: os.kill(os.getpid(), number))
        signal.setitimer(signal.ITIMER_REAL, seconds)
        which = 0
        while True:
            write(path, which)
            which = 1 - which

    ended = in_child(writing)
    if ended not in (130, -number):
        raise AssertionError(f"ended by {ended}")
    if number == signal.SIGKILL:
        # Nobody can clean up after it; the next writer does.
        write(path, 0)
    if content_of(path) not in wholes:
        raise Lost("neither the old nor the new content")


@contextmanager
def small_disk(folder: Path, size: int):
    """A file system of so many bytes at a folder."""
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], check=True, capture_output=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


def can_mount(folder: Path) -> bool:
    """Whether this user may mount a file system."""
    try:
        with small_disk(folder, 4096):
            return True
    except (OSError, subprocess.CalledProcessError):
        return False
    finally:
        folder.rmdir()


@attack(
    "full disks",
    [(name, replaces, free) for name in FORMATS for replaces in (False, True) for free in (0, 8192, 65536, 131072)],
)
def full_disk(place: Place, name: str, replaces: bool, free: int) -> None:
    """An error that names the file; the old content stays."""
    path, write = place.folder / "disk" / name, FORMATS[name]
    with small_disk(place.folder / "disk", 1_048_576) as disk:
        if replaces:
            write(path, 1)
        before = fingerprints(disk)
        filler = disk / "filler"
        with filler.open("wb", buffering=0) as file, suppress_full():
            while True:
                file.write(bytes(4096))
        os.truncate(filler, max(filler.stat().st_size - free, 0))
        place.refused(write, path, 2)
        filler.unlink()
        if fingerprints(disk) != before:
            raise Lost("the old content is gone, or something is left")
        if replaces:
            write(path, 3) if name != "tree.zarr" else None


@contextmanager
def suppress_full():
    """Until the disk is full."""
    try:
        yield
    except OSError:
        pass


@attack("writers at the same time", [(name, turn) for name in FORMATS for turn in range(5)])
def together(place: Place, name: str, turn: int) -> None:
    """Of several writers of one file, one's whole content is there at the end."""
    path, write = place.folder / name, FORMATS[name]
    wholes = []
    for which in range(3):
        write(path, which)
        wholes.append(content_of(path))

    def many(which: int) -> Callable[[], None]:
        def run() -> None:
            for _ in range(8):
                write(path, which)

        return run

    def reading() -> None:
        for _ in range(20):
            if name.startswith("tree"):
                read_tree(path, "comparison")

    children = [_forked(many(which)) for which in range(3)] + [_forked(reading)]
    ended = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    if any(ended):
        raise AssertionError(f"a writer or the reader failed: {ended}")
    if content_of(path) not in wholes:
        raise Lost("a mixture")


def _forked(function: Callable[[], None]) -> int:
    child = os.fork()
    if child:
        return child
    status = 3
    try:
        function()
        status = 0
    except Exception as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
    finally:
        os._exit(status)


@attack("writers at the same time", [(kind, turn) for kind in ("nc", "zarr") for turn in range(4)])
def studies_together(place: Place, kind: str, turn: int) -> None:
    """Two processes with the same study make one store, which is the study: the second waits, or is refused while batches come in.

    Of two others, one is refused.
    """
    path = place.folder / f"study.{kind}"
    reference = place.given.study()
    other = {"replicates": 12} if turn % 2 else {}
    children = [_forked(lambda: place.given.study(store=path)), _forked(lambda: place.given.study(store=path, **other))]
    ended = sorted(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children)
    if ended not in ([[0, 3]] if other else [[0, 0], [0, 3]] if kind == "zarr" else [[0, 0]]):
        raise AssertionError(f"ended by {ended}")
    try:
        found = place.given.study(store=path)
    except ValueError:
        found = place.given.study(store=path, **other)
        reference = place.given.study(**other)
    if not found.identical(reference):
        raise Lost("the stored study is not the one computed")


@attack("damaged files", [("c.nc", change, turn) for change in ("flip", "cut", "zeros", "append") for turn in range(8)])
@attack(
    "damaged files",
    [("c.zarr", change, turn) for change in ("flip", "cut", "zeros", "append", "remove") for turn in range(6)],
)
def damaged(place: Place, name: str, change: str, turn: int) -> None:
    """One changed byte is noticed, by loading and by what would replace the file."""
    path = place.folder / name
    save(place, path)
    chance = random.Random(f"{name} {change} {turn}")
    files = sorted(p for p in ([path] if path.is_file() else path.rglob("*")) if p.is_file())
    file = chance.choice(files)
    content = bytearray(file.read_bytes())
    at = chance.randrange(len(content))
    if change == "flip":
        content[at] ^= 1 << chance.randrange(8)
    elif change == "cut":
        del content[at:]
    elif change == "zeros":
        content[at:] = bytes(len(content) - at + 1)
    else:
        content += b"\0" * (at + 1)
    file.write_bytes(content)
    if change == "remove":
        file.unlink()
    place.keep()
    if not (change == "cut" and not content and path.is_file()):
        place.refused(mk.load, path)
