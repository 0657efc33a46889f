"""Progressive delivery as Argo Rollouts does it: manifest, conditions, analyses, controller."""
