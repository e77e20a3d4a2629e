"""Locks, shared contexts and silence, between threads and after a fork."""

import os
import threading
import warnings
from contextlib import contextmanager

import pytest

from pp_mlekl.utils.shared_state import Shared, alone, silenced


def in_thread(function):
    thread = threading.Thread(target=function)
    thread.start()
    return thread


def test_one_thread_at_a_time_may_enter_and_enter_again():
    entered, seen = threading.Event(), []

    def other():
        with alone():
            entered.set()

    with alone(), alone():
        thread = in_thread(other)
        seen.append(entered.wait(0.05))
    thread.join(5)
    assert seen == [False]
    assert entered.is_set()


def counted_context():
    events = []

    @contextmanager
    def make():
        events.append("in")
        try:
            yield
        finally:
            events.append("out")

    return events, Shared(make)


def test_a_shared_context_is_left_with_its_last_user():
    events, shared = counted_context()
    with shared:
        with shared:
            pass
        assert events == ["in"]
    assert events == ["in", "out"]
    with pytest.raises(KeyError), shared:
        raise KeyError
    assert events == ["in", "out"] * 2


@pytest.mark.skipif(not hasattr(os, "fork"), reason="This system has no fork.")
@pytest.mark.parametrize("lock", ["alone", "shared"])
def test_a_forked_process_does_not_wait_for_threads_that_it_does_not_have(lock):
    held, go_on = threading.Event(), threading.Event()
    _, shared = counted_context()

    @contextmanager
    def waiting():
        held.set()
        go_on.wait(10)
        yield

    def hold():
        # The second holds the lock of counts, within which it makes its context.
        with alone() if lock == "alone" else Shared(waiting):
            held.set()
            go_on.wait(10)

    thread = in_thread(hold)
    assert held.wait(5)
    with warnings.catch_warnings():
        # Python warns of a fork in a process with threads.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        done = threading.Event()

        def enter():
            with alone() if lock == "alone" else shared:
                done.set()

        threading.Thread(target=enter, daemon=True).start()
        os._exit(0 if done.wait(5) else 1)
    go_on.set()
    thread.join()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_one_thread_is_silent_and_the_others_are_not():
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")

        def loud():
            warnings.warn("from another thread", UserWarning, stacklevel=1)

        with silenced():
            warnings.warn("not heard", UserWarning, stacklevel=1)
            in_thread(loud).join()
        warnings.warn("afterwards", UserWarning, stacklevel=1)
    assert [str(w.message) for w in heard] == ["from another thread", "afterwards"]
