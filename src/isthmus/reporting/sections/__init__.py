"""The sections of a report: one function each, from a subject to a ``Section``, or None if there is nothing to say."""
