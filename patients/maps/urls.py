from django.urls import path

from patients.maps import views

urlpatterns = [
    path("files/<uuid:case>/map/", views.mapping, name="mapping"),
    path("files/<uuid:case>/map/links/", views.links, name="map-link"),
    path("files/<uuid:case>/map/chapters/", views.chapters, name="map-chapters"),
    path("files/<uuid:case>/map/keepsakes/<uuid:keepsake>/", views.place, name="map-place"),
    path("files/<uuid:case>/map/keepsakes/<uuid:keepsake>/look/", views.look, name="map-look"),
    path("files/<uuid:case>/map/lock/", views.lock, name="map-lock"),
    path("files/<uuid:case>/map/unlock/", views.unlock, name="map-unlock"),
]
