"""What happens to a command: gate, torque state, motion, health."""
