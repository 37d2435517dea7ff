from django.urls import path

from patients.keepsakes import views
from patients.memories import views as memories

urlpatterns = [
    path("me/keepsakes/", views.keepsakes, name="keepsakes"),
    path("me/keepsakes/done/", views.done, name="keepsakes-done"),
    path("me/keepsakes/<uuid:keepsake>/", views.keepsake, name="keepsake"),
    path("me/keepsakes/<uuid:keepsake>/remove/", views.remove, name="keepsake-remove"),
    path("me/memories/new/", memories.memory_new, name="memory-new"),
    path("me/memories/<uuid:memory>/", memories.memory, name="memory"),
    path("me/memories/<uuid:memory>/remove/", memories.memory_remove, name="memory-remove"),
]
