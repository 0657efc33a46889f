"""Keys and signatures: standard formats, never overwritten, and one spelling each."""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
import stat
import subprocess
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from sandbox.errors import UsageError
from sandbox.integrity import signing

if TYPE_CHECKING:
    from pathlib import Path

KEY = Ed25519PrivateKey.generate()
DIGESTS = st.binary().map(lambda content: hashlib.sha256(content).hexdigest())
FILES = st.dictionaries(st.from_regex(r"[a-z][a-z._-]{0,20}", fullmatch=True), DIGESTS, min_size=1)

PEM, PKCS8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
SPKI = serialization.PublicFormat.SubjectPublicKeyInfo
OPEN = serialization.NoEncryption()


def private_pem(key: object, form=PKCS8, lock=OPEN) -> bytes:
    return key.private_bytes(PEM, form, lock)  # type: ignore[attr-defined]


def public_pem(key: object) -> bytes:
    return key.public_key().public_bytes(PEM, SPKI)  # type: ignore[attr-defined]


def test_a_pair_of_keys_in_standard_formats(tmp_path: Path) -> None:
    public = signing.make_keys(tmp_path / "team.pem")
    assert public == tmp_path / "team.pub.pem"
    assert (tmp_path / "team.pem").read_bytes().startswith(b"-----BEGIN PRIVATE KEY-----\n")
    assert public.read_bytes().startswith(b"-----BEGIN PUBLIC KEY-----\n")
    assert stat.S_IMODE((tmp_path / "team.pem").stat().st_mode) == 0o600
    private = signing.read_private(tmp_path / "team.pem")
    assert signing.fingerprint(private.public_key()) == signing.fingerprint(
        signing.read_public(public)
    )


@pytest.mark.parametrize("there", ["team.pem", "team.pub.pem"])
@pytest.mark.parametrize("kind", ["file", "dangling link"])
def test_keys_are_never_overwritten(tmp_path: Path, there: str, kind: str) -> None:
    path = tmp_path / there
    if kind == "file":
        path.write_text("dear")
    else:
        path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UsageError, match="keys are never overwritten; saw one"):
        signing.make_keys(tmp_path / "team.pem")
    assert [entry.name for entry in tmp_path.iterdir()] == [there]
    assert kind != "file" or path.read_text() == "dear"


@pytest.mark.parametrize("place", ["", "no/such/folder/team.pem"])
def test_keys_need_a_place(tmp_path: Path, place: str) -> None:
    with pytest.raises(UsageError):
        signing.make_keys(tmp_path / place)
    assert list(tmp_path.iterdir()) == []


RSA = rsa.generate_private_key(65537, 2048)
EC = ec.generate_private_key(ec.SECP256R1())
LOCKED = private_pem(KEY, lock=serialization.BestAvailableEncryption(b"password"))
TRADITIONAL = private_pem(EC, serialization.PrivateFormat.TraditionalOpenSSL)


@pytest.mark.parametrize(
    ("content", "seen"),
    [
        (public_pem(KEY), "a public key"),
        (private_pem(RSA), "RSAPrivateKey"),
        (TRADITIONAL, "ECPrivateKey"),
        (LOCKED, "one that is locked with a password"),
        (private_pem(KEY)[:60], "something else"),
        (b"", "something else"),
        (b"\x00\xff" * 100_000, "something else"),
    ],
    ids=["public", "rsa", "ec", "locked", "truncated", "empty", "noise"],
)
def test_what_is_no_private_key(tmp_path: Path, content: bytes, seen: str) -> None:
    (tmp_path / "key.pem").write_bytes(content)
    with pytest.raises(UsageError, match=f"; saw {seen}") as caught:
        signing.read_private(tmp_path / "key.pem")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "seen"),
    [
        (private_pem(KEY), "a private key"),
        (TRADITIONAL, "a private key"),
        (public_pem(RSA), "RSAPublicKey"),
        (public_pem(KEY)[:60], "something else"),
        (b"", "something else"),
    ],
    ids=["private", "ec", "rsa", "truncated", "empty"],
)
def test_what_is_no_public_key(tmp_path: Path, content: bytes, seen: str) -> None:
    (tmp_path / "key.pem").write_bytes(content)
    with pytest.raises(UsageError, match=f"; saw {seen}"):
        signing.read_public(tmp_path / "key.pem")


@pytest.mark.parametrize("read", [signing.read_private, signing.read_public])
def test_no_key_at_all(tmp_path: Path, read) -> None:
    for path, seen in ((tmp_path / "none.pem", "No such file"), (tmp_path, "Is a directory")):
        with pytest.raises(UsageError, match=f"; saw {seen}"):
            read(path)


@given(FILES)
def test_what_is_signed_fits_and_comes_back(files: dict[str, str]) -> None:
    signature = signing.sign(files, KEY)
    assert signing.fits(signature, KEY.public_key())
    assert not signing.fits(signature, Ed25519PrivateKey.generate().public_key())
    assert signing.signature_from_json(signing.signature_json(signature).encode()) == signature


@given(FILES, FILES)
def test_other_files_do_not_fit(files: dict[str, str], others: dict[str, str]) -> None:
    signed = signing.sign(files, KEY)
    moved = signing.Signature(signed.key, others, signed.signature)
    assert signing.fits(moved, KEY.public_key()) == (files == others)


STORED = signing.signature_json(signing.sign({"scorecard.json": "0" * 64}, KEY))


def stored(**changes: object) -> bytes:
    return (json.dumps(json.loads(STORED) | changes, indent=1, sort_keys=True) + "\n").encode()


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"[]",
        STORED.encode()[:-40],
        STORED.replace(" ", "  ").encode(),
        b" " * signing.MAX_BYTES + STORED.encode(),
        stored(schema="mlops-sandbox/signature/2"),
        stored(schema=None),
        stored(more=1),
        stored(key="short"),
        stored(key=7),
        stored(files=["scorecard.json"]),
        stored(files={"scorecard.json": 7}),
        stored(files={"scorecard.json": "0" * 63}),
        stored(files={"../scorecard.json": "0" * 64}),
        stored(files={f"a\n{'0' * 64}  b": "0" * 64}),
        stored(signature="not base64"),
        stored(signature="é"),
        # The last character has bits to spare: the same 64 bytes, spelled otherwise.
        stored(signature=base64.b64encode(bytes(64)).decode().replace("A==", "B==")),
    ],
)
def test_a_stored_signature_that_is_none(raw: bytes) -> None:
    with pytest.raises(UsageError, match="try: sign the results again"):
        signing.signature_from_json(raw)


@pytest.mark.skipif(not shutil.which("openssl"), reason="needs openssl")
def test_a_signature_can_be_verified_without_this_program(tmp_path: Path) -> None:
    """What docs/grader.md tells to do with sha256sum and openssl."""
    public = signing.make_keys(tmp_path / "team.pem")
    for name in ("junit.xml", "scorecard.json"):
        (tmp_path / name).write_text(f"content of {name}")
    sums = subprocess.run(
        ["sha256sum", "junit.xml", "scorecard.json"], cwd=tmp_path, capture_output=True, check=True
    ).stdout
    listed = (line.split() for line in sums.decode().splitlines())
    signature = signing.sign(
        {name: digest for digest, name in listed}, signing.read_private(tmp_path / "team.pem")
    )
    (tmp_path / "message").write_bytes(signing.SCHEMA.encode() + b"\n" + sums)
    (tmp_path / "signature").write_bytes(signature.signature)
    check = ["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", str(public), "-rawin"]
    check += ["-in", "message", "-sigfile", "signature"]
    done = subprocess.run(check, cwd=tmp_path, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    (tmp_path / "message").write_bytes(b"another")
    assert subprocess.run(check, cwd=tmp_path, capture_output=True, check=False).returncode
