"""Data files: which are read, and what is said of the others."""

from pathlib import Path

import pandas as pd
import pytest

from pp_mlekl.cli.data_files import read_data


def test_without_a_file_there_are_no_data():
    assert read_data(None) is None


def test_the_extension_may_be_in_capitals(tmp_path):
    path = tmp_path / "a.CSV"
    path.write_text("y\n1\n")
    pd.testing.assert_frame_equal(read_data(path), pd.DataFrame({"y": [1]}))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("a.xlsx", r"^Data must be a file that ends in \.csv, \.parquet, \.nc, got a\.xlsx\.$"),
        ("none.csv", r"^There is no file none\.csv; name a file that exists\.$"),
    ],
)
def test_a_file_that_is_none(name, message):
    with pytest.raises(ValueError, match=message):
        read_data(Path(name))


def test_a_file_that_cannot_be_read(tmp_path, monkeypatch):
    path = tmp_path / "a.csv"
    path.write_text("")
    with pytest.raises(ValueError, match=r"a\.csv cannot be read as csv \(No columns"):
        read_data(path)

    def missing(path):
        raise ImportError("no engine")

    monkeypatch.setattr(pd, "read_parquet", missing)
    (tmp_path / "a.parquet").write_bytes(b"")
    with pytest.raises(ImportError, match=r"^Parquet files need: pip install pyarrow\.$"):
        read_data(tmp_path / "a.parquet")
