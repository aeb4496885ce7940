"""Call planning: the number of calls per account that earns most under each manager's hours."""

import time
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd

from kamlib.errors import RequestError
from kamlib.studies.allocation.knapsack import Knapsack
from kamlib.studies.allocation.response_curves import Adbudg, Power, SalesResponse

__all__ = ["Adbudg", "CallPlan", "Gain", "Power", "SalesResponse", "plan_calls"]


@dataclass(frozen=True, eq=False)
class Gain:
    """What a plan earns beyond today's calls.

    ``profit`` is in money, ``share`` is of today's profit. ``moves`` by account: today, plan, change (calls),
    profit_change (money).
    """

    profit: float
    share: float
    moves: pd.DataFrame


@dataclass(frozen=True, eq=False)
class CallPlan:
    """The best calls per account, as ``plan_calls`` returns them.

    Attributes
    ----------
    calls : by account; whole numbers unless planned with ``integer=False``.
    profit : Σ margin × sales − cost × calls, in money.
    gap : the most any other plan could earn beyond this one, as a share of abs(profit); 0 means proven best.
    accounts : frame by account with calls, hours, sales, profit, group.
    """

    calls: pd.Series
    profit: float
    gap: float
    accounts: pd.DataFrame
    request: "_Request"

    def gain(self, today) -> Gain:
        """This plan against today's calls (a number, or by account) on the same curves, margins and costs."""
        today = _per_account("today", today, self.calls.index)
        _refuse("today", today, today.between(0, np.inf, inclusive="left"), "0 or more calls")
        before = self.request.outcome(today.to_numpy())
        moves = pd.DataFrame({"today": before["calls"], "plan": self.calls})
        moves["change"] = moves["plan"] - moves["today"]
        moves["profit_change"] = self.accounts["profit"] - before["profit"]
        earned, base = float(moves["profit_change"].sum()), float(before["profit"].sum())
        return Gain(profit=earned, share=earned / abs(base) if base else np.nan, moves=moves)

    def flatness(self, shares: Sequence[float] = (0.75, 1.0, 1.25)) -> pd.DataFrame:
        """The best plans under other budgets, a frame by share of the budget.

        Columns calls, profit, of_plan (profit as a share of this plan's), gap, refused. A budget that does not
        hold the minimum calls has no plan: its figures are missing and ``refused`` says why.
        """
        return pd.DataFrame([self._at(share) for share in shares], index=pd.Index(shares, name="budget_share"))

    def _at(self, share: float) -> dict[str, float | str]:
        try:
            plan = _solved(replace(self.request, budget=self.request.budget * share)) if share != 1 else self
        except RequestError as refusal:
            return dict.fromkeys(["calls", "profit", "of_plan", "gap"], np.nan) | {"refused": str(refusal)}
        of_plan = plan.profit / self.profit if self.profit else np.nan
        row = {"calls": plan.calls.sum(), "profit": plan.profit, "of_plan": of_plan, "gap": plan.gap}
        return row | {"refused": ""}


def plan_calls(
    curves,
    margin,
    cost_per_call,
    budget,
    minimum=0,
    maximum=None,
    integer: bool = True,
    *,
    groups=None,
    hours_per_call=1.0,
    time_limit_seconds: float = 15.0,
) -> CallPlan:
    """The calls per account that earn most: max Σ margin × curve(calls) − cost × calls within the budget.

    Parameters
    ----------
    curves : one callable per account, calls → sales in money, of any shape; a Series or dict by account, or a
        sequence (accounts are then 0, 1, …). It is called with an array of calls, or number by number if it
        refuses that. ``Adbudg`` speaks in multiples of the present effort: pass ``adbudg.scaled(sales, calls)``.
    margin : share of sales earned. cost_per_call : money. hours_per_call : what a call takes from the budget.
        minimum, maximum : calls; fractional bounds are tightened to whole calls; no maximum means as many as the
        budget holds. Each a number, a Series or dict by account, or a sequence in the order of curves.
    budget : calls (hours, with ``hours_per_call``) that may, not must, be used; with ``groups`` by group. It is
        kept to within a millionth of an hour.
    groups : the manager of each account, whose own budget serves it.
    integer : True is exact for curves of every shape, or states the gap proven at the time limit. False plans
        fractions of calls: exact to a millionth for concave curves; with S-shaped ones the plan is a good one,
        and the gap, which prices hours, may be above zero even where no plan earns more.

    Raises ``RequestError`` for a request that no plan can meet, naming the accounts or managers in its way.

    Source: Lodish (1971), CALLPLAN: an interactive salesman's call planning system.

    >>> curves = {"a1": Power(100, 0.31), "a2": Power(50, 0.31), "a3": Power(20, 0.31)}
    >>> plan_calls(curves, margin=1, cost_per_call=0, budget=12).calls.to_dict()
    {'a1': 8, 'a2': 3, 'a3': 1}
    """
    accounts, functions = _labelled(curves)
    numbers = {
        "margin": margin,
        "cost_per_call": cost_per_call,
        "hours_per_call": hours_per_call,
        "minimum": minimum,
        "maximum": np.inf if maximum is None else maximum,
    }
    terms = pd.DataFrame({name: _per_account(name, value, accounts) for name, value in numbers.items()})
    _check_terms(terms)
    if integer:
        # A bound computed as 3 × 0.1 / 0.3 must not lose a call to rounding.
        terms["minimum"] = np.ceil(terms["minimum"] - 1e-9)
        terms["maximum"] = np.floor(terms["maximum"] + 1e-9)
    group, budgets = _grouped(groups, budget, accounts)
    return _solved(_Request(functions, terms.assign(group=group), budgets, integer, time_limit_seconds))


@dataclass(frozen=True, eq=False)
class _Request:
    """What is asked for: one curve and one row of terms per account, one budget per group."""

    curves: tuple[Callable, ...]
    terms: pd.DataFrame
    budget: pd.Series
    integer: bool
    time_limit_seconds: float

    def check(self) -> None:
        """Refuse what no plan can meet, naming the accounts or managers in the way."""
        low, high = self.terms["minimum"], self.terms["maximum"]
        crossed = [f"{account!r} {low[account]:g} > {high[account]:g}" for account in low.index[low > high]]
        if crossed:
            raise RequestError(
                f"{len(crossed)} accounts have a minimum above their maximum: {', '.join(crossed[:5])}; lower it."
            )
        excess = -self.room
        short = excess[excess > 1e-9]
        if len(short):
            raise RequestError(" ".join(self._shortage(group, short[group]) for group in short.index[:5]))
        endless = self.terms.index[~np.isfinite(self.most_calls)]
        if len(endless):
            raise RequestError(f"No maximum and no budget limits {_named(endless)}; give one of the two.")

    def _shortage(self, group: Hashable, excess: float) -> str:
        terms = self.terms[self.terms["group"] == group]
        needed = terms["minimum"] * terms["hours_per_call"]
        largest = ", ".join(f"{account!r} {need:g}" for account, need in needed.nlargest(3).items())
        return (
            f"{group}: the minimum calls of {len(terms)} accounts need {needed.sum():g}, which is {excess:g} more "
            f"than the budget of {self.budget[group]:g}; largest: {largest}. Lower minimum or raise budget."
        )

    @cached_property
    def room(self) -> pd.Series:
        """What each group's budget leaves above the minimum calls."""
        needed = (self.terms["minimum"] * self.terms["hours_per_call"]).groupby(self.terms["group"]).sum()
        return self.budget.reindex(needed.index) - needed

    @cached_property
    def most_calls(self) -> np.ndarray:
        """Calls an account can get at most, when all others get their minimum."""
        room = self.terms["group"].map(self.room).astype(float).clip(lower=0)
        most = np.minimum(self.terms["minimum"] + room / self.terms["hours_per_call"], self.terms["maximum"])
        return (np.floor(most + 1e-9) if self.integer else most).to_numpy()

    def knapsack(self, group: Hashable, positions: np.ndarray) -> Knapsack:
        """The request of one group, in numbers; positions are those of its accounts."""
        terms = self.terms.iloc[positions]
        margin, cost = terms["margin"].to_numpy(), terms["cost_per_call"].to_numpy()

        def profit(item: int, calls: np.ndarray) -> np.ndarray:
            return margin[item] * self.sales(positions[item], calls) - cost[item] * calls

        low, high = terms["minimum"].to_numpy(), self.most_calls[positions]
        return Knapsack(profit, low, high, terms["hours_per_call"].to_numpy(), float(self.budget[group]))

    def sales(self, position: int, calls: np.ndarray) -> np.ndarray:
        """Sales of one account at each of several numbers of calls."""
        curve = self.curves[position]
        with np.errstate(divide="ignore", invalid="ignore"):
            try:
                sales = np.asarray(curve(calls), dtype=float)
            except (TypeError, ValueError):
                sales = np.empty(0)
            if sales.shape != calls.shape:
                sales = np.array([float(curve(n)) for n in calls.tolist()])
        if not np.isfinite(sales).all():
            account, where = self.terms.index[position], calls[~np.isfinite(sales)][0]
            raise RequestError(f"The curve of {account!r} gives no number at {where} calls; raise its minimum.")
        return sales

    def outcome(self, calls: np.ndarray) -> pd.DataFrame:
        """What given calls bring: a frame by account."""
        if self.integer and (calls == np.rint(calls)).all():
            calls = calls.astype(np.int64)  # a curve may be a look-up by whole calls
        frame = pd.DataFrame({"calls": calls}, index=self.terms.index)
        frame["hours"] = frame["calls"] * self.terms["hours_per_call"]
        frame["sales"] = [float(self.sales(i, n)[0]) for i, n in enumerate(calls[:, None])]
        frame["profit"] = self.terms["margin"] * frame["sales"] - self.terms["cost_per_call"] * frame["calls"]
        return frame.assign(group=self.terms["group"])


def _solved(request: _Request) -> CallPlan:
    """Solve group by group: no hour of one manager serves an account of another."""
    request.check()
    members = request.terms.groupby("group", sort=False).indices
    calls, shortfall, ends = np.zeros(len(request.terms)), 0.0, time.monotonic() + request.time_limit_seconds
    for done, (group, positions) in enumerate(members.items()):
        # What quick groups leave goes to the rest, and no group gets less than an equal share.
        seconds = max((ends - time.monotonic()) / (len(members) - done), request.time_limit_seconds / len(members))
        knapsack = request.knapsack(group, positions)
        packing = knapsack.best_whole(seconds) if request.integer else knapsack.best_fraction(seconds)
        calls[positions] = packing.amounts
        shortfall += packing.shortfall
    accounts = request.outcome(calls)
    profit = float(accounts["profit"].sum())
    gap = shortfall / abs(profit) if profit else (np.inf if shortfall else 0.0)
    return CallPlan(accounts["calls"], profit, gap, accounts, request)


def _labelled(curves) -> tuple[pd.Index, tuple[Callable, ...]]:
    if callable(curves) or not isinstance(curves, Iterable):
        raise RequestError(f"curves is {curves!r}; give one curve per account, as a list or by account.")
    if isinstance(curves, Mapping):
        curves = pd.Series(dict(curves), dtype=object)
    if not isinstance(curves, pd.Series):
        curves = pd.Series(list(curves), dtype=object)
    if curves.empty or curves.index.has_duplicates:
        twice = curves.index[curves.index.duplicated()].unique()
        raise RequestError(f"curves needs one curve per account; {_named(twice) if len(twice) else 'it is empty'}.")
    _refuse("curves", curves, curves.map(callable), "callables of the number of calls")
    return curves.index, tuple(curves)


def _per_account(name: str, value, accounts: pd.Index, dtype: type = float) -> pd.Series:
    """One value per account, from a scalar, a Series or dict by account, or a sequence in their order."""
    if isinstance(value, Mapping | pd.Series):
        given = pd.Series(value, dtype=dtype)
        if given.index.has_duplicates:
            raise RequestError(f"{name} has several values for {_named(given.index[given.index.duplicated()])}.")
        missing = accounts.difference(given.index, sort=False)
        if len(missing):
            raise RequestError(f"{name} lacks {len(missing)} of {len(accounts)} accounts: {_named(missing)}.")
        return given.reindex(accounts).rename(name)
    if np.ndim(value) == 0:
        value = [np.asarray(value).item()] * len(accounts)
    if len(value) != len(accounts):
        raise RequestError(f"{name} has {len(value)} values for {len(accounts)} accounts; give one each.")
    try:
        return pd.Series(value, index=accounts, dtype=dtype, name=name)
    except (TypeError, ValueError) as error:
        raise RequestError(f"{name} must be numbers; {error}.") from error


def _check_terms(terms: pd.DataFrame) -> None:
    is_finite = np.isfinite(terms)
    _refuse("margin", terms["margin"], is_finite["margin"], "a number")
    for name in ("cost_per_call", "minimum"):
        _refuse(name, terms[name], is_finite[name] & (terms[name] >= 0), "0 or more")
    _refuse(
        "hours_per_call",
        terms["hours_per_call"],
        is_finite["hours_per_call"] & (terms["hours_per_call"] > 0),
        "above 0",
    )
    _refuse("maximum", terms["maximum"], terms["maximum"] >= 0, "0 or more")


def _grouped(groups, budget, accounts: pd.Index) -> tuple[pd.Series, pd.Series]:
    """The group of each account, and the budget of each group."""
    is_by_group = isinstance(budget, Mapping | pd.Series)
    if is_by_group != (groups is not None):
        raise RequestError("A budget by group needs groups=, and groups= needs a budget by group.")
    budget = pd.Series(budget if is_by_group else {"all": budget}, dtype=float)
    _refuse("budget", budget, budget >= 0, "0 or more")
    groups = _per_account("groups", "all" if groups is None else groups, accounts, dtype=object)
    _refuse("groups", groups, groups.isin(budget.index), f"one of those with a budget, {_named(budget.index)}")
    return groups, budget


def _refuse(name: str, values: pd.Series, is_right: pd.Series, wanted: str) -> None:
    wrong = values[~is_right.astype(bool)]
    if len(wrong):
        shown = ", ".join(f"{label!r}: {value}" for label, value in wrong.iloc[:5].items())
        raise RequestError(f"{name} must be {wanted}; {len(wrong)} are not ({shown}).")


def _named(labels: pd.Index) -> str:
    more = f" and {len(labels) - 5} more" if len(labels) > 5 else ""
    return ", ".join(repr(label) for label in labels[:5]) + more
