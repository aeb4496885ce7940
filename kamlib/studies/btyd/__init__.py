"""Who has stopped buying, with no contract to say so: BG/NBD, MBG/NBD, Pareto/NBD, and Gamma-Gamma for spend."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Self

import numpy as np
import pandas as pd
from scipy.special import betaln, digamma, exprel, gammaln, xlogy

from kamlib.errors import ModelError, RequestError
from kamlib.studies.btyd.fit import (
    Estimate,
    Model,
    Rows,
    checked_weights,
    grouped,
    histories,
    horizons,
    maximise,
    refuse,
)
from kamlib.studies.btyd.history import Histories, Regularity, log_gaps, regularity, summarise
from kamlib.studies.btyd.integrals import beta_nodes, death_times, node_counts, renewals
from kamlib.studies.btyd.spend import GammaGamma

__all__ = [
    "BetaGeoNBD",
    "GammaGamma",
    "Histories",
    "ModifiedBetaGeoNBD",
    "ParetoNBD",
    "Regularity",
    "log_gaps",
    "regularity",
    "summarise",
]


class HistoryModel(Model):
    """A model of counts and recency: fitted to, and asked about, (frequency, recency, T) of each account."""

    in_time: ClassVar[tuple[str, ...]] = ("alpha",)  # the parameters that are lengths of time

    def fit(self, frequency, recency, T, weights=None) -> Self:
        """The same model with its parameters estimated by maximum likelihood; this one stays as it is.

        Parameters
        ----------
        frequency : (n,) repeat purchases, whole numbers.
        recency : (n,) time from first to last purchase, 0 without a repeat.
        T : (n,) time from first purchase to the as-of date; all three as `summarise` gives them.
        weights : (n,) how many accounts each row stands for; one each when None.

        Raises RequestError naming the rows that cannot be histories; ModelError when there is nothing to learn
        from, or the likelihood has no inner maximum.
        """
        x, recency, age, _ = histories(frequency, recency, T)
        weights = checked_weights(weights, len(x))
        self._refuse_idle(x, age, weights)
        scale = age.max()
        rows = grouped([x, recency / scale, age / scale], weights)
        starts = self._starts(rows.total(rows.columns[0]) / rows.total(rows.columns[2]))
        values, covariance = maximise(type(self).__name__, self.names, self._objective, starts, rows)
        values = values * [scale if name in self.in_time else 1.0 for name in self.names]
        in_units = Rows(rows.columns * [[1.0], [scale], [scale]], rows.weights)
        log_likelihood, _ = self._objective(np.log(values), in_units)
        return replace(self, estimate=Estimate.of(values, covariance, log_likelihood, len(x), weights.sum()))

    def probability_alive(self, frequency, recency, T):
        """The probability that an account with this history still buys at T: (n,), or a number for numbers.

        A Series in gives a Series out, with the same index.
        """
        x, recency, age, shape = histories(frequency, recency, T)
        return shape(self._alive(self._fitted().values, x, recency, age))

    def expected_purchases(self, t, frequency, recency, T):
        """Expected purchases in the next t given the history, E[Y(t) | x, t_x, T]: (n,), or a number.

        t : a number, or (n,) one for each account, zero or more, in the unit of T.
        """
        x, recency, age, shape = histories(frequency, recency, T)
        return shape(self._expected(_ahead(t, x), x, recency, age))

    def probability_silent(self, t, frequency, recency, T):
        """The probability of no purchase in the next t given the history: (n,), or a number; t as above.

        The likelihood of the history had it been watched until T + t over the one until T, which is exact for every
        model here: gone by T, gone within t, or there and not buying.

        >>> known = ModifiedBetaGeoNBD().with_params(r=1.3, alpha=6, a=1, b=8)
        >>> round(known.probability_silent(12.86, 2, 10, 20), 3)
        0.51
        """
        x, recency, age, shape = histories(frequency, recency, T)
        params, later = self._fitted().values, age + _ahead(t, x)
        return shape(np.exp(self._log_seen(params, x, recency, later) - self._log_seen(params, x, recency, age)))

    def expected_new(self, t):
        """Expected repeat purchases of a new account, of which nothing is known, within t of its first."""
        expected = self._expected(horizons(t), np.zeros(1), np.zeros(1), np.zeros(1))
        return expected if np.ndim(t) else float(expected[0])

    def _expected(self, t, x, recency, age):
        """Expected purchases, worked out once for each distinct (t, history)."""
        asked = pd.DataFrame(dict(enumerate(np.broadcast_arrays(t, x, recency, age))))
        _, first, at = np.unique(asked.groupby([0, 1, 2, 3]).ngroup(), return_index=True, return_inverse=True)
        return self._future(self._fitted().values, *asked.to_numpy()[first].T)[at]

    def _refuse_idle(self, x, age, weights):
        if not (weights * x * age).any():
            raise ModelError(
                f"{type(self).__name__}: none of {len(x)} accounts has a repeat purchase, so there is no buying "
                "rate to learn: take a longer history or more accounts."
            )


@dataclass(frozen=True)
class BetaGeoNBD(HistoryModel):
    """BG/NBD: gamma-distributed buying rates, a beta-distributed chance of leaving after each repeat purchase.

    Fader, Hardie & Lee (2005), "Counting Your Customers" the Easy Way, Marketing Science 24(2), 275-284.

    Without a repeat purchase nobody can have left in this model: `probability_alive` is 1 at frequency 0, however
    long ago the first purchase was. Do not read that as a finding; use ModifiedBetaGeoNBD.

    With k > 1 the gaps between purchases are Erlang-k instead of exponential (BG/CNBD-k): Platzer & Reutterer
    (2016), Ticking away the moments, Marketing Science 35(5), 779-799; Reutterer, Platzer & Schröder (2021),
    Leveraging purchase regularity for predicting customer behavior the easy way, International Journal of Research
    in Marketing 38(1), 194-215. `regularity` estimates k; round it. The expectation is exact here, where BTYDplus
    rescales the one of k = 1: the stage reached since the last purchase has its posterior weights, the rate is
    integrated in closed form, the dropout probability by a Gauss rule.

    >>> from lifetimes.datasets import load_cdnow_summary
    >>> cdnow = load_cdnow_summary()
    >>> model = BetaGeoNBD().fit(cdnow.frequency, cdnow.recency, cdnow["T"])
    >>> model.params.round(3).tolist()
    [0.243, 4.414, 0.793, 2.426]
    >>> round(model.expected_purchases(39, 2, 30.43, 38.86), 3)
    1.226
    """

    k: int = 1
    names: ClassVar[tuple[str, ...]] = ("r", "alpha", "a", "b")
    dropout_at_zero: ClassVar[int] = 0

    def __post_init__(self):
        """Refuse a k that is no number of stages."""
        if not isinstance(self.k, (int, np.integer)) or not 1 <= self.k <= 20:
            raise RequestError(f"k is {self.k!r}, it must be a whole number from 1 to 20: round the regularity.")

    def fit(self, frequency, recency, T, weights=None, log_gaps=None) -> Self:
        """As for every model here; with `log_gaps` (n,) the log-likelihoods of different k can be compared.

        log_gaps : the sum of the logarithms of each account's gaps, from `log_gaps(orders, end, unit)`. It changes
            no estimate. Without it the log-likelihood for k > 1 leaves that constant out, as BTYDplus does.
        """
        fitted = super().fit(frequency, recency, T, weights)
        if log_gaps is None or self.k == 1:
            return fitted
        logs = np.asarray(log_gaps, float)
        if logs.shape != (fitted.n,):
            raise RequestError(f"log_gaps has shape {logs.shape}, the data have {fitted.n} rows: give one for each.")
        refuse(~np.isfinite(logs), "log_gaps missing or infinite", "sum the logarithms of gaps", range(len(logs)))
        constant = float((self.k - 1) * (checked_weights(weights, fitted.n) @ logs))
        return replace(fitted, estimate=replace(fitted.estimate, log_likelihood=fitted.log_likelihood + constant))

    def _starts(self, rate: float) -> np.ndarray:
        r, a, b = np.array([(0.25, 0.8, 2.5), (1.0, 0.5, 4.0), (4.0, 1.0, 10.0), (1.0, 3.0, 3.0)]).T
        return np.stack([r, r / (self.k * rate), a, b], axis=1)

    def _states(self, params, x, recency, age):
        """Log-likelihood of what may have happened since the last purchase, up to a common factor: (k + 1, n).

        Alive with 0 … k - 1 stages passed towards the next purchase, and dropped at the last.
        """
        r, alpha, a, b = params
        events, stage = r + self.k * x, self._stages
        passed = self._cumulated(events, lambda j: np.log((events + j) / (j + 1)))
        alive = passed + xlogy(stage, age - recency) - (events + stage) * np.log(alpha + age)
        chances = x + self.dropout_at_zero
        dropped = np.log(a) - np.log(b + np.maximum(chances, 1) - 1) - events * np.log(alpha + recency)
        return np.vstack([alive, np.where(chances > 0, dropped, -np.inf)])

    @property
    def _stages(self) -> np.ndarray:
        return np.arange(self.k)[:, None]

    def _cumulated(self, like, term):
        """0, term(0), term(0) + term(1) … one row for each stage: (k, n)."""
        return np.cumsum([np.zeros_like(like)] + [term(j) for j in range(self.k - 1)], axis=0)

    def _objective(self, theta, rows: Rows):
        """The weighted log-likelihood and its gradient with respect to the log parameters."""
        params = np.exp(theta)
        by_count, slope_by_count = self._of_counts(params, rows)
        by_time, slope_by_time = self._of_times(params, rows)
        return by_count + by_time, (slope_by_count + slope_by_time) * params

    def _of_counts(self, params, rows: Rows):
        """The factor of the likelihood in which only the frequency occurs, and its slope."""
        r, alpha, a, b = params
        x, weights = rows.frequencies
        events, survived, n = r + self.k * x, b + x + self.dropout_at_zero, weights.sum()
        value = gammaln(events) - x * gammaln(self.k) + betaln(a, survived)
        value = value @ weights + n * (r * np.log(alpha) - gammaln(r) - betaln(a, b))
        together = n * digamma(a + b) - digamma(a + survived) @ weights
        slope_r = digamma(events) @ weights + n * (np.log(alpha) - digamma(r))
        slope_b = together + digamma(survived) @ weights - n * digamma(b)
        return value, np.array([slope_r, n * r / alpha, together, slope_b])

    def _of_times(self, params, rows: Rows):
        """The factor with recency and T, a sum over what may have happened since the last purchase; its slope."""
        r, alpha, a, b = params
        x, recency, age = rows.columns
        events = r + self.k * x
        states = self._states(params, x, recency, age)
        total = np.logaddexp.reduce(states)
        *alive, dropped = np.exp(states - total)
        passed = np.sum(alive * self._cumulated(events, lambda j: 1 / (events + j)), axis=0)
        slope_r = passed - (1 - dropped) * np.log(alpha + age) - dropped * np.log(alpha + recency)
        until_now = np.sum(alive * (events + self._stages), axis=0) / (alpha + age)
        slope_alpha = -until_now - dropped * events / (alpha + recency)
        slope_b = -dropped / np.maximum(b + x + self.dropout_at_zero - 1, b)
        return rows.total(total), rows.total(np.array([slope_r, slope_alpha, dropped / a, slope_b]))

    def _alive(self, params, x, recency, age):
        states = self._states(params, x, recency, age)
        return np.exp(np.logaddexp.reduce(states[:-1]) - np.logaddexp.reduce(states))

    def _log_seen(self, params, x, recency, age):
        """Log-likelihood of a history seen until an age, but for a factor without the age: (n,)."""
        return np.logaddexp.reduce(self._states(params, x, recency, age))

    def _future(self, params, t, x, recency, age):
        r, alpha, a, b = params
        states = self._states(params, x, recency, age)
        alive = np.exp(states - np.logaddexp.reduce(states))[:-1]
        events, survived, ahead = r + self.k * x, b + x + self.dropout_at_zero, t / (alpha + age)
        purchases = np.zeros(len(x))
        for rows, n in node_counts(ahead, events / survived):
            p, share = beta_nodes(a, survived[rows], n)
            for stage in range(self.k):
                made = renewals(p, ahead[rows, None], events[rows, None] + stage, self.k, stage)
                purchases[rows] += alive[stage, rows] * (share * made).sum(axis=1)
        return np.maximum(purchases, 0)


@dataclass(frozen=True)
class ModifiedBetaGeoNBD(BetaGeoNBD):
    """MBG/NBD: as BG/NBD, but an account can also leave right after its first purchase.

    Batislam, Denizel & Filiztekin (2007), Empirical validation and comparison of models for customer base
    analysis, International Journal of Research in Marketing 24(3), 201-209. With k > 1 it is MBG/CNBD-k.

    >>> from lifetimes.datasets import load_cdnow_summary
    >>> cdnow = load_cdnow_summary()
    >>> model = ModifiedBetaGeoNBD().fit(cdnow.frequency, cdnow.recency, cdnow["T"])
    >>> round(model.log_likelihood, 2)
    -9582.13
    """

    dropout_at_zero: ClassVar[int] = 1


@dataclass(frozen=True)
class ParetoNBD(HistoryModel):
    """Pareto/NBD: gamma-distributed buying rates, and exponential lifetimes with gamma-distributed rates.

    Schmittlein, Morrison & Colombo (1987), Counting your customers, Management Science 33(1), 1-24, in the
    notation of Fader & Hardie (2005), A note on deriving the Pareto/NBD model. The literature writes the
    likelihood with 2F1 in two cases, alpha above or below beta. Here the integral over the moment of death is
    taken directly, in logarithms, by a Gauss rule: the same numbers, no cases, no overflow.

    >>> known = ParetoNBD().with_params(r=.5533, alpha=10.578, s=.6062, beta=11.669)
    >>> round(known.expected_new(52), 3)
    1.474
    """

    names: ClassVar[tuple[str, ...]] = ("r", "alpha", "s", "beta")
    in_time: ClassVar[tuple[str, ...]] = ("alpha", "beta")

    def _starts(self, rate: float) -> np.ndarray:
        r, s = np.array([(0.5, 0.5), (1.0, 1.0), (3.0, 0.5), (0.5, 3.0)]).T
        return np.stack([r, r / rate, s, s], axis=1)

    def _states(self, params, x, recency, age):
        """Log-likelihood of being alive at T and of having died since the last purchase, up to a common factor.

        Also what the slope needs: log(alpha + u) and log(beta + u) at the times of death u looked at, (n, 20), and
        the share of each time in the second likelihood, (n, 20).
        """
        r, alpha, s, beta = params
        alive = -(r + x) * np.log(alpha + age) - s * np.log(beta + age)
        log_alpha, log_beta, log_width = death_times(r + x, alpha, s + 1, beta, recency, age)
        density = log_width - (r + x)[:, None] * log_alpha - (s + 1) * log_beta
        peak = density.max(axis=1)
        share = np.exp(density - np.where(np.isfinite(peak), peak, 0)[:, None])
        total = share.sum(axis=1)
        with np.errstate(divide="ignore"):  # recency = T: nobody can have died since, log 0
            dead = np.log(s) + peak + np.log(total)
        return alive, dead, log_alpha, log_beta, share / np.maximum(total, 1e-300)[:, None]

    def _objective(self, theta, rows: Rows):
        """The weighted log-likelihood and its gradient with respect to the log parameters."""
        r, alpha, s, beta = params = np.exp(theta)
        x, recency, age = rows.columns
        alive, dead, log_alpha, log_beta, share = self._states(params, x, recency, age)
        total = np.logaddexp(alive, dead)
        log_likelihood = total + gammaln(r + x) - gammaln(r) + r * np.log(alpha) + s * np.log(beta)
        is_alive, is_dead = np.exp(alive - total), np.exp(dead - total)

        def mean(at_death, at_age):
            return is_alive * at_age + is_dead * np.einsum("ij,ij->i", share, at_death)

        slope_r = digamma(r + x) - digamma(r) + np.log(alpha) - mean(log_alpha, np.log(alpha + age))
        slope_alpha = r / alpha - (r + x) * mean(np.exp(-log_alpha), 1 / (alpha + age))
        slope_s = np.log(beta) + is_dead / s - mean(log_beta, np.log(beta + age))
        slope_beta = s / beta - mean((s + 1) * np.exp(-log_beta), s / (beta + age))
        slope = np.array([slope_r, slope_alpha, slope_s, slope_beta])
        return rows.total(log_likelihood), rows.total(slope) * params

    def _alive(self, params, x, recency, age):
        alive, dead = self._states(params, x, recency, age)[:2]
        return np.exp(alive - np.logaddexp(alive, dead))

    def _log_seen(self, params, x, recency, age):
        """Log-likelihood of a history seen until an age, but for a factor without the age: (n,)."""
        return np.logaddexp(*self._states(params, x, recency, age)[:2])

    def _future(self, params, t, x, recency, age):
        r, alpha, s, beta = params
        elapsed = np.log1p(t / (beta + age))
        lifetime = (beta + age) * elapsed * exprel((1 - s) * elapsed)  # its limit at s = 1 needs no case
        return self._alive(params, x, recency, age) * (r + x) / (alpha + age) * lifetime


def _ahead(t, x) -> np.ndarray:
    """The times ahead, one for all histories or one for each."""
    t = horizons(t)
    if t.ndim and t.shape != x.shape and x.shape != (1,):
        raise RequestError(f"t has shape {t.shape}, the histories {x.shape}: give one t, or one for each.")
    return t
