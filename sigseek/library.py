"""The facade: each method of `Library` calls a function of `sigseek.operations`.

Methods import what only they need, such as numpy and whatever decodes, embeds and searches photos.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self, TypeAlias

from sigseek.argument_types import checked, with_checked_types
from sigseek.errors import Option, Remedy
from sigseek.indexer.errors import DecodeError, FolderError
from sigseek.operations.given_paths import StrPath, given_path, given_paths
from sigseek.operations.lists import given_texts
from sigseek.operations.location import LibraryLocation, library_location
from sigseek.operations.opened import OpenedLibrary
from sigseek.operations.photo_ids import id_or_path, plain_id, plain_ids
from sigseek.progress import Listener, Silence, Stop
from sigseek.search.duplicates.results import KINDS
from sigseek.search.errors import QueryError
from sigseek.search.labels import DEFAULT_TEMPLATE, Label
from sigseek.siglip.errors import CheckpointError
from sigseek.siglip.towers import check_choices
from sigseek.storage.errors import LibraryError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from sigseek.evaluation.captions import CaptionedPictures
    from sigseek.indexer import IndexReport
    from sigseek.indexer.preview import ListedFile
    from sigseek.operations.completion import Completion
    from sigseek.operations.facets import Facets
    from sigseek.operations.forgetting import Forgotten, ForgottenCheckpoint
    from sigseek.operations.layout import Layout
    from sigseek.operations.originals import FileOfPhoto
    from sigseek.operations.relocating import Relocated
    from sigseek.operations.status import Status
    from sigseek.operations.tags import TagCount
    from sigseek.operations.thumbnails import Thumbnail
    from sigseek.operations.verify import VerifyReport
    from sigseek.operations.watch import WatchEvent
    from sigseek.search.calibration import Calibration
    from sigseek.search.classify import Classification
    from sigseek.search.duplicates.results import DuplicateKind, Duplicates
    from sigseek.search.results import Order, PhotoHit, SearchResults, SimilarHit
    from sigseek.search.verdicts import JudgedBy
    from sigseek.siglip import Checkpoint
    from sigseek.siglip.yardstick.embeddings import Yardstick
    from sigseek.storage import CheckpointRecord, LibraryFailure
    from sigseek.storage.facets import FacetKind
    from sigseek.storage.records import DamagedFile, PictureRecord, SkippedFile

    Floats: TypeAlias = npt.NDArray[np.float32]


@checked
def open_library(
    directory: StrPath,
    model: str | None = None,
    device: str = "auto",
    precision: str = "auto",
    listener: Listener | None = None,
) -> Library:
    """Open the library in `directory`, which need not exist: the first `index` creates it.

    A library may also be in a PostgreSQL database, whose address is given in place of the
    directory, such as "postgresql://me@server/photos"; docs/postgresql.md describes it.

    `model` is a Hugging Face id (`ID@REVISION` for one revision), a local checkpoint directory, or
    "mini". By default it is the last one that was named when the library was indexed, and
    google/siglip-base-patch16-224 for a new library. `device` is "auto", "cpu", "cuda" or "mps".
    `precision` is "auto", "fp32", "bf16" or "int8"; "auto" keeps the library's precision, and new
    libraries use bf16 if the processor supports it. `listener` is told of whatever takes long, such
    as a download, by all methods that are given no listener of their own.

    Raises CheckpointError for an unknown device or precision and an empty `model`, and LibraryError
    for an address that cannot be read and for an empty path.
    """
    if model == "":
        raise CheckpointError(
            "the checkpoint's name is empty",
            Remedy("{} must name one; is a variable not set?", (Option("model"),)),
        )
    check_choices(device, precision)
    return Library(directory, model, device, precision, listener or Silence())


@with_checked_types
class Library:
    """A library of photos, opened by `sigseek.open`. Close it when done, or use it in `with`. A
    closed library opens again when it is used.

    Several threads may use one Library. Any number of them search at the same time. Those that
    change the library, by indexing for example, take turns; searches go on meanwhile.
    A process that is forked off must open the library itself; in it, one that its parent has used
    raises LibraryError.

    Errors are raised as a `sigseek.SigseekError`, also for an argument of a wrong type and for one
    string where a list is taken.
    Nothing is printed except download progress.

    A method that takes long tells its `listener` how it goes, or without one that of `open`. It
    ends soon after its `stop` token is set: `index` and `watch` return, all others raise
    StoppedError. What was finished by then is kept.

    >>> import sigseek
    >>> library = sigseek.open("library", model="mini")
    >>> library.index("photos").added
    40
    """

    def __init__(
        self,
        directory: StrPath,
        model: str | None,
        device: str,
        precision: str,
        listener: Listener,
    ) -> None:
        place = library_location(directory, listener)
        self._parts = OpenedLibrary(place, model, device, precision, listener)
        self._process: int | None = None
        """The process that used the library first."""

    @property
    def _opened(self) -> OpenedLibrary:
        """Return what the methods work with.

        Raises LibraryError in a process that was forked off after the library was used: it has the
        connections of its parent, and none of the threads.
        """
        if self._process is None:
            self._process = os.getpid()
        if self._process != os.getpid():
            raise LibraryError(
                f"the library {self._parts.directory.where} was in use before this process was "
                "forked off",
                "open it again in this process, with sigseek.open",
            )
        return self._parts

    @property
    def _directory(self) -> LibraryLocation:
        return self._opened.directory

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        name = self._parts.model.name
        model = f", model {name!r}" if name else ""
        return f"<sigseek.Library {self._parts.directory.where!r}{model}>"

    @property
    def location(self) -> str:
        """Return where the library is: its directory, or its database's address without the
        password.
        """
        return self._parts.directory.where

    @property
    def directory(self) -> Path:
        """Return the directory of the library's files. For a library in a database these are this
        machine's index files; LibraryError where there is no library yet.
        """
        return self._directory.directory

    def close(self) -> None:
        """Release the catalog's file and end the processes that decode photos. Whoever uses the
        library afterwards opens it again, and has to close it again.
        """
        if self._process == os.getpid():  # a process that was forked off leaves its parent's alone
            self._parts.close()

    def create(self) -> bool:
        """Make the library, without photos, if there is none yet. Returns whether it was made."""
        existed = self._directory.exists()
        self._directory.catalog(create=True)
        return not existed

    def state(self) -> str:
        """Return a text that is another one after anybody, in any process, has changed the library.
        It costs next to nothing, so a program may ask for it every second.
        """
        return self._directory.state()

    def check_not_busy(self) -> None:
        """Raise LibraryError, which names the holder, while another process changes the library."""
        if self._directory.exists():
            with self._directory.writing():
                pass

    def index(
        self,
        *folders: StrPath,
        accept_missing: bool = False,
        accept_system_folder: bool = False,
        reread: bool = False,
        exclude: Sequence[str] = (),
        include: Sequence[str] = (),
        max_megapixels: int | None = None,
        join: bool = False,
        mounts: Mapping[str, StrPath] | None = None,
        ray: str | None = None,
        ray_workers: int | None = None,
        ray_cores: int | None = None,
        vectors: str | None = None,
        listener: Listener | None = None,
        stop: Stop | None = None,
    ) -> IndexReport:
        """Add folders to the library and bring it up to date; without folders, all known ones.

        When it is stopped or interrupted, everything but the batch in flight is kept, and the next
        call continues there.

        With `reread`, files are read again even if their size and times have not changed. This
        finds edits that a file system without a time of its own for changes does not tell of.

        Pictures larger than `max_megapixels` are failures. The library remembers this limit; None
        means that of an earlier call, else what fits into half of the memory.

        Files that the patterns in `exclude` mean, in gitignore's syntax, leave the library and are
        not taken in, by this call and by later ones. `include` takes such patterns back. A folder
        of which everything is left out is in the report's `emptied`, and nothing of it is changed
        (unless `accept_missing`).

        `vectors` tells which engine keeps the vector index: "faiss", in files, as by default, or
        the address of a Milvus server, such as "milvus://HOST:19530". The library remembers it.

        Hits are judged by reference captions, which are embedded once per checkpoint. A call that
        embeds photos spends about a twentieth of its time on them, but embeds the first of them in
        any case; a call that finds no new photos embeds the rest. The report's `provisional` tells
        when some are left.

        A small thumbnail of each photo that is decoded is kept, as `thumbnail` would.

        With `join`, any number of processes, on any machines, index a library in a PostgreSQL
        database together: one lists the files, and all take them in. Each makes this same call.
        `mounts` tells where this machine has directories, by the absolute paths that the library
        knows them under. A process with `mounts` lists no files. docs/workers.md tells more.
        Without `join`, processes index different folders of such a library at the same time.

        With `ray`, this process lists the files, and workers in a Ray cluster take them in. `ray`
        is the address of the cluster, "auto" for the one that this machine belongs to, or "local"
        for one that is started here and ends with the call. By default there is a worker for each
        GPU; where there is none, each has as many cores as the smallest machine. `ray_workers`
        and `ray_cores`, the cores of each, say otherwise. `mounts` then holds for the workers.

        Raises FolderError and changes nothing when more than half of a folder's files are gone
        (unless `accept_missing`), or when an offline folder is inside a new one. The error is a
        SystemFolderError when a new folder holds a whole system, as "/" does (unless
        `accept_system_folder`).
        """
        from sigseek.operations.indexing import check_no_workers, index_folders

        roots = given_paths("folders", folders, FolderError)
        index = partial(
            index_folders,
            self._opened,
            roots,
            accept_missing=accept_missing,
            accept_system_folder=accept_system_folder,
            reread=reread,
            exclude=exclude,
            include=include,
            max_megapixels=max_megapixels,
            vectors=vectors,
            listener=listener,
            stop=stop,
        )
        if ray is None:
            check_no_workers(ray_workers, ray_cores)
            return index(join=join, mounts=mounts)
        from sigseek.operations.ray_workers import index_on_ray  # few runs use Ray

        workers = (ray, ray_workers, ray_cores)
        return index_on_ray(self._opened, roots, workers, mounts or {}, listener, index)

    def preview(
        self,
        *folders: StrPath,
        exclude: Sequence[str] = (),
        include: Sequence[str] = (),
        stop: Stop | None = None,
    ) -> Iterator[ListedFile]:
        """List the pictures that `index` would take, and what it would leave out and why, by path.

        Nothing is written. Files that are not pictures are not listed, nor is what is in a
        directory that is left out.
        """
        from sigseek.operations.indexing import preview_folders

        roots = given_paths("folders", folders, FolderError)
        return preview_folders(self._opened, roots, exclude=exclude, include=include, stop=stop)

    def watch(
        self,
        *folders: StrPath,
        debounce: float = 2.0,
        rescan: float = 600.0,
        max_megapixels: int | None = None,
        listener: Listener | None = None,
        stop: Stop | None = None,
    ) -> Iterator[WatchEvent]:
        """Index folders, or all known ones, whenever they change, until `stop` is set.

        Yields an event for each run, and for each problem as it comes up. A problem does not end
        the watch: the run is tried again. A change is indexed once nothing has changed for
        `debounce` seconds. Everything is scanned again every `rescan` seconds, because network
        drives do not report all changes.
        """
        from sigseek.operations.indexing import watch_folders

        return watch_folders(
            self._opened,
            given_paths("folders", folders, FolderError),
            debounce=debounce,
            rescan=rescan,
            max_megapixels=max_megapixels,
            listener=listener,
            stop=stop,
        )

    def search(
        self,
        query: str,
        limit: int = 10,
        *,
        within: str = "",
        min_probability: float = 0.0,
        include_all: bool = False,
        explain: bool = False,
        closer: int = 0,
        include_self: bool = False,
        sort: Order = "match",
        offset: int = 0,
        page: str | None = None,
        named_photos: Mapping[str, StrPath] | None = None,
        listener: Listener | None = None,
        stop: Stop | None = None,
    ) -> SearchResults:
        """Find the photos that match a query, the best first; docs/queries.md describes queries.

        `within` has facts such as `date:2024 place:Lisbon`, which are joined to the query by AND.
        With them the query may be empty. Facts alone are answered without the model.

        Only photos that match are listed, those with a probability of 0.5 or more and of at least
        `min_probability`; with `include_all` all others follow. With `explain` each hit has the
        probability of each term. The best `closer` photos are looked at again, part by part, and
        judged by that. A photo that the query names is listed only with `include_self`; exact
        copies of it are always listed.

        `sort` puts those that match in another order: "date" (oldest first), "-date", "path",
        "rating" or "added" (last added first); photos that may match follow in the same order. The
        first `offset` hits are left out. In place of an offset, `page` takes the `next_page` of the
        results before, so that no photo is listed twice or left out while the library changes.

        With `named_photos`, `photo:NAME` means one of these files by its name. All other files are
        refused then, so that the query may come from somebody who may not ask about files here.

        >>> [hit.verdict for hit in library.search("a house")]
        ['match', 'match', 'match', 'match']
        >>> len(library.search("a giraffe"))
        0
        """
        from sigseek.operations.searching import search

        return self._opened.answer(
            lambda: search(
                self._opened,
                query,
                limit,
                within=within,
                min_probability=min_probability,
                include_all=include_all,
                explain=explain,
                closer=closer,
                include_self=include_self,
                sort=sort,
                offset=offset,
                page=page,
                named_photos=named_photos,
                listener=listener,
                stop=stop,
            )
        )

    def list_photos(
        self,
        limit: int = 10,
        *,
        sort: Order = "-date",
        offset: int = 0,
        page: str | None = None,
    ) -> SearchResults:
        """List all photos of the library, the newest first. The arguments are those of `search`.

        >>> library.list_photos().matches
        40
        """
        from sigseek.operations.photos import list_photos

        return list_photos(self._opened, limit, sort=sort, offset=offset, page=page)

    def photos(self, ids: Sequence[int]) -> tuple[PhotoHit, ...]:
        """Return the photos with these ids, in their order; ids of no photo are left out."""
        from sigseek.operations.photos import photos_by_id

        wanted = plain_ids("ids", ids)
        return photos_by_id(self._directory.catalog(), wanted)

    def matching_photos(
        self,
        query: str,
        *,
        within: str = "",
        named_photos: Mapping[str, StrPath] | None = None,
        stop: Stop | None = None,
    ) -> list[int]:
        """Return the ids, ascending, of all photos that match a query. The arguments are those of
        `search`. A photo that the query names is among them.
        """
        from sigseek.operations.searching import matching_photos

        _, ids, _ = self._opened.answer(
            lambda: matching_photos(self._opened, query, within, named_photos, stop=stop)
        )
        return list(map(int, ids))

    def layout(
        self,
        query: str = "",
        *,
        min_probability: float = 0.0,
        include_all: bool = False,
        include_self: bool = False,
        sort: Order = "match",
        named_photos: Mapping[str, StrPath] | None = None,
        stop: Stop | None = None,
    ) -> Layout:
        """Return all hits of a search in their order, without their facts: what a page needs to
        place a million photos. The arguments are those of `search`; without a query all photos are
        returned, and "match" means the newest first.
        """
        from sigseek.operations.layout import lay_out

        return self._opened.answer(
            lambda: lay_out(
                self._opened,
                query,
                min_probability=min_probability,
                include_all=include_all,
                include_self=include_self,
                sort=sort,
                named_photos=named_photos,
                stop=stop,
            )
        )

    def complete(self, query: str, at: int | None = None) -> Completion:
        """Return what may stand at the caret of a query that somebody types: names of facts, their
        values in this library, and operators. `at` is the number of characters before the caret; by
        default it is at the end.

        >>> [one.text for one in library.complete("a house form").suggestions]
        ['format:']
        """
        from sigseek.operations.completion import complete

        return complete(self._opened, query, at)

    def pictures(self, ids: Sequence[int]) -> dict[int, PictureRecord]:
        """Return the format, digest and colour of each of these photos' pictures, by id; ids of no
        photo are left out.
        """
        wanted = plain_ids("ids", ids)
        return self._directory.catalog().pictures(wanted)

    def colors(self, ids: Sequence[int]) -> dict[int, int]:
        """Return the mean colour, 0xRRGGBB, of each of these photos, by id. A page can paint it
        until the picture is there. Photos without a perceptual hash are left out.

        >>> sorted(library.colors([1, 2]))
        [1, 2]
        """
        wanted = plain_ids("ids", ids)
        return self._directory.catalog().colors(wanted)

    def facets(
        self,
        query: str = "",
        *,
        by: FacetKind | None = None,
        within: str = "",
        limit: int | None = None,
        named_photos: Mapping[str, StrPath] | None = None,
        listener: Listener | None = None,
        stop: Stop | None = None,
    ) -> Facets:
        """Count the photos by year, month, camera, place, folder, format, rating or tag.

        All photos of the library are counted, or those that match the query and the facts in
        `within`. Values that most photos have come first, but the newest years and months. Photos
        without such a value are counted under None, which is last. `limit` is the number of other
        values; by default it is all of one kind, or five of each kind. A photo counts under each of
        its tags and folders.

        >>> library.facets("a house", by="format").values
        (Facet(by='format', value='JPEG', photos=4),)
        """
        from sigseek.operations.facets import count_facets

        return self._opened.answer(
            lambda: count_facets(
                self._opened, query, by, within, limit, named_photos, listener, stop
            )
        )

    def similar(
        self,
        photo: StrPath | int,
        limit: int = 10,
        *,
        include_self: bool = False,
        listener: Listener | None = None,
        stop: Stop | None = None,
    ) -> list[SimilarHit]:
        """Find the photos that look most like the one in the file `photo`, or like the one of the
        library with this id.

        The file need not be in the library; if it is, it is among the hits only with
        `include_self`. Exact copies of it are always listed.

        >>> [hit.rank for hit in library.similar("photos/scene-00007.jpg", limit=3)]
        [1, 2, 3]
        """
        from sigseek.operations.similar import find_similar

        return self._opened.answer(
            lambda: find_similar(
                self._opened,
                id_or_path(photo),
                limit,
                include_self=include_self,
                listener=listener,
                stop=stop,
            )
        )

    def classify(
        self,
        photos: Sequence[StrPath],
        labels: Sequence[str | Label],
        template: str = DEFAULT_TEMPLATE,
        *,
        skip_unusable: bool = False,
        listener: Listener | None = None,
        stop: Stop | None = None,
    ) -> list[Classification]:
        """Return the score and the probability of each label for each photo file. No library is
        needed; if there is one, its calibration is used.

        A string is a label's name; `template` is the sentence it is put into. The first file that
        cannot be used raises DecodeError or QueryError. With `skip_unusable` such files are left
        out, and the listener is told of each.

        >>> (photo,) = library.classify(["photos/scene-00014.jpg"], ["a giraffe", "a house"])
        >>> photo.scores[0].label
        'a house'
        """
        from sigseek.operations.classifying import classify_photos

        return self._opened.answer(
            lambda: classify_photos(
                self._opened,
                photos,
                labels,
                template,
                skip_unusable=skip_unusable,
                listener=listener,
                stop=stop,
            )
        )

    def classify_known(
        self,
        photo_ids: Sequence[int],
        labels: Sequence[str | Label],
        template: str = DEFAULT_TEMPLATE,
        *,
        listener: Listener | None = None,
        stop: Stop | None = None,
    ) -> dict[int, Classification]:
        """Return the score and the probability of each label for photos of the library, by their
        ids. Photos that the checkpoint has not embedded are left out. The other arguments are those
        of `classify`.
        """
        from sigseek.operations.classifying import classify_known

        return self._opened.answer(
            lambda: classify_known(self._opened, photo_ids, labels, template, listener, stop)
        )

    def calibrate(
        self,
        source: StrPath,
        *,
        split: str = "test",
        pictures: StrPath | None = None,
        listener: Listener | None = None,
        stop: Stop | None = None,
    ) -> tuple[Calibration, CaptionedPictures]:
        """Fit the checkpoint's probabilities to captioned pictures, and keep the constants.

        docs/evaluation.md describes `source`, `split` and `pictures`. Also returned are the
        pictures that were used. The listener is told what was wrong with the others. Raises
        CaptionsError or CalibrationError when the captions cannot be used or are too few.
        """
        from sigseek.evaluation.captions import CaptionsError
        from sigseek.operations.calibrating import calibrate

        return calibrate(
            self._opened,
            given_path("source", source, CaptionsError),
            split=split,
            pictures=None if pictures is None else given_path("pictures", pictures, CaptionsError),
            listener=listener,
            stop=stop,
        )

    def tag(
        self,
        labels: Sequence[str | Label],
        template: str = DEFAULT_TEMPLATE,
        *,
        listener: Listener | None = None,
        stop: Stop | None = None,
    ) -> tuple[TagCount, ...]:
        """Give each label as a tag to the photos that match it, so that `tag:NAME` finds them.

        A string is a label's name. Tags of an earlier run with the same names are replaced, but not
        what `add_tag` and `remove_tag` said of photos. When it is stopped or interrupted, the
        labels that are done are kept.

        >>> library.tag(["a house"])
        (TagCount(label='a house', photos=4, by_hand=0),)
        >>> len(library.search('tag:"a house"'))
        4
        """
        from sigseek.operations.tags import tag

        return self._opened.answer(lambda: tag(self._opened, labels, template, listener, stop))

    def tags(self) -> tuple[TagCount, ...]:
        """Count the photos of each tag; the tags are in alphabetical order."""
        from sigseek.operations.tags import count_tags

        return count_tags(self._directory.catalog())

    def add_tag(self, name: str, photos: Sequence[StrPath | int]) -> TagCount:
        """Give a tag to photos of the library by hand, and count the tag's photos.

        Each photo is named by one of its files, which may be away, or by its id. Later runs of
        `tag` do not take the tag back. Raises QueryError and changes nothing when the library does
        not know one of them.

        >>> library.add_tag("favourite", ["photos/scene-00007.jpg"])
        TagCount(label='favourite', photos=1, by_hand=1)
        """
        from sigseek.operations.tags import decide_tag

        return decide_tag(self._opened, name, photos, given=True)

    def remove_tag(self, name: str, photos: Sequence[StrPath | int] | None = None) -> TagCount:
        """Take a tag from all photos, and count them. With `photos`, take it from these, and count
        those that are left.

        Later runs of `tag` do not give it to these photos again. Raises UnknownTagError when there
        is no such tag, and QueryError as `add_tag` does.

        >>> library.remove_tag("favourite", ["photos/scene-00007.jpg"])
        TagCount(label='favourite', photos=0, by_hand=0)
        """
        from sigseek.operations.tags import decide_tag, drop_tag

        if photos is None:
            return drop_tag(self._directory, name)
        return decide_tag(self._opened, name, photos, given=False)

    def duplicates(
        self,
        query: str | None = None,
        *,
        within: str = "",
        kinds: Sequence[DuplicateKind] = KINDS,
        prefer: Sequence[StrPath] = (),
        keep_pairs: bool = True,
        named_photos: Mapping[str, StrPath] | None = None,
        listener: Listener | None = None,
        stop: Stop | None = None,
    ) -> Duplicates:
        """Find photos that are there more than once. With a query, or with facts in `within`, only
        the photos that match these are compared.

        A group is of one of three kinds: "identical" files hold one picture, "near" photos are one
        shot in several forms, and "alike" photos are other shots of one scene. The first photo of a
        group is the one to keep; those in the folders `prefer` are kept rather than others. Nothing
        is deleted. docs/duplicates.md tells how photos are compared.

        Pairs that are found are kept in the library, so that later calls compare only new photos.
        Without `keep_pairs` the library stays as it is.

        >>> library.duplicates()
        <Duplicates: 1 group in 40 photos>
        """
        from sigseek.operations.duplicates import find_duplicates

        return self._opened.answer(
            lambda: find_duplicates(
                self._opened,
                query,
                within,
                kinds=kinds,
                prefer=prefer,
                keep_pairs=keep_pairs,
                named_photos=named_photos,
                listener=listener,
                stop=stop,
            )
        )

    def not_duplicates(self, photos: Sequence[StrPath | int]) -> int:
        """Note that no two of these photos are duplicates, and return the number of pairs. Each is
        named by one of its files or by its id.

        They are never in one group again. Raises QueryError and changes nothing when the library
        does not know one of them, and for files of one picture.
        """
        from sigseek.operations.duplicates import keep_distinct

        return keep_distinct(self._opened, photos)

    def group_again(self, photos: Sequence[StrPath | int]) -> int:
        """Take back what `not_duplicates` noted of these photos, and return the number of pairs
        that had been noted. Photos that look like duplicates may be in one group again.

        Raises QueryError and changes nothing when the library does not know one of them, and for
        files of one picture.
        """
        from sigseek.operations.duplicates import group_again

        return group_again(self._opened, photos)

    def thumbnail(self, photo: int | StrPath, size: int = 320) -> Thumbnail:
        """Return a small picture of a photo, whose longer side has at most `size` pixels, 320 or
        1280. `photo` is the photo's id, or a file.

        A kept thumbnail is returned even if the photo's files are away. Otherwise one is made of
        the first file that is there, and kept. docs/thumbnails.md tells where. A photo whose files
        are away may have only the other size, which is returned then. The thumbnail of a file that
        is not in the library is not kept.

        Raises QueryError for an unknown photo or size, and DecodeError, whose kind tells why, when
        no thumbnail is kept and no file gives a picture now.

        >>> hit = library.search("a house")[0]
        >>> library.thumbnail(hit.id).media_type
        'image/jpeg'
        """
        return self._opened.thumbnails.get(id_or_path(photo), size)

    def jpeg(self, photo_id: int) -> Thumbnail:
        """Return the photo with this id as a JPEG of its own size, upright and in sRGB.

        It is made of the first file that is there and not kept. It serves to show formats that
        browsers do not, such as HEIC and camera RAW. Raises as `thumbnail` does.
        """
        return self._opened.thumbnails.full_size(plain_id(photo_id))

    def thumbnail_of_file(self, photo: StrPath, size: int = 320) -> bytes:
        """Return a JPEG of any photo file, whose longer side has at most `size` pixels. Nothing is
        kept.

        Raises DecodeError for a file that gives no picture, and QueryError for a size below 1.
        """
        path = given_path("photo", photo, DecodeError)
        return self._opened.thumbnails.of_file(path, size)

    def files_of_photo(self, photo_id: int) -> tuple[FileOfPhoto, ...]:
        """Return the files of the photo with this id, missing ones too, by path.

        Raises QueryError for an unknown photo.
        """
        from sigseek.operations.originals import files_of_photo

        return files_of_photo(self._directory.catalog(), plain_id(photo_id))

    def original_file(self, photo_id: int) -> Path:
        """Return the path of a file that holds the photo with this id now.

        Raises QueryError for an unknown photo, and DecodeError when none of its files is there.
        """
        from sigseek.operations.originals import original_file

        return original_file(self._directory.catalog(), plain_id(photo_id))

    def limit_thumbnails(self, max_bytes: int) -> None:
        """Keep thumbnails of at most about so many bytes from now on, for all of the user's
        libraries. 0 keeps none.

        The least recently used ones are removed at once if there are more. Without a limit of the
        user's it is 4 GB.
        """
        from sigseek.operations.thumbnails import limit_thumbnails

        limit_thumbnails(self._opened.thumbnails.store, max_bytes)

    @property
    def judged_by(self) -> JudgedBy:
        """Return what verdicts and tags are based on."""
        return self._opened.searcher.get().judged_by

    def embed_photos(
        self,
        photos: Sequence[StrPath],
        *,
        listener: Listener | None = None,
        stop: Stop | None = None,
    ) -> tuple[dict[Path, Floats], dict[Path, str]]:
        """Embed photo files without keeping anything.

        Returns the unit-norm embedding float32 (dim,) of each file that can be used, and for each
        of the others the reason why not.
        """
        files = given_paths("photos", photos, QueryError)
        return self._opened.photo_files.gather(files, listener, stop)

    def embed_texts(
        self, texts: Sequence[str], *, listener: Listener | None = None, stop: Stop | None = None
    ) -> Floats:
        """Return unit-norm embeddings float32 (n, dim) of texts."""
        return self._opened.model.embed_texts(given_texts("texts", texts), listener, stop)

    @property
    def checkpoint(self) -> Checkpoint:
        """Return the checkpoint asked for, else the library's default, else the program's.

        The library's default is the last checkpoint that was named to `index`, as soon as it has
        embedded a photo. `mini` is the default only if it has embedded more photos than any other.
        """
        return self._opened.model.checkpoint

    @property
    def checkpoint_notes(self) -> tuple[Remedy | str, ...]:
        """Return what there is to say of the checkpoint of this thread's last answer, a sentence
        each: which one it is, if the library has several, and that `mini` knows no photographs.
        """
        return self._opened.checkpoint.notes

    def calibration(
        self, *, listener: Listener | None = None, stop: Stop | None = None
    ) -> Calibration | None:
        """Return the library's own calibration of the checkpoint, else the one shipped with the
        checkpoint. No library is needed.
        """
        from sigseek.operations.calibration import calibration_in_use

        return calibration_in_use(self._directory, self._opened.model, listener, stop)

    def yardstick(self, *, listener: Listener | None = None, stop: Stop | None = None) -> Yardstick:
        """Return the checkpoint's embeddings of the texts and pictures that hits are judged by. No
        library is needed.

        They are made once, which takes as long as embedding 180 photos, and kept in the user's
        cache. `index` makes them in steps.
        """
        return self._opened.model.yardstick(listener, stop)

    def forgettable_files(self, folder: StrPath, *, keep: Sequence[StrPath] = ()) -> int:
        """Count the files that `forget` would remove; raises what it would raise."""
        from sigseek.operations.forgetting import count_forgettable_files

        path, kept = (
            given_path("folder", folder, FolderError),
            given_paths("keep", keep, FolderError),
        )
        return count_forgettable_files(self._directory.catalog(), path, kept)

    def relocate(self, old: StrPath, new: StrPath, *, accept_missing: bool = False) -> Relocated:
        """Tell the library that the files of the directory `old` are in `new` now.

        Nothing is embedded again. Raises FolderError and changes nothing when a directory cannot be
        used, or, unless `accept_missing`, when less than half of the files are in `new`.
        """
        from sigseek.operations.relocating import relocate

        places = given_path("old", old, FolderError), given_path("new", new, FolderError)
        return relocate(self._directory, *places, accept_missing=accept_missing)

    def forget(self, folder: StrPath, *, keep: Sequence[StrPath] = ()) -> Forgotten:
        """Remove a folder from the library, with the photos that are in no other folder.

        The files themselves are not touched. Directories to `keep`, inside of the folder, become
        folders of their own; nothing in them is embedded again. A directory inside a folder can be
        forgotten once it is empty or gone. Raises FolderError for anything else.
        """
        from sigseek.operations.forgetting import forget_folder

        path, kept = (
            given_path("folder", folder, FolderError),
            given_paths("keep", keep, FolderError),
        )
        return forget_folder(self._directory, path, kept)

    def known_checkpoint(self, name: str) -> CheckpointRecord:
        """Return the library's checkpoint of this name, or whose fingerprint begins with it.

        Raises LibraryError when there is none, or more than one.
        """
        from sigseek.operations.forgetting import find_checkpoint

        return find_checkpoint(self._directory.catalog(), name)

    def forget_checkpoint(self, name: str) -> ForgottenCheckpoint:
        """Remove a checkpoint, by name or fingerprint, and all its embeddings from the library."""
        from sigseek.operations.forgetting import forget_checkpoint

        return forget_checkpoint(self._directory, name)

    def prune(self, older_than: timedelta = timedelta(days=30)) -> Forgotten:
        """Forget files that have been missing for longer than that, and photos without other files.

        Files of folders that are offline are kept, and so are files below an empty directory, which
        may be the mount point of an unplugged drive.
        """
        from sigseek.operations.forgetting import prune

        return prune(self._directory, older_than)

    def verify(
        self,
        *,
        repair: bool = False,
        contents: bool = False,
        listener: Listener | None = None,
        stop: Stop | None = None,
    ) -> VerifyReport:
        """Check the catalog, then the index and the photo files against it.

        With `contents` every photo file is read again. With `repair` whatever can be rebuilt is
        repaired.
        """
        from sigseek.operations.verify import verify_library  # brings the index

        return verify_library(
            self._opened, repair=repair, contents=contents, listener=listener, stop=stop
        )

    def back_up(self, file: StrPath) -> Path:
        """Copy the catalog to a new file and return its absolute path.

        Everything else in the library can be rebuilt from the catalog. Others may use the library
        meanwhile.
        """
        from sigseek.operations.backup import back_up

        return back_up(self._directory.catalog(), given_path("file", file, LibraryError))

    def copy_to(
        self,
        directory: StrPath,
        *,
        listener: Listener | None = None,
        stop: Stop | None = None,
    ) -> str:
        """Copy the library to another directory, which need not exist, or into a PostgreSQL
        database whose address is given. Returns where the copy is, without a password.

        The copy has everything that the library has at this moment: embeddings, folders, facts,
        tags and decisions. Its vector index is made when it is first searched. Others may use the
        library meanwhile. A copy that was cut off goes on where it was when it is made once more;
        until it is whole nobody can open it. Raises LibraryError where there is a library already.
        """
        from sigseek.operations.copying import copy_library

        return copy_library(
            self._directory, directory, listener or self._opened.listener, stop or Stop()
        )

    def status(self) -> Status:
        """Return the folders, counts, checkpoints and sizes of the library."""
        from sigseek.operations.status import library_status

        return library_status(self._directory, self._opened.thumbnails.store)

    def folders(self) -> list[str]:
        """Return the absolute paths of the folders that are indexed, in alphabetical order."""
        return [folder.path for folder in self._directory.catalog().folders()]

    def failures(self) -> list[LibraryFailure]:
        """Return the files and directories that could not be used and why, by absolute path."""
        return self._directory.catalog().failures()

    def skipped_files(self) -> list[SkippedFile]:
        """Return files that seem to hold photos and that `index` passed over, by path: pictures
        without a picture's extension, and links to directories.
        """
        from sigseek.operations.skipped import skipped_files

        return skipped_files(self._directory.catalog())

    def damaged_files(self) -> list[DamagedFile]:
        """Return files of which only a part of the picture could be decoded, by absolute path;
        missing files are left out. Their photos are searched like others.
        """
        return self._directory.catalog().damaged_files()
