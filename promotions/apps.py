"""The promotions app."""

from django.apps import AppConfig


class PromotionsConfig(AppConfig):
    name = "promotions"
