"""Studies on a Dask cluster whose workers are really killed, whose client is closed and whose scheduler ends."""

import os
import pickle
import signal
import warnings

import numpy as np
import pymc as pm
import pytest
import xarray as xr

dask = pytest.importorskip("dask")
distributed = pytest.importorskip("distributed")

from pp_mlekl.simulation import dask_cluster  # noqa: E402
from pp_mlekl.simulation.batches import batches_of  # noqa: E402
from pp_mlekl.simulation.dask_cluster import LostWorkers, NoWorkers, connected, on_cluster  # noqa: E402
from pp_mlekl.simulation.prepared_job import SentModel  # noqa: E402
from pp_mlekl.simulation.study import study  # noqa: E402

TRUTH = {"mu": 1.0, "sigma": 2.0}
ARGUMENTS = {"sizes": [50, 200], "replicates": 20_000, "random_seed": 3}


def normal():
    with pm.Model() as model:
        mu, sigma = pm.Normal("mu", 0, 10), pm.HalfNormal("sigma", 5)
        pm.Normal("y", mu, sigma, observed=np.zeros(10))
    return model


@pytest.fixture(scope="module")
def local():
    return study(normal(), TRUTH, **ARGUMENTS)


class Fails:
    """A job whose batches end their worker."""

    def run(self, batch):
        os.kill(os.getpid(), signal.SIGKILL)


class Echo:
    """A job that tells in which process it is done, and how often it was unpacked there."""

    unpacked = 0

    def __setstate__(self, state):
        Echo.unpacked += 1

    def __getstate__(self):
        return {"any": 1}

    def run(self, batch):
        return {"process": np.array([os.getpid(), Echo.unpacked])}


@pytest.mark.slow
@pytest.mark.parametrize("kills", [1, 3])
def test_killed_workers_change_nothing(local, tmp_path, kills):
    with connected(workers=2) as client:
        left = [kills]

        def kill(line):
            if left[0]:
                left[0] -= 1
                process = next(iter(client.run(os.getpid).values()))
                os.kill(process, signal.SIGKILL)

        found = study(normal, TRUTH, client=client, store=tmp_path / "s.zarr", progress=kill, **ARGUMENTS)
    assert left == [0]
    for group in ("replicates", "summary"):
        xr.testing.assert_identical(found[group].to_dataset(), local[group].to_dataset())


@pytest.mark.slow
def test_a_batch_that_kills_every_worker_is_given_up():
    with connected(workers=2) as client, pytest.raises(LostWorkers, match="perhaps for want of memory"):
        list(on_cluster(client, Fails(), batches_of([10], 10)))


@pytest.mark.slow
def test_a_closed_client_loses_no_finished_batch(local, tmp_path):
    path = tmp_path / "s.zarr"
    with connected(workers=2) as client:

        def close(line):
            if line.startswith("3/"):
                client.close()

        with pytest.raises(LostWorkers):
            study(normal, TRUTH, client=client, store=path, progress=close, **ARGUMENTS)
    said = []
    found = study(normal(), TRUTH, store=path, progress=said.append, **ARGUMENTS)
    assert said[0].startswith("3 of ")
    xr.testing.assert_identical(found["replicates"].to_dataset(), local["replicates"].to_dataset())


@pytest.mark.slow
def test_a_job_is_unpacked_once_a_worker():
    with connected(workers=2) as client:
        found = [values["process"] for _, values in on_cluster(client, Echo(), batches_of([10_000], 500))]
    assert len(found) == len(batches_of([10_000], 500))
    assert {int(times) for _, times in found} == {1}
    assert len({int(process) for process, _ in found}) == 2


def test_without_a_scheduler_the_address_is_named():
    with pytest.raises(ValueError, match=r"127\.0\.0\.1:9"), distributed_timeout(), connected("tcp://127.0.0.1:9"):
        pass
    # Dask would look for its scheduler whenever a file is written.
    assert dask.config.get("scheduler", None) is None


def test_without_workers_there_is_no_client():
    with connected() as client:
        assert client is None


def distributed_timeout():
    return dask.config.set({"distributed.comm.timeouts.connect": "1s"})


@pytest.mark.slow
def test_two_clusters_at_the_same_time():
    with connected(workers=1) as one, connected(workers=1) as other:
        assert one.submit(sum, [1, 2]).result() == other.submit(sum, [1, 2]).result() == 3


def test_a_scheduler_without_workers_is_named(monkeypatch):
    monkeypatch.setattr(dask_cluster, "_PATIENCE", 0.05)
    settings = {"processes": False, "dashboard_address": None, "threads_per_worker": 1}
    said = []
    with (
        warnings.catch_warnings(),
        distributed.LocalCluster(n_workers=0, **settings) as cluster,
        distributed.Client(cluster, set_as_default=False) as client,
    ):

        def note(message, *_, **__):
            said.append(message)
            cluster.scale(1)

        warnings.simplefilter("always", NoWorkers)
        monkeypatch.setattr(warnings, "showwarning", note)
        found = list(on_cluster(client, Echo(), batches_of([10], 5)))
    assert len(found) == 1
    assert [type(one) for one in said] == [NoWorkers]
    assert f"dask worker {cluster.scheduler_address}" in str(said[0])


@pytest.mark.slow
def test_workers_keep_the_graphs_of_a_model_for_the_next_study():
    model = normal()
    arguments = {"sizes": [50], "replicates": 20, "random_seed": 3}
    with connected(workers=1) as client:

        def built():
            from pp_mlekl.pymc_model.interpreter.lazy_function import CompilationCount

            return CompilationCount.interpreted

        first = study(model, TRUTH, client=client, **arguments)
        (before,) = client.run(built).values()
        again = study(model, TRUTH, client=client, **arguments)
        (after,) = client.run(built).values()
    assert before == after > 0
    xr.testing.assert_identical(first["replicates"].to_dataset(), again["replicates"].to_dataset())


def test_a_model_is_sent_with_its_present_data_and_unpacked_once():
    model = normal()
    with model:
        pm.Data("x", [1.0, 2.0])
    first, again = (pickle.loads(pickle.dumps(SentModel(model))) for _ in range(2))
    study(model, TRUTH, sizes=[20], replicates=2, random_seed=1)
    assert first is again is pickle.loads(pickle.dumps(SentModel(model)))
    with model:
        pm.set_data({"x": [3.0, 4.0]})
    other = pickle.loads(pickle.dumps(SentModel(model)))
    assert other is not first
    assert other["x"].get_value().tolist() == [3.0, 4.0]
    assert first["x"].get_value().tolist() == [1.0, 2.0]
