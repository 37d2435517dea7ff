"""Registers the pass of the page for the bed."""

from clinic.access.passes import register_pass
from erasure.bedside.tokens import BED_PAGE_KIND, find_bed_pass

register_pass(BED_PAGE_KIND)(find_bed_pass)
