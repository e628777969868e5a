"""Data frames: kinds of columns, conversion to rows of numbers, and back."""
