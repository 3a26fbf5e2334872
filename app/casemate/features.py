"""What pages may use of a browser's devices: nothing, but for what declared.yml allows to named origins.

Source: https://www.w3.org/TR/permissions-policy/
"""

import re
from collections.abc import Mapping

FEATURES = (
    "accelerometer",
    "autoplay",
    "browsing-topics",
    "camera",
    "display-capture",
    "encrypted-media",
    "fullscreen",
    "geolocation",
    "gyroscope",
    "hid",
    "identity-credentials-get",
    "idle-detection",
    "local-fonts",
    "magnetometer",
    "microphone",
    "midi",
    "payment",
    "picture-in-picture",
    "publickey-credentials-get",
    "screen-wake-lock",
    "serial",
    "usb",
    "web-share",
    "xr-spatial-tracking",
)
ORIGIN = re.compile(r"https://[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?(:[0-9]{1,5})?")


def parse(text: str) -> dict[str, list[str]]:
    """Read `camera self https://meet.example.org; microphone self`. Raises ValueError that names the mistake."""
    found: dict[str, list[str]] = {}
    for feature, *origins in (part.split() for part in text.split(";") if part.strip()):
        if feature not in FEATURES:
            raise ValueError(f"{feature!r} is no feature that can be allowed; those are {', '.join(FEATURES)}")
        if feature in found:
            raise ValueError(f"{feature} is named twice")
        if wrong := [origin for origin in origins if origin != "self" and not ORIGIN.fullmatch(origin)]:
            raise ValueError(
                f"{feature} is allowed to {wrong[0]!r}; give self or an https address of a host alone,"
                " as https://meet.example.org"
            )
        if not origins:
            raise ValueError(f"{feature} names nobody to whom it is allowed; without a line it is allowed to nobody")
        found[feature] = origins
    return found


def header(allowed: Mapping[str, list[str]]) -> str:
    """The value of Permissions-Policy. A browser drops the whole header for one slip in its quoting."""
    parts = []
    for feature in FEATURES:
        words = ["self" if origin == "self" else f'"{origin}"' for origin in allowed.get(feature, [])]
        parts.append(f"{feature}=({' '.join(words)})")
    return ", ".join(parts)
