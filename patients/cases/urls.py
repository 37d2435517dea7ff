from django.urls import path

from patients.cases import views
from patients.cases.portal_urls import urlpatterns as portal
from patients.keepsakes import review_views

urlpatterns = [
    *portal,
    path("files/", views.cases, name="cases"),
    path("files/<uuid:case>/", views.case, name="case"),
    path("files/<uuid:case>/review/", review_views.review, name="review"),
    path("files/<uuid:case>/review/rest/", review_views.rest, name="review-rest"),
    path("files/<uuid:case>/review/<uuid:keepsake>/", review_views.decide, name="review-decide"),
    path("files/<uuid:case>/review/<uuid:keepsake>/sharp/", review_views.sharpen, name="review-unblur"),
]
