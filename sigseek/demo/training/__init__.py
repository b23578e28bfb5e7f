"""The training of `mini`. It is in the repository only, not in the wheel."""
