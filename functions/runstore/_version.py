"""The version, in its one place: the wheel's metadata and ``runstore.__version__`` both come from here."""

__version__ = "0.1.0"
