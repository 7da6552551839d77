"""The parameters of our writes, as Stripe's SDK types them: known while types are checked, and no import otherwise."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stripe.params import CreditNoteCreateParams as CreditNoteCreateParams
    from stripe.params import DisputeUpdateParams as DisputeUpdateParams
    from stripe.params import PaymentIntentCaptureParams as PaymentIntentCaptureParams
    from stripe.params import PaymentLinkCreateParams as PaymentLinkCreateParams
    from stripe.params import RefundCreateParams as RefundCreateParams
    from stripe.params import SubscriptionCancelParams as SubscriptionCancelParams
    from stripe.params import SubscriptionResumeParams as SubscriptionResumeParams
    from stripe.params import SubscriptionUpdateParams as SubscriptionUpdateParams
