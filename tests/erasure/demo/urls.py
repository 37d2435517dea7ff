"""The URLs of a demonstration. erasure/urls.py adds them only at start, with LACUNA_DEMO."""

from django.urls import include, path

from clinic import urls
from erasure import urls as erasure_urls
from erasure.demo.urls import urlpatterns as demo

urlpatterns = [*urls.urlpatterns[:-1], path("", include(([*erasure_urls.urlpatterns, *demo], "erasure")))]
handler500 = urls.handler500
