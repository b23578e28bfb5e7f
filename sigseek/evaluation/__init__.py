"""How well a checkpoint finds captioned pictures: reading the captions, the figures, the report."""
