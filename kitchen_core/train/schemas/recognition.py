"""Which form a dataset has: told by the columns of its first row, and held to by all others."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Generic, TypeVar

from kitchen_core.train.conversations import Comparison, Conversation, Example
from kitchen_core.train.naming import closest, nearest
from kitchen_core.train.schemas.cells import Cell, RowError
from kitchen_core.train.schemas.columns import column_value, every_column, has_column, listed
from kitchen_core.train.schemas.forms import FORMS, Form
from kitchen_core.train.types import Role, Row

_NO_FIELDS: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True)
class Schema:
    """A dataset's form with the columns that it is read from.

    mapping: the form's field to the column, for those that the first row has.
    """

    form: Form
    mapping: Mapping[str, str]

    @property
    def name(self) -> str:
        """The form's name: messages, sharegpt, alpaca, ..."""
        return self.form.name

    def example(self, row: Row, where: str) -> Example:
        """A row as a conversation or a document. Raises RowError naming row and field."""
        cells = self._cells(row, where)
        example = self.form.read(cells)
        if isinstance(example, Conversation):
            self._check_turn(example, "assistant", "learn", cells)
        return example

    def comparison(self, row: Row, where: str) -> Comparison:
        """A row as two answers of which one is preferred. Raises RowError naming row and field."""
        if self.form.compare is None:
            raise RowError(
                where,
                "rejected",
                f"a row of the form {self.name} has no two answers to compare; give rows with chosen and "
                'rejected, or say which columns they are by fields={"chosen": COLUMN, "rejected": COLUMN}',
            )
        return self.form.compare(self._cells(row, where))

    def prompt(self, row: Row, where: str) -> Conversation:
        """A row as something to answer, with an answer where it has one. Raises RowError naming row and
        field.
        """
        if self.form.is_document:
            raise RowError(where, self.mapping["text"], _NO_PROMPT)
        cells = self._cells(row, where, answers=False)
        form = self.form
        asks = form.ask and form.answer and not cells[form.answer].given
        read = form.ask if asks and form.ask else form.read
        asked = read(cells)
        assert isinstance(asked, Conversation)  # only a document has no turns
        self._check_turn(asked, "user", "answer", cells)
        return asked

    def _cells(self, row: Row, where: str, *, answers: bool = True) -> dict[str, Cell]:
        cells = {field: self._cell(row, field, where) for field in self.form.fields}
        for field in self.form.needs(answers=answers):
            column = cells[field].field
            if not has_column(row, column):
                raise RowError(
                    where, column, f"is missing, the first row has it (columns: {listed(row)})"
                )
        return cells

    def _check_turn(
        self, conversation: Conversation, role: Role, purpose: str, cells: Mapping[str, Cell]
    ) -> None:
        if not any(turn.role == role for turn in conversation.messages):
            cell = cells[self.form.required[0]]
            raise cell.refused(f"no {role} turn, so there is nothing to {purpose}")

    def _cell(self, row: Row, field: str, where: str) -> Cell:
        column = self.mapping.get(field, field)
        return Cell(column_value(row, column), where, column)


E = TypeVar("E")


@dataclass(frozen=True)
class Reading(Generic[E]):
    """What is made of rows. take: of one, given where it is. answers: whether each must have one."""

    name: str
    take: Callable[[Schema, Row, str], E]
    answers: bool = True


EXAMPLES = Reading("examples", Schema.example)
COMPARISONS = Reading("comparisons", Schema.comparison)
PROMPTS = Reading("prompts", Schema.prompt, answers=False)


def rows_as(
    reading: Reading[E], rows: Iterable[Row], source: str, fields: Mapping[str, str] = _NO_FIELDS
) -> Iterator[E]:
    """Every row as `reading` takes it, in order, one at a time.

    source: what the rows are called in messages. fields: a form's field to the column that has it,
    where the names differ; columns within columns are written with dots. Raises RowError.
    """
    schema: Schema | None = None
    for number, row in enumerate(rows, start=1):
        where = f"{source} row {number}"
        schema = schema or recognise(row, fields, where, answers=reading.answers)
        yield reading.take(schema, row, where)


def recognise(row: Row, fields: Mapping[str, str], where: str, *, answers: bool = True) -> Schema:
    """The schema of a dataset, by its first row. `fields` overrides what the columns' names say.

    answers: whether rows must have an answer. Raises RowError naming the forms that there are, or the
    name nearest to the one given.
    """
    _check_direction(row, fields, where)
    forms = _forms_with(fields, where)
    for field, column in fields.items():
        if not has_column(row, column):
            hint = nearest(column, every_column(row))
            raise RowError(
                where,
                "",
                f"fields maps '{field}' to '{column}', which is no column{hint} "
                f"(columns: {listed(row)})",
            )
    for form in forms:
        mapping = {name: fields.get(name, name) for name in form.fields}
        found = {name: column for name, column in mapping.items() if has_column(row, column)}
        if found.keys() >= set(form.needs(answers=answers)):
            return Schema(form, found)
    raise RowError(where, "", _unrecognised(row, fields, forms))


def _check_direction(row: Row, fields: Mapping[str, str], where: str) -> None:
    """Raise RowError where `fields` leads from a column to a field rather than the other way."""
    known = {name for form in FORMS for name in form.fields}

    def turned(field: str, column: str) -> bool:
        is_right = field in known and has_column(row, column)
        return not is_right and column in known and has_column(row, field)

    right = dict((c, f) if turned(f, c) else (f, c) for f, c in fields.items())
    if right != dict(fields):
        shown = json.dumps(right, ensure_ascii=False)
        raise RowError(
            where,
            "",
            "fields is the wrong way round: it leads from a form's field to your column; "
            f"write fields={shown}",
        )


def _forms_with(fields: Mapping[str, str], where: str) -> list[Form]:
    """The forms that have all of these fields."""
    known = dict.fromkeys(name for form in FORMS for name in form.fields)
    for field in fields:
        if field not in known:
            raise RowError(
                where,
                "",
                f"fields names '{field}', which no form has{nearest(field, known)} "
                f"(known: {', '.join(known)})",
            )
    forms = [form for form in FORMS if set(fields) <= set(form.fields)]
    if not forms:
        raise RowError(where, "", f"fields mixes forms: {listed(fields)}; forms: {_ALL_FORMS}")
    return forms


def _unrecognised(row: Row, fields: Mapping[str, str], forms: list[Form]) -> str:
    best = max(forms, key=lambda form: _likeness(row, fields, form))
    lacking = [name for name in best.required if name not in fields and not has_column(row, name)]
    guess = closest(lacking[0], [column for column in row if column not in best.fields])
    said = [f"no known form has the columns {listed(row)}" if row else "the row has no columns"]
    if guess or len(lacking) < len(best.required):
        remedy = f'set fields={{"{lacking[0]}": "{guess or "COLUMN"}"}}'
        said.append(f"nearest is {best.name}, which needs {listed(lacking)}: {remedy}")
    else:
        said.append('say which column is which by fields={"FIELD": "COLUMN"}')
    return "; ".join([*said, f"forms: {_ALL_FORMS}"])


def _likeness(row: Row, fields: Mapping[str, str], form: Form) -> tuple[int, int, int]:
    """How near a row is to a form: fields that it has, fields that it nearly has, none lacking."""
    lacking = [name for name in form.required if name not in fields and not has_column(row, name)]
    alike = [name for name in lacking if closest(name, row)]
    return len(form.required) - len(lacking), len(alike), -len(lacking)


def _form_shown(form: Form) -> str:
    fields = ", ".join(form.required)
    return fields if fields == form.name else f"{form.name} ({fields})"


_NO_PROMPT = (
    'plain text asks nothing to be answered; where it is the prompt, set fields={"prompt": "text"}'
)
_ALL_FORMS = ", ".join(_form_shown(form) for form in FORMS)
