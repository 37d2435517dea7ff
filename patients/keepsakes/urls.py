from django.urls import path

from patients.keepsakes import review_views, views

urlpatterns = [
    path("files/<uuid:case>/review/", review_views.review, name="review"),
    path("files/<uuid:case>/review/rest/", review_views.rest, name="review-rest"),
    path("files/<uuid:case>/review/<uuid:keepsake>/", review_views.decide, name="review-decide"),
    path("files/<uuid:case>/review/<uuid:keepsake>/sharp/", review_views.sharpen, name="review-unblur"),
    path("upload/form", views.late_upload, name="upload-form"),
    path("me/keepsakes/", views.keepsakes, name="keepsakes"),
    path("me/keepsakes/done/", views.done, name="keepsakes-done"),
    path("me/keepsakes/<uuid:keepsake>/", views.keepsake, name="keepsake"),
    path("me/keepsakes/<uuid:keepsake>/remove/", views.remove, name="keepsake-remove"),
]
