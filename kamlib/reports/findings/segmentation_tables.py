"""The tables the segmentation report shows: codes become whole sentences, and every account has its evidence."""

from __future__ import annotations

import numpy as np
import pandas as pd

from kamlib.book.settings import Settings
from kamlib.reports.sentences import say
from kamlib.studies.segmentation import Segmentation
from kamlib.studies.segmentation.rfm import RULE_BOOK
from kamlib.studies.segmentation.stages import SILENT

KEY_COLUMNS = ["account_id", "name", "stage", "loyalty", "value", "revenue", "recency_days", "decision"]
LARGE_COLUMNS = ["account_id", "name", "tests_met", "lacks", "evidence", "value"]
SCORE_COLUMNS = ["account_id", "name", "overall", "raters", "selected_share"]
VIP_COLUMNS = ["account_id", "name", "rule", "order_date", "order_amount", "month_amount", "is_official"]
_FIRST = [
    "account_id",
    "name",
    "manager_id",
    "class",
    "previous_class",
    "cause",
    "borderline_share",
    "is_borderline",
    "rfm",
    "rfm_segment",
    "rfm_previous",
    "rfm_cause",
    "segment",
    "loyalty",
    "loyalty_basis",
    "tests_met",
    "tests_known",
    "criteria_met",
    "contract_marks",
    "gates_failed",
    "tests_missed",
    "lacks",
    "evidence",
    "stage",
    "lifecycle",
    "was_key",
    "is_key",
    "roster",
    "decision",
    "reason",
    "reason_code",
    "value",
    "value_before",
    "revenue",
    "margin",
    "revenue_before",
    "has_bought",
    "recency_days",
    "active_months",
    "largest_order_share",
    "is_one_off",
    "is_official",
    "has_conflict",
    "vip_rule",
    "selected_share",
    "quadrant",
    "basis",
    "as_of",
    "cut_a",
    "cut_b",
]


def segmentation_accounts(result: Segmentation) -> pd.DataFrame:
    """One row for each account: class, RFM, segment, loyalty, evidence, stage, decision and reason; largest first."""
    frame = result.accounts.copy()
    frame["class"], frame["previous_class"] = frame["abc"], frame["previous"]
    frame["borderline_share"] = 1 - frame["kept_share"]
    scores = [frame[f"{name}_score"].astype("string") for name in ("recency", "frequency", "money")]
    frame["rfm"] = scores[0] + "-" + scores[1] + "-" + scores[2]
    frame["reason_code"] = frame["reason"]
    frame["reason"] = _reasons(frame, result.cap)
    frame["evidence"] = _evidence(frame.join(result.payback[["invested", "margin_after_spend"]]), result)
    frame["vip_rule"] = result.vip.set_index("account_id")["rule"].reindex(frame.index)
    frame["selected_share"] = np.nan if result.card is None else result.card.selected_share.reindex(frame.index)
    frame["quadrant"] = result.matrix["quadrant"].reindex(frame.index)
    frame["stage"], frame["roster"] = frame["stage"].mask(frame["is_silent"], SILENT), result.roster
    frame["is_official"] = _officials(frame, result)
    frame["basis"], frame["as_of"] = result.basis, pd.Timestamp(result.as_of)
    frame["cut_a"], frame["cut_b"] = result.cuts
    ordered = frame.sort_values("value", ascending=False, kind="stable").rename_axis("account_id").reset_index()
    return ordered[_FIRST]


def _officials(rows: pd.DataFrame, result: Segmentation) -> pd.Series:
    """Which accounts are public offices; missing where the book records none, since nobody knows."""
    if result.has_officials:
        return rows["is_official"].astype("boolean")
    return pd.Series(pd.NA, index=rows.index, dtype="boolean")


def _reasons(frame: pd.DataFrame, cap: int) -> pd.Series:
    """Why each account is decided on as it is, and where it fails the rule, what it lacks: whole sentences."""
    rows = frame[frame["reason"] != ""]
    texts = [say(f"segmentation.reason_{code}") for code in rows["reason"]]
    for place, row in enumerate(rows[["reason", "lacks", "tests_met", "tests_known"]].itertuples()):
        if row.reason in ("failed_once", "failed_twice"):
            told = {"met": row.tests_met, "known": row.tests_known}
            codes = row.lacks.split(", ") if row.lacks else ["places"]
            lacking = (say(f"segmentation.lacks_{what}", cap=cap, **told) for what in codes)
            texts[place] = " ".join([texts[place], *lacking])
    return pd.Series(texts, index=rows.index, dtype="object").reindex(frame.index).fillna("")


def _evidence(frame: pd.DataFrame, result: Segmentation) -> pd.Series:
    """Whole sentences on the criteria each account meets, the gates it fails, how it changed and what it cost."""
    is_large = ~frame["lacks"].str.contains("class")
    wanted = frame[is_large | (frame["criteria_met"] != "") | (frame["gates_failed"] != "") | (frame["decision"] != "")]
    limits = {"least_rating": result.high_rating, "most_of_one_order": result.one_order_share}
    limits |= {"least": result.influence_share, "all_value": frame["value"].clip(lower=0).sum() or np.nan}
    limits |= {"book": frame["margin"].sum() / (frame["revenue"].sum() or np.nan)}
    texts = [" ".join(_sentences(row | limits)) for row in wanted.to_dict("records")]
    return pd.Series(texts, index=wanted.index, dtype="object").reindex(frame.index).fillna("")


def _sentences(row: dict) -> list[str]:
    told = []
    for code in filter(None, row["criteria_met"].split(", ")):
        told += _CRITERIA[code](row)
    if "tests" in row["lacks"]:
        told += [_missed(code, row) for code in filter(None, row["tests_missed"].split(", "))]
    for code in filter(None, row["gates_failed"].split(", ")):
        told += _GATES[code](row)
    if row["revenue_before"] == 0 and row["revenue"] > 0:
        told.append(say("segmentation.evidence_began"))
    elif row["revenue_before"] > 0:
        change = row["revenue"] / row["revenue_before"] - 1
        told.append(say(f"segmentation.evidence_{'less' if change < 0 else 'more'}", change=abs(change)))
    if row["margin_after_spend"] < row["invested"]:
        told.append(
            say("segmentation.evidence_spent", invested=row["invested"], margin=max(row["margin_after_spend"], 0.0))
        )
    return told


def _contract(row: dict) -> list[str]:
    if pd.isna(row["contract_years"]):
        return [say("segmentation.evidence_contract_orders")]
    return [say("segmentation.evidence_contract", years=row["contract_years"], until=row["contract_until"])]


def _rated(row: dict, what: str) -> list[str]:
    score = row[f"{what}_score"]
    return [say(f"segmentation.evidence_{what}_rated", score=score)] if score >= row["least_rating"] else []


def _reputation(row: dict) -> list[str]:
    made = row["references_made"]
    referred = [say("segmentation.evidence_reputation_referred", n=made)] if made >= 1 else []
    return _rated(row, "reputation") + referred


def _innovation(row: dict) -> list[str]:
    taken = row["new_products"]
    new = [say("segmentation.evidence_innovation_new", n=taken)] if taken >= 1 else []
    return _rated(row, "innovation") + new


def _market(row: dict) -> list[str]:
    told, untapped = _rated(row, "market"), row["annual_potential"] - max(row["revenue"], 0.0)
    if untapped > 0:
        told.append(say("segmentation.evidence_market_potential", untapped=untapped))
    return told


def _missed(test: str, row: dict) -> str:
    """What of a test was missed; a test is missed only where its share can be told."""
    if test == "margin":
        return say("segmentation.evidence_test_margin", rate=row["margin"] / row["revenue"], book=row["book"])
    if test == "influence":
        share = row["value"] / row["all_value"]
        return say("segmentation.evidence_test_influence", share=share, least=row["least"])
    return say(f"segmentation.evidence_test_{test}")


def _recurring(row: dict) -> list[str]:
    if row["largest_order_share"] > row["most_of_one_order"]:
        return [say("segmentation.evidence_gate_one_order", share=row["largest_order_share"])]
    return [say("segmentation.evidence_gate_seldom", n=row["months_active"])]


_CRITERIA = {
    "contract": _contract,
    "strategic": lambda row: [say("segmentation.evidence_strategic")],
    "reputation": _reputation,
    "innovation": _innovation,
    "market": _market,
}
_GATES = {
    "fit": lambda row: [say("segmentation.evidence_gate_fit", score=row["fit_score"])],
    "centralised": lambda row: [say("segmentation.evidence_gate_centralised", share=row["centralised_share"])],
    "recurring": _recurring,
}


def change_columns(result: Segmentation) -> list[str]:
    """The columns of :func:`segmentation_changes` to show."""
    return ["account_id", "name", "decision", "reason", f"class_by_{result.basis}", "value", "evidence"]


def move_columns(result: Segmentation) -> list[str]:
    """The columns of :func:`segmentation_moves` to show."""
    classes = [f"class_before_by_{result.basis}", f"class_by_{result.basis}"]
    return ["account_id", "name", *classes, "cause", "value_before", "value", "borderline_share"]


def coverage_columns(result: Segmentation) -> list[str]:
    """The columns of the table of managers' books to show: hours only where some are recorded."""
    hours = ["key_hours_share", "small_hours_share", "idle_hours_share"]
    known = [name for name in hours if result.coverage[name].notna().any()]
    return ["manager", "accounts", "key_accounts", "small_accounts", *known, "is_mixed"]


def _say_by_what(frame: pd.DataFrame, basis: str = "revenue") -> pd.DataFrame:
    """The frame with its classes under names that say what they are by."""
    now, before = f"class_by_{basis}", f"class_before_by_{basis}"
    return frame.rename(columns={"class": now, "abc": now, "previous_class": before})


def segmentation_classes(result: Segmentation) -> pd.DataFrame:
    """Accounts, revenue and value by class."""
    return _say_by_what(result.classes, result.basis)


def segmentation_changes(accounts: pd.DataFrame) -> pd.DataFrame:
    """The accounts to promote, demote or review, in that order; of each list the largest first.

    Parameters
    ----------
    accounts
        What :func:`segmentation_accounts` returned.
    """
    order = {"promote": 0, "demote": 1, "review": 2}
    rows = _say_by_what(accounts[accounts["decision"].isin(order)], *accounts["basis"].head(1))
    return rows.sort_values("decision", key=lambda column: column.map(order), kind="stable", ignore_index=True)


def segmentation_keys(accounts: pd.DataFrame) -> pd.DataFrame:
    """The key accounts once the decisions are carried out, the largest first."""
    return accounts[accounts["is_key"]].reset_index(drop=True)


def segmentation_moves(accounts: pd.DataFrame) -> pd.DataFrame:
    """The accounts that changed class, the largest change of value first."""
    rows = accounts[accounts["cause"] != ""]
    size = (rows["value"] - rows["value_before"]).abs()
    rows = rows.loc[size.sort_values(ascending=False, kind="stable").index].reset_index(drop=True)
    return _say_by_what(rows, *accounts["basis"].head(1))


def segmentation_large(accounts: pd.DataFrame) -> pd.DataFrame:
    """The accounts large enough to be key accounts, with what they meet and lack, the largest first."""
    return accounts[~accounts["lacks"].str.contains("class")].reset_index(drop=True)


def segmentation_concentration(result: Segmentation) -> pd.DataFrame:
    """Gini, Herfindahl and top-20 % share of revenue, and of margin where it is known, with their intervals."""
    measured = {"revenue": result.concentration, "margin": result.margin_concentration}
    rows = [
        (of, say(f"segmentation.figure_{name}"), found.value, found.lower, found.upper)
        for of, figures in measured.items()
        for name, found in figures.items()
    ]
    return pd.DataFrame(rows, columns=["of", "figure", "figure_value", "figure_lower", "figure_upper"])


def segmentation_lookalikes(result: Segmentation, rows: int = 15) -> pd.DataFrame:
    """Prospects (accounts that never ordered and are no public office), the most promising first.

    By likeness to a key account where that says more than the potential, else by the potential alone.
    """
    columns = ["account_id", "name", "likeness", "annual_potential", "revenue", "industry", "region", "lifecycle"]
    if result.likeness is None:
        return pd.DataFrame(columns=columns)
    frame = result.accounts.join(result.likeness.scores, how="inner")
    free = frame[(frame["orders_ever"] == 0) & ~frame["is_key"] & ~frame["was_key"] & ~frame["is_official"]]
    by = "likeness" if result.likeness.is_better else "annual_potential"
    return free.nlargest(rows, by).rename_axis("account_id").reset_index()[columns]


def segmentation_agreement(result: Segmentation) -> pd.DataFrame:
    """How far raters agree, by criterion and over all, and whether the scores on it count."""
    if result.card is None:
        return pd.DataFrame(columns=["criterion", "pairs", "rated_accounts", "kappa", "mean_gap", "counts"])
    rows = result.card.agreement.rename(columns={"accounts": "rated_accounts"})
    counts = (~rows["criterion"].isin(result.card.disputed)).astype("boolean")
    return rows.assign(counts=counts.where(rows["criterion"] != "all"))


def segmentation_vips(result: Segmentation) -> pd.DataFrame:
    """The accounts that may apply to be VIPs, with the purchase that speaks for them, the largest first."""
    rows = result.vip.sort_values("month_amount", ascending=False, kind="stable")
    columns = ["account_id", "name", "rule", "order_id", "order_date", "order_amount", "month", "month_amount"]
    rows["is_official"] = _officials(rows, result)
    return rows[[*columns, "is_official", "ungraded"]].reset_index(drop=True)


def segmentation_payback(result: Segmentation) -> pd.DataFrame:
    """What was spent on each account against what it brought, the largest spending first."""
    rows = result.payback.join(result.accounts["name"]).rename_axis("account_id").reset_index()
    columns = ["invested", "first_spent_on", "revenue_after_spend", "margin_after_spend", "cost_ratio", "payback"]
    return rows[["account_id", "name", *columns, "uncovered"]]


def segmentation_scores(result: Segmentation) -> pd.DataFrame:
    """Mean rating of each rated account by criterion, how many rated it, and how often it is selected; best first."""
    card = result.card
    if card is None:
        return pd.DataFrame(columns=["account_id", "name", "overall", "raters", "selected_share"])
    rows = card.scores.assign(overall=card.overall, raters=card.raters, selected_share=card.selected_share)
    rows = rows.join(result.accounts["name"]).sort_values("overall", ascending=False, kind="stable")
    first = ["account_id", "name", "overall", "raters", "selected_share"]
    return rows.rename_axis(index="account_id", columns=None).reset_index()[[*first, *card.criteria]]


def segmentation_rules(result: Segmentation) -> pd.DataFrame:
    """The RFM rule book from the best segment to the worst, each least score with the number it stands for."""
    points = result.points
    rows = [
        (
            step.segment,
            points.recency_days[5 - step.recency] if step.recency > 1 else np.nan,
            points.active_months[step.frequency - 2] if step.frequency > 1 else 0.0,
            points.money[step.money - 2] if step.money > 1 else 0.0,
        )
        for step in RULE_BOOK
    ]
    return pd.DataFrame(rows, columns=["rfm_segment", "days_at_most", "months_at_least", "revenue_at_least"])


def segmentation_thresholds(settings: Settings) -> pd.DataFrame:
    """Every declared number this report goes by, with its reason and the practice it serves."""
    rows = [
        (name, ", ".join(f"{v:g}" for v in np.atleast_1d(t.value)), t.unit, t.reason, t.practice)
        for name, t in settings.thresholds.items()
        if t.practice and (t.practice <= "K025" or t.practice in ("K033", "K034"))
    ]
    return pd.DataFrame(rows, columns=["threshold", "declared", "unit", "why", "practice"])
