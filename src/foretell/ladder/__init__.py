"""The ladder: the rungs of a task one after the other, each for all folds and seeds, into one leaderboard."""

from .climbing import LadderWatcher, Plan, climb
from .comparing import compare, train_one
from .concluding import conclude
from .standings import Climb
from .trials import Trial

__all__ = ["Climb", "LadderWatcher", "Plan", "Trial", "climb", "compare", "conclude", "train_one"]
