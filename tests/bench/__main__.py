"""`make bench ARGS=…` runs the named measurements, or all of them; each prints one line of JSON."""

import sys

from tests.bench import judge, reads, webhooks

BENCHES = {"judge": judge.main, "reads": reads.main, "webhooks": webhooks.main}

for name in sys.argv[1:] or BENCHES:
    sys.argv = [name]
    BENCHES[name]()
