"""Training: settings, schedule, one step, the loop, and exact resuming. Knows protocols, no concrete model or data."""
