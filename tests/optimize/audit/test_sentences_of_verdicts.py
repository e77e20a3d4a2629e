"""Each sentence about a verdict, from verdicts and findings made by hand."""

from dataclasses import replace

import numpy as np
import pytest
from plain_objectives import line

from pp_mlekl.optimize.audit.messages import messages, moved_names
from pp_mlekl.optimize.audit.verdict import Finding, Verdict
from pp_mlekl.optimize.modes import Mode
from pp_mlekl.optimize.parameter_space import Space
from pp_mlekl.optimize.profile_paths import Climb


def made(status, size=2, findings=(), **fields):
    none = np.zeros((0, size))
    return Verdict(
        **{
            "status": status, "z": np.zeros(size), "value": 0.0, "gradient": np.zeros(size), "hessian": -np.eye(size),
            "warnings": (), "null": none, "run_off": none, "covariance": np.eye(size), "irregular": none,
            "findings": tuple(findings),
        } | fields
    )  # fmt: skip


def finding(test, kind, directions=(), **fields):
    return Finding(
        test=test, kind=kind, directions=np.array(directions), measured=0, threshold=1, unit="nats", **fields
    )


def climb(**fields):
    given = {
        "direction": np.array([1.0, 0.0]), "rate": 2.0, "crossing": 3.4, "distances": np.arange(4.0),
        "values": np.array([0.0, 2.0, 4.0, 6.0]), "points": np.array([[float(k), 0.5] for k in range(4)]),
    }  # fmt: skip
    return Climb(**given | fields)


def said(verdict, space=None):
    return list(messages(verdict, space or line(len(verdict.z))))


def test_a_regular_maximum_needs_no_words():
    assert said(made("converged")) == []


def test_a_kink():
    kink = finding("nonsmooth", "kink")
    text = "The log-likelihood has a kink at its maximum, so the information gives no standard error."
    assert said(made("converged", findings=[kink])) == [f"{text} profile() and bootstrap() follow the kinks."]
    other = Space.unbounded(["a", "b"], what="log posterior")
    assert said(made("converged", findings=[kink]), other) == [text.replace("log-likelihood", "log posterior")]


def test_singular_and_weak_curvature():
    weak = finding("identifiability", "weak", [[1.0, 0.0], [0.9e-3, 1.0], [1.1e-3, 1.0]])
    texts = said(made("converged", findings=[finding("identifiability", "singular"), weak]))
    assert texts[0].startswith("There is one maximum, but the log-likelihood does not fall off from it")
    names = ("x0", "x1", "x0, x1")
    assert texts[1:] == [
        f"On one side of the maximum the log-likelihood hardly falls as {name} moves off: Wald intervals say little of it; take "
        "the profile likelihood."
        for name in names
    ]


def test_a_maximum_beside_a_divergence():
    found = finding("unbounded", "elsewhere", climb=climb())
    assert said(made("converged", findings=[found])) == [
        "This is a local maximum, as is usually reported for such models: the log-likelihood also grows without limit as "
        "x0 -> +inf (2 nats for each unit of x0), and passes this maximum after 3 units; on the way x0 = 3, x1 = 0.5."
    ]
    at_edge = finding("unbounded", "elsewhere", climb=climb(rate=1.0, edge=np.array([4.0, 0.5])))
    (text,) = said(made("converged", findings=[at_edge]))
    assert "as x0 -> 4 (1 nat for each e-folding of the distance), and passes this maximum after 3 e-foldings" in text


def test_what_may_have_been_missed():
    incomplete, differences = finding("identifiability", "incomplete"), finding("noise", "hessian")
    first, second = said(made("converged", findings=[incomplete, differences]))
    assert first.startswith("Not all of the weakest directions of the Hessian could be computed")
    assert second.startswith("The Hessian of the log-likelihood is not defined where the search led")


@pytest.mark.parametrize(
    ("others", "text"),
    [
        ([-1.5], "2 maxima, the other 1.5 nats lower: an interval about one of them leaves out the other."),
        (
            [-1.5, -2.25],
            "3 maxima, the others 1.5, 2.25 nats lower: an interval about one of them leaves out the others.",
        ),
        ([-0.9e-9], "2 maxima, of equal height: an interval about one of them leaves out the other."),
        ([-1.1e-9], "2 maxima, the other 1.1e-09 nats lower: an interval about one of them leaves out the other."),
        (
            [-1.0] * 7,
            "8 maxima, the others 1, 1, 1, 1, 1, 1 nats lower: an interval about one of them leaves out the others.",
        ),
    ],
)
def test_maxima_beside_each_other(others, text):
    rivals = tuple(Mode(z=np.array([5.0 + k, 9.0]), value=v, hessian=-np.eye(2), agree=1) for k, v in enumerate(others))
    verdict = made("multimodal", findings=[finding("multimodality", "rivals", modes=rivals)])
    assert said(verdict) == [text]


def test_heights_are_compared_by_their_size():
    rival = Mode(z=np.array([5.0, 9.0]), value=100.0 - 0.9e-7, hessian=-np.eye(2), agree=1)
    verdict = made("multimodal", value=100.0, findings=[finding("multimodality", "rivals", modes=(rival,))])
    assert said(verdict)[0].startswith("2 maxima, of equal height")


@pytest.mark.parametrize(
    ("places", "end"),
    [
        ([[2.0, 1.0]], " The other holds the same numbers in another order: the labels can be switched."),
        (
            [[2.0, 1.0], [3.0, 3.0]],
            " 1 of the others holds the same numbers in another order: the labels can be switched.",
        ),
    ],
)
def test_labels_that_can_be_switched(places, end):
    rivals = tuple(Mode(z=np.array(z), value=-1.0, hessian=-np.eye(2), agree=1) for z in places)
    verdict = made("multimodal", z=np.array([1.0, 2.0]), findings=[finding("multimodality", "rivals", modes=rivals)])
    assert said(verdict)[0].endswith(end)


def test_several_switches_have_a_verb_of_their_own():
    rivals = tuple(
        Mode(z=np.array(z), value=-1.0, hessian=-np.eye(3), agree=1) for z in ([2.0, 1.0, 3.0], [1.0, 3.0, 2.0])
    )
    verdict = made("multimodal", 3, z=np.arange(1.0, 4.0), findings=[finding("multimodality", "rivals", modes=rivals)])
    assert " 2 of the others hold the same numbers" in said(verdict)[0]


MANY = "Values without a standard error are one of many equivalent maxima."


def test_flat_directions_and_what_is_identified():
    verdict = made("not_identified", 3, null=np.array([[1.0, -1.0, 0.0]]) / np.sqrt(2))
    assert said(verdict) == [
        "The log-likelihood does not change along: x0 - x1. Near this point only x0 + x1 is identified of the parameters "
        f"involved. {MANY}"
    ]
    alone = made("not_identified", 3, null=np.eye(3)[:2])
    assert said(alone) == [f"The log-likelihood does not change along: x0; x1. {MANY}"]
    three = made("not_identified", 3, null=np.ones((1, 3)) / np.sqrt(3))
    assert "only x0 - x2, x1 - x2 are identified" in said(three)[0]


def test_at_most_six_flat_directions_are_named():
    verdict = made("not_identified", 8, null=np.eye(8)[:7])
    assert said(verdict)[0] == f"The log-likelihood does not change along: x0; x1; x2; x3; x4; x5. {MANY}"


@pytest.mark.parametrize(("size", "short"), [(6, False), (7, True), (9, True)])
def test_a_surface_through_many_parameters(size, short):
    (text,) = said(made("not_identified", size, null=np.ones((1, size)) / np.sqrt(size)))
    more = {7: " and 1 more", 9: " and 3 more"}.get(size, "")
    start = (
        f"The log-likelihood does not change along 1 direction through x0, x1, x2, x3, x4, x5{more}: near this point "
        f"these {size} parameters have {size - 1} identified combinations. {MANY}"
    )
    assert (text == start) == short


def test_a_supremum_at_infinity():
    verdict = made("at_infinity", run_off=np.array([[1.0, 0.0]]))
    assert said(verdict) == ["No maximum: the log-likelihood rises towards a finite supremum as x0 -> +inf."]
    down = made("at_infinity", run_off=np.array([[-1.0, 0.0]]))
    assert "as x0 -> -inf." in said(down)[0]
    joint = made("at_infinity", run_off=np.array([[1.0, -2.0]]) / np.sqrt(5))
    assert said(joint)[0].endswith("as x0 -> +inf, x1 -> -inf (direction x0 - 2 x1).")


def test_a_maximum_at_a_bound():
    space = line(2, logarithms=(0,))
    verdict = made("boundary", run_off=np.array([[-1.0, 0.0]]))
    assert said(verdict, space) == [
        "The maximum is at the boundary, x0 = 0, towards which the log-likelihood still rises; a value at its bound has no "
        "standard error."
    ]
    flat = replace(verdict, null=np.array([[0.0, 1.0]]))
    assert said(flat, space)[1:] == ["There the log-likelihood does not change along: x1."]
    # A flat direction of parameters at their ends alone is no news.
    assert len(said(replace(verdict, null=np.array([[1.0, 0.0]])), space)) == 1
    irregular = replace(verdict, irregular=np.array([[0.0, 1.0]]))
    assert said(irregular, space)[1:] == [
        "No standard error of x1: there the log-likelihood does not fall off as at a smooth maximum."
    ]
    unknown = replace(verdict, covariance=np.full((2, 2), np.nan))
    assert said(unknown, space)[1:] == [
        "The other values are those where the search came to rest, without standard errors."
    ]
    partly = replace(verdict, covariance=np.array([[np.nan, 0.0], [0.0, 1.0]]))
    assert len(said(partly, space)) == 2
    assert len(said(replace(unknown, run_off=np.array([[-1.0, 0.5]])), space)) == 1


def meeting():
    """Two values that become equal as their distance, whose logarithm is the second coordinate, tends to 0."""
    return Space(
        natural=lambda z: np.stack([z[:, 0], z[:, 0] + np.exp(z[:, 1])], axis=-1),
        names=["low", "high"],
        coordinates=["low", "log(gap)"],
        transformed=np.array([False, True]),
    )


def test_parameters_that_meet_at_a_bound():
    (text,) = said(made("boundary", run_off=np.array([[0.0, -1.0]])), meeting())
    assert text.startswith("The maximum is at the boundary, ")
    assert "low = high" in text
    assert text.endswith("the difference has no standard error.")


def test_an_edge_of_the_support():
    support = finding("nonsmooth", "support", [[1.0, 0.0], [0.0, 1.1e-3]])
    assert said(made("boundary", findings=[support])) == [
        "The maximum is at the boundary: beyond the value of x0, x1 an observation has density zero, and the log-likelihood still "
        "rises towards it, so there is no standard error."
    ]
    down = finding("nonsmooth", "support", [[-1.0, 0.0], [0.0, 1.1e-3]])
    assert "the value of x0, x1 an observation" in said(made("boundary", findings=[down]))[0]
    less = finding("nonsmooth", "support", [[1.0, 0.0], [0.0, 0.9e-3]])
    assert "the value of x0 an observation" in said(made("boundary", findings=[less]))[0]


def test_a_failed_search():
    verdict = made("failed", z=np.array([1.5, -2.0]), value=-12.3456789, gradient=np.array([0.03, 0.04]))
    stopped = "The search failed: it stopped at a log-likelihood of -12.3457 with a gradient of length 0.05"
    assert said(verdict) == [f"{stopped}; give more or other starts."]
    undefined = replace(verdict, findings=(finding("noise", "undefined"),))
    assert said(undefined)[0].startswith(f"{stopped}, at x0 = 1.5, x1 = -2; a little farther uphill the log-likelihood")
    steps = replace(verdict, findings=(finding("nonsmooth", "steps", [[0.0, 1.0]]),))
    assert said(steps)[0].startswith("The log-likelihood is a step function of x1: without a slope")


def test_seven_values_are_not_all_listed():
    verdict = made("failed", 7, z=np.arange(7.0), findings=[finding("noise", "undefined")])
    assert ", x5 = 5; a little" in said(verdict)[0]


def unbounded(way, local=None, **fields):
    return made("unbounded", findings=[finding("unbounded", "divergence", climb=way)], local=local, **fields)


def test_a_climb_with_its_steps():
    (text,) = said(unbounded(climb()))
    assert text == ("The log-likelihood grows without limit as x0 -> +inf: 0 at 0, 2 at 1, 4 at 2, 6 at 3.")
    # The steps begin where the climb does, and there are four of them at the most.
    way = climb(
        distances=np.arange(9.0), values=np.array([5.0, 1.0, 0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0]),
        points=np.array([[float(k), 0.5] for k in range(9)]),
    )  # fmt: skip
    assert said(unbounded(way))[0].endswith(": 0 at 2, 2 at 4, 4 at 6, 6 at 8.")


def test_a_climb_to_a_bound():
    """The scale of x0 tends to 0; its values are told, not its distance."""
    space = line(2, logarithms=(0,))
    way = climb(direction=np.array([-1.0, 0.0]), points=np.array([[-float(k), 0.5] for k in range(4)]))
    (text,) = said(unbounded(way), space)
    assert text == "The log-likelihood grows without limit as x0 -> 0: 0 at 1, 2 at 0.37, 4 at 0.14, 6 at 0.05."
    far = replace(way, points=np.array([[-800.0 - k, 0.5] for k in range(4)]))
    (text,) = said(unbounded(far), space)
    assert text.endswith(
        ": 0 after 0 units of log(x0), 2 after 1 units of log(x0), 4 after 2 units of log(x0), 6 after 3 units of log(x0)."
    )


def test_steps_of_which_the_last_are_at_the_limit_are_told_by_the_way():
    way = climb(direction=np.array([-1.0, 0.0]), points=np.array([[-300.0 * k, 0.5] for k in range(4)]))
    (text,) = said(unbounded(way), line(2, logarithms=(0,)))
    assert text.endswith("6 after 3 units of log(x0).")


def test_a_climb_to_a_bound_that_is_not_zero():
    space = Space(
        natural=lambda z: np.stack([3.0 + np.exp(z[:, 0]), z[:, 1]], axis=-1),
        names=["x0", "x1"],
        coordinates=["log(x0 - 3)", "x1"],
        transformed=np.array([True, False]),
    )
    way = climb(direction=np.array([-1.0, 0.0]), points=np.array([[-float(k), 0.5] for k in range(4)]))
    (text,) = said(unbounded(way), space)
    assert text.endswith(
        "as x0 -> 3: 0 at a distance of 1, 2 at a distance of 0.4, 4 at a distance of 0.1, 6 at a distance of 0.05."
    )


def test_a_climb_to_an_edge_of_the_support():
    way = climb(edge=np.array([4.0, 0.5]))
    (text,) = said(unbounded(way))
    assert text == (
        "The log-likelihood grows without limit as x0 -> 4: 0 at a distance of 4, 2 at a distance of 3, 4 at a distance of 2, "
        "6 at a distance of 1."
    )
    opposite = climb(points=np.array([[float(k) - 4.0, 0.0] for k in range(4)]), edge=np.array([4.0, 0.0]))
    assert "as x0 -> 4: 0 at a distance of 8" in said(unbounded(opposite))[0]


@pytest.mark.parametrize(
    ("value", "end"),
    [
        (5.0, " There is a local maximum of 5 (see local_maximum), at x0 = 0, x1 = 0."),
        (
            7.0,
            " There is a local maximum of 7 (see local_maximum), at x0 = 0, x1 = 0, which it passes farther on (2 nats for each unit).",
        ),
    ],
)
def test_a_local_maximum_beside_a_climb(value, end):
    assert said(unbounded(climb(), local=made("converged", value=value)))[0].endswith(end)


def test_what_follows_on_the_way_may_keep_parameters_from_their_ends():
    """x1 moves less than a twentieth of what x0 does on the second half of the path, though the direction moves it."""
    points = np.array([[float(k), 0.04 * k] for k in range(4)])
    direction = np.array([1.0, 0.1]) / np.linalg.norm([1.0, 0.1])
    (text,) = said(unbounded(climb(direction=direction, points=points)))
    assert "as x0 -> +inf:" in text
    (text,) = said(unbounded(climb(direction=-direction, points=-points)))
    assert "as x0 -> -inf:" in text
    # Where the path lies does not matter.
    (text,) = said(unbounded(climb(direction=direction, points=points + np.array([0.0, 50.0]))))
    assert "as x0 -> +inf:" in text
    points[:, 1] = 0.06 * np.arange(4)
    (text,) = said(unbounded(climb(direction=direction, points=points)))
    assert "as x0 -> +inf, x1 -> +inf:" in text


def test_a_climb_of_nothing_but_coordinates_is_its_direction():
    space = Space(
        natural=lambda z: np.tanh(z), names=["a", "b"], coordinates=["u", "v"], transformed=np.array([False, False])
    )
    way = climb(direction=np.array([1.0, -1.0]) / np.sqrt(2), points=np.array([[0.0, 0.0]]), values=np.array([0.0]),
                distances=np.array([0.0]))  # fmt: skip
    (text,) = said(unbounded(way), space)
    assert "as a -> 1, b -> -1" in text


@pytest.mark.parametrize(("share", "names"), [(0.9e-3, ("x0",)), (1.1e-3, ("x0", "x1"))])
def test_names_of_what_directions_move(share, names):
    assert moved_names(np.array([[2.0, 2 * share]]), line(2)) == names
    assert moved_names(np.array([[-2.0, -2 * share]]), line(2)) == names
    # Each direction by its own length.
    assert moved_names(np.array([[-2e-3, 0.0], [0.0, 5.0]]), line(2)) == ("x0", "x1")
    assert moved_names(np.zeros((0, 2)), line(2)) == ()
