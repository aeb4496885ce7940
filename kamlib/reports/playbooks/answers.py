"""What an account manager answers in a playbook: one small file per account beside the book, kept from day to day.

The file is CSV, so that it opens in a spreadsheet: a row for each question and the day of the book it was answered
for. A page shows the last answer that is not of a later day, and an answer taken back leaves an empty one, so nothing
that was written is lost when a page is made again.
"""

from __future__ import annotations

import csv
import io
import os
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from kamlib.book.store import Book
from kamlib.errors import RequestError
from kamlib.reports import publish
from kamlib.reports.finding import Finding, Verdict
from kamlib.reports.folder import safe_name
from kamlib.reports.playbooks.said import said
from kamlib.reports.sentences import say

FOLDER = "KAM_ANSWERS"
COLUMNS = ["question", "asked", "as_of", "answer"]
_RUN_BY_SPREADSHEETS = re.compile(r"^'*[=+\-@\t\r]")
_GUARDED = re.compile(r"^'+[=+\-@\t\r]")


@dataclass(frozen=True)
class Answers:
    """The answers to one playbook for one account, as of the day of the book.

    Attributes
    ----------
    file : where they are kept; it need not exist yet.
    as_of : the day new answers are written for, and after which none is shown.
    is_hidden : whether names are hidden on this page, and free text with them.
    """

    file: Path
    as_of: pd.Timestamp
    is_hidden: bool = False

    @property
    def shown_file(self) -> str:
        """The file as a page names it: without the folders that only this machine has."""
        return "/".join(self.file.parts[-4:])

    def current(self) -> pd.DataFrame:
        """The last answer to each question not of a later day: index question, columns asked, as_of and answer."""
        rows = read(self.file) if not self.is_hidden else _frame([])
        rows = rows[rows["as_of"].isna() | (rows["as_of"] <= self.as_of)]
        rows = rows.sort_values("as_of", kind="stable", na_position="first").drop_duplicates("question", keep="last")
        return rows[rows["answer"] != ""].set_index("question")[COLUMNS[1:]]

    def write(self, question: str, asked: str, text: str) -> None:
        """Keep an answer; it is on the disk when this returns, and replaces only that of the same day."""
        rows = read(self.file)
        if not text.strip() and question not in set(rows["question"]):
            return
        same = (rows["question"] == question) & (rows["as_of"] == self.as_of)
        row = _frame([{"question": question, "asked": asked, "as_of": self.as_of, "answer": text.strip()}])
        kept = rows[~same]
        _replace(self.file, _text(pd.concat([kept, row]) if len(kept) else row))


def open_answers(book: Book, playbook: str, account_id: str) -> Answers:
    """The answers that lie beside a book, or in the folder that ``KAM_ANSWERS`` names.

    Parameters
    ----------
    book : the book as of its day; beside a database stands what lies beside ``books.yml``.
    playbook : whose questions they are.
    account_id : the account.

    Examples
    --------
    >>> open_answers(book, "account_plan", "0007").current()  # doctest: +SKIP
    """
    beside = book.place.path or Path(os.environ.get("KAM_BOOKS", "books.yml"))
    root = Path(os.environ.get(FOLDER) or beside.resolve().parent / "answers")
    file = root / safe_name(book.place.name) / playbook / f"{safe_name(account_id)}.csv"
    return Answers(file, pd.Timestamp(book.as_of), book.privacy.hides_names)


def read(file: Path) -> pd.DataFrame:
    """All that was ever answered, in the order of the file: columns question, asked, as_of, answer.

    Raises
    ------
    RequestError
        When the file is not UTF-8, lacks a column, or holds a day that is none; with the line and what to do.
    """
    if not file.is_file():
        return _frame([])
    try:
        rows = list(csv.DictReader(io.StringIO(file.read_bytes().decode("utf-8-sig"), newline="")))
    except UnicodeDecodeError:
        raise RequestError(f"{file.name} is not UTF-8; save it again as 'CSV UTF-8'") from None
    lacking = [name for name in ("question", "answer") if rows and name not in rows[0]]
    if lacking:
        raise RequestError(
            f"{file.name} lacks the column {' and '.join(lacking)}; its columns are {', '.join(COLUMNS)}"
        )
    return _frame([_entry(row, file, line) for line, row in enumerate(rows, start=2)])


def _entry(row: dict, file: Path, line: int) -> dict:
    entry = {name: row.get(name) or "" for name in COLUMNS}
    try:
        entry["as_of"] = pd.Timestamp(entry["as_of"].strip() or None)
    except ValueError:
        told = f"{file.name}, row {line}: {entry['as_of']!r} is no day"
        raise RequestError(f"{told}; write it as 2026-09-30, or leave it empty") from None
    text = entry["answer"].replace("\r\n", "\n").strip()
    return entry | {"answer": text[1:] if _GUARDED.match(text) else text}


def _frame(rows: list[dict]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=COLUMNS).astype({"question": str, "asked": str, "answer": str})
    return frame.assign(as_of=pd.to_datetime(frame["as_of"]))


def _text(rows: pd.DataFrame) -> str:
    """The rows as CSV in which no spreadsheet finds a formula."""
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    for row in rows.itertuples(index=False):
        day = "" if pd.isna(row.as_of) else f"{row.as_of:%Y-%m-%d}"
        text = f"'{row.answer}" if _RUN_BY_SPREADSHEETS.match(row.answer) else row.answer
        writer.writerow([row.question, row.asked, day, text])
    return out.getvalue()


def _replace(file: Path, text: str) -> None:
    """Write whole or not at all; the folder is kept out of version control, since it holds what customers say."""
    file.parent.mkdir(parents=True, exist_ok=True)
    ignore = file.parents[2] / ".gitignore"
    if not ignore.exists():
        ignore.write_text("*\n", encoding="utf-8")
    with tempfile.NamedTemporaryFile("w", encoding="utf-8-sig", newline="", dir=file.parent, delete=False) as out:
        out.write(text)
        out.flush()
        os.fsync(out.fileno())
    Path(out.name).replace(file)


def show(answers: Answers, questions: pd.DataFrame) -> None:
    """Show questions with their answers: boxes to write in where a notebook is read, text on a page.

    Parameters
    ----------
    answers : those of :func:`open_answers`.
    questions : columns question (its key), what, why.
    """
    if publish.output_folder() is None:
        from kamlib.reports.playbooks.answer_form import form  # widgets are only needed where somebody can write

        publish.display(form(answers, questions))
        return
    items = _items(answers, questions)
    markup = publish.templates().get_template("answers.html.j2").render(items=items)
    texts = [f"{item['what']} {item['answer']}".strip() for item in items]
    publish.display({"text/html": markup, "text/plain": "\n".join(texts), publish.NOTE: {"texts": texts}}, raw=True)


def _items(answers: Answers, questions: pd.DataFrame) -> list[dict]:
    given = answers.current()
    is_open = {"answer": "", "told": say("answers.hidden" if answers.is_hidden else "answers.open")}
    return [
        {"what": row.what, "why": row.why, **(_given(given.loc[row.question], row.what) if is_given else is_open)}
        for row, is_given in zip(questions.itertuples(), questions["question"].isin(given.index), strict=True)
    ]


def _given(own: pd.Series, what: str) -> dict[str, str]:
    """An answer and when it was written; and to what, where the question has changed, as with another competitor."""
    if pd.isna(own["as_of"]):
        return {"answer": own["answer"], "told": ""}
    is_same = own["asked"] in ("", what)
    told = say("answers.written" if is_same else "answers.written_to", day=own["as_of"], asked=own["asked"])
    return {"answer": own["answer"], "told": told}


def standing(answers: Answers, questions: pd.DataFrame, practices: tuple[str, ...]) -> Finding:
    """How many of the questions are answered, and which comes next."""
    if answers.is_hidden:
        return said("answers.standing_hidden", practices=practices, verdict=Verdict.NO_CONCLUSION)
    given, n = answers.current(), len(questions)
    is_open = ~questions["question"].isin(given.index)
    done, values = n - int(is_open.sum()), {"all": n}
    if not done:
        return said("answers.standing_none", 0, "answers", n, "", practices, **values)
    last = given["as_of"].max()
    values |= {"done": done, "day": answers.as_of if pd.isna(last) else last}
    if done == n:
        return said("answers.standing_all", done, "answers", n, "answers.do_look_again", practices, **values)
    first = questions.loc[is_open, "what"].iloc[0]
    return said("answers.standing_some", done, "answers", n, "answers.do_go_on", practices, first=first, **values)


def sheet(answers: Answers, questions: pd.DataFrame) -> pd.DataFrame:
    """Questions and answers as the file has them, to be filled in where there is no JupyterLab."""
    given = answers.current().reindex(questions["question"])
    day = given["as_of"].fillna(answers.as_of).dt.strftime("%Y-%m-%d")
    columns = {"asked": questions["what"].to_numpy(), "as_of": day.to_numpy(), "answer": given["answer"].fillna("")}
    return given.assign(**columns).reset_index()[COLUMNS]
