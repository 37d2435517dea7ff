"""The URLs of this app, collected from its packages."""

from django.conf import settings

from erasure.backups.urls import urlpatterns as backups
from erasure.bed_pages.urls import urlpatterns as bed_pages
from erasure.certificates.urls import urlpatterns as certificates
from erasure.closing.urls import urlpatterns as closing
from erasure.demo.urls import urlpatterns as demo
from erasure.destructions.urls import urlpatterns as destructions
from erasure.procedures.urls import urlpatterns as procedures
from erasure.remainders.urls import urlpatterns as remainders
from erasure.reports.urls import urlpatterns as reports
from erasure.session.urls import urlpatterns as session

app_name = "erasure"
urlpatterns = [
    *procedures,
    *session,
    *bed_pages,
    *certificates,
    *destructions,
    *remainders,
    *reports,
    *backups,
    *closing,
]
if settings.LACUNA_DEMO:
    urlpatterns += demo
