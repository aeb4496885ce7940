"""The visit study on small companies whose managers aim their visits in known ways; bench/visits.py takes 200 of each."""

import numpy as np

from kamlib import open_book
from kamlib.book.sample import read_truth, write_sample
from kamlib.studies import visits
from kamlib.studies.visits.evidence import weigh

SEEDS = range(6000, 6003)


def company(place, targeting, seed):
    """What the gates need of the evidence, and the elasticity that the company was made with, weighted by revenue."""
    write_sample(place, seed=seed, targeting=targeting)
    truth = read_truth(place)
    months = truth["months"].merge(truth["accounts"][["account_id", "elasticity"]])
    stock = months["carried_visits"]
    known = np.average(months["elasticity"] * stock / (1 + stock), weights=months["expected_revenue"])
    return weigh(visits.panel(open_book(place, as_of="2026-09-30")), further=()), known


def test_sound_books_are_claimed_and_the_interval_holds_the_truth(tmp_path):
    found = [company(tmp_path / "book", targeting, seed) for targeting in ("none", "level") for seed in SEEDS]
    covered = [one.long_run[1] <= known <= one.long_run[2] for one, known in found]
    assert sum(covered) >= 4
    assert sum(bool(one.failed) for one, _ in found) <= 2


def test_books_whose_visits_follow_the_trend_are_refused(tmp_path):
    assert sum(bool(company(tmp_path / "book", "trend", seed)[0].failed) for seed in SEEDS) >= 2
