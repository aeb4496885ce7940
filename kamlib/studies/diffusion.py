"""Whether new products pass between accounts that know each other, beyond what chance and likeness bring."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from kamlib.book.store import Book
from kamlib.studies.launches import first_purchases, new_products

SHUFFLES = 500
FEWEST_FOLLOWED = 5


@dataclass(frozen=True)
class Diffusion:
    """What :func:`diffuse` found.

    Attributes
    ----------
    links : pairs of accounts that know each other (groups and references). products : new products looked at.
    followed : purchases of a new product after one that the account knows had bought it.
    expected, low, high : mean and ends (5 and 95 %) of the same count when the days of purchase are shuffled among
        accounts of the same industry and class. chance : share of shuffles with as many or more.
    """

    links: int
    products: int
    followed: int
    expected: float
    low: float
    high: float
    chance: float


def diffuse(book: Book, accounts: pd.DataFrame, seed: int = 0) -> Diffusion | None:
    """Count purchases of new products that follow those of a linked account, against shuffled ones.

    Accounts that know each other are alike and would buy alike anyway (homophily); shuffling within industry and class
    keeps that likeness in what is expected, as far as industry and class hold it.

    Parameters
    ----------
    accounts : account_id, parent_id, industry, abc.

    Returns
    -------
    None where no accounts are linked or no new product is seen.
    """
    links = _links(book, accounts)
    products = new_products(book) if book.has("orders") else None
    if links.empty or products is None or products.empty:
        return None
    ids = accounts["account_id"].tolist()
    place = {one: i for i, one in enumerate(ids)}
    firsts = first_purchases(book).merge(products[["product_id"]], on="product_id")
    days = np.full((len(ids), len(products)), np.inf)
    column = {one: i for i, one in enumerate(products["product_id"])}
    rows = firsts["account_id"].map(place).to_numpy()
    days[rows, firsts["product_id"].map(column)] = (firsts["day"] - pd.Timestamp(0)).dt.days
    pairs = np.array([[place[a], place[b]] for a, b in links.to_numpy()])
    likeness = accounts["industry"].fillna("").astype(str) + "\x1f" + accounts["abc"].astype(str)
    groups = [np.flatnonzero(likeness.to_numpy() == one) for one in likeness.unique()]
    followed = _followed(days, pairs)
    rng = np.random.default_rng(seed)
    drawn = np.array([_followed(_shuffled(days, groups, rng), pairs) for _ in range(SHUFFLES)])
    low, high = np.quantile(drawn, [0.05, 0.95])
    chance = float((np.sum(drawn >= followed) + 1) / (SHUFFLES + 1))
    return Diffusion(len(pairs), len(products), followed, float(drawn.mean()), float(low), float(high), chance)


def _links(book: Book, accounts: pd.DataFrame) -> pd.DataFrame:
    """Pairs of accounts, each once: a group and its parts, and who referred whom."""
    parts = [accounts[["account_id", "parent_id"]].dropna().set_axis(["one", "other"], axis=1)]
    if book.has("references"):
        rows = book.frame("references")[["account_id", "referred_account_id"]]
        parts.append(rows.set_axis(["one", "other"], axis=1))
    both = pd.concat(parts)
    known = set(accounts["account_id"])
    both = both[both["one"].isin(known) & both["other"].isin(known) & (both["one"] != both["other"])]
    return both.drop_duplicates(ignore_index=True)


def _followed(days: np.ndarray, pairs: np.ndarray) -> int:
    """Pairs and products where both bought, and not on the same day: one came after the other."""
    one, other = days[pairs[:, 0]], days[pairs[:, 1]]
    return int((np.isfinite(one) & np.isfinite(other) & (one != other)).sum())


def _shuffled(days: np.ndarray, groups: list[np.ndarray], rng: np.random.Generator) -> np.ndarray:
    mixed = days.copy()
    for own in groups:
        mixed[own] = days[rng.permutation(own)]
    return mixed
