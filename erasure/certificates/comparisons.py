"""What of this package is compared with the log when it is verified."""

from clinic.audit.comparisons import register
from erasure.certificates.issued import all_differences

register("certificates", all_differences)
