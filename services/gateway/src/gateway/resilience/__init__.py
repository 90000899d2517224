"""What keeps a service in trouble from taking the gateway along, and the gateway from making its trouble worse.

Deadlines, second tries, breakers and bulkheads, for both ways through the gateway; docs/operations.md has the numbers.
"""

from gateway.resilience.calls import RESPECTED, TRY_SHARE, Calls, Lane, LaneName
from gateway.resilience.figures import Figures
from gateway.resilience.refusals import BreakerOpen, Full, Refused

__all__ = ["RESPECTED", "TRY_SHARE", "BreakerOpen", "Calls", "Figures", "Full", "Lane", "LaneName", "Refused"]
