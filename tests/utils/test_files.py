"""Files appear whole or not at all, and replace only what the package wrote."""

import os
import signal
import subprocess
import sys
import threading

import pytest

from pp_mlekl.utils import files
from pp_mlekl.utils.files import check_page_target, file_names, write_folder, write_text


def ours(path):
    return (path / "mark").is_file()


def entries(folder):
    return sorted(path.name for path in folder.iterdir())


def test_own_pages_are_replaced_and_keep_their_mode(tmp_path):
    page = write_text(tmp_path / "new" / "page.html", "one")
    page.chmod(0o640)
    write_text(page, "two")
    assert page.read_text(encoding="utf-8").startswith("two\n")
    assert page.stat().st_mode & 0o777 == 0o640
    assert entries(page.parent) == ["page.html"]


@pytest.mark.parametrize(
    "target", ["notes.html", "folder", "folder/", "..", ".", "link.html", "loop", "fifo", "/dev/null"]
)
def test_files_of_the_user_are_kept(tmp_path, target):
    (tmp_path / "notes.html").write_text("mine")
    (tmp_path / "folder").mkdir()
    (tmp_path / "link.html").symlink_to("notes.html")
    (tmp_path / "loop").symlink_to("loop")
    os.mkfifo(tmp_path / "fifo")
    before = entries(tmp_path)
    for write in (lambda path: write_text(path, "page"), check_page_target):
        with pytest.raises(ValueError, match=r"name a(nother)? file"):
            write(f"{tmp_path}/{target}" if target != "/dev/null" else target)
    assert entries(tmp_path) == before
    assert (tmp_path / "notes.html").read_text() == "mine"


def test_an_empty_file_is_replaced(tmp_path):
    (tmp_path / "page.html").touch()
    assert write_text(tmp_path / "page.html", "page").stat().st_size > 4


def test_a_link_to_an_own_page_stays_a_link(tmp_path):
    write_text(tmp_path / "page.html", "one")
    (tmp_path / "latest.html").symlink_to("page.html")
    write_text(tmp_path / "latest.html", "two")
    assert (tmp_path / "latest.html").is_symlink()
    assert (tmp_path / "page.html").read_text().startswith("two")


def test_folders_are_replaced_whole_and_only_own_ones(tmp_path):
    target = tmp_path / "store"
    write_folder(target, {"mark": b"", "deep/a": b"1"}, is_ours=ours)
    write_folder(target, {"mark": b"", "b": b"2"}, is_ours=ours)
    assert entries(target) == ["b", "mark"]
    (target / "mark").unlink()
    with pytest.raises(ValueError, match="was not written by pp_mlekl"):
        write_folder(target, {"mark": b""}, is_ours=ours)
    assert entries(target) == ["b"]
    assert entries(tmp_path) == ["store"]


@pytest.mark.parametrize("name", ["../a", "/a", "b/../../a"])
def test_files_stay_in_their_folder(tmp_path, name):
    with pytest.raises(ValueError, match="cannot be the name of a file"):
        write_folder(tmp_path / "store", {name: b""}, is_ours=ours)
    assert entries(tmp_path) == []


def test_leftovers_of_a_killed_writer_are_removed_and_its_old_folder_is_put_back(tmp_path):
    target = tmp_path / "store"
    write_folder(target, {"mark": b"old"}, is_ours=ours)
    prefix = files._prefix(target)
    (tmp_path / f"{prefix}1.part").mkdir()
    (tmp_path / f"{prefix}1.part" / "a").write_text("half")
    target.rename(tmp_path / f"{prefix}2.old")
    assert files.restored(target).joinpath("mark").read_bytes() == b"old"
    assert entries(tmp_path) == ["store"]


def test_a_folder_that_is_being_replaced_is_waited_for(tmp_path):
    """Its writer holds the lock of the folder around both, and has moved the old one aside."""
    target, found = tmp_path / "store", []
    old = write_folder(target, {"mark": b"old"}, is_ours=ours).rename(tmp_path / f"{files._prefix(target)}1.old")
    reader = threading.Thread(target=lambda: found.append(files.restored(target).is_dir()))
    with files.locked(tmp_path) as held:
        assert held
        reader.start()
        reader.join(timeout=0.05)
        assert found == []
        old.rename(target)
    reader.join()
    assert found == [True]


def test_the_part_of_a_running_writer_is_left_alone(tmp_path):
    part = tmp_path / f"{files._prefix(tmp_path / 'page.html')}1.part"
    part.write_text("half")
    with files.locked(part) as held:
        assert held
        write_text(tmp_path / "page.html", "page")
        assert part.exists()
    write_text(tmp_path / "page.html", "page")
    assert entries(tmp_path) == ["page.html"]


WRITER = """
import os, signal, sys
from pp_mlekl.utils import files
# A process that a shell starts in the background ignores the signal.
signal.signal(signal.SIGINT, signal.default_int_handler)
flush = os.fsync
def signalled(number):
    os.kill(os.getpid(), int(sys.argv[2]))
    flush(number)
os.fsync = signalled
files.write_text(sys.argv[1], "new")
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_waits_until_the_file_is_whole(tmp_path, number):
    page = write_text(tmp_path / "page.html", "old")
    command = [sys.executable, "-c", WRITER, str(page), str(int(number))]
    ended = subprocess.run(command, capture_output=True, check=False)
    assert ended.returncode == -number
    assert page.read_text().startswith("new")
    assert entries(tmp_path) == ["page.html"]


def test_signal_handlers_are_as_before(tmp_path):
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    write_text(tmp_path / "page.html", "page")
    thread = threading.Thread(target=write_text, args=(tmp_path / "other.html", "page"))
    thread.start()
    thread.join()
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before
    assert entries(tmp_path) == ["other.html", "page.html"]


def test_an_error_leaves_the_old_file_and_names_it(tmp_path, monkeypatch):
    page = write_text(tmp_path / "page.html", "old")

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match=r"No space left on device: .*page.html"):
        write_text(page, "new")
    assert page.read_text().startswith("old")
    assert entries(tmp_path) == ["page.html"]


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (["index"], ["index-2"]),
        (["A", "a"], ["A", "a-2"]),
        (["\u00e9", "e\u0301"], ["\u00e9", "\u00e9-2"]),
        (["..", ".", "", "/"], ["page", "page-2", "page-3", "page-4"]),
        (["con", "Con"], ["con-2", "Con-3"]),
        (["a/../b"], ["a-b"]),
        (["index-2", "index"], ["index-2", "index-3"]),
    ],
)
def test_file_names_are_distinct_and_safe(names, found):
    assert file_names(names, taken=["index"]) == found


def test_long_file_names_are_cut_between_characters():
    (name,) = file_names(["\u8a9e" * 400])
    assert set(name) == {"\u8a9e"}
    assert len(name.encode()) <= 120
