"""The URLs of this app, collected from its packages."""

from erasure.backups.urls import urlpatterns as backups
from erasure.certificates.urls import urlpatterns as certificates
from erasure.procedures.urls import urlpatterns as procedures
from erasure.remainders.urls import urlpatterns as remainders
from erasure.session.urls import urlpatterns as session

app_name = "erasure"
urlpatterns = [*procedures, *session, *certificates, *remainders, *backups]
