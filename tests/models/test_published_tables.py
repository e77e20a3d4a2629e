"""The gallery's tables have the sums, means and sizes that are published, or those of the packages that hold them."""

import numpy as np
import pytest
from statsmodels import api as sm

from pp_mlekl.gallery import (
    alligators,
    articles,
    bcg,
    clotting,
    coal,
    dipper,
    dugongs,
    endometrial,
    garch,
    gasoline,
    horse_kicks,
    kid_scores,
    lake_huron,
    leukemia,
    litters,
    lsat,
    lynx_hare,
    motorcycle,
    nile,
    old_faithful,
    phones,
    pumps,
    radon,
    rats,
    roaches,
    ryegrass,
    scottish_lip,
    seeds,
    sleepstudy,
    wells,
    wine,
)

# Rows of each table, and means of columns: published, or printed by the package that the module names.
MEANS = {
    # Long (1990): 915 doctoral students, 1.69 articles with variance 3.71; mentors 8.77.
    articles: (915, {"articles": 1.693, "female": 0.460, "kids": 0.495, "mentor": 8.767}),
    # Gelman and Hill (2007): mean score 86.8, mean IQ 100, 79 % of the mothers finished high school.
    kid_scores: (434, {"kid_score": 86.797, "mother_iq": 100.0, "mother_high_school": 0.786}),
    # Azzalini and Bowman (1990): 272 eruptions of 3.488 minutes, 70.897 minutes apart.
    old_faithful: (272, {"eruptions": 3.488, "waiting": 70.897}),
    # Gelman and Hill (2007): 25.6 roaches a flat.
    roaches: (262, {"roaches": 25.65, "treatment": 0.603}),
    # Belenky et al. (2003), in R: mean reaction 298.5 ms, days 0 to 9.
    sleepstudy: (180, {"reaction": 298.508, "day": 4.5}),
    # Gelman and Hill (2007): 57.5 % switched, mean arsenic 1.66, mean distance 48 m, mean education 4.8 years.
    wells: (3020, {"switched": 0.575, "arsenic": 1.657, "distance": 48.33, "education": 4.828}),
    # Silverman (1985): 133 measurements, mean -25.55 g.
    motorcycle: (133, {"time": 25.18, "acceleration": -25.55}),
    # Brockwell and Davis (1991): mean 9.0041 above 570 feet.
    lake_huron: (98, {"level": 579.0041}),
    # Bollerslev and Ghysels (1996): mean -0.01643, standard deviation 0.4702.
    garch: (1974, {"returns": -0.01643}),
    # Price, Nero and Gelman (1996), 919 houses; 766 basements.
    radon: (919, {"floor": 153 / 919, "log_radon": 1.2246}),
    # Prater (1956), as in Atkinson (1985): 32 yields with mean 0.19659.
    gasoline: (32, {"yield": 0.19659, "temperature": 332.09}),
    # Heinze and Schemper (2002): 79 patients, 30 with a high grade, 13 with neovasculation.
    endometrial: (79, {"HG": 30 / 79, "NV": 13 / 79}),
}


@pytest.mark.parametrize("module", MEANS, ids=lambda m: m.__name__.rpartition(".")[2])
def test_tables_have_the_means_that_are_known(module):
    rows, means = MEANS[module]
    data = module.load_data()
    assert len(data) == rows
    for column, mean in means.items():
        assert data[column].mean() == pytest.approx(mean, rel=6e-4), column


# Numbers of values and totals; those of which no publication is named are of the table in the package that the module
# names, with which the typed figures were compared.
TOTALS = [
    # Jarrett (1979): 191 disasters in 112 years.
    (lambda: coal.load_data()["disasters"], 112, 191),
    # Von Bortkiewicz (1898): 122 deaths in 200 corps and years.
    (lambda: horse_kicks.load_data()["deaths"], 200, 122),
    # Agresti (2002): 219 alligators.
    (lambda: alligators.load_data()["count"].values.ravel(), 80, 219),
    # Clayton and Kaldor (1987): 536 cases in 56 districts.
    (lambda: scottish_lip.load_data()["cases"], 56, 536),
    (lambda: seeds.load_data()["seeds"], 21, 831),
    (lambda: seeds.load_data()["germinated"], 21, 424),
    (lambda: pumps.load_data()["failures"], 10, 75),
    (lambda: pumps.load_data()["hours"], 10, 350.24),
    # Lebreton et al. (1992): 426 releases.
    (lambda: dipper.load_data()["birds"].values.ravel(), 42, 426),
    # Freireich et al. (1963): 182 weeks of remission in the control group, 359 in the other; 30 relapses in all.
    (lambda: leukemia.load_data()["weeks"], 42, 182 + 359),
    (lambda: np.isinf(leukemia.load_data()["limit"]), 42, 30),
    (lambda: bcg.load_data()["latitude"], 13, 435),
    (lambda: phones.load_data()["calls"], 24, 1199.8),
    (lambda: rats.load_data()["weight"], 150, 36398),
    (lambda: dugongs.load_data()["length"], 27, 63.02),
    (lambda: litters.load_data()["pups"], 32, 158 + 145),
    (lambda: litters.load_data()["survived"], 32, 142 + 112),
    (lambda: clotting.load_data()["seconds"], 18, 363 + 222),
    (lambda: ryegrass.load_data()["length"], 24, 103.852897),
    # Randall (1989): nine judges, eight bottles each.
    (lambda: wine.load_data()["judge"].value_counts(), 9, 72),
]


@pytest.mark.parametrize(("column", "rows", "total"), TOTALS)
def test_tables_have_the_totals_that_are_known(column, rows, total):
    values = np.asarray(column(), dtype=np.float64)
    assert values.size == rows
    assert values.sum() == pytest.approx(total)


def test_nile_is_that_of_statsmodels():
    published = sm.datasets.nile.load_pandas().data
    assert nile.load_data()["volume"].tolist() == published["volume"].tolist()
    assert nile.load_data()["year"].tolist() == published["year"].tolist()


def test_answers_have_the_published_shares():
    """Bock and Lieberman (1970): of a thousand students 924, 709, 553, 763 and 870 answered the items right."""
    right = lsat.ANSWERS[lsat.load_data()["pattern"]].sum(axis=0)
    assert right.tolist() == [924, 709, 553, 763, 870]


def test_pelts_are_those_printed():
    """Elton and Nicholson (1942), as in Carpenter (2018): peaks of 77.4 hares in 1903 and 59.4 lynxes in 1904."""
    pelts = lynx_hare.load_data()["pelts"]
    assert pelts.idxmax("year").values.tolist() == [1903, 1904]
    assert pelts.max("year").values.tolist() == [77.4, 59.4]


def test_map_is_connected_and_its_components_sum_to_zero():
    components = scottish_lip.map_components()
    assert components.shape == (56, 55)
    np.testing.assert_allclose(components.sum(axis=0), 0, atol=1e-10)
    # The ICAR's density: sum over 132 pairs of neighbours of squared differences, as a quadratic form of the weights.
    weights = np.random.default_rng(1).normal(size=55)
    pairs = scottish_lip.read_table("scottish_lip_neighbours").to_numpy() - 1
    effect = components @ weights
    assert len(pairs) == 132
    np.testing.assert_allclose(np.sum((effect[pairs[:, 0]] - effect[pairs[:, 1]]) ** 2), weights @ weights)
