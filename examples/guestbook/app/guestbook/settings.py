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

# A cache between all web dynos, where there is one: memcached with SASL, as MemCachier has it.
if servers := os.environ.get("MEMCACHE_SERVERS"):
    CACHES = {
        "default": {
            "BACKEND": "django.core.cache.backends.memcached.PyLibMCCache",
            "LOCATION": servers.split(","),
            "OPTIONS": {
                "binary": True,
                "username": os.environ["MEMCACHE_USERNAME"],
                "password": os.environ["MEMCACHE_PASSWORD"],
            },
        }
    }

if server := os.environ.get("MAILGUN_SMTP_SERVER"):
    EMAIL_HOST = server
    EMAIL_PORT = int(os.environ["MAILGUN_SMTP_PORT"])
    EMAIL_HOST_USER = os.environ["MAILGUN_SMTP_LOGIN"]
    EMAIL_HOST_PASSWORD = os.environ["MAILGUN_SMTP_PASSWORD"]
else:
    EMAIL_BACKEND = "django.core.mail.backends.console.EmailBackend"

# Reads SENTRY_DSN; without it, nothing is sent.
try:
    import sentry_sdk

    sentry_sdk.init(send_default_pii=False)
except ImportError:
    pass
