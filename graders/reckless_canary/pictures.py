"""Each release as its customers met it, and what the submission's analysis made of it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from sandbox.report import rollouts
from sandbox.report.pictures import HALF_IN, Picture, picture

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from sandbox.report.pictures import Steps

RELEASES = {
    "good_release": "A good release",
    "unseen_release": "A release that monitoring sees nothing of",
    "erring_release": "A release that fails for one airport",
    "slow_release": "A release that is slow now and then",
    "release_without_scores": "A release that gives one airport no numbers",
    "shifted_release": "A release whose predictions are shifted, for everybody",
}


def pictures(evidence: Steps) -> list[Picture]:
    return [
        picture(
            title,
            partial(passage, evidence=evidence, step=step),
            width_in=HALF_IN,
            height_in=4.6,
        )
        for step, title in RELEASES.items()
    ]


def passage(figure: Figure, evidence: Steps, step: str) -> str:
    return rollouts.passage(figure, evidence[step])
