"""Which pages a report has: one for the book, one for an account that is named, or one for each of many."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

import pandas as pd

from kamlib.book.store import Book
from kamlib.errors import RequestError
from kamlib.reports.spec import EACH, Report

ACCOUNT = "account_id"
NEAREST = 3
_SAMPLE = 5
_MOST_NAMED = 10


@dataclass(frozen=True)
class Page:
    """One page of a report: its key, the scope it is read in, and the parameters that name it."""

    key: str
    scope: Mapping[str, str]
    parameters: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class LeftOut:
    """The accounts that are on no page of a fan-out, since they have no manager (region, industry)."""

    each: str
    count: int
    accounts: int
    sample: tuple[str, ...]

    def line(self) -> str:
        """What the operator reads.

        Examples
        --------
        >>> LeftOut("manager", 2, 8, ("0003", "0005")).line()
        '2 of 8 accounts have no manager and are on no page of --each manager: 0003, 0005'
        """
        more = ", …" if self.count > len(self.sample) else ""
        which = f"{', '.join(self.sample)}{more}"
        return (
            f"{self.count:,} of {self.accounts:,} accounts have no {self.each} and are on no page of "
            f"--each {self.each}: {which}"
        )

    def to_dict(self) -> dict:
        """Plain values for ``run.json``."""
        return asdict(self)


def pages_of(report: Report, book: Book) -> list[Page]:
    """The pages of a report.

    Parameters
    ----------
    report
        The notebook with the values given; a value of ``account_id`` makes that account the key of its page.
    book
        The book in its scope; its accounts are those of the fan-out.

    Raises
    ------
    RequestError
        When no account has what to fan out by, the account named is not there, or none is named for a page of one.
    """
    account = str(report.given.get(ACCOUNT, ""))
    if not account and report.each != "account":
        _refuse_unnamed(report, book)
    if report.each:
        return _fanned(report, book)
    if not account or ACCOUNT not in report.contract:
        return [Page("", book.scope)]
    _refuse_unknown(account, report, book)
    return [Page(account, book.scope)]


def _fanned(report: Report, book: Book) -> list[Page]:
    column = EACH[report.each]
    values = sorted(set(_column(book, column).dropna().astype(str)))
    if not values:
        raise RequestError(f"{report.name} cannot be fanned out by {report.each}: no account has a {column}")
    if column in report.contract:
        return [Page(value, book.scope, {column: value}) for value in values]
    return [Page(value, {**book.scope, column: value}) for value in values]


def left_out(reports: list[Report], book: Book) -> list[LeftOut]:
    """The accounts that each fan-out leaves out; nothing where all are on a page."""
    found = []
    for each in sorted({report.each for report in reports if report.each}):
        accounts = book.frame("accounts")
        without = sorted(accounts.loc[accounts[EACH[each]].isna(), ACCOUNT].astype(str))
        if without:
            found.append(LeftOut(each, len(without), len(accounts), tuple(without[:_SAMPLE])))
    return found


def _column(book: Book, column: str) -> pd.Series:
    return book.frame("accounts")[column]


def _refuse_unnamed(report: Report, book: Book) -> None:
    """A page of one account is made of the account its notebook names only where the book has that one."""
    meant = report.contract[ACCOUNT].default if ACCOUNT in report.contract else ""
    known = _column(book, ACCOUNT).astype(str) if meant else pd.Series(dtype="str")
    if meant and (report.each or meant not in set(known)):
        raise RequestError(
            f"{report.name} is a page of one account, and none of book {book.name!r} is named; name one with "
            f"-p {ACCOUNT}={known.min()}, or ask for a page of each of its {len(known):,} with --each account"
        )


def _refuse_unknown(account: str, report: Report, book: Book) -> None:
    accounts = book.frame("accounts")[[ACCOUNT, "name"]].astype("str").sort_values(ACCOUNT)
    known = accounts[ACCOUNT].tolist()
    if account in known:
        return
    # A mere number is a number mistyped, whatever names hold it.
    has_it = accounts["name"].str.contains(account, case=False, regex=False)
    named = accounts[has_it & (not account.isdecimal())]
    inside = f" in the scope {', '.join(f'{n}={v}' for n, v in book.scope.items())}" if book.scope else ""
    count = f"{len(known):,} account{'' if len(known) == 1 else 's'}{inside}"
    raise RequestError(
        f"{report.name}: there is no account {account!r} among the {count} of book {book.name!r}; "
        + (_of_that_name(named) if len(named) else f"the nearest are {', '.join(nearest(account, known))}")
    )


def _of_that_name(accounts: pd.DataFrame) -> str:
    listed = ", ".join(f"{row.account_id} ({row.name})" for row in accounts.head(_MOST_NAMED).itertuples(index=False))
    more = f" and {len(accounts) - _MOST_NAMED:,} more" if len(accounts) > _MOST_NAMED else ""
    held = "1 has it in its name" if len(accounts) == 1 else f"{len(accounts):,} have it in their names"
    return f"{held}: {listed}{more}; name one with -p {ACCOUNT}={accounts[ACCOUNT].iloc[0]}"


def nearest(asked: str, known: list[str], count: int = NEAREST) -> list[str]:
    """The identifiers nearest to one that is not there: those that differ in zeros, case or letters go first.

    Examples
    --------
    >>> nearest("7", ["0001", "0007", "0017", "0093"])
    ['0007', '0017']
    """
    same = [one for one in known if _bare(one) == _bare(asked)]
    same += [one for one in known if _number(one) and _number(one) == _number(asked)]
    close = difflib.get_close_matches(asked, known, n=count, cutoff=0.4)
    return list(dict.fromkeys([*same, *close]))[:count] or known[:count]


def _bare(identifier: str) -> str:
    return re.sub(r"(?<!\d)0+(?=\d)", "", identifier.strip().casefold())


def _number(identifier: str) -> str:
    return "".join(filter(str.isdecimal, identifier)).lstrip("0")
