"""Studies in a Zarr store: finished batches stay, whatever ends the run, and the result is that of an undisturbed run."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pymc as pm
import pytest
import xarray as xr
from tiers import slow_if

from pp_mlekl.estimation.replicates.replicate_fits import STATUSES
from pp_mlekl.estimation.replicates.simulator import Replicates
from pp_mlekl.simulation import batches as batch_module
from pp_mlekl.simulation import settings
from pp_mlekl.simulation.batch_fits import fitted_or_failed
from pp_mlekl.simulation.batches import batches_of
from pp_mlekl.simulation.result_arrays import Column, Layout
from pp_mlekl.simulation.study import study

TRUTH = {"rate": 2.0}
SMALL = {"sizes": [5, 40], "replicates": 60, "random_seed": 7}


def new_exponential():
    with pm.Model() as model:
        rate = pm.Exponential("rate", 1.0)
        pm.Exponential("y", rate, observed=[1.0, 2.0, 3.0])
    return model


EXPONENTIAL = new_exponential()


def exponential():
    """The same model each time, whose functions are built once."""
    return EXPONENTIAL


@pytest.fixture(autouse=True)
def small_batches(monkeypatch):
    """Several batches for each size."""
    monkeypatch.setattr(batch_module, "_BATCH_TERMS", 200)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A finished store, to be copied."""
    path = tmp_path_factory.mktemp("finished") / "study.zarr"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(batch_module, "_BATCH_TERMS", 200)
        study(exponential(), TRUTH, store=path, **SMALL)
    return path


@pytest.fixture
def path(finished, tmp_path):
    """A finished store of one's own."""
    return shutil.copytree(finished, tmp_path / "study.zarr")


class Stop(Exception):
    """Ends a study from outside."""


def stop_after(batches):
    def progress(line):
        if line.startswith(f"{batches}/"):
            raise Stop

    return progress


def content(folder):
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_each_batch_has_a_seed_and_a_place_of_its_own():
    found = batches_of([10, 33], 50)
    covered = np.zeros((2, 1, 50), dtype=int)
    for batch in found:
        covered[batch.where] += 1
    assert np.all(covered == 1)
    root = np.random.SeedSequence(3)
    children = np.random.SeedSequence(3).spawn(len(found))
    for batch, child in zip(found, children, strict=True):
        assert batch.generator(root).random() == np.random.default_rng(child).random()


def test_a_store_holds_the_same_numbers_as_memory_and_can_be_read(path):
    in_memory = study(exponential(), TRUTH, **SMALL)
    stored = study(exponential(), TRUTH, store=path, **SMALL)
    for group in ("replicates", "summary", "pseudo_true"):
        xr.testing.assert_identical(in_memory[group].to_dataset(), stored[group].to_dataset())
    assert stored.attrs == in_memory.attrs
    before = content(path)
    said = []
    again = study(exponential(), TRUTH, store=path, progress=said.append, **SMALL)
    xr.testing.assert_identical(stored, again)
    assert said == []
    assert content(path) == before
    opened = xr.open_datatree(path, engine="zarr", consolidated=False)
    xr.testing.assert_identical(opened["summary"].to_dataset(), in_memory["summary"].to_dataset())


@pytest.mark.parametrize("batches", slow_if([1, 7], [1]))
def test_a_stopped_study_is_continued(finished, tmp_path, batches):
    parts = tmp_path / "parts.zarr"
    with pytest.raises(Stop):
        study(exponential(), TRUTH, store=parts, progress=stop_after(batches), **SMALL)
    said = []
    study(exponential(), TRUTH, store=parts, progress=said.append, **SMALL)
    assert said[0].startswith(f"{batches} of ")
    assert len(said) == len(batches_of(SMALL["sizes"], SMALL["replicates"])) - batches + 1
    assert content(parts) == content(finished)


def test_a_damaged_batch_is_computed_again(path):
    before = content(path)
    chunk = path / "replicates/excess/c/1/0/0"
    damaged = bytearray(chunk.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    chunk.write_bytes(bytes(damaged))
    (path / "replicates/rate/c/0/0/0").unlink()
    study(exponential(), TRUTH, store=path, **SMALL)
    assert content(path) == before


def test_without_a_seed_a_stored_study_continues_with_its_own(tmp_path):
    path = tmp_path / "study.zarr"
    arguments = SMALL | {"random_seed": None, "store": path}
    with pytest.raises(Stop):
        study(exponential(), TRUTH, progress=stop_after(3), **arguments)
    entropy, key = json.loads((path / "zarr.json").read_text())["attributes"]["seed"]
    found = study(exponential(), TRUTH, **arguments)
    assert key == []
    expected = study(exponential(), TRUTH, **SMALL | {"random_seed": entropy})
    xr.testing.assert_identical(found["replicates"].to_dataset(), expected["replicates"].to_dataset())


def change_settings(path):
    return {"replicates": 61}


def change_truth(path):
    return {"truth": {"rate": 2.5}}


def change_model(path):
    with pm.Model() as model:
        rate = pm.Exponential("rate", 1.0)
        pm.Gamma("y", 1.5, rate, observed=[1.0, 2.0, 3.0])
    return {"build": model}


def choose_what_has_a_default(path):
    study(
        **{"build": exponential(), "truth": TRUTH, "store": path.with_name("other.zarr")} | SMALL | {"compute": ["kl"]}
    )
    shutil.rmtree(path)
    path.with_name("other.zarr").rename(path)
    return {}


def change_prior(path):
    with pm.Model() as model:
        rate = pm.Exponential("rate", 2.0, initval=1.0)
        pm.Exponential("y", rate, observed=[1.0, 2.0, 3.0])
    return {"build": model}


def add_a_file(path):
    (path / "notes.txt").write_text("mine")
    return {}


def add_a_link(path):
    (path / "replicates/link").symlink_to(path)
    return {}


def change_metadata(path):
    file = path / "replicates/rate/zarr.json"
    file.write_text(file.read_text().replace("float64", "float32"))
    return {}


def remove_metadata(path):
    (path / "batches/sha256/zarr.json").unlink()
    return {}


def change_an_attribute(path):
    file = path / "zarr.json"
    file.write_text(file.read_text().replace('"nats"', '"bits"'))
    return {}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (change_settings, "holds another study \\(replicates"),
        (change_truth, "holds another study \\(truth"),
        (change_model, "holds another study \\(another model\\)"),
        (change_prior, "holds another study \\(another prior\\)"),
        (choose_what_has_a_default, "holds another study \\(compute \\['kl'\\] instead of None\\)"),
        (add_a_file, "notes.txt"),
        (add_a_link, "link"),
        (change_metadata, "damaged"),
        (remove_metadata, "missing"),
        (change_an_attribute, "damaged"),
    ],
)
def test_a_store_of_another_study_is_refused_and_kept(path, change, message):
    changed = change(path)
    before = content(path)
    with pytest.raises(ValueError, match=message) as refused:
        study(**{"build": exponential(), "truth": TRUTH, "store": path} | SMALL | changed)
    assert "\n" not in str(refused.value)
    assert content(path) == before


def test_other_versions_read_finished_stores_but_do_not_continue_unfinished_ones(tmp_path):
    path = tmp_path / "study.zarr"
    with pytest.raises(Stop):
        study(exponential(), TRUTH, store=path, progress=stop_after(2), **SMALL)
    root = path / "zarr.json"
    changed = json.loads(root.read_text())
    changed["attributes"]["versions"]["numpy"] = "1.0"
    ours = root.read_bytes()
    root.write_text(json.dumps(changed))
    with pytest.raises(ValueError, match="begun with other versions"):
        study(exponential(), TRUTH, store=path, **SMALL)
    root.write_bytes(ours)
    study(exponential(), TRUTH, store=path, **SMALL)
    root.write_text(json.dumps(changed))
    assert study(exponential(), TRUTH, store=path, **SMALL).attrs["versions"]["numpy"] == "1.0"


@pytest.mark.parametrize("name", ["study.zarr", "study.nc"])
def test_a_finished_study_of_another_version_of_this_package_is_read(tmp_path, monkeypatch, name):
    first = study(exponential(), TRUTH, store=tmp_path / name, **SMALL)
    monkeypatch.setattr(settings, "version", lambda _: "99")
    again = study(exponential(), TRUTH, store=tmp_path / name, **SMALL)
    assert again.attrs["pp_mlekl_version"] == first.attrs["pp_mlekl_version"]
    xr.testing.assert_identical(again["summary"].to_dataset(), first["summary"].to_dataset())


def test_a_store_in_use_is_refused(tmp_path):
    path = tmp_path / "study.zarr"
    refused = []

    def second(_):
        with pytest.raises(ValueError, match="in use by another study") as found:
            study(exponential(), TRUTH, store=path, **SMALL)
        refused.append(found.value)
        raise Stop

    with pytest.raises(Stop):
        study(exponential(), TRUTH, store=path, progress=second, **SMALL)
    assert refused


@pytest.mark.parametrize("singular", [[], [0], [3, 4, 9], list(range(10))])
def test_data_sets_for_which_linear_algebra_fails_are_counted(singular):
    y = np.arange(1.0, 11.0)
    y[singular] = 0.0
    drawn = Replicates(size=1, count=10, data={"y": y[:, None, None]}, weights=np.ones((1, 1, 1)))
    columns = {"inverse": Column(dims=("row",), shape=(1,)), "status": Column(dtype="int8"), "excess": Column()}
    layout = Layout(estimators=("mle", "map"), sizes=(1,), replicates=10, columns=columns, coords=xr.Dataset())

    def fits(part, generator):
        inverse = np.linalg.inv(part.data["y"])[:, 0]
        nothing = np.zeros((2, part.count))
        return {"inverse": np.stack([inverse, inverse]), "status": nothing.astype("int8"), "excess": nothing}

    found = fitted_or_failed(fits, drawn, np.random.default_rng(1), layout)
    failed = np.isin(np.arange(10), singular)
    assert np.array_equal(found["status"] == STATUSES.index("failed"), [failed, failed])
    assert np.array_equal(np.isnan(found["inverse"][..., 0]), [failed, failed])
    assert np.array_equal(np.isinf(found["excess"]), [failed, failed])
    np.testing.assert_allclose(found["inverse"][1, ~failed, 0], 1 / y[~failed])


def test_parts_that_are_not_requested_are_not_computed():
    tree = study(exponential(), TRUTH, compute=[], **SMALL)
    assert "excess" not in tree["replicates"]
    assert not any(str(name).startswith("cover") for name in tree["summary"].data_vars)
    full = study(exponential(), TRUTH, **SMALL)
    xr.testing.assert_identical(tree["summary/rmse"], full["summary/rmse"])


def test_summaries_are_those_of_the_data_sets():
    tree = study(exponential(), TRUTH, **SMALL)
    replicates, summary = tree["replicates"].to_dataset(), tree["summary"].to_dataset()
    error = replicates["rate"] - 2.0
    np.testing.assert_allclose(summary["bias"][..., 0], error.mean("replicate"))
    np.testing.assert_allclose(summary["bias_mcse"][..., 0], error.std("replicate", ddof=1) / np.sqrt(60))
    np.testing.assert_allclose(summary["rmse"][..., 0], np.sqrt((error**2).mean("replicate")))
    np.testing.assert_allclose(summary["kl_mcse"], replicates["excess"].std("replicate", ddof=1) / np.sqrt(60))
    np.testing.assert_allclose(summary["coverage_naive"], replicates["covers_naive"].mean("replicate"))


def test_a_full_disk_loses_nothing(finished, tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    try:
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1048576", "tmpfs", disk], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("This user may not mount a small disk.")
    try:
        (disk / "filler").write_bytes(bytes(900_000))
        with pytest.raises(OSError, match="finished batches are kept") as full:
            study(exponential(), TRUTH, store=disk / "s.zarr", **SMALL)
        assert full.value.filename == str(disk / "s.zarr")
        (disk / "filler").unlink()
        study(exponential(), TRUTH, store=disk / "s.zarr", **SMALL)
        assert content(disk / "s.zarr") == content(finished)
    finally:
        subprocess.run(["umount", disk], check=True)


PROGRAM = """
import sys
from pathlib import Path

sys.path.insert(0, {folder!r})
from test_streamed_study import SMALL, TRUTH, exponential
from pp_mlekl.simulation import batches
from pp_mlekl.simulation.study import study

if __name__ == "__main__":
    batches._BATCH_TERMS = 200
    from pp_mlekl.simulation.dask_cluster import connected

    with connected(workers=int(sys.argv[2]) or None) as client:
        study(exponential, TRUTH, store=sys.argv[1], client=client, progress=lambda line: print(line, flush=True), **SMALL)
"""


def killed_and_finished(tmp_path, workers, moments):
    """A store whose study was killed after each of some numbers of batches, at another moment within a batch each time."""
    program, path = tmp_path / "program.py", tmp_path / "killed.zarr"
    program.write_text(PROGRAM.format(folder=str(Path(__file__).parent)))
    for moment in moments:
        child = subprocess.Popen(
            [sys.executable, program, path, str(workers)],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )
        for _ in range(1 + int(moment)):
            child.stdout.readline()
        time.sleep(0.03 * (moment % 1))
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        child.stdout.close()
    study(exponential(), TRUTH, store=path, **SMALL)
    return path


@pytest.mark.slow
@pytest.mark.parametrize("workers", [0, 2])
def test_a_study_killed_at_random_moments_has_the_same_result(finished, tmp_path, workers):
    generator = np.random.default_rng(workers)
    for _ in range(10):
        path = killed_and_finished(tmp_path, workers, generator.uniform(0, 6, size=2))
        assert content(path) == content(finished)
        shutil.rmtree(path)
