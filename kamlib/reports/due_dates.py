"""Days for planned visits, spread over the working days of a period, and their calendars, one per manager."""

from __future__ import annotations

import pandas as pd

from kamlib.book.periods import day
from kamlib.errors import RequestError
from kamlib.reports import publish
from kamlib.reports.calendars import calendar
from kamlib.reports.folder import safe_name

FOLDER = "calendars"


def spread(accounts: pd.DataFrame, first, last, days_off=()) -> pd.DataFrame:
    """Days for planned visits: evenly over the working days (Monday to Friday) of a period, account by account.

    Parameters
    ----------
    accounts : account_id, name, manager_id and ``plan``, the visits in the period. first, last : its days.
    days_off : days on which nobody works, such as public holidays.

    Returns
    -------
    One row per visit: manager_id, account_id, name, due_on, number, of. Accounts of one manager start on different
    days, so that his weeks are alike.

    Examples
    --------
    >>> rows = pd.DataFrame({"account_id": ["a"], "name": ["A"], "manager_id": ["M1"], "plan": [2]})
    >>> spread(rows, "2026-10-01", "2026-10-30")["due_on"].dt.day.tolist()
    [9, 24]
    """
    days = pd.bdate_range(first, last).difference(pd.DatetimeIndex(days_off))
    if not len(days):
        raise RequestError(f"there is no working day from {first} to {last}; give a longer period")
    rows = accounts.loc[accounts.index.repeat(accounts["plan"].astype(int))]
    rows = rows[["manager_id", "account_id", "name"]].assign(of=accounts["plan"].astype(int).reindex(rows.index))
    number = rows.groupby(level=0).cumcount().to_numpy()
    managed = accounts.groupby("manager_id")
    phase = (managed.cumcount() + 0.5) / managed["plan"].transform("size")
    place = (number + phase.reindex(rows.index).to_numpy()) / rows["of"].to_numpy()
    rows = rows.assign(due_on=days[(place * len(days)).astype(int)], number=number + 1)
    return rows.sort_values(["manager_id", "due_on", "account_id"], ignore_index=True)


def entries(visits: pd.DataFrame) -> pd.DataFrame:
    """The planned visits as :mod:`kamlib.reports.calendars` wants them: key, due_on, summary, description.

    Parameters
    ----------
    visits : manager_id, account_id, name, due_on, number, of; as :func:`spread` returns them.
    """
    number, of = visits["number"].astype(str), visits["of"].astype(str)
    return visits.assign(
        key="visit|" + visits["account_id"] + "|" + number,
        summary=visits["name"].fillna(visits["account_id"]),
        description=visits["account_id"] + ": visit " + number + " of " + of,
    )


def write_calendars(visits: pd.DataFrame, made_on) -> list[str]:
    """Write ``calendars/<manager>.ics`` into the report being built; the names written, none when run by hand."""
    folder = publish.output_folder()
    if folder is None or visits.empty:
        return []
    (folder / FOLDER).mkdir(exist_ok=True)
    written = []
    for manager, mine in entries(visits).groupby("manager_id"):
        path = folder / FOLDER / f"{safe_name(str(manager))}.ics"
        path.write_bytes(calendar(mine, str(manager), day(made_on)).encode())
        written.append(path.name)
    return written
