"""QCG-PilotJob's names for what solveyard does."""
