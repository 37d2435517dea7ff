"""The URLs of this app, gathered from its packages."""

from patients.appointments.urls import urlpatterns as appointments
from patients.archives.urls import urlpatterns as archives
from patients.case_file.urls import urlpatterns as case_file
from patients.consent.urls import urlpatterns as consent
from patients.consent_papers.urls import urlpatterns as consent_papers
from patients.contacts.urls import urlpatterns as contacts
from patients.custody.urls import urlpatterns as custody
from patients.drafts.urls import urlpatterns as drafts
from patients.intake.urls import urlpatterns as intake
from patients.intake_review.urls import urlpatterns as intake_review
from patients.keepsakes.urls import urlpatterns as keepsakes
from patients.left_behind.urls import urlpatterns as left_behind
from patients.maps.urls import urlpatterns as maps
from patients.messages.urls import urlpatterns as messages
from patients.notes.urls import urlpatterns as notes
from patients.placement.urls import urlpatterns as placement
from patients.portal.urls import urlpatterns as portal
from patients.repeats.urls import urlpatterns as repeats
from patients.requests.urls import urlpatterns as requests
from patients.waitlist.urls import urlpatterns as waitlist

app_name = "patients"
urlpatterns = [
    *(*requests, *portal, *intake, *intake_review, *case_file, *keepsakes, *custody, *maps, *consent),
    *(*consent_papers, *archives),
    *(*drafts, *contacts, *notes, *messages, *placement, *appointments, *repeats, *waitlist),
    *left_behind,
]
