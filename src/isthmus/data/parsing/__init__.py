"""Numbers, dates and missing values that are written as text."""
