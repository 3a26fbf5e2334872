from django.urls import path

from casemate.accounts import views

urlpatterns = [
    path("", views.profile, name="profile"),
    path("sign-in/", views.sign_in, name="sign-in"),
    path("sign-in/verify/", views.verify, name="verify"),
    path("sign-in/backup-code/", views.by_backup_code, name="by-backup-code"),
    path("backup-codes/", views.backup_codes, name="backup-codes"),
    path("password/", views.own_password, name="own-password"),
    path("step-up/", views.step_up, name="step-up"),
    path("sessions/", views.sessions, name="sessions"),
    path("sign-out/", views.sign_out, name="sign-out"),
    path("enrol/totp/", views.enrol_totp, name="enrol-totp"),
    path("enrol/<str:token>/", views.enrol, name="enrol"),
]
