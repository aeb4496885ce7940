"""The sample company is believable, and its book is true to the process that made it."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pyfixest
import pytest
import statsmodels.api as sm

from kamlib import open_book
from kamlib.book.company.calendar import make_calendar
from kamlib.book.company.course import recently, run_course
from kamlib.book.company.population import draw_population
from kamlib.book.company.process import Process, carry_over
from kamlib.book.company.streams import Streams
from kamlib.book.company.world import make_world
from kamlib.book.sample import read_truth, write_sample


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    return write_sample(tmp_path_factory.mktemp("sample") / "book").place


@pytest.fixture(scope="module")
def frames(place) -> dict[str, pd.DataFrame]:
    with open_book(place) as book:
        return {name: book.frame(name) for name in book.tables}


@pytest.fixture(scope="module")
def truth(place) -> dict:
    return read_truth(place)


@pytest.fixture(scope="module")
def true_accounts(truth) -> pd.DataFrame:
    return truth["accounts"].set_index("account_id")


def planted(true_accounts: pd.DataFrame, name: str) -> str:
    return true_accounts.index[true_accounts.planted == name][0]


# Believable


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_top_fifth_of_active_accounts_buys_about_four_fifths(tmp_path, seed):
    place = write_sample(tmp_path / "book", seed=seed, only=["orders"]).place
    orders = pq.read_table(place / "orders.parquet").to_pandas()
    recent = orders[pd.to_datetime(orders.order_date) > "2025-09-30"]
    revenue = recent.groupby("account_id").revenue.sum().sort_values(ascending=False)
    assert 0.72 < revenue.head(round(0.2 * len(revenue))).sum() / revenue.sum() < 0.85


def test_the_book_has_the_size_that_was_promised(place, frames):
    assert len(frames["accounts"]) == 300
    assert 30_000 < len(frames["orders"]) < 60_000
    assert sum(p.stat().st_size for p in place.rglob("*") if p.is_file()) < 5e6


def test_margins_are_those_of_a_wholesaler(frames):
    orders = frames["orders"].dropna(subset=["cost"])
    assert 0.18 < 1 - orders.cost.sum() / orders.revenue.sum() < 0.30


def test_names_are_unique_and_many_are_bilingual(frames):
    names = frames["accounts"].name
    assert names.is_unique
    assert 0.4 < names.str.contains(r"[\u4e00-\u9fff]").mean() < 0.8


def test_orders_are_placed_on_working_days(frames):
    calendar = make_calendar("2026-09-30", 36)
    day = (frames["orders"].order_date - pd.Timestamp(calendar.first)).dt.days
    assert (calendar.weight[day] > 0).all()


def test_an_order_has_one_account_one_day_and_one_sign(frames):
    of_order = frames["orders"].assign(is_return=frames["orders"].revenue < 0).groupby("order_id")
    assert (of_order[["account_id", "order_date", "is_return"]].nunique() == 1).all(axis=None)


def test_returns_stand_in_credit_notes_that_carry_the_number_of_their_order(frames):
    orders = frames["orders"].set_index(["order_id", "line_no"])
    back = orders[orders.revenue < 0]
    origin = [(order.replace("CN", "SO"), line) for order, line in back.index]
    assert 0.005 < len(back) / len(orders) < 0.02
    assert (orders.loc[origin].revenue.to_numpy() >= -back.revenue.to_numpy()).all()
    assert (orders.loc[origin].order_date.to_numpy() < back.order_date.to_numpy()).all()


def test_the_manager_of_an_account_is_the_one_it_is_assigned_to(frames):
    current = frames["assignments"][frames["assignments"].to_date.isna()].set_index("account_id").manager_id
    listed = frames["accounts"].set_index("account_id").manager_id
    assert listed.dropna().to_dict() == current.to_dict()


def test_visits_are_made_by_the_manager_in_charge_and_logged_within_ten_days(frames):
    visits = frames["visits"].dropna(subset=["manager_id"])
    held = visits.merge(frames["assignments"], on="account_id", suffixes=("", "_held"))
    held = held[(held.visit_date >= held.from_date) & ~(held.visit_date > held.to_date)]
    assert (held.manager_id == held.manager_id_held).all() and len(held) == len(visits)
    assert (visits.logged_on - visits.visit_date).dt.days.dropna().between(0, 10).all()


def test_prospects_have_no_orders(frames):
    prospects = frames["accounts"].query("lifecycle in ('lead', 'opportunity')").account_id
    assert len(prospects) > 15 and not frames["orders"].account_id.isin(prospects).any()


def test_children_carry_their_parent_and_no_chain_is_longer(frames):
    accounts = frames["accounts"].set_index("account_id")
    parents = accounts.parent_id.dropna()
    assert len(parents) > 10 and accounts.loc[parents.unique(), "parent_id"].isna().all()


def test_many_rebates_are_reached_just_so(frames):
    rebates = frames["promotions"].query("kind == 'rebate'").reset_index()
    bought = frames["orders"].query("revenue > 0")[["account_id", "order_date", "revenue"]]
    pairs = rebates.merge(bought, on="account_id")
    inside = pairs[(pairs.order_date >= pairs.starts_on) & (pairs.order_date <= pairs.ends_on)]
    reached = inside.groupby("index").revenue.sum() / rebates.set_index("index").threshold
    just_above, just_below = reached.between(1, 1.05).sum(), reached.between(0.95, 0.9999).sum()
    assert just_above > 2.5 * max(just_below, 5)


def test_the_crisis_shows_in_complaints(frames, truth):
    month = pd.Period(truth["process"]["crisis"]["month"])
    cases = frames["cases"].merge(frames["accounts"][["account_id", "region"]], on="account_id")
    in_crisis = cases.opened_on.dt.to_period("M").isin([month, month + 1]) & (cases.region == "South")
    assert in_crisis.sum() > 4 * (cases.region == "South").sum() * 2 / 36
    assert (cases[in_crisis].category == "cold chain").mean() > 0.4


def test_deliveries_come_late_when_goods_are_short(frames, truth):
    products = frames["products"].set_index("product_id").category
    lines = frames["deliveries"].merge(frames["orders"], on=["order_id", "line_no"])
    lines = lines.assign(category=lines.product_id.map(products), month=lines.order_date.dt.strftime("%Y-%m"))
    short = pd.MultiIndex.from_frame(pd.DataFrame(truth["process"]["stock_outs"])[["category", "month"]])
    is_short = pd.MultiIndex.from_frame(lines[["category", "month"]]).isin(short)
    is_late = lines.delivered_on > lines.promised_on
    assert is_late[is_short].mean() > 3 * is_late[~is_short].mean()


# True to its process


def test_an_account_that_left_buys_nothing_more(frames, true_accounts):
    bought = frames["orders"].query("revenue > 0")
    left = bought.account_id.map(true_accounts.churn_date)
    assert true_accounts.churn_date.notna().sum() > 30
    assert not (bought.order_date > left).any()
    assert not (bought.order_date < bought.account_id.map(true_accounts.buys_from)).any()


def test_an_off_season_is_not_churn(frames, true_accounts):
    hot_springs = true_accounts.index[true_accounts.season == "hot-spring season"]
    bought = frames["orders"][frames["orders"].account_id.isin(hot_springs) & (frames["orders"].revenue > 0)]
    months = bought.order_date.dt.month
    assert set(months) <= {10, 11, 12, 1, 2, 3} and len(months) > 10


def test_visits_in_the_book_are_those_of_the_process(frames, truth):
    made = frames["visits"].query("channel == 'visit'")
    made = made.groupby(["account_id", made.visit_date.dt.to_period("M").dt.to_timestamp()]).size()
    true = truth["months"].query("visits > 0").set_index(["account_id", "month"]).visits
    assert made.to_dict() == {(a, pd.Timestamp(m)): n for (a, m), n in true.items()}


def test_revenue_adds_up_to_what_was_expected(frames, truth, true_accounts):
    is_giant = frames["orders"].account_id == planted(true_accounts, "giant_one_off")
    sold = frames["orders"].revenue[~is_giant & (frames["orders"].revenue > 0)]
    assert sold.sum() / truth["months"].expected_revenue.sum() == pytest.approx(1, abs=0.03)


def test_expected_revenue_without_visits_is_lower_by_the_response(truth, true_accounts):
    months = truth["months"].query("expected_revenue > 0")
    gain = np.log(months.expected_revenue / months.expected_revenue_unvisited)
    elasticity = months.account_id.map(true_accounts.elasticity)
    assert gain.to_numpy() == pytest.approx((elasticity * np.log1p(months.carried_visits)).to_numpy())


def test_the_giant_ordered_once(frames, true_accounts):
    orders = frames["orders"][frames["orders"].account_id == planted(true_accounts, "giant_one_off")]
    assert orders.order_id.nunique() == 1 and orders.revenue.sum() == 10_000_000


@pytest.mark.parametrize("seed", [20260930, 1, 2, 3])
def test_the_fast_grower_enters_class_a_within_the_last_year(tmp_path, seed):
    place = write_sample(tmp_path / "book", seed=seed).place
    grower = planted(read_truth(place)["accounts"].set_index("account_id"), "fast_grower")
    orders = pq.read_table(place / "orders.parquet").to_pandas()
    orders["day"] = pd.to_datetime(orders.order_date)

    def is_in_a(until: str) -> bool:
        end = pd.Timestamp(until)
        year = orders[(orders.day <= end) & (orders.day > end - pd.DateOffset(years=1))]
        revenue = year.groupby("account_id").revenue.sum().sort_values(ascending=False)
        before = (revenue.cumsum() - revenue) / revenue.sum()
        return bool(before.get(grower, 1.0) < 0.80)

    assert not is_in_a("2025-12-31")
    assert is_in_a("2026-09-30")


@pytest.mark.parametrize(
    ("name", "most"),
    [("vip_single", 10_000), ("vip_single_below", 9_999), ("vip_month", 20_000), ("vip_month_below", 19_999)],
)
def test_orders_stand_on_either_side_of_the_vip_thresholds(frames, true_accounts, name, most):
    account = planted(true_accounts, name)
    lines = frames["orders"].merge(frames["products"][["product_id", "tier"]], on="product_id")
    counted = lines[(lines.account_id == account) & lines.tier.isin(["mid", "high"]) & (lines.revenue > 0)]
    unit = "order_id" if name.startswith("vip_single") else counted.order_date.dt.to_period("M")
    assert counted.groupby(unit).revenue.sum().max() == most


def test_complaints_raise_the_odds_of_leaving_as_declared():
    process, streams = Process(), Streams(3)
    world = make_world(process, streams, 6000, 24, "2026-09-30", "none", 3.0)
    people = draw_population(process, world.calendar, world.staff, Streams(3, 0), 0, 6000)
    course = run_course(world, people, Streams(3, 0))
    at_risk = course.leaving > 0
    left = (world.calendar.month_start[:-1] <= course.left_on[:, None]) & (
        course.left_on[:, None] < world.calendar.month_start[1:]
    )
    complaint = recently(course.complaints, process.complaint_months)
    klass = np.broadcast_to(people.klass[:, None], left.shape)[at_risk]
    known = np.column_stack([klass == 0, klass == 1, klass == 2, complaint[at_risk]]).astype(float)
    fit = sm.GLM(left[at_risk].astype(float), known, family=sm.families.Binomial()).fit()
    low, high = fit.conf_int(alpha=0.01)[-1]
    assert low < np.log(process.odds_complaint) < high and high - low < 0.8


def account_months(place: Path) -> pd.DataFrame:
    """Revenue and what is left of visits by account and month, as a study would see them."""
    with open_book(place) as book:
        orders, visits, accounts = (book.frame(name) for name in ("orders", "visits", "accounts"))
    months = pd.period_range("2023-10", "2026-09", freq="M")
    cells = pd.MultiIndex.from_product([accounts.account_id, months], names=["account_id", "month"])
    made = visits[visits.channel == "visit"]
    made = made.groupby(["account_id", made.visit_date.dt.to_period("M")]).size().reindex(cells, fill_value=0)
    sold = orders.groupby(["account_id", orders.order_date.dt.to_period("M")]).revenue.sum()
    made_by_month = made.unstack()
    stock = carry_over(made_by_month.to_numpy(), Process().carry_over, before=made_by_month.mean(axis=1).to_numpy())
    panel = pd.DataFrame({"revenue": sold.reindex(cells, fill_value=0).clip(lower=0)}).sort_index()
    panel["log_visits"] = np.log1p(pd.DataFrame(stock, made.unstack().index, months).stack()).to_numpy()
    panel = panel.reset_index()
    entered = panel.account_id.map(accounts.set_index("account_id").opened_on.dt.to_period("M"))
    return panel[~(entered >= panel.month)].assign(month=lambda p: p.month.astype(str))


def visit_effect(panel: pd.DataFrame) -> tuple[float, float]:
    bought = panel.groupby("account_id").revenue.transform("sum") > 0
    fit = pyfixest.fepois("revenue ~ log_visits | account_id + month", panel[bought], vcov={"CRV1": "account_id"})
    return fit.coef()["log_visits"], fit.se()["log_visits"]


@pytest.mark.parametrize("targeting", ["none", "level"])
def test_fixed_effects_recover_the_planted_elasticities(tmp_path, targeting):
    place = write_sample(tmp_path / "book", accounts=600, targeting=targeting).place
    panel, segment = account_months(place), read_truth(place)["accounts"].set_index("account_id").segment
    for name, true in zip("ABC", (0.20, 0.31, 0.40), strict=True):
        estimate, error = visit_effect(panel[panel.account_id.map(segment) == name])
        assert abs(estimate - true) < 3 * error and error < 0.2, name


def test_targeting_on_trend_leads_fixed_effects_astray(tmp_path):
    place = write_sample(tmp_path / "book", accounts=300, targeting="trend").place
    estimate, error = visit_effect(account_months(place))
    assert estimate - 0.31 > 2 * error
