"""Gates before an effect is believed: future visits must explain nothing, and shuffled visits must have no effect.

Source: Granger's test in the form of Angrist & Pischke (2009, 5.2.1) for leads; Fisher's randomisation test for
shuffling.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy import stats

from kamlib.errors import RequestError
from kamlib.studies.effects.absorption import TwoWay
from kamlib.studies.effects.panels import Panel, informative, non_negative, prepare, shifted
from kamlib.studies.effects.regressions import Fit, Inference, regress
from kamlib.studies.effects.scores import score_test

PERIODS_PER_LEAD, MOST_LEADS = 6, 6
OFF_ALPHA = 0.01  # more intervals off zero than come by this chance fail the shuffled visits


@dataclass(frozen=True)
class LeadPlacebo:
    """Whether future exposure explains present outcome, present exposure given.

    Attributes
    ----------
    passed : p_value >= alpha; False means visits follow what sales are about to do, and no effect may be claimed
    p_value : that all leads are zero: twice the smaller p of the next period's lead alone and of all leads jointly
        (Bonferroni), since visits that follow sales do so soonest, and six leads at once hide one
    alpha : size of the test
    estimates : frame lead, estimate, standard_error, low, high
    level : coverage of those intervals
    n, n_accounts : rows and accounts with all leads and lags
    n_dropped : reason → rows left out
    scale, inference : how the exposure entered; how the joint test was made
    """

    passed: bool
    p_value: float
    alpha: float
    estimates: pd.DataFrame
    level: float
    n: int
    n_accounts: int
    n_dropped: dict[str, int]
    scale: str
    inference: str


def lead_placebo(
    panel: pd.DataFrame,
    outcome: str = "revenue",
    exposure: str = "visits",
    *,
    leads: int | None = None,
    lags: int = 2,
    alpha: float = 0.05,
    level: float = 0.90,
    unit: str = "account_id",
    time: str = "month",
    covariates: tuple[str, ...] = (),
    cluster=None,
    scale: str = "auto",
    seed: int = 0,
) -> LeadPlacebo:
    """Put future exposure beside the present one in the fixed-effects Poisson regression and test it jointly.

    ``leads`` is by default a sixth of the periods, 1 to 6: more leads see a slower trend and cost more months.
    Past exposure is held constant too (``lags``), since a visiting rhythm would otherwise let the leads stand in for
    the carry-over of past visits.

    Raises
    ------
    RequestError
        for leads < 1, lags < 0, or a panel too short for them; as :func:`kamlib.studies.effects.effect` otherwise.

    Example
    -------
    >>> lead_placebo(panel, "revenue", "visits", leads=4).passed  # doctest: +SKIP
    """
    if (leads is not None and leads < 1) or lags < 0:
        raise RequestError(f"leads must be at least 1 and lags at least 0; got leads={leads}, lags={lags}")
    ready = prepare(panel, outcome, exposure, unit=unit, time=time, covariates=covariates, cluster=cluster, scale=scale)
    leads = leads or int(np.clip(ready.frame["time"].nunique() // PERIODS_PER_LEAD, 1, MOST_LEADS))
    ready = _with_neighbours(non_negative(ready), leads, lags)
    names = [f"lead{k}" for k in range(1, leads + 1)]
    given = ["x", *(f"lag{k}" for k in range(1, lags + 1)), *ready.controls]
    fit = regress(ready.frame, [*given, *names], ready.cluster_columns, family="ppml")
    p_value, inference = score_test(fit, [names[:1], names] if leads > 1 else [names], given, seed)
    return LeadPlacebo(
        passed=bool(p_value >= alpha),
        p_value=p_value,
        alpha=alpha,
        estimates=_lead_frame(fit, names, level),
        level=level,
        n=len(ready.frame),
        n_accounts=int(ready.frame["unit"].nunique()),
        n_dropped=ready.dropped,
        scale=ready.scale,
        inference=inference,
    )


def _with_neighbours(panel: Panel, leads: int, lags: int) -> Panel:
    frame = panel.frame
    later = {f"lead{k}": shifted(frame, "x", k) for k in range(1, leads + 1)}
    earlier = {f"lag{k}": shifted(frame, "x", -k) for k in range(1, lags + 1)}
    wide = frame.assign(**later, **earlier)
    has_all = wide[[*later, *earlier]].notna().all(axis=1)
    panel = replace(panel, frame=wide).keep(has_all, f"no exposure {leads} months ahead or {lags} months back")
    if panel.frame["time"].nunique() < 2:
        raise RequestError(
            f"leads={leads} and lags={lags} leave {panel.frame['time'].nunique()} of the "
            f"{frame['time'].nunique()} periods; ask for fewer"
        )
    return informative(panel)


def _lead_frame(fit: Fit, names, level) -> pd.DataFrame:
    freedom = min(fit.frame[column].nunique() for column in fit.clusters) - 1
    estimate = fit.coefficients[names].to_numpy()
    error = np.sqrt(np.diag(fit.covariance.loc[names, names]))
    reach = stats.t.ppf(0.5 + level / 2, freedom) * error
    return pd.DataFrame(
        {
            "lead": range(1, len(names) + 1),
            "estimate": estimate,
            "standard_error": error,
            "low": estimate - reach,
            "high": estimate + reach,
        }
    )


@dataclass(frozen=True)
class PermutedVisits:
    """What the estimator finds where there is nothing to find.

    Attributes
    ----------
    passed : the share of shuffled panels with an interval off zero is not above 1 − level (binomial test at 1 %)
    false_positive_share : that share
    p_value : randomisation p-value of the estimate on the real panel
    estimate : on the real panel
    estimates : (draws,) on the shuffled panels
    draws, level, how, n : as asked; rows
    """

    passed: bool
    false_positive_share: float
    p_value: float
    estimate: float
    estimates: np.ndarray
    draws: int
    level: float
    how: str
    n: int

    @property
    def most_off(self) -> int:
        """How many intervals may leave zero out and still pass."""
        return int(stats.binom.isf(OFF_ALPHA, self.draws, 1 - self.level))


def permuted_visits(
    panel: pd.DataFrame,
    outcome: str = "revenue",
    exposure: str = "visits",
    *,
    draws: int = 100,
    seed: int = 0,
    how: str = "auto",
    level: float = 0.90,
    unit: str = "account_id",
    time: str = "month",
    covariates: tuple[str, ...] = (),
    cluster=None,
    scale: str = "auto",
) -> PermutedVisits:
    """Shuffle exposure and estimate its effect again, ``draws`` times, by the fixed-effects Poisson regression.

    Parameters
    ----------
    how : "paths" deals whole exposure paths to other accounts with the same months, which keeps the rhythm of
        visits; "months" shuffles the months within each account, which breaks it; "auto" takes paths where at least
        90 % of the accounts have somebody to trade with

    Raises
    ------
    RequestError
        for an unknown ``how`` or draws < 20.

    Example
    -------
    >>> permuted_visits(panel, draws=100, seed=1).false_positive_share  # doctest: +SKIP
    """
    if how not in ("auto", "months", "paths"):
        raise RequestError(f"how must be 'auto', 'months' or 'paths'; got {how!r}")
    if draws < 20:
        raise RequestError(f"draws must be at least 20 to say anything about a share; got {draws}")
    ready = prepare(panel, outcome, exposure, unit=unit, time=time, covariates=covariates, cluster=cluster, scale=scale)
    ready = informative(non_negative(ready))
    real = regress(ready.frame, ["x", *ready.controls], ready.cluster_columns, family="ppml")
    how = _natural_shuffle(ready.frame) if how == "auto" else how
    generator = np.random.default_rng(seed)
    shuffle = {"months": _shuffled_months, "paths": _shuffled_paths}[how]
    again, shuffled = _Again(real, TwoWay.of(real.frame)), shuffle(ready.frame, generator)
    found = [again.inference(next(shuffled), seed) for _ in range(draws)]
    estimates = np.array([one.estimate for one in found])
    false = sum(one.p_value() < 1 - level for one in found)
    estimate = float(real.coefficients["x"])
    return PermutedVisits(
        passed=bool(stats.binom.sf(false - 1, draws, 1 - level) >= OFF_ALPHA),
        false_positive_share=false / draws,
        p_value=float((1 + (np.abs(estimates) >= abs(estimate)).sum()) / (draws + 1)),
        estimate=estimate,
        estimates=estimates,
        draws=draws,
        level=level,
        how=how,
        n=len(ready.frame),
    )


@dataclass(frozen=True)
class _Again:
    """A fitted regression whose exposure is exchanged: outcome, controls, rows and clusters stay as they are."""

    fit: Fit
    layout: TwoWay

    def inference(self, exposure: np.ndarray, seed: int) -> Inference:
        frame = self.fit.frame
        columns = np.column_stack([exposure, frame[self.fit.coefficients.index[1:]].to_numpy()])
        found = self.layout.poisson(frame["y"].to_numpy(), columns, frame["weight"].to_numpy())
        return self.fit.inferred(float(found.coefficients[0]), found.partialled(), found.mean, found.surprise, seed)


def _natural_shuffle(frame: pd.DataFrame) -> str:
    months = frame.groupby("unit")["time"].agg(tuple)
    return "paths" if months.duplicated(keep=False).mean() >= 0.9 else "months"


def _shuffled_months(frame: pd.DataFrame, generator) -> Iterator[np.ndarray]:
    """Exposure with the months of each account in random order, again and again."""
    while True:
        order = np.lexsort((generator.random(len(frame)), frame["unit"]))
        yield frame["x"].to_numpy()[order]


def _shuffled_paths(frame: pd.DataFrame, generator) -> Iterator[np.ndarray]:
    """Exposure with whole paths dealt to accounts that have the same months, again and again.

    A path is dealt as its distance from the mean path of those accounts: that mean stays where it was whoever gets
    what, and with it the effect of visits that a whole generation of accounts has in common.
    """
    months = frame.groupby("unit")["time"].agg(tuple)
    generation = pd.factorize(months)[0]
    groups = pd.Series(np.arange(len(months))).groupby(generation).indices.values()
    size, position = frame.groupby("unit").size().to_numpy(), frame.groupby("unit").cumcount().to_numpy()
    start, account = np.cumsum(size) - size, np.repeat(np.arange(len(size)), size)
    common = frame.groupby([generation[account], frame["time"].to_numpy()])["x"].transform("mean")
    exposure = (frame["x"] - common).to_numpy()
    while True:
        giver = np.arange(len(size))
        for group in groups:
            giver[group] = generator.permutation(group)
        yield exposure[start[giver[account]] + position]
