from django.urls import path

from erasure.destructions import views

urlpatterns = [
    path("me/belongings/", views.belongings, name="belongings"),
    path("me/belongings/<uuid:case>/choose/", views.choose, name="belongings-choose"),
    path("me/belongings/<uuid:case>/take/", views.take, name="belongings-take"),
    path("me/belongings/<uuid:case>/destroy/", views.destroy, name="belongings-destroy"),
    path("me/belongings/<uuid:case>/reopen/", views.reopen, name="belongings-reopen"),
    path("me/destructions/<uuid:destruction>/", views.destruction, name="destruction"),
    path("me/destructions/<uuid:destruction>/stop/", views.destruction_stop, name="destruction-stop"),
]
