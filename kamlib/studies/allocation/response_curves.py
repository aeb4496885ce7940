"""Response curves: sales of one account as a function of the calls made on it."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import expit

from kamlib.errors import RequestError


@dataclass(frozen=True)
class Adbudg:
    """Index of sales at x times the present effort, a + (b − a) xᶜ / (d + xᶜ); concave for c ≤ 1, else S-shaped.

    ``a`` is the index without effort and ``b`` at saturation; ``c`` and ``d`` are above 0. Called with x (a number
    or an array, 0 or more) it returns the index; ``scaled`` turns it into sales as a function of calls.

    Source: Little (1970), Models and managers: the concept of a decision calculus.

    >>> float(Adbudg(a=0.15, b=1.35, c=2.610846, d=0.411765)(0.5).round(4))
    0.4914
    """

    a: float
    b: float
    c: float
    d: float

    def __post_init__(self) -> None:
        if not np.isfinite([self.a, self.b, self.c, self.d]).all():
            raise RequestError(f"{self}: a, b, c and d must be finite numbers.")
        if not (self.b >= self.a and self.c > 0 and self.d > 0):
            raise RequestError(f"{self}: b must be at least a, and c and d above 0.")

    def __call__(self, x):
        return self.a + (self.b - self.a) * self._share(_effort(x))

    def derivative(self, x):
        """Slope of the index at x; at x = 0 it is zero if c > 1 and infinite if c < 1."""
        x = _effort(x)
        share = self._share(x)
        with np.errstate(divide="ignore", invalid="ignore"):
            slope = (self.b - self.a) * self.c * share * (1 - share) / x
            at_zero = (self.b - self.a) / self.d * np.float64(0) ** (self.c - 1)
        return np.where(x == 0, at_zero, slope)[()]

    def _share(self, x):
        # The logistic of the logarithm neither overflows for a large x nor fails at 0.
        with np.errstate(divide="ignore"):
            return expit(self.c * np.log(x) - np.log(self.d))

    @classmethod
    def calibrate(
        cls,
        zero: float,
        half: float | None,
        present: float,
        half_more: float | None,
        saturation: float,
    ) -> Self:
        """The curve through five judgements: sales with no effort, half, the present, 1.5 times, without limit.

        Judgements are in any one unit; with ``present=1`` the result is the index. The curve meets ``zero``,
        ``present`` and ``saturation``. The other two both speak about c alone: ``half_more`` is met exactly if
        ``half`` then agrees within a thousandth of the range (or is None), else c has the least squared error
        over the two. Where ``half_more`` is None, ``half`` is met exactly.

        Raises ``RequestError`` unless zero < half < present < half_more < saturation.

        Source: Little (1970) for four judgements; Lodish (1971), CALLPLAN, for five.

        >>> curve = Adbudg.calibrate(zero=0.15, half=None, present=1, half_more=1.2, saturation=1.35)
        >>> round(curve.d, 6), round(curve.c, 6)
        (0.411765, 2.610846)
        """
        judged = {x: y for x, y in {1.5: half_more, 0.5: half}.items() if y is not None}
        rising = [y for y in (zero, half, present, half_more, saturation) if y is not None]
        if not judged or not (np.diff(rising) > 0).all():
            raise RequestError(f"Judgements must rise from zero to saturation, half or half_more given: {rising}.")
        d = (saturation - present) / (present - zero)
        exact = [float(np.log(d * (y - zero) / (saturation - y)) / np.log(x)) for x, y in judged.items()]

        def errors(c: float) -> np.ndarray:
            return np.array([cls(zero, saturation, c, d)(x) - y for x, y in judged.items()])

        if np.abs(errors(exact[0])).max() <= 1e-3 * (saturation - zero):
            return cls(zero, saturation, exact[0], d)
        # Each error is monotone in c, so the best c lies between the two that meet one judgement exactly.
        best = minimize_scalar(lambda c: (errors(c) ** 2).sum(), bounds=sorted(exact), method="bounded")
        return cls(zero, saturation, float(best.x), d)

    def scaled(self, sales: float, present_calls: float) -> "SalesResponse":
        """Sales as a function of calls: ``sales`` (money a period) at ``present_calls``, moved along the index."""
        return SalesResponse(self, sales, present_calls)


@dataclass(frozen=True)
class SalesResponse:
    """Sales of one account in money as a function of its calls, from an index of the present effort.

    >>> curve = Adbudg(0.15, 1.35, 2.610846, 0.411765).scaled(sales=2000, present_calls=4)
    >>> curve(np.array([0, 4, 6])).round(1).tolist()
    [300.0, 2000.0, 2400.0]
    """

    index: Adbudg
    sales: float
    present_calls: float

    def __post_init__(self) -> None:
        if not (np.isfinite(self.sales) and 0 < self.present_calls < np.inf):
            raise RequestError(f"sales {self.sales}, present_calls {self.present_calls}: calls must be above 0.")

    def __call__(self, calls):
        return self.sales * self.index(_effort(calls) / self.present_calls) / self.index(1.0)

    def derivative(self, calls):
        """Money per further call."""
        slope = self.index.derivative(_effort(calls) / self.present_calls)
        return self.sales * slope / self.present_calls / self.index(1.0)


@dataclass(frozen=True)
class Power:
    """Sales ``scale * calls ** elasticity``, in the money of ``scale`` (the sales at one call).

    >>> float(Power(scale=100, elasticity=0.5)(4))
    200.0
    """

    scale: float
    elasticity: float

    def __post_init__(self) -> None:
        if not (0 <= self.scale < np.inf and 0 < self.elasticity < np.inf):
            raise RequestError(f"{self}: scale must be 0 or more, and elasticity above 0.")

    def __call__(self, calls):
        return self.scale * _effort(calls) ** self.elasticity

    def derivative(self, calls):
        """Money per further call; infinite at 0 calls for an elasticity below 1."""
        with np.errstate(divide="ignore"):
            return self.scale * self.elasticity * _effort(calls) ** (self.elasticity - 1)


def _effort(x):
    """Calls, or multiples of the present effort, as floats of 0 or more."""
    x = np.asarray(x, dtype=float)
    if not (x >= 0).all():
        raise RequestError(f"Calls must be 0 or more; the least given is {np.min(x)}.")
    return x[()]
