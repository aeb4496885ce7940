"""Effects by class and partial pooling."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from visiting import simulate

from kamlib.errors import ModelError, RequestError
from kamlib.studies.effects import by_class
from kamlib.studies.effects.pooling import between_spread, shrink

SCHOOLS = pd.DataFrame(
    {"estimate": [28.0, 8, -3, 7, -1, 1, 18, 12], "standard_error": [15.0, 10, 16, 11, 9, 11, 10, 18]}
)


def classes(*elasticities, accounts=50) -> pd.DataFrame:
    parts = []
    for number, elasticity in enumerate(elasticities):
        part = simulate(seed=number, accounts=accounts, elasticity=elasticity, size_spread=0.5)
        parts.append(part.assign(account_id=part["account_id"] + f"-{number}", segment=f"S{number}"))
    return pd.concat(parts, ignore_index=True)


# Gelman et al. (2013), Bayesian Data Analysis, 5.5: eight schools


def test_the_eight_schools_show_no_spread_and_their_posterior_medians():
    spread, p_value = between_spread(SCHOOLS["estimate"].to_numpy(), SCHOOLS["standard_error"].to_numpy())
    assert (spread, round(p_value, 2)) == (0.0, 0.70)
    pooled = shrink(SCHOOLS, 0.95)["classes"]["pooled_estimate"]
    assert pooled.to_numpy() == pytest.approx([10, 8, 7, 8, 5, 6, 10, 8], abs=1.6)


def test_pooled_intervals_cover_whether_or_not_the_classes_differ():
    generator = np.random.default_rng(0)
    for spread in (0.0, 0.1, 0.3):
        truth = 0.3 + spread * generator.normal(size=(150, 4))
        errors = 0.1 * np.exp(0.5 * generator.normal(size=truth.shape))
        seen = truth + errors * generator.normal(size=truth.shape)
        frames = [
            shrink(pd.DataFrame({"estimate": e, "standard_error": s}), 0.9)["classes"]
            for e, s in zip(seen, errors, strict=True)
        ]
        low, high = (np.array([frame[f"pooled_{end}"] for frame in frames]) for end in ("low", "high"))
        assert 0.87 <= ((low <= truth) & (truth <= high)).mean() <= 0.98


@given(st.lists(st.tuples(st.floats(-2, 2), st.floats(0.05, 1)), min_size=1, max_size=6))
def test_a_pooled_estimate_lies_between_its_class_and_the_others(rows):
    frame = pd.DataFrame(rows, columns=["estimate", "standard_error"])
    pooled = shrink(frame, 0.9)["classes"]["pooled_estimate"]
    assert pooled.min() >= frame["estimate"].min() - 1e-9
    assert pooled.max() <= frame["estimate"].max() + 1e-9


def test_classes_that_differ_keep_their_own_effect():
    found = by_class(classes(0.1, 0.6))
    assert found.classes["segment"].tolist() == ["S0", "S1"]
    assert found.classes["pooled_estimate"].to_numpy() == pytest.approx([0.1, 0.6], abs=0.12)
    assert found.heterogeneity_p < 0.01
    assert found.scale == "log"


def test_a_class_that_cannot_be_estimated_borrows_everything_and_says_why():
    panel = classes(0.3, 0.3, 0.3)
    steady = panel["segment"] == "S2"
    panel.loc[steady, "visits"] = 5.0
    row = by_class(panel).classes.set_index("segment").loc["S2"]
    assert np.isnan(row["estimate"])
    assert "does not vary after account and month effects" in row["reason"]
    assert row["pooled_estimate"] == pytest.approx(0.3, abs=0.1)
    assert row["weight"] == 0


def test_an_account_that_changes_class_is_refused():
    panel = classes(0.3, 0.3)
    panel.loc[0, "segment"] = "S1"
    with pytest.raises(
        RequestError, match="1 accounts change segment within the panel, the first A000-0; use the class"
    ):
        by_class(panel)


def test_rows_without_a_class_are_refused():
    panel = classes(0.3, 0.3)
    panel.loc[:2, "segment"] = None
    with pytest.raises(RequestError, match="3 rows have no segment; name a class for them or leave them out"):
        by_class(panel)


def test_no_class_at_all_is_refused():
    empty = pd.DataFrame({"estimate": [np.nan], "standard_error": [np.nan]})
    with pytest.raises(ModelError, match="none of the 1 classes could be estimated; use fewer, larger classes"):
        shrink(empty, 0.9)
