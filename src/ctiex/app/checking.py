"""A configuration held against all that a start needs, before anything starts: every error at once.

``ctiex check-config`` and the start do the same here, so that they say the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from attrs import evolve

from ctiex.app.metrics import check_metrics
from ctiex.config.certificate_checks import check_certificates
from ctiex.config.file_checks import check_files, check_ports, wide_files
from ctiex.config.model import Configuration, failure_of
from ctiex.config.plugin_checks import Finder, check_plugins
from ctiex.config.reading import examine, read_file
from ctiex.errors import ConfigurationError
from ctiex.plugins import broken_plugins, find_plugin


def checked(
    path: str | None = None,
    agent_listen: str | None = None,
    ivr_listen: str | None = None,
    find: Finder = find_plugin,
    ports: bool = False,
) -> Configuration:
    """The configuration in a file, that a start can use as far as can be seen before.

    :param agent_listen: an endpoint string in place of the agent link's own.
    :param ivr_listen: an endpoint string in place of the IVR link's own.
    :param find: finds the plugins that it names.
    :param ports: open each TCP port for a moment, too, as a start does anyway.
    :return: with a warning for whatever an operator should know.
    :raise ConfigurationError: with a line for each thing that is wrong.
    """
    configuration, errors = examine({} if path is None else read_file(path), path, agent_listen, ivr_listen)
    if configuration is None:
        raise failure_of(errors, path)
    configuration = evolve(configuration, source=None)  # the name is put in front of all lines at the end
    warnings: list[str] = []
    checks: tuple[Callable[[Configuration], object], ...] = (
        partial(check_plugins, find=find),
        check_metrics,
        check_files,
        lambda read: warnings.extend(check_certificates(read).warnings),
        lambda read: warnings.extend(check_ports(read)) if ports else None,
    )
    for check in checks:
        errors += _lines_of(check, configuration)
    if errors:
        raise failure_of([*dict.fromkeys([*errors, *broken_plugins()])], path)
    warnings += [*wide_files(configuration, path), *broken_plugins()]
    return evolve(configuration, source=path, warnings=tuple(warnings))


def _lines_of(check: Callable[[Configuration], object], configuration: Configuration) -> Iterator[str]:
    try:
        check(configuration)
    except ConfigurationError as error:
        yield from str(error).split("\n")
