"""Does training twice on the same flights give the same model, and is it training at all?"""

import numpy as np

from sandbox.grading import check, guard
from sandbox.grading.statistics import auc

# Of the healthy pipeline, trained on all of the same flights. Holding out the latest tenth, fifth
# or month costs up to 0.04 on 3,000 flights of later months; a model of noise is 0.2 below.
AUC_TOLERANCE = 0.06
# On other flights nearly each prediction is another one.
CHANGED_MIN = 0.9


def values(served):
    return np.array([np.nan if value is None else value for value in served])


@check(points=18, competency="repeatable training")
def test_training_twice_predicts_the_same(evidence, credit):
    """Trained twice on the same flights, the model predicts the same, bit by bit"""
    retrained = evidence["retrained"]
    first, again = values(retrained["first"]), values(retrained["again"])
    equal = float((first == again).mean())
    apart = np.abs(first - again)
    credit.award(
        equal == 1,
        expected="every prediction the same",
        seen=f"{equal:.1%} the same"
        + (f", the others by up to {np.nanmax(apart):.3f}" if equal < 1 else ""),
        where="retrained.first, retrained.again",
    )


@guard(
    of=("training_twice_predicts_the_same", "model_names_its_environment"),
    competency="repeatable training",
)
def test_training_learns_from_its_flights(evidence, credit):
    """What is trained is about as good as it was, and other flights give another model"""
    retrained = evidence["retrained"]
    late = retrained["late"]
    first, other = values(retrained["first"]), values(retrained["other"])
    changed = float((first != other).mean())
    wanted = auc(late, retrained["reference"])
    reached = 0.0 if np.isnan(first).any() else auc(late, first)
    credit.award(
        changed >= CHANGED_MIN and reached >= wanted - AUC_TOLERANCE,
        expected=f"an AUC of at least {wanted - AUC_TOLERANCE:.3f}, and other predictions after "
        "training on other flights",
        seen=f"an AUC of {reached:.3f}, {changed:.1%} of predictions changed",
        where="retrained",
    )
