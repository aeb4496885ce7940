"""Loyal, sharing, switching or unattached: from the share of wallet where surveys give it, else from a named proxy.

From surveys, the last share of wallet within two years and its change since the answer before:

*no loyalty*        a share below the declared floor;
*switcher*          a share that fell by the declared drop or more: it moves to others;
*shares its custom* a share below the loyal one that did not fall so far, or was asked once: it buys from several;
*loyal*             a share at or above it that did not fall so far.

The proxy sees only what an account buys from us, so it cannot tell a switcher: *loyal* is regular (an order in every
quarter since its first, two at least) and either broad (at least as many categories as the median buyer, and two) or
first in new products (regular alone, where the book knows neither categories nor launches); *no loyalty* is neither
regular nor first; the rest is *unclear*, and so is an account whose first order is less than a quarter old.

An account that did not buy in the window is not known, whatever it answered before.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

import numpy as np
import pandas as pd

from kamlib.book.settings import Settings
from kamlib.studies import shares

LOYAL, SHARES, SWITCHER, UNATTACHED = "loyal", "shares its custom", "switcher", "no loyalty"
UNCLEAR, UNKNOWN = "unclear", "not known"
CLASSES = (LOYAL, SHARES, SWITCHER, UNATTACHED, UNCLEAR, UNKNOWN)
SURVEY, PROXY = "survey", "proxy"


def loyalty(accounts: pd.DataFrame, settings: Settings) -> pd.DataFrame:
    """Loyalty of each account, and what it rests on.

    Parameters
    ----------
    accounts
        wallet_share, wallet_change, categories, new_products, quarters_active, quarters_open and has_bought.
    settings
        The book's settings, with the thresholds of wallet share.

    Returns
    -------
    By account: loyalty, loyalty_basis (survey, proxy, or empty), loyalty_proxy (the proxy for every buyer, so that it
    can be held against the surveys), is_regular, is_broad, is_early (first in new products; missing where the book
    does not know launches).
    """
    told, guessed = _by_survey(accounts, settings), _by_proxy(accounts)
    is_told = (told != "") & accounts["has_bought"].to_numpy(dtype=bool)
    basis = np.where(is_told, SURVEY, np.where(guessed["loyalty_proxy"] != UNKNOWN, PROXY, ""))
    named = np.where(is_told, told, guessed["loyalty_proxy"])
    return guessed.assign(loyalty=named, loyalty_basis=basis)


def _by_survey(accounts: pd.DataFrame, settings: Settings) -> np.ndarray:
    share, change = accounts["wallet_share"], accounts["wallet_change"]
    # Shares are answered in hundredths: 0.60 - 0.50 must count as the drop of 0.10 that it is.
    fell = change.round(4) <= -settings.value("switching_wallet_drop")
    choices = [
        (share.isna(), ""),
        (share < settings.value("unattached_wallet_share"), UNATTACHED),
        (fell, SWITCHER),
        (share < settings.value("loyal_wallet_share"), SHARES),
    ]
    return np.select([flag.to_numpy() for flag, _ in choices], [name for _, name in choices], LOYAL)


def _by_proxy(accounts: pd.DataFrame) -> pd.DataFrame:
    buys = accounts["has_bought"]
    has_habit = accounts["quarters_open"] >= 2
    is_regular = buys & has_habit & (accounts["quarters_active"] >= accounts["quarters_open"])
    categories, early = accounts["categories"], accounts["new_products"]
    usual = categories[buys].median() if categories[buys].notna().any() else np.nan
    is_broad = categories >= max(2.0, usual)
    is_early = (early >= 1).astype("boolean").where(early.notna())
    first = is_early.fillna(False).astype(bool)
    is_telling = categories.notna().any() or early.notna().any()
    choices = [
        (~buys, UNKNOWN),
        (is_regular & (is_broad | first | (not is_telling)), LOYAL),
        (has_habit & ~is_regular & ~first, UNATTACHED),
    ]
    proxy = np.select([flag.to_numpy(dtype=bool) for flag, _ in choices], [name for _, name in choices], UNCLEAR)
    columns = {"loyalty_proxy": proxy, "is_regular": is_regular, "is_broad": is_broad, "is_early": is_early}
    return pd.DataFrame(columns, index=accounts.index)


def agreement(accounts: pd.DataFrame) -> tuple[float, int]:
    """In what share of the accounts with both the proxy and the survey say the same of being loyal, and how many.

    Examples
    --------
    >>> agreement(pd.DataFrame({"loyalty": ["loyal", "switcher"], "loyalty_basis": ["survey"] * 2,
    ...                         "loyalty_proxy": ["loyal", "loyal"]}))
    (0.5, 2)
    """
    told = accounts.loc[accounts["loyalty_basis"] == SURVEY, ["loyalty", "loyalty_proxy"]]
    both = told[~told["loyalty_proxy"].isin([UNCLEAR, UNKNOWN])]
    if both.empty:
        return np.nan, 0
    same = (both["loyalty"] == LOYAL) == (both["loyalty_proxy"] == LOYAL)
    return float(same.mean()), len(both)


def serialisation(accounts: pd.DataFrame) -> tuple[shares.Share, str]:
    """Share of accounts that are loyal, first in new products, or class A (the degree of 客戶系列化), and its basis.

    Counted are the accounts that bought and whose share of wallet was surveyed; all that bought where none was, with
    the proxy for loyalty.

    Returns
    -------
    The share with its interval, missing without a buyer; and ``survey``, ``proxy``, or empty.
    """
    buyers = accounts.loc[accounts["has_bought"], ["loyalty_basis", "loyalty", "is_early", "abc"]]
    is_told = buyers["loyalty_basis"] == SURVEY
    counted = buyers[is_told] if is_told.any() else buyers
    first = counted["is_early"].fillna(False).astype(bool)
    found = shares.share((counted["loyalty"] == LOYAL) | first | (counted["abc"] == "A"))
    return found, (SURVEY if is_told.any() else PROXY) if len(buyers) else ""


def serialisations(days: Mapping[date, pd.DataFrame]) -> pd.DataFrame:
    """:func:`serialisation` of the accounts on several closing days, the oldest first.

    The days should have windows of one length: the longer an account is seen, the more rarely it is regular.

    Returns
    -------
    closes_on, accounts (counted), share, share_lower, share_upper (90 %), basis.
    """
    rows = [(day, *serialisation(days[day])) for day in sorted(days)]
    frame = pd.DataFrame(
        [(day, found.n, found.value, found.low, found.high, basis) for day, found, basis in rows],
        columns=["closes_on", "accounts", "share", "share_lower", "share_upper", "basis"],
    )
    return frame.assign(closes_on=pd.to_datetime(frame["closes_on"]).astype("datetime64[s]"))
