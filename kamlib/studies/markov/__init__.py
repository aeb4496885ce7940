"""Markov chains of accounts: recency states with a stopping rule, and segments with equity and intervals.

Timing, the same in both classes (Pfeifer & Carraway 2000): period 0 is now and is counted in full; period
*t* is discounted by ``(1 + discount) ** t``. ``periods=4`` therefore adds up five terms, t = 0 … 4, and
``periods=None`` adds up all of them: V = (I − P / (1 + d))⁻¹ R.
"""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np
import pandas as pd
from scipy import stats
from scipy.sparse.csgraph import connected_components

from kamlib.errors import RequestError
from kamlib.studies.markov.homogeneity import Homogeneity, compare


class StoppingRule(NamedTuple):
    """How long to keep contacting an account that does not buy.

    ``stop_after`` is the last recency (periods since the last order) still contacted; 0 means never contact.
    ``value`` is V₁, the present value in money of an account that has just bought, under that rule.
    """

    stop_after: int
    value: float

    def __str__(self) -> str:
        if self.stop_after == 0:
            return f"never contact, V1 = {self.value:.3f}"
        return f"stop after recency {self.stop_after}, V1 = {self.value:.3f}"


@dataclass(frozen=True)
class RecencyChain:
    """The worth of an account by periods since its last order, contacted once a period until given up.

    Parameters
    ----------
    p : (K,) probabilities that an account at recency 1 … K buys in the coming period.
    margin : money earned by one order, before the contact.
    cost : money for one contact, paid at recency 1 … K and never for a former account.
    discount : rate per period, 0.2 for 20 %.

    States are recency 1 … K and, last, *former* (worth nothing): an account that does not buy at recency K
    is given up. Raises ``RequestError`` for a probability outside [0, 1], a negative cost or discount.

    Source: Pfeifer & Carraway (2000), Modeling customer relationships as Markov chains.

    >>> chain = RecencyChain(p=(.3, .2, .15, .05), margin=40, cost=4, discount=.2)
    >>> chain.value(periods=4).round(3).tolist()
    [50.115, 4.22, 0.592, -1.98, 0.0]
    >>> print(chain.best_stop())
    stop after recency 3, V1 = 53.149
    """

    p: tuple[float, ...]
    margin: float
    cost: float
    discount: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "p", tuple(float(x) for x in np.atleast_1d(np.asarray(self.p, dtype=float))))
        off = {recency: x for recency, x in enumerate(self.p, start=1) if not 0 <= x <= 1}
        if off or not self.p:
            raise RequestError(f"p needs one probability in [0, 1] per recency; wrong: {off or 'it is empty'}.")
        if not (np.isfinite(self.margin) and np.isfinite(self.cost) and self.cost >= 0):
            raise RequestError(f"margin {self.margin}, cost {self.cost}: give finite money, cost 0 or more.")
        _check_discount(self.discount)

    @property
    def transition(self) -> np.ndarray:
        """(K + 1, K + 1) probabilities: a sale leads back to recency 1, no sale one recency further."""
        size = len(self.p)
        matrix = np.zeros((size + 1, size + 1))
        matrix[:size, 0] = self.p
        matrix[np.arange(size), np.arange(size) + 1] += 1 - np.array(self.p)
        matrix[size, size] = 1
        return matrix

    @property
    def reward(self) -> np.ndarray:
        """(K + 1,) money on being in each state: the margin at recency 1, less a contact at every recency."""
        reward = np.r_[np.full(len(self.p), -float(self.cost)), 0.0]
        reward[0] += self.margin
        return reward

    def value(self, periods: int | None = None) -> np.ndarray:
        """(K + 1,) expected present value by starting state, former account last; None is without end."""
        return _present_value(self.transition, self.reward, periods, self.discount)

    def best_stop(self) -> StoppingRule:
        """The number of contacts without a sale after which to give up an account that has just bought.

        Every rule from *never contact* to *contact to the end of p* is valued without end; the shortest of
        the best is returned. An account never contacted is worth the margin of the order in hand.
        """
        rules = [StoppingRule(0, float(self.margin))]
        rules += [StoppingRule(k, float(self.stopped_after(k).value()[0])) for k in range(1, len(self.p) + 1)]
        return max(rules, key=lambda rule: rule.value)

    def stopped_after(self, recency: int) -> "RecencyChain":
        """The same account, given up after this recency (1 … K)."""
        if not 1 <= recency <= len(self.p):
            raise RequestError(f"recency is {recency}; this chain has recency 1 to {len(self.p)}.")
        return RecencyChain(self.p[:recency], self.margin, self.cost, self.discount)


@dataclass(frozen=True, eq=False)
class SegmentChain:
    """How accounts move between segments in one period; built by ``fit`` or ``from_matrix``.

    Attributes
    ----------
    transition : (K, K) frame, segment before by segment after; rows sum to one.
    counts : (K, K) frame of accounts. None, as all that follow, for a chain built from a matrix.
    entered : accounts by segment that have one only *after*; they are in no row of ``counts``.
    left : accounts by segment that have one only *before*.
    intervals : frame (before, after, count, probability, low, high) of the Dirichlet posterior, cell by cell.
    prior : accounts added to each cell.
    leavers : the absorbing state, last in every frame, that holds the accounts of ``left``; None without it.

    Source: Anderson & Goodman (1957), Statistical inference about Markov chains.
    """

    transition: pd.DataFrame
    counts: pd.DataFrame | None = None
    entered: pd.Series | None = None
    left: pd.Series | None = None
    intervals: pd.DataFrame | None = None
    prior: float | None = None
    leavers: Hashable | None = None

    @classmethod
    def fit(
        cls,
        before,
        after,
        states: Sequence[Hashable] | None = None,
        *,
        leavers: Hashable | None = "left",
        prior: float | None = None,
        level: float = 0.9,
    ) -> Self:
        """Count the moves between two periods and smooth them into a transition matrix.

        Parameters
        ----------
        before, after : segment of each account in two periods. Series or dicts are matched on the account;
            two plain sequences of one length on their position. Missing label: no segment in that period.
        states : the segments in order; by default all labels seen, sorted.
        leavers : name of the state of accounts that have a segment only *before*, added when there are any.
            Nobody returns from it and it earns nothing: without it, equity would be that of survivors.
            None describes the accounts that stayed; ``left`` still counts the others.
        prior : accounts added to each cell of a row (Dirichlet). Default 1 / K: one account per row, spread
            evenly, so that no move is impossible (Perks). 0 gives the plain shares, without intervals.
        level : of the intervals.

        >>> chain = SegmentChain.fit({"1": "A", "2": "A", "3": "B"}, {"1": "A", "2": "B", "3": "B"})
        >>> chain.transition.loc["A"].tolist()
        [0.5, 0.5]
        """
        before, after = _paired(before, after)
        states = _states(before, after, states)
        gone, new = before[~before.index.isin(after.index)], after[~after.index.isin(before.index)]
        if len(gone) == len(before):
            raise RequestError(
                f"none of the {len(before)} accounts labelled before and {len(after)} after is in both; are both "
                "labelled by account_id, of one type (text or number)?"
            )
        leavers = leavers if len(gone) else None
        if leavers in states:
            raise RequestError(
                f"{len(gone)} accounts have a segment only before, but a segment is already called {leavers!r}; "
                "name their state otherwise with leavers=…"
            )
        states = states if leavers is None else (*states, leavers)
        moves = after.reindex(before.index).fillna(leavers) if leavers is not None else after
        counts = pd.crosstab(before, moves).reindex(index=states, columns=states, fill_value=0)
        prior = 1 / len(states) if prior is None else prior
        posterior = _posterior(counts, prior, leavers)
        return cls(
            transition=posterior.div(posterior.sum(axis=1), axis=0),
            counts=counts.rename_axis(index="before", columns="after"),
            entered=new.value_counts().reindex(states, fill_value=0).rename("entered"),
            left=gone.value_counts().reindex(states, fill_value=0).rename("left"),
            intervals=_intervals(counts, posterior, level) if prior else None,
            prior=prior,
            leavers=leavers,
        )

    @classmethod
    def from_matrix(cls, matrix, states: Sequence[Hashable] | None = None) -> Self:
        """A chain with known (K, K) probabilities; states default to the frame's own, else 0 … K − 1.

        >>> chain = SegmentChain.from_matrix([[.88, .12], [.15, .85]], states=["ours", "theirs"])
        >>> chain.project([.25, .75], periods=2)["ours"].round(6).tolist()
        [0.25, 0.3325, 0.392725]
        """
        if states is None:
            states = matrix.columns if isinstance(matrix, pd.DataFrame) else range(len(matrix))
        values, states = np.asarray(matrix, dtype=float), list(states)
        if values.shape != (len(states), len(states)):
            raise RequestError(f"The matrix is {values.shape} for {len(states)} states; it must be square.")
        is_sound = (values >= 0).all(axis=1) & (np.abs(values.sum(axis=1) - 1) < 1e-8)
        if not is_sound.all():
            off = [state for state, sound in zip(states, is_sound, strict=True) if not sound]
            raise RequestError(f"{len(off)} rows are not probabilities that sum to one: {off[:5]}; rescale them.")
        return cls(transition=pd.DataFrame(values, index=states, columns=states))

    @property
    def states(self) -> tuple[Hashable, ...]:
        """The segments, in the order of every frame."""
        return tuple(self.transition.index)

    def homogeneity(self, *others: "SegmentChain", draws: int = 2000, seed: int = 0) -> Homogeneity:
        """Likelihood-ratio test that this chain and the others, one per period, share one matrix.

        ``draws`` reshuffled sets of tables give the simulated p-value, which holds for few accounts too.
        """
        chains = (self, *others)
        if len(chains) < 2 or any(chain.counts is None for chain in chains):
            raise RequestError("Homogeneity compares two or more chains, each fitted to the labels of a period.")
        return compare([chain.counts for chain in chains], draws=draws, seed=seed)

    def project(self, counts, periods: int) -> pd.DataFrame:
        """(periods + 1, K) frame of accounts per segment; row 0 is the start, and totals are conserved.

        ``counts`` are accounts or shares by segment: a dict or Series (an absent segment holds none, as in
        ``value_counts``), or a sequence in the order of ``states``.
        """
        _check_periods(periods)
        rows = [self._by_state("counts", counts, optional=self.states)]
        if (rows[0] < 0).any():
            raise RequestError("counts holds negative numbers; give accounts or shares by segment.")
        for _ in range(periods):
            rows.append(rows[-1] @ self.transition.to_numpy())
        return pd.DataFrame(rows, columns=self.transition.columns).rename_axis("period")

    def value(self, revenue_by_segment, periods: int | None, discount: float) -> pd.Series:
        """Customer equity of one account by its present segment, in the money of ``revenue_by_segment``.

        The present period is counted, then ``periods`` discounted ones (None: without end). Each segment
        needs its revenue per period; only the state of the leavers may be absent, and then earns nothing.
        """
        revenue = self._by_state("revenue_by_segment", revenue_by_segment, optional=(self.leavers,))
        worth = _present_value(self.transition.to_numpy(), revenue, periods, discount)
        return pd.Series(worth, index=self.transition.index, name="value")

    def value_interval(
        self, revenue_by_segment, periods: int | None, discount: float, *, level=0.9, draws=2000, seed=0
    ) -> pd.DataFrame:
        """``value`` with the interval of the Dirichlet posterior: columns value, low, high.

        It carries the uncertainty of the transitions only, not that of the revenue by segment.
        """
        if not self.prior:
            raise RequestError("This chain has no posterior to draw from; fit it with a prior above 0.")
        revenue = self._by_state("revenue_by_segment", revenue_by_segment, optional=(self.leavers,))
        shape = _posterior(self.counts, self.prior, self.leavers).to_numpy()
        gammas = np.random.default_rng(seed).standard_gamma(shape, size=(draws, *shape.shape))
        worth = _present_value(gammas / gammas.sum(axis=2, keepdims=True), revenue, periods, discount)
        low, high = np.quantile(worth, [(1 - level) / 2, (1 + level) / 2], axis=0)
        return self.value(revenue_by_segment, periods, discount).to_frame().assign(low=low, high=high)

    def long_run(self) -> pd.Series:
        """The shares that no longer change, whatever the start; where accounts leave, all end as leavers."""
        matrix = self.transition.to_numpy()
        count, group = connected_components(matrix > 0, connection="strong")
        closed = [g for g in range(count) if not matrix[np.ix_(group == g, group != g)].any()]
        if len(closed) > 1:
            traps = [list(self.transition.index[group == g]) for g in closed]
            raise RequestError(
                f"{len(traps)} groups of segments are never left: {traps}; the long run depends on the start. "
                "Use project(counts, periods) from there."
            )
        equations = np.vstack([matrix.T - np.eye(len(matrix)), np.ones(len(matrix))])
        shares = np.linalg.lstsq(equations, np.r_[np.zeros(len(matrix)), 1.0], rcond=None)[0]
        return pd.Series(shares, index=self.transition.index, name="share").clip(lower=0)

    def _by_state(self, name: str, values, optional: Sequence[Hashable]) -> np.ndarray:
        """(K,) numbers in the order of the states; optional ones are zero where absent."""
        if not isinstance(values, pd.Series | Mapping):
            states = [s for s in self.states if s != self.leavers or len(values) == len(self.states)]
            if len(values) != len(states):
                raise RequestError(f"{name} has {len(values)} numbers for the {len(states)} segments {states}.")
            values = dict(zip(states, values, strict=True))
        series = pd.Series(values, dtype=float)
        unknown = [s for s in series.index if s not in self.states]
        lacking = [s for s in self.states if s not in series.index and s not in optional]
        lacking += list(series.index[~np.isfinite(series)])
        if unknown or lacking:
            raise RequestError(f"{name}: no number for {lacking}, unknown {unknown}; use {list(self.states)}.")
        return series.reindex(self.states, fill_value=0.0).to_numpy()


def _check_discount(discount: float) -> None:
    if not (np.isfinite(discount) and discount >= 0):
        raise RequestError(f"discount is {discount}; give a rate per period of 0 or more, 0.1 for 10 %.")


def _check_periods(periods: int) -> None:
    if not np.isfinite(periods) or periods != int(periods) or periods < 0:
        raise RequestError(f"periods is {periods}; give a whole number of 0 or more.")


def _present_value(matrix: np.ndarray, reward: np.ndarray, periods: int | None, discount: float) -> np.ndarray:
    """Σ over t = 0 … periods of (P / (1 + d))ᵗ R for one matrix or a stack (…, K, K) of them."""
    _check_discount(discount)
    step = matrix / (1 + discount)
    reward = np.broadcast_to(reward[:, None], (*matrix.shape[:-1], 1))
    if periods is None:
        if discount == 0:
            raise RequestError("The value without end needs a discount above 0; or give a number of periods.")
        return np.linalg.solve(np.eye(matrix.shape[-1]) - step, reward)[..., 0]
    _check_periods(periods)
    value = reward
    for _ in range(int(periods)):
        value = reward + step @ value
    return value[..., 0].copy()


def _paired(before, after) -> tuple[pd.Series, pd.Series]:
    """Both label sets by account, without the missing labels."""
    if any(isinstance(labels, pd.DataFrame) for labels in (before, after)):
        raise RequestError("before and after are one label per account; give a column of the frame, by account_id.")
    is_keyed = [isinstance(labels, pd.Series | Mapping) for labels in (before, after)]
    if any(is_keyed) != all(is_keyed) or (not any(is_keyed) and len(before) != len(after)):
        raise RequestError(
            f"before ({len(before)} labels) and after ({len(after)}) cannot be matched; give both as Series "
            "or dicts by account_id, or both as sequences of one length."
        )
    keyed = ((labels if all(is_keyed) else list(labels)) for labels in (before, after))
    pair = tuple(pd.Series(labels, dtype=object).dropna() for labels in keyed)
    for name, labels in zip(("before", "after"), pair, strict=True):
        twice = list(labels.index[labels.index.duplicated()].unique())
        if twice:
            raise RequestError(f"{len(twice)} accounts are labelled twice in {name}: {twice[:5]}; keep one each.")
    return pair


def _states(before: pd.Series, after: pd.Series, states: Sequence[Hashable] | None) -> tuple[Hashable, ...]:
    seen = set(before) | set(after)
    if states is None:
        return tuple(sorted(seen, key=lambda label: (type(label).__name__, label)))
    unknown = sorted(seen - set(states), key=str)
    if unknown:
        raise RequestError(f"{len(unknown)} labels are not in states {list(states)}: {unknown[:5]}; add them.")
    return tuple(states)


def _posterior(counts: pd.DataFrame, prior: float, leavers: Hashable | None) -> pd.DataFrame:
    """Dirichlet parameters per row: accounts plus the prior; the row of the leavers is certain."""
    if not (np.isfinite(prior) and prior >= 0):
        raise RequestError(f"prior is {prior}; give the accounts to add to each cell, 0 or more.")
    posterior = counts + float(prior)
    if leavers is not None:
        posterior.loc[leavers] = 0.0
        posterior.loc[leavers, leavers] = 1.0
    empty = list(posterior.index[posterior.sum(axis=1) == 0])
    if empty:
        raise RequestError(f"No account starts in {empty}: with prior 0 the row is unknown; give a prior above 0.")
    return posterior


def _intervals(counts: pd.DataFrame, posterior: pd.DataFrame, level: float) -> pd.DataFrame:
    """Marginal (beta) intervals of the Dirichlet posterior, one row per pair of segments."""
    shape = posterior.rename_axis(index="before", columns="after").stack()
    rest = shape.groupby("before", sort=False).transform("sum") - shape
    # A certain cell (in the row of the leavers) has shape or rest 0; its interval is the point itself.
    is_open = (shape > 0) & (rest > 0)
    beta = stats.beta(shape.where(is_open, 1), rest.where(is_open, 1))
    probability = shape / (shape + rest)
    low, high = (probability.where(~is_open, beta.ppf((1 + side * level) / 2)) for side in (-1, 1))
    columns = {"count": counts.to_numpy().ravel(), "probability": probability, "low": low, "high": high}
    return pd.DataFrame(columns).reset_index()
