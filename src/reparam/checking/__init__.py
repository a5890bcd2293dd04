"""Is this law's sampler right, and is its pathwise gradient right? For any torch distribution, ours or not."""

from reparam.checking.check import check_rsample as check_rsample
from reparam.checking.report import Finding as Finding
from reparam.checking.report import Report as Report

__all__ = ["Finding", "Report", "check_rsample"]
