"""What a look-up gives: rows of features, with what the node says about them beside the values."""
from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, overload

from .errors import BadArgument

if TYPE_CHECKING:
    import numpy
    import pandas

Value = int | float | str | bool | None


@dataclass(frozen=True, slots=True)
class Freshness:
    """`staleness_ms` None: not known. `fresh` None: no limit is given, nor has the view one of its own."""

    staleness_ms: int | None
    fresh: bool | None


@dataclass(frozen=True, eq=False)
class Row(Mapping[str, Value]):
    """The features of one entity: a mapping of names to values."""

    entity: Any                         # as the caller gave it
    values_by_name: dict[str, Value]
    statuses: dict[str, str]            # fresh, stale, incomplete, overflow or missing, for each feature
    staleness_ms: int | None            # None: not known
    newest_event_ms: int | None         # of the entity, in unix milliseconds; None: it has none

    @property
    def fresh(self) -> bool:
        """Whether all features are."""
        return all(status == "fresh" for status in self.statuses.values())

    def to_dict(self) -> dict[str, Value]:
        return dict(self.values_by_name)

    def __getitem__(self, name: str) -> Value:
        return self.values_by_name[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.values_by_name)

    def __len__(self) -> int:
        return len(self.values_by_name)


@dataclass(frozen=True, eq=False)
class VectorRow(Row):
    """The features of a service, by `view.feature`. The staleness is the worst of its views, the newest event the newest;
    `views` has the row of each view."""

    views: dict[str, Row] = field(repr=False)


class Rows(Sequence[Row]):
    """Rows of the same features, in the order in which they were asked for."""

    def __init__(self, features: Sequence[str], rows: Sequence[Row]):
        self.features = tuple(features)
        self._rows = tuple(rows)

    @overload
    def __getitem__(self, index: int) -> Row: ...
    @overload
    def __getitem__(self, index: slice) -> Rows: ...

    def __getitem__(self, index: int | slice) -> Row | Rows:
        return Rows(self.features, self._rows[index]) if isinstance(index, slice) else self._rows[index]

    def __len__(self) -> int:
        return len(self._rows)

    def __repr__(self) -> str:
        return f"<Rows: {len(self)} of {', '.join(self.features)}>"

    @property
    def fresh(self) -> bool:
        return all(row.fresh for row in self)

    def to_dicts(self) -> list[dict[str, Value]]:
        return [row.to_dict() for row in self]

    def to_numpy(self, dtype: Any = float) -> numpy.ndarray[Any, Any]:
        """A matrix, one row a row and one column a feature. A null is NaN, true 1.0. Texts do not fit a matrix of
        numbers: `dtype=object` keeps all values as they are."""
        import numpy
        kept = numpy.dtype(dtype) == object
        table = [[row[name] for name in self.features] for row in self]
        if not kept:
            for values in table:
                for name, value in zip(self.features, values):
                    if isinstance(value, str):
                        raise BadArgument(f"feature {name} has texts, such as {value!r}: give dtype=object, or leave it out")
            table = [[numpy.nan if value is None else value for value in values] for values in table]
        return numpy.array(table, dtype=dtype).reshape(len(self), len(self.features))

    def to_pandas(self, meta: bool = False) -> pandas.DataFrame:
        """A frame, indexed by entity, with columns Int64, float64, boolean or string. `meta=True` adds a column
        `<feature>.status` for each feature, `staleness_ms` and `newest_event_ms`."""
        import pandas
        columns: dict[str, Any] = {name: _column([row[name] for row in self]) for name in self.features}
        if meta:
            for name in self.features:
                columns[f"{name}.status"] = pandas.array([row.statuses[name] for row in self], dtype="string")
            columns["staleness_ms"] = pandas.array([row.staleness_ms for row in self], dtype="Int64")
            columns["newest_event_ms"] = pandas.array([row.newest_event_ms for row in self], dtype="Int64")
        return pandas.DataFrame(columns, index=self._index())

    def _index(self) -> Any:
        import pandas
        entities = [row.entity for row in self]
        if entities and isinstance(entities[0], Mapping):
            names = list(entities[0])
            if len(names) == 1:
                return pandas.Index([entity[names[0]] for entity in entities], name=names[0])
            return pandas.MultiIndex.from_tuples([tuple(entity[n] for n in names) for entity in entities], names=names)
        return pandas.Index([tuple(entity) if isinstance(entity, list) else entity for entity in entities])


def _column(values: list[Value]) -> Any:
    """Of the type of its values; of numbers where all are null."""
    import pandas
    kind: Any = next((type(value) for value in values if value is not None), float)
    if kind is float:
        return pandas.array([float("nan") if value is None else value for value in values], dtype="float64")
    names: dict[Any, Any] = {int: "Int64", bool: "boolean", str: "string"}
    return pandas.array(values, dtype=names[kind])
