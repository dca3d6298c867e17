"""Cases, the command line, the coupled simulation and its results."""
