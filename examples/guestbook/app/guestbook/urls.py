import os

from django.core.cache import cache
from django.core.mail import send_mail
from django.http import HttpResponse
from django.urls import path
from django.utils.html import escape

from .celery import count
from .models import Entry


def book(request):
    """Everybody may write: /?text=Hello"""
    if text := request.GET.get("text"):
        Entry.objects.create(text=text)
        cache.delete("entries")
        count.delay()
        send_mail("A new entry", text, "guestbook@example.com", ["owner@example.com"])
    entries = cache.get("entries")
    source = "cache"
    if entries is None:
        source = "database"
        entries = "".join(f"<li>{escape(entry.text)}</li>" for entry in Entry.objects.order_by("-id")[:20])
        cache.set("entries", entries, 60)
    return HttpResponse(
        f"<h1>Guestbook</h1><ul>{entries}</ul><p>by {os.environ.get('DYNO')}, from the {source}</p>"
    )


def broken(request):
    """Something has to go wrong for errors to be collected: /broken"""
    page = request.GET.get("page", "none")
    return HttpResponse(f"page {int(page)}")


urlpatterns = [path("", book), path("broken", broken)]
