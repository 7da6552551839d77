"""Sweeping: everything that Stripe, the CRM and the product hold is read again and again, whatever events said."""
