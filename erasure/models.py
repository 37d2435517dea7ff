"""The models of this room, named here so that Django finds them."""

from erasure.certificates.models import Certificate
from erasure.procedures.models import Procedure
from erasure.runs.models import DoctorCall, Event, Hold, Run, Step

__all__ = ["Certificate", "DoctorCall", "Event", "Hold", "Procedure", "Run", "Step"]
