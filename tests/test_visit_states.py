"""How accounts stand before a plan, what they sell in a quarter, and the hours there are for it."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kamlib import open_book
from kamlib.studies.cadence import keep_rhythm
from kamlib.studies.visits.hours import Costs, contacts, manager_hours
from kamlib.studies.visits.pace import Outcomes, outcomes, paces, purchase_days
from kamlib.studies.visits.states import ChurnWord, states

from books import write_folder

TODAY = pd.Timestamp("2026-09-30")
MONTHS = pd.date_range("2024-10-01", "2026-09-01", freq="MS").astype("datetime64[s]")
NAMES = ["case", "contract", "fine", "late", "once", "silent", "trial"]


def _orders(account: str, days) -> pd.DataFrame:
    rows = pd.DataFrame({"order_date": pd.to_datetime(list(days)).date})
    rows["order_id"] = [f"{account}-{i}" for i in range(len(rows))]
    return rows.assign(line_no=1, account_id=account, revenue=100.0, cost=60.0)


@pytest.fixture(scope="module")
def book(tmp_path_factory):
    habits = dict.fromkeys(NAMES, MONTHS) | {"once": MONTHS[-3:-2], "silent": MONTHS[:-5]}
    seen = {name: "2026-09-20" for name in NAMES} | {"late": "2026-07-01"}
    visits = pd.DataFrame({"account_id": list(seen), "visit_date": pd.to_datetime(list(seen.values())).date})
    visits = visits.assign(visit_id=list(seen), channel="visit", manager_id="M1", hours=2.0, cost=50.0, level="rep")
    boss = visits.head(1).assign(visit_id="boss", level="executive", hours=8.0, cost=900.0)
    call = visits.head(1).assign(visit_id="call", channel="call", hours=0.5)
    frames = {
        "accounts": pd.DataFrame({"account_id": NAMES, "name": NAMES, "manager_id": "M1", "lifecycle": "customer"}),
        "orders": pd.concat([_orders(name, days) for name, days in habits.items()]),
        "visits": pd.concat([visits, boss, call]),
        "managers": pd.DataFrame({"manager_id": ["M1"], "name": ["M"], "hours_per_month": [3.0]}),
        "cases": _dated(["case", "fine"], "case_id", opened_on="2026-09-01", closed_on=[None, "2026-09-10"]),
        "contracts": _dated(
            ["contract", "fine"], "contract_id", starts_on="2025-01-01", ends_on=["2026-12-01", "2027-12-01"]
        ),
    }
    return open_book(write_folder(frames, tmp_path_factory.mktemp("states") / "book"), as_of=TODAY.date())


def _dated(accounts, key, **days) -> pd.DataFrame:
    rows = pd.DataFrame({key: [f"{key}{i}" for i in range(len(accounts))], "account_id": accounts})
    return rows.assign(**{name: pd.to_datetime(pd.Series(day, index=rows.index)).dt.date for name, day in days.items()})


def test_every_account_has_the_first_state_that_holds(book):
    found = states(book, TODAY, keep_rhythm(book, TODAY, ("visit",)), ["trial"])
    assert found["state"].to_dict() == {
        "case": "case_open",
        "contract": "contract_ends",
        "fine": "",
        "late": "overdue",
        "once": "one_order",
        "silent": "silent",
        "trial": "on_trial",
    }
    assert found.loc["silent", "last_order"] == pd.Timestamp("2026-04-01")


def test_a_quarter_without_an_order_in_any_year_is_a_season_where_many_would_be_expected(tmp_path):
    days = pd.date_range("2023-04-01", "2026-09-28", freq="10D")
    summer = days[days.month.isin(range(4, 10))]
    habits = {
        "summer": summer,
        "missed": summer.union(days[(days >= "2024-10-01") & (days < "2025-01-01")]),  # bought then the year before
        "always": days,
        "seldom": days[days.month.isin((5, 8))][::2],
        "new": days[days >= "2026-04-01"],
    }
    frames = {
        "accounts": pd.DataFrame({"account_id": list(habits), "name": list(habits)}),
        "orders": pd.concat([_orders(name, some) for name, some in habits.items()]),
    }
    book = open_book(write_folder(frames, tmp_path / "book"), as_of=TODAY.date())
    found = states(book, TODAY)["state"]
    assert found.to_dict() == {"summer": "out_of_season", "missed": "", "always": "", "seldom": "", "new": ""}


def _published(folder, as_of="2026-09-30"):
    """A period's folder with a churn report that lists two accounts and calls one silent."""
    place = folder / "churn" / "tables"
    place.mkdir(parents=True)
    pd.DataFrame({"account_id": ["case", "once"]}).to_parquet(place / "agenda.parquet")
    pd.DataFrame({"account_id": ["fine", "late"], "status": ["silent", "active"]}).to_parquet(
        place / "accounts.parquet"
    )
    (folder / "churn" / "manifest.json").write_text(json.dumps({"as_of": as_of}), encoding="utf-8")
    return str(folder)


def test_the_churn_report_of_the_period_says_who_is_listed_and_silent(book, tmp_path):
    found = states(book, TODAY, churn=ChurnWord.of(_published(tmp_path), TODAY))["state"]
    assert found[["case", "once", "fine", "late"]].tolist() == ["listed", "one_order", "silent", ""]


def test_a_churn_report_of_another_day_or_none_says_nothing(tmp_path):
    assert ChurnWord.of(_published(tmp_path, as_of="2026-06-30"), TODAY) is None
    assert ChurnWord.of(str(tmp_path / "nowhere"), TODAY) is None and ChurnWord.of("", TODAY) is None


def test_without_contacts_on_record_nobody_is_overdue(book):
    assert "overdue" not in set(states(book, TODAY)["state"])


def _panel(*revenue, name="a"):
    months = MONTHS[-len(revenue) :]
    return pd.DataFrame({"account_id": name, "month": months, "revenue": revenue})


def test_the_largest_day_counts_with_no_more_than_all_others_together():
    panel = _panel(*[0.0] * 9, 100.0, 200.0, 10_000.0)
    days = panel[panel["revenue"] > 0]
    found = paces(days, panel).loc["a"]
    assert found["revenue"] == pytest.approx(10_300 / 4) and found["pace"] == pytest.approx(600 / 4)


def test_a_regular_account_keeps_all_of_its_revenue_as_its_pace():
    panel = _panel(*[100.0] * 12)
    assert paces(panel, panel).loc["a", "pace"] == pytest.approx(300)


def test_an_account_of_one_day_has_no_pace():
    panel = _panel(*[0.0] * 11, 500.0)
    assert paces(panel[panel["revenue"] > 0], panel).loc["a", "pace"] == 0


@given(st.lists(st.floats(-1e3, 1e6), min_size=1, max_size=12))
def test_a_pace_lies_between_zero_and_what_was_sold(revenue):
    panel = _panel(*revenue)
    found = paces(panel, panel).loc["a"]
    assert 0 <= found["pace"] <= max(found["revenue"], 0) * (1 + 1e-9) + 1e-6


def _cases(share, pools=5):
    cases = pd.DataFrame({"pace": np.arange(1.0, 101), "share": share, "origin": np.arange(100) % 4})
    edges = np.quantile(cases["pace"], np.arange(1, pools) / pools)
    return Outcomes(cases.assign(pool=np.searchsorted(edges, cases["pace"])), edges)


def test_what_is_expected_is_what_accounts_of_like_pace_sold_next():
    falling = _cases(np.where(np.arange(100) >= 80, 0.5, 1.0))
    assert falling.expected(pd.Series([10.0, 95.0])).tolist() == pytest.approx([10.0, 47.5])


def test_draws_of_sales_have_the_expected_mean_and_spread():
    drawn = _cases(np.tile([0.0, 2.0], 50)).draws(pd.Series([50.0] * 200), 400, np.random.default_rng(0))
    assert drawn.mean() == pytest.approx(50, rel=0.1) and set(np.unique(drawn)) == {0.0, 100.0}


def test_the_look_back_leaves_out_whoever_was_silent_then(book):
    days, panel = purchase_days(book), _book_panel(book)
    assert outcomes(book, days, panel) is None  # seven accounts tell too little
    many = pd.concat([panel.assign(account_id=panel["account_id"] + str(i)) for i in range(20)])
    assert outcomes(book, days, many).cases["share"].max() == pytest.approx(1.0)


def _book_panel(book):
    sold = purchase_days(book).groupby(["account_id", "month"])["revenue"].sum()
    index = pd.MultiIndex.from_product([NAMES, MONTHS], names=["account_id", "month"])
    return sold.reindex(index).fillna(0).reset_index()


def test_the_hours_of_a_manager_are_those_declared_less_what_goes_elsewhere(book):
    panel = _book_panel(book)
    kept = contacts(book, panel, ("visit",))
    accounts = pd.DataFrame({"manager_id": "M1", "today": 1.0, "low": 1.0}, index=["case", "fine"])
    found = manager_hours(book, accounts, kept, 2.0).loc["M1"]
    assert found["hours_elsewhere"] == pytest.approx((5 * 2.0 + 0.5) / 4)  # five visits outside, half an hour's call
    assert found["hours_free"] == pytest.approx(9 - found["hours_elsewhere"]) and not found["is_short"]
    many = manager_hours(book, accounts.assign(low=9.0), kept, 2.0).loc["M1"]
    assert many["is_short"] and many["hours_least"] == pytest.approx(36)
    unknown = manager_hours(book, accounts, kept, 1.0, has_hours=False).loc["M1"]
    assert np.isnan(unknown["hours_available"]) and unknown["hours_free"] == unknown["hours_today"] == 2.0


def test_a_visit_costs_and_takes_what_those_of_managers_do(book):
    panel = _book_panel(book).assign(margin=lambda frame: 0.4 * frame["revenue"])
    costs = Costs.of(book, panel, ("visit",))
    assert (costs.cost_per_visit, costs.hours_per_visit, costs.cost_from) == (50.0, 2.0, "visits")
    assert costs.margin_share == pytest.approx(0.4) and Costs.of(book, panel, ("visit",), 7.0).cost_from == "given"
