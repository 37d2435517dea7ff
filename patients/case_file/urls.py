from django.urls import path

from patients.case_file import views

urlpatterns = [
    path("files/", views.cases, name="cases"),
    path("files/<uuid:case>/", views.case, name="case"),
]
