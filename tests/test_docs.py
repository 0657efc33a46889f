"""The docs say what is so: commands, points, keys, modules, limits, exit statuses and links.

Each test compares a set read from the docs with one read from the code, both ways where it can:
what is missing and what does not exist (any more) both fail.
"""

from __future__ import annotations

import ast
import re
import subprocess
from collections import defaultdict
from functools import cache
from pathlib import Path

import pytest
import typer
import yaml
from pydantic import BaseModel, TypeAdapter

from sandbox import attempts, cli, diagnosis, evidence, paths, scenario
from sandbox.attempts import Attempt
from sandbox.commands.shared import BELOW, UNGRADABLE, USAGE
from sandbox.grading.checks import Check, Guard, declaration
from sandbox.grading.scorecard import VerdictOutcome
from sandbox.report.interview import Prompt
from sandbox.runtimes import bubblewrap
from sandbox.runtimes.docker import bases, containers
from sandbox.scenario import Choice, Range, Releases, Scenario, ServiceStart, Telemetry
from sandbox.submission import manifest
from sandbox.system import modules
from sandbox.workspace import IGNORED_NAMES

ROOT = paths.ROOT
DOCS = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
GUIDES = ("architecture", "authoring", "candidate", "ci", "grader", "security")
SCENARIOS = scenario.names()
EACH_DOC = pytest.mark.parametrize("path", DOCS, ids=lambda path: path.name)
EACH_SCENARIO = pytest.mark.parametrize("name", SCENARIOS)

FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


def guide(name: str) -> str:
    return (ROOT / "docs" / f"{name}.md").read_text("utf-8")


def readme() -> str:
    return (ROOT / "README.md").read_text("utf-8")


def section(text: str, heading: str) -> str:
    """What stands below a heading, up to the next of its level or above."""
    # A comment in a block of code looks like a heading: find headings where blocks are blanked out.
    outline = FENCED.sub(lambda block: " " * len(block[0]), text)
    hit = re.search(rf"^(#+) {re.escape(heading)}$", outline, re.MULTILINE)
    assert hit, f"no heading {heading!r}"
    end = re.compile(rf"^#{{1,{len(hit[1])}}} ", re.MULTILINE).search(outline, hit.end())
    return text[hit.end() : end.start() if end else len(text)]


def tables(text: str) -> dict[str, list[list[str]]]:
    """Rows of each table by its header's first cell; tables with the same one are joined."""
    found: dict[str, list[list[str]]] = defaultdict(list)
    for block in re.findall(r"(?:^\|.*\|$\n?)+", text, re.MULTILINE):
        head, _, *rows = (
            [cell.strip() for cell in line.strip("|").split("|")] for line in block.splitlines()
        )
        found[head[0]] += rows
    return found


def spans(cell: str) -> list[str]:
    return SPAN.findall(cell)


def code(text: str) -> list[str]:
    """Every line of code in a page: fenced blocks and spans."""
    blocks = [line for _, block in FENCED.findall(text) for line in block.splitlines()]
    return blocks + SPAN.findall(FENCED.sub("", text))


def blocks(text: str, language: str) -> list[str]:
    return [block for kind, block in FENCED.findall(text) if kind == language]


# -- commands


def command_options() -> dict[str, set[str]]:
    """The options of every `sandbox` command."""
    group = typer.main.get_command(cli.app)
    found = {}
    for name, command in group.commands.items():  # type: ignore[attr-defined]
        options = {option for parameter in command.params for option in parameter.opts}
        options |= {option for p in command.params for option in p.secondary_opts}
        found[name] = {option for option in options if option.startswith("--")} | {"--help"}
    return found


@cache
def targets() -> set[str]:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    return set(re.findall(r"^([a-z]+):.*## ", makefile, re.MULTILINE))


def typed() -> list[str]:
    return [line for path in DOCS for line in code(path.read_text("utf-8"))]


def test_every_sandbox_command_is_documented_and_exists() -> None:
    said = {m for line in typed() for m in re.findall(r"\bsandbox ([a-z]+)\b", line)}
    assert said == set(command_options())


def test_every_make_target_is_documented_and_exists() -> None:
    said = {m for line in typed() for m in re.findall(r"\bmake ([a-z]+)\b", line)}
    assert said == targets()


def test_the_readme_lists_every_command_beside_its_target() -> None:
    rows = tables(section(readme(), "Every command"))["make target"]
    listed = {spans(target)[0].removeprefix("make "): command for target, command, _ in rows}
    assert set(listed) == targets()
    makefile = (ROOT / "Makefile").read_text("utf-8")
    for target, command in listed.items():
        called = re.search(rf"^{target}:.*\n\t@\$\(SANDBOX\) ([a-z]+)", makefile, re.MULTILINE)
        if target != "help":
            assert spans(command) == ([f"sandbox {called[1]}"] if called else []), target


def test_every_documented_option_exists() -> None:
    known = command_options()
    for line in typed():
        for name, rest in re.findall(r"(?:sandbox|make) ([a-z]+)\b([^#]*)", line):
            options = set(re.findall(r"(--[a-z-]+)", rest))
            assert options <= known.get(name, set()), line


def test_every_documented_make_variable_exists() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    known = set(re.findall(r"^([A-Z]+) \?=", makefile, re.MULTILINE))
    said = {
        name
        for line in typed()
        if line.startswith("make ") or re.fullmatch(r"[A-Z]+=", line)
        for name in re.findall(r"\b([A-Z]+)=", line)
    }
    assert said
    assert said <= known


def test_the_readme_names_the_test_command() -> None:
    first = blocks(readme(), "sh")[0]
    assert re.search(r"^make start\b", first, re.MULTILINE)
    assert re.search(r"^make test\b", first, re.MULTILINE)


# -- exit statuses


@pytest.mark.parametrize("text", [readme(), guide("grader")], ids=["readme", "grader"])
def test_exit_statuses_are_those_of_the_command(text: str) -> None:
    rows = tables(section(text, "Exit statuses"))["status"]
    meaning = {int(status): words for status, words in rows}
    assert sorted(meaning) == sorted([0, BELOW, USAGE, UNGRADABLE])
    assert "graded" in meaning[0]
    assert "below `--fail-under`" in meaning[BELOW]
    assert "wrong usage" in meaning[USAGE]
    assert "ungradable" in meaning[UNGRADABLE]


def test_exit_statuses_of_the_pipeline_are_those_its_commands_document() -> None:
    rows = tables(section(guide("candidate"), "The pipeline"))["command"]
    said = {
        spans(row[0])[0].removeprefix("python -m pipeline."): [n for n in range(3) if row[1 + n]]
        for row in rows
    }
    wanted = {}
    for path in sorted((paths.HEALTHY / "pipeline").glob("*.py")):
        doc = ast.get_docstring(ast.parse(path.read_text("utf-8"))) or ""
        if statuses := re.search(r"^Exit status: (.*?)\.$", doc, re.MULTILINE | re.DOTALL):
            wanted[path.stem] = [int(n) for n in re.findall(r"(?:^|,\s)(\d) ", statuses[1])]
    assert said == wanted


# -- scenarios and points


def declared(name: str) -> dict[str, Check | Guard]:
    """What a scenario's graders declare, by name without `test_`, in their order."""
    found = {}
    for path in sorted((paths.GRADERS / name).glob("test_*.py")):
        module = modules.module_from(path.read_text("utf-8"), f"docs_{path.stem}", str(path))
        for function, value in vars(module).items():
            if what := declaration(value):
                found[function.removeprefix("test_")] = what
    return found


def points_rows(name: str) -> list[list[str]]:
    checks = {key: what for key, what in declared(name).items() if isinstance(what, Check)}
    rows = [[f"`{key}`", f"{what.points:g}", what.competency] for key, what in checks.items()]
    return [*rows, ["total", f"{sum(what.points for what in checks.values()):g}", ""]]


def guard_rows(name: str) -> list[list[str]]:
    return [
        [f"`{key}`", ", ".join(f"`{check}`" for check in what.of)]
        for key, what in declared(name).items()
        if isinstance(what, Guard)
    ]


def test_there_are_scenarios_to_document() -> None:
    assert SCENARIOS
    assert all(len(points_rows(name)) > 1 for name in SCENARIOS)


@EACH_SCENARIO
def test_points_in_the_graders_guide_are_those_of_the_graders(name: str) -> None:
    found = tables(section(guide("grader"), name))
    assert found["check"] == points_rows(name)
    assert found["guard"] == guard_rows(name)


def points_by_competency(name: str) -> str:
    sums: dict[str, float] = defaultdict(float)
    for what in declared(name).values():
        if isinstance(what, Check):
            sums[what.competency] += what.points
    assert sum(sums.values()) == 100
    most_first = sorted(sums.items(), key=lambda entry: -entry[1])
    return ", ".join(f"{competency} {points:g}" for competency, points in most_first)


def test_the_readme_lists_the_scenarios_and_their_points_as_they_are() -> None:
    rows = tables(section(readme(), "What there is today"))["scenario"]
    wanted = []
    for name in SCENARIOS:
        it = scenario.load(name)
        points, minutes = points_by_competency(name), str(it.time_limit_min)
        wanted.append([f"`{name}`", it.summary, points, it.level, minutes])
    assert rows == wanted


@EACH_SCENARIO
def test_the_candidates_guide_says_what_is_protected(name: str) -> None:
    said = guide("candidate")
    plain = {glob.removesuffix("**").rstrip("*/") for glob in scenario.load(name).protected}
    listed = section(said, "What is protected")
    assert name in listed
    assert all(re.search(rf"`{re.escape(path)}(\.py|/)?`", listed) for path in plain)


@EACH_SCENARIO
def test_the_ticket_has_every_word_that_a_right_diagnosis_needs(name: str) -> None:
    ticket = (scenario.load(name).folder / "TICKET.md").read_text("utf-8")
    words = section(ticket, "Words for the diagnosis")
    kinds = {spans(kind)[0] for kind, _ in tables(words)["kind"]}
    truths = yaml.safe_load((paths.GRADERS / name / "truth.yaml").read_text("utf-8"))
    facts = [fact for choices in truths.values() for fact in choices.values()]
    assert {kind for fact in facts for kind in fact["kind"]} <= kinds
    # A word that no variant needs is there so that the list does not give the answer away.
    assert all(fact["component"] in words for fact in facts)
    ours = tables(section(guide("candidate"), "The diagnosis"))["key"]
    assert {spans(key)[0] for key, _ in ours} == {*diagnosis.KEYS, *diagnosis.OPTIONAL}


# -- keys of files


def keys(model: type[BaseModel], *, own: tuple[str, ...] = ("name", "folder")) -> set[str]:
    """The keys a person writes; the rest comes from where the file lies."""
    return {key for key in model.model_fields if key not in own}


def documented(heading: str, column: str = "key") -> set[str]:
    rows = tables(section(guide("authoring"), heading))[column]
    return {spans(row[0])[0] for row in rows}


def test_every_key_of_scenario_yaml_is_documented() -> None:
    nested = {f"service.{key}" for key in keys(ServiceStart, own=())}
    nested |= {f"telemetry.{key}" for key in keys(Telemetry, own=())}
    nested |= {f"releases.{key}" for key in keys(Releases, own=())}
    nested |= {f"variant.*.{key}" for model in (Choice, Range) for key in model.model_fields}
    assert documented("scenario.yaml") == keys(Scenario) | nested


def test_every_key_of_expected_yaml_is_documented() -> None:
    assert documented("Attempts", "key of `expected.yaml`") == keys(Attempt)


def test_every_key_of_interview_yaml_is_documented() -> None:
    assert documented("interview.yaml") == set(Prompt.model_fields)


def test_every_key_of_truth_yaml_is_documented() -> None:
    assert documented("truth.yaml") == set(diagnosis.KEYS)


@pytest.mark.parametrize("model", [Scenario, Attempt, Prompt], ids=lambda model: model.__name__)
def test_every_word_that_a_key_takes_is_documented(model: type[BaseModel]) -> None:
    heading = {Scenario: "scenario.yaml", Attempt: "Attempts", Prompt: "interview.yaml"}[model]
    said = set(SPAN.findall(FENCED.sub("", section(guide("authoring"), heading))))
    schema = model.model_json_schema()["properties"]
    words = {word for key in schema.values() for word in key.get("enum", [])}
    assert words
    assert words <= said


def test_examples_of_files_are_what_the_harness_reads() -> None:
    examples = {
        block.partition("\n")[0].removeprefix("# "): yaml.safe_load(block)
        for block in blocks(guide("authoring"), "yaml")
    }
    folder = Path("example")
    setting = Scenario.model_validate(examples["scenario.yaml"] | {"name": "x", "folder": folder})
    assert set(examples["truth.yaml"]) <= set(setting.variant)
    for facts in examples["truth.yaml"].values():
        assert all(set(fact) == set(diagnosis.KEYS) for fact in facts.values())
    Attempt.model_validate(examples["expected.yaml"] | {"name": "x", "folder": folder})
    TypeAdapter(list[Prompt]).validate_python(examples["interview.yaml"])
    assert len(examples) == 4


def test_examples_of_python_import() -> None:
    examples = blocks(guide("authoring"), "python")
    assert len(examples) == 3
    found: set[str] = set()
    for number, example in enumerate(examples):
        module = modules.module_from(example, f"docs_example_{number}", "docs/authoring.md")
        found |= {name for name, value in vars(module).items() if callable(value)}
        assert all(declaration(v) for n, v in vars(module).items() if n.startswith("test_"))
    assert {"plan", "pictures", "test_frozen_column_moves_again"} <= found


def test_the_example_of_a_diagnosis_can_be_read(tmp_path: Path) -> None:
    [example] = blocks(section(guide("candidate"), "The diagnosis"), "yaml")
    (tmp_path / diagnosis.FILE).write_text(example, "utf-8")
    read = diagnosis.read(tmp_path)
    assert read["problem"] == ""
    assert read["findings"]
    assert read["notes"]


# -- modules, outcomes, verdicts, layers


def test_every_module_is_in_the_architecture() -> None:
    modules = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "sandbox").rglob("*.py")
        if path.name != "__init__.py"
    }
    rows = tables(section(guide("architecture"), "Modules"))["module"]
    assert sorted(spans(row[0])[0] for row in rows) == sorted(modules)


def test_every_folder_is_in_the_architecture() -> None:
    rows = tables(section(guide("architecture"), "Folders"))["folder"]
    listed = {spans(row[0])[0] for row in rows}
    assert [n for n in sorted(listed) if "<" not in n and not (ROOT / n).is_dir()] == []
    top = {path.relative_to(ROOT).parts[0] for path in tracked() if path.parent != ROOT}
    assert {name.split("/")[0] for name in listed} == top


def test_layers_are_those_that_are_checked() -> None:
    project = (ROOT / "pyproject.toml").read_text("utf-8")
    [listed] = re.findall(r"^layers = \[\n(.*?)^\]", project, re.MULTILINE | re.DOTALL)
    wanted = [
        [name.strip().removeprefix("sandbox.") for name in line.split("|")]
        for line in re.findall(r'"([^"]+)"', listed)
    ]
    [block] = blocks(section(guide("architecture"), "Layers"), "")
    assert [line.split(", ") for line in block.splitlines()] == wanted


def test_outcomes_and_fields_of_evidence_are_documented() -> None:
    found = tables(section(guide("architecture"), "Evidence"))
    assert [spans(row[0])[0] for row in found["outcome"]] == [str(o) for o in evidence.Outcome]
    fields = [spans(row[0])[0] for row in found["field"]]
    assert fields == list(evidence.Record.__dataclass_fields__)


def test_every_verdict_is_documented() -> None:
    rows = tables(section(guide("architecture"), "Verdict rules"))["what happened"]
    said = [re.split(r"[;,]", verdict)[0] for _, verdict in rows]
    assert sorted(said) == sorted(str(outcome) for outcome in VerdictOutcome)


# -- what a submission and its service may do


def test_limits_of_a_submission_are_those_that_hold() -> None:
    rows = tables(section(guide("candidate"), "What travels in a submission"))["limit"]
    assert [limit for _, limit in rows] == [
        f"{manifest.MAX_FILES:,}",
        f"{manifest.MAX_FILE_BYTES // 2**20} MiB",
        f"{manifest.MAX_TOTAL_BYTES // 2**20} MiB",
        f"{manifest.MAX_NAME_BYTES} bytes",
        f"{manifest.MAX_FOLDER_BYTES} bytes",
    ]
    archive = section(guide("security"), "The archive")
    assert f"at most {rows[0][1]} files, {rows[1][1]} each, {rows[2][1]} in all" in archive


def test_names_that_never_travel_are_listed() -> None:
    said = spans(section(guide("candidate"), "What travels in a submission"))
    assert set(IGNORED_NAMES) <= {name.lower() for name in said}


def test_limits_of_the_isolation_are_those_that_hold() -> None:
    said = section(guide("security"), "The submission's code")
    assert f"{bubblewrap.LIMITS['n']:,} open files" in said
    assert f"files of {bubblewrap.LIMITS['f'] * 512 // 2**30} GiB" in said
    assert f"`/tmp` of {bubblewrap.TMP_BYTES // 2**30} GiB" in said
    assert f"`/dev/shm` of {bubblewrap.SHM_BYTES // 2**20} MiB" in said


def test_limits_of_containers_are_those_that_hold() -> None:
    said = section(guide("security"), "The submission's code")
    memory = f"{containers.MEMORY_BYTES // 2**30} GiB of memory"
    log = f"{2 * containers.LOG_BYTES // 2**20} MiB of log"
    limits = (memory, f"{containers.PROCESSORS} processors", f"{containers.TASKS:,} tasks", log)
    assert all(limit in said for limit in limits)
    assert f"`{bases.PYTHON}`" in said


def test_routes_of_the_service_are_documented() -> None:
    tree = ast.parse((paths.HEALTHY / "service" / "app.py").read_text("utf-8"))
    routes = {
        f"{decorator.func.attr.upper()} {decorator.args[0].value!s}"
        for node in ast.walk(tree)
        if isinstance(node, ast.AsyncFunctionDef)
        for decorator in node.decorator_list
        if isinstance(decorator, ast.Call)
        and isinstance(decorator.func, ast.Attribute)
        and isinstance(decorator.args[0], ast.Constant)
    }
    rows = tables(section(guide("candidate"), "The service"))["route"]
    assert {spans(row[0])[0] for row in rows} == routes


def test_environment_of_the_service_is_documented() -> None:
    source = "".join(path.read_text("utf-8") for path in (paths.HEALTHY / "service").glob("*.py"))
    read = set(re.findall(r'environ\.get\("(\w+)"', source))
    rows = tables(section(guide("candidate"), "The service"))["variable"]
    # MLflow reads that one by itself.
    assert {spans(row[0])[0] for row in rows} == read | {"MLFLOW_TRACKING_URI"}


# -- links, paths, words


@cache
def anchors(path: Path) -> set[str]:
    """The anchors that GitHub gives a page's headings."""
    text = FENCED.sub("", path.read_text("utf-8"))
    return {
        re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        for heading in HEADING.findall(text)
    }


@EACH_DOC
def test_links_and_pictures_resolve(path: Path) -> None:
    links = LINK.findall(FENCED.sub("", path.read_text("utf-8")))
    broken = []
    for link in links:
        target, _, anchor = link.partition("#")
        if "://" in target:
            continue
        page = (path.parent / target).resolve() if target else path
        if not page.is_file() or (anchor and anchor not in anchors(page)):
            broken.append(link)
    assert broken == []


def test_every_guide_is_linked_from_the_readme() -> None:
    linked = set(LINK.findall(readme()))
    assert {f"docs/{name}.md" for name in GUIDES} <= linked
    assert {path.stem for path in (ROOT / "docs").glob("*.md")} == set(GUIDES)


def test_the_picture_is_a_small_png() -> None:
    picture = (ROOT / "docs" / "report.png").read_bytes()
    assert picture.startswith(b"\x89PNG\r\n")
    assert len(picture) < 300_000


@EACH_DOC
def test_named_files_exist(path: Path) -> None:
    named = {
        span
        for span in SPAN.findall(FENCED.sub("", path.read_text("utf-8")))
        if re.fullmatch(r"(sandbox|broken_services|graders|tests|docs|\.?ci)/[\w./-]*", span)
    }
    # A path that every workspace has is not one of the repository.
    inside = {"tests/test_parity.py"}
    assert sorted(n for n in named - inside if not (ROOT / n).exists()) == []


def test_what_is_planned_is_spoken_of_in_the_roadmap_only() -> None:
    planned = re.compile(r"\bplanned\b|\bcoming soon\b|\bnot yet (?:there|built)\b|\bsoon\b", re.I)
    plans = section(readme(), "Roadmap")
    for path in DOCS:
        text = path.read_text("utf-8").replace(plans, "")
        assert not planned.search(text), path.name
        if path.name not in ("CHANGELOG.md", "architecture.md"):
            assert not re.search(r"`kubernetes`", text), path.name


def test_the_readme_says_what_it_is_in_its_first_lines() -> None:
    first = [line for line in readme().splitlines() if line][1:4]
    said = " ".join(first)
    assert all(word in said for word in ("MLOps", "hire", "candidate", "Graders"))


def test_the_newest_version_is_in_the_changelog() -> None:
    project = (ROOT / "pyproject.toml").read_text("utf-8")
    [version] = re.findall(r'^version = "(.+)"$', project, re.MULTILINE)
    log = (ROOT / "CHANGELOG.md").read_text("utf-8")
    assert "## [Unreleased]" in log
    assert version in log


# -- what must not be in the repository


def tracked() -> list[Path]:
    """Files that git tracks, or would when everything is added."""
    done = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
        text=True,
    )
    names = sorted(set(filter(None, done.stdout.split("\0"))))
    return [ROOT / name for name in names if (ROOT / name).is_file()]


# Never written out here: this file is searched as well.
HOSTS = tuple(
    re.escape(".".join(parts)).encode()
    for parts in (
        ("pypi", "org"),
        ("python" + "hosted", "org"),
        ("proxy", "golang", "org"),
        ("registry", "npmjs", "org"),
        ("conda", "anaconda", "org"),
    )
)
REGISTRY = re.compile(
    b"|".join([*HOSTS, rb"index-url[ =]+['\"]?[a-z]+://", rb"find-links[ =]+['\"]?[a-z]+://"])
)


def test_the_search_for_registries_finds_them() -> None:
    assert REGISTRY.search(b"https://" + ".".join(("pypi", "org")).encode() + b"/simple")
    assert REGISTRY.search(b"--index" + b"-url https://packages.example")
    assert not REGISTRY.search(b"uv pip compile --no-emit-index" + b"-url --no-header")


def test_no_file_names_a_package_registry() -> None:
    files = tracked()
    assert ROOT / "README.md" in files
    found = [str(path.relative_to(ROOT)) for path in files if REGISTRY.search(path.read_bytes())]
    assert found == []


def test_the_docs_name_no_folder_of_somebodys_machine() -> None:
    own = re.compile(rf"{re.escape(str(ROOT))}\b|/home/|/root/|/Users/|/mnt/")
    for path in DOCS:
        assert not own.search(path.read_text("utf-8")), path.name


# -- attempts


def test_the_kinds_of_attempts_that_authors_are_asked_for_are_there() -> None:
    for name in SCENARIOS:
        kinds = [attempt.kind for attempt in attempts.load_all(name)]
        said = " ".join(section(guide("authoring"), "Attempts").split())
        assert "two other right fixes in another style, three partial fixes, three cheats" in said
        assert kinds.count("untouched") == kinds.count("oracle") == 1
        assert kinds.count("right fix") >= 2
        assert kinds.count("partial fix") >= 3
        assert kinds.count("cheat") >= 3
