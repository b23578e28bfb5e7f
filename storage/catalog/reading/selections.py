"""Questions about which photos are selected, and about the names that can be asked for."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Sequence
from functools import reduce
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, Connection, Select, and_, func, select, true, union_all

from sigseek.geography import kilometres, surrounding_box
from sigseek.storage.catalog.dialect import Dialect
from sigseek.storage.catalog.paths import CHUNK, is_below, statement_chunks
from sigseek.storage.catalog.periods import is_not_within, is_within
from sigseek.storage.catalog.reading.counts import count_photos
from sigseek.storage.catalog.reading.duplicates import near_duplicates, photos_with_copies
from sigseek.storage.catalog.reading.reader import Reader
from sigseek.storage.catalog.reading.tags import given_photos, judged_photos
from sigseek.storage.catalog.tables import FILE, KEYWORD, PERSON, PHOTO, PHOTO_KEYWORD, PHOTO_PERSON
from sigseek.storage.selection import (
    Below,
    Every,
    Except,
    Named,
    NamedColumn,
    Near,
    Numbered,
    Placed,
    PlaceNames,
    Selection,
    Some,
    State,
    Tagged,
    Taken,
    Worded,
    WordKind,
)

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from sigseek.storage.records.arrays import Ids

    Mask = npt.NDArray[np.bool_]

_FETCHED = 10_000
_FEW = 20_000
"""The most photos that the database is asked to put in order by id."""
_TRIED = 1_000
"""The first photos among which those of a large selection are looked for."""
_BY_STATEMENTS = (State, Named, Placed, Worded, Below, Tagged)
"""Conditions that statements select the photos of."""
_INDEXED = ("camera", "lens", "format", "city", "region", "country")
"""The columns of names that have an index."""
_PLACE = (PHOTO.c.city, PHOTO.c.region, PHOTO.c.country)
_WORDS: dict[WordKind, tuple[Any, Any, Any]] = {
    "keyword": (KEYWORD.c, PHOTO_KEYWORD.c, PHOTO_KEYWORD.c.keyword_id),
    "person": (PERSON.c, PHOTO_PERSON.c, PHOTO_PERSON.c.person_id),
}


class SelectionReader(Reader):
    """Questions about which photos are selected."""

    def selected(self, selection: Selection) -> Ids:
        """Return the ids (n,), ascending, of the photos that are selected now. The array may not be
        changed.
        """
        return self._once(selection, lambda: self._read_selected(selection))

    def first_selected(self, selection: Selection, most: int) -> tuple[int, Sequence[int]]:
        """Return the number of photos that are selected now, and the lowest `most` of their ids,
        ascending. For one condition this takes less time than to read all ids, and no numpy.
        """
        if self._has_kept(selection) or most > _FETCHED:
            return self._beginning_of_all(selection, most)
        question = ("first selected", selection, most)
        return self._once(question, lambda: self._read_first_selected(selection, most))

    def names(self, column: NamedColumn) -> Sequence[str]:
        """Return the names that photos have in the column, each once."""
        return self._once(("names", column), lambda: self._read_names(column))

    def places(self) -> Sequence[PlaceNames]:
        """Return the names of the places that photos have, each place once."""
        return self._once("places", self._read_places)

    def words(self, kind: WordKind) -> Sequence[str]:
        """Return the words of a kind that photos have, each once."""
        return self._once(("words", kind), lambda: self._read_words(kind))

    def _read_selected(self, selection: Selection) -> Ids:
        import numpy as np

        with self._connect() as connection:
            found = _Photos(connection, self._dialect).mask(selection)
        ids = np.flatnonzero(found).astype(np.int64, copy=False)
        ids.flags.writeable = False
        return ids

    def _read_first_selected(self, selection: Selection, most: int) -> tuple[int, Sequence[int]]:
        with self._connect() as connection:
            found = _first_selected(connection, selection, most)
        return self._beginning_of_all(selection, most) if found is None else found

    def _beginning_of_all(self, selection: Selection, most: int) -> tuple[int, Sequence[int]]:
        ids = self.selected(selection)
        return len(ids), ids[:most].tolist()

    def _read_names(self, column: NamedColumn) -> tuple[str, ...]:
        values = PHOTO.c[column]
        query = _distinct(values) if column in _INDEXED else select(values).distinct()
        with self._connect() as connection:
            return tuple(name for name in connection.scalars(query) if name is not None)

    def _read_places(self) -> tuple[PlaceNames, ...]:
        query = select(*_PLACE).distinct()
        with self._connect() as connection:
            return tuple(
                (city, region, country) for city, region, country in connection.execute(query)
            )

    def _read_words(self, kind: WordKind) -> tuple[str, ...]:
        with self._connect() as connection:
            return tuple(connection.scalars(select(_WORDS[kind][0].name)))


class _Photos:
    """The photos of a catalog, at one moment, as masks: bool (highest id + 1,).

    A mask costs a byte for each photo, and masks are joined much faster than lists of ids.
    """

    def __init__(self, connection: Connection, dialect: Dialect) -> None:
        self._connection = connection
        self._dialect = dialect
        self._size = 1 + (connection.scalar(select(func.max(PHOTO.c.id))) or 0)

    def mask(self, selection: Selection) -> Mask:
        """Return which photos are selected."""
        match selection:
            case Every(parts=parts):
                return self._every(parts)
            case Some(parts=parts):
                return reduce(lambda one, other: one | other, map(self.mask, parts), self._none())
            case Except(part=part):
                return self._all() & ~self.mask(part)
            case Near():
                return self._near(selection)
            case _:
                return self._having_all(selection)

    def _every(self, parts: Sequence[Selection]) -> Mask:
        # A photo that a wanted condition selects exists, so it need not be looked for again.
        wanted = [part for part in parts if not isinstance(part, Except)]
        unwanted = [part.part for part in parts if isinstance(part, Except)]
        found = self.mask(wanted[0]) if wanted else self._all()
        for part in wanted[1:]:
            found &= self.mask(part)
        for other in unwanted:
            found &= ~self.mask(other)
        return found

    def _having_all(self, condition: Selection) -> Mask:
        """Return of which photos the condition is true. If it is true of most, the others are read,
        because a database counts ids in a sixth of the time in which it gives them.
        """
        is_true, others = _on_own_columns(condition), self._false_of(condition)
        if is_true is not None and others:
            count = _count_photos(self._connection, condition, is_true)
            if 2 * count > self._size:
                return self._all() & ~self._having(select(PHOTO.c.id).where(one) for one in others)
        return self._having(_statements(condition))

    def _false_of(self, condition: Selection) -> list[ColumnElement[bool]]:
        """Return conditions of which one is true of each photo of which this one is not; none where
        no index would find such photos.
        """
        match condition:
            case Taken(first=first, last=last):
                return is_not_within(PHOTO.c.taken_at, first, last)
            case Numbered(column="rating", least=least, most=most):
                rating = PHOTO.c.rating
                below = [] if least is None else [rating < least]
                return [rating.is_(None), *below, *([] if most is None else [rating > most])]
            case Named(column=column, names=names) if column in _INDEXED:
                known = set(self._connection.scalars(_distinct(PHOTO.c[column])))
                others = [*known.difference(names, [None])]
                in_others = [PHOTO.c[column].in_(chunk) for chunk in statement_chunks(others)]
                return [PHOTO.c[column].is_(None), *in_others]
            case _:
                return []

    def _having(self, statements: Iterable[Select[int]]) -> Mask:
        """Return which photos the statements select. Each statement selects ids."""
        found = self._none()
        for statement in statements:
            for ids in self._dialect.fetch_ids(self._connection, statement):
                found[ids] = True
        return found

    def _near(self, place: Near) -> Mask:
        """Return which photos were taken near the place."""
        import numpy as np

        columns = select(PHOTO.c.id, PHOTO.c.latitude, PHOTO.c.longitude)
        found = self._none()
        statement = columns.where(_in_box(place))
        for rows in self._dialect.stream(self._connection, statement, {}, _FETCHED):
            values = np.array(rows, np.float64)  # ids are far below 2^53
            far = kilometres(place.latitude, place.longitude, values[:, 1], values[:, 2])
            near = far <= place.kilometres
            found[values[near, 0].astype(np.int64)] = True
        return found

    def _all(self) -> Mask:
        # If no photo was ever removed, ids are 1, 2, 3 and so on.
        if count_photos(self._connection) == self._size - 1:
            found = ~self._none()
            found[0] = False
            return found
        return self._having([select(PHOTO.c.id)])

    def _none(self) -> Mask:
        import numpy as np

        return np.zeros(self._size, np.bool_)


def _first_selected(
    connection: Connection, selection: Selection, most: int
) -> tuple[int, Sequence[int]] | None:
    """Return the number of photos that are selected, and the lowest `most` of their ids, ascending.
    None is returned where all ids have to be read for that: for several conditions, for one that is
    not about a photo's own columns and true of many photos, and for missing files.
    """
    selection = _simplest(selection)
    is_true = _on_own_columns(selection)
    if is_true is not None:
        chosen = select(PHOTO.c.id).where(is_true)
        count = _count_photos(connection, selection, is_true)
        if count > _FEW:  # the first of all photos have them, unless the selection begins late
            first = select(PHOTO.c.id, is_true.label("is_true")).order_by(PHOTO.c.id)
            tried = first.limit(_TRIED).subquery()
            query = select(tried.c.id).where(tried.c.is_true).order_by(tried.c.id).limit(most)
            ids = connection.scalars(query).all()
            if len(ids) == most:
                return count, ids
    # Missing files have no index. For ids that differ, SQLite would read all files in the order of
    # their photos, which takes ten times longer than in their own order.
    elif isinstance(selection, _BY_STATEMENTS) and selection is not State.MISSING:
        statements = list(_statements(selection))
        if not statements:
            return 0, []
        every = union_all(*statements).subquery()
        chosen = select(select(every.c[0]).distinct().subquery().c[0])
        at_most = select(func.count()).select_from(chosen.limit(_FEW + 1).subquery())
        count = connection.scalar(at_most) or 0
        if count > _FEW:
            return None
    else:
        return None
    # A sum has no order in any index. SQLite would look through all photos in the order of their
    # ids, where the index on the condition gives the few that are selected.
    (id_,) = chosen.selected_columns
    return count, connection.scalars(chosen.order_by(id_ + 0).limit(most)).all()


def _count_photos(connection: Connection, selection: Selection, is_true: Any) -> int:
    """Return of how many photos the condition of a selection is true."""
    everything = select(func.count()).select_from(PHOTO)
    if isinstance(selection, Except):
        # An index tells of which photos a condition is true, and not of which it is not.
        opposite = _on_own_columns(selection.part)
        assert opposite is not None
        others = connection.scalar(everything.where(opposite)) or 0
        return count_photos(connection) - others
    return connection.scalar(everything.where(is_true)) or 0


def _simplest(selection: Selection) -> Selection:
    """Return the one condition that the selection consists of, where it is only one."""
    match selection:
        case Every(parts=(part,)):
            return _simplest(part)
        case Some(parts=parts):
            # A place may be a city, a region or a country, and photos know few names as several.
            able = [part for part in parts if not (isinstance(part, Named) and not part.names)]
            return _simplest(able[0]) if len(able) == 1 else selection
        case Except(part=part):
            return Except(_simplest(part))
        case _:
            return selection


def _on_own_columns(selection: Selection) -> ColumnElement[bool] | None:
    """Return the selection as a condition on the photo's own columns; None where it is none."""
    match selection:
        case Taken(first=first, last=last):
            return is_within(PHOTO.c.taken_at, first, last)
        case Named(column=column, names=names) if len(names) <= CHUNK:
            return PHOTO.c[column].in_(names)
        case Numbered(column=column, least=least, most=most):
            return _between(PHOTO.c[column], least, most)
        case State.UNDATED:
            return PHOTO.c.taken_at.is_(None)
        case State.DAMAGED:
            return PHOTO.c.damaged
        case State.PORTRAIT:
            return PHOTO.c.height > PHOTO.c.width
        case State.LANDSCAPE:
            return PHOTO.c.width > PHOTO.c.height
        case Except(part=part) if (condition := _on_own_columns(part)) is not None:
            return condition.is_not(true())  # it may be unknown, too
        case _:
            return None


def _statements(condition: Selection) -> Iterable[Select[int]]:
    """Yield statements that together select the ids of the photos of which the condition is
    true.
    """
    if (own := _on_own_columns(condition)) is not None:
        yield select(PHOTO.c.id).where(own)
        return
    match condition:
        case Named(column=column, names=names):
            for chunk in statement_chunks(names):
                yield select(PHOTO.c.id).where(PHOTO.c[column].in_(chunk))
        case Placed(places=places):
            for place in places:
                # `=` and IS NULL can be looked up in an index of both databases.
                yield select(PHOTO.c.id).where(*map(operator.eq, _PLACE, place))
        case Worded(kind=kind, names=names):
            words, borne, word_id = _WORDS[kind]
            for chunk in statement_chunks(names):
                among = select(words.id).where(words.name.in_(chunk))
                yield select(borne.photo_id).where(word_id.in_(among))
        case Below(directories=directories):
            for folder, directory in directories:
                below = is_below(FILE.c.path, PurePath(directory))
                yield select(FILE.c.photo_id).where(FILE.c.folder_id == folder, below)
        case Tagged(name=name):
            yield judged_photos(name)
            yield given_photos(name)
        case State():
            yield from _in_state(condition)
        case _:
            raise TypeError(f"{condition!r} is not a condition")


def _in_state(state: State) -> Iterable[Select[int]]:
    """Yield statements that together select the ids of the photos in a state, which their own
    columns do not tell.
    """
    match state:
        case State.MISSING:
            missing = select(FILE.c.photo_id).where(FILE.c.missing_since.is_not(None))
            there = select(FILE.c.photo_id).where(
                FILE.c.missing_since.is_(None), FILE.c.photo_id.in_(missing)
            )
            yield missing.where(FILE.c.photo_id.not_in(there))
        case State.DUPLICATE:
            yield photos_with_copies()
            yield from near_duplicates()
        case State.TAGGED:
            yield judged_photos()
            yield given_photos()
        case _:
            raise TypeError(f"{state!r} is not a state")


def _between(column: Any, least: int | None, most: int | None) -> ColumnElement[bool]:
    """Return whether the column has a number from `least` to `most`."""
    limits = [] if least is None else [column >= least]
    limits += [] if most is None else [column <= most]
    return and_(column.is_not(None), *limits)


def _in_box(place: Near) -> ColumnElement[bool]:
    """Return whether a photo is in a box of latitudes and longitudes around the place.

    The index on both columns finds what is in the box; distances are measured only there.
    """
    box = surrounding_box(place.latitude, place.longitude, place.kilometres)
    in_latitude = PHOTO.c.latitude.between(box.south, box.north)
    if box.west is None or box.east is None:
        return in_latitude & PHOTO.c.longitude.is_not(None)
    if box.west > box.east:  # the box lies on the date line
        return in_latitude & ((PHOTO.c.longitude >= box.west) | (PHOTO.c.longitude <= box.east))
    return in_latitude & PHOTO.c.longitude.between(box.west, box.east)


def _distinct(column: Any) -> Select[str | None]:
    """Select each value of an indexed column once, jumping from value to value in the index: a
    plain DISTINCT would read it as a whole. The last value is NULL.
    """
    value = select(func.min(column).label("value")).cte("distinct_values", recursive=True)
    after = select(func.min(column)).where(column > value.c.value).scalar_subquery()
    value = value.union_all(select(after).where(value.c.value.is_not(None)))
    return select(value.c.value)
