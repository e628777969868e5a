"""Data frames: what their columns are, rows of numbers out of them, and the way back."""
