"""Sentences that name values, counts, p values and files."""

import io
import os
import sys

import numpy as np
import psutil
import pytest

from pp_mlekl.utils import files
from pp_mlekl.utils.counts import check_count, check_memory, counted
from pp_mlekl.utils.p_values import holm, p_value
from pp_mlekl.utils.progress import progress_bar
from pp_mlekl.utils.real_numbers import real_numbers
from pp_mlekl.utils.shown import shown


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("x" * 58, repr("x" * 58)),
        ("x" * 59, "a value of type str"),
        ("two\nlines", repr("two\nlines")),
        ({"a": 1}, "{'a': 1}"),
        (None, "None"),
        (np.array([1.5, 2.5]), "array([1.5, 2.5])"),
        (np.eye(2), "a value of type ndarray"),
        (np.float64(2.5), "np.float64(2.5)"),
        (io.StringIO, "the class StringIO"),
        (io.StringIO(), "a value of type StringIO"),
        (range(3), "a value of type range"),
    ],
)
def test_values_in_messages(value, text):
    assert shown(value) == text


@pytest.mark.parametrize("value", [True, 2.0, "3", 0, None])
def test_counts_are_positive_integers(value):
    with pytest.raises(ValueError, match=r"^draws must be a positive integer, got "):
        check_count("draws", value)


def test_counts_have_a_smallest_value():
    check_count("draws", np.int64(1))
    check_count("draws", 5, at_least=5)
    check_count("draws", 0, at_least=0)
    with pytest.raises(ValueError, match=r"^draws must be an integer of at least 5, got 4.$"):
        check_count("draws", 4, at_least=5)


def test_memory():
    total = psutil.virtual_memory().total
    check_memory(total // 8, "These")
    with pytest.raises(ValueError, match=r"^These need ") as raised:
        check_memory(total // 8 * 2, "These")
    have = total / 2**30
    assert str(raised.value) == f"These need {2 * have:.3g} GiB of memory, and this machine has {have:.3g}; take fewer."
    with pytest.raises(ValueError, match="take fewer"):
        check_memory(total // 8 + 1, "These")


def test_plurals():
    assert [counted(n, "draw") for n in (0, 1, 2, 1000000)] == ["0 draws", "1 draw", "2 draws", "1,000,000 draws"]
    assert [counted(n, "maximum", "maxima") for n in (1, 2)] == ["1 maximum", "2 maxima"]


@pytest.mark.parametrize(
    ("p", "text"),
    [
        (0.001, "p = .001"), (0.00099, "p < .001"), (0.0999, "p = .100"), (0.1, "p = .10"), (0.994, "p = .99"),
        (0.996, "p = 1"), (0.0, "p < .001"),
    ],
)  # fmt: skip
def test_p_values(p, text):
    assert p_value(p) == text


def test_adjusted_p_values():
    np.testing.assert_allclose(holm([0.02, 0.01, 0.5, 0.6]), [0.06, 0.04, 1.0, 1.0])
    np.testing.assert_allclose(holm([0.03, np.nan, 0.02]), [0.04, np.nan, 0.04])
    assert holm([]).shape == (0,)
    assert np.isnan(holm([np.nan])).all()


def test_numbers_as_doubles():
    for given in ([1, 2], [True, False], np.array([1, 2], dtype=np.uint8), np.array([1.5, None], dtype=object)):
        assert real_numbers(given).dtype == np.float64
    assert np.isnan(real_numbers(np.array([1.5, None], dtype=object))[1])
    doubles = np.ones(3)
    assert real_numbers(doubles) is doubles
    assert real_numbers(np.ma.array([1.0, 2.0])).tolist() == [1.0, 2.0]
    for given, kind in ((["a"], "str"), ([1j], "complex128"), (np.array(["2020-01-01"], dtype="M8[D]"), "datetime64")):
        with pytest.raises(TypeError, match=f"^got {kind}"):
            real_numbers(given)
    with pytest.raises(TypeError, match=r"^some values are masked; leave them out$"):
        real_numbers(np.ma.array([1.0, 2.0], mask=[False, True]))


def test_steps_are_named_by_a_function_or_not_at_all():
    named = []
    with progress_bar("title", 2, named.append) as step:
        step("one")
        step("two")
    assert named == ["one", "two"]
    with progress_bar("title", 2, False) as step:
        assert step("one") is None


def test_a_bar_is_for_terminals(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    for kind, seen in ((Terminal, True), (io.StringIO, False)):
        stream = kind()
        monkeypatch.setattr(sys, "stderr", stream)
        monkeypatch.setenv("TERM", "xterm")
        with progress_bar("ti[b]tle", 2, True) as step:
            step("sampling")
        assert ("ti[b]tle: sampling" in stream.getvalue()) == seen


def ours(path):
    return path.read_bytes().startswith(b"ours")


def refusal(path, check=files.check_file):
    with pytest.raises(ValueError, match=r"\.$") as raised:
        check(path, ours)
    return str(raised.value)


def test_files_that_are_not_written(tmp_path):
    foreign, folder, loop, pipe = (tmp_path / name for name in ("foreign", "folder", "loop", "pipe"))
    foreign.write_text("theirs")
    folder.mkdir()
    loop.symlink_to(loop)
    os.mkfifo(pipe)
    assert refusal(foreign) == f"{foreign} was not written by pp_mlekl and is kept; name another file, or move it away."
    assert refusal(folder) == f"{folder} is a folder; name a file in it, such as {folder / 'result'}."
    assert refusal(loop) == f"{loop} is a link to itself; name a file to write."
    assert refusal(pipe) == f"{pipe} is no regular file; name a file to write."
    assert refusal("a\0b") == "A path must not have the character NUL, got 'a\\x00b'; leave it out."
    for name in ("x/", "x/..", "."):
        assert refusal(name).startswith(f"{name!r} is a folder; name a file in it, such as ")
    foreign.write_text("ours and theirs")
    assert files.check_file(foreign, ours) == foreign
    assert files.check_file(tmp_path / "new", ours) == tmp_path / "new"


def test_folders_that_are_not_written(tmp_path):
    foreign, file, loop = (tmp_path / name for name in ("foreign", "file", "loop"))
    foreign.mkdir()
    assert files.check_folder(foreign, lambda _: False) == foreign
    (foreign / "theirs").touch()
    file.touch()
    loop.symlink_to(loop)
    assert refusal(file, files.check_folder) == f"{file} is a file; name a folder to write, or move it away."
    assert refusal(loop, files.check_folder) == f"{loop} is a link to itself; name a folder to write."
    kept = "was not written by pp_mlekl and is kept; name another folder, or move it away."
    with pytest.raises(ValueError, match=f"foreign {kept}$"):
        files.check_folder(foreign, lambda _: False)
    assert files.check_folder(foreign, lambda path: path == foreign) == foreign
    with pytest.raises(ValueError, match=r"cannot be the name of a file in .*; give the variable another name\.$"):
        files.write_folder(tmp_path / "new", {"../up": b""}, is_ours=ours)


def test_folders_that_can_be_written(tmp_path):
    made = tmp_path / "one" / "two"
    assert files.writable_folder(made) == made
    assert list(made.iterdir()) == []
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match=r"^Nothing can be written to .*; name a folder that you may write to.$"):
        files.writable_folder(tmp_path / "file")
    files.check_page_target(tmp_path / "three" / "page.html")
    assert (tmp_path / "three").is_dir()
    assert not (tmp_path / "three" / "page.html").exists()


def test_pages_end_with_their_mark(tmp_path):
    path = files.write_text(tmp_path / "page.html", "text \n\n\n")
    assert path.read_text() == f"text\n{files.MARK}\n"
    assert files.has_mark(path)
    files.write_text(path, "again")
    assert path.read_text().startswith("again\n")
    path.write_text("without")
    assert not files.has_mark(path)


def test_names_of_files():
    assert files.file_names(["CON", "a b/c", "A B C", "é", "e\u0301", "", "lpt9"]) == [
        "CON-2", "a-b-c", "A-B-C-2", "é", "é-2", "page", "lpt9-2",
    ]  # fmt: skip
    assert files.file_names(["x" * 121 + "y"]) == ["x" * 120]
    # Characters are not cut in two.
    assert files.file_names(["ä" * 61]) == ["ä" * 60]
