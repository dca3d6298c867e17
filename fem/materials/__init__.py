"""Materials: their constants, and the laws that follow from them. NumPy and SciPy are all they need."""

from fem.materials.library import LIBRARY, get_material
from fem.materials.material import Material
from fem.materials.nuclear_spins import Nuclei, Spins

__all__ = ["LIBRARY", "Material", "Nuclei", "Spins", "get_material"]
