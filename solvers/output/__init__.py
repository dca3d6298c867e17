"""What a run writes: history, accounts, profiles, fields, checkpoint, summary."""

from typing import TYPE_CHECKING

from meshes.lazy import lazy_names

if TYPE_CHECKING:
    from solvers.output.accounts import Accounts as Accounts
    from solvers.output.case_file import write_case as write_case
    from solvers.output.folder import OutputFolder as OutputFolder
    from solvers.output.history import History as History
    from solvers.output.paraview import to_paraview as to_paraview
    from solvers.output.profiles import Profiles as Profiles
    from solvers.output.recorder import Recorder as Recorder
    from solvers.output.result import Result as Result

__getattr__, __all__ = lazy_names(
    __name__,
    {
        "solvers.output.accounts": ["Accounts"],
        "solvers.output.case_file": ["write_case"],
        "solvers.output.folder": ["OutputFolder"],
        "solvers.output.history": ["History"],
        "solvers.output.paraview": ["to_paraview"],
        "solvers.output.profiles": ["Profiles"],
        "solvers.output.recorder": ["Recorder"],
        "solvers.output.result": ["Result"],
    },
)
