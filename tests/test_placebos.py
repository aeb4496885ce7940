"""The gates before an effect: leads and shuffled visits."""

import numpy as np
import pytest
from visiting import simulate, simulate_regime

from kamlib.errors import RequestError
from kamlib.studies.effects import lead_placebo, permuted_visits


def test_visits_that_follow_the_trend_are_refused_and_visits_that_follow_size_are_not():
    refused = {
        regime: np.mean([not lead_placebo(simulate_regime(regime, seed)[0]).passed for seed in range(8)])
        for regime in ("level", "trend")
    }
    assert refused["trend"] >= 0.7
    assert refused["level"] <= 0.25


def test_visits_that_follow_the_month_before_are_seen_in_the_first_lead():
    generator = np.random.default_rng(4)
    panel = simulate(seed=5, accounts=120, months=36, elasticity=0.0, noise=0.0)
    shock = generator.normal(size=(120, 36))
    panel["revenue"] *= np.exp(0.3 * shock).ravel()
    panel["visits"] *= np.exp(0.1 * np.roll(shock, 1, axis=1)).ravel()
    found = lead_placebo(panel)
    first = found.estimates.set_index("lead").loc[1]
    assert not found.passed and first["low"] > 0
    assert found.p_value >= lead_placebo(panel, leads=1).p_value


def test_a_rhythm_of_visits_with_carry_over_is_no_trend():
    generator = np.random.default_rng(0)
    panel = simulate(seed=1, accounts=200, elasticity=0.0)
    rhythm = 1 + (np.arange(len(panel)) % 24 + generator.integers(0, 3, 200).repeat(24)) % 3 * 2.0
    panel["visits"] = rhythm * np.exp(0.2 * generator.normal(size=len(panel)))
    last = panel.groupby("account_id")["visits"].shift().fillna(3)
    panel["revenue"] *= panel["visits"] ** 0.3 * last**0.3
    assert lead_placebo(panel).passed
    assert not lead_placebo(panel, lags=0).passed


def test_the_leads_come_from_the_calendar_not_from_the_row_below():
    panel = simulate()
    found = lead_placebo(panel.drop(index=12), leads=2, lags=1)
    assert found.n == len(panel) - 60 * 3 - 3 - 1  # the dropped month, and the rows that needed it


def test_few_managers_bring_the_bootstrap_of_the_score():
    panel = simulate()
    managed = panel.assign(manager_id=panel["account_id"].str[-2:].astype(int) % 8)
    found = lead_placebo(managed)
    assert found.inference == "score bootstrap, Webb weights"
    assert 0 < found.p_value <= 1


@pytest.mark.parametrize(("months", "leads"), [(36, 6), (24, 4), (11, 1)])
def test_a_longer_panel_looks_further_ahead(months, leads):
    assert lead_placebo(simulate(months=months)).estimates["lead"].tolist() == list(range(1, leads + 1))


def test_more_leads_than_months_are_refused():
    with pytest.raises(RequestError, match="leads=4 and lags=2 leave 0 of the 6 periods; ask for fewer"):
        lead_placebo(simulate(months=6), leads=4)


def test_no_leads_are_refused():
    with pytest.raises(RequestError, match="leads must be at least 1 and lags at least 0; got leads=0, lags=2"):
        lead_placebo(simulate(), leads=0)


@pytest.mark.parametrize("how", ["months", "paths"])
def test_shuffled_visits_have_no_effect_and_real_ones_stand_out(how):
    found = permuted_visits(simulate(accounts=40, months=18), draws=40, seed=1, how=how)
    assert found.passed
    assert abs(found.estimates.mean()) < 4 * found.estimates.std() / np.sqrt(40)
    assert found.p_value == pytest.approx(1 / 41)


def test_what_a_generation_of_accounts_has_in_common_is_not_dealt_away():
    """Half of the accounts begin later, are visited more from month to month, and grow: dealt paths must not see it."""
    panel = simulate(seed=2, accounts=80, months=24, elasticity=0.0)
    is_late, month = np.arange(80).repeat(24) >= 40, np.tile(np.arange(24), 80)
    rise = np.where(is_late, 1.1 ** (month - 12.0), 1.0)
    panel = panel.assign(visits=panel["visits"] * rise, revenue=panel["revenue"] * rise)
    found = permuted_visits(panel[~is_late | (month >= 12)], draws=40, how="paths")
    assert found.estimate > 0.02
    assert abs(found.estimates.mean()) < 3 * found.estimates.std() / np.sqrt(40)
    assert found.passed


def test_paths_are_dealt_unless_accounts_have_months_of_their_own():
    panel = simulate(accounts=30)
    starts = np.arange(30).repeat(24) % 22
    assert permuted_visits(panel, draws=20).how == "paths"
    assert permuted_visits(panel[np.tile(np.arange(24), 30) >= starts], draws=20).how == "months"


def test_the_same_seed_shuffles_the_same_way():
    one, other = (permuted_visits(simulate(accounts=12, months=12), draws=20, seed=7) for _ in range(2))
    assert one.estimates.tolist() == other.estimates.tolist()


def test_an_unknown_shuffle_is_refused():
    with pytest.raises(RequestError, match="how must be 'auto', 'months' or 'paths'; got 'rows'"):
        permuted_visits(simulate(), how="rows")


def test_too_few_draws_are_refused():
    with pytest.raises(RequestError, match="draws must be at least 20 to say anything about a share; got 5"):
        permuted_visits(simulate(), draws=5)
