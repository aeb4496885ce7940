"""Extra visits offered at random: who is offered one, and what that could show."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from kamlib.book.store import Book
from kamlib.errors import RequestError

BEFORE_MONTHS = 12
DRAWS = 499
LENGTHS = (3, 6, 12)
USUAL_ELASTICITY = 0.34  # of personal selling, mean of many studies: Albers, Mantrala & Sridhar (2010)


@dataclass(frozen=True, eq=False)
class Design:
    """An experiment to come.

    Attributes
    ----------
    offers : account_id, class, is_offered. share, seed : as asked; the same seed makes the same offers.
    detectable : by months of running: run_months, error (of the log of the lift), lift_seen (smallest effect on
        revenue, as a share, seen with the power asked for), lift_expected (of one more visit a month, over these
        months), accounts_needed (for the expected lift to be seen).
    expected_from : "estimate" of this book, "most" that its interval allows where it holds zero, or "literature".
    power, level : that chance, and the level of the interval that must leave zero out.
    is_apart : whether it is dealt among accounts that the call plan leaves alone.
    """

    offers: pd.DataFrame
    share: float
    seed: int
    detectable: pd.DataFrame
    expected_from: str
    power: float
    level: float
    is_apart: bool = False

    @property
    def best(self) -> pd.Series:
        """The shortest run that would show the expected lift; the one nearest to it, where none would."""
        enough = self.detectable[self.detectable["lift_seen"] <= self.detectable["lift_expected"]]
        table = enough if len(enough) else self.detectable.sort_values("accounts_needed")
        return table.iloc[0]

    @property
    def expected(self) -> float:
        """The lift to be expected over the best run."""
        return float(self.best["lift_expected"])

    @property
    def can_tell(self) -> bool:
        """Whether a run of these lengths would show the expected lift."""
        return bool(self.best["lift_seen"] <= self.best["lift_expected"])


def randomise(class_of: pd.Series, share: float = 0.5, seed: int = 0) -> pd.DataFrame:
    """Offer extra visits at random within each class.

    Parameters
    ----------
    class_of : class by account. share : of each class that is offered, 0 to 1. seed : the same seed, the same offers.

    Returns
    -------
    Frame account_id, class, is_offered, sorted by account. In each class ``share`` of the accounts are offered,
    rounded up or down by chance.

    Raises
    ------
    RequestError
        When share is not between 0 and 1, or an account is there twice.

    Examples
    --------
    >>> randomise(pd.Series({"a1": "A", "a2": "A", "b1": "B", "b2": "B"}), seed=1)["is_offered"].sum()
    np.int64(2)
    """
    if not 0 < share < 1:
        raise RequestError(f"share must lie between 0 and 1, so that some are offered and some not; got {share}")
    if class_of.index.has_duplicates:
        raise RequestError(f"{int(class_of.index.duplicated().sum())} accounts are there twice; give each one class")
    class_of = class_of.sort_index()
    is_offered = _deal(class_of.to_numpy(), share, np.random.default_rng(seed))
    return pd.DataFrame({"account_id": class_of.index, "class": class_of.to_numpy(), "is_offered": is_offered})


def _deal(classes: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
    is_offered = np.zeros(len(classes), dtype=bool)
    for name in pd.unique(classes):
        members = rng.permutation(np.flatnonzero(classes == name))
        wanted = len(members) * share
        count = int(wanted) + int(rng.random() < wanted - int(wanted))
        is_offered[members[:count]] = True
    return is_offered


def set_aside(class_of: pd.Series, share: float, seed: int = 0) -> pd.Index:
    """Accounts drawn by lot within class to be kept out of a plan, for an experiment among them; all of them at 1."""
    if share >= 1:
        return class_of.index
    if share <= 0:
        return class_of.index[:0]
    drawn = randomise(class_of, share, seed)
    return pd.Index(drawn.loc[drawn["is_offered"], "account_id"])


def offered(book: Book, name: str) -> pd.Index:
    """Accounts that the experiment of this name offers visits; empty where it is not on record."""
    if not name or not book.has("events"):
        return pd.Index([])
    events = book.frame("events")
    return pd.Index(events.loc[events["event_id"] == name, "account_id"].unique())


def is_running(book: Book, panel: pd.DataFrame, name: str, months: int = 3) -> bool:
    """Whether an experiment on record has not run all its months yet."""
    if not len(offered(book, name)):
        return False
    events = book.frame("events")
    start = events.loc[events["event_id"] == name, "event_date"].min().to_period("M").start_time
    return bool(panel.loc[panel["month"] >= start, "month"].nunique() < months)


def design(
    panel: pd.DataFrame,
    class_of: pd.Series,
    share: float = 0.5,
    seed: int = 0,
    power: float = 0.8,
    level: float = 0.9,
    lengths: tuple[int, ...] = LENGTHS,
    effect: tuple[float, float, float] | None = None,
    carry: float = 0.0,
    is_apart: bool = False,
) -> Design | None:
    """Deal the offers, and say what the experiment could show: offers dealt in the past, where none were made, give
    the error. None where nobody bought in the last year, or the panel is too short.

    Parameters
    ----------
    panel : account × month with revenue and visits. class_of : class by account. lengths : months it may run.
    effect : coefficient of log(1 + visits a month) kept up, with its ends, for the lift to expect; None where it is
        not known. carry : share of a visit's effect left a month later.
    is_apart : whether ``class_of`` holds only accounts that a call plan leaves alone.
    """
    months = np.sort(panel["month"].unique())
    recent = panel[panel["month"].isin(months[-BEFORE_MONTHS:])]
    buying = recent.groupby("account_id")["revenue"].sum()
    members = class_of[class_of.index.isin(buying.index[buying > 0])]
    rows = [_detectable(panel, members, months, n, share, seed, power, level) for n in lengths]
    rows = [row for row in rows if row]
    if len(members) < 4 or not rows:
        return None
    table = pd.DataFrame(rows)
    table["lift_expected"], origin = _expected(recent, members.index, effect, carry, table["run_months"])
    wanted = np.log1p(table["lift_seen"]) / np.log1p(table["lift_expected"])
    table["accounts_needed"] = np.ceil(len(members) * wanted**2)
    return Design(randomise(members, share, seed), share, seed, table, origin, power, level, is_apart)


def _expected(recent: pd.DataFrame, accounts: pd.Index, effect, carry: float, lengths) -> tuple[np.ndarray, str]:
    """Lifts of one more visit a month by length of run, weighted as :func:`lift_of` weights accounts; their origin.

    An interval that holds zero gives no estimate, but where it ends below what is usual, no more than that can come.
    """
    inside = recent[recent["account_id"].isin(accounts)].groupby("account_id")
    visits = inside["visits"].mean().fillna(0)
    weight = np.sqrt(inside["revenue"].mean().clip(lower=0))
    _, low, high = effect or (np.nan,) * 3
    is_clear = low > 0

    def lifts(value: float) -> np.ndarray:
        return np.array([np.average(lasting_lift(visits, 1.0, value, carry, n), weights=weight) for n in lengths])

    if is_clear:
        return lifts(effect[0]), "estimate"
    usual = (1 + 1 / max(np.average(visits, weights=weight), 0.5)) ** USUAL_ELASTICITY - 1
    if high > 0 and (most := lifts(high)).max() < usual:
        return most, "most"
    return np.full(len(lengths), float(usual)), "literature"


def lasting_lift(visits, extra: float, effect: float, carry: float, months: int):
    """Mean lift of extra visits over the first months they are made: the carry-over takes time to build up."""
    built = 1 - carry ** np.arange(1, months + 1)
    return sum((1 + extra * part / (1 + visits)) ** effect - 1 for part in built) / months


def _detectable(panel, members, months, length, share, seed, power, level) -> dict | None:
    if len(months) < 2 * length or len(members) < 4:
        return None
    growth = growth_of(panel, members.index, months[-length], length)
    rng, classes = np.random.default_rng(seed), members.to_numpy()
    lifts = np.array([lift_of(growth, _deal(classes, share, rng)) for _ in range(DRAWS)])
    lifts = lifts[np.isfinite(lifts)]
    if not len(lifts) or lifts.min() <= -1:  # so few accounts that all those offered may have stopped buying
        return None
    error = float(np.std(np.log1p(lifts)))
    smallest = float(np.expm1((stats.norm.ppf(0.5 + level / 2) + stats.norm.ppf(power)) * error))
    return {"run_months": length, "error": error, "lift_seen": smallest}


def growth_of(panel: pd.DataFrame, accounts: pd.Index, start, length: int) -> np.ndarray:
    """(accounts, 2) mean monthly revenue before and since the start of the experiment."""
    inside = panel[panel["account_id"].isin(accounts)]
    months = np.sort(panel["month"].unique())
    before, since = months[months < start][-BEFORE_MONTHS:], months[months >= start][:length]
    means = [inside[inside["month"].isin(part)].groupby("account_id")["revenue"].mean() for part in (before, since)]
    return np.column_stack([mean.reindex(accounts).fillna(0).clip(lower=0) for mean in means])


def lift_of(growth: np.ndarray, is_offered: np.ndarray) -> float:
    """Growth of the offered accounts over that of the others, less one; NaN without accounts of both kinds.

    Each account counts by its growth between −1 and 1, (since − before) / (since + before), weighted by the root of
    its revenue: in sums of money a handful of giants would drown the rest.
    """
    total = growth.sum(axis=1)
    is_known = total > 0
    change = np.divide(growth[:, 1] - growth[:, 0], total, out=np.zeros(len(total)), where=is_known)
    weight = np.sqrt(np.clip(growth[:, 0], 0, None)) * is_known
    if min(weight[is_offered].sum(), weight[~is_offered].sum()) <= 0:
        return np.nan
    ups = [np.average(change[part], weights=weight[part]) for part in (is_offered, ~is_offered)]
    ratios = [(1 + up) / (1 - up) if up < 1 else np.nan for up in ups]
    return float(ratios[0] / ratios[1] - 1) if ratios[1] > 0 else np.nan
