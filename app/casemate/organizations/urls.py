"""Under /o/<organization>/."""

from django.urls import path

from casemate.organizations import views

urlpatterns = [
    path("", views.start, name="organization"),
    path("members/", views.members, name="members"),
    path("members/<uuid:member_id>/", views.member, name="member"),
    path("members/<uuid:member_id>/end/", views.member_end, name="member-end"),
]
