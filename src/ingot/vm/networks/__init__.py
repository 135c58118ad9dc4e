"""What a machine is plugged into: cards, its fixed address, published ports, taps."""
