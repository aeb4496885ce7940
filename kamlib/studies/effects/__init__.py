"""Do visits sell? The estimators and the gates before them, in one place.

==========================  ======================================================================================
smallest_detectable_effect  what this panel could have shown; ask before looking at an effect
effect                      one rung of the ladder: pooled, ols_fe, ppml_fe, adstock, dml
lead_placebo                future visits must not explain present sales; if they do, claim nothing
targeting_test              visits must not follow the sales of the month before, or again claim nothing
permuted_visits             shuffled visits must have no effect
by_class                    the effect per class of account, partially pooled
==========================  ======================================================================================

Programmes that begin at different times: :func:`kamlib.studies.staggered.staggered`.
"""

from kamlib.studies.effects.ladder import METHODS, Effect, effect
from kamlib.studies.effects.placebos import LeadPlacebo, PermutedVisits, lead_placebo, permuted_visits
from kamlib.studies.effects.pooling import ClassEffects, by_class
from kamlib.studies.effects.power import DetectableEffect, smallest_detectable_effect
from kamlib.studies.effects.targeting import Targeting, targeting_test

__all__ = [
    "METHODS",
    "ClassEffects",
    "DetectableEffect",
    "Effect",
    "LeadPlacebo",
    "PermutedVisits",
    "Targeting",
    "by_class",
    "effect",
    "lead_placebo",
    "permuted_visits",
    "smallest_detectable_effect",
    "targeting_test",
]
