"""A real Argo Rollouts manifest, read into a delivery, or refused with all that is wrong in it."""

from sandbox.rollout.manifest.problems import ManifestError, Problem
from sandbox.rollout.manifest.reading import read
from sandbox.rollout.manifest.resolving import AnalysisError, resolve

__all__ = ["AnalysisError", "ManifestError", "Problem", "read", "resolve"]
