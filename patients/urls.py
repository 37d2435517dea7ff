"""The URLs of this app, gathered from its packages."""

from patients.case_file.urls import urlpatterns as case_file
from patients.consent.urls import urlpatterns as consent
from patients.custody.urls import urlpatterns as custody
from patients.intake.urls import urlpatterns as intake
from patients.keepsakes.urls import urlpatterns as keepsakes
from patients.maps.urls import urlpatterns as maps
from patients.portal.urls import urlpatterns as portal
from patients.requests.urls import urlpatterns as requests

app_name = "patients"
urlpatterns = [*requests, *portal, *intake, *case_file, *keepsakes, *custody, *maps, *consent]
