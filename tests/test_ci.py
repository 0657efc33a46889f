"""The workflows under `ci/`: what they type exists, no secret is where it need not be, and their
scripts do what docs/ci.md says, run for real with a stand-in for `sandbox`."""

from __future__ import annotations

import os
import re
import ssl
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import IPv4Address
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import typer
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from sandbox import cli, identity, upkeep
from sandbox.paths import ROOT
from sandbox.report.formats import FILES
from sandbox.runtimes import bubblewrap, docker
from sandbox.submission import archive
from tests.results import hand_in

if TYPE_CHECKING:
    from collections.abc import Iterator

GITHUB = yaml.safe_load((ROOT / "ci/github/grade.yml").read_text("utf-8"))
GITLAB = yaml.safe_load((ROOT / "ci/gitlab/grade.yml").read_text("utf-8"))
# YAML 1.1 reads the key `on` as true.
ON = True
GITLAB_JOBS = ("fetch", "grade", "sign", "threshold")
BOTH = pytest.mark.parametrize("host", ["github", "gitlab"])
SECRETS = {"SANDBOX_SECRET", "SANDBOX_SIGNING_KEY"}


def steps(job: str) -> list[dict[str, Any]]:
    return GITHUB["jobs"][job]["steps"]


def step(job: str, name: str) -> dict[str, Any]:
    (found,) = (step for step in steps(job) if step["name"] == name)
    return found


def script(host: str, job: str) -> str:
    """The script of a job that does what the job is for."""
    names = {
        "fetch": "Fetch the submission as a file",
        "grade": "Grade",
        "threshold": "Compare with the threshold",
    }
    return step(job, names[job])["run"] if host == "github" else GITLAB[job]["script"][-1]


def every_script() -> list[str]:
    of_github = [s["run"] for job in GITHUB["jobs"].values() for s in job["steps"] if "run" in s]
    return of_github + [line for job in GITLAB_JOBS for line in GITLAB[job]["script"]]


# -- what is typed exists


def typed() -> list[list[str]]:
    """The words of every `sandbox` and `make` command."""
    lines = "\n".join(every_script()).replace("\\\n", " ").splitlines()
    found = (re.search(r"(?:\.venv/bin/(sandbox)|\b(make)) (.*)", line) for line in lines)
    return [[hit[1] or hit[2], *re.split(r'[\s"=|]+', hit[3])] for hit in found if hit]


def test_every_command_and_option_exists() -> None:
    group = typer.main.get_command(cli.app)
    commands = group.commands  # type: ignore[attr-defined]
    seen = set()
    for program, name, *words in typed():
        seen.add((program, name))
        if program == "make":
            assert re.search(rf"^{name}:", (ROOT / "Makefile").read_text(), re.MULTILINE), name
            continue
        options = {option for parameter in commands[name].params for option in parameter.opts}
        assert {word for word in words if word.startswith("--")} <= options, name
    wanted = {("sandbox", name) for name in ("doctor", "grade", "sign", "verify")}
    assert seen == wanted | {("make", "setup")}


def test_options_that_are_put_together_exist() -> None:
    group = typer.main.get_command(cli.app)
    options = {o for p in group.commands["grade"].params for o in p.opts}  # type: ignore[attr-defined]
    for host in ("github", "gitlab"):
        added = set(re.findall(r'set -- "\$@" "(--[a-z-]+)=', script(host, "grade")))
        assert added == {"--candidate", "--seed"}
        assert added <= options


@BOTH
def test_every_format_is_asked_for(host: str) -> None:
    assert f"--format {','.join(FILES)}" in script(host, "grade")


def test_the_secret_has_the_name_that_is_read() -> None:
    assert identity.VARIABLE in SECRETS


@BOTH
def test_a_submission_may_be_as_large_as_an_archive(host: str) -> None:
    limits = (
        step("fetch", "Fetch the submission as a file")["env"]
        if host == "github"
        else GITLAB["fetch"]["variables"]
    )
    assert limits["MAX_BYTES"] == str(archive.MAX_ARCHIVE_BYTES)


def test_isolation_is_looked_for_where_doctor_tells_of_it() -> None:
    said = [
        f"{'ok  ' if finding.good else 'MISS'} {finding.name:<12} {finding.seen}"
        for finding in upkeep.examine()
    ]
    looked_for = "^ok   (docker|bubblewrap) "
    found = any(re.match(looked_for, line) for line in said)
    assert found == ("" in (bubblewrap.available(), docker.unavailable()))
    assert sum(f"grep -Eq '{looked_for}' doctor.txt" in text for text in every_script()) == 2


# -- who gets to see what


def test_actions_are_pinned_by_commit_with_their_version() -> None:
    text = (ROOT / "ci/github/grade.yml").read_text("utf-8")
    used = re.findall(r"uses: (\S+)(.*)", text)
    assert len(used) == sum("uses" in s for job in GITHUB["jobs"].values() for s in job["steps"])
    for action, comment in used:
        assert re.fullmatch(r"actions/[a-z-]+@[0-9a-f]{40}", action), action
        assert re.fullmatch(r" # v\d+\.\d+\.\d+", comment), action
    assert len({action.split("@")[0] for action, _ in used}) == len({action for action, _ in used})


def test_permissions_are_minimal() -> None:
    assert GITHUB["permissions"] == {}
    for name, job in GITHUB["jobs"].items():
        checks_out = any("checkout" in s.get("uses", "") for s in job["steps"])
        assert job["permissions"] == ({"contents": "read"} if checks_out else {}), name
        for s in job["steps"]:
            if "checkout" in s.get("uses", ""):
                assert s["with"] == {"persist-credentials": False}
    # Nobody outside of the team can start it, and nothing a candidate pushes does.
    assert set(GITHUB[ON]) == {"workflow_dispatch", "repository_dispatch"}


def test_nothing_typed_becomes_a_part_of_a_script() -> None:
    assert [text for text in every_script() if "${{" in text] == []


def test_secrets_of_github_are_in_two_steps_only() -> None:
    where = {}
    for name, job in GITHUB["jobs"].items():
        bare = {key: value for key, value in job.items() if key != "steps"}
        assert "secrets." not in str(bare), name
        for s in job["steps"]:
            if found := set(re.findall(r"secrets\.(\w+)", str(s))):
                where[name, s["name"]] = found
    assert "secrets" not in str({key: GITHUB[key] for key in GITHUB if key != "jobs"})
    assert where == {
        ("grade", "Grade"): {"SANDBOX_SECRET"},
        ("sign", "Sign"): {"SANDBOX_SIGNING_KEY"},
    }
    # The key comes before the submission does, on a machine where no submission runs.
    order = [s["name"] for s in steps("sign")]
    assert order.index("Sign") < order.index("Take the submission")
    assert "sandbox grade" not in str(GITHUB["jobs"]["sign"])


def test_secrets_of_gitlab_are_those_of_an_environment() -> None:
    environments = {job: GITLAB[job].get("environment", {}).get("name") for job in GITLAB_JOBS}
    assert environments == {"fetch": None, "grade": "grading", "sign": "signing", "threshold": None}
    assert not SECRETS & set(GITLAB["variables"])
    for job, secret, allowed in (
        ("grade", "SANDBOX_SECRET", "sandbox grade"),
        ("sign", "SANDBOX_SIGNING_KEY", "sandbox sign"),
    ):
        for line in "\n".join(GITLAB[job]["script"]).splitlines():
            if re.search(r"\bmake |sandbox doctor", line):
                assert line.lstrip("- ").startswith(f"env -u {secret} "), line
        others = {secret} ^ SECRETS
        assert not any(other in str(GITLAB[job]) for other in others)
        assert allowed in str(GITLAB[job]["script"])


@BOTH
def test_the_submission_arrives_where_there_are_no_graders(host: str) -> None:
    if host == "github":
        assert not any("checkout" in s.get("uses", "") for s in steps("fetch"))
    else:
        assert GITLAB["fetch"]["variables"]["GIT_STRATEGY"] == "none"


def test_results_are_published_whatever_the_grade() -> None:
    assert "always" in GITLAB["grade"]["artifacts"]["when"]
    published = step("grade", "Publish the results")
    assert published["if"] == "${{ !cancelled() && steps.grade.outputs.status != '' }}"
    assert GITLAB["grade"]["artifacts"]["reports"]["junit"] == "results/graded/junit.xml"


def test_jobs_need_jobs_that_are_there() -> None:
    for job in GITHUB["jobs"].values():
        assert job.get("needs", "fetch") in GITHUB["jobs"]
    for name in GITLAB_JOBS:
        assert {need["job"] for need in GITLAB[name].get("needs", [])} <= set(GITLAB_JOBS)
        assert GITLAB[name]["stage"] in GITLAB["stages"]


def test_gitlab_starts_for_the_team_on_a_protected_branch_only() -> None:
    (rule,) = GITLAB["workflow"]["rules"]
    assert '$CI_COMMIT_REF_PROTECTED == "true"' in rule["if"]
    (sources,) = re.findall(r"=~ /\^\(([a-z|]+)\)\$/", rule["if"])
    assert set(sources.split("|")) == {"web", "api", "trigger", "schedule"}


# -- the scripts, for real


STAND_IN = """#!/bin/sh
printf '%s\\n' "$@" > typed.txt
if [ -n "$WRITES" ]; then
  mkdir -p results/graded
  printf '# 7 of 10 points\\n' > results/graded/summary.md
fi
echo '::error::not ours'
exit "$STATUS"
"""


def run(text: str, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a script as both hosts do: bash, which stops at the first failure."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), **variables}
    return subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", text],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def graded(tmp_path: Path):
    """Runs the script that grades, with a `sandbox` that ends as it is told to."""
    program = tmp_path / ".venv/bin/sandbox"
    program.parent.mkdir(parents=True)
    program.write_text(STAND_IN)
    program.chmod(0o755)

    def grade(host: str, status: int, *, writes: bool, **variables: str):
        given = {
            "CANDIDATE": "",
            "SEED": "",
            "FAIL_UNDER": "60",
            "SANDBOX_SECRET": "",
            "RUNNER_TEMP": "/runner",
            "GITHUB_OUTPUT": str(tmp_path / "output"),
            "GITHUB_STEP_SUMMARY": str(tmp_path / "summary"),
            "STATUS": str(status),
            "WRITES": "yes" if writes else "",
        }
        return run(script(host, "grade"), tmp_path, **(given | variables))

    return grade


def text_of(path: Path) -> str:
    return path.read_text() if path.exists() else ""


@pytest.mark.parametrize(
    ("status", "writes", "ends", "summary"),
    [
        (0, True, 0, "# 7 of 10 points\n"),
        (1, True, 0, "# 7 of 10 points\n**Below the threshold of 60 points.**\n"),
        (2, False, 2, "# REFUSED: nothing was graded; the log says why\n"),
        (3, True, 3, "# 7 of 10 points\n# OURS, and never the candidate's: grade again\n"),
        (3, False, 3, "# OURS, and never the candidate's: grade again\n"),
        (137, False, 3, "# OURS, and never the candidate's: grade again\n"),
    ],
)
def test_github_grades(
    graded, tmp_path: Path, *, status: int, writes: bool, ends: int, summary: str
) -> None:
    done = graded("github", status, writes=writes)
    assert done.returncode == ends, done.stderr
    assert text_of(tmp_path / "output") == f"status={status}\n"
    assert text_of(tmp_path / "summary") == summary
    # What is printed while grading is no command to the runner; what comes after is.
    first, *printed, blank, last = done.stdout.splitlines()[: 4 if ends == 0 else -1]
    token = first.removeprefix("::stop-commands::")
    assert re.fullmatch(r"[0-9a-f-]{36}", token)
    assert (printed, blank, last) == (["::error::not ours"], "", f"::{token}::")
    said = done.stdout.splitlines()[4:]
    assert [line.split("::")[1] for line in said] == (
        [] if ends == 0 else [f"error title={'Refused' if ends == 2 else 'Ungradable'}"]
    )


@pytest.mark.parametrize(
    ("status", "ends", "said"),
    [(0, 0, ""), (1, 0, ""), (2, 2, "REFUSED"), (3, 3, "UNGRADABLE"), (137, 3, "UNGRADABLE")],
)
def test_gitlab_grades(graded, tmp_path: Path, status: int, ends: int, said: str) -> None:
    done = graded("gitlab", status, writes=True)
    assert done.returncode == ends, done.stderr
    assert text_of(tmp_path / "status.env") == f"GRADE_STATUS={status}\n"
    assert said in done.stderr
    assert bool(said) == bool(done.stderr)


@BOTH
def test_what_was_typed_reaches_sandbox_as_it_was(graded, tmp_path: Path, host: str) -> None:
    hostile = '--fail-under=0 "; touch owned; $(touch owned) `touch owned`'
    graded(host, 0, writes=True, CANDIDATE=hostile, SEED="a b", FAIL_UNDER="70")
    words = (tmp_path / "typed.txt").read_text().splitlines()
    assert words[0] == "grade"
    assert words[1].endswith("submission.tar.gz")
    assert words[-3:] == ["--fail-under=70", f"--candidate={hostile}", "--seed=a b"]
    assert not (tmp_path / "owned").exists()


@BOTH
def test_without_candidate_and_seed_neither_is_said(graded, tmp_path: Path, host: str) -> None:
    graded(host, 0, writes=True)
    words = (tmp_path / "typed.txt").read_text().splitlines()
    assert words[-1] == "--fail-under=60"
    assert not any(word.startswith(("--candidate", "--seed")) for word in words)


@BOTH
@pytest.mark.parametrize(
    ("status", "ends"), [("0", 0), ("1", 1), ("2", 3), ("3", 3), ("", 3), ("10", 3)]
)
def test_only_a_grade_below_it_misses_the_threshold(
    tmp_path: Path, host: str, status: str, ends: int
) -> None:
    done = run(script(host, "threshold"), tmp_path, STATUS=status, GRADE_STATUS=status)
    assert done.returncode == ends
    said = done.stdout + done.stderr
    assert ("candidate" in said) == (ends == 3)


# -- fetching, from a real server


class Site(BaseHTTPRequestHandler):
    """Paths that a submission's link could lead to."""

    def do_GET(self) -> None:
        port = self.server.server_address[1]
        moved = {
            "/moved": f"https://127.0.0.1:{port}/archive",
            "/plain": f"http://127.0.0.1:{port}/archive",
            "/file": "file:///etc/passwd",
            "/circle": "/circle",
        }
        if self.path in moved:
            self.send_response(302)
            self.send_header("Location", moved[self.path])
            self.end_headers()
        elif self.path in {"/archive", "/large", "/endless"}:
            self.send_response(200)
            body = b"content" if self.path == "/archive" else b"x" * 5000
            if self.path != "/endless":
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        else:
            self.send_error(404)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """A server on TLS: its address, and the certificate that curl has to believe."""
    folder = tmp_path_factory.mktemp("site")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    (folder / "cert.pem").write_bytes(certificate.public_bytes(pem))
    (folder / "key.pem").write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    server = ThreadingHTTPServer(("127.0.0.1", 0), Site)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"https://127.0.0.1:{server.server_address[1]}", str(folder / "cert.pem")
    server.shutdown()
    server.server_close()
    thread.join()


@BOTH
@pytest.mark.parametrize("path", ["/archive", "/moved"])
def test_a_submission_is_fetched(site, tmp_path: Path, host: str, path: str) -> None:
    address, certificate = site
    url = address + path
    done = run(
        script(host, "fetch"),
        tmp_path,
        URL=url,
        SUBMISSION_URL=url,
        MAX_BYTES="1000",
        CURL_CA_BUNDLE=certificate,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "submission.tar.gz").read_bytes() == b"content"
    assert [entry.name for entry in tmp_path.iterdir()] == ["submission.tar.gz"]


@BOTH
@pytest.mark.parametrize(
    "link",
    [
        "{}/plain",
        "{}/file",
        "{}/circle",
        "{}/large",
        "{}/endless",
        "{}/none",
        "{}/{{archive,moved}}",
        "http://127.0.0.1/archive",
        "file:///etc/passwd",
        "--config=/etc/passwd",
        "HTTPS://127.0.0.1/archive",
        "",
    ],
)
def test_a_link_that_is_not_fetched(site, tmp_path: Path, host: str, link: str) -> None:
    address, certificate = site
    url = link.format(address)
    done = run(
        script(host, "fetch"),
        tmp_path,
        URL=url,
        SUBMISSION_URL=url,
        MAX_BYTES="1000",
        CURL_CA_BUNDLE=certificate,
    )
    assert done.returncode != 0
    assert done.stderr
    left = text_of(tmp_path / "submission.tar.gz")
    assert "root:" not in left
    assert len(left) <= 1001


# -- signing, with the real command


def as_a_job_finds_it(folder: Path, submission: str) -> Path:
    made = hand_in(folder)
    for source, place in (("results", "results/graded"), ("work.tar.gz", submission)):
        kept = (made / source).rename(made / "kept")
        (made / place).parent.mkdir(exist_ok=True)
        kept.rename(made / place)
    (made / ".venv").symlink_to(Path(sys.executable).parent.parent)
    return made


def test_github_signs_and_verifies(tmp_path: Path) -> None:
    made = as_a_job_finds_it(tmp_path, "submission/submission.tar.gz")
    before = {path.name for path in made.iterdir()}
    key = (made / "team.pem").read_text()
    signed = run(step("sign", "Sign")["run"], made, SANDBOX_SIGNING_KEY=key)
    assert signed.returncode == 0, signed.stderr
    # The key was on no disk.
    assert {path.name for path in made.iterdir()} == before
    verify = step("sign", "Verify")["run"]
    public = (made / "team.pub.pem").read_text()
    given = {"SANDBOX_PUBLIC_KEY": public, "RUNNER_TEMP": str(made)}
    assert run(verify, made, **given).returncode == 0
    other = (made / "other.pub.pem").read_text()
    assert run(verify, made, **(given | {"SANDBOX_PUBLIC_KEY": other})).returncode == 1
    (made / "results/graded/evidence/real.json").unlink()
    assert run(verify, made, **given).returncode == 1


def test_gitlab_signs_and_verifies(tmp_path: Path) -> None:
    made = as_a_job_finds_it(tmp_path, "submission.tar.gz")
    _, sign, verify = GITLAB["sign"]["script"]
    signed = run(sign, made, SANDBOX_SIGNING_KEY=str(made / "team.pem"))
    assert signed.returncode == 0, signed.stderr
    public = (made / "team.pub.pem").read_text()
    assert run(verify, made, SANDBOX_PUBLIC_KEY=public).returncode == 0
    (made / "results/graded/scorecard.sig").unlink()
    assert run(verify, made, SANDBOX_PUBLIC_KEY=public).returncode == 1
