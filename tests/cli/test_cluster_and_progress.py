"""Workers and progress: what is shown where, and options that exclude each other."""

import signal
import sys
import warnings
from contextlib import contextmanager
from io import StringIO

import pytest

from pp_mlekl.cli.cluster import cluster
from pp_mlekl.cli.errors import WRONG_USE, Stopped
from pp_mlekl.cli.progress import steps


def refusal(scheduler, workers):
    with pytest.raises(Stopped) as stopped, cluster(scheduler, workers):
        pass
    assert stopped.value.code == WRONG_USE
    return stopped.value.reason


def test_without_workers_there_is_no_client():
    with cluster(None, None) as client:
        assert client is None


def test_a_scheduler_has_its_own_workers(capsys):
    assert refusal("tcp://x:1", 2) == "--scheduler and --workers exclude each other: a scheduler has its own workers."


def test_dask_is_asked_for_where_it_is_missing(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "pp_mlekl.simulation.dask_cluster", None)
    assert refusal("tcp://x:1", None) == "--scheduler and --workers need Dask: pip install pp_mlekl[dask]."
    assert refusal(None, 2) == "--scheduler and --workers need Dask: pip install pp_mlekl[dask]."


def test_a_warning_about_workers_is_a_line_each_time(monkeypatch, capsys):
    dask_cluster = pytest.importorskip("pp_mlekl.simulation.dask_cluster")
    given = []

    @contextmanager
    def connected(*arguments):
        given.append(arguments)
        yield "client"

    monkeypatch.setattr(dask_cluster, "connected", connected)
    with cluster(None, 3) as client:
        assert client == "client"
        for _ in range(2):
            warnings.warn("no workers", dask_cluster.NoWorkers, stacklevel=1)
    assert given == [(None, 3)]
    assert capsys.readouterr().err == "pp-mlekl: no workers\n" * 2


def test_a_request_to_end_is_an_interrupt_while_there_are_workers(monkeypatch):
    dask_cluster = pytest.importorskip("pp_mlekl.simulation.dask_cluster")
    ended = []

    @contextmanager
    def connected(*arguments):
        try:
            yield "client"
        finally:
            ended.append(arguments)

    monkeypatch.setattr(dask_cluster, "connected", connected)
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt), cluster(None, 2):
        signal.raise_signal(signal.SIGTERM)
    assert ended == [(None, 2)]
    assert signal.getsignal(signal.SIGTERM) is before


class Terminal(StringIO):
    def isatty(self):
        return True


def test_steps_are_shown_on_terminals_alone(monkeypatch, capsys):
    with steps("name") as say:
        say("first")
    shown = capsys.readouterr()
    assert shown.out + shown.err == ""
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    with steps("a [b]") as say:
        say("step [c]")
    assert "a [b]" in terminal.getvalue()
    assert capsys.readouterr().out == ""
