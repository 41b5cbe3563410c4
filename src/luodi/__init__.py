"""Luodi takes an open language model to a production service and proves it, release by release."""

__version__ = "0.1.0"
