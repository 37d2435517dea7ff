"""The pass of the page for the bed."""

from clinic.access.passes import register_pass
from erasure.bedside.tokens import KIND, find_pass

register_pass(KIND)(find_pass)
