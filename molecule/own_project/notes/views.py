from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from .models import Note


def notes(request: HttpRequest) -> HttpResponse:
    """All notes, and a form for another one."""
    if request.method == "POST":
        Note.objects.create(text=request.POST["text"][:200])
        return redirect("notes")
    return render(request, "notes/notes.html", {"notes": Note.objects.order_by("pk")})
