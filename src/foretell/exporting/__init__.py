"""Networks in the formats of other programs; no layer here knows which task a network serves."""
