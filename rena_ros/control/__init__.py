"""What happens to a command: gate, commands, torque state, motion, health."""
