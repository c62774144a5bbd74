"""Which form a dataset has: told by the columns of its first row, and held to by all others."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from kitchen_core.train.conversations import Example
from kitchen_core.train.naming import closest, nearest
from kitchen_core.train.schemas.cells import Cell, RowError
from kitchen_core.train.schemas.forms import FORMS, Form
from kitchen_core.train.types import Row

_NO_FIELDS: Mapping[str, str] = MappingProxyType({})
_SHOWN_COLUMNS = 12


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
        cells = {field: self._cell(row, field, where) for field in self.form.fields}
        for field in self.form.required:
            column = cells[field].field
            if not _has(row, column):
                raise RowError(
                    where, column, f"is missing, the first row has it (columns: {_listed(row)})"
                )
        return self.form.read(cells)

    def _cell(self, row: Row, field: str, where: str) -> Cell:
        column = self.mapping.get(field, field)
        return Cell(_value(row, column), where, column)


def examples_from_rows(
    rows: Iterable[Row], source: str, fields: Mapping[str, str] = _NO_FIELDS
) -> Iterator[Example]:
    """Every row as an example, in order, one at a time.

    source: what the rows are called in messages. fields: a form's field to the column that has it,
    where the names differ; columns within columns are written with dots. Raises RowError.
    """
    schema: Schema | None = None
    for number, row in enumerate(rows, start=1):
        where = f"{source} row {number}"
        schema = schema or recognise(row, fields, where)
        yield schema.example(row, where)


def recognise(row: Row, fields: Mapping[str, str], where: str) -> Schema:
    """The schema of a dataset, by its first row. `fields` overrides what the columns' names say.

    Raises RowError naming the forms that there are, or the name nearest to the one given.
    """
    forms = _forms_with(fields, where)
    for field, column in fields.items():
        if not _has(row, column):
            raise RowError(
                where,
                "",
                f"fields maps '{field}' to '{column}', which is no column{nearest(column, row)} "
                f"(columns: {_listed(row)})",
            )
    for form in forms:
        mapping = {name: fields.get(name, name) for name in form.fields}
        found = {name: column for name, column in mapping.items() if _has(row, column)}
        if found.keys() >= set(form.required):
            return Schema(form, found)
    raise RowError(where, "", _unrecognised(row, fields, forms))


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
        raise RowError(where, "", f"fields names {_listed(fields)}, which no one form has together")
    return forms


def _unrecognised(row: Row, fields: Mapping[str, str], forms: list[Form]) -> str:
    known = "; ".join(f"{form.name} ({', '.join(form.required)})" for form in FORMS)
    best = max(forms, key=lambda form: _likeness(row, fields, form))
    missing = [name for name in best.required if name not in fields and not _has(row, name)]
    guess = closest(missing[0], row) or "COLUMN"
    return (
        f"of no known form (columns: {_listed(row)}); nearest is {best.name}, which needs "
        f'{_listed(missing)}: set fields={{"{missing[0]}": "{guess}"}}; forms: {known}'
    )


def _likeness(row: Row, fields: Mapping[str, str], form: Form) -> tuple[int, int, int]:
    """How near a row is to a form: fields that it has, fields that it nearly has, none lacking."""
    present = [name for name in form.required if name in fields or _has(row, name)]
    missing = [name for name in form.required if name not in present]
    alike = [name for name in missing if closest(name, row)]
    return len(present), len(alike), -len(missing)


def _has(row: Row, column: str) -> bool:
    holder, key = _holder(row, column)
    return isinstance(holder, Mapping) and key in holder


def _value(row: Row, column: str) -> Any:
    holder, key = _holder(row, column)
    return holder.get(key) if isinstance(holder, Mapping) else None


def _holder(row: Row, column: str) -> tuple[Any, str]:
    """The object that a column is in, and its key there: `data.turns` is `turns` of `data`, unless
    a column has that very name.
    """
    *parents, key = [column] if column in row else column.split(".")
    holder: Any = row
    for parent in parents:
        holder = holder.get(parent) if isinstance(holder, Mapping) else None
    return holder, key


def _listed(names: Iterable[str]) -> str:
    every = [str(name) for name in names]
    more = f" and {len(every) - _SHOWN_COLUMNS} more" if len(every) > _SHOWN_COLUMNS else ""
    return (", ".join(every[:_SHOWN_COLUMNS]) or "none") + more
