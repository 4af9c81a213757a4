"""Addresses of no app: for machines that look after the system, the theme switch, the design system."""

from django.urls import path

from core import health, views

urlpatterns = [
    path("readyz", health.readyz, name="readyz"),
    path("metrics", health.metrics, name="metrics"),
    path("theme/", views.set_theme, name="set_theme"),
    path("design/", views.design, name="design"),
]
