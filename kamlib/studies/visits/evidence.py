"""What one book can say about the effect of visits: power, ladder, placebos, carry-over, classes, levels."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from kamlib.errors import ModelError, RequestError
from kamlib.studies.classes import abc
from kamlib.studies.effects import (
    ClassEffects,
    DetectableEffect,
    Effect,
    LeadPlacebo,
    PermutedVisits,
    Targeting,
    by_class,
    effect,
    lead_placebo,
    permuted_visits,
    smallest_detectable_effect,
    targeting_test,
)
from kamlib.studies.visits.kinds import CHANNELS, LEVELS, by_kind, with_stocks

SCALE = "log1p"  # concave in visits, as a response curve must be: the tenth visit brings less than the first
RUNGS = ("pooled", "ols_fe", "ppml_fe", "adstock")
FURTHER = ("ladder", "power", "classes", "levels", "channels")
CLASS_MONTHS = 12
NEW = "new"
LEAST_ACCOUNTS, LEAST_MONTHS = 30, 12
# Of a hundred sound books ten at most are refused, however the tests hang together (Bonferroni): 4 each by the two
# tests of targeting, which is what makes effects where there are none, 1 each by the two of the method.
LEAD_ALPHA = TARGETING_ALPHA = 0.04
PEER_ALPHA = 0.01
MOST_PERMUTED_ACCOUNTS = 400  # shuffling a random part of the accounts tests the same method, in bounded time
MOST_LEARNED_ACCOUNTS = 1000  # and so does learning from a random part


@dataclass(frozen=True, eq=False)
class Evidence:
    """What the panel says.

    Attributes
    ----------
    accounts, months : how many are in the panel. clipped : account-months whose returns exceeded sales, taken as 0.
    ladder : one row per rung: method, elasticity, low, high (percent of revenue for one percent of visits), n,
        n_accounts, reason (why a rung has no figure). The carry-over has two rows, adstock and long_run.
    detectable : the smallest effect that could have been seen. lead, permuted : the two placebo tests.
    targeting : whether visits follow the sales of the month before.
    peer_p : p-value of the placebo outcome, the sales of another account of the same industry.
    carry : the fixed-effects Poisson regression with carry-over. classes : its long run by class of account.
    class_of : class by account, from the revenue of the first months, which the class effects leave out.
    levels, channels : one row per visitor level, and per channel of all contacts, against the most frequent one; as
        :func:`kamlib.studies.visits.kinds.by_kind`.
    refused : step → why it could not be taken. Any of the above is None or empty where its step was refused.
    """

    accounts: int
    months: int
    clipped: int
    ladder: pd.DataFrame
    detectable: DetectableEffect | None
    lead: LeadPlacebo | None
    targeting: Targeting | None
    permuted: PermutedVisits | None
    peer_p: float
    carry: Effect | None
    classes: ClassEffects | None
    class_of: pd.Series
    levels: pd.DataFrame
    channels: pd.DataFrame
    refused: Mapping[str, str]

    @property
    def failed(self) -> tuple[str, ...]:
        """Gates that are not passed, so that no effect may be claimed and no plan drawn from the estimate.

        few_accounts, few_months, no_estimate, lead (future visits explain sales), targeting (visits
        follow sales), lead_untested (one of these two could not be tested), permuted, peers.
        """
        used = self.carry.n_accounts if self.carry else 0
        gates = {
            "no_estimate": self.carry is None,
            "few_accounts": 0 < used < LEAST_ACCOUNTS,
            "few_months": self.carry is not None and self.months < LEAST_MONTHS,
            "lead": self.lead is not None and not self.lead.passed,
            "targeting": self.targeting is not None and not self.targeting.passed,
            "lead_untested": self.carry is not None and (self.lead is None or self.targeting is None),
            "permuted": self.permuted is not None and not self.permuted.passed,
            "peers": bool(self.peer_p < PEER_ALPHA),
        }
        return tuple(name for name, has_failed in gates.items() if has_failed)

    @property
    def untested(self) -> tuple[str, ...]:
        """Tests of the method that could not be made, permuted or peers: not passed, and not failed either."""
        made = {"permuted": self.permuted is not None, "peers": bool(np.isfinite(self.peer_p))}
        return tuple(name for name, is_made in made.items() if self.carry is not None and not is_made)

    @property
    def lead_seen(self) -> float:
        """Elasticity of next month's visits that the lead placebo would have seen four times in five; NaN untested."""
        if self.lead is None or self.carry is None or not self.carry.estimate:
            return np.nan
        next_month = self.lead.estimates.iloc[0]
        reach = stats.norm.ppf(1 - self.lead.alpha / 2) + stats.norm.ppf(0.8)
        return float(reach * next_month["standard_error"] * self.carry.elasticity / self.carry.estimate)

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
    panel : account × month with revenue, visits, optionally visits by level, contacts by channel, industry, manager_id
    cuts : of the classes A and B. level : of all intervals. draws, seed : of the shuffled visits.
    partialling : add the rung of machine learning, on at most 1,000 accounts; some seconds
    further : of ladder, power, classes, levels and channels, those to take; what the gates need is always taken

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
    parts = {"dml": some_accounts(panel, MOST_LEARNED_ACCOUNTS, seed)} if partialling else {}
    found = {
        name: tries(name, lambda n=name: effect(parts.get(n, panel), method=n, scale=SCALE, level=level))
        for name in rungs
    }
    carry, class_of = found["adstock"], classify(panel, cuts)
    stocked = with_stocks(panel, carry.diagnostics["lambda"]) if carry else panel.assign(stock=np.nan)

    def kinds(name: str, prefix: str) -> pd.DataFrame:
        is_wanted = carry and name in further
        return by_kind(stocked, prefix, SCALE, level, tries) if is_wanted else pd.DataFrame()

    return Evidence(
        accounts=panel["account_id"].nunique(),
        months=panel["month"].nunique(),
        clipped=clipped,
        ladder=_ladder(found, tries.refused),
        detectable=tries("power", lambda: smallest_detectable_effect(panel, scale=SCALE, level=level))
        if "power" in further
        else None,
        lead=tries("lead", lambda: lead_placebo(panel, scale=SCALE, level=level, alpha=LEAD_ALPHA)),
        targeting=tries("targeting", lambda: targeting_test(panel, scale=SCALE, level=level, alpha=TARGETING_ALPHA)),
        permuted=tries("permuted", lambda: _permuted(panel, draws, level, seed)),
        peer_p=_or_nan(tries("peers", lambda: peer_placebo(panel))),
        carry=carry,
        classes=tries("classes", lambda: class_effects(stocked, class_of, level))
        if carry and "classes" in further
        else None,
        class_of=class_of,
        levels=kinds("levels", LEVELS),
        channels=kinds("channels", CHANNELS),
        refused=tries.refused,
    )


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
    low, high = carry.diagnostics["long_run_elasticity_interval"]
    return {"elasticity": carry.diagnostics["long_run_elasticity"], "low": low, "high": high}


def _or_nan(value: float | None) -> float:
    return np.nan if value is None else value


def _permuted(panel: pd.DataFrame, draws: int, level: float, seed: int) -> PermutedVisits:
    panel = some_accounts(panel, MOST_PERMUTED_ACCOUNTS, seed)
    return permuted_visits(panel, draws=draws, seed=seed, scale=SCALE, level=level)


def some_accounts(panel: pd.DataFrame, most: int, seed: int) -> pd.DataFrame:
    """The panel, or that of ``most`` accounts drawn at random where it has more."""
    accounts = np.sort(panel["account_id"].unique())
    if len(accounts) <= most:
        return panel
    chosen = np.random.default_rng(seed).choice(accounts, most, replace=False)
    return panel[panel["account_id"].isin(chosen)]


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


def class_effects(stocked: pd.DataFrame, class_of: pd.Series, level: float) -> ClassEffects:
    """Long-run effect per class, partially pooled, on the months after those that made the classes.

    All classes share the carry-over of the whole, taken as known: it moves them together, and here they are compared.

    Raises
    ------
    ModelError
        when no class can be estimated.
    """
    later = stocked[~stocked["month"].isin(_opening(stocked))]
    later = later.assign(**{"class": later["account_id"].map(class_of)})
    return by_class(later, exposure="stock", by="class", scale=SCALE, level=level)
