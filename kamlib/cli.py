"""`kam`: a very light wrapper; whatever a schedule does, an analyst can do from a cell."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import click

from kamlib import __version__
from kamlib.errors import RequestError


class _Kam(click.Group):
    """Commands whose wrong requests, and files that cannot be used, end in one clear line and exit code 2."""

    def invoke(self, ctx: click.Context):
        try:
            return super().invoke(ctx)
        except RequestError as error:
            from kamlib.book.places import mask

            click.echo(f"kam: {mask(str(error))}", err=True)
        except OSError as error:
            if error.filename is None:  # a pipe that was closed, which is nobody's mistake
                raise
            said = f"{error.filename}: {error.strerror}; check the path, its permissions and the room on its disk"
            click.echo(f"kam: {said}", err=True)
        ctx.exit(2)


@click.group(cls=_Kam, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="kam")
def main() -> None:
    """Key account management: reports, playbooks and training on a book of business."""


@main.command()
@click.option("--out", default="data/sample", show_default=True, type=click.Path(path_type=Path), help="Folder.")
@click.option("--accounts", default=300, show_default=True, type=click.IntRange(min=1), help="How many accounts.")
@click.option("--months", default=36, show_default=True, type=click.IntRange(min=6), help="Months of history.")
@click.option("--seed", default=20260930, show_default=True, help="Same seed, same bytes.")
def sample(out: Path, accounts: int, months: int, seed: int) -> None:
    """Write the sample company; its truth goes to truth/ beside its tables."""
    from kamlib.book.sample import write_sample

    with click.progressbar(length=accounts, label="Writing accounts") as bar:
        size = {"accounts": accounts, "months": months, "seed": seed}
        write_sample(out, **size, progress=lambda done, _: bar.update(done - bar.pos))
    click.echo(f"The sample book is in {out}; what is true about it is in {out / 'truth'}")


@main.command()
@click.argument("mapping", type=click.Path(path_type=Path))
@click.option("--source", required=True, type=click.Path(path_type=Path), help="Folder of the exports.")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder of the book.")
def ingest(mapping: Path, source: Path, out: Path) -> None:
    """Turn exports into a book; refused rows are kept in rejects/ with their reasons."""
    from kamlib.book.ingest import ingest as run_ingest

    report = run_ingest(mapping, source, out, progress=click.echo)
    for line in report.lines():
        click.echo(line)


@main.command()
@click.argument("book")
def check(book: str) -> None:
    """Check a book against the contract; exit code 1 when it has errors."""
    from kamlib import open_book
    from kamlib.book.check import check as run_check

    with open_book(book) as opened:
        report = run_check(opened)
    for line in report.lines():
        click.echo(line)
    sys.exit(0 if report.ok else 1)


@main.command()
@click.argument("book")
@click.argument("folder", type=click.Path(path_type=Path))
def backup(book: str, folder: Path) -> None:
    """Copy a book to FOLDER/<book>-<date> and verify the copy, which is itself a book."""
    from kamlib.book.backup import backup as run_backup

    made = run_backup(book, folder)
    click.echo(f"{len(made.rows)} tables, {sum(made.rows.values()):,} rows, verified ({made.fingerprint[:12]})")
    click.echo(str(made.path))


@main.command()
@click.argument("reports", nargs=-1, required=True)
@click.option("--book", "place", required=True, help="Folder, .duckdb file, or a name in books.yml.")
@click.option("--period", required=True, help="2026-Q3, 2026-09, 2026, 2026-H1, 2026-W40, or last.")
@click.option("--since", help="Catch up from this period on; what is published and unchanged is kept.")
@click.option("--as-of", help="Day to read as of; the last day of the period where not given.")
@click.option("-p", "--parameter", "parameters", multiple=True, metavar="NAME=VALUE", help="A parameter.")
@click.option("--scope", multiple=True, metavar="COLUMN=VALUE", help="Only accounts with this value.")
@click.option("--each", default="", metavar="WHAT", help="One report per account, manager, region or industry.")
@click.option("--jobs", type=click.IntRange(min=1), help="Reports side by side; as the machine bears if not given.")
@click.option("--out", type=click.Path(path_type=Path), help="Where rendered books go.")
@click.option(
    "--timeout", default=1800, show_default=True, type=click.IntRange(min=1), help="Seconds a report may take."
)
@click.option("--format", "formats", default="html", show_default=True, help="html, pdf, xlsx, with commas between.")
@click.option("--redact", is_flag=True, help="Pseudonyms for names, keyed with KAM_REDACT_KEY; pages are marked.")
@click.option("--with-personal", is_flag=True, help="Let reports show personal fields.")
@click.option("--force", is_flag=True, help="Make unchanged reports again.")
def render(
    reports,
    place,
    period,
    since,
    as_of,
    parameters,
    scope,
    each,
    jobs,
    out,
    timeout,
    formats,
    redact,
    with_personal,
    force,
) -> None:
    """Render reports: specs (quarterly) or notebooks (studies/churn).

    Exit code 0: all published; 1: some failed and the others were published; 2: the request was wrong and
    nothing was started.
    """
    from kamlib.reports.render import Request, periods_asked

    request = Request(
        reports=reports,
        place=place,
        period=period,
        as_of=as_of,
        parameters=_pairs(parameters, "-p"),
        scope=_pairs(scope, "--scope"),
        each=each,
        out=out,
        jobs=jobs,
        force=force,
        redact=redact,
        with_personal=with_personal,
        timeout_seconds=timeout,
        formats=tuple(name.strip() for name in formats.split(",") if name.strip()) or ("html",),
    )
    codes = [_render_one(replace(request, period=label)) for label in periods_asked(list(reports), period, since)]
    sys.exit(max(codes))


def _render_one(request) -> int:
    from kamlib.reports.render import render as run_render

    summary = run_render(request, tell=click.echo)
    for outcome in summary.failed:
        click.echo(f"failed: {outcome.label}: {outcome.why}", err=True)
    for missed in summary.left_out:
        click.echo(missed.line())
    published = len(summary.outcomes) - len(summary.failed)
    click.echo(f"{published} of {len(summary.outcomes)} reports are published, {summary.seconds:.0f} s")
    click.echo(str(summary.folder / "index.html"))
    return summary.exit_code


@main.command()
@click.argument("notebook")
def parameters(notebook: str) -> None:
    """Show the typed parameters of a notebook."""
    from kamlib.reports.spec import read_reports

    for report in read_reports([notebook]):
        click.echo(report.name)
        for p in report.contract.values():
            limits = f"{p.lowest:g} to {p.highest:g}" if p.lowest is not None else "|".join(p.choices)
            notes = ", ".join(note for note in (p.meaning, p.unit, limits) if note)
            click.echo(f"  {p.name}: {p.type} = {p.default!r}  {notes}")


@main.command()
def practices() -> None:
    """Show which notebook, cell, test and page treats each practice, K001 to K110."""
    from kamlib.reports.practices import coverage, lines

    for line in lines(coverage()):
        click.echo(line)


@main.command()
@click.argument("place", default="data/progress", type=click.Path(path_type=Path))
def progress(place: Path) -> None:
    """Show how far the learners of the course are; PLACE is a progress file or a folder of them.

    \b
    solved     exercises answered rightly, of those there are
    first try  share of the solved ones that were right at the first answer
    hints      how many were seen, each counted once
    shown      exercises whose answer the learner asked to be shown
    last day   of the last answer; a dash where nothing was answered yet

    Below the modules stand their total and, where a game is kept, the quarters played of the territory.
    """
    from kamlib.training import wording
    from kamlib.training.exercises import by_topic
    from kamlib.training.progress import lines, overview

    frame, damages = overview(place, by_topic())
    if frame.empty:
        click.echo(wording.say("progress_none", place=place))
        return
    for line in lines(frame):
        click.echo(line)
    click.echo(f"\n{wording.say('progress_legend')}")
    for damage in damages:
        click.echo(wording.damaged(damage), err=True)


@main.command(context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def lab(arguments) -> None:
    """Open JupyterLab on notebooks/; the sample company is made where it is not there yet.

    ARGUMENTS go to JupyterLab: 'kam lab --no-browser', or 'kam lab --port=8899'. To begin the course, double-click
    training in the list on the left, then 01_role.
    """
    import os
    import subprocess

    from kamlib.book.sample import write_sample
    from kamlib.reports.spec import root

    place = root() / "data" / "sample"
    if not (place / "book.yml").is_file():
        click.echo(f"The sample company is written to {place} first ...")
        write_sample(place)
    kernels = Path(__file__).with_name("reports") / "jupyter"
    paths = os.pathsep.join(filter(None, [str(kernels), os.environ.get("JUPYTER_PATH")]))
    command = [
        sys.executable,
        "-m",
        "jupyterlab",
        f"--notebook-dir={root()}",
        "--LabApp.default_url=/lab/tree/notebooks",
    ]
    if hasattr(os, "geteuid") and os.geteuid() == 0 and "--allow-root" not in arguments:
        click.echo("You are root, which JupyterLab refuses by default: it is started with --allow-root.")
        command.append("--allow-root")
    sys.exit(subprocess.call([*command, *arguments], env={**os.environ, "JUPYTER_PATH": paths}))


def _pairs(entries, option: str) -> dict[str, str]:
    pairs = {}
    for entry in entries:
        name, equals, value = entry.partition("=")
        if not equals or not name:
            raise RequestError(f"{option} {entry!r} must read NAME=VALUE")
        if name in pairs:
            raise RequestError(f"{option} {name} is given twice")
        pairs[name] = value
    return pairs


if __name__ == "__main__":
    main()
