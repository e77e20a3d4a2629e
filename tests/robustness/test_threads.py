"""Threads, processes and event loops: the same numbers, and nothing that a process shares left changed."""

import asyncio
import gc
import logging
import multiprocessing
import sys
import threading
import warnings
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial

import cloudpickle
import matplotlib as mpl
import pytensor
import pytensor.tensor.basic
import pytest
from given import normal_model
from scipy import stats
from threadpoolctl import threadpool_info

import pp_mlekl as mk
from pp_mlekl.utils.garbage_collection import collected_rarely
from pp_mlekl.utils.shared_state import Shared, alone, silenced

CHANGED_SETTINGS = ("cxx", "traceback__limit", "optdb__max_use_ratio", "numba__fastmath")


def shared_settings():
    """What all threads of the process share."""
    return {
        "collector": gc.get_threshold(),
        "PyTensor": {name: getattr(pytensor.config, name) for name in CHANGED_SETTINGS},
        "PyTensor's functions": [pytensor.tensor.basic.infer_static_shape],
        "loggers": [logging.getLogger(name).level for name in ("pymc", "arviz_stats.psense")],
        "disabled": [logging.getLogger(name).disabled for name in ("pymc", "arviz_stats.psense")],
        "matplotlib": dict(mpl.rcParams),
        "BLAS": [library["num_threads"] for library in threadpool_info()],
        "path": list(sys.path),
    }


def estimate(shared_model, task, own_model=None):
    """One number by one of the public functions; odd tasks use a model that others use at the same time."""
    model = shared_model if task % 2 else own_model or normal_model()
    return {
        0: lambda: float(mk.find_mle(model, random_seed=1).values["mu"]),
        1: lambda: float(mk.kl_divergence(stats.norm(0, 1), stats.t(5))),
        2: lambda: float(mk.find_map(model, random_seed=1).values["mu"]),
    }[task % 3]()


def compared(folder, number, model):
    """The mean of a comparison's draws; its page is drawn."""
    found = mk.compare(model, draws=50, chains=2, random_seed=1)
    found.to_html(folder / f"{number}.html")
    return float(found.tree["posterior/mu"].mean())


@pytest.fixture
def many_switches():
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


def test_estimates_in_threads(many_switches):
    work = partial(estimate, normal_model())
    expected = [work(task) for task in range(6)]
    before = shared_settings()
    models = [normal_model() for _ in range(24)]
    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(work, range(24), models)) == expected * 4
    assert shared_settings() == before


@pytest.mark.slow
def test_comparisons_in_threads(many_switches, tmp_path):
    work = partial(compared, tmp_path)
    expected = work(0, normal_model())
    before = shared_settings()
    models = [normal_model() for _ in range(8)]
    # Libraries silence warnings for all threads, which may cross before Python 3.14.
    with warnings.catch_warnings(), ThreadPoolExecutor(4) as pool:
        assert set(pool.map(work, range(8), models)) == {expected}
    assert shared_settings() == before
    assert len(list(tmp_path.glob("*.html"))) == 8


def test_estimates_in_an_event_loop():
    work = partial(estimate, normal_model())

    async def all_of_them():
        return await asyncio.gather(*(asyncio.to_thread(work, task) for task in range(6)))

    assert asyncio.run(all_of_them()) == [work(task) for task in range(6)]


@pytest.mark.slow
@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
# A process of several threads, as pytest's is with Numba, is warned when it forks.
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_estimates_in_processes(method):
    expected = [estimate(None, task) for task in (0, 2, 4)]
    context = multiprocessing.get_context(method)
    with ProcessPoolExecutor(2, mp_context=context) as pool:
        assert list(pool.map(partial(estimate, None), (0, 2, 4))) == expected


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_fork_while_another_thread_holds_the_lock():
    held, release = threading.Event(), threading.Event()

    def hold():
        with alone(), collected_rarely():
            held.set()
            release.wait(60)

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait(60)
    try:
        with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("fork")) as pool:
            assert pool.submit(estimate, None, 0).result(timeout=120) == pytest.approx(1.0, abs=1e-6)
    finally:
        release.set()
        thread.join()


@pytest.mark.slow
def test_estimates_by_joblib():
    joblib = pytest.importorskip("joblib")
    expected = [estimate(None, task) for task in (0, 2)]
    found = joblib.Parallel(n_jobs=2)(joblib.delayed(estimate)(None, task) for task in (0, 2))
    assert found == expected


@pytest.mark.slow
def test_estimates_on_dask_workers():
    distributed = pytest.importorskip("distributed")
    expected = [estimate(None, task) for task in (0, 2, 4)]
    for processes in (False, True):
        options = {"processes": processes, "n_workers": 2, "threads_per_worker": 2, "dashboard_address": ":0"}
        with distributed.Client(**options) as client:
            futures = client.map(partial(estimate, None), (0, 2, 4), pure=False)
            assert client.gather(futures) == expected


def test_the_package_and_its_functions_can_be_pickled():
    assert cloudpickle.loads(cloudpickle.dumps(mk)) is mk
    for name in mk.__all__:
        assert cloudpickle.loads(cloudpickle.dumps(getattr(mk, name))) is getattr(mk, name)


def test_results_can_be_pickled():
    estimate = mk.find_mle(normal_model(), random_seed=1)
    assert cloudpickle.loads(cloudpickle.dumps(estimate)).values.identical(estimate.values)
    approximation = mk.laplace(normal_model(), draws=10, random_seed=1)
    again = cloudpickle.loads(cloudpickle.dumps(approximation))
    assert again.tree["posterior"].identical(approximation.tree["posterior"])
    assert again.pareto_k(random_seed=1) == approximation.pareto_k(random_seed=1)


def test_a_shared_context_is_left_by_the_last():
    log = []

    class Context:
        def __enter__(self):
            log.append("enter")

        def __exit__(self, *error):
            log.append("exit")

    shared = Shared(Context)
    shared.__enter__()
    thread = threading.Thread(target=shared.__enter__)
    thread.start()
    thread.join()
    shared.__exit__()
    assert log == ["enter"]
    shared.__exit__()
    assert log == ["enter", "exit"]


def test_warnings_are_silenced_for_one_thread_alone():
    heard = []
    inside, outside = threading.Event(), threading.Event()

    def quietly():
        with silenced():
            inside.set()
            outside.wait(60)
            warnings.warn("in the silenced thread", stacklevel=1)

    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.showwarning = lambda message, *_: heard.append(str(message))
        thread = threading.Thread(target=quietly)
        thread.start()
        inside.wait(60)
        warnings.warn("meanwhile", stacklevel=1)
        outside.set()
        thread.join()
        warnings.warn("afterwards", stacklevel=1)
    assert heard == ["meanwhile", "afterwards"]
