"""The driver of the Feetech bus: frames, one port, requests and replies, and all servos of a robot."""
