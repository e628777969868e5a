"""Reports about a fitted model: one HTML file without network, the same numbers as JSON, and a model card.

``report`` makes a ``Subject`` of a model and rows. The table in ``contents`` lists the sections; each is a function of
the subject that returns a ``Section`` of blocks, or None. Three writers show the same sections: ``html``, ``card`` and
``Report.to_dict``.
"""

from isthmus.reporting.document import Report, report

__all__ = ["Report", "report"]
