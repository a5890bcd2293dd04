"""From data and settings to the decisions of a run, each of them said aloud."""

from reparam.planning.likelihood import Binarize as Binarize
from reparam.planning.likelihood import choose_likelihood as choose_likelihood
from reparam.planning.objective import FeedLoss as FeedLoss
from reparam.planning.objective import condition_of as condition_of
from reparam.planning.objective import make_objective as make_objective
from reparam.planning.plan import MOST_ROWS as MOST_ROWS
from reparam.planning.plan import Plan as Plan
from reparam.planning.plan import make_feed as make_feed
from reparam.planning.plan import make_plan as make_plan
from reparam.planning.plan import read_examples as read_examples
from reparam.planning.plan import split_examples as split_examples
from reparam.planning.presets import PRESETS as PRESETS
from reparam.planning.values import misfit as misfit
from reparam.planning.values import row_totals as row_totals
