"""Stacks for the tests, coarse but with all that makes meshing hard."""

import pytest

from meshes.stack import LayerGeometry, StackGeometry

UM, NM = 1e-6, 1e-9


class Stacks:
    """Makes layers and stacks."""

    @staticmethod
    def layer(name, thickness, size, **changes):
        """A layer with coarse cells; lengths in micrometres."""
        values = {
            "bottom_cell": 0.1 * UM,
            "top_cell": 0.1 * UM,
            "growth": 2.0,
            "largest_cell": 0.5 * UM,
            "edge_cell": 2 * UM,
            "interior_cell": 4 * UM,
        }
        if "center" in changes:
            changes["center"] = (changes["center"][0] * UM, changes["center"][1] * UM)
        values |= changes
        return LayerGeometry(name=name, thickness=thickness * UM, size=(size[0] * UM, size[1] * UM), **values)

    @staticmethod
    def refrigerator(**changes):
        """The default case's proportions: strip, film and pad under a return plane."""
        values = {
            "layers": (
                Stacks.layer("Nb", 0.4, (60, 20)),
                Stacks.layer("Ta", 1.0, (14, 14)),
                Stacks.layer("Cu", 3.0, (14, 14)),
            ),
            "barriers": {0: 2 * NM, 1: 2 * NM},
            "conductor": "Nb",
            "padding": 100 * UM,
            "return_plane": 0.6 * UM,
            "quarter": True,
            "lateral_growth": 2.5,
        }
        return StackGeometry(**(values | changes))

    @staticmethod
    def offset(**changes):
        """Every pad elsewhere; the copper overhangs the film below it; vacuum all round; one barrier of two."""
        values = {
            "layers": (
                Stacks.layer("Nb", 0.5, (40, 12)),
                Stacks.layer("Ta", 1.0, (10, 8), center=(1, -1)),
                Stacks.layer("Cu", 2.0, (12, 6), center=(5, 2)),
            ),
            "barriers": {1: 2 * NM},
            "conductor": None,
            "padding": 50 * UM,
            "return_plane": None,
            "quarter": False,
            "lateral_growth": 2.5,
        }
        return StackGeometry(**(values | changes))


@pytest.fixture(scope="session")
def stacks():
    return Stacks
