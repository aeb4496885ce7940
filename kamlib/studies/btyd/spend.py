"""What a purchase is worth: the Gamma-Gamma model of mean spend."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Self

import numpy as np
from scipy.special import digamma, gammaln

from kamlib.errors import ModelError
from kamlib.studies.btyd.fit import Estimate, Model, Rows, checked_weights, grouped, maximise, spending


@dataclass(frozen=True)
class GammaGamma(Model):
    """Gamma-Gamma: the spend of a purchase is gamma around an account's own mean; the means differ.

    Fader, Hardie & Lee (2005), RFM and CLV, Journal of Marketing Research 42(4), 415-430; Fader & Hardie (2013),
    The Gamma-Gamma model of monetary value. Spend is assumed unrelated to frequency: check that first.

    >>> known = GammaGamma().with_params(p=6.25, q=3.74, gamma=15.44)
    >>> round(known.expected_spend(2, 22.35), 2)
    24.66
    """

    names: ClassVar[tuple[str, ...]] = ("p", "q", "gamma")

    def fit(self, frequency, mean_spend, weights=None) -> Self:
        """The same model fitted to the accounts with a repeat purchase; rows with frequency 0 are left out.

        frequency : (n,) purchases averaged over; mean_spend : (n,) their mean revenue, above zero where
        frequency is. `n` counts the rows used. Raises RequestError naming bad rows, ModelError when there is no
        inner maximum.
        """
        x, spend, _ = spending(frequency, mean_spend)
        weights = checked_weights(weights, len(x))
        used = (x > 0) & (weights > 0)
        if used.sum() < 2:
            raise ModelError(f"GammaGamma: {used.sum()} of {len(x)} accounts have a repeat purchase, two are needed.")
        scale = np.average(spend[used], weights=weights[used])
        rows = grouped([x[used], spend[used] / scale], weights[used])
        starts = np.array([(2.0, 4.0, 1.5), (6.0, 3.0, 0.4), (1.0, 10.0, 9.0)])
        values, covariance = maximise("GammaGamma", self.names, self._objective, starts, rows)
        values = values * [1.0, 1.0, scale]
        log_likelihood, _ = self._objective(np.log(values), Rows(rows.columns * [[1.0], [scale]], rows.weights))
        total = weights[used].sum()
        return replace(self, estimate=Estimate.of(values, covariance, log_likelihood, int(used.sum()), total))

    def expected_spend(self, frequency, mean_spend):
        """An account's expected spend per purchase, its own mean drawn towards everyone's: (n,), or a number.

        Without a repeat purchase (frequency 0) it is the population mean p gamma / (q - 1); mean_spend may be
        missing there. Raises ModelError where the mean is infinite (p x + q <= 1).
        """
        x, spend, shape = spending(frequency, mean_spend)
        p, q, gamma = self._fitted().values
        weight = p * x + q - 1
        if (weight <= 0).any():
            raise ModelError(
                f"GammaGamma: with q = {q:.3g} the mean spend of {(weight <= 0).sum()} of {len(x)} accounts is "
                "infinite: spend is too heavy-tailed for a mean; report medians, or cap the largest orders and "
                "say so."
            )
        return shape(p * (gamma + x * np.where(x > 0, spend, 0)) / weight)

    def _objective(self, theta, rows: Rows):
        """The weighted log-likelihood of the means and its gradient with respect to the log parameters."""
        p, q, gamma = params = np.exp(theta)
        x, spend = rows.columns
        total, shape = gamma + x * spend, p * x + q
        log_likelihood = gammaln(shape) - gammaln(p * x) - gammaln(q) + q * np.log(gamma)
        log_likelihood += (p * x - 1) * np.log(spend) + p * x * np.log(x) - shape * np.log(total)
        slope_p = x * (digamma(shape) - digamma(p * x) + np.log(spend * x / total))
        slope_q = digamma(shape) - digamma(q) + np.log(gamma / total)
        slope = np.array([slope_p, slope_q, q / gamma - shape / total])
        return rows.total(log_likelihood), rows.total(slope) * params
