"""Money: integers in minor units with their currency, by Stripe's exponents. Never a float.

Most currencies have two decimals. Some have none, some three; ISK and UGX have none in life but are sent
to and by Stripe as if they had two (a krona is 100).
"""

from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation

ZERO_DECIMAL = frozenset(
    ("bif", "clp", "djf", "gnf", "jpy", "kmf", "krw", "mga", "pyg", "rwf", "vnd", "vuv", "xaf", "xof", "xpf")
)
THREE_DECIMAL = frozenset(["bhd", "jod", "kwd", "omr", "tnd"])
WHOLE_UNITS_SENT_TIMES_100 = frozenset({"isk", "ugx"})
# Every currency in which Stripe takes a payment.
_TWO_DECIMALS = (
    "aed", "afn", "all", "amd", "ang", "aoa", "ars", "aud", "awg", "azn", "bam", "bbd", "bdt", "bgn",
    "bmd", "bnd", "bob", "brl", "bsd", "bwp", "byn", "bzd", "cad", "cdf", "chf", "cny", "cop", "crc",
    "cve", "czk", "dkk", "dop", "dzd", "egp", "etb", "eur", "fjd", "fkp", "gbp", "gel", "gip", "gmd",
    "gtq", "gyd", "hkd", "hnl", "htg", "huf", "idr", "ils", "inr", "jmd", "kes", "kgs", "khr", "kyd",
    "kzt", "lak", "lbp", "lkr", "lrd", "lsl", "mad", "mdl", "mkd", "mmk", "mnt", "mop", "mur", "mvr",
    "mwk", "mxn", "myr", "mzn", "nad", "ngn", "nio", "nok", "npr", "nzd", "pab", "pen", "pgk", "php",
    "pkr", "pln", "qar", "ron", "rsd", "rub", "sar", "sbd", "scr", "sek", "sgd", "shp", "sle", "sos",
    "srd", "std", "szl", "thb", "tjs", "top", "try", "ttd", "twd", "tzs", "uah", "usd", "uyu", "uzs",
    "wst", "xcd", "yer", "zar", "zmw",
)  # fmt: skip
CURRENCIES = frozenset({*_TWO_DECIMALS, *ZERO_DECIMAL, *THREE_DECIMAL, *WHOLE_UNITS_SENT_TIMES_100})
MAJOR_DIGITS_MAX = 15  # a billion yen a second for a week; beyond that a number is a mistake


def exponent(currency: str) -> int:
    """How many decimals Stripe's integers of this currency have."""
    if currency in ZERO_DECIMAL:
        return 0
    return 3 if currency in THREE_DECIMAL else 2


def step(currency: str) -> int:
    """What Stripe's integers of this currency are multiples of: the smallest amount that can be paid."""
    if currency in WHOLE_UNITS_SENT_TIMES_100:
        return 100
    return 10 if currency in THREE_DECIMAL else 1


@dataclass(frozen=True, slots=True)
class Money:
    amount_minor: int
    currency: str  # lower case, as Stripe writes it

    @classmethod
    def from_major(cls, text: str, currency: str) -> "Money":
        """Reads an amount such as `149.00` from its text; raises ValueError for what is not a number."""
        currency = currency.lower()
        try:
            major = Decimal(text.strip())
        except InvalidOperation:
            raise ValueError(f"“{text[:40]}” is not an amount") from None
        if not major.is_finite() or major.adjusted() > MAJOR_DIGITS_MAX:
            raise ValueError(f"“{text[:40]}” is not an amount")
        minor = major.scaleb(exponent(currency)).to_integral_value(ROUND_HALF_EVEN)
        return cls(int(minor), currency)

    @classmethod
    def from_minor(cls, text: str, currency: str) -> "Money":
        """Reads an amount such as `14900` from its text; raises ValueError for what is not an integer."""
        try:
            return cls(int(text.strip()), currency.lower())
        except ValueError:
            raise ValueError(f"“{text[:40]}” is not an amount in minor units") from None

    def major(self) -> Decimal:
        return Decimal(self.amount_minor).scaleb(-exponent(self.currency))

    def __add__(self, other: "Money") -> "Money":
        if self.currency != other.currency:
            raise ValueError(f"{self.currency} and {other.currency} do not add up without a rate")
        return Money(self.amount_minor + other.amount_minor, self.currency)

    def __str__(self) -> str:
        decimals = 0 if self.currency in WHOLE_UNITS_SENT_TIMES_100 else exponent(self.currency)
        return f"{self.major():,.{decimals}f} {self.currency.upper()}"
