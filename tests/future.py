"""Plant into a book what the future will bring: rows and facts that nobody could know on the day of reading."""

from __future__ import annotations

import numpy as np
import pandas as pd

from kamlib.book.contract import TABLES

from books import FRAMES

# The column that names the row, in the tables that have one of their own.
OWN_ID = {
    "orders": "order_id",
    "products": "product_id",
    "contacts": "contact_id",
    "visits": "visit_id",
    "contracts": "contract_id",
    "cases": "case_id",
    "surveys": "survey_id",
    "promotions": "promotion_id",
    "investments": "investment_id",
    "opportunities": "opportunity_id",
    "events": "event_id",
}
NEW_ACCOUNT = "9999"


def plant_future(frames: FRAMES, as_of, seed: int = 0) -> FRAMES:
    """The same book with rows of later days in every table, and with what later days add to the rows there are.

    A new account is opened after *as_of*, with all that comes with an account; accounts there are order, are
    visited, change hands, and are bought by the new one; cases are closed, deals won, goods delivered. The table
    of managers stays, since the contract gives a manager no date.
    """
    rng = np.random.default_rng(seed)
    later = pd.Timestamp(as_of) + pd.Timedelta(days=int(rng.integers(1, 200)))
    planted = {name: _with_later_facts(frame, name, later) for name, frame in frames.items()}
    for name, frame in frames.items():
        rows = _later_rows(frame, name, later)
        planted[name] = pd.concat([planted[name], *rows]).sample(frac=1, random_state=seed, ignore_index=True)
    return planted


def _later_rows(frame: pd.DataFrame, name: str, later: pd.Timestamp) -> list[pd.DataFrame]:
    """New rows of accounts there are, and rows of the account to come."""
    if name == "managers":
        return []
    dated = frame.assign(**_dates(frame, name, later))
    if name == "references":
        to_new = dated.head(1).assign(referred_account_id=NEW_ACCOUNT)
        return [to_new, dated.head(1).assign(account_id=NEW_ACCOUNT)]
    if name == "deliveries":
        of_new_orders = [_tagged(dated, "order_id", tag) for tag in ("later-", "new-")]
        return [*of_new_orders, dated.assign(line_no=dated["line_no"] + 50)]
    own = OWN_ID.get(name)
    rows = [] if name in ("accounts", "contacts") else [_tagged(dated, own, "later-")]
    if name == "orders":
        rows.append(dated.assign(line_no=dated["line_no"] + 50))  # a later line of an order there is
    if "account_id" in frame:
        first = dated[dated["account_id"] == dated["account_id"].min()].drop_duplicates(own or "account_id")
        rows.append(_tagged(first, own, "new-").assign(account_id=NEW_ACCOUNT))
    if name == "targets":  # for a period that has begun, set when the account was opened
        rows.append(rows[-1].assign(period=str(later.year - 1)))
    return rows


def _dates(frame: pd.DataFrame, name: str, later: pd.Timestamp) -> dict:
    """All dates of a row moved to the later day, but for those that are known to lie before."""
    dates = {n: later for n, c in TABLES[name].columns.items() if c.dtype.is_date() and n in frame}
    if name == "assignments":
        dates["to_date"] = pd.NaT
    if name == "contracts":
        dates["starts_on"] = later - pd.Timedelta(days=400)  # signed later, for a term that has begun
    if name == "targets":
        dates["period"] = f"{later.year + 1}-Q1"
    return dates


def _tagged(frame: pd.DataFrame, column: str | None, tag: str) -> pd.DataFrame:
    return frame.assign(**{column: tag + frame[column]}) if column else frame.drop_duplicates("account_id")


def _with_later_facts(frame: pd.DataFrame, name: str, later: pd.Timestamp) -> pd.DataFrame:
    """Rows there are, with what becomes known on the later day."""
    frame = frame.copy()
    for moment in TABLES[name].later:
        ahead = frame[moment].isna() | (frame[moment] > later)
        frame.loc[ahead, moment] = later
        if name == "opportunities":
            frame.loc[ahead, "stage"] = "won"
        if name == "deliveries":
            frame.loc[ahead, "quantity_delivered"] = 77.0
    if name == "accounts":
        frame["parent_id"] = frame["parent_id"].fillna(NEW_ACCOUNT)
        frame["manager_id"] = frame["manager_id"].map({"M01": "M02", "M02": "M03", "M03": "M01"})
    if name == "orders":
        frame["promotion_id"] = frame["promotion_id"].fillna("later-R" + frame["account_id"])
    return frame
