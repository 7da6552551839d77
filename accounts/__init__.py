"""The world outside: reading, and for approved actions writing, what Stripe, the CRM and the product hold."""
