"""The application: configuration, assembly into services, ``twistd ctiex`` and the ``ctiex`` command."""
