from django.urls import path

from patients.placement import timeline_views, views

urlpatterns = [
    path("me/sheet/", views.sheet, name="sheet"),
    path("me/sheet/undo/", views.undo_action, name="sheet-undo"),
    path("me/sheet/proposals/", views.proposals, name="proposals"),
    path("me/sheet/proposals/dismiss/", views.dismiss_proposal, name="proposals-dismiss"),
    path("me/sheet/proposals/recall/", views.recall, name="proposals-recall"),
    path("me/timeline/", timeline_views.timeline, name="timeline"),
]
