"""A configuration held against all that a start needs, before anything starts: every error at once.

``ctiex check-config`` and the start do the same here, so that they say the same.
"""

from __future__ import annotations

from attrs import evolve

from ctiex.app.metrics import wrong_metrics
from ctiex.config.certificate_checks import check_certificates
from ctiex.config.file_checks import check_ports, wide_files, wrong_files
from ctiex.config.model import Configuration, failure_of
from ctiex.config.plugin_checks import Finder, wrong_plugins
from ctiex.config.reading import examine, read_file
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
    errors += (*wrong_plugins(configuration, find), *wrong_metrics(configuration), *wrong_files(configuration))
    of_certificates, soon_over = check_certificates(configuration)
    of_ports, in_use = check_ports(configuration) if ports else ([], [])
    errors += (*of_certificates, *of_ports)
    if errors:
        raise failure_of([*dict.fromkeys([*errors, *broken_plugins()])], path)
    warnings = (*configuration.warnings, *soon_over, *in_use, *wide_files(configuration), *broken_plugins())
    return evolve(configuration, warnings=warnings)
