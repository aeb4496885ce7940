"""What changed at one account in a span of days: the dated events of its file, in order."""

from __future__ import annotations

import pandas as pd

from kamlib.studies.dossier.account_file import AccountFile

COLUMNS = ["day", "kind", "detail", "number"]


def happenings(file: AccountFile, first: pd.Timestamp, last: pd.Timestamp) -> pd.DataFrame:
    """The events from *first* to *last*, the latest first.

    Returns
    -------
    pandas.DataFrame
        day, kind (``case_opened``, ``case_closed``, ``contract_signed``, ``contract_began``, ``contract_ended``,
        ``manager``, ``survey``, ``deal_opened``, ``deal_won``, ``deal_lost``, ``new_product``, ``first_order``,
        ``executive``), detail (which one, as the book names it), number (money, score or severity; may be missing).
    """
    deals, cases, contracts = file.rows("opportunities"), file.rows("cases"), file.rows("contracts")
    visits, spells = file.rows("visits"), file.rows("assignments")
    told = [
        ("case_opened", cases, "opened_on", "category", "severity"),
        ("case_closed", cases, "closed_on", "category", "severity"),
        ("contract_signed", contracts, "signed_on", "contract_id", "annual_value"),
        ("contract_began", contracts, "starts_on", "contract_id", "annual_value"),
        ("contract_ended", contracts, "ends_on", "contract_id", "annual_value"),
        ("manager", spells.iloc[1:], "from_date", "manager_id"),
        ("survey", file.rows("surveys"), "surveyed_on", "main_competitor", "satisfaction"),
        ("deal_opened", deals, "opened_on", "competitor", "value"),
        ("deal_won", deals[deals["stage"] == "won"], "closed_on", "competitor", "value"),
        ("deal_lost", deals[deals["stage"] == "lost"], "closed_on", "competitor", "value"),
        ("executive", visits[visits["level"] == "executive"], "visit_date", "purpose"),
        *_first_purchases(file.lines),
    ]
    parts = [_events(*one) for one in told if len(one[1])]
    frame = pd.concat(parts or [_events("", visits.iloc[:0], "visit_date", "purpose")])
    within = frame[frame["day"].between(first, last)]
    return within.sort_values(["day", "kind", "detail"], ascending=[False, True, True], ignore_index=True)


def _events(kind: str, rows: pd.DataFrame, day: str, detail: str, number: str = "") -> pd.DataFrame:
    values = pd.to_numeric(rows[number]) if number else float("nan")
    made = pd.DataFrame({"day": rows[day], "kind": kind, "detail": rows[detail], "number": values}, index=rows.index)
    return made.astype({"day": "datetime64[s]", "detail": "object", "number": "float64"})


def _first_purchases(lines: pd.DataFrame) -> list[tuple]:
    """The first order, and categories (products, where there are none) bought for the first time after it."""
    bought = lines[lines["revenue"] > 0]
    if bought.empty:
        return []
    what = "category" if bought["category"].notna().any() else "product_id"
    firsts = bought.groupby(what, as_index=False)["order_date"].min()
    later = firsts[firsts["order_date"] > bought["order_date"].min()]
    first = bought.sort_values("order_date", kind="stable").head(1)
    return [("new_product", later, "order_date", what), ("first_order", first, "order_date", "order_id")]
