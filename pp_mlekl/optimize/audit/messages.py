"""The findings in words: what the reader of a verdict must know. Nothing is decided here."""

from collections.abc import Iterable, Sequence

import numpy as np

from pp_mlekl.optimize.audit.directions import combination, identified_combinations, involved, simplest
from pp_mlekl.optimize.audit.verdict import Finding, Verdict
from pp_mlekl.optimize.modes import Mode, is_label_switch
from pp_mlekl.optimize.parameter_space import Limit, Space
from pp_mlekl.optimize.profile_paths import Climb
from pp_mlekl.typing import Array
from pp_mlekl.utils.counts import counted

_LISTED = 6
# Heights that differ by less than this share of their size are equal: searches come no nearer to a maximum.
_EQUAL = 1e-9
# Coordinates that move less than this share of the longest at the end of a path have converged.
_LASTING = 0.05
# Ratios to be named are whole ones if they are this near.
_ROUGHLY = 0.01
_ONE_OF_MANY = "Values without a standard error are one of many equivalent maxima."
_INCOMPLETE = (
    "Not all of the weakest directions of the Hessian could be computed (Lanczos' iteration did not converge): "
    "flat directions may have been missed."
)


def messages(verdict: Verdict, space: Space) -> tuple[str, ...]:
    """What a verdict's findings mean for its reader; empty for a regular maximum.

    Parameters
    ----------
    verdict
        With its status and findings.
    space
        Names of the parameters.
    """
    found = {(finding.test, finding.kind): finding for finding in verdict.findings}
    texts: list[str] = []
    if verdict.status == "failed":
        texts.append(_failed(verdict, found, space))
    elif verdict.status == "unbounded":
        texts.append(_unbounded(verdict, _climb(found["unbounded", "divergence"]), space))
    elif len(verdict.run_off):
        texts += _at_the_limit(verdict, space)
    elif verdict.status == "boundary":
        texts.append(_at_support_edge(verdict, found["nonsmooth", "support"], space))
    elif verdict.status == "not_identified":
        texts.append(_not_identified(verdict, space))
    elif verdict.status == "multimodal":
        texts.append(_multimodal(verdict, found["multimodality", "rivals"].modes, space))
    else:
        texts += _converged(found, space)
    if ("identifiability", "incomplete") in found:
        texts.append(_INCOMPLETE)
    if ("noise", "hessian") in found:
        texts.append(
            f"The Hessian of the {space.what} is not defined where the search led (double precision fails there), so it was taken from "
            "differences of gradients."
        )
    return tuple(texts)


def moved_names(directions: Array, space: Space) -> tuple[str, ...]:
    """Names of the coordinates that directions (k, d) move."""
    if not len(directions):
        return ()
    share = np.abs(directions) / np.abs(directions).max(axis=1, keepdims=True)
    return tuple(space.coordinates[i] for i in np.flatnonzero(share.max(axis=0) > 1e-3).tolist())


def _climb(finding: Finding) -> Climb:
    assert finding.climb is not None
    return finding.climb


def _converged(found: dict[tuple[str, str], Finding], space: Space) -> list[str]:
    """What is to be said of a maximum, if anything."""
    texts = []
    if ("nonsmooth", "kink") in found:
        text = f"The {space.what} has a kink at its maximum, so the information gives no standard error."
        return [text + " profile() and bootstrap() follow the kinks." if space.what == "log-likelihood" else text]
    if ("identifiability", "singular") in found:
        texts.append(
            f"There is one maximum, but the {space.what} does not fall off from it as its curvature says (singular "
            "information, or a bent ridge that hardly falls); there are no standard errors."
        )
    if ("identifiability", "weak") in found:
        for direction in found["identifiability", "weak"].directions:
            texts.append(
                f"On one side of the maximum the {space.what} hardly falls as {_names(direction, space)} moves off: Wald "
                "intervals say little of it; take the profile likelihood."
            )
    if ("unbounded", "elsewhere") in found:
        texts.append(_elsewhere_unbounded(_climb(found["unbounded", "elsewhere"]), space))
    return texts


def _multimodal(verdict: Verdict, rivals: Sequence[Mode], space: Space) -> str:
    natural = space.natural(np.array([verdict.z, *(m.z for m in rivals)]))
    switched = sum(is_label_switch(natural[0], other) for other in natural[1:])
    below = np.array([verdict.value - m.value for m in rivals[:_LISTED]])
    below[np.abs(below) <= _EQUAL * max(1.0, abs(verdict.value))] = 0.0
    others = "the other" if len(rivals) == 1 else "the others"
    height = f"{others} {', '.join(f'{gap:.3g}' for gap in below)} nats lower" if below.any() else "of equal height"
    text = (
        f"{counted(len(rivals) + 1, 'maximum', 'maxima')}, {height}: an interval about one of them leaves out {others}."
    )
    if switched:
        holds = "The other holds" if len(rivals) == 1 else f"{switched} of the others hold{'s' * (switched == 1)}"
        text += f" {holds} the same numbers in another order: the labels can be switched."
    return text


def _not_identified(verdict: Verdict, space: Space) -> str:
    """Flat directions, and what is identified all the same."""
    places = involved(verdict.null)
    left = len(places) - len(verdict.null)
    if len(places) > _LISTED and left > 0:
        # Coefficients of a surface that bends through many parameters say nothing to a reader.
        names = _join(space.coordinates[i] for i in places.tolist())
        return (
            f"The {space.what} does not change along {counted(len(verdict.null), 'direction')} through "
            f"{names}: near this point these {counted(len(places), 'parameter')} have {counted(left, 'identified combination')}. "
            f"{_ONE_OF_MANY}"
        )
    directions = "; ".join(combination(n, space.coordinates) for n in verdict.null[:_LISTED])
    text = f"The {space.what} does not change along: {directions}."
    identified = identified_combinations(verdict.null, space.coordinates)
    if identified:
        verb = "is" if len(identified) == 1 else "are"
        text += f" Near this point only {', '.join(identified)} {verb} identified of the parameters involved."
    return f"{text} {_ONE_OF_MANY}"


def _at_the_limit(verdict: Verdict, space: Space) -> list[str]:
    """What is attained at a bound of the parameter space, or approached at infinity, in one sentence for all directions."""
    limits = [space.limit(verdict.z, direction) for direction in verdict.run_off]
    infinite = any(limit.runs_off.any() for limit in limits)
    sign, ends, met = "->" if infinite else "=", {}, []
    for limit, direction in zip(limits, verdict.run_off, strict=True):
        reached = np.flatnonzero(limit.at_edge | limit.runs_off).tolist()
        ends.update({i: f"{space.names[i]} {sign} {_end(limit, i)}" for i in reached if i not in ends})
        met += [] if reached else [_meeting(limit, direction, space)]
    where = _join([*ends.values(), *met])
    if infinite:
        joint = "; ".join(combination(d, space.coordinates) for d in verdict.run_off if np.count_nonzero(d) > 1)
        along = f" (direction {joint})" if joint else ""
        texts = [f"No maximum: the {space.what} rises towards a finite supremum as {where}{along}."]
    else:
        without = "a value at its bound" if ends else "the difference"
        texts = [
            f"The maximum is at the boundary, {where}, towards which the {space.what} still rises; {without} has no standard error."
        ]
    # Directions that move only parameters already at their ends are left out.
    level = [n for n in verdict.null if not ends.keys() >= set(_places_moved(n, verdict.z, space))]
    if level:
        directions = "; ".join(combination(n, space.coordinates) for n in level[:_LISTED])
        texts.append(f"There the {space.what} does not change along: {directions}.")
    known = np.any(np.concatenate([verdict.run_off, verdict.null]) != 0, axis=0)
    if np.isnan(verdict.covariance).any() and not known.all():
        texts.append("The other values are those where the search came to rest, without standard errors.")
    irregular = np.where(known, 0.0, verdict.irregular)
    if irregular.any():
        names = _moved_by(np.abs(irregular).max(axis=0), verdict.z, space)
        texts.append(f"No standard error of {names}: there the {space.what} does not fall off as at a smooth maximum.")
    return texts


def _unbounded(verdict: Verdict, climb: Climb, space: Space) -> str:
    """The direction along which there is no finite supremum, and the climb."""
    towards, ends = _towards(climb, space)
    steps = _steps_to_edge(climb) if climb.edge is not None else _steps(climb, ends, space)
    text = f"The {space.what} grows without limit as {towards}: {steps}."
    local = verdict.local
    if local is not None:
        text += f" There is a local maximum of {local.value:.6g} (see local_maximum), at {_listed(local.z, space)}"
        text += (
            f", which it passes farther on ({_nats(climb.rate)} for each unit)."
            if local.value > climb.values[-1]
            else "."
        )
    return text


def _at_support_edge(verdict: Verdict, edge: Finding, space: Space) -> str:
    names = _moved_by(edge.directions.sum(axis=0), verdict.z, space)
    return (
        f"The maximum is at the boundary: beyond the value of {names} an observation has density zero, and the {space.what} still "
        "rises towards it, so there is no standard error."
    )


def _failed(verdict: Verdict, found: dict[tuple[str, str], Finding], space: Space) -> str:
    if ("nonsmooth", "steps") in found:
        names = _join(moved_names(found["nonsmooth", "steps"].directions, space))
        return (
            f"The {space.what} is a step function of {names}: without a slope no search can find its highest step. Compare the "
            "estimates of the model with this parameter fixed at each of its values."
        )
    stopped = (
        f"The search failed: it stopped at a {space.what} of {verdict.value:.6g} with a gradient of length "
        f"{np.linalg.norm(verdict.gradient):.2g}"
    )
    if ("noise", "undefined") in found:
        return (
            f"{stopped}, at {_listed(verdict.z, space)}; a little farther uphill the {space.what} or its derivatives are not "
            f"numbers. If an intermediate result overflows there, write the density in terms of logarithms; the {space.what} may grow "
            "without limit."
        )
    return f"{stopped}; give more or other starts."


def _steps(climb: Climb, ends: list[int], space: Space) -> str:
    # On the way down to where it begins there is no climb.
    shown = np.unique(np.linspace(int(np.argmin(climb.values)), len(climb.values) - 1, 4).astype(int))
    column = ends[0] if len(ends) else 0
    at = space.natural(climb.points[shown])[:, column]
    limit = space.limit(climb.points[-1], climb.direction)
    end = limit.value[column] if limit.at_edge[column] else 0.0
    places = [f"at {value:.2g}" if end == 0.0 else f"at a distance of {abs(value - end):.1g}" for value in at]
    if len(set(places)) < len(places) or np.any(at == limit.value[column]):
        # So near to its limit the parameter itself no longer changes in doubles.
        unit = f"units of {_names(climb.direction, space)}"
        places = [f"after {distance:.3g} {unit}" for distance in climb.distances[shown]]
    return ", ".join(f"{value:.4g} {place}" for value, place in zip(climb.values[shown], places, strict=True))


def _towards(climb: Climb, space: Space) -> tuple[str, list[int]]:
    """Where a climb leads, such as ``sigma[0] -> 0``, and the places of the parameters that are taken there."""
    if climb.edge is not None:
        return _towards_edge(climb, space)
    limit = space.limit(climb.points[-1], climb.direction)
    ends = np.flatnonzero(limit.at_edge | limit.runs_off).tolist()
    if len(ends) > 1 and len(climb.points) > 1:
        # With what follows on the way fewer parameters may come to an end (probabilities that keep their ratio).
        last = climb.points[-1] - climb.points[len(climb.points) // 2]
        lasting = np.where(np.abs(last) < _LASTING * np.abs(last).max(), 0.0, last)
        following = space.limit(climb.points[-1], simplest(lasting[None], _ROUGHLY)[0]) if lasting.any() else limit
        fewer = np.flatnonzero(following.at_edge | following.runs_off).tolist()
        if 0 < len(fewer) < len(ends):
            limit, ends = following, fewer
    towards = _join(f"{space.names[i]} -> {_end(limit, i)}" for i in ends)
    return towards or combination(climb.direction, space.coordinates), ends


def _meeting(limit: Limit, direction: Array, space: Space) -> str:
    """The parameters that become equal at the end of a direction; the direction itself where there are none."""
    apart = space.natural(np.zeros((1, len(direction))))[0]
    pairs = [
        f"{space.names[i]} = {space.names[j]}"
        for j in range(1, len(limit.value))
        for i in range(j)
        if np.isclose(limit.value[i], limit.value[j], rtol=1e-12) and not np.isclose(apart[i], apart[j])
    ]
    return _join(pairs) or f"at the end of the direction {combination(direction, space.coordinates)}"


def _end(limit: Limit, i: int) -> str:
    return f"{limit.value[i]:.6g}" if limit.at_edge[i] else f"{'-' if limit.sign[i] < 0 else '+'}inf"


def _towards_edge(climb: Climb, space: Space) -> tuple[str, list[int]]:
    """The same where a climb ends at an edge of the data's support: the parameters that its direction moves."""
    assert climb.edge is not None
    back = np.linalg.norm(climb.points[0] - climb.edge)
    edge, before = space.natural(np.array([climb.edge, climb.edge - back * climb.direction]))
    ends = np.flatnonzero(edge != before).tolist()
    return _join(f"{space.names[i]} -> {edge[i]:.6g}" for i in ends), ends


def _steps_to_edge(climb: Climb) -> str:
    shown = np.unique(np.linspace(0, len(climb.values) - 1, 4).astype(int))
    assert climb.edge is not None
    distances = np.linalg.norm((climb.points[shown] - climb.edge) @ climb.direction[:, None], axis=1)
    return ", ".join(
        f"{value:.4g} at a distance of {distance:.1g}"
        for value, distance in zip(climb.values[shown], distances, strict=True)
    )


def _elsewhere_unbounded(climb: Climb, space: Space) -> str:
    towards, _ = _towards(climb, space)
    places = _listed(climb.points[-1], space)
    along = f"unit of {_names(climb.direction, space)}"
    unit, many = ("e-folding of the distance", "e-foldings") if climb.edge is not None else (along, "units")
    return (
        f"This is a local maximum, as is usually reported for such models: the {space.what} also grows without limit as "
        f"{towards} ({_nats(climb.rate)} for each {unit}), and passes this maximum after {climb.crossing:.0f} {many}; on the "
        f"way {places}."
    )


def _listed(z: Array, space: Space) -> str:
    """The first natural values at a point, in words."""
    values = space.natural(z[None])[0][:_LISTED]
    return ", ".join(f"{name} = {value:.4g}" for name, value in zip(space.names, values, strict=False))


def _nats(number: float) -> str:
    shown = f"{number:.3g}"
    return f"{shown} nat{'s' * (shown != '1')}"


def _names(direction: Array, space: Space) -> str:
    largest = np.abs(direction).max()
    return _join(space.coordinates[i] for i in np.flatnonzero(np.abs(direction) > 1e-3 * largest).tolist())


def _moved_by(direction: Array, z: Array, space: Space) -> str:
    """The natural parameters that a direction moves."""
    return _join(space.names[i] for i in _places_moved(direction, z, space))


def _places_moved(direction: Array, z: Array, space: Space) -> list[int]:
    here, moved = space.natural(np.array([z, z + 1e-6 * direction / np.abs(direction).max()]))
    change = np.abs(moved - here)
    places: list[int] = np.flatnonzero(change > 1e-3 * change.max()).tolist()
    return places


def _join(names: Iterable[str]) -> str:
    listed = list(names)
    more = len(listed) - _LISTED
    return ", ".join(listed[:_LISTED]) + (f" and {more} more" if more > 0 else "")
