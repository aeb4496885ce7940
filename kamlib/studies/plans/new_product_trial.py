"""A new product tried with key accounts first: whom to ask, by a draw, how much it can show, and when to stop."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy.stats import binom
from statsmodels.stats.power import NormalIndPower

from kamlib.book.store import Book
from kamlib.errors import RequestError
from kamlib.studies import actions, launches, shares
from kamlib.studies.portfolio import day_of, portfolio

LEVEL, POWER = 0.90, 0.80
SEVERE = 3


@dataclass(frozen=True, eq=False)
class TrialPlan:
    """What :func:`measure` found.

    Attributes
    ----------
    as_of : day the book is read as of.
    product : product_id, product, category, launched_on, basis of the product to be tried; None where the book shows
        no new product.
    products : all new products (:func:`kamlib.studies.launches.new_products`); None where no line names its product.
    uptake : months since its launch with the share of the accounts that buy in its category and have bought it:
        month, buyers, share. reach : the last of them as :class:`kamlib.studies.shares.Share`.
    candidates : key accounts that could be asked: account_id, manager_id, name, category_revenue, taken_early,
        arm (``trial`` first, ``later``), pair.
    refused : key accounts not asked, and why: account_id, name, why (``bought``,
        ``tried``, ``complaint``).
    base : share of key accounts that were not asked and took a new product within *trial_days* of its launch.
    smallest : the smallest share in the trial that would be told from the base; missing where it cannot be.
    needed, chance : how many of the trial must buy for it to go on, and the chance of that many without any effect.
    came, absent : :class:`kamlib.studies.shares.Share` that bought after earlier trials; None without any.
    waiting : came to the trial of this product and has not bought it: account_id, manager_id, name, event_date.
    trial_days : how long a trial runs.
    actions, names : the actions, and the names in them.
    """

    as_of: pd.Timestamp
    product: pd.Series | None
    products: pd.DataFrame | None
    uptake: pd.DataFrame
    reach: shares.Share
    candidates: pd.DataFrame
    refused: pd.DataFrame
    base: shares.Share
    smallest: float
    needed: int
    chance: float
    came: shares.Share | None
    absent: shares.Share | None
    waiting: pd.DataFrame
    trial_days: int
    actions: pd.DataFrame
    names: actions.Names


def measure(book: Book, product_id: str = "", accounts: int = 20, trial_days: int = 183, keys=None) -> TrialPlan:
    """Plan the trial of a new product.

    Parameters
    ----------
    book : the book as of its day.
    product_id : the product to be tried; the newest where empty.
    accounts : how many key accounts take part, half of them first. trial_days : how long the trial runs.
    keys : identifiers of the key accounts, as :func:`kamlib.studies.portfolio.key_accounts` names them; class A where
        none are given.

    Raises
    ------
    RequestError
        When the product is not one of the new products of the book.

    Examples
    --------
    >>> measure(book, accounts=20).candidates["arm"].value_counts()  # doctest: +SKIP
    """
    as_of = day_of(book)
    products = launches.new_products(book)
    product = _chosen(products, product_id)
    people = portfolio(book)
    keys = people[people["is_key"] if keys is None else people["account_id"].isin(keys)]
    if product is None:
        return _nothing(as_of, products, trial_days)
    firsts = launches.first_purchases(book)
    own = firsts[firsts["product_id"] == product["product_id"]].set_index("account_id")["day"]
    held = launches.trials(book, products, trial_days)
    able, refused = _able(book, keys, own, _came(held, product))
    ranked = _ranked(able, _spent(book, product), _early(firsts, products, trial_days))
    candidates = _drawn(ranked.head(2 * (accounts // 2)), product["product_id"])
    base = _base(keys, firsts, products, held, trial_days, as_of)
    arm = int((candidates["arm"] == "trial").sum())
    rate = base.value if base.hits else base.high  # where nobody took one, the most that is likely
    needed, chance = _rule(arm, rate)
    waiting = _waiting(held, product, keys)
    rows = actions.gather(_actions(candidates, waiting, product, as_of, trial_days), as_of)
    came, absent = _outcomes(held)
    uptake, reach = _uptake(book, product, own, as_of)
    return TrialPlan(
        as_of,
        product,
        products,
        uptake,
        reach,
        candidates,
        refused,
        base,
        _smallest(arm, rate),
        needed,
        chance,
        came,
        absent,
        waiting,
        trial_days,
        rows,
        replace(actions.names(book, rows), details={product["product_id"]: product["product"]}),
    )


def _chosen(products: pd.DataFrame | None, product_id: str) -> pd.Series | None:
    if products is None or products.empty:
        return None
    if not product_id:
        return products.iloc[0]
    found = products[products["product_id"] == product_id]
    if found.empty:
        known = ", ".join(products["product_id"].head(5))
        raise RequestError(f"product {product_id!r} is no new product of this book; the newest are {known}")
    return found.iloc[0]


def _nothing(as_of: pd.Timestamp, products: pd.DataFrame | None, trial_days: int) -> TrialPlan:
    empty, none = pd.DataFrame(), shares.of(0, 0)
    rows = actions.gather([actions.step("new_product_trial.name_one", as_of, 20, "K052", "marketing")], as_of)
    people = pd.DataFrame(columns=["account_id", "manager_id", "name", "arm"])
    nobody = pd.Series(dtype="str")
    return TrialPlan(
        as_of, None, products, empty, none, people, people, none, np.nan, 0, np.nan, None, None, people, trial_days,
        rows, actions.Names(nobody, nobody),
    )  # fmt: skip


def _came(held: pd.DataFrame | None, product: pd.Series) -> pd.DataFrame:
    """Who came to a trial of the product and had not bought it before."""
    if held is None:
        return pd.DataFrame(columns=["account_id", "event_date", "bought_on"])
    came = held["has_attended"].astype("object") == True  # noqa: E712
    return held[came & (held["product_id"] == product["product_id"])].drop_duplicates("account_id")


def _able(book: Book, keys: pd.DataFrame, own: pd.Series, tried: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Key accounts that can be asked; and those that cannot, since they buy it, tried it, or wait for an answer."""
    troubled: set[str] = set()
    if book.has("cases", "severity"):
        cases = book.frame("cases")
        troubled = set(cases.loc[cases["closed_on"].isna() & (cases["severity"] >= SEVERE), "account_id"])
    has_bought, is_troubled = keys["account_id"].isin(own.index), keys["account_id"].isin(troubled)
    has_tried = keys["account_id"].isin(tried["account_id"])
    why = np.select([has_bought, has_tried, is_troubled], ["bought", "tried", "complaint"], "")
    refused = keys.assign(why=why)[why != ""][["account_id", "name", "why"]]
    return keys[why == ""], refused.reset_index(drop=True)


def _spent(book: Book, product: pd.Series) -> pd.Series:
    """What each account spent in the category of the product in the last twelve months."""
    since = (day_of(book) - pd.DateOffset(months=12)).date()
    lines = book.table("orders", "account_id", "product_id", "order_date", "revenue")
    lines = lines.filter(lines.order_date > since)
    if isinstance(product["category"], str):
        of = book.table("products", "product_id", "category")
        lines = lines.join(of.filter(of.category == product["category"]), "product_id")
    spent = book.collect(lines.group_by("account_id").aggregate(spent=lines.revenue.sum()))
    return spent.set_index("account_id")["spent"]


def _early(firsts: pd.DataFrame, products: pd.DataFrame, within_days: int) -> pd.Series:
    """How many new products each account took up within some days of their launch."""
    both = firsts.merge(products[["product_id", "launched_on"]], on="product_id")
    in_time = (both["day"] - both["launched_on"]).dt.days <= within_days
    return both[in_time].groupby("account_id").size()


def _ranked(able: pd.DataFrame, spent: pd.Series, early: pd.Series) -> pd.DataFrame:
    """Those that buy the category, the quickest with new products first, then the largest."""
    rows = able[["account_id", "manager_id", "name"]].assign(
        category_revenue=able["account_id"].map(spent), taken_early=able["account_id"].map(early).fillna(0).astype(int)
    )
    rows = rows[rows["category_revenue"] > 0]
    order = ["taken_early", "category_revenue", "account_id"]
    return rows.sort_values(order, ascending=[False, False, True], ignore_index=True)


def _drawn(ranked: pd.DataFrame, product_id: str) -> pd.DataFrame:
    """Neighbours in the ranking are pairs; a coin, the same for the same product, sends one of each to the trial."""
    rows = ranked.head(len(ranked) // 2 * 2).reset_index(drop=True)
    heads = np.random.default_rng(zlib.crc32(product_id.encode())).random(len(rows) // 2) < 0.5
    is_first = np.arange(len(rows)) % 2 == 0
    in_trial = is_first == np.repeat(heads, 2)
    return rows.assign(pair=np.arange(len(rows)) // 2 + 1, arm=np.where(in_trial, "trial", "later"))


def _base(keys, firsts, products, held, trial_days: int, as_of: pd.Timestamp) -> shares.Share:
    """How many key accounts that nobody asked took a new product within the days of a trial."""
    pairs = keys[["account_id"]].merge(products[["product_id", "launched_on"]], how="cross")
    if held is not None:
        asked = held[["account_id", "product_id"]].drop_duplicates().assign(asked=True)
        pairs = pairs.merge(asked, on=["account_id", "product_id"], how="left")
        pairs = pairs[pairs["asked"].isna()].drop(columns="asked")
    bought = firsts.rename(columns={"day": "bought_on"})
    both = pairs.merge(bought, on=["account_id", "product_id"], how="left")
    return shares.share(launches.with_outcome(both, "launched_on", trial_days, as_of)["has_bought"])


def _smallest(arm: int, base: float) -> float:
    """The smallest share that a trial of two arms of this size tells from the base, with a power of four in five."""
    if arm < 2 or not 0 < base < 1:
        return np.nan
    effect = NormalIndPower().solve_power(nobs1=arm, alpha=1 - LEVEL, power=POWER)
    angle = np.arcsin(np.sqrt(base)) + float(effect) / 2
    return float(np.sin(angle) ** 2) if angle < np.pi / 2 else np.nan


def _rule(arm: int, base: float) -> tuple[int, float]:
    """How many of the arm must buy so that chance alone brings as many in at most one of ten trials."""
    if not arm or not 0 <= base < 1:
        return 0, np.nan
    chances = binom.sf(np.arange(arm + 1) - 1, arm, base)
    enough = np.flatnonzero(chances <= 1 - LEVEL)
    return (int(enough[0]), float(chances[enough[0]])) if len(enough) else (arm, float(chances[arm]))


def _outcomes(held: pd.DataFrame | None) -> tuple[shares.Share | None, shares.Share | None]:
    if held is None or held.empty:
        return None, None
    came = held["has_attended"].astype("object")
    return shares.share(held.loc[came == True, "has_bought"]), shares.share(held.loc[came == False, "has_bought"])  # noqa: E712


def _waiting(held: pd.DataFrame | None, product: pd.Series, keys: pd.DataFrame) -> pd.DataFrame:
    tried = _came(held, product)
    undecided = tried[tried["bought_on"].isna()][["account_id", "event_date"]]
    return keys[["account_id", "manager_id", "name"]].merge(undecided, on="account_id")


def _uptake(book: Book, product: pd.Series, own: pd.Series, as_of: pd.Timestamp) -> tuple[pd.DataFrame, shares.Share]:
    """The share of those that buy in its category in a year that have bought it, by the end of each month."""
    spent = _spent(book, product)
    users = spent.index[spent > 0]
    days = own[own.index.isin(users)]
    ends = pd.date_range(product["launched_on"], as_of, freq="ME").union([as_of])
    buyers = [int((days <= end).sum()) for end in ends]
    rows = pd.DataFrame({"until": ends.astype("datetime64[s]"), "buyers": buyers})
    rows["share"] = rows["buyers"] / len(users) if len(users) else np.nan
    return rows, shares.of(len(days), len(users))


def _actions(candidates, waiting, product: pd.Series, as_of: pd.Timestamp, trial_days: int) -> list[pd.DataFrame]:
    first = candidates[candidates["arm"] == "trial"]
    topic, ask_by = "new_product_trial", as_of + pd.offsets.BDay(15)
    ask = {"detail": "trial", "count": first["category_revenue"]}
    heard = {"detail": product["product_id"], "since": waiting["event_date"]}
    return [
        actions.step(f"{topic}.goal", as_of, 7, "K052", "director"),
        actions.step(f"{topic}.goods", as_of, 14, "K052", "supply"),
        actions.step(f"{topic}.brief", as_of, 14, "K052", "marketing"),
        actions.propose("event", f"{topic}.ask", first, ask_by, "K052", **ask),
        actions.propose("product", f"{topic}.hear", waiting, as_of + pd.offsets.BDay(10), "K052", **heard),
        actions.step(f"{topic}.judge", as_of, trial_days + 15, "K052", "director"),
    ]
