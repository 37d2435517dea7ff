from django.urls import path

from patients.drafts import views

urlpatterns = [
    path("drafts/<str:form>/", views.keep, name="draft"),
    path("drafts/<str:form>/discard/", views.discard, name="draft-discard"),
]
