"""What is dear to make and the same for everybody: the real flights and the trained champion."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sandbox import flights as data
from sandbox import models, references

if TYPE_CHECKING:
    import pandas as pd

    from sandbox.references import Reference


@pytest.fixture(scope="session")
def all_flights() -> pd.DataFrame:
    """The whole data set; leave it as it is."""
    return data.load()


@pytest.fixture(scope="session")
def champion() -> Reference:
    """The champion that every stack starts with; trained where it is not kept yet."""
    return references.champion(models.releases())
