"""How `mini` was trained. Not part of the wheel."""
