"""Export of fitted models as programs for other software, with a comparison that certifies them."""

from isthmus.exporting.certificate import Certificate, Check
from isthmus.exporting.certified import export
from isthmus.exporting.pipelines import register_converters

__all__ = ["Certificate", "Check", "export", "register_converters"]
