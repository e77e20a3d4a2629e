"""``pp-mlekl report``: pages, an index, and what is made anew."""

import dataclasses
import json
from pathlib import Path

import pytest
from command_line import run

import pp_mlekl as mk
from pp_mlekl.cli.errors import INTERRUPTED, Stopped
from pp_mlekl.cli.load_model import load_builder
from pp_mlekl.cli.report_build import Task, _data, _fingerprint, build
from pp_mlekl.cli.report_file import Specification, read_specification, specification_schema

HELPER = "SCALE = 10\n"
MODEL = """
'''About the module.'''
import helper
import pymc as pm

def build(data=None, scale=helper.SCALE):
    '''A normal sample of one's own.

    Parameters
    ----------
    data
        A table.
    '''
    values = [0.4, 1.2, 0.9, 1.5] if data is None else data["y"].to_numpy()
    with pm.Model() as model:
        mu = pm.Normal("mu", 0, scale)
        pm.Normal("y", mu, 1, observed=values)
    return model

def raises():
    raise RuntimeError("no data today")

def exits():
    raise SystemExit(0)
"""
REPORT = """
builder = "my_model.py:build"
data = "table.csv"
draws = 200
chains = 2
[args]
scale = 5
[truth]
mu = 1.0
"""
KINDS = ("html", "json", "md", "nc")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "my_model.py").write_text(MODEL)
    (tmp_path / "helper.py").write_text(HELPER)
    (tmp_path / "one.toml").write_text(REPORT)
    (tmp_path / "table.csv").write_text("y\n0.1\n0.9\n1.7\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_pages_index_and_what_is_made_anew(folder):
    (folder / "no_data.toml").write_text('builder = "my_model.py:raises"\n')
    (folder / "exits.toml").write_text('builder = "my_model.py:exits"\n')
    result = run("report", "no_data.toml", "exits.toml", "one.toml", "--out", "pages")
    # A failure or an exit is reported and does not keep the others from a page.
    assert result.exit_code == 1, result.output
    pages = folder / "pages"
    assert {p.name for p in pages.iterdir()} == {"index.html", "report.json", *(f"one.{kind}" for kind in KINDS)}
    assert result.stdout.split() == [
        str((pages / name).resolve()) for name in ("one.html", "index.html", "report.json")
    ]
    failed, _, made = json.loads((pages / "report.json").read_text(encoding="utf-8"))["pp_mlekl_reports"]
    assert "no data today" in failed["failure"]
    alone = json.loads((pages / "one.json").read_text(encoding="utf-8"))
    assert made == {key: value for key, value in alone.items() if key not in ("pp_mlekl_fingerprint", "card")}
    assert {badge["topic"] for badge in made["badges"]} >= {"MLE", "MAP", "Sampling"}
    index = (pages / "index.html").read_text(encoding="utf-8")
    assert "There is no page: my_model.py:raises raised RuntimeError: no data today" in index
    assert "my_model.py:exits raised SystemExit" in index
    assert 'href="one.html"' in index

    page = (pages / "one.html").read_text(encoding="utf-8")
    assert 'href="index.html"' in page
    assert page.index("A normal sample of one") < page.index("About the module")
    numbers = json.loads((pages / "one.json").read_text(encoding="utf-8"))
    saved = mk.load(pages / "one.nc")
    assert numbers["observations"] == 3
    assert numbers["estimates"][0]["MLE"] == pytest.approx(0.9)
    assert numbers["estimates"][0]["mean"] == pytest.approx(saved.summary()["mean"]["mu"])
    assert {b["topic"] for b in numbers["badges"]} >= {"Sampling", "MLE"}
    assert numbers["verdict"]["level"] == saved.verdict().level

    before = {kind: (pages / f"one.{kind}").stat().st_mtime_ns for kind in KINDS}
    result = run("report", "one.toml", "--out", "pages")
    assert result.exit_code == 0, result.output
    assert "one: unchanged" in result.stderr
    assert {kind: (pages / f"one.{kind}").stat().st_mtime_ns for kind in KINDS} == before
    # The card of a page that is not made anew is the same.
    card = index[index.index('href="one.html"') : index.index("</ul></main>")]
    assert card in (pages / "index.html").read_text(encoding="utf-8")


def fingerprint(**changed):
    specification = dataclasses.replace(read_specification(Path("one.toml")), **changed)
    builder = load_builder(specification.builder)
    model = builder.build(_data(specification), **specification.args)
    task = Task(specification=specification, stem=Path("one"))
    return _fingerprint(task, builder, model, specification.truth)


def test_changes_that_renew_a_page(folder):
    seen = [fingerprint(), fingerprint(seed=2), fingerprint(args={"scale": 6})]
    (folder / "table.csv").write_text("y\n0.1\n0.9\n1.8\n")
    seen.append(fingerprint())
    (folder / "helper.py").write_text(HELPER + "# A remark.\n")
    seen.append(fingerprint())
    (folder / "my_model.py").write_text(MODEL + "# A remark.\n")
    seen.append(fingerprint())
    assert len(set(seen)) == len(seen)
    assert fingerprint() == seen[-1]


def test_check_builds_and_makes_no_page(folder):
    (folder / "wrong.toml").write_text(REPORT.replace("mu = 1.0", "nu = 1.0"))
    result = run("report", "one.toml", "wrong.toml", "--check", "--out", "pages")
    assert result.exit_code == 2
    assert "one: checked" in result.stderr
    assert "wrong: failed" in result.stderr
    assert not (folder / "pages").exists()


def test_the_whole_gallery_has_names_of_its_own():
    from pp_mlekl.cli.gallery import entries
    from pp_mlekl.cli.report import _of_gallery

    found = _of_gallery()
    assert [one.builder for one in found] == [entry.name for entry in entries()]
    assert len({one.name.lower() for one in found}) == len(found)


def test_the_schema_describes_every_key(folder):
    schema = json.loads(run("report", "--schema").stdout)
    assert schema == specification_schema()
    assert set(schema["properties"]) == {f.name for f in dataclasses.fields(Specification)}
    assert all(p["description"].endswith(".") for p in schema["properties"].values())
    assert schema["properties"]["truth"]["type"] == ["string", "object"]
    assert schema["properties"]["draws"]["type"] == ["integer"]


@pytest.mark.slow
def test_several_workers(folder):
    (folder / "two.toml").write_text(REPORT.replace("scale = 5", "scale = 50"))
    result = run("report", "one.toml", "two.toml", "--workers", "2", "--out", "pages")
    assert result.exit_code == 0, result.output
    assert {p.suffix for p in (folder / "pages").glob("*.*")} == {f".{kind}" for kind in KINDS}
    assert (folder / "pages" / "two.html").exists()


@pytest.mark.slow
def test_workers_of_a_dask_scheduler(folder):
    distributed = pytest.importorskip("distributed")
    (folder / "two.toml").write_text(REPORT.replace("scale = 5", "scale = 50"))
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as cluster:
        address = cluster.scheduler_address
        result = run("report", "one.toml", "two.toml", "--scheduler", address, "--out", "pages")
    assert result.exit_code == 0, result.output
    assert (folder / "pages" / "one.html").exists()
    assert (folder / "pages" / "two.html").exists()
    assert "two" in (folder / "pages" / "index.html").read_text()


@pytest.mark.parametrize("kind", ["csv", "parquet", "nc"])
def test_data_files(folder, kind):
    import pandas as pd

    from pp_mlekl.cli.data_files import read_data

    table = pd.DataFrame({"y": [0.5, 1.5]})
    path = folder / f"data.{kind}"
    if kind == "parquet":
        pytest.importorskip("pyarrow")
        table.to_parquet(path)
    elif kind == "nc":
        table.to_xarray().to_netcdf(path)
    else:
        table.to_csv(path, index=False)
    assert read_data(path)["y"].values.tolist() == [0.5, 1.5]


def test_an_interrupt_ends_all_reports(tmp_path):
    (tmp_path / "model.py").write_text("def build():\n    raise KeyboardInterrupt\n", encoding="utf-8")
    task = Task(
        specification=Specification(builder=f"{tmp_path}/model.py:build", name="model"), stem=tmp_path / "model"
    )
    with pytest.raises(Stopped) as ended:
        build(task)
    assert ended.value.code == INTERRUPTED
