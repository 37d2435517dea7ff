from django.urls import path

from patients.intake_review import views

urlpatterns = [path("files/<uuid:case>/intake/", views.intake_review, name="intake-review")]
