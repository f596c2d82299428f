"""Makes ``twistd ctiex`` and ``twist ctiex`` known."""

from twisted.application.service import ServiceMaker

ctiex = ServiceMaker(
    "CTIEX",
    "ctiex.app.tap",
    "The call data exchange between agents and automatic services.",
    "ctiex",
)
