"""Argo Rollouts' schema (v1.10) as one table of names, and what this sandbox does with each field.

Every field that Argo knows is in the table, outside the pod template and a Job's own specification.
So a field in a manifest is one of four things, and none of them passes in silence:

- run: the sandbox does what Argo does with it;
- accepted without effect, because having none is the truth here: `WITHOUT_EFFECT` says why;
- refused by name: Argo knows it, the sandbox does not run it;
- unknown: Argo has no such field.

Shapes are called as in Argo's `types.go` and `analysis_types.go`; names and types are those of its
custom resource definitions.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

# One line a shape. A field is a name with its type behind it: nothing for text, # a whole number,
# ? true or false, % a whole number or text, * anything, {} names with texts, [] a list of texts,
# :Shape an object, [Shape] a list of objects, {Shape} names with objects; ! where it is required.
# Before the name: + the sandbox runs it, ~ it is accepted without effect, nothing: refused.
_TABLE = """
Rollout: +apiVersion! +kind! +metadata:ObjectMeta! +spec:RolloutSpec! ~status*
AnalysisTemplate: +apiVersion! +kind! +metadata:ObjectMeta! +spec:AnalysisTemplateSpec!
ObjectMeta: ~annotations{} ~creationTimestamp ~deletionGracePeriodSeconds# ~deletionTimestamp
  ~finalizers[] ~generateName ~generation# ~labels{} ~managedFields* +name! +namespace
  ~ownerReferences* ~resourceVersion ~selfLink ~uid
RolloutSpec: ~analysis:AnalysisRunStrategy +minReadySeconds# paused? +progressDeadlineAbort?
  +progressDeadlineSeconds# ~replicas# restartAt ~revisionHistoryLimit#
  rollbackWindow:RollbackWindowSpec +selector:LabelSelector +strategy:RolloutStrategy ~template*
  workloadRef:ObjectRef
AnalysisRunStrategy: ~successfulRunHistoryLimit# ~unsuccessfulRunHistoryLimit#
RollbackWindowSpec: revisions#
ObjectRef: apiVersion kind name scaleDown
LabelSelector: matchExpressions[LabelSelectorRequirement] +matchLabels{}
LabelSelectorRequirement: key! operator! values[]
RolloutStrategy: blueGreen:BlueGreenStrategy +canary:CanaryStrategy
BlueGreenStrategy: abortScaleDownDelaySeconds# activeMetadata:PodTemplateMetadata activeService!
  antiAffinity:AntiAffinity autoPromotionEnabled? autoPromotionSeconds# maxUnavailable%
  postPromotionAnalysis:RolloutAnalysis prePromotionAnalysis:RolloutAnalysis
  previewMetadata:PodTemplateMetadata previewReplicaCount# previewService
  scaleDownDelayRevisionLimit# scaleDownDelaySeconds#
CanaryStrategy: +abortScaleDownDelaySeconds# +analysis:RolloutAnalysisBackground
  antiAffinity:AntiAffinity canaryMetadata:PodTemplateMetadata +canaryService dynamicStableScale?
  ~maxSurge% ~maxUnavailable% minPodsPerReplicaSet# pingPong:PingPongSpec
  replicaProgressThreshold:ReplicaProgressThreshold scaleDownDelayRevisionLimit#
  +scaleDownDelaySeconds# stableMetadata:PodTemplateMetadata +stableService +steps[CanaryStep]
  +trafficRouting:RolloutTrafficRouting
PodTemplateMetadata: annotations{} labels{}
AntiAffinity: preferredDuringSchedulingIgnoredDuringExecution:Preferred
  requiredDuringSchedulingIgnoredDuringExecution*
Preferred: weight#!
PingPongSpec: pingService! pongService!
ReplicaProgressThreshold: type! value#!
CanaryStep: +analysis:RolloutAnalysis experiment:RolloutExperimentStep +pause:RolloutPause
  plugin:PluginStep setCanaryScale:SetCanaryScale setHeaderRoute:SetHeaderRoute
  setMirrorRoute:SetMirrorRoute +setWeight#
RolloutPause: +duration%
PluginStep: config* name!
SetCanaryScale: matchTrafficWeight? replicas# weight#
SetHeaderRoute: match[HeaderRoutingMatch] name
HeaderRoutingMatch: headerName! headerValue:StringMatch!
SetMirrorRoute: match[RouteMatch] name! percentage#
RouteMatch: headers{StringMatch} method:StringMatch path:StringMatch
StringMatch: exact prefix regex
RolloutExperimentStep: analyses[RolloutExperimentStepAnalysisTemplateRef]
  analysisRunMetadata:AnalysisRunMetadata dryRun[DryRun] duration scaleDownDelaySeconds#
  templates[RolloutExperimentTemplate]!
RolloutExperimentStepAnalysisTemplateRef: args[AnalysisRunArgument] clusterScope? name!
  requiredForCompletion? templateName!
RolloutExperimentTemplate: metadata:PodTemplateMetadata name! replicas# selector:LabelSelector
  service:TemplateService specRef! weight#
TemplateService: name
RolloutAnalysisBackground: ~analysisRunMetadata:AnalysisRunMetadata +args[AnalysisRunArgument]
  +dryRun[DryRun] measurementRetention[MeasurementRetention] +startingStep#
  +templates[AnalysisTemplateRef]
RolloutAnalysis: ~analysisRunMetadata:AnalysisRunMetadata +args[AnalysisRunArgument]
  +dryRun[DryRun] measurementRetention[MeasurementRetention] +templates[AnalysisTemplateRef]
AnalysisRunMetadata: ~annotations{} ~labels{}
AnalysisRunArgument: +name! +value valueFrom:ArgumentValueFrom
ArgumentValueFrom: fieldRef:FieldRef podTemplateHashValue
FieldRef: fieldPath!
DryRun: +metricName!
MeasurementRetention: limit#! metricName!
AnalysisTemplateRef: clusterScope? +templateName
RolloutTrafficRouting: alb:ALBTrafficRouting ambassador:AmbassadorTrafficRouting
  apisix:ApisixTrafficRouting appMesh:AppMeshTrafficRouting istio:IstioTrafficRouting
  managedRoutes[MangedRoutes] maxTrafficWeight# nginx:NginxTrafficRouting plugins*
  smi:SMITrafficRouting +traefik:TraefikTrafficRouting
ALBTrafficRouting: annotationPrefix ingress ingresses[] rootService servicePort#!
  stickinessConfig:StickinessConfig
StickinessConfig: durationSeconds#! enabled?!
AmbassadorTrafficRouting: mappings[]!
ApisixTrafficRouting: route:ApisixRoute
ApisixRoute: name! rules[]
AppMeshTrafficRouting: virtualNodeGroup:AppMeshVirtualNodeGroup
  virtualService:AppMeshVirtualService
AppMeshVirtualNodeGroup: canaryVirtualNodeRef:AppMeshVirtualNodeReference!
  stableVirtualNodeRef:AppMeshVirtualNodeReference!
AppMeshVirtualNodeReference: name!
AppMeshVirtualService: name! routes[]
IstioTrafficRouting: destinationRule:IstioDestinationRule virtualService:IstioVirtualService
  virtualServices[IstioVirtualService]
IstioDestinationRule: additionalSubsetNames[] canarySubsetName! name! stableSubsetName!
IstioVirtualService: name! routes[] tcpRoutes[TCPRoute] tlsRoutes[TLSRoute]
TCPRoute: port#
TLSRoute: port# sniHosts[]
MangedRoutes: name!
NginxTrafficRouting: additionalIngressAnnotations{} annotationPrefix canaryIngressAnnotations{}
  stableIngress stableIngresses[]
SMITrafficRouting: rootService trafficSplitName
TraefikTrafficRouting: +weightedTraefikServiceName!
AnalysisTemplateSpec: +args[Argument] +dryRun[DryRun] measurementRetention[MeasurementRetention]
  +metrics[Metric] templates[AnalysisTemplateRef]
Argument: +name! +value valueFrom:ValueFrom
ValueFrom: fieldRef:FieldRef secretKeyRef:SecretKeyRef
SecretKeyRef: key! name!
Metric: +consecutiveErrorLimit% +consecutiveSuccessLimit% +count% +failureCondition +failureLimit%
  +inconclusiveLimit% +initialDelay +interval +name! +provider:MetricProvider! +successCondition
MetricProvider: cloudWatch:CloudWatchMetric datadog:DatadogMetric graphite:GraphiteMetric
  influxdb:InfluxdbMetric job* kayenta:KayentaMetric newRelic:NewRelicMetric plugin*
  +prometheus:PrometheusMetric skywalking:SkyWalkingMetric wavefront:WavefrontMetric web:WebMetric
PrometheusMetric: ~address authentication:Authentication headers[WebMetricHeader] insecure? +query
  rangeQuery:PrometheusRangeQueryArgs ~timeout#
PrometheusRangeQueryArgs: end start step
Authentication: basicAuth:BasicAuthConfig oauth2:OAuth2Config sigv4:Sigv4Config
BasicAuthConfig: password username
OAuth2Config: clientId clientSecret scopes[] tokenUrl
Sigv4Config: profile region roleArn
WebMetricHeader: key! value!
CloudWatchMetric: interval metricDataQueries[CloudWatchMetricDataQuery]!
CloudWatchMetricDataQuery: expression id label metricStat:CloudWatchMetricStat period% returnData?
CloudWatchMetricStat: metric:CloudWatchMetricStatMetric period% stat unit
CloudWatchMetricStatMetric: dimensions[CloudWatchMetricStatMetricDimension] metricName namespace
CloudWatchMetricStatMetricDimension: name value
DatadogMetric: aggregator apiVersion formula interval queries{} query requestTimeout
  secretRef:SecretRef
SecretRef: name namespaced?
GraphiteMetric: address query
InfluxdbMetric: profile query
KayentaMetric: address! application! canaryConfigName! configurationAccountName! lookback?
  metricsAccountName! scopes[KayentaScope]! storageAccountName! threshold:KayentaThreshold!
KayentaScope: controlScope:ScopeDetail! experimentScope:ScopeDetail! name!
ScopeDetail: end region! scope! start step#!
KayentaThreshold: marginal#! pass#!
NewRelicMetric: profile query! timeout#
SkyWalkingMetric: address interval query
WavefrontMetric: address query
WebMetric: authentication:Authentication body headers[WebMetricHeader] insecure? jsonBody* jsonPath
  method timeoutSeconds# url!
"""

# Accepted without effect, and why having none is the truth. Fields are checked all the same.
WITHOUT_EFFECT: Final[Mapping[str, str]] = {
    "Service": "the router's two tracks are the services; a cluster would need these documents",
    "Rollout.status": "a cluster ignores it in what is applied",
    "ObjectMeta": "labels, annotations and what a cluster writes there; only the name and the"
    " namespace are looked up",
    "RolloutSpec.analysis": "how many runs are kept for looking back; the sandbox keeps all",
    "RolloutSpec.replicas": "a track is one process; with a traffic router, shares of the traffic"
    " do not come from numbers of pods",
    "RolloutSpec.revisionHistoryLimit": "how many old ReplicaSets are kept for going back by hand",
    "RolloutSpec.template": "what a cluster runs; the sandbox starts each release by itself",
    "CanaryStrategy.maxSurge": "with a traffic router Argo does not use it for a canary",
    "CanaryStrategy.maxUnavailable": "with a traffic router it only paces how replicas of older"
    " releases go, and a track is one process",
    "RolloutAnalysisBackground.analysisRunMetadata": "labels of objects in a cluster",
    "RolloutAnalysis.analysisRunMetadata": "labels of objects in a cluster",
    "PrometheusMetric.address": "the sandbox asks its own Prometheus, whatever address stands here",
    "PrometheusMetric.timeout": "the simulated clock stands still during a query",
}


@dataclass(frozen=True)
class Field:
    """One field of a shape.

    Args:
        use: "+" run, "~" accepted without effect, "" refused.
        type: the mark of its type, as in the table, with T for a shape.
        shape: of the object, or of the objects in the list; empty for every other type.
        required: whether Argo's schema refuses an object without it.
    """

    use: str
    type: str
    shape: str
    required: bool


_FIELD = re.compile(r"([+~]?)(\w+)([#?%*]|\[\]|\{\}|:\w+|\[\w+\]|\{\w+\}|)(!?)")


def _parsed(table: str) -> dict[str, dict[str, Field]]:
    shapes: dict[str, dict[str, Field]] = {}
    fields: dict[str, Field] = {}
    for word in table.split():
        if word.endswith(":"):
            fields = shapes[word[:-1]] = {}
        elif match := _FIELD.fullmatch(word):
            use, name, mark, required = match.groups()
            shape = mark.strip(":[]{}#?%*")
            fields[name] = Field(
                use, mark.replace(shape, "T") if shape else mark, shape, bool(required)
            )
        else:
            raise ValueError(f"no field: {word}")
    return shapes


SHAPES: Final[Mapping[str, Mapping[str, Field]]] = _parsed(_TABLE)
