"""What gunicorn loads: `casemate.wsgi:application`."""

import os

from django.core.wsgi import get_wsgi_application

from casemate.starting import verify_database

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "casemate.settings")
if os.environ.get("CASEMATE_BUILD"):
    raise SystemExit("CASEMATE_BUILD is set: those settings have throwaway keys and must not serve. Unset it.")

application = get_wsgi_application()
verify_database()
