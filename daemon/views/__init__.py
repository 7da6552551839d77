"""What people and programs read: the queue, one case with all that was decided about it, one proposal."""

from daemon.views.cases import case, cases, item
from daemon.views.deciding import approval, idempotency_key, waits_because

__all__ = ["approval", "case", "cases", "idempotency_key", "item", "waits_because"]
