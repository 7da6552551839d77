"""The Cheqpoint-compatible gate, as its own client and plain HTTP find it, with what its callers then do on Stripe."""
