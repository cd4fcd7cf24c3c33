import os

from django.http import HttpResponse
from django.urls import path
from django.utils.html import escape

from .celery import count
from .models import Entry


def book(request):
    """Everybody may write: /?text=Hello"""
    if text := request.GET.get("text"):
        Entry.objects.create(text=text)
        count.delay()
    entries = "".join(f"<li>{escape(entry.text)}</li>" for entry in Entry.objects.order_by("-id")[:20])
    return HttpResponse(f"<h1>Guestbook</h1><ul>{entries}</ul><p>by {os.environ.get('DYNO')}</p>")


urlpatterns = [path("", book)]
