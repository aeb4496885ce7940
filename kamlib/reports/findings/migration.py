"""What the segmentation study says of the rows it read, of last time's classes, and of the moves since."""

from __future__ import annotations

import numpy as np
import pandas as pd

from kamlib.reports.finding import Finding, Gate, Verdict, judge
from kamlib.reports.findings.segmentation import comparable, enough, gates, nothing
from kamlib.reports.sentences import say
from kamlib.studies.segmentation import Segmentation
from kamlib.studies.segmentation.migration import FIRST, RECENCY, SPEND, THRESHOLD


def rows_read(result: Segmentation) -> list[str]:
    """How many accounts there are, how many bought, and what could not be placed: whole sentences."""
    values = {"accounts": len(result.accounts), **parts(result.accounts)}
    read = say("segmentation.rows_in", as_of=result.as_of, starts_on=result.starts_on, months=result.months, **values)
    undated = [say("segmentation.rows_undated", n=result.undated, as_of=result.as_of)] if result.undated else []
    placed = "rows_all_placed" if not result.unplaced else "rows_unplaced"
    return [read, *undated, say(f"segmentation.{placed}", amount=result.unplaced)]


def parts(accounts: pd.DataFrame) -> dict[str, int]:
    """How many accounts bought, only returned goods, fell silent, never ordered: each account is in one of them."""
    returned = accounts["has_line"] & ~accounts["has_bought"]
    before = ~accounts["has_line"] & (accounts["orders_ever"] > 0)
    never = ~accounts["has_line"] & (accounts["orders_ever"] == 0)
    flags = {"bought": accounts["has_bought"], "returned": returned, "silent": before, "never": never}
    return {name: int(flag.sum()) for name, flag in flags.items()}


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
    verdict, reason = judge(recomputed, comparable(result), enough(int(rows["accounts"].sum())))
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
    known = result.accounts[~result.accounts["is_new"]]
    moved = known[known["cause"] != ""]
    up = int((moved["abc"] < moved["previous"]).sum())
    values = {"n": len(moved), "up": up, "down": len(moved) - up, "then": result.then, "total": len(known)}
    values["new"] = int((result.accounts["is_new"] & (result.accounts["orders_ever"] > 0)).sum())
    causes = _counted(moved["cause"], {"spend": SPEND, "threshold": THRESHOLD, "both": f"{SPEND} + {THRESHOLD}"})
    causes["other"] = len(moved) - sum(causes.values())
    verdict, reason = judge(*gates(result), comparable(result))
    return Finding(
        "segmentation.moves",
        say("segmentation.moves" if len(moved) else "segmentation.moves_none", **values, **causes),
        len(moved),
        "accounts",
        n=len(known),
        verdict=verdict,
        reason=reason,
        practices=("K014",),
    )


def _counted(causes: pd.Series, named: dict[str, str]) -> dict[str, int]:
    return {key: int((causes == cause).sum()) for key, cause in named.items()}


def segment_moves_note(result: Segmentation) -> str:
    """How many accounts changed RFM segment, and why, or why that cannot be told: one whole sentence."""
    is_comparable = comparable(result)
    if not is_comparable.is_met:
        return is_comparable.reason
    known = result.accounts[~result.accounts["is_new"]]
    moved = known.loc[~known["rfm_cause"].isin(["", FIRST]), "rfm_cause"]
    causes = _counted(moved, {"spend": SPEND, "recency": RECENCY, "threshold": THRESHOLD})
    causes["several"] = len(moved) - sum(causes.values())
    branch = "moves_rfm" if len(moved) else "moves_rfm_none"
    return say(f"segmentation.{branch}", n=len(moved), total=len(known), **causes)


def regression_note(result: Segmentation) -> str:
    """How far large accounts fall back of their own accord: one whole sentence."""
    rows = result.regression.set_index(["sorted_by", "abc"])
    ends = ["change", "change_lower", "change_upper"]
    forward, later = (rows.loc[(by, "A"), ends].to_numpy(dtype=float) for by in ("before", "after"))
    if not np.isfinite([*forward, *later]).all():
        return say("segmentation.regression_short")
    backward = 1 / (1 + later[[0, 2, 1]]) - 1
    if forward[2] < 0 and backward[2] < 0:
        names = ("fell", "fell_high", "fell_low", "rose", "rose_high", "rose_low")
        return say("segmentation.regression", **dict(zip(names, [*-forward, *-backward], strict=True)))
    names = ("after", "after_low", "after_high", "before", "before_low", "before_high")
    shown = int(forward[2] < 0) + int(backward[2] < 0)
    return say("segmentation.regression_other", shown=shown, **dict(zip(names, [*forward, *backward], strict=True)))


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
