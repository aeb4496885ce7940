"""Do visits follow sales? A test of how visits are aimed, from the side of the visits.

The lead placebo asks the sales whether they run ahead of the visits, weighted by money: a handful of large accounts
decides. This test asks the visits whether they run behind the sales, in units of each account's usual fluctuation, so
that every account counts: it sees targeting on the trend where the lead placebo is still silent.

1. Sales surprise: the working residual of the fixed-effects Poisson regression of sales on visits, in standard
   deviations of the account.
2. Poisson regression of visits on the surprise of the month before, past visits held constant, account and month
   effects. Past visits must be there: they made part of that surprise, and they tell of the rhythm of visits.

Source: Granger (1969) for the question; Wooldridge (2010, 10.7.1, 18.2.3) for strict exogeneity and its tests.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import pandas as pd

from kamlib.errors import RequestError
from kamlib.studies.effects.panels import Panel, informative, non_negative, prepare, seen_twice, shifted
from kamlib.studies.effects.regressions import regress
from kamlib.studies.effects.scores import score_test


@dataclass(frozen=True)
class Targeting:
    """Whether exposure follows what outcome did before.

    Attributes
    ----------
    passed : p_value >= alpha; False means that visits go where sales have just moved, and no effect may be claimed
    p_value : that exposure does not follow the surprise of the period before
    alpha : size of the test
    estimate, interval : log of exposure (exposure as it is where it cannot be a Poisson mean) per standard deviation
        of the account's outcome, one period later; the interval at ``level``
    level : coverage of that interval
    n, n_accounts : rows and accounts with all lags
    n_dropped : reason → rows left out
    inference : how the test was made
    """

    passed: bool
    p_value: float
    alpha: float
    estimate: float
    interval: tuple[float, float]
    level: float
    n: int
    n_accounts: int
    n_dropped: dict[str, int]
    inference: str


def targeting_test(
    panel: pd.DataFrame,
    outcome: str = "revenue",
    exposure: str = "visits",
    *,
    lags: int = 3,
    alpha: float = 0.05,
    level: float = 0.90,
    unit: str = "account_id",
    time: str = "month",
    covariates: tuple[str, ...] = (),
    cluster=None,
    scale: str = "auto",
    seed: int = 0,
) -> Targeting:
    """Test whether ``exposure`` follows the outcome of the period before.

    ``lags`` periods of past exposure are held constant. They have to reach as far back as exposure acts: what they
    leave of its effect in the surprise would be taken for targeting in a very large book.

    Raises
    ------
    RequestError
        for lags < 1 or a panel too short for them; as :func:`kamlib.studies.effects.effect` otherwise.
    ModelError
        when one of the two regressions cannot be fitted.

    Example
    -------
    >>> targeting_test(panel, "revenue", "visits").passed  # doctest: +SKIP
    """
    if lags < 1:
        raise RequestError(f"lags must be at least 1; got {lags}")
    ready = prepare(panel, outcome, exposure, unit=unit, time=time, covariates=covariates, cluster=cluster, scale=scale)
    ready = _with_past(_with_surprise(informative(non_negative(ready))), lags)
    is_count = ready.scale != "logged" and bool((ready.frame["raw"] >= 0).all())
    ready = replace(ready, frame=ready.frame.assign(y=ready.frame["raw"]))
    ready = informative(ready) if is_count else seen_twice(ready)
    given = [*(f"lag{k}" for k in range(1, lags + 1)), *ready.controls]
    fit = regress(ready.frame, ["surprise", *given], ready.cluster_columns, family="ppml" if is_count else "ols")
    p_value, procedure = score_test(fit, [["surprise"]], given, seed)
    found = fit.inference(seed, "surprise")
    return Targeting(
        passed=bool(p_value >= alpha),
        p_value=p_value,
        alpha=alpha,
        estimate=found.estimate,
        interval=found.interval(level),
        level=level,
        n=len(ready.frame),
        n_accounts=int(ready.frame["unit"].nunique()),
        n_dropped=ready.dropped,
        inference=procedure,
    )


def _with_surprise(panel: Panel) -> Panel:
    """The panel with ``news``: how far outcome was from what it was to be, in standard deviations of the account."""
    fit = regress(panel.frame, ["x", *panel.controls], panel.cluster_columns, family="ppml")
    news = pd.Series(fit.frame["residual"].to_numpy(), index=panel.frame.index)
    spread = news.groupby(panel.frame["unit"]).transform("std")
    panel = replace(panel, frame=panel.frame.assign(news=news / spread.where(spread > 0)))
    return panel.keep(panel.frame["news"].notna(), f"account whose {panel.outcome} never fluctuates")


def _with_past(panel: Panel, lags: int) -> Panel:
    frame = panel.frame
    past = {"surprise": shifted(frame, "news", -1)} | {f"lag{k}": shifted(frame, "x", -k) for k in range(1, lags + 1)}
    wide = frame.assign(**past)
    panel = replace(panel, frame=wide).keep(wide[list(past)].notna().all(axis=1), f"no exposure {lags} months back")
    if panel.frame["time"].nunique() < 2:
        raise RequestError(
            f"lags={lags} leave {panel.frame['time'].nunique()} of the {frame['time'].nunique()} periods; ask for fewer"
        )
    return panel
