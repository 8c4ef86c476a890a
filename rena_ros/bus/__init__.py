"""The Feetech bus: bytes and packets, transactions on one port, and strict emulated servos."""
