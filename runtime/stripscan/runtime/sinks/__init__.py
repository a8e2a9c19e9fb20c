"""Where events go: each sink has a thread of its own, and none holds up the inspection."""
