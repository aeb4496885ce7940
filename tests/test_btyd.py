"""The buy-till-you-die models reproduce the published CDNOW figures, known truths, and their own limits."""

from dataclasses import FrozenInstanceError
from importlib.resources import files

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from lifetimes.datasets import load_cdnow_summary
from scipy import integrate
from scipy.special import hyp2f1
from scipy.stats import nbinom

from kamlib.errors import ModelError, RequestError
from kamlib.studies.btyd import (
    BetaGeoNBD,
    GammaGamma,
    ModifiedBetaGeoNBD,
    ParetoNBD,
    log_gaps,
    regularity,
    summarise,
)
from kamlib.studies.btyd.fit import Rows, grouped, maximise
from kamlib.studies.btyd.integrals import beta_nodes, death_times, renewals

BETA_GEO = {"r": 0.2426, "alpha": 4.4136, "a": 0.7929, "b": 2.4259}
PARETO = {"r": 0.5533, "alpha": 10.578, "s": 0.6062, "beta": 11.669}
MODELS = [BetaGeoNBD(), ModifiedBetaGeoNBD(), BetaGeoNBD(k=2), ModifiedBetaGeoNBD(k=3), ParetoNBD()]


def known(model):
    return model.with_params(**(PARETO if isinstance(model, ParetoNBD) else BETA_GEO))


def read_cdnow(text) -> pd.DataFrame:
    columns = {0: "master_id", 1: "account_id", 2: "order_date", 3: "units", 4: "revenue"}
    orders = pd.read_csv(text, sep=r"\s+", header=None, dtype={1: str, 2: str}).rename(columns=columns)
    return orders.assign(order_date=pd.to_datetime(orders.order_date))


@pytest.fixture(scope="module")
def orders():
    """CDNOW, 6,919 lines of 2,357 customers, as the package lifetimes ships it."""
    with files("lifetimes.datasets").joinpath("CDNOW_sample.txt").open() as text:
        return read_cdnow(text)


@pytest.fixture(scope="module")
def cdnow(orders):
    return summarise(orders, "1997-09-30")


@pytest.fixture(scope="module")
def fitted(cdnow):
    models = (BetaGeoNBD(), ModifiedBetaGeoNBD(), ParetoNBD())
    return {type(model): model.fit(cdnow.frequency, cdnow.recency, cdnow.T) for model in models}


def simulate(n, seed=0, k=1, at_zero=True, ahead=26.0, r=0.85, alpha=1.45, a=0.79, b=2.42):
    """Histories of (M)BG/CNBD-k accounts in continuous time, with what came after: `future`, `alive`."""
    rng = np.random.default_rng(seed)
    rate, p, T = rng.gamma(r, 1 / alpha, n), rng.beta(a, b, n), rng.uniform(26, 52, n)
    dead = (rng.random(n) < p) if at_zero else np.zeros(n, bool)
    alive = ~dead
    now, x, recency, log_gaps, future = np.zeros((5, n))
    while not dead.all():
        gap = np.where(dead, np.inf, rng.gamma(k, 1 / rate))
        now = now + gap
        seen = now <= T
        x, recency, log_gaps = x + seen, np.where(seen, now, recency), log_gaps + np.where(seen, np.log(gap), 0)
        future = future + ((now > T) & (now <= T + ahead))
        dead |= (rng.random(n) < p) | (now > T + ahead)
        alive &= ~(dead & seen)
    columns = {"frequency": x, "recency": recency, "T": T, "log_gaps": log_gaps}
    return pd.DataFrame(columns | {"future": future, "alive": alive})


def erlang_orders(k, accounts=400, gaps=8, seed=0):
    """Orders of accounts whose gaps are Erlang-k, each with its own mean gap of 200 days or more."""
    rng = np.random.default_rng(seed)
    scale = 200 + rng.gamma(1, 300, (accounts, 1))
    days = np.cumsum(rng.gamma(k, scale / k, (accounts, gaps)), axis=1).round().ravel()
    dates = pd.Timestamp("1970-01-01") + pd.to_timedelta(days, unit="D")
    return pd.DataFrame({"account_id": np.repeat(np.arange(accounts), gaps), "order_date": dates, "revenue": 1.0})


def rounded(params, *digits):
    return [round(value, places) for value, places in zip(params, digits, strict=True)]


# --- CDNOW, published -------------------------------------------------------------------------------------------


def test_bg_nbd_as_published_by_fader_hardie_and_lee_2005(fitted):
    model = fitted[BetaGeoNBD]
    assert rounded(model.params, 4, 4, 4, 4) == [0.2426, 4.4136, 0.7929, 2.4259]
    assert round(model.log_likelihood, 3) == -9582.429


def test_bg_nbd_customer_of_fader_hardie_and_lee_2005(fitted):
    model = fitted[BetaGeoNBD]
    assert round(model.expected_purchases(39, 2, 30.43, 38.86), 3) == 1.226
    assert round(model.probability_alive(2, 30.43, 38.86), 4) == 0.7266


def test_pareto_nbd_as_published_by_fader_and_hardie_2005(fitted):
    model = fitted[ParetoNBD]
    assert rounded(model.params, 4, 3, 4, 3) == [0.5533, 10.578, 0.6062, 11.669]
    assert round(model.log_likelihood, 3) == -9594.976


def test_pareto_nbd_customer_1516_of_the_btyd_walkthrough(fitted, cdnow):
    model = fitted[ParetoNBD]
    assert cdnow.loc["1516", ["frequency", "recency", "T"]].tolist() == [26, 216 / 7, 31]
    assert round(model.probability_alive(26, 30.857, 31), 5) == 0.99787
    assert round(model.expected_new(52), 4) == 1.4734
    # BTYD keeps two decimals of t_x: its 25.456 belongs to 30.86. At 30.857 the same model says 25.455.
    assert round(model.expected_purchases(52, 26, 30.86, 31), 3) == 25.456
    assert round(model.expected_purchases(52, 26, 30.857, 31), 3) == 25.455


def test_mbg_nbd_as_published_by_btydplus(fitted):
    assert rounded(fitted[ModifiedBetaGeoNBD].params, 4, 3, 4, 3) == [0.5248, 6.183, 0.8914, 1.614]


def test_mbg_nbd_log_likelihood_as_published_for_times_cut_to_two_decimals(fitted):
    two_decimals = load_cdnow_summary()
    model = ModifiedBetaGeoNBD().fit(two_decimals.frequency, two_decimals.recency, two_decimals["T"])
    assert round(model.log_likelihood, 2) == -9582.13
    assert round(fitted[ModifiedBetaGeoNBD].log_likelihood, 2) == -9582.14  # the same, for times to the day


def test_gamma_gamma_as_published_by_fader_and_hardie_2013(cdnow):
    model = GammaGamma().fit(cdnow.frequency, cdnow.mean_spend)
    assert rounded(model.params, 4, 4, 4) == [6.2496, 3.7442, 15.4435]
    assert (round(model.log_likelihood, 3), model.n) == (-4055.918, 946)


def test_the_data_shared_with_the_project_give_the_same_histories(shared_data, cdnow):
    with (shared_data / "cdnow" / "CDNOW_sample.txt").open() as text:
        pd.testing.assert_frame_equal(summarise(read_cdnow(text), "1997-09-30"), cdnow)


def test_the_published_figures_hold_at_every_starting_point(cdnow):
    rows = grouped([cdnow.frequency, cdnow.recency / 38.86, cdnow["T"] / 38.86], np.ones(len(cdnow)))
    model = BetaGeoNBD()
    for start in model._starts(2.7):
        found, _ = maximise("BG/NBD", model.names, model._objective, start[None], rows)
        assert found[0] == pytest.approx(0.24260, abs=5e-5)


# --- summaries --------------------------------------------------------------------------------------------------


def lines(*rows):
    return pd.DataFrame(rows, columns=["account_id", "order_date", "revenue"])


def test_histories_are_those_of_the_package_lifetimes(cdnow):
    theirs = load_cdnow_summary()
    assert (cdnow.frequency.to_numpy() == theirs.frequency).all()
    assert np.abs(cdnow[["recency", "T"]].to_numpy() - theirs[["recency", "T"]]).to_numpy().max() < 0.005


def test_lines_of_one_day_are_one_purchase():
    orders = lines(("A", "2026-01-01", 5), ("A", "2026-01-08 09:00", 2), ("A", "2026-01-08 17:00", 3))
    assert summarise(orders, "2026-01-15").loc["A"].tolist() == [1, 1.0, 2.0, 5.0]


def test_mean_spend_leaves_the_first_purchase_out_and_is_missing_without_a_repeat():
    orders = lines(("A", "2026-01-01", 100), ("A", "2026-01-08", 10), ("A", "2026-01-09", 20), ("B", "2026-01-01", 7))
    assert summarise(orders, "2026-01-15").mean_spend.fillna(-1).to_dict() == {"A": 15.0, "B": -1}


def test_a_day_of_returns_is_no_purchase():
    orders = lines(("A", "2026-01-01", 10), ("A", "2026-01-05", -10), ("B", "2026-01-02", -5))
    assert summarise(orders, "2026-01-15").frequency.to_dict() == {"A": 0}


def test_an_order_cancelled_in_full_is_no_purchase_but_a_free_one_is():
    orders = lines(
        ("A", "2026-01-01", 0), ("B", "2026-01-01", 0.1), ("B", "2026-01-01", 0.2), ("B", "2026-01-01", -0.3)
    )
    assert summarise(orders, "2026-01-15").index.tolist() == ["A"]


def test_orders_after_the_end_change_nothing(orders):
    until = orders[orders.order_date <= "1997-09-30"]
    pd.testing.assert_frame_equal(summarise(orders, "1997-09-30"), summarise(until, "1997-09-30"))


def test_the_order_of_lines_does_not_matter(orders, cdnow):
    pd.testing.assert_frame_equal(summarise(orders.sample(frac=1, random_state=1), "1997-09-30"), cdnow)


def test_days_are_weeks_times_seven(orders, cdnow):
    in_days = summarise(orders, "1997-09-30", unit="D")
    assert (in_days["T"] - 7 * cdnow["T"]).abs().max() < 1e-12


def test_before_the_first_order_there_are_no_histories(orders):
    assert summarise(orders, "1996-12-31").shape == (0, 4)


def test_identifiers_stay_strings():
    assert summarise(lines(("0007", "2026-01-01", 1.0)), "2026-02-01").index.tolist() == ["0007"]


def test_s_dot_t_is_the_age_and_not_the_transpose(cdnow):
    assert cdnow.T.equals(cdnow["T"])
    some = cdnow[cdnow.frequency > 3]
    model = known(BetaGeoNBD())
    of_frame = model.probability_alive(some.frequency, some.recency, some.T)  # a plain frame: .T transposes
    assert of_frame.equals(model.probability_alive(some.frequency, some.recency, some["T"]))


def test_log_gaps_sum_the_logarithms_of_the_gaps():
    orders = lines(("A", "2026-01-01", 1), ("A", "2026-01-15", 1), ("A", "2026-02-05", 1), ("B", "2026-01-01", 1))
    assert log_gaps(orders, "2026-03-01").round(12).to_dict() == {"A": round(np.log(2 * 3), 12), "B": 0.0}


@pytest.mark.parametrize(
    ("change", "end", "unit", "message"),
    [
        ({}, "2026-02-01", "M", "unit 'M' is not one of 'D', 'W'.*which months do not have"),
        ({}, "01/02/2026", "W", "end '01/02/2026' is not a date: write it as '2026-09-30'"),
        ({}, "soon", "W", "end 'soon' is not a date: write it as '2026-09-30'"),
        ({"revenue": None}, "2026-02-01", "W", "1 of 1 orders have no revenue .first at row 0."),
        ({"revenue": "x"}, "2026-02-01", "W", "revenue holds something that is not a number"),
        ({"order_date": "the 3rd"}, "2026-02-01", "W", "order_date holds something that is not a date"),
    ],
)
def test_what_cannot_be_summarised_is_refused(change, end, unit, message):
    orders = lines(("A", "2026-01-01", 1.0)).assign(**change)
    with pytest.raises(RequestError, match=message):
        summarise(orders, end, unit)


def test_a_missing_column_is_named():
    with pytest.raises(RequestError, match="orders has no column account_id, revenue: it has order_date"):
        summarise(pd.DataFrame({"order_date": ["2026-01-01"]}), "2026-02-01")


# --- regularity -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("k", [1, 2, 4])
def test_regularity_covers_the_true_k(k):
    estimates = [regularity(erlang_orders(k, seed=seed)) for seed in range(20)]
    assert sum(low <= k <= high for low, high in (e.interval for e in estimates)) >= 16
    assert np.mean(estimates) == pytest.approx(k, rel=0.06)


def test_regularity_does_not_depend_on_how_fast_each_account_buys():
    slow = erlang_orders(3, seed=1)
    first = slow.groupby("account_id").order_date.transform("min")
    stretch = (slow.account_id % 3 + 1).to_numpy()
    fast = slow.assign(order_date=first + (slow.order_date - first) * stretch)
    assert regularity(fast) == pytest.approx(regularity(slow), rel=1e-12)


def test_cdnow_buys_at_random(orders):
    low, high = regularity(orders).interval
    assert low < 1.07 < high


def test_regularity_without_three_purchase_days_says_so():
    orders = lines(("A", "2026-01-01", 1), ("A", "2026-01-05", 1), ("B", "2026-01-01", 1))
    with pytest.raises(ModelError, match="0 of 2 accounts have three purchase days, regularity needs two or more"):
        regularity(orders)


def test_regularity_of_clockwork_says_so():
    days = pd.date_range("2026-01-01", periods=5, freq="14D")
    orders = pd.DataFrame({"account_id": np.repeat(["A", "B"], 5), "order_date": [*days, *days], "revenue": 1.0})
    with pytest.raises(ModelError, match="all 4 pairs of gaps are equal, so k has no finite estimate"):
        regularity(orders)


# --- fitting ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", [*MODELS, GammaGamma()], ids=repr)
def test_the_gradient_is_that_of_the_log_likelihood(model):
    columns = [[0, 1, 3, 40, 2], [0, 4, 20, 38, 30], [9, 4, 39, 40, 31]]
    if isinstance(model, GammaGamma):
        columns = [[1, 2, 3, 40, 2], [5, 4, 20, 38, 30]]
    rows = Rows(np.array(columns, float), np.array([3.0, 1, 1, 2, 1]))
    theta = np.log([0.7, 6.0, 0.9, 2.0][: len(model.names)])
    _, gradient = model._objective(theta, rows)
    for i, axis in enumerate(1e-6 * np.eye(len(theta))):
        rise = model._objective(theta + axis, rows)[0] - model._objective(theta - axis, rows)[0]
        assert gradient[i] == pytest.approx(rise / 2e-6, rel=1e-6, abs=1e-6)


def test_fitting_leaves_the_model_it_was_asked_of_untouched(cdnow):
    model = BetaGeoNBD()
    assert model.fit(cdnow.frequency, cdnow.recency, cdnow.T) is not model
    with pytest.raises(RequestError, match="BetaGeoNBD is not fitted yet"):
        _ = model.params


def test_a_fitted_model_is_frozen(fitted):
    model = fitted[BetaGeoNBD]
    params = model.params
    params["r"] = 9.0
    assert model.params["r"] < 1
    with pytest.raises(FrozenInstanceError):
        model.estimate = None


def test_weights_stand_for_repeated_rows(cdnow, fitted):
    counts = cdnow.groupby(["frequency", "recency", "T"]).size().reset_index(name="accounts")
    model = ParetoNBD().fit(counts.frequency, counts.recency, counts["T"], weights=counts.accounts)
    assert model.params.to_numpy() == pytest.approx(fitted[ParetoNBD].params.to_numpy(), rel=1e-6)
    assert model.standard_errors.to_numpy() == pytest.approx(fitted[ParetoNBD].standard_errors.to_numpy(), rel=1e-4)
    assert (model.n, model.weights) == (len(counts), 2357)


def test_the_unit_of_time_scales_the_times_and_nothing_else(cdnow, fitted):
    in_days = ParetoNBD().fit(cdnow.frequency, 7 * cdnow.recency, 7 * cdnow["T"])
    assert in_days.params.to_numpy() == pytest.approx(fitted[ParetoNBD].params.to_numpy() * [1, 7, 1, 7], rel=1e-6)
    assert in_days.log_likelihood == pytest.approx(
        fitted[ParetoNBD].log_likelihood - cdnow.frequency.sum() * np.log(7), rel=1e-12
    )


def test_standard_errors_shrink_with_the_root_of_the_accounts(cdnow, fitted):
    four = BetaGeoNBD().fit(cdnow.frequency, cdnow.recency, cdnow.T, weights=np.full(len(cdnow), 4))
    assert four.standard_errors.to_numpy() == pytest.approx(fitted[BetaGeoNBD].standard_errors / 2, rel=1e-4)


@pytest.mark.parametrize("k", [1, 3])
def test_intervals_of_a_simulated_mbg_cnbd_cover_the_truth(k):
    truth = np.array([0.85, 1.45, 0.79, 2.42])
    covered = []
    for seed in range(20):
        s = simulate(1500, seed, k)
        model = ModifiedBetaGeoNBD(k=k).fit(s.frequency, s.recency, s["T"])
        covered.append(np.abs(np.log(model.params / truth)) < 1.96 * model.standard_errors / model.params)
    assert np.sum(covered, axis=0).min() >= 16


def test_the_likelihood_with_gaps_finds_the_true_k():
    s = simulate(1000, seed=3, k=3)
    columns = s.frequency, s.recency, s["T"]
    fits = {k: ModifiedBetaGeoNBD(k=k).fit(*columns, log_gaps=s.log_gaps) for k in range(1, 6)}
    assert max(fits, key=lambda k: fits[k].log_likelihood) == 3


def test_without_gaps_the_estimates_are_the_same():
    s = simulate(500, seed=3, k=2)
    columns = s.frequency, s.recency, s["T"]
    bare, full = BetaGeoNBD(k=2).fit(*columns), BetaGeoNBD(k=2).fit(*columns, log_gaps=s.log_gaps)
    assert bare.params.equals(full.params)
    assert full.log_likelihood - bare.log_likelihood == pytest.approx(s.log_gaps.sum())


def good():
    return pd.DataFrame({"frequency": [0, 2, 1], "recency": [0, 5.0, 3.0], "T": [9.0, 9.0, 8.0]})


@pytest.mark.parametrize(
    ("column", "values", "message"),
    [
        (
            "recency",
            [0, 10.0, 3.0],
            "1 of 3 rows: recency is later than T .rows 1.; give all three the same as-of",
        ),
        ("recency", [0, -1.0, -2.0], "2 of 3 rows: recency below zero .rows 1, 2."),
        ("recency", [0, np.nan, 3.0], "1 of 3 rows: a missing or infinite value .rows 1.; drop or repair"),
        ("recency", [1.0, 5.0, 3.0], "1 of 3 rows: recency above zero without a repeat purchase .rows 0."),
        ("frequency", [0, 2.5, 1], "1 of 3 rows: frequency is not a count .rows 1."),
        ("frequency", [0, -2, 1], "1 of 3 rows: frequency is not a count .rows 1."),
    ],
)
def test_an_impossible_history_is_refused_with_its_row(column, values, message):
    bad = good().assign(**{column: values})
    with pytest.raises(RequestError, match=message):
        BetaGeoNBD().fit(bad.frequency, bad.recency, bad["T"])
    with pytest.raises(RequestError, match=message):
        known(ParetoNBD()).probability_alive(bad.frequency, bad.recency, bad["T"])


def test_a_refused_row_is_called_by_its_account():
    bad = good().assign(recency=[0, 10.0, 3.0]).set_index(pd.Index(["A", "B", "C"]))
    with pytest.raises(RequestError, match="rows B"):
        BetaGeoNBD().fit(bad.frequency, bad.recency, bad["T"])


def test_lengths_that_differ_are_refused():
    with pytest.raises(RequestError, match=r"lengths differ: frequency \(2,\), recency \(3,\), T \(3,\)"):
        BetaGeoNBD().fit([0, 1], [0, 1, 2], [3, 3, 3])


def test_columns_of_different_accounts_are_refused():
    s = good()
    with pytest.raises(RequestError, match="frequency, recency, T have different indexes"):
        BetaGeoNBD().fit(s.frequency, s.recency, s["T"].sort_values())


def test_text_is_refused():
    with pytest.raises(RequestError, match="frequency, recency, T must be numbers"):
        BetaGeoNBD().fit(["a"], [0], [1])


@pytest.mark.parametrize("weights", [[1, 2], [1, -1, 1], [1, np.nan, 1]])
def test_weights_that_are_no_counts_are_refused(weights):
    s = good()
    with pytest.raises(RequestError, match="weights"):
        BetaGeoNBD().fit(s.frequency, s.recency, s["T"], weights=weights)


@pytest.mark.parametrize("model", MODELS, ids=repr)
def test_without_a_repeat_purchase_there_is_nothing_to_learn(model):
    with pytest.raises(ModelError, match=r"none of 3 accounts has a repeat purchase.*take a longer history"):
        model.fit([0, 0, 0], [0, 0, 0], [5, 6, 7])


@pytest.mark.parametrize("model", [BetaGeoNBD(), ModifiedBetaGeoNBD(), ParetoNBD()], ids=repr)
def test_accounts_that_never_leave_have_no_dropout_to_estimate(model):
    s = simulate(2000, r=1, alpha=5, a=0.001, b=100)
    with pytest.raises(
        ModelError,
        match=r"2000 accounts.*run off.*([as] to zero|(b|beta) to infinity).*hardly anybody is seen to leave",
    ):
        model.fit(s.frequency, s.recency, s["T"])


def test_accounts_that_buy_by_the_calendar_have_no_rates_to_estimate():
    x = np.random.default_rng(0).integers(6, 9, 300)
    with pytest.raises(ModelError, match=r"r to infinity.*by the calendar, see regularity"):
        ModifiedBetaGeoNBD().fit(x, x * 13.0 - 3, np.full(300, 104.0))


def test_a_handful_of_accounts_is_too_few():
    s = simulate(12, seed=2)
    with pytest.raises(ModelError, match="ParetoNBD cannot be fitted to these 12 accounts"):
        ParetoNBD().fit(s.frequency, s.recency, s["T"])


@pytest.mark.parametrize("k", [0, 1.5, 21, "2"])
def test_k_is_a_number_of_stages(k):
    with pytest.raises(RequestError, match="must be a whole number from 1 to 20: round the regularity"):
        BetaGeoNBD(k=k)


def test_known_parameters_are_checked():
    with pytest.raises(RequestError, match="ParetoNBD needs the positive numbers r, alpha, s, beta; got"):
        ParetoNBD().with_params(r=1, alpha=2, s=-1, beta=3)


# --- predictions ------------------------------------------------------------------------------------------------


def closed_form(model, t, x, recency, T):
    """E[Y(t)] of BG/NBD (or MBG/NBD) with 2F1, as in the papers."""
    r, alpha, a, b = model.params
    b = b + x + model.dropout_at_zero
    z = t / (alpha + T + t)
    decayed = ((alpha + T) / (alpha + T + t)) ** (r + x) * hyp2f1(r + x, b, a + b - 1, z)
    return model.probability_alive(x, recency, T) * (a + b - 1) / (a - 1) * (1 - decayed)


@pytest.mark.parametrize("model", [BetaGeoNBD(), ModifiedBetaGeoNBD()], ids=repr)
@pytest.mark.parametrize(("t", "x", "recency", "T"), [(1, 0, 0, 40), (39, 2, 30, 39), (104, 30, 50, 52), (5, 1, 1, 80)])
def test_expected_purchases_equal_the_closed_form(model, t, x, recency, T):
    model = known(model)
    assert model.expected_purchases(t, x, recency, T) == pytest.approx(closed_form(model, t, x, recency, T), rel=1e-10)


@pytest.mark.parametrize(("alpha", "beta"), [(10.578, 11.669), (3.0, 40.0), (40.0, 3.0), (7.0, 7.0)])
def test_pareto_probability_alive_equals_the_two_cases_with_2f1(alpha, beta):
    r, s, x, recency, T = 0.55, 0.6, 4, 20.0, 39.0
    high, low, power = max(alpha, beta), min(alpha, beta), r + s + x
    second = s + 1 if alpha >= beta else r + x

    def tail(u):
        return hyp2f1(power, second, power + 1, (high - low) / (high + u)) / (high + u) ** power

    ratio = s / power * (alpha + T) ** (r + x) * (beta + T) ** s * (tail(recency) - tail(T))
    model = ParetoNBD().with_params(r=r, alpha=alpha, s=s, beta=beta)
    assert model.probability_alive(x, recency, T) == pytest.approx(1 / (1 + ratio), rel=1e-12)


def test_pareto_expectation_has_its_limit_at_s_equal_one():
    at, near = (ParetoNBD().with_params(r=0.5, alpha=10, s=s, beta=12) for s in (1.0, 1.0 + 1e-7))
    assert at.expected_purchases(52, 3, 20, 39) == pytest.approx(near.expected_purchases(52, 3, 20, 39), rel=1e-6)


def test_expected_purchases_have_their_limit_at_a_equal_one():
    at, near = (BetaGeoNBD().with_params(r=0.5, alpha=10, a=a, b=3) for a in (1.0, 1.0 + 1e-7))
    assert at.expected_purchases(52, 3, 20, 39) == pytest.approx(near.expected_purchases(52, 3, 20, 39), rel=1e-6)


@pytest.mark.parametrize(("k", "stage"), [(2, 0), (2, 1), (3, 2), (6, 4)])
def test_erlang_purchases_equal_the_sum_over_purchase_numbers(k, stage):
    p, ahead, events = np.array([[0.02, 0.3, 0.9]]), np.array([[1.7]]), np.array([[3.4]])
    number = np.arange(1, 2000)
    reached = nbinom.sf(k * number - stage - 1, 3.4, 1 / 2.7)
    expected = [(reached * (1 - one) ** (number - 1)).sum() for one in p[0]]
    assert renewals(p, ahead, events, k, stage)[0] == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(("k", "at_zero"), [(1, True), (2, False), (3, True)])
def test_predictions_come_true_in_simulation(k, at_zero):
    s = simulate(40_000, seed=k, k=k, at_zero=at_zero)
    model = (ModifiedBetaGeoNBD if at_zero else BetaGeoNBD)(k=k).with_params(r=0.85, alpha=1.45, a=0.79, b=2.42)
    expected = model.expected_purchases(26, s.frequency, s.recency, s["T"])
    alive = model.probability_alive(s.frequency, s.recency, s["T"])
    for _, group in s.groupby(pd.cut(s.frequency, [-1, 0, 2, 6, 1000])):
        error = np.sqrt(((group.future - expected[group.index]) ** 2).sum())
        assert abs(group.future.sum() - expected[group.index].sum()) < 3.5 * error
        spread = np.sqrt((alive[group.index] * (1 - alive[group.index])).sum())
        assert abs(group.alive.sum() - alive[group.index].sum()) <= 3.5 * spread


def test_bg_nbd_calls_everybody_without_a_repeat_alive_and_mbg_does_not():
    assert known(BetaGeoNBD()).probability_alive(0, 0, 500) == 1
    assert known(ModifiedBetaGeoNBD()).probability_alive(0, 0, 500) < 0.5


@pytest.mark.parametrize("model", MODELS, ids=repr)
@pytest.mark.parametrize(
    "history", [(500, 1000, 1000), (500, 10, 1000), (20_000, 900, 1000), (3, 1e-3, 1e6), (1, 0, 0)]
)
def test_extreme_histories_give_numbers(model, history):
    model = known(model)
    assert 0 <= model.probability_alive(*history) <= 1
    assert 0 <= model.expected_purchases(52, *history) < np.inf


@pytest.mark.parametrize("model", MODELS, ids=repr)
@settings(max_examples=40, deadline=None)
@given(x=st.integers(0, 60), parts=st.tuples(*[st.floats(0.01, 1)] * 3), ahead=st.floats(0.1, 60))
def test_longer_silence_means_less_life_and_longer_horizons_more_purchases(model, x, parts, ahead):
    model = known(model)
    T = 104 * parts[0]
    recency = np.sort([T * parts[1], T * parts[2]]) * (x > 0)
    alive = model.probability_alive(x, recency, T)
    assert 0 <= alive[0] <= alive[1] + 1e-12 <= 1 + 2e-12
    short, long = (model.expected_purchases(t, x, recency, T) for t in (ahead, 2 * ahead))
    assert (long >= short - 1e-9).all() and (short >= 0).all()


@settings(max_examples=20, deadline=None)
@given(order=arrays(int, 30, elements=st.integers(0, 29), unique=True))
def test_an_accounts_prediction_does_not_depend_on_its_neighbours(order):
    s = simulate(30, seed=9)
    model = known(ModifiedBetaGeoNBD(k=2))
    together = model.expected_purchases(26, s.frequency, s.recency, s["T"]).iloc[order]
    moved = s.iloc[order]
    pd.testing.assert_series_equal(model.expected_purchases(26, moved.frequency, moved.recency, moved["T"]), together)


def test_answers_have_the_form_of_the_question():
    model = known(BetaGeoNBD())
    assert isinstance(model.probability_alive(2, 30.0, 39.0), float)
    assert isinstance(model.probability_alive([2, 3], [30, 31], [39, 39]), np.ndarray)
    s = good().set_index(pd.Index(["A", "B", "C"]))
    assert model.expected_purchases(9, s.frequency, s.recency, s["T"]).index.tolist() == ["A", "B", "C"]
    assert model.expected_purchases([1, 2, 3], 2, 30.0, 39.0).shape == (3,)


def test_no_time_ahead_means_no_purchases():
    assert [known(model).expected_purchases(0, 3, 20, 39) for model in MODELS] == pytest.approx([0] * 5, abs=1e-12)


@pytest.mark.parametrize("model", MODELS, ids=repr)
def test_a_new_account_is_one_without_a_past(model):
    model = known(model)
    assert model.expected_new([26, 52])[1] == pytest.approx(model.expected_purchases(52, 0, 0, 0))


def test_time_ahead_cannot_be_negative():
    with pytest.raises(RequestError, match="1 of 1 rows: t below zero or missing"):
        known(BetaGeoNBD()).expected_purchases(-1, 0, 0, 10)


# --- spend ------------------------------------------------------------------------------------------------------


def test_expected_spend_lies_between_the_accounts_mean_and_everyones():
    model = GammaGamma().with_params(p=6.25, q=3.74, gamma=15.44)
    everyone = 6.25 * 15.44 / 2.74
    assert model.expected_spend(0, np.nan) == pytest.approx(everyone)
    assert 22.35 < model.expected_spend(20, 22.35) < model.expected_spend(2, 22.35) < everyone


def test_gamma_gamma_scales_with_the_currency(cdnow):
    buyers = cdnow[cdnow.frequency > 0]
    euros, cents = (GammaGamma().fit(buyers.frequency, buyers.mean_spend * unit) for unit in (1, 100))
    assert cents.params.to_numpy() == pytest.approx(euros.params.to_numpy() * [1, 1, 100], rel=1e-6)


def test_gamma_gamma_refuses_a_spend_that_is_none():
    with pytest.raises(RequestError, match=r"1 of 3 rows: mean_spend is not above zero .rows 1.; leave out accounts"):
        GammaGamma().fit([1, 2, 0], [5.0, 0.0, np.nan])


def test_gamma_gamma_needs_two_accounts_that_came_back():
    with pytest.raises(ModelError, match="1 of 2 accounts have a repeat purchase, two are needed"):
        GammaGamma().fit([1, 0], [5.0, np.nan])


def test_a_spend_without_a_mean_is_said_to_have_none():
    model = GammaGamma().with_params(p=0.5, q=0.9, gamma=10)
    with pytest.raises(ModelError, match="mean spend of 1 of 2 accounts is infinite: spend is too heavy-tailed"):
        model.expected_spend([0, 3], [np.nan, 5.0])


# --- the integrals ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("a", "b"), [(0.02, 0.5), (0.8, 3.4), (1.0, 1.0), (300.0, 2.0), (0.8, 20_000.0)])
def test_gauss_nodes_give_the_moments_of_the_beta_distribution(a, b):
    p, share = beta_nodes(a, np.array([b]), 32)
    assert share.sum() == pytest.approx(1)
    assert (share * p).sum() == pytest.approx(a / (a + b), rel=1e-9)
    assert (share * p**2).sum() == pytest.approx(a * (a + 1) / (a + b) / (a + b + 1), rel=1e-9)


@pytest.mark.parametrize(("alpha", "beta", "power"), [(10.0, 12.0, 0.5), (0.1, 50.0, 3.5), (50.0, 0.1, 200.5)])
def test_the_integral_over_the_moment_of_death_is_that_of_scipy(alpha, beta, power):
    recency, T = 3.0, 60.0
    log_alpha, log_beta, log_width = (
        v[0] for v in death_times(np.array([power]), alpha, 1.6, beta, np.array([recency]), np.array([T]))
    )

    def relative(u):
        return ((alpha + u) / (alpha + recency)) ** -power * ((beta + u) / (beta + recency)) ** -1.6

    wanted = integrate.quad(relative, recency, T, epsabs=0, epsrel=1e-12, points=[4.0, 10.0])[0]
    at_start = -power * np.log(alpha + recency) - 1.6 * np.log(beta + recency)
    got = np.exp(log_width - power * log_alpha - 1.6 * log_beta - at_start).sum()
    assert got == pytest.approx(wanted, rel=1e-9)


@pytest.mark.parametrize("model", MODELS, ids=str)
def test_no_purchase_ahead_is_the_history_watched_for_longer(model):
    silent = known(model).probability_silent([0.0, 5.0, 50.0, 5000.0], [3] * 4, [20.0] * 4, [30.0] * 4)
    assert silent[0] == pytest.approx(1)
    assert (np.diff(silent) < 0).all()
    assert silent[-1] >= 1 - known(model).probability_alive(3, 20.0, 30.0) - 1e-9


@pytest.mark.parametrize(("k", "history"), [(1, (2, 10, 20)), (2, (5, 60, 70)), (4, (5, 60, 70)), (2, (20, 60, 61))])
def test_no_purchase_ahead_is_gone_or_too_few_stages_passed(k, history):
    """Given that the account is there with j stages passed, fewer than k - j more: a sum over j."""
    model = ModifiedBetaGeoNBD(k=k).with_params(r=1.3, alpha=6, a=1, b=8)
    x, recency, age = (np.array([value], dtype=float) for value in history)
    states = model._states((1.3, 6, 1, 8), x, recency, age)[:, 0]
    *alive, dropped = np.exp(states - np.logaddexp.reduce(states))
    share = (6 + age[0]) / (6 + age[0] + 12.86)
    quiet = sum(w * nbinom.cdf(k - j - 1, 1.3 + k * x[0] + j, share) for j, w in enumerate(alive))
    assert model.probability_silent(12.86, *history) == pytest.approx(dropped + quiet, rel=1e-9)


def test_no_purchase_ahead_agrees_with_drawn_accounts():
    """Pareto/NBD: accounts drawn, each counted by how likely it makes the history, alive or dead."""
    rng = np.random.default_rng(0)
    rate, death = rng.gamma(0.5533, 1 / 10.578, 400_000), rng.gamma(0.6062, 1 / 11.669, 400_000)
    x, recency, age, ahead = 2, 30.43, 38.86, 39.0

    def seen(until):
        both = rate + death
        return rate**x * (death * np.exp(-both * recency) + rate * np.exp(-both * until)) / both

    drawn = seen(age + ahead).sum() / seen(age).sum()
    assert known(ParetoNBD()).probability_silent(ahead, x, recency, age) == pytest.approx(drawn, rel=0.01)


def test_a_time_ahead_for_each_history_or_one_for_all():
    with pytest.raises(RequestError, match=r"t has shape \(2,\), the histories \(3,\)"):
        known(BetaGeoNBD()).probability_silent([1.0, 2.0], [1, 1, 1], [2.0] * 3, [4.0] * 3)
