"""The written-down process the sample company lives by: its parameters and its laws, apart from any bookkeeping.

The unit of time is the calendar month, the unit of response the account. With *b* the account's monthly revenue
were nobody to visit it, the revenue expected of account *i* in month *t* is::

    log E[revenue]_it = log b_i + season_g(i),t + elasticity_c(i) * log(1 + S_it) + u_it
                        + uplift * P_it - dip * P_i,t-1 + log(1 - depth_i) * [t >= defection_i]
                        + growth_i * months_grown_it + log(1 - lost to stock-outs_it)
    S_it = (1 - carry_over) * v_it + carry_over * S_i,t-1

*v* is the number of face-to-face visits (channel ``visit``; calls, mails, video and events do nothing), *S* their
geometrically weighted mean, in visits a month; before the window it stood at what the manager planned, and at zero
for an account entered since. *c* is the account's class, *u* a demand shock that nobody sees (first-order
autoregressive), *P* whether a promotion runs. So a Poisson regression of monthly revenue on log(1 + S) with account
and month effects recovers the elasticities whenever visits do not follow *u*. A lasting change of visits changes
revenue by elasticity * S / (1 + S) in proportion, the share 1 - carry_over of it in the first month.

``rate_share`` of that log goes into how often the account orders, the rest into how much each order is worth.
Orders are a renewal process with gamma gaps (shape *k*, mean one) in operational time, that is, in accumulated
expected orders; the first gap is drawn in equilibrium, so the expected count is the rate itself.

An account leaves without a word. In each month the odds of leaving are those of its class times the odds ratios
of what bears on it (see :func:`leaving_odds_log`). Partial defection comes at a constant monthly probability and
takes ``depth`` of the account's spending for good.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
from scipy.special import expit, logit
from scipy.stats import norm

CLASSES = ("A", "B", "C")
REGIMES = ("none", "level", "trend", "response")


@dataclass(frozen=True)
class Process:
    """Parameters of the process; tuples of three are by class A, B, C. Money is in TWD, rates are a month.

    Examples
    --------
    >>> Process(elasticity=(0.31, 0.31, 0.31)).elasticity
    (0.31, 0.31, 0.31)
    """

    # Size: log-normal around the median, cut off in the far tail, so that the top fifth buys about 80 %.
    median_month: float = 16_000.0
    size_spread: float = 1.60
    size_cut: float = 2.40
    class_from: tuple[float, ...] = (0.80, 0.50, 0.0)
    # Ordering: orders a month of the median account, and how that grows with size.
    median_rate: float = 1.10
    rate_by_size: float = 0.75
    rate_spread: float = 0.30
    rate_limits: tuple[float, ...] = (0.12, 9.0)
    regularity: tuple[float, ...] = (3.0, 2.2, 1.6)
    regularity_spread: float = 0.40
    rate_share: float = 0.5
    order_spread: float = 0.45
    # Visits.
    elasticity: tuple[float, ...] = (0.20, 0.31, 0.40)
    carry_over: float = 0.45
    mean_visits: float = 1.6
    visit_limits: tuple[float, ...] = (0.15, 9.0)
    visit_unevenness: float = 0.7
    executive_share: tuple[float, ...] = (0.16, 0.07, 0.02)
    level_slope: float = 0.6
    response_slope: float = 0.45
    trend_slope: float = 1.2
    trend_sight: float = 0.95
    # Demand shocks.
    shock_spread: float = 0.25
    shock_persistence: float = 0.7
    # Promotions.
    promotion_rate: tuple[float, ...] = (0.060, 0.040, 0.015)
    promotion_uplift: float = 0.22
    promotion_dip: float = 0.08
    # Leaving.
    leaving_rate: tuple[float, ...] = (0.0040, 0.0070, 0.0100)
    odds_complaint: float = 3.0
    odds_executive: float = 0.6
    odds_under_contract: float = 0.6
    odds_contract_ends: float = 3.0
    odds_new_manager: float = 1.6
    odds_referred: float = 0.6
    complaint_months: int = 6
    executive_months: int = 6
    manager_months: int = 3
    quiet_months: int = 2
    defection_rate: float = 0.0045
    defection_depth: tuple[float, float] = (0.35, 0.75)
    # Complaints.
    complaint_rate: tuple[float, ...] = (0.070, 0.045, 0.028)
    complaint_supply: float = 3.0
    complaint_crisis: float = 2.2
    # Supply.
    stock_out_rate: float = 0.035
    stock_out_severity: tuple[float, float] = (0.30, 0.80)
    lost_when_out: float = 0.5
    crisis_at: float = 0.62
    crisis_severity: tuple[float, float] = (0.95, 0.50)
    # Contracts, terms and the rest.
    contract_share: tuple[float, ...] = (0.70, 0.40, 0.06)
    contract_lapse: float = 0.12
    rebate_share: tuple[float, ...] = (0.50, 0.25, 0.0)
    rebate_reach: tuple[float, float] = (0.90, 1.20)
    rebate_near: float = 0.80
    rebate_pull_days: int = 35
    return_rate: float = 0.012
    adoption_rate: float = 0.025
    odds_trial: float = 4.0
    odds_peer: float = 2.5
    referred_share: float = 0.40
    # Exceptions planted once each in a book of 30 accounts or more.
    giant_order: float = 10_000_000.0
    giant_investment: float = 5_000_000.0
    grower_growth: float = 0.14
    grower_months: int = 18

    def by_class(self, name: str, klass: np.ndarray) -> np.ndarray:
        """A parameter by class, for each account: *klass* holds 0, 1, 2 for A, B, C."""
        return np.array(getattr(self, name))[klass]

    def as_mapping(self) -> dict:
        """The parameters as plain values, for ``truth/process.yml``."""
        return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}


def carry_over(visits: np.ndarray, share: float, before=0.0) -> np.ndarray:
    """Weighted mean of present and past visits along the last axis: S_t = (1 - share) * v_t + share * S_t-1.

    ``before`` is where it stood before the first month, a number or one for each account.

    Examples
    --------
    >>> carry_over(np.array([2.0, 0.0, 1.0]), 0.5)
    array([1.  , 0.5 , 0.75])
    """
    mean = (1 - share) * np.asarray(visits, dtype=float)
    for month in range(mean.shape[-1]):
        mean[..., month] += share * (mean[..., month - 1] if month else before)
    return mean


def visit_response(carried, elasticity):
    """Log points of revenue that visits bring: elasticity * log(1 + carried), with :func:`carry_over` visits."""
    return elasticity * np.log1p(carried)


def promotion_response(process: Process, runs: np.ndarray) -> np.ndarray:
    """Log points of revenue from promotions along the last axis: a rise while one runs, a dip the month after."""
    runs = np.asarray(runs, dtype=float)
    response = process.promotion_uplift * runs
    response[..., 1:] -= process.promotion_dip * runs[..., :-1]
    return response


def split_demand(process: Process, log_demand):
    """Factors on the order rate and on the value of an order, from log points of revenue."""
    return np.exp(process.rate_share * log_demand), np.exp((1 - process.rate_share) * log_demand)


def leaving_odds_log(
    process: Process,
    klass,
    complaint=False,
    executive=False,
    under_contract=False,
    contract_ends=False,
    new_manager=False,
    referred=False,
):
    """Log odds that an account leaves in a month.

    Parameters
    ----------
    klass
        0, 1, 2 for A, B, C; the flags broadcast against it.
    complaint
        A complaint was raised in one of the ``complaint_months`` months before.
    executive
        An executive visited in one of the ``executive_months`` months before.
    under_contract, contract_ends
        A supply contract runs through the month; it ends within it.
    new_manager
        The account manager changed in one of the ``manager_months`` months before.
    referred
        The account came by reference.
    """
    flags = {
        "odds_complaint": complaint,
        "odds_executive": executive,
        "odds_under_contract": under_contract,
        "odds_contract_ends": contract_ends,
        "odds_new_manager": new_manager,
        "odds_referred": referred,
    }
    effects = sum(np.log(getattr(process, name)) * np.asarray(flag, dtype=float) for name, flag in flags.items())
    return logit(process.by_class("leaving_rate", klass)) + effects


def leaving_probability(process: Process, klass, **flags):
    """Probability that an account leaves in a month; the flags are those of :func:`leaving_odds_log`."""
    return expit(leaving_odds_log(process, klass, **flags))


def complaint_intensity(process: Process, klass, severity, in_crisis):
    """Complaints expected in a month, given the severity of stock-outs in what the account buys (0 to 1)."""
    pressure = process.complaint_supply * severity + process.complaint_crisis * in_crisis
    return process.by_class("complaint_rate", klass) * np.exp(pressure)


def shocks(process: Process, rng: np.random.Generator, accounts: int, months: int) -> np.ndarray:
    """(accounts, months) demand shocks u: first-order autoregressive with mean zero and constant spread."""
    draws = rng.standard_normal((accounts, months)) * process.shock_spread
    fresh = np.sqrt(1 - process.shock_persistence**2)
    for month in range(1, months):
        draws[:, month] = process.shock_persistence * draws[:, month - 1] + fresh * draws[:, month]
    return draws


def foresight(process: Process, rng: np.random.Generator, shock: np.ndarray) -> np.ndarray:
    """What managers privately sense of where sales are moving, with unit spread.

    A noisy reading of the mean shock of the month before, this month and the next: they go where sales are about
    to move and stay while the movement lasts. ``trend_sight`` is its correlation with that mean.
    """
    before = np.concatenate([shock[:, :1], shock[:, :-1]], axis=1)
    ahead = np.concatenate([shock[:, 1:], shock[:, -1:]], axis=1)
    kept = process.shock_persistence
    signal = (before + shock + ahead) / (process.shock_spread * np.sqrt(3 + 4 * kept + 2 * kept**2))
    noise = rng.standard_normal(shock.shape)
    return process.trend_sight * signal + np.sqrt(1 - process.trend_sight**2) * noise


def planned_visits(process: Process, regime: str, size: np.ndarray, klass: np.ndarray) -> np.ndarray:
    """Visits a month that managers plan for each account.

    ``none``: the same for all. ``level`` and ``trend``: more for the larger. ``response``: more where visits are
    expected to sell more (elasticity times size). *size* is the account's standardised log size. Under every
    regime the average account has ``mean_visits``. The plan never follows what the account does: accounts that
    left go on being visited, since nobody was told.
    """
    plan = np.exp(_plan_log(process, regime, size, klass) - _plan_log_mean(process, regime))
    return np.clip(process.mean_visits * plan, *process.visit_limits)


def _plan_log(process: Process, regime: str, size: np.ndarray, klass: np.ndarray) -> np.ndarray:
    spread = process.size_spread * size
    if regime == "none":
        return np.zeros_like(size)
    if regime in ("level", "trend"):
        return process.level_slope * spread
    return process.response_slope * (spread + np.log(process.by_class("elasticity", klass)))


def _plan_log_mean(process: Process, regime: str) -> float:
    share = (np.arange(1000) + 0.5) / 1000
    size = sizes(process, share)
    return float(np.log(np.exp(_plan_log(process, regime, size, classes(process, share))).mean()))


def sizes(process: Process, share: np.ndarray) -> np.ndarray:
    """Standardised log size of the account at each quantile, the far tail cut off."""
    return np.clip(norm.ppf(share), -process.size_cut, process.size_cut)


def classes(process: Process, share: np.ndarray) -> np.ndarray:
    """Class (0, 1, 2 for A, B, C) of the account at each quantile of size."""
    return np.where(share >= process.class_from[0], 0, np.where(share >= process.class_from[1], 1, 2))


def draw_visits(
    process: Process, rng: np.random.Generator, plan: np.ndarray, pace: np.ndarray, signal=None
) -> np.ndarray:
    """(accounts, months) face-to-face visits made.

    Counts around plan times pace (working days of the month), uneven from month to month without memory; with a
    *signal* (regime ``trend``) managers go where they sense sales will move.
    """
    mean = plan[:, None] * pace
    if signal is not None:
        mean = mean * np.exp(process.trend_slope * signal - 0.5 * process.trend_slope**2)
    shape = 1 / process.visit_unevenness**2
    return rng.poisson(mean * rng.gamma(shape, 1 / shape, size=mean.shape))


def adopting_probability(process: Process, in_trial, peer_adopted):
    """Probability that an account takes up a new product in a month: trials and references raise the odds."""
    odds = np.log(process.odds_trial) * np.asarray(in_trial) + np.log(process.odds_peer) * np.asarray(peer_adopted)
    return expit(logit(process.adoption_rate) + odds)
