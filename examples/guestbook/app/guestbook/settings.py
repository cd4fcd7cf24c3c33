"""All that differs from place to place comes from config vars."""

import os
from urllib.parse import urlparse

DEBUG = False
SECRET_KEY = os.environ.get("SECRET_KEY", "only for trying it out")
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = "guestbook.urls"
INSTALLED_APPS = ["guestbook"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
TIME_ZONE = "UTC"

database = urlparse(os.environ.get("DATABASE_URL", "postgres://localhost/guestbook"))
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": database.path[1:],
        "USER": database.username,
        "PASSWORD": database.password,
        "HOST": database.hostname,
        "PORT": database.port,
    }
}

CELERY_BROKER_URL = os.environ.get("REDIS_URL", "redis://localhost")
CELERY_BEAT_SCHEDULE = {"count": {"task": "guestbook.celery.count", "schedule": 2.0}}
