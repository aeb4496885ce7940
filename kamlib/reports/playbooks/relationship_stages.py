"""What the playbook of relationships says: who stands where, what it takes, how deep it goes and whether that keeps."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd

from kamlib.book.store import Book
from kamlib.reports.finding import Finding, Verdict
from kamlib.reports.playbooks.said import of_year, said
from kamlib.reports.sentences import say
from kamlib.studies.plans.relationship_stages import FEWEST_SIGNS, SIGNS, StagePlan

STAGE_COLUMNS = ["stage", "work", "accounts", "key_accounts", "revenue_of_year", "hours_each", "cases_each", "depth"]
SIGN_COLUMNS = ["sign", "share", "n"]
DEPTH_COLUMNS = ["name", "stage", "revenue_of_year", "shown", "tellable"]
UNSETTLED_COLUMNS = ["name", "stage", "case_id", "opened_on"]
FEWEST = 10
_NONE = Verdict.NO_CONCLUSION


def stages(result: StagePlan) -> Finding:
    """How many key accounts are in each stage."""
    keys = result.deepest
    practices, n = ("K023",), len(keys)
    if not n:
        return said("relationship_stages.stages_none", n=0, practices=practices, verdict=_NONE)
    if n == 1:
        stage = say(f"relationship_stages.name_{keys['stage'].iloc[0]}")
        return said("relationship_stages.stages_single", 1, "key accounts", 1, practices=practices, stage=stage)
    counts = {stage: int((keys["stage"] == stage).sum()) for stage in ("build", "stable", "strengthen")}
    do = "relationship_stages.do_stages"
    return said("relationship_stages.stages_some", n, "key accounts", n, do, practices, **counts)


def effort(result: StagePlan) -> Finding:
    """Whether an account being built takes more hours than one in a later stage."""
    practices, rows = ("K023",), result.stages.set_index("stage").dropna(subset=["hours_each"])
    later = rows.reindex(["stable", "strengthen"]).dropna(subset=["hours_each"])
    if "build" not in rows.index or later.empty:
        return said("relationship_stages.effort_absent", n=0, practices=practices, verdict=_NONE)
    mean = float((later["hours_each"] * later["accounts"]).sum() / later["accounts"].sum())
    build = float(rows.loc["build", "hours_each"])
    values = {"build": build, "later": mean, "practices": practices}
    n = int(rows.loc["build", "accounts"] + later["accounts"].sum())
    if build > mean:
        return said("relationship_stages.effort_more", build, "hours a year", n, **values)
    do = "relationship_stages.do_effort_less"
    return said("relationship_stages.effort_less", build, "hours a year", n, do, **values)


def stage_table(result: StagePlan) -> pd.DataFrame:
    """The stages with what each asks for and what it took."""
    rows = result.stages
    work = [say(f"relationship_stages.work_{stage}") for stage in rows["stage"]]
    told = rows["depth"] if _can_tell(result) else float("nan")
    return _named(of_year(rows).assign(work=work, depth=told))


def unsettled(result: StagePlan, book: Book) -> Finding:
    """How many complaints of established key accounts wait beyond the time allowed."""
    practices, n = ("K023",), len(result.unsettled)
    values = {"days": int(book.settings.value("case_answer_days")), "practices": practices}
    if not book.has("cases"):
        return said("relationship_stages.unsettled_absent", n=0, practices=practices, verdict=_NONE)
    if not n:
        return said("relationship_stages.unsettled_none", 0, "complaints", 0, **values)
    first, do = result.unsettled["name"].iloc[0], "relationship_stages.do_unsettled"
    branch = "one" if n == 1 else "some"
    return said(f"relationship_stages.unsettled_{branch}", n, "complaints", n, do, first=first, **values)


def unsettled_table(result: StagePlan) -> pd.DataFrame:
    """Those complaints, the oldest first."""
    return _named(result.unsettled)


def depth(result: StagePlan) -> Finding:
    """How many signs of depth a key account shows, and which is seen least."""
    practices, keys = ("K098",), result.deepest
    if keys.empty:
        return said("relationship_stages.depth_none", n=0, practices=practices, verdict=_NONE)
    tellable = int(keys["tellable"].iloc[0])
    if not _can_tell(result):
        values = {"tellable": tellable, "all": len(SIGNS), "practices": practices}
        return said("relationship_stages.depth_few", verdict=_NONE, **values)
    least = result.signs.loc[result.signs["share"].idxmin()]
    values = {"median": keys["shown"].median(), "tellable": tellable, "share": least["share"], "practices": practices}
    sign = say(f"relationship_stages.sign_{least['sign']}")
    do = "relationship_stages.do_depth"
    return said("relationship_stages.depth_some", float(values["median"]), "signs", len(keys), do, sign=sign, **values)


def sign_table(result: StagePlan) -> pd.DataFrame:
    """The signs and the share of key accounts that show each."""
    return result.signs.assign(sign=[say(f"relationship_stages.sign_{sign}") for sign in result.signs["sign"]])


def depth_table(result: StagePlan) -> pd.DataFrame:
    """The key accounts, the deepest relationships first; none where the book tells too few signs."""
    return _named(of_year(result.deepest if _can_tell(result) else result.deepest.head(0)))


def kept(result: StagePlan) -> Finding:
    """Whether the deeper relationships of a year before were kept more often than the others."""
    practices, deep, shallow = ("K098",), result.kept_deep, result.kept_shallow
    counts = {"deep_n": deep.n, "shallow_n": shallow.n, "practices": practices}
    if min(deep.n, shallow.n) < FEWEST:
        return said("relationship_stages.kept_few", verdict=_NONE, **counts)
    gap, low, high = result.gap
    values = {"deep": deep.value, "shallow": shallow.value, "gap": gap, "low": low, "high": high} | counts
    branch = "unclear" if low <= 0 <= high else "clear"
    n = deep.n + shallow.n
    made = said(f"relationship_stages.kept_{branch}", gap, "share of accounts", n, **values)
    verdict = _NONE if branch == "unclear" else Verdict.CAUTION
    return replace(
        made, interval=(low, high), level=0.9, verdict=verdict, reason=say("relationship_stages.kept_caution")
    )


def _can_tell(result: StagePlan) -> bool:
    """Whether the book tells enough signs to say how deep a relationship goes."""
    return bool((result.deepest["tellable"] >= FEWEST_SIGNS).any())


def _named(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.assign(stage=[say(f"relationship_stages.name_{stage}") for stage in rows["stage"]])
