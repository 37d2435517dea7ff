from django.urls import path

from patients.memories import views

urlpatterns = [
    path("me/memories/new/", views.memory_new, name="memory-new"),
    path("me/memories/<uuid:memory>/", views.memory, name="memory"),
    path("me/memories/<uuid:memory>/remove/", views.memory_remove, name="memory-remove"),
]
