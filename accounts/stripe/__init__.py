"""Stripe: raw reads into frozen structs, writes through the official SDK, and whose key is whose."""
