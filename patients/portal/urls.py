from django.urls import path

from patients.portal import looks, memory_views, views

urlpatterns = [
    path("me/", views.portal, name="portal"),
    path("me/looks/", looks.looks, name="looks"),
    path("me/memories/new/", memory_views.memory_new, name="memory-new"),
    path("me/memories/<uuid:memory>/", memory_views.memory, name="memory"),
    path("me/memories/<uuid:memory>/remove/", memory_views.memory_remove, name="memory-remove"),
]
