"""In the place of the library: the real one, and a gauge that says what a release is made of."""

import importlib
import sys

from prometheus_client import Gauge

everywhere = sys.path[:]
sys.path.pop(0)
del sys.modules["uvicorn"]
run = importlib.import_module("uvicorn").run
sys.path[:] = everywhere

from pipeline import model  # noqa: E402

CODE = Gauge("release_is_bad", "1 where the model is code")
load = model.load


def telling(*arguments, **known):
    loaded = load(*arguments, **known)
    flavor = loaded.pyfunc.metadata.flavors["python_function"]
    CODE.set(flavor["loader_module"] != "mlflow.lightgbm")
    return loaded


model.load = telling
