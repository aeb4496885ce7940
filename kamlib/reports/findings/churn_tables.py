"""Tables of the churn study in words: codes become phrases, intervals one cell, and misses get their names."""

from __future__ import annotations

import pandas as pd

from kamlib.reports.sentences import say
from kamlib.studies.churn import Churn
from kamlib.studies.churn.lapses import BY_DAYS
from kamlib.studies.portfolio import with_managers

MOST_MISSES = 20
METHOD_COLUMNS = ["candidate", "lift_shown", "pr_auc_shown", "brier_shown", "slope_shown", "empc_shown", "days_fitted"]
MEASURES_SHOWN = {"lift": 1, "pr_auc": 2, "brier": 3, "calibration_slope": 2, "empc": 2}
CALL_COLUMNS = [
    "account_id", "name", "manager", "health", "value_at_risk", "gain_of_call", "why", "recency_days",
    "gap_median_days",
]  # fmt: skip
WAIT_COLUMNS = ["account_id", "name", "manager", "recency_days", "gap_median_days", "expected_back"]
SILENT_COLUMNS = ["account_id", "name", "manager", "recency_days", "gap_median_days", "margin_lost"]
ACCOUNT_COLUMNS = [
    "account_id", "name", "manager", "action", "health", "risk", "risk_low", "risk_high", "margin_expected",
    "value_at_risk", "recency_days", "gap_median_days",
]  # fmt: skip
AGENDA_COLUMNS = [
    "account_id", "name", "manager", "at_stake", "to_do", "contract_ends_on", "brings_a_year", "recency_days", "why",
]  # fmt: skip
TOLD = ("partial_defection", "contract_ends")  # reasons that the agenda's signs tell already
STATUSES = ("active", "off_season", "silent")


def churn_agenda(result: Churn) -> pd.DataFrame:
    """What wants doing now in one list, the most money a year at stake first, in words."""
    rows = result.agenda
    beside = rows.assign(reasons=[[code for code in codes if code not in TOLD] for codes in rows["reasons"]])
    to_do = ["; ".join(say(f"churn.sign_{sign}") for sign in signs) for signs in rows["signs"]]
    risk = rows["account_id"].map(result.accounts.set_index("account_id")["risk"])
    told = [
        [*_facts(row), *([rest] if rest else [])] for row, rest in zip(rows.itertuples(), _reasons(beside), strict=True)
    ]
    why = pd.Series(["; ".join(parts) for parts in told], rows.index, dtype=object)
    why = _with_risk(result, why, risk, rows["signs"].map(lambda signs: "call" in signs))
    hidden = ["signs", "reasons", "partial_since", "lapse", "gap_median_days"]
    return _named(result, rows.assign(to_do=to_do, why=why)).drop(columns=hidden)


def _facts(row) -> list[str]:
    """What stands behind the signs of a line of the month's list."""
    facts = {
        "silent": lambda: say("churn.since_silent", days=int(row.recency_days), gap=row.gap_median_days),
        "renewal": lambda: say(
            "churn.reason_contract_ends" if pd.isna(row.lapse) else "churn.lapse_chance", chance=row.lapse
        ),
        "partial": lambda: say("churn.since_partial", since=row.partial_since),
    }
    return [facts[sign]() for sign in row.signs if sign in facts]


def churn_accounts(result: Churn, *actions: str) -> pd.DataFrame:
    """All accounts, or those of some actions (see :data:`kamlib.studies.churn.calls.ACTIONS`), with reasons in words.

    Those to be called stand in the order of what a call may bring, the silent by what they brought, the others by
    value at risk.
    """
    rows = result.accounts if not actions else result.accounts[result.accounts["action"].isin(actions)]
    if actions == ("call",):
        rows = rows.sort_values(["gain_of_call", "account_id"], ascending=[False, True])
    if set(actions) & {"win_back", "let_go", "decide"}:
        rows = rows.sort_values(["margin_lost", "account_id"], ascending=[False, True])
    words = rows["action"].map({code: say(f"churn.action_{code}") for code in rows["action"].unique()})
    # What the month's list says of an account is said of it everywhere.
    listed = churn_agenda(result).set_index("account_id")["to_do"]
    words = rows["account_id"].map(listed.astype(object)).where(rows["account_id"].isin(listed.index), words)
    why = _with_risk(result, _reasons(rows), rows["risk"], rows["action"] == "call")
    why[(why == "") & rows["is_judged"]] = say("churn.reason_none")
    standing = rows["status"].map({status: say(f"churn.standing_{status}") for status in STATUSES})
    why = why.where(why != "", standing)  # who is not judged has no signs, but a standing
    shown = rows.drop(columns=["reasons", "first", "last"]).assign(why=why, action=words, action_code=rows["action"])
    return _named(result, shown).reset_index(drop=True)


def _reasons(rows: pd.DataFrame) -> pd.Series:
    """The reasons of each account in words, empty where there is none."""
    told = ["; ".join(say(f"churn.reason_{code}") for code in codes) for codes in rows["reasons"]]
    return pd.Series(told, rows.index, dtype="object")


def _with_risk(result: Churn, why: pd.Series, risk: pd.Series, is_call: pd.Series) -> pd.Series:
    """Reasons, with its risk as the reason to call an account that has no other."""
    bare, mean = (why == "") & is_call.astype(bool), result.judged["risk"].mean()
    return why.mask(bare, risk[bare].map(lambda risk: say("churn.reason_risk", risk=risk, mean=mean)))


def _named(result: Churn, rows: pd.DataFrame) -> pd.DataFrame:
    """The rows with the names of accounts and managers, or their identifiers where they have none."""
    return with_managers(rows.assign(name=rows["name"].fillna(rows["account_id"])), result.managers)


def churn_standing(result: Churn) -> pd.DataFrame:
    """How many accounts still buy, are out of season, or are silent; how many are judged; and their money."""
    grouped = result.accounts.groupby("status")
    table = pd.DataFrame(
        {
            "accounts": grouped.size(),
            "judged": grouped["is_judged"].sum(),
            "margin_expected": grouped["margin_expected"].sum(),
        }
    )
    table = table.reindex([status for status in STATUSES if status in table.index])
    words = [say(f"churn.standing_{status}") for status in table.index]
    return table.reset_index(drop=True).assign(standing=words)[["standing", "accounts", "judged", "margin_expected"]]


def churn_rows(result: Churn) -> str:
    """How many accounts of the book are in this report, and how many never ordered."""
    shown = len(result.accounts)
    values = {"shown": shown, "never": result.never_ordered, "first": result.first_order, "last": result.last_order}
    return say("churn.rows" if result.never_ordered else "churn.rows_all", **values)


def churn_partial(result: Churn) -> pd.DataFrame:
    """Accounts that still order but spend less than expected, the most money gone first."""
    rows = result.accounts[result.accounts["is_partial"]].sort_values(["partial_gone", "account_id"])[::-1]
    columns = ["account_id", "name", "manager", "partial_since", "partial_ratio", "partial_gone", "recency_days"]
    return _named(result, rows)[columns].reset_index(drop=True)


def churn_methods(result: Churn) -> pd.DataFrame:
    """The table of the back-test, the best by the declared measure first: numbers, and each with its interval."""
    if not len(result.candidates):
        return pd.DataFrame(columns=METHOD_COLUMNS)
    rows = result.candidates.sort_values(result.decide_by, ascending=result.decide_by == "brier").reset_index()
    for measure, digits in MEASURES_SHOWN.items():
        scale = 100 if measure == "empc" else 1  # a small share, shown in per cent
        parts = (scale * rows[[measure, f"{measure}_low", f"{measure}_high"]]).itertuples(index=False)
        shown = [None if pd.isna(value) else _score(value, low, high, digits) for value, low, high in parts]
        rows["slope_shown" if measure == "calibration_slope" else f"{measure}_shown"] = shown
    fitted = zip(rows["fitted"], rows["asked"], strict=True)
    return rows.assign(days_fitted=[say("churn.fitted_on", fitted=f, asked=a) for f, a in fitted])


def churn_misses(result: Churn) -> pd.DataFrame:
    """The worst misses of the track record by name: accounts that fell silent at a low risk, then false alarms."""
    columns = ["account_id", "name", "said", "outcome", "margin_expected"]
    if result.record is None or not len(result.record.graded):
        return pd.DataFrame(columns=columns)
    rows = result.record.graded.join(result.accounts.set_index("account_id")["name"], on="account_id")
    rows = rows.assign(name=rows["name"].fillna(rows["account_id"]))
    gone = rows[rows["is_silent"] == 1].sort_values(["said", "account_id"])
    stayed = rows[(rows["is_silent"] == 0) & (rows["said"] >= 0.5)].sort_values(["said", "account_id"])[::-1]
    gone = gone.assign(outcome=say("churn.outcome_silent")).head(MOST_MISSES)
    stayed = stayed.assign(outcome=say("churn.outcome_bought")).head(MOST_MISSES)
    return pd.concat([gone, stayed], ignore_index=True)[columns]


def churn_drivers(result: Churn) -> pd.DataFrame:
    """Odds ratios of leaving in a month, in words."""
    odds = result.drivers.odds
    if not len(odds):
        return pd.DataFrame(columns=["driver"])
    names = [say(f"churn.driver_{name}") for name in odds.index]
    values = odds.rename(columns={"low": "odds_low", "high": "odds_high", "events": "leavings"})
    return values.reset_index(drop=True).assign(driver=names)[
        ["driver", "odds_ratio", "odds_low", "odds_high", "exposed", "leavings"]
    ]


def churn_complaints(result: Churn) -> pd.DataFrame:
    """How often accounts left by the state of their complaints, in words."""
    ages = result.drivers.complaint_ages
    if not len(ages):
        return pd.DataFrame(columns=["complaint"])
    names = [say(f"churn.complaint_state_{state}") for state in ages.index]
    values = ages.rename(columns={"low": "rate_low", "high": "rate_high", "left": "leavings"})
    values = values.reset_index(drop=True).assign(complaint=names)
    return values[["complaint", "months", "leavings", "rate", "rate_low", "rate_high"]]


def churn_open_complaints(result: Churn) -> pd.DataFrame:
    """Complaints that are open, with names, the oldest first."""
    columns = ["account_id", "name", "manager", "opened_on", "age_days", "severity"]
    if result.open_complaints is None or not len(result.open_complaints):
        return pd.DataFrame(columns=columns)
    about = result.accounts[["account_id", "name", "manager_id"]]
    return _named(result, result.open_complaints.merge(about, on="account_id", how="left"))[columns]


def churn_contracts(result: Churn) -> pd.DataFrame:
    """Contracts that end within the horizon without a successor, the first to end first, with their chances."""
    columns = ["account_id", "name", "manager", "contract_ends_on", "days_left", "annual_value", "lapse", "lapse_low",
               "lapse_high", "lapse_by_days"]  # fmt: skip
    if result.renewals is None or not len(result.renewals.ending):
        return pd.DataFrame(columns=columns)
    about = result.accounts[["account_id", "name", "manager_id"]]
    rows = result.renewals.ending.merge(about, on="account_id", how="left")
    chances = result.lapses.ending.rename(columns={"account": "code", BY_DAYS: "lapse_by_days"})
    rows = rows.merge(chances[["code", "days_left", *columns[-4:]]], on=["code", "days_left"], how="left")
    return _named(result, rows)[columns]


def churn_renewal_methods(result: Churn) -> pd.DataFrame:
    """How well earlier contracts' lapses were told by each method, with intervals."""
    if result.lapses is None or not len(result.lapses.methods):
        return pd.DataFrame(columns=["candidate", "brier_shown", "gain_shown"])
    rows = result.lapses.methods.reset_index()
    for measure in ("brier", "gain"):
        parts = rows[[measure, f"{measure}_low", f"{measure}_high"]].itertuples(index=False)
        rows[f"{measure}_shown"] = [_score(*values, 3) for values in parts]
    rows.loc[rows["candidate"] == BY_DAYS, "gain_shown"] = None
    return rows[["candidate", "brier_shown", "gain_shown"]]


def churn_largest(result: Churn) -> pd.DataFrame:
    """The largest accounts, what they bring in a year, and their risk."""
    known = result.accounts[["account_id", "name", "status"]]
    rows = result.stress.largest.merge(known, on="account_id", how="left")
    words = [say(f"churn.standing_{status}") for status in rows["status"]]
    return rows.assign(name=rows["name"].fillna(rows["account_id"]), standing=words)[
        ["account_id", "name", "margin_year", "share", "standing", "risk"]
    ]


def churn_moves(result: Churn) -> pd.DataFrame:
    """Accounts by class a year ago and now; empty where the book is too short."""
    if result.equity is None:
        return pd.DataFrame(columns=["class_before"])
    counts = result.equity.chain.counts.loc[list(result.equity.now.index)]
    return counts.rename_axis(index="class_before", columns=None).reset_index()


def _score(value: float, low: float, high: float, digits: int) -> str:
    return say("churn.score", value=value, low=low, high=high, digits=digits)
