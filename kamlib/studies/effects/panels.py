"""Account × month panels made ready for a regression: columns checked, periods counted, scale chosen, rows counted.

Columns of the ready frame: ``unit`` and ``time`` (integers), ``y`` (outcome in the scale of the model), ``sales``
(outcome as given), ``x`` and ``raw`` (the same for the exposure), ``c0``, ``c1``… (covariates), ``cluster0``… .
Accounts are numbered by their data and not by their name, so that no estimate depends on how they are called.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from kamlib.errors import ModelError, RequestError

NOUNS = {"unit": "account", "time": "month"}
SCALES = ("auto", "level", "log", "log1p")
LEAST_MANAGERS = 6  # fewer clusters cannot carry an interval, not even bootstrapped
RARE_ZEROS_SHARE = 0.2  # below it a count is modelled in logs; above it, the step from 0 to 1 would be all there is
NEGATIVE_SHARE_LIMIT = 0.05  # credit months above this share are a property of the data, not an accident


@dataclass(frozen=True)
class Panel:
    """One row per account and period, ready to fit.

    Attributes
    ----------
    frame : sorted by unit and time, columns as in the module docstring
    outcome, exposure, unit, time : the caller's names
    covariates : the caller's names of ``c0``, ``c1``…
    clusters : the caller's names of ``cluster0``, ``cluster1``…
    scale : "log", "log1p", "level", or "logged" where the column came in logs already
    dropped : reason → rows left out
    """

    frame: pd.DataFrame
    outcome: str
    exposure: str
    unit: str
    time: str
    covariates: tuple[str, ...]
    clusters: tuple[str, ...]
    scale: str
    dropped: dict[str, int]

    @property
    def controls(self) -> list[str]:
        return [f"c{i}" for i in range(len(self.covariates))]

    @property
    def cluster_columns(self) -> list[str]:
        return [f"cluster{i}" for i in range(len(self.clusters))]

    def keep(self, mask: pd.Series, reason: str) -> Panel:
        """The panel without the rows where ``mask`` is False, counted under ``reason``."""
        lost = int((~mask).sum())
        if not lost:
            return self
        dropped = {**self.dropped, reason: self.dropped.get(reason, 0) + lost}
        return replace(self, frame=self.frame[mask].reset_index(drop=True), dropped=dropped)


def prepare(
    panel, outcome, exposure, *, unit, time, covariates=(), cluster=None, scale="auto", is_followed=False
) -> Panel:
    """Check a caller's frame and return a :class:`Panel`.

    ``is_followed`` keeps the periods without outcome or covariates, through which a stock of exposure has to be
    followed; :func:`with_outcome` leaves them out later.

    Raises
    ------
    RequestError
        for absent, non-numeric or infinite columns, repeated account-months, negative exposure in logs.
    ModelError
        when fewer than two accounts or two periods are left.
    """
    require_frame(panel)
    covariates = tuple(covariates)
    clusters = cluster_names(panel, unit, cluster)
    require_columns(panel, [outcome, exposure, unit, time, *covariates, *clusters])
    require_unique(panel, unit, time)
    panel = panel.reset_index(drop=True)
    frame = pd.DataFrame({"time": Calendar.of(panel[time], time).number(panel[time])})
    for name, source in {
        "y": outcome,
        "sales": outcome,
        "raw": exposure,
        **numbered("c", covariates),
    }.items():
        frame[name] = numeric(panel[source], source)
    frame["label"] = panel[unit]
    for name, source in numbered("cluster", clusters).items():
        frame[name] = panel[source].astype("object")
    ready = Panel(frame, outcome, exposure, unit, time, covariates, clusters, "level", {})
    ready = _with_exposure(ready) if is_followed else _with_exposure(with_outcome(ready))
    chosen = choose_scale(ready.frame["raw"], exposure, scale)
    return replace(ready, frame=_number_units(_in_scale(ready.frame, chosen)), scale=chosen)


def numbered(prefix: str, names) -> dict[str, str]:
    return {f"{prefix}{i}": name for i, name in enumerate(names)}


def cluster_names(panel: pd.DataFrame, unit: str, cluster) -> tuple[str, ...]:
    """Columns to cluster by: as asked, else the account and, where the panel names one, its manager."""
    if cluster is not None:
        return (cluster,) if isinstance(cluster, str) else tuple(cluster)
    has_managers = "manager_id" in panel and panel["manager_id"].nunique() >= LEAST_MANAGERS
    return (unit, "manager_id") if has_managers else (unit,)


def require_frame(panel) -> None:
    if not isinstance(panel, pd.DataFrame):
        raise RequestError(
            f"panel must be a pandas DataFrame, one row per account and period; got {type(panel).__name__}"
        )


def require_columns(panel: pd.DataFrame, names: list[str]) -> None:
    require_frame(panel)
    absent = [name for name in dict.fromkeys(names) if name not in panel.columns]
    if not absent:
        return
    columns = [str(column) for column in panel.columns]
    near = [match for name in absent for match in difflib.get_close_matches(str(name), columns, 1)]
    hint = f"; did you mean {', '.join(near)}?" if near else ""
    raise RequestError(
        f"{len(absent)} column(s) missing from the panel: {', '.join(map(str, absent))}{hint} "
        f"It holds: {', '.join(columns)}. Rename the columns, or name yours with unit= and time=."
    )


def require_unique(panel: pd.DataFrame, unit: str, time: str) -> None:
    repeated = panel.duplicated([unit, time])
    if repeated.any():
        first = panel.loc[repeated, [unit, time]].iloc[0]
        raise RequestError(
            f"{int(repeated.sum())} repeated rows of {unit} × {time}, the first {first[unit]} × {first[time]}; "
            "sum the panel to one row per account and period first"
        )


def numeric(values: pd.Series, name: str) -> pd.Series:
    """The column as floats, missing values kept; text and infinities are refused."""
    try:
        numbers = pd.to_numeric(values).astype("float64")
    except (TypeError, ValueError) as error:
        raise RequestError(f"column {name} is not numeric ({error}); convert it before asking for an effect") from error
    infinite = int(np.isinf(numbers).sum())
    if infinite:
        raise RequestError(f"column {name} holds {infinite} infinite values; leave them missing instead")
    return numbers


@dataclass(frozen=True)
class Calendar:
    """How a time column counts: integers in which neighbouring periods differ by one.

    Whole numbers (also ``yyyymm``), dates, ISO strings and pandas periods are understood. Dates are counted in months
    where no two periods share one, else in days; the common step (3 for quarters, 7 for weeks) is one period.

    Example
    -------
    >>> quarters = pd.Series(["2026-01-01", "2026-04-01", "2026-07-01"])
    >>> Calendar.of(quarters, "quarter").number(quarters).tolist()
    [0, 1, 2]
    """

    name: str
    kind: str
    origin: int
    step: int

    @classmethod
    def of(cls, times: pd.Series, name: str) -> Calendar:
        if times.empty:
            raise ModelError("the panel has no rows; take accounts and periods with orders")
        if times.isna().any():
            raise RequestError(f"{int(times.isna().sum())} rows have no {name}; drop or date them first")
        kind = _kind(times, name)
        distinct = np.unique(_ordinals(times, kind, name))
        step = int(np.gcd.reduce(np.diff(distinct))) if len(distinct) > 1 else 1
        return cls(name, kind, int(distinct[0]), step)

    def number(self, times: pd.Series) -> np.ndarray:
        """(n,) number of the period each time falls in; 0 is the first of the column the calendar was made of."""
        return (_ordinals(times, self.kind, self.name) - self.origin) // self.step


def _kind(times: pd.Series, name: str) -> str:
    if pd.api.types.is_numeric_dtype(times):
        years, months = np.divmod(_whole_numbers(times, name), 100)
        is_yyyymm = ((years >= 1900) & (years < 2200) & (months >= 1) & (months <= 12)).all()
        return "yyyymm" if is_yyyymm else "number"
    dates = _dates(times, name)
    months = dates.dt.year * 12 + dates.dt.month
    return "month" if months.nunique() == dates.nunique() else "day"


def _ordinals(times: pd.Series, kind: str, name: str) -> np.ndarray:
    if kind in ("number", "yyyymm"):
        numbers = _whole_numbers(times, name)
        return numbers if kind == "number" else numbers // 100 * 12 + numbers % 100
    dates = _dates(times, name)
    counted = dates.dt.year * 12 + dates.dt.month if kind == "month" else (dates - pd.Timestamp(0)).dt.days
    return counted.to_numpy(dtype="int64")


def _dates(times: pd.Series, name: str) -> pd.Series:
    """The start of each period as a timestamp; distinct values are converted once."""
    if pd.api.types.is_numeric_dtype(times):
        raise RequestError(f"column {name} mixes numbers and dates; give all periods in the same terms")
    distinct = pd.Series(times.unique())
    starts = distinct.map(lambda value: value.start_time if isinstance(value, pd.Period) else value)
    try:
        dates = pd.to_datetime(starts).dt.tz_localize(None)
    except (TypeError, ValueError, AttributeError) as error:
        raise RequestError(f"column {name} holds neither dates nor whole numbers ({error})") from error
    return pd.Series(dates.to_numpy()[pd.Index(distinct).get_indexer(times)])


def _whole_numbers(times: pd.Series, name: str) -> np.ndarray:
    if not pd.api.types.is_numeric_dtype(times):
        raise RequestError(f"column {name} mixes numbers and dates; give all periods in the same terms")
    numbers = times.to_numpy(dtype="float64")
    if (numbers != np.round(numbers)).any():
        raise RequestError(f"column {name} holds fractions; periods are whole numbers or dates")
    return numbers.astype("int64")


def choose_scale(exposure: pd.Series, name: str, scale: str) -> str:
    """The scale the exposure enters in.

    "auto": a column whose name says it holds logs stays as it is; an exposure that is never zero enters as its log
    (the estimate is an elasticity); a count with zeros in fewer than one row in five as log(1 + count); anything
    else as its level (the estimate is the effect of one more visit). The outcome is never shifted: log(y + 1) is
    not on offer.
    """
    if scale not in SCALES:
        raise RequestError(f"scale must be one of {', '.join(SCALES)}; got {scale!r}")
    if scale == "auto":
        return _natural_scale(exposure, name)
    if scale == "log" and (exposure == 0).any() and (exposure >= 0).all():
        zeros = int((exposure == 0).sum())
        raise RequestError(f"{zeros} rows of {name} are zero and have no log; use scale='log1p' or scale='level'")
    if scale in ("log", "log1p") and (exposure < 0).any():
        raise RequestError(
            f"{int((exposure < 0).sum())} rows of {name} are negative and have no log; use scale='level'"
        )
    return scale


def _natural_scale(exposure: pd.Series, name: str) -> str:
    if str(name).lower().startswith(("log_", "ln_", "log1p_")):
        return "logged"
    if (exposure > 0).all():
        return "log"
    is_count = (exposure >= 0).all() and (exposure == exposure.round()).all()
    zeros_are_rare = (exposure == 0).mean() < RARE_ZEROS_SHARE
    return "log1p" if is_count and zeros_are_rare and exposure.max() > 1 else "level"


def in_scale(values, scale: str):
    """Exposure as given → exposure as the model sees it."""
    return {"log": np.log, "log1p": np.log1p}.get(scale, np.asarray)(values)


def elasticity_factor(panel: Panel, outcome_scale: str) -> float:
    """Elasticity per unit of the estimate; weighted by outcome, since that is what the total responds with."""
    raw, sales = panel.frame["raw"], panel.frame["sales"]
    if outcome_scale == "level":
        return float(raw.mean() / sales.mean())
    weights = None if outcome_scale == "logged" else sales
    share = {"level": raw, "log1p": raw / (1 + raw)}.get(panel.scale, raw**0)
    return float(np.average(share, weights=weights))


def _in_scale(frame: pd.DataFrame, scale: str) -> pd.DataFrame:
    return frame.assign(x=in_scale(frame["raw"].to_numpy(), scale))


def with_outcome(panel: Panel) -> Panel:
    """Leave out the periods without outcome or without one of the covariates."""
    for column, source in {"y": panel.outcome, **numbered("c", panel.covariates)}.items():
        panel = panel.keep(panel.frame[column].notna(), f"no {source}")
    return panel


def _with_exposure(panel: Panel) -> Panel:
    panel = panel.keep(panel.frame["raw"].notna(), f"no {panel.exposure}")
    panel = panel.keep(panel.frame["label"].notna(), f"no {panel.unit}")
    if panel.frame["label"].nunique() < 2 or panel.frame["time"].nunique() < 2:
        raise ModelError(
            f"an effect needs at least 2 accounts and 2 periods with both {panel.outcome} and {panel.exposure}; "
            f"{panel.frame['label'].nunique()} accounts × {panel.frame['time'].nunique()} periods are left"
        )
    return panel


def _number_units(frame: pd.DataFrame) -> pd.DataFrame:
    """Number accounts by their data, ties by label, sort by account and period, and number clusters in that order.

    Numbered so, neither the order of the rows nor the names of managers decide the draws of a bootstrap.
    """
    accounts = frame.groupby("label").agg(
        y=("y", "sum"), raw=("raw", "sum"), first=("time", "min"), rows=("time", "size")
    )
    order = accounts.reset_index().sort_values(["y", "raw", "first", "rows", "label"])["label"]
    unit = frame["label"].map(pd.Series(np.arange(len(order)), index=order.to_numpy()))
    frame = frame.assign(unit=unit.astype("int64")).sort_values(["unit", "time"], ignore_index=True)
    clusters = [name for name in frame if name.startswith("cluster")]
    return frame.assign(**{name: pd.factorize(frame[name], use_na_sentinel=False)[0] for name in clusters})


def non_negative(panel: Panel) -> Panel:
    """Leave out months whose outcome is negative (credits above sales): no Poisson mean can describe them."""
    negative = panel.frame["y"] < 0
    if negative.mean() > NEGATIVE_SHARE_LIMIT:
        raise ModelError(
            f"{int(negative.sum())} of {len(negative)} rows have a negative {panel.outcome}; "
            "book credits in the month of their order, or use method='ols_fe'"
        )
    return panel.keep(~negative, f"negative {panel.outcome}")


def informative(panel: Panel) -> Panel:
    """Leave out what account and month effects fit perfectly: all-zero accounts and months, and single rows."""
    while True:
        rows = len(panel.frame)
        for column, noun in NOUNS.items():
            has_outcome = panel.frame.groupby(column)["y"].transform("sum") > 0
            panel = panel.keep(has_outcome, f"{noun} whose {panel.outcome} is always zero")
        panel = seen_twice(panel)
        if len(panel.frame) == rows:
            return panel


def seen_twice(panel: Panel) -> Panel:
    """Leave out accounts and months with a single row: their effect fits it perfectly."""
    while True:
        rows = len(panel.frame)
        for column, noun in NOUNS.items():
            panel = panel.keep(panel.frame.groupby(column)["y"].transform("size") > 1, f"{noun} with a single row")
        if len(panel.frame) == rows:
            return panel


def shifted(frame: pd.DataFrame, column: str, periods: int) -> np.ndarray:
    """The column ``periods`` later (negative: earlier) in the same account, NaN where the frame lacks that month."""
    later = frame[["unit", "time", column]].assign(time=frame["time"] - periods)
    return frame[["unit", "time"]].merge(later, how="left", on=["unit", "time"])[column].to_numpy()
