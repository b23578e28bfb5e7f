"""What can go wrong with a checkpoint."""


class CheckpointError(Exception):
    """A checkpoint that cannot be found, read or used. The message says what was found and what to
    do, in one line.
    """
