"""Signatures over files: Ed25519 keys in PEM, and the small JSON file that holds a signature.

What is signed is a text that anybody can make again without this program:

    mlops-sandbox/signature/1
    <SHA-256 in hex>  <name>          one line a file, in the order of their names

The lines are those that `sha256sum` prints. The signature's file repeats the digests, so that a
reader learns which file changed, and not only that something did.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from sandbox.errors import UsageError
from sandbox.untrusted import is_map_of_text, json_object, shortened

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

SCHEMA = "mlops-sandbox/signature/1"
# A key is some hundred bytes, a signature's file less than a thousand.
MAX_BYTES = 16 * 2**10

_SHA256 = re.compile(r"[0-9a-f]{64}")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_HINT = "sign the results again with `sandbox sign`"


@dataclass(frozen=True)
class Signature:
    """Files, and somebody's word that they are so.

    Args:
        key: the fingerprint of the key that signed, see `fingerprint`.
        files: SHA-256 of each file, by plain name.
        signature: 64 bytes over `message(files)`.
    """

    key: str
    files: Mapping[str, str]
    signature: bytes


def make_keys(private: Path) -> Path:
    """Make a key pair: the private key at a path, mode 0600, and the public one beside it.

    Returns:
        Where the public key is: `team.pem` has its public key in `team.pub.pem`.

    Raises:
        UsageError: one of the two is there already, or cannot be written.
    """
    public = private.parent / f"{private.stem}.pub.pem"
    for path in (private, public):
        if path.exists() or path.is_symlink():
            raise UsageError(
                expected=f"no file at {path}: keys are never overwritten",
                seen="one",
                hint="choose another name",
            )
    key = Ed25519PrivateKey.generate()
    _write_new(
        private,
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ),
        0o600,
    )
    _write_new(
        public,
        key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        ),
        0o644,
    )
    return public


def read_private(path: Path) -> Ed25519PrivateKey:
    """Read a private key: PEM, PKCS#8, without a password.

    Raises:
        UsageError: there is none, or it is something else.
    """
    key = _load(path, "private", _bytes(path, "a private key"))
    if not isinstance(key, Ed25519PrivateKey):
        raise _no_key(path, "private", type(key).__name__.lstrip("_"))
    return key


def read_public(path: Path) -> Ed25519PublicKey:
    """Read a public key: PEM, SubjectPublicKeyInfo.

    Raises:
        UsageError: there is none, or it is something else.
    """
    key = _load(path, "public", _bytes(path, "a public key"))
    if not isinstance(key, Ed25519PublicKey):
        raise _no_key(path, "public", type(key).__name__.lstrip("_"))
    return key


def fingerprint(key: Ed25519PublicKey) -> str:
    """SHA-256, in hex, of a public key's SubjectPublicKeyInfo in DER."""
    return hashlib.sha256(
        key.public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    ).hexdigest()


def message(files: Mapping[str, str]) -> bytes:
    """The bytes that are signed for these files: their SHA-256 by name."""
    lines = [SCHEMA, *(f"{files[name]}  {name}" for name in sorted(files))]
    return "".join(f"{line}\n" for line in lines).encode("ascii")


def sign(files: Mapping[str, str], key: Ed25519PrivateKey) -> Signature:
    """Sign files, given as their SHA-256 by plain name."""
    return Signature(fingerprint(key.public_key()), dict(files), key.sign(message(files)))


def fits(signature: Signature, key: Ed25519PublicKey) -> bool:
    """Whether this key signed these files."""
    try:
        key.verify(signature.signature, message(signature.files))
    except InvalidSignature:
        return False
    return True


def signature_json(signature: Signature) -> str:
    """A signature as it is stored."""
    body = {
        "schema": SCHEMA,
        "key": signature.key,
        "files": dict(signature.files),
        "signature": base64.b64encode(signature.signature).decode("ascii"),
    }
    return json.dumps(body, indent=1, sort_keys=True) + "\n"


def signature_from_json(raw: bytes) -> Signature:
    """Read a stored signature; whether it fits is another question.

    Raises:
        UsageError: it is broken, too large, of another schema, or holds what no signature holds.
    """
    what = "a signature"
    if len(raw) > MAX_BYTES:
        raise UsageError(
            expected=f"{what} of at most {MAX_BYTES:,} bytes", seen=f"{len(raw):,}", hint=_HINT
        )
    body = json_object(raw, ("schema", "key", "files", "signature"), what=what, hint=_HINT)
    if body["schema"] != SCHEMA:
        raise UsageError(
            expected=f"{what} of schema {SCHEMA!r}", seen=shortened(str(body["schema"])), hint=_HINT
        )
    key, files, signed = body["key"], body["files"], body["signature"]
    if not (isinstance(key, str) and isinstance(signed, str) and is_map_of_text(files)):
        raise UsageError(
            expected=f"{what} with texts and a map of digests",
            seen="values of other types",
            hint=_HINT,
        )
    # Each becomes a part of a line of what was signed: one that holds a line break would be two.
    for text, pattern in (
        (key, _SHA256),
        *((name, _NAME) for name in files),
        *((digest, _SHA256) for digest in files.values()),
    ):
        if not pattern.fullmatch(text):
            raise UsageError(
                expected=f"{what} of plain names and SHA-256 digests",
                seen=shortened(text),
                hint=_HINT,
            )
    try:
        signature = Signature(key, files, base64.b64decode(signed, validate=True))
    except (binascii.Error, ValueError) as error:
        raise UsageError(expected=f"{what} in base64", seen=str(error), hint=_HINT) from error
    # One signature has one spelling: whoever changes a byte changes a signature.
    if signature_json(signature).encode() != raw:
        raise UsageError(
            expected=f"{what} as `sandbox sign` writes it", seen="another spelling", hint=_HINT
        )
    return signature


def _bytes(path: Path, what: str) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES)
    except OSError as error:
        raise UsageError(
            expected=f"{what} at {path}",
            seen=error.strerror or type(error).__name__,
            hint="make a pair with `sandbox keygen`",
        ) from error


def _load(path: Path, kind: str, raw: bytes) -> object:
    other = {"private": b"PUBLIC KEY", "public": b"PRIVATE KEY"}[kind]
    if b"-----BEGIN " in raw and other in raw.partition(b"\n")[0]:
        raise _no_key(path, kind, f"a {other.decode().lower()}")
    try:
        if kind == "private":
            return serialization.load_pem_private_key(raw, password=None)
        return serialization.load_pem_public_key(raw)
    except TypeError as error:
        raise _no_key(path, kind, "one that is locked with a password") from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise _no_key(path, kind, "something else") from error


def _no_key(path: Path, kind: str, seen: str) -> UsageError:
    form = "PKCS#8" if kind == "private" else "SubjectPublicKeyInfo"
    return UsageError(
        expected=f"an Ed25519 {kind} key in {path}, as PEM ({form})",
        seen=seen,
        hint="`sandbox keygen` makes a pair: NAME.pem signs, NAME.pub.pem verifies",
    )


def _write_new(path: Path, content: bytes, mode: int) -> None:
    """Write a file that is not there yet, with its final mode from the first byte on."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
    except OSError as error:
        raise UsageError(
            expected=f"to write a key to {path}",
            seen=error.strerror or type(error).__name__,
            hint="choose another place",
        ) from error
