"""Buy-till-you-die models and the recency chain as candidates: fitted on each day to what was known on it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from scipy.special import logit

from kamlib.errors import ModelError
from kamlib.studies.btyd import BetaGeoNBD, ModifiedBetaGeoNBD, ParetoNBD, Regularity, regularity
from kamlib.studies.churn.backtest import Candidate, Slice
from kamlib.studies.churn.timelines import Sales, to_dates

WEEK_DAYS = 7.0
REGULAR_FROM = 1.5
MOST_STAGES = 8
SUREST = 0.01  # nearer to certain than this no model that knows order days alone can be
PERIOD_DAYS = 30
MOST_PERIODS = 12
MOST_ACCOUNTS = 4000


def histories(sales: Sales, moment: int) -> pd.DataFrame:
    """Frequency, recency and T in weeks of every account that bought by a day, by account number."""
    bought = sales.purchases.count(-1, moment)
    known = np.flatnonzero(bought > 0)
    first, last = sales.purchases.first()[known], sales.purchases.last(moment)[known]
    columns = {
        "frequency": bought[known] - 1.0,
        "recency": (last - first) / WEEK_DAYS,
        "age": (moment - first) / WEEK_DAYS,
    }
    return pd.DataFrame(columns, index=known)


def gaps_regularity(sales: Sales, moment: int) -> Regularity | None:
    """Wheat and Morrison's k of the gaps up to a day; None where too few accounts have two gaps."""
    day, code = sales.purchases.day, sales.purchases.code
    seen = day <= moment
    frame = pd.DataFrame({"account_id": code[seen], "order_date": to_dates(day[seen]), "revenue": 1.0})
    try:
        return regularity(frame)
    except ModelError:
        return None


@dataclass(eq=False)
class PurchaseModel:
    """One buy-till-you-die model, fitted on each of several days to what was known on it.

    ``make(k)`` gives the model for gaps as regular as k. On a day on which the likelihood has no maximum the model
    has nothing to say; ``failures`` holds those days with the reasons.
    """

    sales: Sales
    make: Callable[[float], object]
    fitted: dict[int, object] = field(default_factory=dict)
    failures: dict[int, str] = field(default_factory=dict)

    def fit_on(self, regular: Mapping[int, Regularity | None]) -> PurchaseModel:
        """Fit on each day, given how regular the gaps had been by then."""
        for day, k in regular.items():
            rows = _some(histories(self.sales, day))
            try:
                self.fitted[day] = self.make(float(k or 1.0)).fit(rows["frequency"], rows["recency"], rows["age"])
            except ModelError as error:
                self.failures[day] = str(error)
        return self

    @property
    def is_fitted(self) -> bool:
        """Whether the likelihood had a maximum on some day."""
        return bool(self.fitted)

    def columns(self, s: Slice) -> np.ndarray:
        """(n, 1) log odds of silence in each window; missing on a day without a fit."""
        if s.moment not in self.fitted:
            return np.full((len(s.rows), 1), np.nan)
        rows = histories(self.sales, s.moment).loc[s.rows.index]
        weeks, model = s.rows["window_days"].to_numpy() / WEEK_DAYS, self.fitted[s.moment]
        chance = np.asarray(model.probability_silent(weeks, rows["frequency"], rows["recency"], rows["age"]))
        return logit(np.clip(chance, SUREST, 1 - SUREST))[:, None]


def purchase_models(sales: Sales, days: Sequence[int]) -> tuple[dict[str, PurchaseModel], Regularity | None]:
    """The models by name, fitted on each of the days, and the regularity k on the last of them.

    Where the gaps are regular (k above 1.5) on the last day, the model for regular gaps competes too.
    """
    regular = {day: gaps_regularity(sales, day) for day in days}
    latest = regular[max(days)]
    kinds = {
        "BG/NBD": lambda k: BetaGeoNBD(),
        "MBG/NBD": lambda k: ModifiedBetaGeoNBD(),
        "Pareto/NBD": lambda k: ParetoNBD(),
    }
    if latest is not None and latest > REGULAR_FROM:
        kinds["MBG/CNBD-k"] = lambda k: ModifiedBetaGeoNBD(k=int(np.clip(round(k), 1, MOST_STAGES)))
    return {name: PurchaseModel(sales, make).fit_on(regular) for name, make in kinds.items()}, latest


def as_candidates(models: Mapping[str, PurchaseModel]) -> list[Candidate]:
    """The models that could be fitted on some day, as candidates."""
    return [Candidate(name, model.columns) for name, model in models.items() if model.is_fitted]


def _some(rows: pd.DataFrame) -> pd.DataFrame:
    """At most some thousand accounts, drawn evenly over their numbers: more add time, not precision."""
    return rows if len(rows) <= MOST_ACCOUNTS else rows.iloc[:: -(-len(rows) // MOST_ACCOUNTS)]


def buying_rates(sales: Sales, moment: int, lookback: int = MOST_PERIODS) -> np.ndarray:
    """(12,) chance to buy in the next 30 days by 30-day periods since the last order, from the year before a day.

    Half an order and half a miss are added to each (Jeffreys); the last entry holds for all longer silences.
    """
    bought, seen = np.zeros(MOST_PERIODS), np.zeros(MOST_PERIODS)
    for back in range(1, lookback + 1):
        start = moment - back * PERIOD_DAYS
        last = sales.purchases.last(start)
        known = ~np.isnan(last)
        state = _periods_silent(start - last[known])
        seen += np.bincount(state, minlength=MOST_PERIODS)
        came = sales.purchases.count(start, start + PERIOD_DAYS)[known] > 0
        bought += np.bincount(state[came], minlength=MOST_PERIODS)
    return (bought + 0.5) / (seen + 1)


def _periods_silent(recency: np.ndarray) -> np.ndarray:
    return np.minimum(recency // PERIOD_DAYS, MOST_PERIODS - 1).astype(int)


def recency_chain(sales: Sales) -> Candidate:
    """The recency chain: an account's silence grows period by period unless it buys."""

    def columns(s: Slice) -> np.ndarray:
        stays = np.log1p(-buying_rates(sales, s.moment))
        periods = s.rows["window_days"].to_numpy() / PERIOD_DAYS
        state, total = _periods_silent(s.rows["recency_days"].to_numpy()), np.zeros(len(s.rows))
        for step in range(int(np.ceil(periods.max(initial=0)))):
            part = np.clip(periods - step, 0, 1)
            total += part * stays[np.minimum(state + step, MOST_PERIODS - 1)]
        return logit(np.clip(np.exp(total), SUREST, 1 - SUREST))[:, None]

    return Candidate("recency chain", columns)
