"""Which form a dataset has: told by the columns of its first row, and held to by all others."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from kitchen_core.train.conversations import Conversation, Example
from kitchen_core.train.naming import closest, nearest
from kitchen_core.train.schemas.cells import Cell, RowError
from kitchen_core.train.schemas.columns import column_value, every_column, has_column, listed
from kitchen_core.train.schemas.forms import FORMS, Form
from kitchen_core.train.types import Row

_NO_FIELDS: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True)
class Schema:
    """A dataset's form with the columns that it is read from.

    mapping: the form's field to the column, for those that the first row has. prompts: whether its
    rows are read as prompts, which may come without an answer.
    """

    form: Form
    mapping: Mapping[str, str]
    prompts: bool = False

    @property
    def name(self) -> str:
        """The form's name: messages, sharegpt, alpaca, ..."""
        return self.form.name

    def example(self, row: Row, where: str) -> Example:
        """A row as a conversation or a document. Raises RowError naming row and field."""
        cells = {field: self._cell(row, field, where) for field in self.form.fields}
        for field in needed_fields(self.form, self.prompts):
            column = cells[field].field
            if not has_column(row, column):
                raise RowError(
                    where, column, f"is missing, the first row has it (columns: {listed(row)})"
                )
        example = self._read(cells)
        if isinstance(example, Conversation):
            self._check_turns(example, cells[self.form.required[0]])
        return example

    def _read(self, cells: Mapping[str, Cell]) -> Example:
        form = self.form
        if self.prompts and form.ask and form.answer and not cells[form.answer].given:
            return form.ask(cells)
        return form.read(cells)

    def _check_turns(self, conversation: Conversation, cell: Cell) -> None:
        needed = "user" if self.prompts else "assistant"
        if not any(turn.role == needed for turn in conversation.messages):
            purpose = "answer" if self.prompts else "learn"
            raise cell.refused(f"no {needed} turn, so there is nothing to {purpose}")

    def _cell(self, row: Row, field: str, where: str) -> Cell:
        column = self.mapping.get(field, field)
        return Cell(column_value(row, column), where, column)


def examples_from_rows(
    rows: Iterable[Row],
    source: str,
    fields: Mapping[str, str] = _NO_FIELDS,
    *,
    prompts: bool = False,
) -> Iterator[Example]:
    """Every row as an example, in order, one at a time.

    source: what the rows are called in messages. fields: a form's field to the column that has it,
    where the names differ; columns within columns are written with dots. prompts: rows may come
    without an answer. Raises RowError.
    """
    schema: Schema | None = None
    for number, row in enumerate(rows, start=1):
        where = f"{source} row {number}"
        schema = schema or recognise(row, fields, where, prompts=prompts)
        yield schema.example(row, where)


def needed_fields(form: Form, prompts: bool) -> tuple[str, ...]:
    """The fields that a row has to have, be it that there is nothing in them."""
    return tuple(name for name in form.required if not (prompts and name == form.answer))


def recognise(row: Row, fields: Mapping[str, str], where: str, *, prompts: bool = False) -> Schema:
    """The schema of a dataset, by its first row. `fields` overrides what the columns' names say.

    prompts: rows may come without an answer, and plain text is no prompt. Raises RowError naming the
    forms that there are, or the name nearest to the one given.
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
        if found.keys() >= set(needed_fields(form, prompts)):
            if prompts and form.is_document:
                raise RowError(where, mapping["text"], _NO_PROMPT)
            return Schema(form, found, prompts)
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
    guess = closest(lacking[0], row)
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
