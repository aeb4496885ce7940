"""The knapsack of one manager's hours: how much of each curve to take, in whole or in fractional amounts."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np
from scipy import sparse
from scipy.optimize import Bounds, LinearConstraint, linprog, milp, minimize_scalar

from kamlib.errors import RequestError

MOST_LEVELS = 5_000_000  # pairs of item and amount held in memory at once
CUTS = np.linspace(0, 1, 17)  # of one bracket, in the descent over fractions


class Packing(NamedTuple):
    """Amounts per item, and the most that any other packing could earn beyond them (0: proven best)."""

    amounts: np.ndarray
    shortfall: float


@dataclass(frozen=True, eq=False)
class Knapsack:
    """Items with a profit of any shape in their amount, and one capacity: max Σ profitᵢ(nᵢ), Σ weightᵢ nᵢ limited.

    Parameters
    ----------
    profit : callable (item, amounts) → profits, for the item's number 0 … N − 1 and an array of amounts.
    low, high : (N,) bounds of the amounts; ``weight @ low`` is within the capacity.
    weight : (N,) what one unit takes, above 0; capacity : a number, or infinite.
    """

    profit: Callable[[int, np.ndarray], np.ndarray]
    low: np.ndarray
    high: np.ndarray
    weight: np.ndarray
    capacity: float

    def best_whole(self, seconds: float) -> Packing:
        """Whole amounts, exact for every shape of profit unless the seconds run out.

        One binary variable per item and amount that a Lagrangian bound does not rule out, solved by HiGHS: the
        multiple-choice knapsack (Kellerer, Pferschy & Pisinger 2004, chapter 11).
        """
        if (self.high - self.low + 1).sum() > MOST_LEVELS:
            raise RequestError(
                f"{len(self.low)} accounts with up to {self.high.max():.0f} calls are too many to enumerate; "
                "give a lower maximum."
            )
        bounds = zip(self.low, self.high, strict=True)
        return self._choose([np.arange(lo, hi + 1, dtype=np.int64) for lo, hi in bounds], seconds)

    def best_fraction(self, seconds: float) -> Packing:
        """Fractional amounts: the best of 65 levels per item, then a descent, then a bound.

        The descent is exact for concave profits. With others it finds the best packing near that of the levels,
        and the shortfall, which rests on a price for the capacity, may be above zero for the best there is. When the
        seconds run out, the descent ends where it is.
        """
        deadline = time.monotonic() + seconds
        start = self._choose(list(self._grid(65)), seconds, enough=1e-3)
        amounts, price = self._descend(start.amounts.astype(float), deadline)
        return Packing(amounts, max(self._bound(price) - self.total(amounts), 0.0))

    def profits(self, amounts) -> list[np.ndarray]:
        """Profits of each item at each of its amounts."""
        return [self.profit(item, n) for item, n in enumerate(amounts)]

    def total(self, amounts: np.ndarray) -> float:
        """Profit of one packing."""
        return float(np.concatenate(self.profits(amounts[:, None])).sum())

    def _choose(self, levels: list[np.ndarray], seconds: float, enough: float = 0.0) -> Packing:
        """One level per item; ``enough`` is the shortfall, as a share of the profit, not worth a search."""
        menu = _Menu.of(levels, self.profits(levels), self.weight, self._room(self.low))
        price = menu.price()
        chosen = menu.filled(menu.best_at(price))
        shortfall = menu.bound(price) - menu.gain[chosen].sum()
        rounding = 1e-12 * menu.bound(price)
        if shortfall > max(enough * menu.gain[chosen].sum(), rounding):
            chosen, shortfall = menu.search(chosen, price, seconds)
        return Packing(menu.amount[chosen], float(shortfall) if shortfall > rounding else 0.0)

    def _room(self, amounts: np.ndarray) -> float:
        return max(self.capacity - float(self.weight @ amounts), 0.0)

    def _grid(self, size: int) -> np.ndarray:
        """(N, size) amounts from low to high, closer together where they are small."""
        return _between(self.low, self.high, np.linspace(0, 1, size) ** 2)

    def _descend(self, amounts: np.ndarray, deadline: float) -> tuple[np.ndarray, float]:
        """Better amounts near the given ones, by linear programmes in shrinking brackets; and the price."""
        radius, profit, price = (self.high - self.low) / 16, self.total(amounts), 0.0
        while radius.max() > 1e-5 and time.monotonic() < deadline:
            moved, moved_price = self._best_near(amounts, radius)
            is_settled = np.abs(moved - amounts) < radius / 2
            if self.total(moved) > profit + 1e-13 * abs(profit):
                amounts, profit, price = moved, self.total(moved), moved_price
                radius = np.where(is_settled, radius / 4, radius)
            else:
                radius = radius / 4
        return amounts, price

    def _best_near(self, amounts: np.ndarray, radius: np.ndarray) -> tuple[np.ndarray, float]:
        """The best packing of profits made piecewise linear within the radius, and the price of capacity."""
        nodes = _between(np.maximum(self.low, amounts - radius), np.minimum(self.high, amounts + radius), CUTS)
        rises, steps = np.diff(np.stack(self.profits(nodes)), axis=1), np.diff(nodes, axis=1)
        # Pieces must be filled in their order, which only falling rises ensure; else the bracket is one piece.
        is_concave = (np.diff(rises, axis=1) <= 1e-12 * np.abs(rises).max()).all(axis=1)
        rises = np.where(is_concave[:, None], rises, rises.mean(axis=1, keepdims=True))
        top = np.abs(rises).max() or 1.0
        taken = (self.weight[:, None] * steps).ravel()[None]
        room = min(self._room(nodes[:, 0]), taken.sum())
        filled = linprog(-1e3 * (rises.ravel() / top), A_ub=taken, b_ub=[room], bounds=(0, 1), method="highs")
        moved = nodes[:, 0] + (filled.x.reshape(steps.shape) * steps).sum(axis=1)
        return moved, -float(filled.ineqlin.marginals[0]) * top / 1e3

    def _bound(self, price: float) -> float:
        """Lagrangian bound: each item takes its best amount on its own when capacity is bought at a price."""
        if not np.isfinite(self.capacity):
            return self._bound_at(0.0)
        grid = self._grid(513)
        profits, taken = np.stack(self.profits(grid)), self.weight[:, None] * grid

        def on_grid(price: float) -> float:
            return price * self.capacity + (profits - price * taken).max(axis=1).sum()

        steps = np.diff(taken, axis=1)
        steepest = np.divide(np.diff(profits, axis=1), steps, out=np.zeros_like(steps), where=steps > 0).max()
        dearest = max(float(steepest), 1e-9)
        cheapest = minimize_scalar(on_grid, bounds=(0, dearest), method="bounded", options={"xatol": 1e-9 * dearest}).x
        return min(self._bound_at(price), self._bound_at(cheapest))

    def _bound_at(self, price: float) -> float:
        """The bound at one price, each item's best of 513 levels refined until it no longer matters."""
        grid, rows = self._grid(513), np.arange(len(self.low))
        best = np.full(len(rows), -np.inf)
        for _ in range(8):
            left = np.stack(self.profits(grid)) - price * self.weight[:, None] * grid
            top, best = left.argmax(axis=1), np.maximum(best, left.max(axis=1))
            below, above = np.maximum(top - 1, 0), np.minimum(top + 1, grid.shape[1] - 1)
            grid = _between(grid[rows, below], grid[rows, above], CUTS)
        return float(best.sum() + (price * self.capacity if price else 0.0))


@dataclass(frozen=True, eq=False)
class _Menu:
    """Every level of every item on offer, item after item, amounts rising; exactly one per item is chosen.

    ``gain`` and ``taken`` are the profit and the capacity beyond the item's smallest level; ``room`` is what is
    left for them. A choice is an (N,) array of positions in the menu.
    """

    item: np.ndarray
    amount: np.ndarray
    gain: np.ndarray
    taken: np.ndarray
    room: float

    @classmethod
    def of(cls, levels: list[np.ndarray], profits: list[np.ndarray], weight: np.ndarray, room: float) -> Self:
        # A level that earns no more than a smaller one is never needed, so ties go to the smaller amount.
        kept = [np.flatnonzero(np.r_[True, p[1:] > np.maximum.accumulate(p)[:-1]]) for p in profits]
        item = np.repeat(np.arange(len(levels)), [len(k) for k in kept])
        gain = np.concatenate([p[k] - p[0] for p, k in zip(profits, kept, strict=True)])
        taken = np.concatenate([(n[k] - n[0]) * w for n, k, w in zip(levels, kept, weight, strict=True)])
        amount = np.concatenate([n[k] for n, k in zip(levels, kept, strict=True)])
        return cls(item, amount, gain, taken, room)

    def best_at(self, price: float) -> np.ndarray:
        """The choice of each item on its own when capacity is bought at a price; ties to the smaller level."""
        left = self.gain - price * self.taken
        is_best = np.flatnonzero(left == np.maximum.reduceat(left, self._starts())[self.item])
        return is_best[np.unique(self.item[is_best], return_index=True)[1]]

    def bound(self, price: float) -> float:
        """Gain that no choice within the room exceeds."""
        best = self.best_at(price)
        paid = price * (self.room - self.taken[best].sum()) if price else 0.0
        return float(self.gain[best].sum() + paid)

    def price(self) -> float:
        """The lowest price of capacity at which the items' own choices fit; the bound is least there."""
        if self._fits(self.best_at(0.0)):
            return 0.0
        low, high = 0.0, 2 * float(np.max(self.gain[self.taken > 0] / self.taken[self.taken > 0]))
        for _ in range(100):
            middle = (low + high) / 2
            low, high = (low, middle) if self._fits(self.best_at(middle)) else (middle, high)
        return high

    def filled(self, chosen: np.ndarray) -> np.ndarray:
        """A choice that fits, with the room it leaves given to the level that gains most, again and again."""
        chosen = chosen.copy()
        while True:
            more, rise = self.taken - self.taken[chosen][self.item], self.gain - self.gain[chosen][self.item]
            rise[more > self.room - self.taken[chosen].sum()] = 0.0
            best = int(rise.argmax())
            if rise[best] <= 0:
                return chosen
            chosen[self.item[best]] = best

    def search(self, chosen: np.ndarray, price: float, seconds: float) -> tuple[np.ndarray, float]:
        """A better choice than this one if there is any, by HiGHS, and its shortfall: 0 unless time ran out."""
        best, bound = self.gain[chosen].sum(), self.bound(price)
        left = self.gain - price * self.taken
        loss = np.maximum.reduceat(left, self._starts())[self.item] - left
        # A level whose loss at this price exceeds what the choice falls short of the bound is in no better one.
        kept = np.flatnonzero(loss <= bound - best + 1e-9 * self.gain.max())
        rise = (self.gain - self.gain[chosen][self.item])[kept]
        top = np.abs(rise).max()
        one_each = sparse.csr_array((np.ones(len(kept)), (self.item[kept], np.arange(len(kept)))))
        solution = milp(
            -1e3 * (rise / top),  # HiGHS stops at an absolute gap of 1e-6: here, 1e-9 of the largest rise
            integrality=np.ones(len(kept)),
            bounds=Bounds(0, 1),
            constraints=[
                LinearConstraint(one_each, 1, 1),
                LinearConstraint(sparse.csr_array(self.taken[kept][None]), -np.inf, self.room),
            ],
            options={"mip_rel_gap": 0.0, "time_limit": seconds},
        )
        if solution.x is not None and -solution.fun > 0:
            chosen = kept[solution.x > 0.5]
        if solution.status == 0:
            return chosen, 0.0
        if solution.mip_dual_bound is not None:
            bound = min(bound, best - solution.mip_dual_bound * top / 1e3)
        return chosen, float(bound - self.gain[chosen].sum())

    def _fits(self, chosen: np.ndarray) -> bool:
        return bool(self.taken[chosen].sum() <= self.room)

    def _starts(self) -> np.ndarray:
        return np.flatnonzero(np.r_[True, np.diff(self.item) > 0])


def _between(low: np.ndarray, high: np.ndarray, shares: np.ndarray) -> np.ndarray:
    return low[:, None] + (high - low)[:, None] * shares
