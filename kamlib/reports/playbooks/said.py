"""A finding of a playbook from the key of its sentence, and the period in the labels of its tables."""

from __future__ import annotations

import pandas as pd

from kamlib.reports.finding import Finding, Verdict
from kamlib.reports.sentences import say


def said(
    key: str,
    value: float | None = None,
    unit: str = "",
    n: int | None = None,
    decision: str = "",
    practices: tuple[str, ...] = (),
    verdict: Verdict = Verdict.USABLE,
    topic: str = "",
    **values,
) -> Finding:
    """The finding ``playbook.topic`` whose sentence is ``playbook.key``.

    Parameters
    ----------
    key : key of the sentence. topic : the part of the identifier after the point, the key's own up to its first
        underscore where not given. decision : key of what to do, empty where nothing is to be done.
    verdict : where it is below usable, the sentence is also the reason. value, n, values : what the sentence names.

    Examples
    --------
    >>> said("contact_cadence.principles_absent", verdict=Verdict.NO_CONCLUSION).id
    'contact_cadence.principles'
    """
    if verdict is Verdict.NO_CONCLUSION and n is None:
        n = 0  # nothing to judge by: the page lists it last, and folds a chapter that has nothing else
    playbook, branch = key.split(".")
    values = {"n": n, "value": value, **values}
    sentence = say(key, **values)
    return Finding(
        f"{playbook}.{topic or branch.split('_')[0]}",
        sentence,
        value,
        unit,
        n=n,
        verdict=verdict,
        reason=sentence if verdict is not Verdict.USABLE else "",
        decision=say(decision, **values) if decision else "",
        practices=practices,
    )


def of_year(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows with ``revenue`` under the name whose label says that it is of twelve months.

    Examples
    --------
    >>> of_year(pd.DataFrame({"revenue": [1.0]})).columns.tolist()
    ['revenue_of_year']
    """
    return rows.rename(columns={"revenue": "revenue_of_year"})
