"""How likely each contract that ends is to lapse: by the days left without a successor, and by what else is known."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy.special import logit
from scipy.stats import beta

from kamlib.studies.churn.covariates import OTHER_PENALTY, OWN_PACE, OWN_PENALTY, Facts, covariates, known_contracts
from kamlib.studies.churn.labels import Silence, standing
from kamlib.studies.churn.leaderboard import gains, leaderboard
from kamlib.studies.churn.logit import Logit
from kamlib.studies.churn.renewals import GRACE_DAYS
from kamlib.studies.churn.timelines import Sales

STEP_DAYS, FIRST_DAYS, AFTER_DAYS, FEWEST = 30, 180, 180, 10
LAPSES_A_SIGN, SHARE_PENALTY = 10, 0.01
SIGNS = ("lateness", "spend_trend", "breadth_trend", "complaint_open", "threads")  # as many as the lapses allow
PLAIN, BY_DAYS, BY_SIGNS = METHODS = ("share renewed", "share by days left", "days left and signs")


@dataclass(frozen=True, eq=False)
class Lapses:
    """The chance of each contract that ends, and how such chances did on earlier days.

    Attributes
    ----------
    ending : one row per contract that ends within the horizon without a successor: account (number), days_left, lapse
        (chance that it is not renewed) with lapse_low and lapse_high, and a chance by method.
    methods : frame by method: brier, brier_low, brier_high, and gain, gain_low, gain_high in Brier score over the
        share by days left; empty where no earlier day could be tested.
    winner : the method that gives ``lapse``. signs : what it looks at beside the days left.
    lapsed : contracts that lapsed. tested, tested_lapsed : contracts tested on, and how many of them lapsed.
    lead_days : days before their end by which nine in ten of the renewed were renewed; NaN without any.
    followed : accounts whose contract lapsed half a year ago or more. kept_lapsed, kept_renewed : margin of the half
        year after the end over that of the half year before, of those and of accounts that renewed; NaN without any.
    """

    ending: pd.DataFrame
    methods: pd.DataFrame
    winner: str
    signs: tuple[str, ...]
    lapsed: int
    tested: int
    tested_lapsed: int
    lead_days: float
    followed: int
    kept_lapsed: float
    kept_renewed: float

    @property
    def is_followed(self) -> bool:
        """Whether ten lapses or more could be followed, and there are renewals to set them against."""
        return self.followed >= FEWEST and self.kept_renewed > 0 and np.isfinite(self.kept_lapsed)

    @property
    def lost_share(self) -> float:
        """Share of its margin that goes with a lapse: all of it where too few lapses could be followed."""
        return float(np.clip(1 - self.kept_lapsed / self.kept_renewed, 0, 1)) if self.is_followed else 1.0


def lapses(
    facts: Facts, silence: Silence, horizon_days: int, draws: int = 300, level: float = 0.9, seed: int = 0
) -> Lapses:
    """Learn from the contracts that ended which of those that end will lapse.

    Every 30 days back in the book the same is asked as today: of the contracts that end within the horizon and have
    no successor, which will get none? Three answers are set against what came: the share of all that lapsed; the share
    of those that had no successor either as many days before their end (Kaplan and Meier; nothing is censored, as a
    contract counts once its 60 days of grace are over); and a logit (Allison 1982) on that share and on what was known
    of the account, one sign for ten lapses. Each learns only from what was settled by the day it is asked. The logit
    speaks where its Brier score is better than that of the share.
    """
    today = facts.sales.as_of
    terms = follow_up(known_contracts(facts.contracts, today))
    days = range(today, min(facts.sales.first + FIRST_DAYS, today - 1), -STEP_DAYS)
    needed = replace(facts, surveys=None, contracts=None, assignments=None, deliveries=None)  # no sign is from these
    live, *earlier = [_asked(needed, terms, day, horizon_days, silence) for day in days]
    rows = pd.concat([live.iloc[:0], *earlier])
    tests = [day for day in days[1:] if _lapsed(rows[rows["due"] <= day]) >= LAPSES_A_SIGN]
    asked = [rows[(rows["moment"] == day) & (rows["due"] <= today)] for day in tests]
    said = pd.concat([live.iloc[:0], *(_told(terms, rows, *pair, level)[0] for pair in zip(asked, tests, strict=True))])
    card, resampled = leaderboard(said, METHODS, draws=draws, level=level, seed=seed)
    methods = card.join(gains(resampled, "brier", BY_DAYS, level)) if len(card) else card
    winner = BY_SIGNS if len(methods) and methods.loc[BY_SIGNS, "gain"] > 0 else BY_DAYS
    ending, signs = _told(terms, rows, live, today, level)
    chosen = {f"{winner}{end}": f"lapse{end}" for end in ("", "_low", "_high")}
    settled, tested = _settled(terms, today), said.drop_duplicates(["account", "due"])
    return Lapses(
        ending.assign(**{name: ending[column] for column, name in chosen.items()}),
        methods,
        winner,
        signs if winner == BY_SIGNS else (),
        int(settled["lapsed"].sum()),
        len(tested),
        int(tested["is_silent"].sum()),
        float(settled["lead_days"].quantile(0.1)),
        *_kept(facts.sales, settled[settled["ends_on"] + AFTER_DAYS <= today]),
    )


def follow_up(contracts: pd.DataFrame) -> pd.DataFrame:
    """Each contract with the day a successor was known, its days ahead of the end, and whether it lapsed by when."""
    terms = contracts.assign(known_on=contracts["signed_on"].fillna(contracts["starts_on"]))
    terms = terms.drop_duplicates(["code", "ends_on"]).reset_index(drop=True)
    pairs = terms.reset_index().merge(terms[["code", "starts_on", "ends_on", "known_on"]], on="code")
    follows = (pairs["starts_on_y"] <= pairs["ends_on_x"] + GRACE_DAYS) & (pairs["ends_on_y"] > pairs["ends_on_x"])
    renewed_on = pairs[follows].groupby("index")["known_on_y"].min().reindex(terms.index)
    lead = terms["ends_on"] - renewed_on
    lapsed = ~(lead >= -GRACE_DAYS)
    due = terms["ends_on"] + GRACE_DAYS + 1
    return terms.assign(renewed_on=renewed_on, lead_days=lead.mask(lapsed), lapsed=lapsed, due=due)


def _kept(sales: Sales, ended: pd.DataFrame) -> tuple[int, float, float]:
    """Accounts whose last contract to end lapsed, and the margin kept half a year later by those and by the others."""
    last = ended.sort_values("ends_on", kind="stable").drop_duplicates("code", keep="last").set_index("code")
    end = last["ends_on"].reindex(range(sales.purchases.size)).fillna(sales.as_of).to_numpy(float)
    sums = pd.DataFrame(
        {
            "before": sales.margin.total(end - AFTER_DAYS, end)[last.index],
            "after": sales.margin.total(end, end + AFTER_DAYS)[last.index],
        }
    ).groupby(last["lapsed"].to_numpy(bool))
    money = sums.sum().reindex([True, False])
    kept = (money["after"] / money["before"]).where(money["before"] > 0)
    return int(last["lapsed"].sum()), float(kept[True]), float(kept[False])


def _settled(terms: pd.DataFrame, moment: int) -> pd.DataFrame:
    """The contracts whose days of grace were over by a day."""
    return terms[terms["due"] <= moment]


def _asked(facts: Facts, terms: pd.DataFrame, moment: int, horizon_days: int, silence: Silence) -> pd.DataFrame:
    """The contracts without a successor that end within the horizon of a day, and what was known of the accounts."""
    is_there = terms["ends_on"].between(moment, moment + horizon_days) & (terms["known_on"] <= moment)
    is_there &= ~(terms["renewed_on"] <= moment)
    ends = terms[is_there].set_index("code")[["ends_on", "due", "lapsed"]]
    rows = standing(facts.sales, moment, horizon_days, silence).join(ends, how="inner")
    found = covariates(facts, moment, rows).filter(SIGNS).reset_index(drop=True)
    return found.assign(
        account=rows.index.to_numpy(),
        moment=moment,
        due=rows["due"].to_numpy(),
        days_left=(rows["ends_on"] - moment).to_numpy(int),
        is_silent=rows["lapsed"].to_numpy(float),
    )


def _told(terms: pd.DataFrame, rows: pd.DataFrame, asked: pd.DataFrame, moment: int, level: float):
    """What each method says of the contracts *asked* about, from what was settled by a day; and the signs weighed."""
    past = rows[rows["due"] <= moment]
    plain = shares(terms, moment, np.full(len(asked), np.inf), level)
    by_days = shares(terms, moment, asked["days_left"], level)
    model, signs = _fit(terms, past, moment, level)
    design = np.column_stack([logit(by_days[0]), asked[signs]])
    by_signs = model.probability(design), *model.interval(design, level)
    found = zip(METHODS, (plain, by_days, by_signs), strict=True)
    columns = {f"{name}{end}": v for name, each in found for end, v in zip(("", "_low", "_high"), each, strict=True)}
    return asked.assign(**columns), tuple(signs)


def _fit(terms: pd.DataFrame, past: pd.DataFrame, moment: int, level: float) -> tuple[Logit, list[str]]:
    """A logit on the share by days left and on as many signs as the lapses allow."""
    signs = [sign for sign in SIGNS if sign in past][: _lapsed(past) // LAPSES_A_SIGN]
    penalty = [SHARE_PENALTY, *(OWN_PENALTY if sign in OWN_PACE else OTHER_PENALTY for sign in signs)]
    design = np.column_stack([logit(shares(terms, moment, past["days_left"], level)[0]), past[signs]])
    return Logit.fit(design, past["is_silent"], past["account"], np.array(penalty)), signs


def _lapsed(rows: pd.DataFrame) -> int:
    """Contracts that lapsed, each once."""
    return len(rows[rows["is_silent"] == 1].drop_duplicates(["account", "due"]))


def shares(terms: pd.DataFrame, moment: int, days_left, level: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(n,) share that lapsed of the settled contracts without a successor so many days ahead, with its interval.

    Half a lapse and half a renewal are added (Jeffreys).
    """
    settled = _settled(terms, moment)
    lapsed = settled["lapsed"].sum() + 0.5
    later = np.searchsorted(np.sort(settled["lead_days"].dropna()), days_left) + 0.5
    low, high = (beta.ppf((1 + side * level) / 2, lapsed, later) for side in (-1, 1))
    return lapsed / (lapsed + later), low, high
