"""`zeuxis doctor`: what this installation can do, what is missing, and the command that brings it."""

from __future__ import annotations

import json
from typing import Annotated

import typer

app = typer.Typer(add_completion=False, rich_markup_mode=None)

BROKEN = 2
MARKS = {"ok": " ", "note": "!", "broken": "X"}


@app.command(epilog="Examples:\n\nzeuxis doctor --all\n\nzeuxis doctor --json")
def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="for programs: a list of findings")] = False,
    every: Annotated[bool, typer.Option("--all", help="each published model on a line of its own")] = False,
) -> None:
    """Check the installation: versions, devices, folders, weights, models. Exit code 0 if it can be used, else 2."""
    from zeuxis.tools.doctor import Finding, examine

    findings = examine()
    broken = [finding for finding in findings if finding.state == "broken"]
    if as_json:
        typer.echo(json.dumps({"usable": not broken, "findings": [f.row() for f in findings]}, indent=1))
        raise typer.Exit(BROKEN if broken else 0)
    missing = [f for f in findings if f.part == "models" and f.state == "ok" and f.todo]
    if not every and missing:
        todo = "zeuxis models pull NAME; zeuxis doctor --all lists them"
        findings = [f for f in findings if f not in missing]
        findings.append(Finding("models", "to fetch", "ok", f"{len(missing)} published models are not here", todo))
    width = max(len(finding.name) for finding in findings)
    part = ""
    for f in findings:
        if f.part != part:
            part = f.part
            typer.echo(part)
        todo = f"  -> {f.todo}" if f.todo else ""
        typer.echo(f" {MARKS[f.state]} {f.name:<{width}}  {f.about}{todo}")
    notes = sum(f.state == "note" for f in findings)
    said = f"{len(broken)} broken (X)" if broken else "Everything needed works"
    typer.echo(f"{said}, {notes} {'note' if notes == 1 else 'notes'} (!).")
    raise typer.Exit(BROKEN if broken else 0)
