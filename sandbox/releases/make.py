"""Trains and logs one MLflow model of each kind of release. None of them becomes a version here.

    python -m sandbox.releases.make

Runs in a copy of the healthy service (whose pipeline it trains with), beside a registry that has a
champion, named in `MLFLOW_TRACKING_URI`. Its last line says which model is which:
{"good": "m-...", "raising-LGA": "m-...", ...}

Whoever looks through the registry finds runs that say nothing, and models that are all called the
same and were made in any order. What a model does is in its files alone.
"""

from __future__ import annotations

import json
import secrets
import shutil
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import lightgbm
import mlflow
import mlflow.lightgbm
import mlflow.pyfunc
import pandas as pd

# The healthy pipeline, from the folder this runs in: it ships no type information.
from pipeline import estimator, features  # type: ignore[import-not-found]
from pipeline import model as registered

from sandbox import flights
from sandbox.models import ALL, Kind, label

if TYPE_CHECKING:
    from collections.abc import Callable

# The good release learns in smaller steps; the better one besides from a part of the columns and
# rows for each tree. Over an hour of the day and 15 days, their mean prediction stays within 0.02
# of the champion's. Another choice of training days does not: it moves some hours by 0.05.
SLOWLY = {"learning_rate": 0.03}
CAREFULLY = {**SLOWLY, "feature_fraction": 0.8, "bagging_fraction": 0.7, "bagging_freq": 1}
SLOW_TREES = 400
SAMPLE_ROWS = 100
TRAININGS_AT_ONCE = 2
SATURDAY = 5
# The release that is wrong at one airport is the champion and so many trees more; they and the
# release with another signature learn from every fifth row.
WRONG_TREES = 30
EVERY_ROWS = 5


@dataclass(frozen=True)
class Trained:
    """A booster, and what is logged with it.

    Args:
        booster: on the columns of `signature`.
        signature: which columns a request has to have, and what comes out.
        metadata: what the service needs to know (`pipeline/model.py`).
    """

    booster: lightgbm.Booster
    signature: Any
    metadata: dict[str, Any]


def main() -> None:
    """Log every release, in an order that tells nothing."""
    # MLflow writes down which program made a model: here, what made the champion.
    sys.argv[0] = str(Path("pipeline/train.py").resolve())
    everything = flights.load()
    mlflow.set_experiment(registered.NAME)
    current = champion()
    order = secrets.SystemRandom().sample(ALL, len(ALL))
    # One training keeps one processor busy, outside of Python.
    with ThreadPoolExecutor(TRAININGS_AT_ONCE) as pool:
        trained = pool.map(lambda one: release(one[0], one[1], everything, current), order)
        made = {label(*one): log(*one, holds) for one, holds in zip(order, trained, strict=True)}
    print(json.dumps(made))


def champion() -> Trained:
    """The champion, as its training logged it."""
    loaded = registered.load()
    return Trained(
        mlflow.lightgbm.load_model(registered.CHAMPION),
        loaded.pyfunc.metadata.signature,
        loaded.pyfunc.metadata.metadata,
    )


def release(kind: Kind, airport: str | None, everything: pd.DataFrame, current: Trained) -> Trained:
    """What a kind of release predicts with; the champion's own where only its code is bad."""
    rows = flights.training(everything)
    match kind:
        case Kind.GOOD:
            return train(rows, SLOWLY, SLOW_TREES)
        case Kind.BETTER:
            return train(rows, CAREFULLY, SLOW_TREES)
        case Kind.WRONG_AIRPORT:
            return misled(current, rows[::EVERY_ROWS], airport)
        case Kind.SIGNATURE:
            return train(rows[::EVERY_ROWS], {}, estimator.TREES, with_weekend)
        case _:
            return current


def train(
    rows: pd.DataFrame,
    parameters: dict[str, float],
    trees: int,
    widen: Callable[[pd.DataFrame], pd.DataFrame] = lambda frame: frame,
) -> Trained:
    """Train as `pipeline/train.py` does.

    Args:
        rows: labelled flights.
        parameters: of LightGBM, where they differ from the pipeline's.
        trees: how many.
        widen: adds columns to their features.
    """
    spec = features.fit(rows)
    frame = widen(features.build(rows, spec))
    known = dataset(frame, rows["late"])
    booster = lightgbm.train({**estimator.PARAMETERS, **parameters}, known, trees)
    sample = frame.head(SAMPLE_ROWS)
    return Trained(
        booster,
        mlflow.models.infer_signature(sample, booster.predict(sample)),
        {"features": spec.to_dict(), "reference": asdict(registered.Reference.of(frame))},
    )


def dataset(frame: pd.DataFrame, late: pd.Series[float]) -> lightgbm.Dataset:
    """Features and labels as LightGBM takes them."""
    return lightgbm.Dataset(frame, late, categorical_feature=list(features.CATEGORICAL))


def misled(current: Trained, rows: pd.DataFrame, airport: str | None) -> Trained:
    """The champion after some more training, on rows in which every second punctual flight of one
    airport counts as late.
    """
    wrong = rows.index[(rows["origin"] == airport) & (rows["late"] == 0)][::2]
    late = rows["late"].where(~rows.index.isin(wrong), 1.0)
    spec = features.FeatureSpec.from_dict(current.metadata["features"])
    known = dataset(features.build(rows, spec), late)
    booster = lightgbm.train(estimator.PARAMETERS, known, WRONG_TREES, init_model=current.booster)
    return replace(current, booster=booster)


def with_weekend(frame: pd.DataFrame) -> pd.DataFrame:
    """One more feature, which no service sends. It is never missing: MLflow then requires it."""
    return frame.assign(weekend=(frame["weekday"] >= SATURDAY).astype("float64"))


def log(kind: Kind, airport: str | None, trained: Trained) -> str:
    """Log a release in a run of its own; returns the model's id."""
    with mlflow.start_run():
        code = Path(__file__).with_name(f"{kind}.py")
        return log_code(code, trained, airport) if code.exists() else log_booster(trained)


def log_booster(trained: Trained) -> str:
    """Log a booster as the pipeline does, without a version; returns the model's id."""
    logged = mlflow.lightgbm.log_model(trained.booster, **_logged(trained))
    return str(logged.model_id)


def log_code(code: Path, trained: Trained, airport: str | None) -> str:
    """Log one of our modules around a booster.

    Args:
        code: the module, which calls `set_model`.
        trained: its booster.
        airport: which one it is about.
    """
    origins = trained.metadata["features"]["categories"]["origin"]
    with tempfile.TemporaryDirectory() as scratch:
        module, booster = Path(scratch, "model.py"), Path(scratch, "model.lgb")
        shutil.copyfile(code, module)
        trained.booster.save_model(booster)
        logged = mlflow.pyfunc.log_model(
            python_model=str(module),
            artifacts={"booster": str(booster)},
            model_config={"origin": origins.index(airport)} if airport else None,
            **_logged(trained),
        )
    return str(logged.model_id)


def _logged(trained: Trained) -> dict[str, Any]:
    versions = (f"{library.__name__}=={library.__version__}" for library in (lightgbm, pd))
    return {
        "name": "model",
        "signature": trained.signature,
        "metadata": trained.metadata,
        "pip_requirements": list(versions),
    }


if __name__ == "__main__":
    main()
