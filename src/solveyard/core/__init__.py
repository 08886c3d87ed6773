"""When jobs run: every decision. Pure, and without a clock."""
