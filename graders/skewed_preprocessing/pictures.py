"""What the service answered, before and after: drawn from evidence for the reviewer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sandbox.report.pictures import (
    AFTER,
    BAD,
    BEFORE,
    FAINT,
    GOOD,
    HALF_IN,
    INK,
    MUTED,
    REFERENCE,
    Picture,
    label,
    numbers,
    picture,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from sandbox.report.pictures import Steps

TIERS = ("loud", "middle", "faint")
ALL_SKEWS = "+".join(TIERS)
EQUAL_WITHIN = 1e-6
# "AUC was 0.82 in the notebook", says the ticket; it was measured on the rows trained on.
NOTEBOOK_AUC = 0.82
OBJECTIVE_MS = 300
MONTHS = ("", "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def pictures(evidence: Steps) -> list[Picture]:
    return [
        picture(
            "Served against expected predictions, one dot a flight",
            lambda figure: parity(figure, evidence),
            height_in=3.2,
        ),
        picture(
            "AUC by month",
            lambda figure: auc_by_month(figure, evidence["parity"]),
            width_in=HALF_IN,
        ),
        picture(
            "Time to answer 50 flights",
            lambda figure: latency(figure, evidence),
            width_in=HALF_IN,
        ),
        picture(
            "The candidate's skew metric, window by window",
            lambda figure: skew_metric(figure, evidence["skew_metric"]),
            height_in=2.9,
        ),
        picture(
            "The candidate's parity test, run against services that are right and wrong",
            lambda figure: parity_test(figure, evidence["parity_test"]),
            height_in=1.5,
        ),
    ]


# -- parity


def parity(figure: Figure, evidence: Steps) -> str:
    data = evidence["parity"]
    truth, served = numbers(data["references"]["none"]), numbers(data["served"])
    before = numbers(data["references"][ALL_SKEWS])
    left, middle, right = figure.subplots(1, 3, sharex=True, sharey=True)
    share_before = scatter(left, "Handed out", truth, before)
    share = scatter(middle, "Submitted", truth, served)
    retrained = after_retraining(right, evidence)
    left.set_ylabel("served")
    for axes in (left, middle, right):
        axes.set_xlabel("pipeline")
    unanswered = int(np.isnan(served).sum())
    return (
        f"Green dots on the diagonal are flights answered as the pipeline answers them: "
        f"{share_before} as handed out, {share} as submitted, {retrained} once the model is "
        "retrained. Orange dots are off. "
        + (f"{unanswered:,} of {len(served):,} flights got no answer. " if unanswered else "")
        + nearest(data["references"], served)
    )


def scatter(axes: Axes, title: str, truth: Any, served: Any) -> str:
    answered = ~np.isnan(served) & ~np.isnan(truth)
    equal = np.abs(served - truth) <= EQUAL_WITHIN
    off = answered & ~equal
    axes.plot([0, 1], [0, 1], color=FAINT, linewidth=0.8, zorder=0)
    for rows, color, size in ((off, BEFORE, 5), (answered & equal, AFTER, 4)):
        axes.scatter(
            truth[rows],
            np.clip(served[rows], 0, 1),
            s=size,
            c=color,
            alpha=0.35,
            linewidths=0,
            rasterized=True,
        )
    axes.set(xlim=(0, 1), ylim=(0, 1), aspect="equal")
    axes.set_xticks([0, 0.5, 1], ["0", "0.5", "1"])
    axes.set_yticks([0, 0.5, 1], ["0", "0.5", "1"])
    share = percent(equal.sum(), len(truth))
    axes.set_title(f"{title}: {share} equal")
    return share


def after_retraining(axes: Axes, evidence: Steps) -> str:
    # The other two panels stand whatever became of this step.
    try:
        data = evidence["parity_after_retraining"]
        truth, served = numbers(data["references"]["none"]), numbers(data["served"])
        return scatter(axes, "Retrained", truth, served)
    except Exception:  # whatever that step lacks, its check tells
        axes.set(xlim=(0, 1), ylim=(0, 1), aspect="equal")
        axes.set_title("Retrained: nothing to show")
        axes.text(0.5, 0.5, "the step did not run to its end", ha="center", color=BAD)
        return "none to be seen"


def nearest(references: Mapping[str, Any], served: Any) -> str:
    """Which skews the served predictions look like."""
    shares = {
        name: float(np.mean(np.abs(served - numbers(references[name])) <= EQUAL_WITHIN))
        for name in references
    }
    best = max(shares, key=lambda name: shares[name])
    if best == "none" or shares[best] < 0.5:
        return ""
    skews = best.replace("+", " and the ")
    return (
        f"{percent(shares[best], 1)} of the answers are exactly what the pipeline gives "
        f"with the {skews} skew left in."
    )


# -- quality and speed


def auc_by_month(figure: Figure, data: Mapping[str, Any]) -> str:
    month, late = numbers(data["months"]), numbers(data["late"])
    lines = {
        "pipeline": (numbers(data["references"]["none"]), REFERENCE, 5),
        "handed out": (numbers(data["references"][ALL_SKEWS]), BEFORE, 1.4),
        "submitted": (numbers(data["served"]), AFTER, 1.6),
    }
    axes = figure.subplots()
    months = [int(m) for m in np.unique(month[~np.isnan(month)])]
    means = {}
    for name, (scores, color, width) in lines.items():
        values = [auc(late[month == m], scores[month == m]) for m in months]
        axes.plot(
            months, values, color=color, linewidth=width, marker="o", ms=width + 2, label=name
        )
        known = [value for value in values if not np.isnan(value)]
        means[name] = f"{np.mean(known):.2f}" if known else "unknown"
    axes.axhline(NOTEBOOK_AUC, color=MUTED, linestyle=(0, (4, 3)), linewidth=1)
    axes.annotate(
        "notebook: 0.82, on the rows it trained on",
        (1, NOTEBOOK_AUC),
        xycoords=("axes fraction", "data"),
        xytext=(0, 3),
        textcoords="offset points",
        ha="right",
        color=MUTED,
    )
    axes.set_xticks(months, [MONTHS[m] if 0 < m < len(MONTHS) else str(m) for m in months])
    bottom = min(0.5, axes.get_ylim()[0])
    axes.set_ylim(max(0, bottom), 0.86)
    axes.margins(x=0.06)
    axes.grid(axis="y")
    axes.legend(ncols=3, loc="lower left", borderpad=0.1, handlelength=1.4, columnspacing=1.2)
    return (
        f"Mean over months: pipeline {means['pipeline']}, handed out {means['handed out']}, "
        f"submitted {means['submitted']}. The best that serving can reach is the pipeline's line, "
        "not the notebook's."
    )


def auc(late: Any, scores: Any) -> float:
    """Area under the ROC curve from mean ranks; NaN without both kinds of flights."""
    known = ~np.isnan(scores) & ~np.isnan(late)
    late, scores = late[known] > 0.5, scores[known]
    positives, negatives = int(late.sum()), int((~late).sum())
    if not positives or not negatives:
        return float("nan")
    _, place, times = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(times) - (times - 1) / 2)[place]
    return float((ranks[late].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def latency(figure: Figure, evidence: Steps) -> str:
    requests = evidence["speed"]["requests"]
    times = numbers([request["latency_ms"] for request in requests])
    times = times[~np.isnan(times)]
    if not len(times):
        raise ValueError("no request was sent")
    bad = sum(request["status"] != 200 for request in requests)
    lost = f" {bad:,} of {len(requests):,} requests were not answered with 200." if bad else ""
    axes = figure.subplots()
    edges = np.geomspace(1, max(1000, times.max() * 1.1), 46)
    heights, _ = np.histogram(np.clip(times, 1, None), edges)
    colors = [BAD if edge >= OBJECTIVE_MS else AFTER for edge in edges[:-1]]
    axes.bar(edges[:-1], heights, np.diff(edges), align="edge", color=colors)
    axes.axvline(OBJECTIVE_MS, color=INK, linewidth=1, linestyle=(0, (4, 3)))
    p95 = float(np.percentile(times, 95))
    axes.set_xscale("log")
    ticks = [t for t in (1, 3, 10, 30, 100, 300, 1000, 3000, 10_000, 30_000) if t <= edges[-1]]
    axes.set_xticks(ticks, [f"{t:,}" for t in ticks])
    axes.minorticks_off()
    axes.set_xlim(1, edges[-1])
    axes.set_ylim(0, heights.max() * 1.18)
    axes.locator_params(axis="y", nbins=4, integer=True)
    axes.set_xlabel("milliseconds")
    axes.set_ylabel("requests")
    axes.annotate(
        "objective ",
        (OBJECTIVE_MS, 1),
        xycoords=("data", "axes fraction"),
        xytext=(-2, -8),
        textcoords="offset points",
        ha="right",
        color=INK,
    )
    holds = "below" if p95 <= OBJECTIVE_MS else "above"
    return (
        f"95 of 100 requests are answered within {p95:.0f} ms, {holds} the objective of "
        f"{OBJECTIVE_MS} ms; half of them within {np.median(times):.0f} ms.{lost}"
    )


# -- what the candidate built to see skew


def skew_metric(figure: Figure, data: Mapping[str, Any]) -> str:
    windows = list(data["windows"])
    if not any(window["scores"] for window in windows):
        raise ValueError("the service exported no score in any window")
    scores = [dict(zip(w["scores"], numbers(w["scores"].values()), strict=True)) for w in windows]
    clean = [s for s, w in zip(scores, windows, strict=True) if w["faulty_feature"] is None]
    axes = figure.subplots()
    told = []
    for row, (window, by_feature) in enumerate(zip(windows, scores, strict=True)):
        faulty = window["faulty_feature"]
        axes.axhline(row, color="#eef0f2", linewidth=0.8, zorder=0)
        others = [score for feature, score in by_feature.items() if feature != faulty]
        axes.scatter(others, [row] * len(others), s=18, c=MUTED, alpha=0.4, linewidths=0, zorder=2)
        if not by_feature:
            across = axes.get_yaxis_transform()
            axes.text(0.01, row, "no score", transform=across, va="center", color=BAD)
        if faulty is None:
            continue
        usual = max((s[faulty] for s in clean if faulty in s), default=float("nan"))
        now = by_feature.get(faulty, float("nan"))
        axes.plot([usual, now], [row, row], color=BEFORE, linewidth=1.2, zorder=1)
        axes.scatter([usual], [row], s=34, facecolors="white", edgecolors=BEFORE, zorder=3)
        axes.scatter([now], [row], s=44, c=BEFORE, linewidths=0, zorder=4)
        axes.annotate(
            label(faulty),
            (0 if np.isnan(now) else now, row),
            xytext=(0, 7),
            textcoords="offset points",
            ha="center",
            color=BEFORE,
        )
        told.append(f"{label(faulty)} goes from {shown(usual)} to {shown(now)}")
    axes.set_yticks(range(len(windows)), [label(window["name"]) for window in windows])
    axes.tick_params(axis="y", length=0, labelcolor=INK)
    axes.spines["left"].set_visible(False)
    axes.set_ylim(len(windows) - 0.5, -0.7)
    spread(axes, [score for s in scores for score in s.values()])
    axes.set_xlabel(label(data["metric"], 60))
    return (
        "Each dot is a feature. The ring is where the feature that was made wrong had been in the "
        f"clean windows, the full dot where it went: {'; '.join(told)}. Grey dots should stay low."
    )


def spread(axes: Axes, values: Any) -> None:
    """A scale on which scores of skew, small until they are not, can all be seen."""
    values = np.sort(values)[: len(values) - int(np.isnan(values).sum())]
    if not len(values) or values[0] < 0 or values[-1] <= 0:
        return
    small = max(float(np.median(values)), values[-1] / 1000)
    axes.set_xscale("asinh", linear_width=3 * small)
    decades = 10.0 ** np.arange(np.floor(np.log10(small)), np.ceil(np.log10(values[-1])) + 1)
    ticks = [0, *decades[(decades > 2 * small) & (decades < 1.3 * values[-1])]]
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.minorticks_off()
    axes.set_xlim(-0.2 * small, 1.25 * values[-1])


def shown(score: float) -> str:
    return "no score" if np.isnan(score) else f"{score:.2g}"


def parity_test(figure: Figure, data: Mapping[str, Any]) -> str:
    # It was run in an order that the seed chose; here the services it must pass on come first.
    runs = sorted(
        data["runs"],
        key=lambda run: (
            run["should"] != "pass",
            TIERS.index(run["service"].split()[0]) if run["service"].split()[0] in TIERS else -1,
        ),
    )
    if not runs:
        raise ValueError("the test was never run")
    axes = figure.subplots()
    rights = 0
    for column, run in enumerate(runs):
        did = {0: "pass", 1: "fail"}.get(run["status"], "break")
        right = did == run["should"]
        rights += right
        said = {"pass": "passed", "fail": "failed"}.get(did, f"broke, status {run['status']}")
        if run.get("timed_out"):
            said = "took too long"
        center: dict[str, Any] = {"x": column + 0.47, "ha": "center", "va": "center"}
        axes.barh(1, 0.94, left=column, height=0.9, align="center", color="#eef0f2")
        axes.barh(0, 0.94, left=column, height=0.9, color=GOOD if right else BAD)
        axes.text(y=1.85, s=label(run["service"], 24), weight="bold", **center)
        axes.text(y=1, s=f"should {run['should']}", color=MUTED, **center)
        verdict = "right" if right else "wrong"
        axes.text(y=0, s=f"{said}: {verdict}", color="white", weight="bold", **center)
    axes.set(xlim=(0, len(runs)), ylim=(-0.5, 2.2))
    axes.axis("off")
    return (
        "A test is worth something only if it fails where it must: this one is right on "
        f"{rights} of {len(runs)} services."
    )


def percent(part: Any, whole: int) -> str:
    """A share that says 100% only when it is all, and 0% only when it is none."""
    share = 100 * float(part) / whole if whole else 0.0
    if 0 < share < 0.1:
        return "under 0.1%"
    return f"{np.floor(share * 10) / 10:g}%"
