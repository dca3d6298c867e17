"""Direct solution of symmetric positive definite systems, by MUMPS."""

from __future__ import annotations

from petsc4py import PETSc

from solvers.errors import StepFailure

# Errors of MUMPS that call for more workspace, and what others mean (users' guide, INFOG(1)).
TOO_SMALL = (-8, -9, -14, -15, -17, -20)
MEANING = {
    -7: "not enough memory",
    -10: "the matrix is singular",
    -13: "not enough memory",
    -19: "the memory allowed is too little",
    -22: "not enough memory",
    -40: "the matrix is not positive definite",
}
LARGEST_RELAXATION = 400  # per cent


class Factorisation:
    """Cholesky factors of a matrix that is assembled again and again on one pattern.

    Args:
        matrix: symmetric positive definite.
        prefix: of the PETSc options.
    """

    def __init__(self, matrix: PETSc.Mat, prefix: str) -> None:
        self._matrix, self._prefix = matrix, prefix
        self._relaxation = 20  # workspace of MUMPS over its estimate in per cent, its default
        self._ksp = self._solver()

    def _solver(self) -> PETSc.KSP:
        ksp = PETSc.KSP().create(self._matrix.comm)
        ksp.setOptionsPrefix(self._prefix)
        ksp.setType("preonly")
        pc = ksp.getPC()
        pc.setType("cholesky")
        pc.setFactorSolverType("mumps")
        self._matrix.setOption(PETSc.Mat.Option.SPD, True)
        ksp.setOperators(self._matrix)
        ksp.setFromOptions()
        pc.setFactorSetUpSolverType()
        pc.getFactorMatrix().setMumpsIcntl(14, self._relaxation)
        return ksp

    def factor(self) -> None:
        """Factor the matrix as it is now (collective); where MUMPS estimates too little workspace, give it more.

        Raises:
            StepFailure: the factorisation failed.
        """
        while True:
            self._ksp.setOperators(self._matrix)
            self._ksp.setUp()
            factor = self._ksp.getPC().getFactorMatrix()
            failure, detail = factor.getMumpsInfog(1), factor.getMumpsInfog(2)
            if failure >= 0:
                return
            hopeless = failure not in TOO_SMALL or self._relaxation > LARGEST_RELAXATION
            if not hopeless:
                self._relaxation *= 2
            self._ksp.destroy()
            self._ksp = self._solver()
            if hopeless:
                meaning = MEANING.get(failure, "see the users' guide of MUMPS")
                raise StepFailure(
                    f"field: the factorisation failed, {meaning} (MUMPS INFOG(1) = {failure}, INFOG(2) = {detail})"
                )

    def solve(self, right: PETSc.Vec, solution: PETSc.Vec) -> None:
        """Solve with the factors (collective).

        Raises:
            StepFailure: MUMPS failed, or the solution is not finite.
        """
        self._ksp.solve(right, solution)
        reason = self._ksp.getConvergedReason()
        if reason < 0:
            raise StepFailure(f"field: the direct solver failed (PETSc reason {reason})")
        largest = solution.norm(PETSc.NormType.NORM_1)
        if not largest < float("inf"):  # a NaN is not, either
            raise StepFailure("field: the solution is not finite")

    def destroy(self) -> None:
        """Free the solver."""
        self._ksp.destroy()
