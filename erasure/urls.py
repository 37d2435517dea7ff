"""Addresses of this room, gathered from its nouns."""

from erasure.certificates.urls import urlpatterns as certificates
from erasure.procedures.urls import urlpatterns as procedures
from erasure.session.urls import urlpatterns as session

app_name = "erasure"
urlpatterns = [*procedures, *session, *certificates]
