"""The magnetic field: London equation with a normal fraction, eddy currents."""
