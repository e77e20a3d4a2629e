"""A folder with a module of the user's own models."""

import pytest

MODEL = """
'''A normal sample of one's own.'''
import pymc as pm

def build(scale=10):
    with pm.Model() as model:
        mu = pm.Normal("mu", 0, scale)
        pm.Normal("y", mu, 1, observed=[0.4, 1.2, 0.9, 1.5])
    return model

def build_wide():
    return build(100)

def build_other():
    with pm.Model() as model:
        pm.Normal("y", pm.Normal("mu"), 1, observed=[0.4, 1.2])
    return model

def raises():
    raise RuntimeError("no data today")

def refused():
    with pm.Model() as model:
        k = pm.Poisson("k", 2)
        pm.Normal("y", k, 1, observed=[1.0])
    return model

def nothing():
    return None

def penalised():
    model = build()
    with model:
        pm.Potential("penalty", -model["mu"] ** 2)
    return model

def flat():
    with pm.Model() as model:
        both = pm.Normal("a", 0, 10) + pm.Normal("b", 0, 10)
        pm.Normal("y", both, 1, observed=[0.4, 1.2, 0.9, 1.5])
    return model

def of_table(table, scale=10):
    with pm.Model() as model:
        pm.Normal("y", pm.Normal("mu", 0, scale), 1, observed=table["y"])
    return model

def of_two(table, scale):
    return of_table(table, scale)
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "my_model.py").write_text(MODEL)
    monkeypatch.chdir(tmp_path)
    return tmp_path
