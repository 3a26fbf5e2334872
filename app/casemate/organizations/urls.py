"""Under /o/<organization>/."""

from django.urls import path

from casemate.organizations import trail, views

urlpatterns = [
    path("", views.start, name="organization"),
    path("audit/", trail.organization_audit, name="organization-audit"),
    path("members/", views.members, name="members"),
    path("members/<uuid:member_id>/", views.member, name="member"),
    path("members/<uuid:member_id>/confirm/", views.member_confirm, name="member-confirm"),
    path("members/<uuid:member_id>/end/", views.member_end, name="member-end"),
]
