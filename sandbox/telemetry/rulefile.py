"""A Prometheus rule file, read as data.

    groups:
    - name: inputs
      rules:
      - alert: FrozenFeed
        expr: changes(weather_updates_total[1h]) == 0
        for: 30m
        labels: {severity: page}

The file is a candidate's: nothing in it is run, and whatever is wrong with it is one clear line.
It is read for what the harness needs. Whether Prometheus itself would load it is for promtool to
say (`sandbox.telemetry.promtool`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import yaml

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

Kind = Literal["record", "alert"]

BYTES_MAX = 256 * 1024
RULES_MAX = 100
LABELS_MAX = 30
# The parser takes a second for an expression of 5,000 parentheses, and the square of it for more.
EXPR_CHARACTERS_MAX = 5_000
_GROUP_KEYS = frozenset({"name", "interval", "limit", "query_offset", "rules"})
_RULE_KEYS = frozenset(
    {"record", "alert", "expr", "for", "keep_firing_for", "labels", "annotations"}
)
# Units and their order as in `model.ParseDuration` of Prometheus; a year is 365 days.
_DURATION = re.compile(
    r"(?:(\d+)y)?(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?(?:(\d+)ms)?", re.ASCII
)
_UNITS_MS = (31_536_000_000, 604_800_000, 86_400_000, 3_600_000, 60_000, 1_000, 1)
# What fits into Go's time.Duration, about 292 years.
_DURATION_MS_MAX = 2**63 // 10**6
# Nobody writes longer ones, and Python reads no number of thousands of digits.
_DURATION_CHARACTERS = 60


class RulesError(Exception):
    """What is wrong with a rule file, in one line. The candidate's."""


@dataclass(frozen=True)
class Rule:
    """One rule.

    Args:
        group: the name of its group.
        kind: whether it records a series or raises an alert.
        name: the series it records, or the alert's name.
        expr: its PromQL expression, as written.
        for_s: seconds its condition has to hold before it fires; 0 for a recording rule.
        keep_firing_for_s: seconds it goes on firing when the condition is over.
        labels: labels it adds; an empty value removes the label.
        annotations: texts for people, templates unexpanded.
        interval_s: how often the group wants to be evaluated; None where it does not say. Nothing
            follows from it here: on the simulated clock rules are evaluated at every scrape.
    """

    group: str
    kind: Kind
    name: str
    expr: str
    for_s: float = 0.0
    keep_firing_for_s: float = 0.0
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    interval_s: float | None = None


def read(path: Path) -> tuple[Rule, ...]:
    """Every rule of a file, in its order.

    A group's `interval` is kept and otherwise ignored: rules are evaluated at every scrape.
    `limit` and `query_offset` are refused by name rather than ignored, because they would change
    what fires.

    Raises:
        RulesError: the file cannot be read, or is not a rule file.
    """
    content = _content(path)
    _only(content, {"groups"}, path.name)
    groups = _list(content.get("groups"), "groups")
    rules: list[Rule] = []
    for number, group in enumerate(groups, start=1):
        rules += _group(group, f"group {number}")
        if len(rules) > RULES_MAX:
            raise RulesError(f"more than {RULES_MAX} rules")
    return tuple(rules)


def duration_s(text: str) -> float:
    """Seconds of a duration in Prometheus' syntax, such as "1h30m" or "0".

    Raises:
        RulesError: it is none.
    """
    match = _DURATION.fullmatch(text) if len(text) <= _DURATION_CHARACTERS else None
    if text == "0":
        return 0.0
    if not match or not text:
        raise RulesError(f"{text[:50]!r} is no duration such as 5m or 1h30m")
    total = sum(int(n or 0) * unit for n, unit in zip(match.groups(), _UNITS_MS, strict=True))
    if total > _DURATION_MS_MAX:
        raise RulesError(f"the duration {text[:50]!r} is out of range")
    return total / 1000


def written(seconds: float) -> str:
    """A duration the way Prometheus writes it: 5400 s is "1h30m"."""
    left, text = round(seconds * 1000), ""
    for unit, name in zip(_UNITS_MS[2:], ("d", "h", "m", "s", "ms"), strict=True):
        count, left = divmod(left, unit)
        text += f"{count}{name}" if count else ""
    return text or "0s"


def _content(path: Path) -> dict[str, Any]:
    try:
        if path.is_symlink() or not path.is_file() or path.stat().st_size > BYTES_MAX:
            raise RulesError(f"no plain file {path.name} of at most {BYTES_MAX // 1024} KiB")
        # Every scalar stays text: no tag can raise, and `for: 0` is not a number here.
        content = yaml.load(path.read_text("utf-8"), Loader=yaml.BaseLoader)  # noqa: S506 - safer
    except (OSError, yaml.YAMLError, RecursionError, ValueError, OverflowError) as error:
        said = " ".join(str(error).split())[:300]
        raise RulesError(f"{path.name} is not YAML: {said}") from error
    if not content:
        return {}
    return _mapping(content, path.name)


def _group(group: object, where: str) -> list[Rule]:
    keys = _mapping(group, where)
    name = _text(keys, "name", where)
    where = f"group {name[:60]}"
    _only(keys, _GROUP_KEYS, where)
    for key in ("limit", "query_offset"):
        if keys.get(key, "0") != "0":
            raise RulesError(f"{where}: {key} is not supported here")
    interval = _duration(keys, "interval", where) if "interval" in keys else None
    rules = _list(keys.get("rules"), f"{where}: rules")
    return [
        _rule(rule, name, interval, f"{where}, rule {number}")
        for number, rule in enumerate(rules, start=1)
    ]


def _rule(rule: object, group: str, interval_s: float | None, where: str) -> Rule:
    keys = _mapping(rule, where)
    _only(keys, _RULE_KEYS, where)
    if ("record" in keys) == ("alert" in keys):
        raise RulesError(f"{where} needs either record or alert")
    kind: Kind = "record" if "record" in keys else "alert"
    name = _text(keys, kind, where)
    where = f"{kind} {name[:60]}"
    if kind == "record":
        for key in ("for", "keep_firing_for", "annotations"):
            if key in keys:
                raise RulesError(f"{where}: a recording rule has no {key}")
    expr = _text(keys, "expr", where)
    if len(expr) > EXPR_CHARACTERS_MAX:
        raise RulesError(f"{where}: expr has more than {EXPR_CHARACTERS_MAX:,} characters")
    return Rule(
        group=group,
        kind=kind,
        name=name,
        expr=expr,
        for_s=_duration(keys, "for", where),
        keep_firing_for_s=_duration(keys, "keep_firing_for", where),
        labels=_texts(keys, "labels", where),
        annotations=_texts(keys, "annotations", where),
        interval_s=interval_s,
    )


def _mapping(value: object, where: str) -> dict[str, Any]:
    if not isinstance(value, dict) or not all(map(_is_text, value)):
        raise RulesError(f"{where} has to be a mapping")
    return value


def _is_text(value: object) -> bool:
    """Whether a value is text that can be written down: an escape may have made half a letter."""
    return isinstance(value, str) and not any("\ud800" <= c <= "\udfff" for c in value)


def _only(keys: Mapping[str, Any], known: set[str] | frozenset[str], where: str) -> None:
    unknown = sorted(set(keys) - known)
    if unknown:
        raise RulesError(f"{where}: unknown key {unknown[0][:60]!r}")


def _list(value: object, where: str) -> list[Any]:
    if value is None or value == "":
        return []
    # Checked before anything is looked at: aliases make a short file into a long list.
    if not isinstance(value, list) or len(value) > RULES_MAX:
        raise RulesError(f"{where} has to be a list of at most {RULES_MAX}")
    return value


def _text(keys: Mapping[str, Any], key: str, where: str) -> str:
    value = keys.get(key)
    if not isinstance(value, str) or not _is_text(value) or not value.strip():
        raise RulesError(f"{where}: {key} has to be a text that is not empty")
    return value


def _texts(keys: Mapping[str, Any], key: str, where: str) -> dict[str, str]:
    value = keys.get(key) or {}
    texts = _mapping(value, f"{where}: {key}")
    if len(texts) > LABELS_MAX or not all(map(_is_text, texts.values())):
        raise RulesError(f"{where}: {key} has to be at most {LABELS_MAX} names with texts")
    return texts


def _duration(keys: Mapping[str, Any], key: str, where: str) -> float:
    value = keys.get(key) or "0"
    if not isinstance(value, str):
        raise RulesError(f"{where}: {key} has to be a duration")
    try:
        return duration_s(value)
    except RulesError as error:
        raise RulesError(f"{where}: {key}: {error}") from None
