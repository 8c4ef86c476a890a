"""25 servos without hardware, at the register level: behind a pseudo-terminal or in virtual time."""
