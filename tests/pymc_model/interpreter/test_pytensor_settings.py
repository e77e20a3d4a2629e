import threading
from concurrent.futures import ThreadPoolExecutor

import pytensor
import pytest

from pp_mlekl.pymc_model.interpreter.pytensor_settings import settings


@pytest.mark.parametrize(("name", "value"), [("cxx", ""), ("traceback__limit", 0), ("numba__fastmath", False)])
def test_a_setting_is_changed_for_its_own_thread(name, value):
    before = getattr(pytensor.config, name)
    assert before != value
    with settings(**{name: value}), ThreadPoolExecutor(1) as other:
        assert getattr(pytensor.config, name) == value
        assert other.submit(getattr, pytensor.config, name).result() == before
    assert getattr(pytensor.config, name) == before


def test_interleaved_changes_of_two_threads_are_undone():
    """The other thread enters while the setting is changed here, and leaves after it was restored."""
    before = pytensor.config.cxx
    entered, left = threading.Event(), threading.Event()

    def other():
        with pytensor.config.change_flags(cxx=""):
            entered.set()
            left.wait(60)

    thread = threading.Thread(target=other)
    with settings(cxx=""):
        thread.start()
        entered.wait(60)
    left.set()
    thread.join()
    assert pytensor.config.cxx == before


def test_pytensors_own_changes_within_a_block_end_with_it():
    before = pytensor.config.traceback__limit
    with settings(traceback__limit=0):
        with pytensor.config.change_flags(traceback__limit=3), settings(cxx=""):
            assert (pytensor.config.traceback__limit, pytensor.config.cxx) == (3, "")
        pytensor.config.traceback__limit = 5
        assert pytensor.config.traceback__limit == 5
    assert pytensor.config.traceback__limit == before


def test_a_setting_that_does_not_exist_is_refused():
    with pytest.raises(KeyError, match="no_such_setting"), settings(no_such_setting=1):
        pass
