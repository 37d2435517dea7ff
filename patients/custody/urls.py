from django.urls import path

from patients.custody import views

urlpatterns = [
    path("files/<uuid:case>/custody/", views.custody, name="custody"),
    path("files/<uuid:case>/custody/<uuid:keepsake>/", views.change, name="custody-change"),
]
