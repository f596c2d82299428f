"""CTIEX: the data of a call, beside the call, between agents and automatic services."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("ctiex")
except PackageNotFoundError:  # run from a checkout that isn't installed
    __version__ = "0+unknown"
