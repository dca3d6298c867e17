"""Physical constants in SI units (CODATA 2018; the exact ones follow the SI definition of 2019)."""

from __future__ import annotations

import math
from typing import Final

MU0: Final = 1.25663706212e-6  # H/m, CODATA 2018
KB: Final = 1.380649e-23  # J/K, exact
E_CHARGE: Final = 1.602176634e-19  # C, exact
HBAR: Final = 6.62607015e-34 / (2.0 * math.pi)  # J s, exact
NUCLEAR_MAGNETON: Final = 5.0507837461e-27  # J/T, CODATA 2018
AVOGADRO: Final = 6.02214076e23  # 1/mol, exact
GAS_CONSTANT: Final = KB * AVOGADRO  # J/(mol K), exact

# Sommerfeld value of the Lorenz number, pi^2 kB^2 / (3 e^2) = 2.4430e-8 W Ohm / K^2
LORENZ: Final = math.pi**2 / 3.0 * (KB / E_CHARGE) ** 2
