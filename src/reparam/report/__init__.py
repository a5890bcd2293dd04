"""A run directory made readable: one self-contained page, and its figures as PNG files.

Reads run directories only; knows no model.
"""

from reparam.report.page import write_report
from reparam.report.reading import ReadableRun

__all__ = ["ReadableRun", "write_report"]
