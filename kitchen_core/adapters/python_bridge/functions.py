"""Which functions can be called, by name, and where each one is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from kitchen_core.adapters.python_bridge.failures import invalid
from kitchen_core.train.naming import nearest

_PACKAGE = "kitchen_core.adapters.python_bridge.libraries"

_OF_LIBRARIES: Mapping[str, Mapping[str, str]] = {
    "math_verify": {
        "math_verify.verify": f"{_PACKAGE}.verification:verify",
        "math_verify.parse": f"{_PACKAGE}.verification:parsed",
    },
    "sympy": {
        "sympy.equal": f"{_PACKAGE}.symbols:equal",
        "sympy.simplify": f"{_PACKAGE}.symbols:simplified",
    },
    "pylatexenc": {"pylatexenc.to_text": f"{_PACKAGE}.latex:to_text"},
}


def wired(libraries: Sequence[str], functions: Mapping[str, str]) -> dict[str, str]:
    """Each function's name to its place, `MODULE:FUNCTION`: those of the libraries, and the manifest's own.

    Raises InvalidRequest for a library that is not known, or a place that is none.
    """
    known = ", ".join(_OF_LIBRARIES)
    if isinstance(libraries, str):
        raise invalid(f"libraries is {libraries!r}, but must be a list, of {known}")
    places: dict[str, str] = {}
    for library in libraries:
        if library not in _OF_LIBRARIES:
            near = nearest(str(library), _OF_LIBRARIES)
            raise invalid(f"there is no library {library!r}; known are {known}{near}")
        places |= _OF_LIBRARIES[library]
    for name, place in functions.items():
        if not all(place.partition(":")):
            raise invalid(f"functions.{name} is {place!r}, but must be MODULE:FUNCTION")
        places[name] = place
    return places
