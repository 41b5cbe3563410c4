"""Bundle, cards, passport, signature, registry."""

from luodi.release.registry import CHANNELS, Registry, Release
from luodi.release.verify import Verified, check_waivers, verify, verify_folder

__all__ = ["CHANNELS", "Registry", "Release", "Verified", "check_waivers", "verify", "verify_folder"]
