"""Under /o/<organization>/vault/."""

from django.urls import path

from casemate.vault import views
from casemate.vault.views import folders, reveals

urlpatterns = [
    path("", views.vault, name="vault"),
    path("new/", views.password_new, name="password-new"),
    path("trash/", views.trash, name="vault-trash"),
    path("folders/", folders.folders, name="folders"),
    path("folders/new/", folders.folder_new, name="folder-new"),
    path("folders/<uuid:folder_id>/", folders.folder, name="folder"),
    path("<uuid:password_id>/", views.password, name="password"),
    path("<uuid:password_id>/edit/", views.password_edit, name="password-edit"),
    path("<uuid:password_id>/delete/", views.password_delete, name="password-delete"),
    path("<uuid:password_id>/restore/", views.password_restore, name="password-restore"),
    path("<uuid:password_id>/history/", views.password_history, name="password-history"),
    path("<uuid:password_id>/history/<int:number>/reveal/", reveals.revision_reveal, name="revision-reveal"),
    path("<uuid:password_id>/reveal/", reveals.password_reveal, name="password-reveal"),
    path("<uuid:password_id>/copy/", reveals.password_copy, name="password-copy"),
]
