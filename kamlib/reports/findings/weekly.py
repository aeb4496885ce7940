"""What the weekly sales report says: last week's word, the week, the quarter, the managers, late orders, logs."""

from __future__ import annotations

import pandas as pd

from kamlib.reports.finding import Finding, Gate, Verdict, judge
from kamlib.reports.sentences import say
from kamlib.studies.portfolio import with_managers
from kamlib.studies.weekly import NOBODY, Weekly

BEHIND_BELOW = 0.90
LEVEL = 0.9


def week_record(result: Weekly) -> Finding:
    """What the last report said of its week, and what the book says of those days now."""
    record = result.record
    if record is None:
        return _nothing("track_record", say("weekly.record_none"), 0)
    more = record["now"] - record["said"]
    branch = "same" if abs(more) < 0.5 else "more" if more > 0 else "less"
    values = {"said": record["said"], "first": record["from_day"], "last": record["to_day"], "more": abs(more)}
    return Finding("weekly.track_record", say(f"weekly.record_{branch}", **values), more, "money", practices=("K044",))


def week_sales(result: Weekly) -> Finding:
    """The week beside a usual one."""
    row = _span(result, "week")
    if result.last_order is not None and result.last_order < row["from_day"]:
        return _nothing("week", say("weekly.week_none", first=row["from_day"], last=result.last_order))
    days = (row["to_day"] - row["from_day"]).days + 1
    values = {"first": row["from_day"], "last": row["to_day"], "revenue": row["revenue"], "days": days}
    is_known = pd.notna(row["usual"]) and pd.notna(row["swing"])
    branch = "part" if days < 7 else "alone"
    interval = None
    if days == 7 and is_known:
        interval = (row["usual"] - row["swing"], row["usual"] + row["swing"])
        branch = "low" if row["revenue"] < interval[0] else "high" if row["revenue"] > interval[1] else "usual"
    few = Gate(is_known or days < 7, Verdict.CAUTION, say("weekly.week_few"))
    verdict, reason = judge(_fresh(result), few)
    return Finding(
        "weekly.week",
        say(f"weekly.week_{branch}", usual=row["usual"], **values),
        row["revenue"],
        "money",
        interval,
        LEVEL if interval else None,
        verdict=verdict,
        reason=reason,
        practices=("K044",),
    )


def quarter_sales(result: Weekly) -> Finding:
    """The quarter to date against its target, or the year before where it has none, beside the swing of the weeks."""
    row = _span(result, "quarter")
    has_target = pd.notna(row["reached"])
    base = row["target"] if has_target else row["revenue_previous"]
    gap = row["gap"] if has_target else row["revenue"] - base
    swing = row["swing"] if has_target else row["swing"] * 2**0.5  # the weeks of both years swing
    values = {"first": row["from_day"], "last": row["to_day"], "revenue": row["revenue"], "reached": row["reached"]}
    if not base > 0:
        return _nothing("quarter", say("weekly.quarter_no_target", **values))
    values |= {"target": base, "gap": abs(gap), "change": abs(gap) / base, "swing": swing}
    branch = "plain" if pd.isna(swing) else "behind" if gap < -swing else "ahead" if gap > swing else "on_course"
    verdict, reason = judge(_fresh(result), Gate(pd.notna(swing), Verdict.CAUTION, say("weekly.quarter_no_swing")))
    interval = None if pd.isna(swing) else (gap - swing, gap + swing)
    return Finding(
        "weekly.quarter",
        say(f"weekly.{'quarter' if has_target else 'year'}_{branch}", **values),
        gap,
        "money against target" if has_target else "money against the year before",
        interval,
        LEVEL if interval else None,
        int(result.managers["target_quarter"].notna().sum()) if has_target else None,
        verdict,
        reason,
        say("weekly.year_decision") if branch == "behind" and not has_target else "",
        practices=("K044",),
    )


def manager_targets(result: Weekly) -> Finding:
    """Which managers are behind their target for the quarter to date."""
    rows = result.managers[result.managers["reached_quarter"].notna()]
    if rows.empty:
        return _nothing("managers", say("weekly.managers_none"))
    behind = rows[rows["reached_quarter"] < BEHIND_BELOW]
    values = {"n": len(rows), "behind": len(behind), "bar": BEHIND_BELOW}
    branch, decision = "fine", ""
    if len(behind):
        first = behind.iloc[0]
        name = first["name"] if pd.notna(first["name"]) else first["manager_id"]
        values |= {"name": name, "gap": abs(first["gap_quarter"])}
        branch, decision = "behind", say("weekly.managers_decision")
    return Finding(
        "weekly.managers",
        say(f"weekly.managers_{branch}", **values),
        len(behind),
        "managers",
        n=len(rows),
        verdict=Verdict.CAUTION,
        reason=say("weekly.managers_handed"),
        decision=decision,
        practices=("K044",),
    )


def late_orders(result: Weekly) -> Finding:
    """Order lines that were promised and have not come."""
    if result.late is None:
        return _nothing("late_orders", say("weekly.late_absent"), 0)
    last, n = _span(result, "week")["to_day"], len(result.late)
    days = int(result.late["days_late"].max()) if n else 0
    sentence = say("weekly.late_some" if n else "weekly.late_none", n=n, last=last, days=days)
    decision = say("weekly.late_decision") if n else ""
    return Finding("weekly.late_orders", sentence, n, "order lines", n=n, decision=decision, practices=("K044",))


def missing_logs(result: Weekly) -> Finding:
    """Contacts that nobody wrote down."""
    if result.unlogged is None:
        return _nothing("logs", say("weekly.logs_absent"), 0)
    counts = result.unlogged["manager_id"].value_counts().sort_index().sort_values(ascending=False, kind="stable")
    values = {"n": len(result.unlogged), "allowed": result.log_days}
    if len(counts):
        names = result.managers.set_index("manager_id")["name"].dropna()
        values |= {"name": names.get(counts.index[0], counts.index[0]), "most": int(counts.iloc[0])}
    sentence = say("weekly.logs_some" if len(counts) else "weekly.logs_none", **values)
    decision = say("weekly.logs_decision") if len(counts) else ""
    return Finding(
        "weekly.logs", sentence, values["n"], "contacts", n=values["n"], decision=decision, practices=("K044", "K076")
    )


def targets_shared(result: Weekly) -> str:
    """How targets were made to fit the days, as whole sentences."""
    branch = "shared_holidays" if result.countries else "shared_plain"
    shared = say(f"weekly.{branch}", countries=", ".join(result.countries))
    return say(f"weekly.prorated_{result.target_source or 'none'}", shared=shared)


def week_spans(result: Weekly) -> pd.DataFrame:
    """The two spans with their names; ``code`` is what the next report looks them up by."""
    names = [say(f"weekly.span_{span}") for span in result.spans["span"]]
    return result.spans.assign(code=result.spans["span"], span=names)


def week_managers(result: Weekly) -> pd.DataFrame:
    """The managers, by name where it is known; accounts without one only where there is something to tell of them."""
    rows = result.managers
    told = rows[["revenue_week", "revenue_quarter", "late_lines", "unlogged"]].fillna(0).ne(0).any(axis=1)
    return _named(result, rows[told | (rows["manager_id"] != NOBODY)])


def week_late(result: Weekly) -> pd.DataFrame:
    """The late order lines; no rows where the book has no deliveries."""
    columns = ["manager_id", "manager", "account_id", "name", "order_id", "promised_on", "days_late"]
    return pd.DataFrame(columns=columns) if result.late is None else _named(result, result.late)


def week_unlogged(result: Weekly) -> pd.DataFrame:
    """The contacts not written down; no rows where the book has no log days."""
    columns = ["manager_id", "manager", "account_id", "name", "visit_date", "channel"]
    return pd.DataFrame(columns=columns) if result.unlogged is None else _named(result, result.unlogged)


def _named(result: Weekly, rows: pd.DataFrame) -> pd.DataFrame:
    return with_managers(rows, result.managers.set_index("manager_id")["name"])


def _span(result: Weekly, name: str) -> pd.Series:
    return result.spans.set_index("span").loc[name]


def _fresh(result: Weekly) -> Gate:
    last = result.last_order
    reason = say("findings.empty", what="orders") if last is None else say("weekly.orders_end", last=last)
    return Gate(result.is_covered, Verdict.CAUTION, reason)


def _nothing(topic: str, sentence: str, n: int | None = None) -> Finding:
    """No conclusion; with *n* zero where the book has nothing at all to judge by, so that it stands last."""
    verdict = Verdict.NO_CONCLUSION
    return Finding(f"weekly.{topic}", sentence, n=n, verdict=verdict, reason=sentence, practices=("K044",))
