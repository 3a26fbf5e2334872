from django.urls import path

from casemate.policy import REPORTS
from casemate.security import views

urlpatterns = [
    path(REPORTS.removeprefix("/"), views.collect, name="csp-reports"),
    path("violations/", views.violations, name="violations"),
]
