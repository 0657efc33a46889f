"""The commands that keep a grade from being changed: `keygen`, `sign` and `verify`.

Exit status: 0 done, or verified; 1 something is not as it was; 2 wrong usage.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sandbox.commands.shared import BELOW

ResultsArgument = Annotated[Path, typer.Argument(help="A folder that `grade` wrote.")]


def keygen(
    key: Annotated[Path, typer.Argument(help="Where the private key goes, such as team.pem.")],
) -> None:
    """Make a pair of keys: one to sign results with, one to verify them."""
    from sandbox.integrity import signing  # noqa: PLC0415 - see `verify`

    public = signing.make_keys(key)
    typer.echo(f"Private key: {key} (keep it where no submission runs, and out of the repository)")
    typer.echo(f"Public key:  {public} (give it to whoever has to verify)")
    typer.echo(f"Fingerprint: {signing.fingerprint(signing.read_public(public))}")


def sign(
    results: ResultsArgument,
    key: Annotated[Path, typer.Option(help="The private key, as PEM.")],
) -> None:
    """Sign a scorecard, and with it everything that led to it."""
    from sandbox.integrity import signing, verification  # noqa: PLC0415 - see `verify`
    from sandbox.report.formats import SIGNATURE  # noqa: PLC0415

    private = signing.read_private(key)
    if changes := verification.sign(results, private):
        for change in changes:
            typer.echo(f"NOT  {change}")
        typer.echo("Not signed: the evidence is not what the scorecard was made of.")
        raise typer.Exit(BELOW)
    signer = verification.short(signing.fingerprint(private.public_key()))
    typer.echo(f"Signed with the key {signer}: {results / SIGNATURE}")


def verify(
    results: ResultsArgument,
    key: Annotated[Path, typer.Option(help="The public key of whoever signed, as PEM.")],
    submission: Annotated[
        Path | None, typer.Option(help="The archive that was graded; not compared if missing.")
    ] = None,
) -> None:
    """Compute everything again that a signed scorecard vouches for, and name what changed."""
    from sandbox.integrity import signing, verification  # noqa: PLC0415 - a tenth of a second

    public = signing.read_public(key)
    found = verification.verify(results, public, submission)
    for change in found.changes:
        typer.echo(f"NOT  {change}")
    for note in found.notes:
        typer.echo(f"note {note}")
    if found.changes:
        typer.echo("Does not verify.")
        raise typer.Exit(BELOW)
    signer = verification.short(signing.fingerprint(public))
    typer.echo(f"Verified: {', '.join(found.held)}, signed with the key {signer}")
