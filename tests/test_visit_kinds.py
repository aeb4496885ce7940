"""Contacts by kind, and programmes that begin at different times."""

import numpy as np
import pandas as pd
import pytest

from kamlib import open_book
from kamlib.errors import RequestError
from kamlib.studies.visits.kinds import CHANNELS, LEVELS, by_kind, with_channels, with_stocks
from kamlib.studies.visits.programme import beginnings, follow, quarterly

from books import small_frames, write_folder

MONTHS = pd.date_range("2023-10-01", periods=24, freq="MS").astype("datetime64[s]")


def _panel(seed=0, accounts=120, **effects) -> pd.DataFrame:
    """Accounts whose revenue answers to contacts of each named kind with the elasticity given for it."""
    rng = np.random.default_rng(seed)
    shape = (accounts, len(MONTHS))
    names = np.repeat([f"a{i:03d}" for i in range(accounts)], len(MONTHS))
    panel = pd.DataFrame({"account_id": names, "month": np.tile(MONTHS, accounts)})
    counts = {kind: rng.poisson(2, shape).ravel().astype(float) for kind in effects}
    log = np.repeat(rng.normal(6, 0.5, accounts), len(MONTHS)) + 0.2 * rng.normal(size=len(panel))
    panel["revenue"] = np.exp(log + sum(effect * np.log1p(counts[kind]) for kind, effect in effects.items()))
    return panel.assign(**counts, visits=sum(counts.values()))


def _take(name, step):
    return step()


def test_a_kind_that_does_not_sell_is_found_to_bring_less():
    panel = _panel(contacts_visit=0.3, contacts_call=0.0)
    found = by_kind(with_stocks(panel, 0.0), CHANNELS, "log1p", 0.9, _take)
    named = found.set_index("kind")
    other = found["kind"].iloc[1]
    sign = -1 if other == "call" else 1
    assert sign * named.loc[other, "difference"] > 0 and named.loc[other, "p_value"] < 0.01


def test_kinds_that_sell_alike_are_told_apart_no_more_often_than_chance():
    clear = []
    for seed in range(20):
        panel = _panel(seed, visits_rep=0.0, visits_kam=0.0, visits_executive=0.0)
        panel["revenue"] *= np.exp(0.3 * np.log1p(panel["visits"]))
        found = by_kind(with_stocks(panel, 0.0), LEVELS, "log1p", 0.9, _take)
        clear.append((found["p_value"] < 0.1).any())
    assert sum(clear) <= 6


def test_a_rare_kind_that_sells_as_the_rest_does_not_look_stronger_for_being_rare():
    panel = _panel(visits_rep=0.0, visits_kam=0.0)
    is_kam = np.random.default_rng(1).random(len(panel)) < 0.15
    panel["visits_rep"], panel["visits_kam"] = panel["visits"] * ~is_kam, panel["visits"] * is_kam
    panel["revenue"] *= np.exp(0.3 * np.log1p(panel["visits"]))
    found = by_kind(with_stocks(panel, 0.0), LEVELS, "log1p", 0.9, _take).set_index("kind")
    assert found.loc["kam", "low"] < 0 < found.loc["kam", "high"]


def test_visits_of_unknown_visitors_stay_in_the_total_and_are_counted():
    panel = _panel(visits_rep=0.2, visits_kam=0.2)
    panel["visits"] += 1
    found = by_kind(with_stocks(panel, 0.0), LEVELS, "log1p", 0.9, _take).set_index("kind")
    assert found["contacts"].sum() == panel["visits"].sum() and found.loc["", "contacts"] == len(panel)


def test_a_kind_with_few_contacts_is_not_asked_about():
    panel = _panel(visits_rep=0.2, visits_kam=0.0, visits_executive=0.1)
    panel["visits_kam"] = np.where(np.arange(len(panel)) < 50, 1.0, 0.0)
    found = by_kind(with_stocks(panel, 0.0), LEVELS, "log1p", 0.9, _take)
    assert set(found["kind"]) == {"rep", "executive", ""}  # the rest stands without a name


def test_one_kind_alone_is_compared_with_nothing():
    assert by_kind(with_stocks(_panel(visits_rep=0.2), 0.0), LEVELS, "log1p", 0.9, _take).empty


def test_contacts_are_counted_by_channel_and_month(tmp_path):
    frames = {name: frame for name, frame in small_frames().items() if name in ("accounts", "orders")}
    account = frames["accounts"]["account_id"].iloc[0]
    days = pd.to_datetime(["2026-01-05", "2026-01-20", "2026-02-02"]).date
    frames["visits"] = pd.DataFrame({"visit_id": list("abc"), "account_id": account, "visit_date": days})
    frames["visits"]["channel"] = ["visit", "call", "call"]
    months = pd.to_datetime(["2025-12-01", "2026-01-01", "2026-02-01"]).astype("datetime64[s]")
    panel = pd.DataFrame({"account_id": account, "month": months, "visits": [np.nan, 1.0, 0.0]})
    found = with_channels(open_book(write_folder(frames, tmp_path / "book")), panel)
    assert found["contacts_call"].iloc[1:].tolist() == [1, 1] and found["contacts_visit"].iloc[1:].tolist() == [1, 0]
    assert found[["contacts_call", "contacts_visit"]].iloc[0].isna().all()


def _begun(tmp_path, began: dict, **columns):
    frames = {"accounts": pd.DataFrame({"account_id": sorted(began), "name": "x"})}
    one = pd.DataFrame({"order_id": ["o"], "line_no": [1], "account_id": sorted(began)[:1], "revenue": [1.0]})
    frames["orders"] = one.assign(order_date=pd.to_datetime(["2023-10-01"]).date)
    known = {account: day for account, day in began.items() if day is not None}
    frames["visits"] = pd.DataFrame(
        {"account_id": list(known), "visit_date": pd.to_datetime(list(known.values())).date}
    )
    frames["visits"] = frames["visits"].assign(visit_id=list(known), channel="visit", level="executive")
    return open_book(write_folder(frames, tmp_path / "book"))


def test_the_first_year_after_a_beginning_is_recovered(tmp_path):
    panel = _panel(accounts=150, contacts_visit=0.0)
    names = sorted(panel["account_id"].unique())
    days = [None, "2024-05-10", "2024-11-20"]
    began = {name: days[i % 3] for i, name in enumerate(names)}
    since = panel["month"] >= pd.to_datetime(panel["account_id"].map(began)).dt.to_period("Q").dt.start_time
    panel["revenue"] *= np.where(since, 1.2, 1.0)
    found = follow(_begun(tmp_path, began), panel, "executive", 0.99)
    assert found.low < 0.2 < found.high < found.low + 0.2
    assert (found.n_began, found.n_never, found.before_p > 0.01) == (100, 50, True)


@pytest.mark.parametrize("count", [0, 10])
def test_too_few_beginners_are_not_followed(tmp_path, count):
    panel = _panel(accounts=40, contacts_visit=0.0)
    names = sorted(panel["account_id"].unique())
    began = {name: "2024-05-10" if i < count else None for i, name in enumerate(names)}
    assert follow(_begun(tmp_path, began), panel, "executive", 0.9) is None


def test_a_quarter_without_sales_has_no_log_and_a_broken_quarter_is_left_out():
    panel = _panel(accounts=1, contacts_visit=0.0).assign(revenue=100.0).iloc[:7]
    panel.loc[3:5, "revenue"] = 0.0
    rows = quarterly(panel)
    assert rows["log_revenue"].round(3).tolist()[:1] == [5.704] and rows["log_revenue"].isna().tolist() == [False, True]


def test_an_unknown_programme_is_refused(tmp_path):
    with pytest.raises(
        RequestError, match="programme is 'golf'; it may be executive, symposium, trial, club, training"
    ):
        beginnings(_begun(tmp_path, {"a": "2024-05-10"}), "golf")


def test_a_book_without_events_knows_of_no_programme(tmp_path):
    assert beginnings(_begun(tmp_path, {"a": "2024-05-10"}), "club").empty
