"""The checkpoint in use as the library knows it: what it has embedded, beside others."""

import threading
from collections.abc import Sequence

from sigseek.errors import Call, ErrorKind, Option, Remedy, RemedyWarning, escaped
from sigseek.operations.location import LibraryLocation
from sigseek.operations.model import ModelInUse
from sigseek.operations.warning import warn_caller
from sigseek.progress import Listener, Stop
from sigseek.results import counted
from sigseek.siglip.names import DEFAULT, MINI, MINI_CAMERA
from sigseek.storage import CheckpointRecord, CheckpointState, LibraryError

_DRAWN = " ".join(MINI_CAMERA)
"""The camera that drawings of the demo say they are from."""
_MINI_NOTE = Remedy(
    "mini knows only its own drawings, so what it finds in photographs means nothing; "
    "index once with: {}",
    (Call("index", options=(("model", DEFAULT),)),),
)
_MINI_CLASSIFIES = Remedy(
    "mini knows only its own drawings, so its numbers for photographs mean nothing; for these: {}",
    (Option("model", DEFAULT),),
)


class LibraryCheckpoint:
    """The row of the checkpoint in use in the library's catalog. Several threads may use it."""

    def __init__(self, directory: LibraryLocation, model: ModelInUse) -> None:
        self._directory = directory
        self._model = model
        self._told_of_coverage = False
        self._told_of_mini = False
        self._answer = _Answer()

    @property
    def notes(self) -> tuple[Remedy | str, ...]:
        """What to say of the checkpoint of this thread's last answer: which one it is, if the
        library has several, and that mini knows no photographs.
        """
        return self._answer.notes

    def record_to_index(self) -> CheckpointRecord:
        """Return the checkpoint's row, and add one when the checkpoint is new to the library. From
        now on the library uses it where none is named, if it was named itself or is new.

        Raises LibraryError when the new embeddings would not mix with those that are there.
        """
        checkpoint = self._model.checkpoint
        record = self._model.record()
        if record is None:
            with self._directory.catalog().transaction() as transaction:
                record = transaction.add_checkpoint(
                    name=checkpoint.name,
                    fingerprint=checkpoint.fingerprint,
                    preprocessing=checkpoint.preprocessing.fingerprint,
                    dimension=checkpoint.dimension,
                    image_size=checkpoint.preprocessing.height,
                    logit_scale=checkpoint.scoring.logit_scale,
                    logit_bias=checkpoint.scoring.logit_bias,
                )
            self._remember(record)
        elif self._model.name is not None:
            self._remember(record)
        held = self._directory.catalog().precision(record.id)
        wanted = self._model.precision
        if wanted != "auto" and held and (wanted == "int8") != (held == "int8"):
            raise LibraryError(
                f"the library {self._directory.where} holds {held} embeddings, and int8 does "
                "not mix with other precisions",
                Remedy(
                    "leave out {} to keep the library's, or make another library",
                    (Option("precision"),),
                ),
            )
        return record

    def _remember(self, record: CheckpointRecord) -> None:
        """Note that the checkpoint is the last one that was named to an indexing run."""
        catalog, last = self._directory.catalog(), (record.fingerprint, record.preprocessing)
        if catalog.named_checkpoints()[:1] != [last]:
            with catalog.transaction() as transaction:
                transaction.name_checkpoint(last)

    def note_of_photographs(self, before: CheckpointRecord) -> Remedy | None:
        """Return what to say when mini has embedded pictures since then that are not drawings of
        the demo; None for other checkpoints, and when it was said already.
        """
        if self._told_of_mini or not self._has_photographs(before, before.generation):
            return None
        self._told_of_mini = True
        return _MINI_NOTE

    def note_tagging(self, record: CheckpointRecord) -> None:
        """Add to `notes` what to say when mini tags pictures that are not drawings of the demo."""
        if self._has_photographs(record, 0):
            self._add_note(_MINI_NOTE)

    def note_classifying(self) -> None:
        """Set `notes` to what to say of the checkpoint that classifies photo files, which need not
        be in a library.
        """
        self._answer.notes = ()
        record = self._model.record()
        if record:
            states = self._directory.catalog().checkpoint_states()
            self._note_which(record, [state.record for state in states])
        if self._model.checkpoint.name == MINI:
            self._add_note(_MINI_CLASSIFIES)

    def note_mini(self, camera: str | None) -> None:
        """Add to `notes` what to say when mini found a photo, taken with this camera, that is no
        drawing of the demo.
        """
        if self._model.checkpoint.name == MINI and camera != _DRAWN:
            self._add_note(_MINI_NOTE)

    def _add_note(self, note: Remedy) -> None:
        """Add a note, unless it is there already."""
        if note not in self.notes:
            self._answer.notes = (*self.notes, note)

    def _has_photographs(self, record: CheckpointRecord, generation: int) -> bool:
        """Return whether mini has embedded pictures after the generation that are not drawings of
        the demo.
        """
        catalog = self._directory.catalog()
        return record.name == MINI and catalog.embedded_other_cameras(record.id, generation, _DRAWN)

    def state_to_query(
        self,
        listener: Listener | None = None,
        stop: Stop | None = None,
    ) -> CheckpointState:
        """Return the checkpoint's state as it is now, read in one statement.

        Raises LibraryError when the checkpoint has embedded nothing of the library. Warns once when
        another checkpoint has embedded more. The listener and the stop token are for a checkpoint
        that has to be downloaded first.
        """
        states = self._directory.catalog().checkpoint_states()
        used = [state for state in states if state.record.embeddings]
        if not used:
            raise self._nothing_embedded()
        checkpoint = self._model.prepare(listener, stop)
        wanted = (checkpoint.fingerprint, checkpoint.preprocessing.fingerprint)
        for state in used:
            if (state.record.fingerprint, state.record.preprocessing) == wanted:
                self._note_which(state.record, [other.record for other in states])
                return state
        names = " and ".join(state.record.name for state in used)
        raise LibraryError(
            f"the library {self._directory.where} was made with {names}, not with "
            f"{checkpoint.name} as it is now",
            Remedy(
                "search with {}, or add the other with: {}",
                (
                    Option("model", used[0].record.name),
                    Call("index", options=(("model", checkpoint.name),)),
                ),
            ),
            ErrorKind.NOT_FOUND,
        )

    def _nothing_embedded(self) -> LibraryError:
        directory, photos = self._directory.where, self._directory.catalog().photo_count()
        return LibraryError(
            f"the library {directory} has photos, but no embeddings"
            if photos
            else f"the library {directory} has no photos yet",
            Remedy("make them with: {}", (Call("index"),))
            if photos
            else Remedy("add some with: {}", (Call("index", ("FOLDER",)),)),
            ErrorKind.NOT_FOUND,
        )

    def _note_which(self, record: CheckpointRecord, known: Sequence[CheckpointRecord]) -> None:
        """Note of which checkpoint the answer is, and warn if another one has embedded more."""
        others = [other for other in known if other.id != record.id]
        if not others:
            self._answer.notes = ()
            return
        name = self._model.checkpoint.name
        most = max(other.embeddings for other in others)
        if record.embeddings >= most:
            also = " and ".join(
                f"{other.name} ({counted(other.embeddings, 'photo')})" for other in others
            )
            self._answer.notes = (f"this answer is of {name}; the library also has {also}",)
            return
        coverage = Remedy(
            f"this answer is of {escaped(name)}, which has embedded "
            f"{counted(record.embeddings, 'photo')} so far, others here {most:,}; "
            "to go on with it: {}",
            (Call("index", options=(("model", name),)),),
        )
        self._answer.notes = (coverage,)
        if not self._told_of_coverage:
            self._told_of_coverage = True
            warn_caller(RemedyWarning(coverage))


class _Answer(threading.local):
    """What is known of a thread's last answer."""

    notes: tuple[Remedy | str, ...] = ()
