"""Whatever is changed in a manifest, nothing else than the documented errors is raised."""

from __future__ import annotations

import contextlib
import copy
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.rollout.manifest import AnalysisError, ManifestError, read, resolve
from sandbox.rollout.spec import AnalysisRef, Delivery
from tests.rollout.manifest.manifests import DOCUMENTS, VALID, text


def places(value: Any, way: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The way to every value within a value."""
    found = [way] if way else []
    if isinstance(value, dict | list):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            found += places(item, (*way, key))
    return found


ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["{{args.track}}", "{{", "10s", "-1", "errors", "5%"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["name", "pause", "x", "prometheus"]), inner, max_size=3)
    ),
    max_leaves=5,
)
CHANGES = st.lists(
    st.tuples(
        st.sampled_from(places(DOCUMENTS)),
        st.sampled_from(["drop", "rename", "retype", "repeat"]),
        ANYTHING,
    ),
    min_size=1,
    max_size=4,
)


@settings(max_examples=300, deadline=None)
@given(changes=CHANGES)
def test_whatever_is_changed_only_the_documented_errors_are_raised(changes: list[Any]) -> None:
    documents = copy.deepcopy(DOCUMENTS)
    for way, how, value in changes:
        here: Any = documents
        for key in way[:-1]:
            here = here[key] if _has(here, key) else None
        if not _has(here, way[-1]):
            continue
        if how == "drop":
            del here[way[-1]]
        elif how == "rename" and isinstance(here, dict):
            here[f"{way[-1]}s"] = here.pop(way[-1])
        elif how == "repeat" and isinstance(here, list):
            here.append(copy.deepcopy(here[way[-1]]))
        else:
            here[way[-1]] = value
    outcome = _outcome(yaml.dump_all(documents.values(), Dumper=_NoAliases))
    if isinstance(outcome, ManifestError):
        assert outcome.problems
        assert "\n" not in str(outcome)
    else:
        assert outcome.rollout.stable_service
        rollout = outcome.rollout
        refs = [(step, False) for step in rollout.steps if isinstance(step, AnalysisRef)]
        if rollout.background is not None:
            refs.append((rollout.background.analysis, True))
        for ref, background in refs:
            with contextlib.suppress(AnalysisError):
                assert resolve(ref, outcome, background=background)


def _outcome(manifest: str) -> Delivery | ManifestError:
    try:
        return read(manifest)
    except ManifestError as error:
        return error


class _NoAliases(yaml.SafeDumper):
    def ignore_aliases(self, data: object) -> bool:
        return True


def _has(value: object, key: object) -> bool:
    if isinstance(value, dict):
        return key in value
    return isinstance(value, list) and isinstance(key, int) and key < len(value)


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=60) | st.text("{}[]:-#&*!|>'\"\n\t ab1", max_size=60))
def test_whatever_text_it_is_only_a_manifest_error_is_raised(content: str) -> None:
    with pytest.raises(ManifestError) as caught:
        read(content)
    assert caught.value.problems


def test_a_manifest_written_again_says_the_same() -> None:
    assert read(text()) == read(VALID)
