"""What must hold in each table of a book: the contract's own limits, and what dates and signs must not do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

import ibis

from kamlib.book.contract import Column, Table
from kamlib.book.periods import LABEL, LABELS

ERROR, WARNING = "error", "warning"
# Facts that happened; plans (contracts, promotions, events) may lie ahead.
_HAPPENED = {
    "orders": "order_date",
    "visits": "visit_date",
    "cases": "opened_on",
    "surveys": "surveyed_on",
    "investments": "spent_on",
    "stock": "counted_on",
    "ratings": "rated_on",
    "references": "referred_on",
    "assignments": "from_date",
}
_ORDERED = (
    ("assignments", "from_date", "to_date", ERROR),
    ("contracts", "starts_on", "ends_on", ERROR),
    ("cases", "opened_on", "closed_on", ERROR),
    ("promotions", "starts_on", "ends_on", ERROR),
    ("opportunities", "opened_on", "closed_on", ERROR),
    ("visits", "visit_date", "logged_on", WARNING),
)


@dataclass(frozen=True)
class Rule:
    """A condition that no row should meet: what it means, what to do, how bad, and the columns it looks at."""

    what: str
    remedy: str
    severity: str
    columns: tuple[str, ...]
    is_broken: Callable[[ibis.Table], ibis.BooleanValue]


def rules_of(spec: Table, there: list[str], today: date) -> list[Rule]:
    """The rules of a table that can be asked of the columns that are there."""
    made = [rule for name in there if name in spec.columns for rule in _column_rules(spec.columns[name])]
    made += _table_rules(spec, today)
    made += [_owner_rule(there)] if spec.name == "targets" else []
    return [rule for rule in made if set(rule.columns) <= set(there)]


def _column_rules(column: Column) -> list[Rule]:
    name, made = column.name, []
    if not column.optional:
        remedy = "fill it in the source, or let the mapping reject such rows"
        made.append(Rule(f"{name} is missing", remedy, ERROR, (name,), lambda t: _is_missing(t[name])))
    if column.dtype.is_floating():
        made.append(
            Rule(f"{name} is not a finite number", "correct the source", ERROR, (name,), lambda t: _is_wild(t[name]))
        )
    return made + [_limit_rule(column, check, limit) for check, limit in column.limits.items()]


def _is_missing(value: ibis.Value) -> ibis.BooleanValue:
    return value.isnull() | (value.strip() == "") if value.type().is_string() else value.isnull()


def _is_wild(value: ibis.FloatingValue) -> ibis.BooleanValue:
    return value.isnan() | value.isinf()


def _limit_rule(column: Column, check: str, limit) -> Rule:
    name = column.name
    if check == "isin":
        allowed = ", ".join(limit)
        remedy = f"allowed are {allowed}: translate with 'values' in the mapping"
        return Rule(f"{name} is not an allowed value", remedy, ERROR, (name,), lambda t: t[name].notin(list(limit)))
    if check.startswith("greater"):
        return Rule(f"{name} is below {limit}", "correct the source", ERROR, (name,), lambda t: t[name] < limit)
    return Rule(f"{name} is above {limit}", "correct the source", ERROR, (name,), lambda t: t[name] > limit)


def _table_rules(spec: Table, today: date) -> list[Rule]:
    made = [_order_rule(first, last, how) for table, first, last, how in _ORDERED if table == spec.name]
    if spec.name in _HAPPENED:
        made.append(_future_rule(_HAPPENED[spec.name], today))
    return made + _OWN.get(spec.name, [])


def _owner_rule(there: list[str]) -> Rule:
    """Of the owners of a target each may be missing, a whole column even, but not both."""
    owners = tuple(name for name in ("account_id", "manager_id") if name in there)
    what = "neither account_id nor manager_id is given"
    remedy = "say whose target it is"
    return Rule(what, remedy, ERROR, owners, lambda t: ibis.and_(*[t[name].isnull() for name in owners]))


def _order_rule(first: str, last: str, severity: str) -> Rule:
    remedy = "one of the two dates is wrong: correct the source"
    return Rule(f"{last} lies before {first}", remedy, severity, (first, last), lambda t: t[last] < t[first])


def _future_rule(name: str, today: date) -> Rule:
    remedy = "a date or its format is wrong, or planned rows are mixed with facts"
    return Rule(f"{name} lies after today, {today}", remedy, WARNING, (name,), lambda t: t[name] > ibis.literal(today))


_OWN = {
    "accounts": [
        Rule(
            "parent_id is the account itself",
            "leave parent_id empty for an account that nobody owns",
            ERROR,
            ("account_id", "parent_id"),
            lambda t: t.parent_id == t.account_id,
        )
    ],
    "orders": [
        Rule(
            "revenue and quantity have different signs",
            "returns are negative in both: check the sign in the mapping",
            WARNING,
            ("revenue", "quantity"),
            lambda t: ((t.revenue < 0) & (t.quantity > 0)) | ((t.revenue > 0) & (t.quantity < 0)),
        )
    ],
    "targets": [
        Rule(
            "period is not a period",
            f"write {LABELS}",
            ERROR,
            ("period",),
            lambda t: ~t.period.re_search(LABEL),
        ),
    ],
    "opportunities": [
        Rule(
            "stage is open and closed_on is given",
            "give it the stage won or lost",
            ERROR,
            ("stage", "closed_on"),
            lambda t: (t.stage == "open") & t.closed_on.notnull(),
        ),
        Rule(
            "stage is won or lost and closed_on is missing",
            "give the day it was decided, or no as-of reading can know",
            WARNING,
            ("stage", "closed_on"),
            lambda t: (t.stage != "open") & t.closed_on.isnull(),
        ),
    ],
    "references": [
        Rule(
            "an account refers itself",
            "correct the source",
            ERROR,
            ("account_id", "referred_account_id"),
            lambda t: t.account_id == t.referred_account_id,
        )
    ],
}
