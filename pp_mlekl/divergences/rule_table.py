"""Which ordered pairs of families have a closed form."""

from pp_mlekl.divergences.closed_form import RULES, expectations_fit
from pp_mlekl.divergences.distribution import Distribution
from pp_mlekl.divergences.families import FAMILIES


def rules() -> list[tuple[str, str]]:
    """The ordered pairs of families that have a closed form, without those whose supports make it always infinite.

    Examples
    --------
    >>> ("Gamma", "LogNormal") in rules(), ("Normal", "Gamma") in rules()
    (True, False)
    """
    pairs = {(p.__name__, q.__name__) for p, q in RULES if _can_cover(q, p)}
    pairs |= {(p.__name__, p.__name__) for p in FAMILIES.values() if p.fold is not Distribution.fold}
    for p in FAMILIES.values():
        for q in FAMILIES.values():
            if _is_univariate(p) and _is_univariate(q) and p.discrete == q.discrete and expectations_fit(p, q):
                pairs |= {(p.__name__, q.__name__)} if _can_cover(q, p) else set()
    return sorted(pairs)


def _is_univariate(cls: type[Distribution]) -> bool:
    return isinstance(cls.discrete, bool) and cls.event_ndim == 0


def _can_cover(q: type[Distribution], p: type[Distribution]) -> bool:
    return p.narrowest[0] >= q.widest[0] and p.narrowest[1] <= q.widest[1]
