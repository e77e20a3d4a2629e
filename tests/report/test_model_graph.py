"""The graph of a model: levels, places, arrows and labels."""

import re

import pytest

from pp_mlekl.report.model_graph import model_graph


def variable(name, direct=(), size=1, kind="free"):
    return {"name": name, "kind": kind, "size": size, "direct": list(direct), "parents": []}


def boxes(svg):
    """Kind, x, y, width, height and label of each variable."""
    found = re.findall(
        r'<g class="(\w+)"><rect x="(-?\d+)" y="(-?\d+)" width="(\d+)" height="(\d+)" rx="15"/>'
        r'<text x="(\d+)" y="(\d+)" text-anchor="middle">([^<]*)</text></g>',
        svg,
    )
    return {label: (kind, *map(int, numbers)) for kind, *numbers, label in found}


def lines(svg):
    return [
        tuple(map(int, n)) for n in re.findall(r'<line x1="(\d+)" y1="(\d+)" x2="(\d+)" y2="(\d+)" marker-end', svg)
    ]


@pytest.mark.parametrize(("number", "shown"), [(1, False), (2, True), (40, True), (41, False)])
def test_from_two_to_forty_variables_are_shown(number, shown):
    svg = model_graph([variable(f"v{i}") for i in range(number)])
    assert (svg != "") == shown
    assert len(boxes(svg)) == (number if shown else 0)


def test_children_stand_below_their_parents():
    """Letters are 7.2 wide and have 14 on both sides; boxes are 18 apart and 30 high, levels 74 apart."""
    svg = model_graph([variable("mu"), variable("a"), variable("y", ["mu", "a"], size=5, kind="observed")])
    # Widths 42.4, 35.2 and 64.  The first row takes 18 + 42.4 + 18 + 35.2 + 18.
    found = boxes(svg)
    assert 'viewBox="0 0 132 140" width="132" height="140"' in svg
    assert found["mu"] == ("free", 18, 18, 42, 30, 39, 37)
    assert found["a"] == ("free", 78, 18, 35, 30, 96, 37)
    # The single one of the second row is in the middle of 131.6: 65.8.
    assert found["y × 5"] == ("observed", 34, 92, 64, 30, 66, 111)
    assert lines(svg) == [(39, 48, 66, 92), (96, 48, 66, 92)]
    assert 'aria-label="mu depends on nothing; a depends on nothing; y depends on mu, a"' in svg


def test_a_level_is_one_more_than_that_of_the_lowest_parent():
    svg = model_graph([variable("c", ["a", "b"]), variable("b", ["a"]), variable("a", ["a"])])
    heights = {label: box[2] for label, box in boxes(svg).items()}
    assert heights == {"a": 18, "b": 92, "c": 166}
    assert "a depends on nothing" in svg
    assert len(lines(svg)) == 3


def test_variables_stand_in_the_order_of_their_parents():
    made = [
        variable("a"),
        variable("b"),
        variable("c"),
        variable("of_c", ["c"]),
        variable("of_b", ["b", "b"]),
        variable("of_a", ["a"]),
    ]
    left = {label: box[1] for label, box in boxes(model_graph(made)).items()}
    assert left["of_a"] < left["of_b"] < left["of_c"]


def test_without_direct_parents_all_are_drawn_and_long_names_are_cut():
    long = "n" * 24
    svg = model_graph(
        [{k: v for k, v in variable("a").items() if k != "direct"} | {"parents": []}, variable(f"{long}x")]
    )
    assert set(boxes(svg)) == {"a", f"{long}…"}
    one = {"name": "b", "kind": "free", "size": 1, "parents": ["a"]}
    assert len(lines(model_graph([variable("a"), one]))) == 1
    assert set(boxes(model_graph([variable(long), variable("<b>")]))) == {long, "&lt;b&gt;"}
