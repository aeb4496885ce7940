"""What the segmentation study says of the rows it read, of last time's classes, and of the moves since."""

from __future__ import annotations

import numpy as np
import pandas as pd

from kamlib.reports.finding import Finding, Gate, Verdict, judge
from kamlib.reports.findings.segmentation import bought, gates, nothing
from kamlib.reports.sentences import say
from kamlib.studies.segmentation import Segmentation


def rows_read(result: Segmentation) -> list[str]:
    """How many accounts there are, how many bought, and what could not be placed: whole sentences."""
    accounts = result.accounts
    never = int((accounts["orders_ever"] == 0).sum())
    values = {"accounts": len(accounts), "bought": bought(result), "never": never}
    values["silent"] = int(((accounts["orders_ever"] > 0) & ~accounts["has_bought"]).sum())
    read = say("segmentation.rows_in", as_of=result.as_of, starts_on=result.starts_on, months=result.months, **values)
    placed = "rows_all_placed" if not result.unplaced else "rows_unplaced"
    return [read, say(f"segmentation.{placed}", amount=result.unplaced)]


def absent_tables(result: Segmentation) -> list[str]:
    """What this report shows without the tables the book has not: one whole sentence each."""
    return [
        say("findings.table_absent", table=name, consequence=say(f"segmentation.absent_{name}"))
        for name in result.absent
    ]


def class_record(result: Segmentation) -> Finding:
    """How the classes of the last report held."""
    rows = result.record.set_index("firmness")
    firm, loose = rows.loc["firm"], rows.loc["borderline"]
    if not firm["accounts"] + loose["accounts"]:
        return nothing("record", say("segmentation.record_none", then=result.then), ("K014",))
    shares = rows["kept"] / rows["accounts"].where(rows["accounts"] > 0)
    values = {"firm": int(firm["accounts"]), "loose": int(loose["accounts"]), "then": result.then}
    recomputed = Gate(result.has_said, Verdict.CAUTION, say("segmentation.record_recomputed", then=result.then))
    verdict, reason = judge(recomputed)
    return Finding(
        "segmentation.record",
        say(
            f"segmentation.{'record_firm' if values['loose'] else 'record_all_firm'}",
            firm_kept=shares["firm"],
            loose_kept=shares["borderline"],
            **values,
        ),
        None if np.isnan(shares["firm"]) else float(shares["firm"]),
        "share of accounts",
        n=int(rows["accounts"].sum()),
        verdict=verdict,
        reason=reason,
        practices=("K014",),
    )


def class_moves(result: Segmentation) -> Finding:
    """How many accounts changed class since the last period, and why."""
    moved = result.accounts[result.accounts["cause"] != ""]
    counts = moved["cause"].str.get_dummies(" + ").sum() if len(moved) else {}
    up = int((moved["abc"] < moved["previous"]).sum())
    values = {"n": len(moved), "up": up, "down": len(moved) - up, "then": result.then, "total": len(result.accounts)}
    named = ("spend", "threshold", "cuts declared anew", "data revised")
    causes = {name.replace(" ", "_"): int(counts.get(name, 0)) for name in named}
    verdict, reason = judge(*gates(result))
    return Finding(
        "segmentation.moves",
        say("segmentation.moves" if len(moved) else "segmentation.moves_none", **values, **causes),
        len(moved),
        "accounts",
        n=len(result.accounts),
        verdict=verdict,
        reason=reason,
        practices=("K014",),
    )


def segment_moves_note(result: Segmentation) -> str:
    """How many accounts changed RFM segment, and why: one whole sentence."""
    moved = result.accounts[result.accounts["rfm_cause"] != ""]
    counts = moved["rfm_cause"].str.get_dummies(" + ").sum() if len(moved) else {}
    causes = {name: int(counts.get(name, 0)) for name in ("spend", "recency", "threshold")}
    branch = "moves_rfm" if len(moved) else "moves_rfm_none"
    return say(f"segmentation.{branch}", n=len(moved), total=len(result.accounts), **causes)


def regression_note(result: Segmentation) -> str:
    """How far large accounts fall back of their own accord: one whole sentence."""
    rows = result.regression.set_index(["sorted_by", "abc"])
    after, later = rows.loc[("before", "A")], rows.loc[("after", "A")]
    if not (after["revenue_before"] > 0 and later["revenue_after"] > 0):
        return say("segmentation.regression_short")
    forward = after["revenue_after"] / after["revenue_before"] - 1
    backward = later["revenue_before"] / later["revenue_after"] - 1
    if forward < 0 and backward < 0:
        return say("segmentation.regression", fell=-forward, rose=-backward)
    return say("segmentation.regression_other", after=forward, before=backward)


def account_predictions(result: Segmentation) -> pd.DataFrame:
    """How firm each class is, for the next report to grade: the share of resampled windows in which it holds."""
    firm = result.accounts.loc[result.accounts["has_bought"], "kept_share"].dropna()
    half = 1.645 * np.sqrt(firm * (1 - firm) / result.draws)
    return pd.DataFrame(
        {
            "account_id": firm.index,
            "quantity": "class_holds",
            "horizon_days": 30 * result.step_months,
            "value": firm.to_numpy(),
            "lower": (firm - half).clip(lower=0).to_numpy(),
            "upper": (firm + half).clip(upper=1).to_numpy(),
        }
    )
