"""The condition language of an AnalysisTemplate, evaluated as Argo Rollouts does it.

parse("result[0] < 0.05").holds([0.01])
"""

from sandbox.rollout.conditions.evaluating import Condition, parse, unsupported
from sandbox.rollout.conditions.nodes import ConditionError, UnsupportedError

__all__ = ["Condition", "ConditionError", "UnsupportedError", "parse", "unsupported"]
