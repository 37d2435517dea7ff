"""Addresses of this room, gathered from its nouns."""

from patients.cases.portal_urls import urlpatterns as portal
from patients.cases.urls import urlpatterns as cases
from patients.consent.urls import urlpatterns as consent
from patients.custody.urls import urlpatterns as custody
from patients.keepsakes.urls import urlpatterns as keepsakes
from patients.maps.urls import urlpatterns as maps
from patients.memories.urls import urlpatterns as memories
from patients.requests.urls import urlpatterns as requests

app_name = "patients"
urlpatterns = [*requests, *portal, *cases, *keepsakes, *memories, *custody, *maps, *consent]
