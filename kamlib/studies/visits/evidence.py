"""What one book can say about the effect of visits: power, ladder, placebos, carry-over, classes, levels."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from kamlib.errors import ModelError, RequestError
from kamlib.studies.classes import abc
from kamlib.studies.effects import (
    ClassEffects,
    DetectableEffect,
    Effect,
    LeadPlacebo,
    PermutedVisits,
    by_class,
    effect,
    lead_placebo,
    permuted_visits,
    smallest_detectable_effect,
)
from kamlib.studies.effects.carryover import adstock

SCALE = "log1p"  # concave in visits, as a response curve must be: the tenth visit brings less than the first
RUNGS = ("pooled", "ols_fe", "ppml_fe", "adstock")
FURTHER = ("ladder", "power", "classes", "levels")
BURN_IN_MONTHS = 3
CLASS_MONTHS = 12
NEW = "new"
LEAST_ACCOUNTS, LEAST_MONTHS = 30, 12
PEER_ALPHA = 0.01  # a second placebo at 5 % would refuse too many sound books
MOST_PERMUTED_ACCOUNTS = 1500  # shuffling a random part of the accounts tests the same method, in bounded time


@dataclass(frozen=True, eq=False)
class Evidence:
    """What the panel says.

    Attributes
    ----------
    accounts, months : how many are in the panel. clipped : account-months whose returns exceeded sales, taken as 0.
    ladder : one row per rung: method, elasticity, low, high (percent of revenue for one percent of visits), n,
        n_accounts, reason (why a rung has no figure). The carry-over has two rows, adstock and long_run.
    detectable : the smallest effect that could have been seen. lead, permuted : the two placebo tests.
    peer_p : p-value of the placebo outcome, the sales of another account of the same industry.
    carry : the fixed-effects Poisson regression with carry-over. classes : its long run by class of account.
    class_of : class by account, from the revenue of the first months, which the class effects leave out.
    levels : one row per visitor level: level, visits, per_visit, low, high (share of revenue per further visit
        a month).
    refused : step → why it could not be taken. Any of the above is None or empty where its step was refused.
    """

    accounts: int
    months: int
    clipped: int
    ladder: pd.DataFrame
    detectable: DetectableEffect | None
    lead: LeadPlacebo | None
    permuted: PermutedVisits | None
    peer_p: float
    carry: Effect | None
    classes: ClassEffects | None
    class_of: pd.Series
    levels: pd.DataFrame
    refused: Mapping[str, str]

    @property
    def failed(self) -> tuple[str, ...]:
        """Gates that are not passed, so that no effect may be claimed and no plan drawn from the estimate.

        few_accounts, few_months, no_estimate, lead (future visits explain sales), lead_untested, permuted, peers.
        """
        used = self.carry.n_accounts if self.carry else 0
        gates = {
            "no_estimate": self.carry is None,
            "few_accounts": 0 < used < LEAST_ACCOUNTS,
            "few_months": self.carry is not None and self.months < LEAST_MONTHS,
            "lead": self.lead is not None and not self.lead.passed,
            "lead_untested": self.carry is not None and self.lead is None,
            "permuted": self.permuted is not None and not self.permuted.passed,
            "peers": bool(self.peer_p < PEER_ALPHA),
        }
        return tuple(name for name, has_failed in gates.items() if has_failed)

    @property
    def long_run(self) -> tuple[float, float, float]:
        """Elasticity of a lasting change of visits, with its interval; NaN where it could not be estimated."""
        row = self.ladder[self.ladder["method"] == "long_run"]
        return tuple(row[["elasticity", "low", "high"]].iloc[0]) if len(row) else (np.nan,) * 3


def weigh(
    panel: pd.DataFrame,
    cuts: Sequence[float] = (0.8, 0.95),
    level: float = 0.9,
    draws: int = 20,
    seed: int = 0,
    partialling: bool = False,
    further: Collection[str] = FURTHER,
) -> Evidence:
    """Take every step that the panel allows, and keep the reason of each that it does not.

    Parameters
    ----------
    panel : account × month with revenue, visits, optionally visits by level, industry and manager_id
    cuts : of the classes A and B. level : of all intervals. draws, seed : of the shuffled visits.
    partialling : add the rung of machine learning, which is slow
    further : of ladder, power, classes and levels, those to take; what the gates need is always taken

    Examples
    --------
    >>> weigh(visits.panel(book)).ladder  # doctest: +SKIP
    """
    panel = panel[panel["visits"].notna()].reset_index(drop=True)
    clipped = int((panel["revenue"] < 0).sum())
    panel = panel.assign(revenue=panel["revenue"].clip(lower=0))
    tries = _Tries()
    rungs = RUNGS if "ladder" in further else ("adstock",)
    rungs = (*rungs, "dml") if partialling else rungs
    found = {name: tries(name, lambda n=name: effect(panel, method=n, scale=SCALE, level=level)) for name in rungs}
    carry, class_of = found["adstock"], classify(panel, cuts)
    stocked = with_stocks(panel, carry.diagnostics["lambda"]) if carry else panel.assign(stock=np.nan)
    return Evidence(
        accounts=panel["account_id"].nunique(),
        months=panel["month"].nunique(),
        clipped=clipped,
        ladder=_ladder(found, tries.refused),
        detectable=tries("power", lambda: smallest_detectable_effect(panel, scale=SCALE, level=level))
        if "power" in further
        else None,
        lead=tries("lead", lambda: lead_placebo(panel, scale=SCALE, level=level)),
        permuted=tries("permuted", lambda: _permuted(panel, draws, level, seed)),
        peer_p=tries("peers", lambda: peer_placebo(panel)) or np.nan,
        carry=carry,
        classes=tries("classes", lambda: class_effects(stocked, class_of, level))
        if carry and "classes" in further
        else None,
        class_of=class_of,
        levels=_levels(stocked, level, tries) if carry and "levels" in further else pd.DataFrame(),
        refused=tries.refused,
    )


def long_run(panel: pd.DataFrame, level: float) -> tuple[float, float, float] | None:
    """Elasticity of a lasting change of visits with its interval; None where the panel does not tell."""
    panel = panel[panel["visits"].notna()]
    try:
        carry = effect(panel.assign(revenue=panel["revenue"].clip(lower=0)), method="adstock", scale=SCALE, level=level)
    except (ModelError, RequestError):
        return None
    return tuple(_long_run(carry).values())


class _Tries:
    """Steps taken, and why some were not: a panel too poor for one step may do for another."""

    def __init__(self):
        self.refused: dict[str, str] = {}

    def __call__(self, name: str, step: Callable):
        try:
            return step()
        except (ModelError, RequestError) as error:
            self.refused[name] = str(error)
            return None


def _ladder(found: Mapping[str, Effect | None], refused: Mapping[str, str]) -> pd.DataFrame:
    rows = []
    for method, one in found.items():
        row = {"method": method, "elasticity": np.nan, "low": np.nan, "high": np.nan, "n": 0, "n_accounts": 0}
        if one:
            row |= dict(zip(("elasticity", "low", "high"), (one.elasticity, *one.elasticity_interval), strict=True))
            row |= {"n": one.n, "n_accounts": one.n_accounts}
        rows.append(row | {"reason": refused.get(method, "")})
        if one and method == "adstock":
            rows.append(rows[-1] | {"method": "long_run"} | _long_run(one))
    return pd.DataFrame(rows)


def _long_run(carry: Effect) -> dict[str, float]:
    lasting = carry.diagnostics["long_run"]
    factor = carry.diagnostics["long_run_elasticity"] / lasting["estimate"]
    low, high = (end * factor for end in lasting["interval"])
    return {"elasticity": carry.diagnostics["long_run_elasticity"], "low": low, "high": high}


def _permuted(panel: pd.DataFrame, draws: int, level: float, seed: int) -> PermutedVisits:
    accounts = np.sort(panel["account_id"].unique())
    if len(accounts) > MOST_PERMUTED_ACCOUNTS:
        chosen = np.random.default_rng(seed).choice(accounts, MOST_PERMUTED_ACCOUNTS, replace=False)
        panel = panel[panel["account_id"].isin(chosen)]
    return permuted_visits(panel, draws=draws, seed=seed, scale=SCALE, level=level)


def peer_placebo(panel: pd.DataFrame) -> float:
    """p-value that visits to an account "explain" the sales of another one of its industry, which they cannot.

    What is left over then is a shock common to both that visits follow, such as a season of the industry. The peer
    is the next account by identifier, within the industry where the panel names one.

    Raises
    ------
    ModelError
        when the regression cannot be fitted.
    """
    by = ["industry"] if "industry" in panel else []
    accounts = panel.drop_duplicates("account_id").sort_values([*by, "account_id"])
    groups = accounts.groupby(by, dropna=False)["account_id"] if by else accounts.groupby(lambda _: 0)["account_id"]
    peer = groups.shift(-1).fillna(groups.transform("first"))
    pairs = pd.Series(peer.to_numpy(), index=accounts["account_id"])
    pairs = pairs[pairs != pairs.index]
    sales = panel.set_index(["account_id", "month"])["revenue"]
    wanted = pd.MultiIndex.from_arrays([panel["account_id"].map(pairs), panel["month"]])
    mixed = panel.assign(revenue=sales.reindex(wanted).to_numpy())
    return effect(mixed, method="ppml_fe", scale=SCALE).p_value


def classify(panel: pd.DataFrame, cuts: Sequence[float]) -> pd.Series:
    """Class A, B or C by the revenue of the first year (at most a third of the months), ``new`` without it.

    Classes must not look at the months in which the effect is estimated: an account whose sales jumped then would
    be called large for the jump itself.
    """
    opening = panel[panel["month"].isin(_opening(panel))]
    revenue = opening.groupby("account_id")["revenue"].sum()
    letters = abc(revenue, cuts) if len(revenue) else pd.Series(dtype=object)
    return letters.reindex(np.sort(panel["account_id"].unique())).fillna(NEW).rename("class")


def _opening(panel: pd.DataFrame) -> np.ndarray:
    months = np.sort(panel["month"].unique())
    return months[: min(CLASS_MONTHS, len(months) // 3)]


def with_stocks(panel: pd.DataFrame, carry: float) -> pd.DataFrame:
    """The panel with ``stock`` of all visits and ``stock_<level>`` of those by level, missing in the first months."""
    position = panel.groupby("account_id").cumcount().to_numpy()
    stocks = {}
    for column in ["visits", *_level_columns(panel)]:
        before = panel.groupby("account_id")[column].transform("mean").to_numpy()
        stock = adstock(panel[column].to_numpy(), position, carry, before)
        stocks[column.replace("visits", "stock")] = np.where(position < BURN_IN_MONTHS, np.nan, stock)
    return panel.assign(**stocks)


def _level_columns(panel: pd.DataFrame) -> list[str]:
    return [c for c in panel if c.startswith("visits_") and panel[c].sum() > 0]


def class_effects(stocked: pd.DataFrame, class_of: pd.Series, level: float) -> ClassEffects:
    """Long-run effect per class, partially pooled, on the months after those that made the classes.

    Raises
    ------
    ModelError
        when no class can be estimated.
    """
    later = stocked[~stocked["month"].isin(_opening(stocked))]
    later = later.assign(**{"class": later["account_id"].map(class_of)})
    return by_class(later, exposure="stock", by="class", scale=SCALE, level=level)


def _levels(stocked: pd.DataFrame, level: float, tries: _Tries) -> pd.DataFrame:
    """What one more visit a month brings, by who makes it, the visits of the others held constant."""
    columns = [c.replace("visits", "stock") for c in _level_columns(stocked)]
    logs = stocked.assign(**{f"log1p_{c}": np.log1p(stocked[c]) for c in columns})
    rows = []
    for column in columns:
        others = tuple(f"log1p_{c}" for c in columns if c != column)
        name = column.removeprefix("stock_")
        one = tries(
            f"level {name}",
            lambda c=column, o=others: effect(logs, exposure=c, covariates=o, scale=SCALE, level=level),
        )
        if one:
            step = np.log1p(1 / (1 + stocked[column].mean()))
            values = np.expm1(step * np.array([one.estimate, *one.interval]))
            count = int(stocked[column.replace("stock", "visits")].sum())
            rows.append({"visitor": name, "visits": count, "per_visit": values[0], "low": values[1], "high": values[2]})
    return pd.DataFrame(rows)
