"""Which input a result depends on: Sobol indices of samples, by SALib."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import xarray as xr

ENOUGH = 20  # members below which an index means nothing


def sensitivities(dataset: xr.Dataset, name: str) -> dict[str, dict[str, float]] | None:
    """Shares of the variance of a result by input.

    Saltelli samples give first-order and total Sobol indices (Saltelli et al., Comput. Phys. Commun. 181, 259 (2010));
    others the first-order ones alone, by RBD-FAST (Tarantola et al., Reliab. Eng. Syst. Saf. 91, 717 (2006)), good to
    about 0.1 with some hundred members.

    Args:
        dataset: of a study with samples.
        name: of the result.

    Returns:
        By kind of index and by input; None if there are too few members, an input is a choice, a result is missing
        among Saltelli samples, or the result does not vary.
    """
    inputs = [dataset[coordinate] for coordinate in dataset.coords if coordinate != "member"]
    if any("low" not in values.attrs for values in inputs):  # choices, which SALib does not take
        return None
    result = dataset[name].values
    good = np.isfinite(result)
    saltelli = dataset.attrs.get("sample") == "saltelli"
    if good.sum() < ENOUGH or np.ptp(result[good]) == 0 or (saltelli and not good.all()):
        return None
    names = [str(values.name) for values in inputs]
    problem: dict[str, Any] = {"num_vars": len(names), "names": names, "bounds": [[0.0, 1.0]] * len(names)}
    if saltelli:
        from SALib.analyze import sobol

        found = sobol.analyze(problem, result, calc_second_order=False, seed=0)
        kinds = {"alone (first order)": found["S1"], "with the others (total)": found["ST"]}
    else:
        from SALib.analyze import rbd_fast

        columns = [_share(values)[good] for values in inputs]
        found = rbd_fast.analyze(problem, np.stack(columns, axis=1), result[good], num_resamples=2, seed=0)
        kinds = {"alone (first order)": found["S1"]}
    return {kind: {n: float(v) for n, v in zip(names, values, strict=True)} for kind, values in kinds.items()}


def _share(values: xr.DataArray) -> Any:
    """Where a value is in its range, 0 to 1."""
    low, high = values.attrs["low"], values.attrs["high"]
    if values.attrs["spacing"] == "log":
        return np.log(values.values / low) / np.log(high / low)
    return (values.values - low) / (high - low)
