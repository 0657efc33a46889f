"""A manifest of our own that uses everything the sandbox runs, and changes to it in few words."""

from __future__ import annotations

import copy
import re
from typing import Any

import yaml

VALID = """\
apiVersion: argoproj.io/v1alpha1
kind: Rollout
metadata:
  name: flight-delay
  labels: {team: delays}
spec:
  replicas: 2
  revisionHistoryLimit: 3
  progressDeadlineSeconds: 900
  progressDeadlineAbort: true
  analysis: {successfulRunHistoryLimit: 2}
  selector:
    matchLabels: {app: flight-delay}
  template:
    metadata:
      labels: {app: flight-delay, tier: model}
    spec:
      containers:
      - name: model
        image: flight-delay:3
  strategy:
    canary:
      canaryService: flight-delay-canary
      stableService: flight-delay-stable
      trafficRouting:
        traefik: {weightedTraefikServiceName: flight-delay}
      maxSurge: 25%
      scaleDownDelaySeconds: 60
      abortScaleDownDelaySeconds: 45
      analysis:
        startingStep: 1
        templates:
        - templateName: latency
        args:
        - name: limit
          value: "0.3"
        analysisRunMetadata:
          labels: {kind: background}
      steps:
      - setWeight: 5
      - pause: {duration: 10m}
      - analysis:
          templates:
          - templateName: errors
          - templateName: drift
          args:
          - {name: track, value: canary}
          - {name: times, value: "5"}
          dryRun:
          - metricName: ^mean
      - setWeight: 50
      - pause: {}
---
apiVersion: argoproj.io/v1alpha1
kind: AnalysisTemplate
metadata:
  name: errors
spec:
  args:
  - name: track
  - name: times
    value: "3"
  metrics:
  - name: error-share
    interval: 1m
    initialDelay: 30s
    count: "{{args.times}}"
    successCondition: result[0] < 0.05
    failureCondition: result[0] > 0.2
    failureLimit: 1
    consecutiveSuccessLimit: "2"
    inconclusiveLimit: 2
    consecutiveErrorLimit: 1
    provider:
      prometheus:
        address: http://prometheus.monitoring:9090
        timeout: 10
        query: |
          sum(rate(errors_total{track="{{ args.track }}"}[5m]))
---
apiVersion: argoproj.io/v1alpha1
kind: AnalysisTemplate
metadata:
  name: drift
spec:
  args:
  - name: track
    value: stable
  dryRun:
  - metricName: hours
  metrics:
  - name: mean-score
    provider:
      prometheus: {query: 'avg(score{track="{{args.track}}"})'}
  - name: null-hours
    provider:
      prometheus: {query: 'max(nulls)'}
---
apiVersion: argoproj.io/v1alpha1
kind: AnalysisTemplate
metadata:
  name: latency
spec:
  args:
  - name: limit
  metrics:
  - name: latency
    interval: 30s
    successCondition: result[0] < {{args.limit}}
    provider:
      prometheus: {query: latency_seconds}
---
apiVersion: v1
kind: Service
metadata:
  name: flight-delay-stable
spec:
  selector: {app: flight-delay}
"""
DOCUMENTS = {
    document["metadata"]["name"] if document["kind"] != "Rollout" else "rollout": document
    for document in yaml.safe_load_all(VALID)
}
CANARY = "rollout.spec.strategy.canary"
# Stands for a field that is taken out.
GONE = object()


def text(documents: dict[str, Any] | None = None) -> str:
    """Documents as a manifest."""
    return yaml.safe_dump_all((documents or DOCUMENTS).values(), sort_keys=False)


def changed(*changes: tuple[str, Any]) -> str:
    """The valid manifest with other values at some paths.

    A path is such as "rollout.spec.strategy.canary.steps[1].pause" or "errors.spec.args": a
    document and the way to a field in it. A missing object on the way is made.
    """
    documents = copy.deepcopy(DOCUMENTS)
    for path, value in changes:
        *way, last = re.findall(r"[^.\[\]]+", path)
        here: Any = documents
        for name in way:
            here = here[int(name)] if name.isdigit() else here.setdefault(name, {})
        key = int(last) if last.isdigit() else last
        if value is GONE:
            del here[key]
        elif key == len(here) and isinstance(here, list):
            here.append(value)
        else:
            here[key] = value
    return text(documents)
