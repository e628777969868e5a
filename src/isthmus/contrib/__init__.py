"""Game levels and music: used by examples, not by the rest of isthmus."""
