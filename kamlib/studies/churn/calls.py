"""Whom to call and whom not: the margin expected, reasons that hold, what a call may save, and when to give up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from kamlib.errors import RequestError
from kamlib.studies.churn.purchase_models import PERIOD_DAYS, buying_rates
from kamlib.studies.churn.seasonality import Season
from kamlib.studies.churn.timelines import Sales
from kamlib.studies.markov import RecencyChain

YEAR_DAYS = 365
YEARLY_DISCOUNT = 0.10
LEAST_RISK = 0.01  # below one in a hundred an account is not slipping away, however large it is
LEAVE = "leave"
ACTIONS = ("call", "ask", LEAVE, "wait", "win_back", "let_go", "decide")

# The fact behind each reason, from the covariates as they stand: what must hold for the reason to be given.
REASONS: Mapping[str, tuple[str, float, bool]] = {
    "late": ("lateness", np.log1p(1.5), True),
    "spend_down": ("spend_trend", np.log(0.7), False),
    "narrower": ("breadth_trend", np.log(0.7), False),
    "complaint_open": ("complaint_open", 1.0, True),
    "complaint": ("complaints", np.log(2), True),
    "no_contact": ("contacts", 0.0, False),
    "no_executive": ("executive", 0.0, False),
    "one_thread": ("threads", np.log(2), False),
    "unhappy": ("satisfaction", 5.0, False),
    "contract_ends": ("contract_ends", 1.0, True),
    "new_manager": ("new_manager", 1.0, True),
    "late_deliveries": ("late_deliveries", 0.25, True),
}
MOST_REASONS = 3


@dataclass(frozen=True)
class CallPolicy:
    """What a call costs and may keep.

    ``calls``: accounts that can be called. ``contact_cost``: money a call. ``kept_share``: chance that a call keeps
    an account that would have fallen silent; it is declared, not estimated, until calls are assigned at random.
    ``kept_days``: how long an account that was kept goes on buying.
    """

    calls: int = 20
    contact_cost: float = 0.0
    kept_share: float = 0.3
    kept_days: float = 365.0

    def __post_init__(self) -> None:
        """Refuse a policy that is none."""
        if self.calls < 0 or self.contact_cost < 0 or not 0 <= self.kept_share <= 1:
            raise RequestError(
                f"calls {self.calls}, contact_cost {self.contact_cost}, kept_share {self.kept_share}: "
                "give no negative numbers, and a share of 1 at most"
            )


def expected_margin(sales: Sales, stand: pd.DataFrame, season: Season, horizon_days: int) -> np.ndarray:
    """(n,) margin expected of each account over the horizon, were it to go on as in the last 365 days.

    Its daily margin since it became a customer, a year at most, times the season of the days ahead; never below
    zero, because losing an account that costs money loses nothing.
    """
    tenure = np.clip(sales.as_of - stand["first"] + 1, horizon_days, YEAR_DAYS)
    earned = sales.margin.total(sales.as_of - YEAR_DAYS, sales.as_of)[stand.index]
    ahead = float(season.factor(sales.as_of, sales.as_of + horizon_days))
    return np.maximum(earned, 0) / tenure.to_numpy() * horizon_days * ahead


def contact_reach(sales: Sales, contact_cost: float) -> np.ndarray:
    """(n,) 30-day periods without an order after which a contact with each account no longer pays; at most twelve.

    One contact a period (Pfeifer & Carraway 2000), at the account's own mean margin an order day, drawn towards the
    middling account's as if by one day more; a loss counts as nothing. How often silences of each length are broken
    is that of all accounts, and known for twelve periods: longer silences are not priced. NaN where a contact has no
    cost, and so no rule.
    """
    if not contact_cost:
        return np.full(sales.purchases.size, np.nan)
    days = sales.purchases.count(-1, sales.as_of)
    earned = np.maximum(sales.margin.total(-1, sales.as_of), 0.0)
    middling = float(np.median((earned / np.maximum(days, 1))[days > 0])) if (days > 0).any() else 0.0
    margins = (earned + middling) / (days + 1)
    discount = (1 + YEARLY_DISCOUNT) ** (PERIOD_DAYS / YEAR_DAYS) - 1
    rates = tuple(buying_rates(sales, sales.as_of))
    # The rule hangs on margin over cost alone; two digits of it tell all rules apart that differ in money.
    ratios, place = np.unique([float(f"{ratio:.2g}") for ratio in margins / contact_cost], return_inverse=True)
    rules = [RecencyChain(rates, ratio, 1.0, discount).best_stop().stop_after for ratio in ratios.tolist()]
    return np.array(rules, dtype=float)[place]


def actions(accounts: pd.DataFrame, policy: CallPolicy, lasting: float) -> pd.DataFrame:
    """The accounts with ``gain_of_call``, ``is_slipping`` and ``action``, the greatest value at risk first.

    *accounts* has the reach of contact as ``contact_reach``; *lasting* is the share of silences that last.
    *call*: slipping away (``is_slipping``: a reason holds, or the risk is not below the mean of those judged, and it is
    :data:`LEAST_RISK` or more), and among the calls that can be made and pay for themselves; what a call brings is the
    risk times the share kept times the share that lasts times the margin of the last year, less its cost.
    *ask*: not called, but partly gone: ask who else supplies it. *leave*: judged, and not worth a call now. *wait*: out
    of season. *win_back*: silent, and contact still pays. *let_go*: silent for longer than contact pays. *decide*:
    silent, and a contact has no cost to set against it.
    """
    # What it really brought in a year: the pace of a few weeks is no year, and no year is like its busiest quarter.
    stake = accounts["risk"] * accounts["margin_year"].clip(lower=0) * lasting
    gain = policy.kept_share * stake * policy.kept_days / YEAR_DAYS - policy.contact_cost
    gain = gain.where(accounts["is_judged"] & (accounts["status"] == "active") & (accounts["risk"] >= LEAST_RISK))
    is_slipping = gain.notna() & (accounts["reasons"].map(bool) | _is_raised(accounts["risk"], accounts["is_judged"]))
    wanted = accounts.assign(gain=gain.where(is_slipping)).sort_values(["gain", "account_id"], ascending=[False, True])
    place = pd.Series(np.arange(len(wanted)), index=wanted.index).reindex(accounts.index)
    is_called = is_slipping & (gain > 0) & (place < policy.calls)
    pays = accounts["recency_days"] // PERIOD_DAYS < accounts["contact_reach"]
    is_silent = accounts["status"] == "silent"
    unpriced = is_silent & accounts["contact_reach"].isna()
    choices = [is_called, accounts["status"] == "off_season", unpriced, is_silent & pays, is_silent]
    choices.append(accounts["is_partial"])
    action = np.select(choices, ["call", "wait", "decide", "win_back", "let_go", "ask"], LEAVE)
    ranked = accounts.assign(gain_of_call=gain, is_slipping=is_slipping, action=action)
    return ranked.sort_values(["value_at_risk", "account_id"], ascending=[False, True], ignore_index=True)


def _is_raised(risk: pd.Series, is_judged: pd.Series) -> pd.Series:
    """Whether a risk is no lower than the mean of the judged, at which a method that tells none apart puts them all."""
    mean = risk[is_judged].mean()
    return (risk > mean) | np.isclose(risk, mean)


def reasons(
    known: pd.DataFrame,
    weights: pd.DataFrame | None,
    partial: pd.Series,
    wallet: pd.Series,
    ending: pd.Series | None = None,
) -> pd.Series:
    """Up to three reason codes of each account, the weightiest first.

    Parameters
    ----------
    known : covariates of the judged accounts, by account number.
    weights : what each covariate adds to the log odds of the hazard, same shape; a fact that the hazard does not
        count against the account is no reason. None where there is no hazard: the facts stand in their own order.
    partial, wallet : flags by account number: partly defected, falling wallet share.
    ending : flag by account number: its contract ends within the horizon, a reason whatever the hazard makes of it.
    """
    holds = {}
    for code, (column, bound, is_above) in REASONS.items():
        if column in known:
            fact = known[column] >= bound if is_above else known[column] <= bound
            weight = weights[column] if weights is not None else pd.Series(1.0, known.index)
            holds[code] = weight.where(fact & (weight > 0), 0.0)
    # What is found beside the hazard comes first; then what the hazard counts most.
    flags = {"partial_defection": partial, "wallet_loss": wallet}
    if ending is not None:
        flags["contract_ends"] = ending
        holds.pop("contract_ends", None)
    first = {code: flag.reindex(known.index, fill_value=False).astype(float) * np.inf for code, flag in flags.items()}
    table = pd.DataFrame(first | holds, index=known.index).fillna(0.0)
    order = np.argsort(-table.to_numpy(), axis=1, kind="stable")[:, :MOST_REASONS]
    ranked = np.take_along_axis(table.to_numpy(), order, axis=1) > 0
    codes = table.columns.to_numpy()
    return pd.Series([list(codes[o[r]]) for o, r in zip(order, ranked, strict=True)], known.index, dtype=object)


def hazard_weights(answer, known: pd.DataFrame) -> pd.DataFrame | None:
    """What each covariate adds to the log odds in the fitted hazard *answer*; None where there is none.

    A hazard on the own pace alone says nothing of the other columns: they count nothing.
    """
    model = getattr(answer, "model", None)
    if model is None or not len(known):
        return None
    named = known.iloc[:, : len(model.centre)]
    return pd.DataFrame(model.contributions(named.to_numpy()), known.index, named.columns).reindex(
        columns=known.columns, fill_value=0.0
    )
